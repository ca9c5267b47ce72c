"""Errors of this package as problem documents (RFC 9457): what a visitor reads, and what the log does."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import attrs
import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

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

logger = logging.getLogger("indivd_async")


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
    ClientClosedError: _Rule(503, "This application is shutting down."),
    PartialResultError: _Rule(502, "The visitor analytics service answered only a part of what was asked."),
    IndivdError: _Rule(502, "The visitor analytics service gave no usable answer."),
}


def _rule_of(error: IndivdError) -> _Rule:
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


async def _answer_with_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, IndivdError)
    problem = problem_of(error)
    if problem["status"] >= 500:
        logger.error("%s %s failed: %s", request.method, request.url.path, error)
    retry_after = getattr(error, "retry_after", None)
    return Response(
        orjson.dumps(problem),
        status_code=problem["status"],
        media_type="application/problem+json",
        headers={} if retry_after is None else {"Retry-After": f"{max(0, retry_after):.0f}"},
    )


def install_error_handlers(app: FastAPI) -> None:
    """
    Answer errors of this package with application/problem+json (RFC 9457).

    422 for a query the API would refuse, and for figures that do not add up; 403 outside the token's scope; 503, with
    Retry-After where it is known, when the service asks for patience; 504 for a timeout; 500 where this application's
    token or options are wrong; 502 for every other fault of the service, an incomplete result among them. The member
    `error` names the class. Tokens, hosts and upstream paths are never told; 5xx are logged in full.
    """
    app.add_exception_handler(IndivdError, _answer_with_problem)
