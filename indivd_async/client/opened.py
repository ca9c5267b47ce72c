"""A call that is a stream, as a caller holds it: not begun yet, to be entered, or to be read to one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from typing import TYPE_CHECKING, TypeVar

import attrs

from ..errors import ClientClosedError
from ..execution import ChunkStream
from ..planning import Plan, each_query
from ..queries import Query
from ..results import Chunk
from .call import Call

if TYPE_CHECKING:
    from types import TracebackType

    from ..results.tables import ArrowStream

C = TypeVar("C")


class OpenStream(AbstractAsyncContextManager[ChunkStream[C]]):
    """A call that is a stream: it begins when the context is entered, and ends with it."""

    def __init__(
        self, begin: Callable[[], AbstractContextManager[Call]], open_stream: Callable[[Call], ChunkStream[C]]
    ) -> None:
        self._begin = begin
        self._open_stream = open_stream
        self._open: AsyncExitStack | None = None

    async def __aenter__(self) -> ChunkStream[C]:
        if self._open is not None:
            raise ClientClosedError("this stream is open already; `client.stream` gives another")
        async with AsyncExitStack() as stack:
            call = stack.enter_context(self._begin())
            chunks = await stack.enter_async_context(self._open_stream(call))
            self._open = stack.pop_all()
        return chunks

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            await opened.__aexit__(kind, error, traceback)


class OpenChunks(OpenStream[Chunk]):
    """What `stream` returns."""

    def __init__(
        self,
        begin: Callable[[], AbstractContextManager[Call]],
        queries: Query | Plan | Iterable[Query | Plan],
        ordered: bool,
    ) -> None:
        super().__init__(begin, lambda call: call.stream(each_query(self._queries), ordered, lambda chunk: chunk))
        self._queries = queries

    async def table(self) -> ArrowStream:
        """
        Read the whole stream, for one frame: ``polars.DataFrame(await client.stream(queries).table())``.

        The queries must be of one endpoint, and on one clock or each location's own. The first piece that fails raises
        its error: what is missing must not look like nothing. All rows are held, and as they came: none is merged.
        """
        from ..results.tables import ArrowStream, check_same_columns

        queries = self._queries = list(each_query(self._queries))
        asked = check_same_columns(query.query if isinstance(query, Plan) else query for query in queries)
        arrived = []
        async with OpenStream(
            self._begin, lambda call: self._open_stream(attrs.evolve(call, for_table=True))
        ) as chunks:
            async for chunk in chunks:
                if chunk.error is not None:
                    raise chunk.error
                arrived.append(chunk)
        return ArrowStream(asked, arrived)
