"""Rows as they arrive: a JSON object a line, for as long as the visitor stays and the server runs."""

from __future__ import annotations

import signal
import typing
from collections.abc import Iterable
from typing import Any

import anyio
import orjson
from starlette.background import BackgroundTask
from starlette.responses import Response

from ..client import AsyncIndivd
from ..errors import ClientClosedError, IndivdError
from ..planning import each_query
from ..results import Chunk
from ..results.notes import warn_of
from ..settings import check, check_options, is_kind
from .problems import problem_of, tell_log

if typing.TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from ..queries import Query

#: Seconds for which a stream goes on at most when its server was told to end; half of the server's own time where that
#: is shorter, so that what comes after the stream has some, too.
GRACE_S = 5.0
#: Seconds between two looks at the server: it tells an application only when all its streams are over.
_LOOK_S = 0.1
#: Seconds for the last line to reach a visitor who may not be reading.
_LAST_WORD_S = 0.5


class _LinesResponse(Response):
    """
    Rows as they arrive, a JSON object a line.

    Not a StreamingResponse over a generator: one that is cancelled while it sends leaves its generator, and the
    requests behind it, to the garbage collector. Here the stream is opened and closed in the task that sends.
    """

    media_type = "application/x-ndjson"

    def __init__(
        self,
        client: AsyncIndivd,
        queries: Query | Iterable[Query],
        *,
        ordered: bool,
        background: BackgroundTask | None,
    ) -> None:
        self.status_code = 200
        self.background = background  # where it is None, FastAPI puts the route's own here
        self.init_headers()
        self._client = client
        self._queries = queries
        self._ordered = ordered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = _Answering(self._client, send, f"{scope['method']} {scope['path']}")
        failure: Exception | None = None

        async def answer() -> None:
            nonlocal failure
            try:
                await answering.run(self._queries, self._ordered, self.status_code, self.raw_headers)
            except Exception as error:  # told outside the task group, which would wrap it
                failure = error
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            tasks.start_soon(_end_with_server, answering.going)
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()
        # A server may tell by OSError that the visitor is gone; but a TimeoutError, as ours are, is one too.
        if failure is not None and (isinstance(failure, IndivdError) or not isinstance(failure, OSError)):
            raise failure
        if self.background is not None:
            await self.background()


class _Answering:
    """One answer: its head with the first chunk, a line a row, and an end whatever happens in between."""

    def __init__(self, client: AsyncIndivd, send: Send, asked: str) -> None:
        self._client = client
        self._send = send
        self._asked = asked
        self._started = False
        #: Cancelled by who wants the answer to end early, and well.
        self.going = anyio.CancelScope()

    async def run(
        self, queries: Query | Iterable[Query], ordered: bool, status: int, headers: list[tuple[bytes, bytes]]
    ) -> None:
        # Nothing is sent before the first chunk, so that a plan that fails is still a problem document with its status.
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        last: IndivdError | None = None
        try:
            with self.going:
                await self._send_chunks(queries, ordered, start)
        except IndivdError as error:
            last = error
        if self.going.cancelled_caught:
            last = ClientClosedError("the server was told to end while it streamed an answer")
        if last is not None and not self._started:
            raise last
        # Who stopped reading must not hold a server that ends.
        with anyio.move_on_after(_LAST_WORD_S if self.going.cancelled_caught else None):
            if not self._started:
                await self._send(start)
            line = b"" if last is None else self._error_line(last, f"{self._asked} ended early")
            await self._send_body(line, more=False)

    async def _send_chunks(self, queries: Query | Iterable[Query], ordered: bool, start: Message) -> None:
        async with self._client.stream(queries, ordered=ordered) as chunks:
            async for chunk in chunks:
                if not self._started:
                    self._started = True
                    await self._send(start)
                await self._send_body(self._lines(chunk), more=True)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    def _lines(self, chunk: Chunk) -> bytes:
        if chunk.error is not None:
            return self._error_line(chunk.error, f"A piece of {self._asked} failed")
        warn_of(chunk.notes)
        return b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in chunk.to_dicts()])

    def _error_line(self, error: IndivdError, what: str) -> bytes:
        tell_log(what, error)
        return orjson.dumps({"error": problem_of(error)}, option=orjson.OPT_APPEND_NEWLINE)


async def _end_with_server(going: anyio.CancelScope) -> None:
    """Cancel *going* in time for a server that was told to end."""
    while (grace_s := _server_grace_s()) is None:  # noqa: ASYNC110  nobody sets an event
        await anyio.sleep(_LOOK_S)
    await anyio.sleep(grace_s)
    going.cancel()


def _server_grace_s() -> float | None:
    """
    Tell how many seconds streams have from now on; None while the server has not been told to end.

    An ASGI application hears of it only when its last answer is over. But uvicorn, under gunicorn too, is who handles
    SIGTERM in the main thread, and can be asked. Under other servers the stream is cancelled when their time is up.
    """
    server: Any = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not getattr(server, "should_exit", False):
        return None
    own = getattr(getattr(server, "config", None), "timeout_graceful_shutdown", None)
    return GRACE_S if own is None else min(GRACE_S, own / 2)


def stream_ndjson(
    client: AsyncIndivd,
    queries: Query | Iterable[Query],
    *,
    ordered: bool = False,
    background: BackgroundTask | None = None,
) -> Response:
    """
    Stream the rows of *queries* as NDJSON, as they arrive or in the order of the plans; return it from a route.

    Memory is bounded, and a slow visitor holds the requests back; one that goes away ends them. Each line is a row as
    in `to_dicts()`, so that polars, pandas and DuckDB read the body. A failed piece is a line with the one member
    `error`, a problem document; the rest goes on. Lines have no notes: the server warns of those that somebody should
    look at. When the server is told to end, the stream has half of the server's graceful time, `GRACE_S` seconds at
    most, and then ends with such a line. *background* runs afterwards, as the route's own `BackgroundTasks` do, also
    when the visitor has left.
    """
    check("client", client, is_kind(AsyncIndivd, "the AsyncIndivd of the application"))
    check_options({"ordered": ordered})
    each_query(queries)
    return _LinesResponse(client, queries, ordered=ordered, background=background)
