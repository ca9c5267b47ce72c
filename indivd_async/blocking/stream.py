"""A stream of chunks for code that does not await."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, Self

import anyio

from ..client import AsyncIndivd
from ..errors import ClientClosedError
from ..planning import Plan
from ..progress import Wanted
from ..queries import Query
from ..results import Chunk
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


@contextmanager
def open_stream(
    portal: Portal,
    client: AsyncIndivd,
    queries: Query | Plan | Iterable[Query | Plan],
    ordered: bool,
    progress: Wanted = None,
) -> Iterator[Chunks]:
    """Open a stream on the loop of *portal*, in one task that opens and closes it, while the context is open."""
    opened: Future[tuple[Any, anyio.Event]] = Future()

    async def hold() -> None:
        try:
            async with client.stream(queries, ordered=ordered, progress=progress) as chunks:
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
