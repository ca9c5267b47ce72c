"""Errors of this package as problem documents (RFC 9457): what a visitor reads, and what the server's log tells."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

import attrs
import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketState

from ..errors import (
    AuthenticationError,
    ClientClosedError,
    ConfigError,
    DeadlineExceededError,
    IndivdError,
    InvalidQueryError,
    NotMergeableError,
    PartialResultError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
)
from ..escaping import escape_controls
from ..settings import check, is_kind
from .clients import ClientMissingError
from .openapi import PROBLEM_MEDIA_TYPE, describe_problems

logger = logging.getLogger("indivd_async")

#: Seconds; a visitor is never told to come back later than this, whatever the service said.
MAX_RETRY_AFTER_S = 3600


@attrs.frozen
class _Rule:
    """How an error is told to a visitor: status, text (None: the error's own), and which of its attributes go along."""

    status: int
    detail: str | None = None
    members: tuple[str, ...] = ()


#: Whoever asked for something impossible reads why. Faults of this application or of the service are told in general
#: words, and logged in full: their messages name hosts and paths that are no visitor's business. The nearest class
#: counts.
_RULES: dict[type[Exception], _Rule] = {
    InvalidQueryError: _Rule(422, members=("parameter", "rule")),
    NotMergeableError: _Rule(422, members=("metric", "instead")),
    PermissionDeniedError: _Rule(403, "A location or organisation is outside what this application may see."),
    RateLimitedError: _Rule(503, "The visitor analytics service is busy."),
    RequestTimeoutError: _Rule(504, "The visitor analytics service did not answer in time."),
    DeadlineExceededError: _Rule(504, "The visitor analytics service did not answer in time."),
    AuthenticationError: _Rule(500, "This application is not set up to ask the visitor analytics service."),
    ConfigError: _Rule(500, "This application is not set up to ask the visitor analytics service."),
    ClientMissingError: _Rule(
        500, "This application was not started, or opens no client. Test it within `with TestClient(app):`."
    ),
    ClientClosedError: _Rule(503, "This application is shutting down."),
    PartialResultError: _Rule(502, "The visitor analytics service answered only a part of what was asked."),
    IndivdError: _Rule(502, "The visitor analytics service gave no usable answer."),
}
#: A client that cannot be used, though nobody closed it, is a fault of how the application is run.
_MISPLACED: dict[str, _Rule] = {
    "loop_ended": _Rule(
        500,
        "The client of this application was opened on an event loop that has ended. "
        "Test it within `with TestClient(app):`, and open the client when the application starts.",
    ),
    "other_loop": _Rule(500, "The client of this application belongs to another event loop or thread."),
    "forked": _Rule(
        500, "The client of this application was made before its worker was forked. Each worker needs one of its own."
    ),
}


def _rule_of(error: IndivdError) -> _Rule:
    if isinstance(error, ClientClosedError) and error.reason in _MISPLACED:
        return _MISPLACED[error.reason]
    return next(_RULES[cls] for cls in type(error).__mro__ if cls in _RULES)


def problem_of(error: IndivdError) -> dict[str, Any]:
    """Write *error* as the members of a problem document (RFC 9457)."""
    rule = _rule_of(error)
    return {
        "type": "about:blank",
        "title": HTTPStatus(rule.status).phrase,
        "status": rule.status,
        "detail": str(error) if rule.detail is None else rule.detail,
        "error": type(error).__name__,
        **{name: getattr(error, name) for name in rule.members},
    }


def tell_log(asked: str, error: IndivdError) -> None:
    """
    Write *error*, its notes and what caused it to the log where it is a fault of the application or the service.

    The package's logger is silent by default, and a server sets up its own only: what nobody would hear goes there.
    """
    rule = _rule_of(error)
    if rule.status < 500:
        return
    notes = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
    causes = "".join(f"; caused by {type(cause).__name__}: {cause}" for cause in _causes(error))
    # Where in the application a client was missing or unusable is what its author needs; a service that is down has no
    # place in the code, and would fill the log with tracebacks.
    trace = error if rule.status == HTTPStatus.INTERNAL_SERVER_ERROR else None
    # A path comes from whoever asked, percent-decoded: a line end in it would begin a line of its own.
    told = escape_controls(f"{asked}: {type(error).__name__}: {error}{notes}{causes}")
    _audible_logger().error("%s", told, exc_info=trace)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


#: Where servers tell that an application failed; gunicorn's and hypercorn's own workers have no uvicorn.
_SERVERS_LOGGERS = ("uvicorn.error", "gunicorn.error", "hypercorn.error")


def _audible_logger() -> logging.Logger:
    candidates = (logger, *map(logging.getLogger, _SERVERS_LOGGERS))
    # With nobody's set up the root's last resort is stderr, as for every other unhandled error.
    return next(filter(_is_heard, candidates), logging.getLogger("fastapi"))


def _is_heard(candidate: logging.Logger) -> bool:
    at: logging.Logger | None = candidate
    while at is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False


def _retry_after(errors: Iterable[BaseException]) -> int | None:
    """Return the longest wait that *errors* ask for, in whole seconds, never less than was asked."""
    waits: list[float] = []
    for error in errors:
        if isinstance(error, PartialResultError):
            waits.append(_retry_after(error.failures) or math.nan)
        wait = getattr(error, "retry_after", None)
        waits.append(math.nan if wait is None else wait)
    known = [wait for wait in waits if not math.isnan(wait)]
    return math.ceil(min(max(*known, 1), MAX_RETRY_AFTER_S)) if known else None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def _answer(connection: Request | WebSocket, error: Exception) -> Any:
    errors = [leaf for leaf in _leaves(error) if isinstance(leaf, IndivdError)]
    # What keeps this application from answering outweighs what its visitor got wrong.
    worst = max(errors, key=lambda one: _rule_of(one).status)
    problem = problem_of(worst)
    asked = f"{connection.scope.get('method', 'WEBSOCKET')} {connection.url.path} failed"
    for one in errors:
        tell_log(asked, one)
    if isinstance(connection, WebSocket):
        await _close(connection, problem)
        return None
    wait = _retry_after(errors)
    return Response(
        orjson.dumps(problem),
        status_code=problem["status"],
        media_type=PROBLEM_MEDIA_TYPE,
        headers={} if wait is None else {"Retry-After": str(wait)},
    )


#: Why a websocket is closed (RFC 6455, and the registry it began): policy violation, try again later, internal error.
_CLOSE_CODES = {403: 1008, 422: 1008, 503: 1013}


async def _close(socket: WebSocket, problem: dict[str, Any]) -> None:
    if WebSocketState.DISCONNECTED in (socket.client_state, socket.application_state):
        return  # nobody is there to be told
    reason = problem["detail"].encode()[:123].decode(errors="ignore")  # what fits into a control frame
    await socket.close(_CLOSE_CODES.get(problem["status"], 1011), reason)


def install_error_handlers(app: FastAPI) -> None:
    """
    Answer errors of this package with application/problem+json (RFC 9457), and describe these answers in OpenAPI.

    422 for a query the API would refuse, and for figures that do not add up; 403 outside the token's scope; 503, with
    Retry-After where it is known, when the service asks for patience or this application shuts down; 504 for a
    timeout; 500 where this application's token or options are wrong, or its client cannot be used where it is; 502
    for every other fault of the service, an incomplete result among them. The member `error` names the class. A group
    of errors, as task groups raise, is answered where all of it are errors of this package. A websocket is closed with
    the reason.

    Tokens, hosts and upstream paths are never told; 5xx are logged in full with what caused them, on the logger
    `indivd_async`, or the server's own where nobody set that up.
    """
    check("app", app, is_kind(FastAPI, "a FastAPI application"))
    of_groups: Any = app.exception_handlers.get(ExceptionGroup)

    async def answer_group(connection: Request | WebSocket, group: Exception) -> Any:
        if all(isinstance(leaf, IndivdError) for leaf in _leaves(group)):
            return await _answer(connection, group)
        if of_groups is None:
            raise group
        answered = of_groups(connection, group)
        return await answered if hasattr(answered, "__await__") else answered

    app.add_exception_handler(IndivdError, _answer)
    app.add_exception_handler(ExceptionGroup, answer_group)
    describe_problems(app)
