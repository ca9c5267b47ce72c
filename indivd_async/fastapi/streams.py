"""Rows as they arrive: a JSON object a line, for as long as the visitor stays."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import anyio
import orjson
from starlette.responses import Response

from .. import tables
from ..chunks import Chunk
from ..client import AsyncIndivd
from ..errors import IndivdError
from .problems import problem_of

if typing.TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from ..queries import Query


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
    return orjson.dumps({"error": problem_of(error)}, option=orjson.OPT_APPEND_NEWLINE)


def stream_ndjson(client: AsyncIndivd, queries: Query | Iterable[Query], *, ordered: bool = False) -> Response:
    """
    Stream the rows of *queries* as NDJSON, as they arrive or in the order of the plans; return it from a route.

    Memory is bounded, and a slow visitor holds the requests back; one that goes away ends them. Each line is a row as
    in `to_dicts()`, so that polars, pandas and DuckDB read the body. A failed piece is a line with the one member
    `error`, a problem document; the rest goes on.
    """
    return _LinesResponse(client, queries, ordered=ordered)
