"""A stream of chunks for code that does not await."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, Self

import anyio

from ..client.opened import OpenStream as AsyncStream
from ..errors import ClientClosedError
from ..results import Chunk
from ..results.tables import ArrowStream
from .portal import Portal
from .work import Outcome


class Chunks(Iterator[Chunk]):
    """The chunks of an open stream."""

    def __init__(self, portal: Portal, chunks: Any) -> None:
        self._portal = portal
        self._chunks = chunks
        #: What came and was not handed out: an interrupt may come between the two, and takes nothing with it.
        self._pulled: deque[Chunk] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        while True:
            try:
                return self._pulled.popleft()
            except IndexError:  # or another thread was faster
                if not self._portal.run(self._pull):
                    raise StopIteration from None

    async def _pull(self) -> bool:
        # A coroutine cannot raise StopAsyncIteration to who waits for it.
        chunk = await anext(self._chunks, None)
        if chunk is not None:
            self._pulled.append(chunk)
        return bool(self._pulled)


class OpenStream(AbstractContextManager[Chunks]):
    """A stream that begins when the context is entered, and ends with it."""

    def __init__(self, portal: Portal, stream: AsyncStream[Chunk]) -> None:
        self._portal = portal
        self._stream = stream

    def table(self) -> ArrowStream:
        """
        Read the whole stream, for one frame: ``polars.DataFrame(client.stream(queries).table())``.

        The queries must be of one endpoint, and on one clock or each location's own. The first piece that fails raises
        its error: what is missing must not look like nothing. All rows are held, and as they came: none is merged.
        `notes` of the table are those of all pieces; frames lose them, so what somebody should look at is warned of.
        """
        return self._portal.run(self._stream.table)

    def __enter__(self) -> Chunks:
        opened: Outcome[tuple[Any, anyio.Event]] = Outcome()
        stream = self._stream  # what holds it must not hold `self`
        held = self._portal.submit(lambda: _hold(stream, opened))
        try:
            chunks, left = opened.wait()
            self._held, self._left = held, left
            # An interrupt in the moment before the first line of `__exit__` leaves nobody else to end it.
            self._end = weakref.finalize(self, held.cancel)
            return Chunks(self._portal, chunks)
        except BaseException:
            held.cancel()  # where an interrupt came before it was entered
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with suppress(ClientClosedError):  # which has ended the stream
                self._portal.run(self._leave)
                self._held.wait()
        finally:
            self._end()  # where an interrupt came while it ended

    async def _leave(self) -> None:
        self._left.set()


async def _hold(stream: AsyncStream[Chunk], opened: Outcome[tuple[Any, anyio.Event]]) -> None:
    """Open *stream* and close it in one task, while the context is open."""
    try:
        async with stream as chunks:
            left = anyio.Event()
            opened.give((chunks, left))
            await left.wait()
    except BaseException as error:
        if opened.is_given:
            raise
        opened.give(None, error)
