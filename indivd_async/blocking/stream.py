"""A stream of chunks for code that does not await."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import anyio

from ..client.opened import OpenChunks as AsyncStream
from ..errors import ClientClosedError
from ..results import Chunk
from ..results.tables import ArrowStream
from .portal import Portal, wait_for


class Chunks(Iterator[Chunk]):
    """The chunks of an open stream."""

    def __init__(self, portal: Portal, chunks: Any) -> None:
        self._portal = portal
        self._chunks = chunks

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        chunk = self._portal.run(self._pull())
        if chunk is None:
            raise StopIteration
        return chunk

    async def _pull(self) -> Chunk | None:
        # A coroutine cannot raise StopAsyncIteration to who waits for it.
        return await anext(self._chunks, None)


class OpenStream(AbstractContextManager[Chunks]):
    """A stream that begins when the context is entered, and ends with it."""

    def __init__(self, portal: Portal, stream: AsyncStream) -> None:
        self._portal = portal
        self._stream = stream
        self._open = ExitStack()

    def table(self) -> ArrowStream:
        """
        Read the whole stream, for one frame: ``polars.DataFrame(client.stream(queries).table())``.

        The queries must be of one endpoint, and on one clock or each location's own. The first piece that fails raises
        its error: what is missing must not look like nothing. All rows are held, and as they came: none is merged.
        """
        return self._portal.run(self._stream.table())

    def __enter__(self) -> Chunks:
        with ExitStack() as stack:
            chunks = stack.enter_context(_opened(self._portal, self._stream))
            self._open = stack.pop_all()
        return chunks

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, traceback)


@contextmanager
def _opened(portal: Portal, stream: AsyncStream) -> Iterator[Chunks]:
    """Open *stream* on the loop of *portal*, in one task that opens and closes it, while the context is open."""
    opened: Future[tuple[Any, anyio.Event]] = Future()

    async def hold() -> None:
        try:
            async with stream as chunks:
                left = anyio.Event()
                opened.set_result((chunks, left))
                await left.wait()
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    held = portal.submit(hold())
    try:
        chunks, left = wait_for(opened)
        try:
            yield Chunks(portal, chunks)
        finally:
            with suppress(ClientClosedError):  # which has ended the stream
                portal.run(_set(left))
                wait_for(held)
    finally:
        held.cancel()  # where an interrupt came before it was open, or while it ended


async def _set(event: anyio.Event) -> None:
    event.set()
