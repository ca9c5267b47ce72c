"""
The door to FastAPI: one client an application, errors as problem+json, response models, streams that end with their
visitor.

>>> import fastapi
>>> from indivd_async import ZoneVisitorsResult
>>> from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, response_model
>>> app = fastapi.FastAPI(lifespan=lifespan(token="your-token"))
>>> install_error_handlers(app)
>>> @app.get("/visits", response_model=response_model(ZoneVisitorsResult))
... async def visits(client: IndivdDep, start_date: str, end_date: str):
...     return await client.zone_visitors(start_date, end_date)
"""

from __future__ import annotations

import functools
import inspect
import io
import logging
import tokenize
import typing
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, overload

import anyio
import attrs
import orjson

try:
    from fastapi import Depends, FastAPI, Request
    from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model
    from starlette.requests import HTTPConnection
    from starlette.responses import Response
except ImportError as error:
    raise ImportError("indivd_async.fastapi needs the extra `fastapi`: pip install 'indivd-async[fastapi]'") from error

from . import tables
from .chunks import Chunk
from .client import AsyncIndivd
from .errors import (
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
from .models import FrozenMap
from .plans import Plan, PlannedRequest

if typing.TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from .queries import Query

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]

logger = logging.getLogger("indivd_async")

# One client an application.


@overload
def lifespan(app: FastAPI) -> AbstractAsyncContextManager[Any]: ...
@overload
def lifespan(
    *, also: Lifespan | None = None, client: Callable[..., AsyncIndivd] = AsyncIndivd, **options: Any
) -> Lifespan: ...
def lifespan(
    app: FastAPI | None = None,
    *,
    also: Lifespan | None = None,
    client: Callable[..., AsyncIndivd] = AsyncIndivd,
    **options: Any,
) -> Any:
    """
    Open one client when the application starts and close it when it ends.

    ``FastAPI(lifespan=lifespan)`` takes the token from the environment; ``FastAPI(lifespan=lifespan(limits=…))`` passes
    *options* to *client*, which may be any callable that returns one. *also* is a lifespan of yours: it runs inside, so
    it finds the client in ``app.state.indivd``, and what it yields is passed on. Within one of your own: ``async with
    lifespan(app): yield``.
    """

    @asynccontextmanager
    async def opened(app: Any) -> AsyncIterator[Any]:
        async with client(**options) as opened_client:
            app.state.indivd = opened_client
            try:
                if also is None:
                    yield
                else:
                    async with also(app) as state:
                        yield state
            finally:
                del app.state.indivd

    return opened if app is None else opened(app)


async def _client_of(connection: HTTPConnection) -> AsyncIndivd:
    client = getattr(connection.app.state, "indivd", None)
    if not isinstance(client, AsyncIndivd):
        raise ConfigError(
            "this application has no client: make it with FastAPI(lifespan=indivd_async.fastapi.lifespan(…)); "
            "a mounted application needs its own app.state.indivd"
        )
    return client


#: The application's client, for routes and websockets: ``async def route(client: IndivdDep)``.
IndivdDep = Annotated[AsyncIndivd, Depends(_client_of)]

# Errors.


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


def _problem(error: IndivdError) -> dict[str, Any]:
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
    problem = _problem(error)
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


# Response models.


@functools.cache
def response_model(cls: type[Any]) -> type[BaseModel]:
    """
    Return the pydantic model of a result, row or catalogue class (any attrs class), for `response_model=` and OpenAPI.

    Names, types, nulls and descriptions are those of the attrs class, nested ones too; a result also has `complete`,
    and leaves out `plan` and `arrived`. Requests and errors in its coverage are written as text. The model takes the
    attrs value as it is.
    """
    if not attrs.has(cls):
        raise TypeError(f"response_model needs an attrs class, such as ZoneVisitorsResult; got {cls!r}")
    hints = typing.get_type_hints(cls, localns={"Plan": Plan, "PlannedRequest": PlannedRequest, "Chunk": Chunk})
    told = _comments(cls)
    fields: dict[str, Any] = {}
    for field in attrs.fields(cls):
        if hints[field.name] in (Plan, tuple[Chunk, ...]):
            continue
        default = ... if field.default is attrs.NOTHING else _default(field)
        fields[field.name] = (_schema(hints[field.name]), Field(default, description=told.get(field.name)))
    if isinstance(complete := getattr(cls, "complete", None), property):
        fields["complete"] = (bool, Field(..., description=inspect.getdoc(complete)))
    return create_model(
        cls.__name__,
        __config__=ConfigDict(from_attributes=True, frozen=True, json_schema_serialization_defaults_required=True),
        __doc__=inspect.cleandoc(cls.__doc__ or "").partition("\n\n>>>")[0],
        **fields,
    )


def _default(field: attrs.Attribute[Any]) -> Any:
    return {} if isinstance(field.default, FrozenMap) else field.default


def _schema(hint: Any) -> Any:
    """Translate the type of an attrs field into one that pydantic knows."""
    if hint is FrozenMap:
        return Annotated[dict[str, Any], BeforeValidator(_thaw)]
    if hint is Any:
        return Annotated[Any, BeforeValidator(_thaw)]
    if hint is PlannedRequest:
        return Annotated[str, BeforeValidator(str)]
    if isinstance(hint, type) and issubclass(hint, Exception):
        return Annotated[str, BeforeValidator(lambda error: type(error).__name__)]
    if isinstance(hint, type) and attrs.has(hint):
        return response_model(hint)
    origin = get_origin(hint)
    if origin is None or origin is Literal:
        return hint
    parts = tuple(part if part in (..., NoneType) else _schema(part) for part in get_args(hint))
    if origin in (Union, UnionType):
        return Union[parts]  # noqa: UP007  made of parts, some of them Annotated
    constructor: Any = dict if origin is Mapping else origin
    return constructor[parts]


def _thaw(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {str(name): _thaw(inner) for name, inner in item.items()}
    return [_thaw(inner) for inner in item] if isinstance(item, (list, tuple)) else item


def _comments(cls: type[Any]) -> dict[str, str]:
    """Read the `#:` comments above the fields of *cls*: units, and what adds up. Nothing where there is no source."""
    told: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        try:
            source = inspect.getsource(base) if attrs.has(base) else ""
        except OSError:
            source = ""
        above: list[str] = []
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                above.append(token.string.removeprefix("#:").strip())
            elif token.type == tokenize.NAME and above:
                told[token.string] = " ".join(above)
                above = []
    return told


# Streams.


class _LinesResponse(Response):
    """
    Rows as they arrive, a JSON object a line.

    Not a StreamingResponse over a generator: one that is cancelled while it sends leaves its generator, and the
    requests behind it, to the garbage collector. Here the stream is opened and closed in the task that sends.
    """

    media_type = "application/x-ndjson"

    def __init__(self, client: AsyncIndivd, queries: Query | Iterable[Query], *, ordered: bool) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers()
        self._client = client
        self._queries = queries
        self._ordered = ordered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  as ASGI has it
        failure: Exception | None = None

        async def answer() -> None:
            nonlocal failure
            try:
                await self._answer(send)
            except Exception as error:  # told outside the task group, which would wrap it
                failure = error
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()
        # A server may tell by OSError that the visitor is gone; but a TimeoutError, as ours are, is one too.
        if failure is not None and (isinstance(failure, IndivdError) or not isinstance(failure, OSError)):
            raise failure

    async def _answer(self, send: Send) -> None:
        # Nothing is sent before the first chunk, so that a plan that fails is still a problem document with its status.
        start: Message = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        started = False
        try:
            async with self._client.stream(self._queries, ordered=self._ordered) as chunks:
                async for chunk in chunks:
                    if not started:
                        await send(start)
                        started = True
                    await send({"type": "http.response.body", "body": _lines(chunk), "more_body": True})
        except IndivdError as error:
            if not started:
                raise
            await send({"type": "http.response.body", "body": _error_line(error), "more_body": True})
        if not started:
            await send(start)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _lines(chunk: Chunk) -> bytes:
    if chunk.error is not None:
        return _error_line(chunk.error)
    return b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in tables.rows_of_chunk(chunk)])


def _error_line(error: IndivdError) -> bytes:
    return orjson.dumps({"error": _problem(error)}, option=orjson.OPT_APPEND_NEWLINE)


def stream_ndjson(client: AsyncIndivd, queries: Query | Iterable[Query], *, ordered: bool = False) -> Response:
    """
    Stream the rows of *queries* as NDJSON, as they arrive or in the order of the plans; return it from a route.

    Memory is bounded, and a slow visitor holds the requests back; one that goes away ends them. Each line is a row as
    in `to_dicts()`, so that polars, pandas and DuckDB read the body. A failed piece is a line with the one member
    `error`, a problem document; the rest goes on.
    """
    return _LinesResponse(client, queries, ordered=ordered)
