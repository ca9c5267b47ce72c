"""A call that is a stream, as a caller holds it: not begun yet, to be entered, or to be read to one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from ..errors import ClientClosedError
from ..execution import WAITING_PER_WORKER, ChunkStream
from ..planning import Plan, each_query
from ..queries import Query
from ..results import Chunk
from ..results.notes import warn_of
from .call import Call

if TYPE_CHECKING:
    from ..results.tables import ArrowStream

C = TypeVar("C")
D = TypeVar("D")


@attrs.define(kw_only=True, eq=False, repr=False)
class OpenStream(AbstractAsyncContextManager[ChunkStream[C]]):
    """What `stream` returns: it begins when the context is entered, and ends with it."""

    begin: Callable[[], AbstractContextManager[Call]]
    queries: Query | Plan | Iterable[Query | Plan]
    ordered: bool = False
    #: What becomes of each chunk at once, and how much of it may wait for each request in the air.
    make: Callable[[Chunk], C]
    waiting: int = WAITING_PER_WORKER
    #: Whether rows are only made columns of, by `indivd_async.results.tables`: they need not become objects then.
    for_table: bool = False
    #: Whether what a cache has is asked for, too, and the answers are kept there.
    renews: bool = False
    _open: AsyncExitStack | None = attrs.field(default=None, init=False)

    async def __aenter__(self) -> ChunkStream[C]:
        if self._open is not None:
            raise ClientClosedError("this stream is open already; `client.stream` gives another")
        async with AsyncExitStack() as stack:
            call = attrs.evolve(stack.enter_context(self.begin()), for_table=self.for_table)
            if self.renews and call.keeping is not None:
                call = attrs.evolve(call, keeping=attrs.evolve(call.keeping, renews=True))
            chunks = call.stream(each_query(self.queries), self.ordered, self.make, self.waiting)
            await stack.enter_async_context(chunks)
            self._open = stack.pop_all()
        return chunks

    async def __aexit__(self, *ended_by: Any) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            await opened.__aexit__(*ended_by)

    def made(self, make: Callable[[Chunk], D], *, for_table: bool, renews: bool) -> OpenStream[D]:
        """Stream what *make* makes of each chunk instead; little waits to be taken."""
        changes: dict[str, Any] = {"make": make, "waiting": 0, "for_table": for_table, "renews": renews}
        return cast("OpenStream[D]", attrs.evolve(self, **changes))

    async def table(self: OpenStream[Chunk]) -> ArrowStream:
        """
        Read the whole stream, for one frame: ``polars.DataFrame(await client.stream(queries).table())``.

        The queries must be of one endpoint, and on one clock or each location's own. The first piece that fails raises
        its error: what is missing must not look like nothing. All rows are held, and as they came: none is merged.
        `notes` of the table are those of all pieces; frames lose them, so what somebody should look at is warned of.
        """
        from ..results.tables import ArrowStream, check_same_columns

        queries = self.queries = list(each_query(self.queries))
        table = ArrowStream(check_same_columns(query.query if isinstance(query, Plan) else query for query in queries))
        async with attrs.evolve(self, for_table=True) as chunks:
            async for chunk in chunks:
                table.add(chunk)
        warn_of(table.notes)
        return table
