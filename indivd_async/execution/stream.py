"""
Many queries, one flow of chunks: bounded, with backpressure, in order if wanted.

Up to C workers pull planned requests from one source over all queries. A permit is taken before a request is pulled
and given back when its chunk is consumed, so a slow consumer holds the workers back and memory does not grow with the
number of queries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import attrs
from anyio.abc import TaskGroup

from ..planning import Plan, PlannedRequest
from ..queries import Query
from ..results import Chunk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ..planning import PlannedRequest


def first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first plain exception of *group*."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf


#: Chunks that wait for the consumer, for each request in the air: enough to hide a hiccup, little enough to hold.
_WAITING_PER_WORKER = 1


@attrs.frozen
class Job:
    """One planned request of one query, and its place in the flow."""

    number: int
    query: Query
    request: PlannedRequest


class JobSource:
    """The planned requests of many queries, one after the other; a query is planned when its turn comes."""

    def __init__(self, queries: Iterable[Query | Plan], plan: Callable[[Query | Plan], Awaitable[Plan]]) -> None:
        self._queries = iter(queries)
        self._plan = plan
        self._query: Query | None = None
        self._requests: Iterator[PlannedRequest] = iter(())
        self._number = 0
        self._planning = anyio.Lock()

    async def pull(self) -> Job | None:
        """Return the next request, or None at the end."""
        while True:
            job = self._next()
            if job is not None:
                return job
            async with self._planning:  # planning may look up locations: one does it, the others wait for its requests
                job = self._next()
                if job is not None:
                    return job
                try:
                    query = next(self._queries)
                except StopIteration:
                    return None
                try:
                    plan = await self._plan(query)
                except BaseException:
                    self._queries = iter(())  # one worker tells of it
                    raise
                self._query, self._requests = plan.query, iter(plan)

    def _next(self) -> Job | None:
        request = next(self._requests, None)
        if request is None or self._query is None:
            return None
        self._number += 1
        return Job(self._number - 1, self._query, request)


class ChunkStream:
    """An asynchronous iterator of chunks; see `AsyncIndivd.stream`."""

    def __init__(self, *, workers: int, ordered: bool) -> None:
        self._workers = workers
        self._permits = anyio.Semaphore(workers * (1 + _WAITING_PER_WORKER), fast_acquire=True)
        self._ordered = ordered
        self._ready: deque[Chunk] = deque()
        self._early: dict[int, Chunk] = {}
        self._next_number = 0
        self._arrival = anyio.Event()
        self._working = 0
        #: Cancelled by the first worker that ends: there is nothing left to start others for.
        self._starting = anyio.CancelScope()
        self._failure: Exception | None = None
        #: What ended a worker and was no failure.
        self.interruption: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._starting.cancel_called and not self._working:
                # Workers end at once when an outer scope is cancelled: that must not look like the end of the stream.
                await anyio.lowlevel.checkpoint()
                raise StopAsyncIteration
            if self._arrival.is_set():  # else another consumer waits for it
                self._arrival = anyio.Event()
            await self._arrival.wait()
        self._permits.release()
        return self._ready.popleft()

    async def start(
        self,
        source: JobSource,
        tasks: TaskGroup,
        start_workers: Callable[[Callable[[], bool], int], Awaitable[None]],
        ready: Callable[[], Awaitable[object]],
        ask: Callable[[Job], Awaitable[Chunk]],
    ) -> None:
        """Start workers in *tasks*, as *start_workers* finds them needed, until the first of them ends."""

        def start_one() -> bool:
            self._working += 1
            tasks.start_soon(self._work, source, ready, ask)
            return True

        with self._starting:
            await start_workers(start_one, self._workers)

    async def _work(
        self, source: JobSource, ready: Callable[[], Awaitable[object]], ask: Callable[[Job], Awaitable[Chunk]]
    ) -> None:
        """Pull, ask and deliver until the source ends: one worker."""
        try:
            while True:
                await self._permits.acquire()
                await ready()
                job = await source.pull()
                if job is None:
                    break
                self._deliver(job.number, await ask(job))
        except Exception as failure:  # told to the consumer, whose exception it is
            self._failure = self._failure or failure
        except BaseException as interruption:
            self.interruption = self.interruption or interruption
            raise
        finally:
            self._starting.cancel()
            self._working -= 1
            self._arrival.set()

    def _deliver(self, number: int, chunk: Chunk) -> None:
        if not self._ordered:
            self._ready.append(chunk)
        else:
            self._early[number] = chunk
            while self._next_number in self._early:
                self._ready.append(self._early.pop(self._next_number))
                self._next_number += 1
        if self._ready:
            self._arrival.set()


@asynccontextmanager
async def open_stream(
    source: JobSource,
    start_workers: Callable[[Callable[[], bool], int], Awaitable[None]],
    ready: Callable[[], Awaitable[object]],
    ask: Callable[[Job], Awaitable[Chunk]],
    *,
    workers: int,
    ordered: bool,
) -> AsyncIterator[ChunkStream]:
    """Let up to *workers* work while the context is open, each pulling when *ready*; leaving it early cancels them."""
    stream = ChunkStream(workers=workers, ordered=ordered)
    raised: BaseException | None = None
    is_left = False
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.start, source, tasks, start_workers, ready, ask)
            try:
                yield stream
            except Exception as error:
                raised = error
                raise
            is_left = True
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The caller's own, which may be a group too: workers raise nothing but what interrupts all.
        raised = raised or first_leaf(group)
    if raised is None and not is_left:
        # A cancellation that a caller's transport let out: asyncio takes it for the end of one task only.
        raised = stream.interruption
    if raised is not None:
        try:
            raise raised  # out here, where it keeps its cause and context
        finally:
            # Its traceback holds this frame.
            del raised
