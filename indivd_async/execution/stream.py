"""
Many requests, one flow of answers: bounded, with backpressure, in order if wanted. Every call is one.

Workers pull requests from one source. A permit is taken before a request is pulled and given back when its answer is
consumed, so a slow consumer holds the workers back and memory does not grow with the number of requests. No worker is
started that has no request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel
import attrs
from anyio.abc import TaskGroup

from ..planning import PlannedRequest
from ..queries import Query

T = TypeVar("T")
C = TypeVar("C")

#: Answers that wait for the consumer, for each request in the air: enough to hide a hiccup, little enough to hold.
_WAITING_PER_WORKER = 1


@attrs.frozen
class Job:
    """One planned request, its place in the flow, and which of the source's items it belongs to."""

    number: int
    item: int
    query: Query
    request: PlannedRequest


class JobSource(Generic[T]):
    """The requests of many items (queries, plans), one after the other; an item is opened when its turn comes."""

    def __init__(
        self, items: Iterable[T], open_item: Callable[[T], Awaitable[tuple[Query, Iterable[PlannedRequest]]]]
    ) -> None:
        self._items = iter(items)
        self._open_item = open_item
        self._query: Query | None = None
        self._requests: Iterator[PlannedRequest] = iter(())
        self._number = self._item = -1
        self._opening = anyio.Lock()

    async def pull(self) -> Job | None:
        """Return the next request, or None at the end."""
        while True:
            job = self._next()
            if job is not None:
                return job
            async with self._opening:  # it may look up locations: one does it, the others wait for its requests
                job = self._next()
                if job is not None:
                    return job
                try:
                    item = next(self._items)
                except StopIteration:
                    return None
                try:
                    self._query, requests = await self._open_item(item)
                except BaseException:
                    self._items = iter(())  # one worker tells of it
                    raise
                self._item += 1
                self._requests = iter(requests)

    def _next(self) -> Job | None:
        request = next(self._requests, None)
        if request is None or self._query is None:
            return None
        self._number += 1
        return Job(self._number, self._item, self._query, request)


class ChunkStream(Generic[C]):
    """An asynchronous iterator of chunks; see `AsyncIndivd.stream`."""

    def __init__(
        self,
        pull: Callable[[], Awaitable[Any]],
        ask: Callable[[Any], Awaitable[C]],
        *,
        workers: int,
        ordered: bool,
    ) -> None:
        self._pull = pull
        self._ask = ask
        self._workers = workers
        self._permits = anyio.Semaphore(workers * (1 + _WAITING_PER_WORKER), fast_acquire=True)
        self._ordered = ordered
        #: Jobs for workers that are about to begin, whichever of them begins first.
        self._first_jobs: deque[Any] = deque()
        self._ready: deque[C] = deque()
        self._early: dict[int, C] = {}
        self._next_number = 0
        self._arrival = anyio.Event()
        #: Tasks that may still bring something: the workers, and who starts them.
        self._working = 0
        self._failure: Exception | None = None
        #: Why there is no next request: told when what was asked before has come.
        self._pull_failure: Exception | None = None
        #: What ended a worker and was no failure.
        self.interruption: BaseException | None = None

    def __aiter__(self) -> AsyncIterator[C]:
        return self

    async def __anext__(self) -> C:
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if not self._working:
                # Workers end at once when an outer scope is cancelled: that must not look like the end of the stream.
                await anyio.lowlevel.checkpoint()
                raise self._pull_failure or StopAsyncIteration
            if self._arrival.is_set():  # else another consumer waits for it
                self._arrival = anyio.Event()
            await self._arrival.wait()
        self._permits.release()
        return self._ready.popleft()

    def start(self, tasks: TaskGroup) -> None:
        """Let workers work in *tasks*."""
        self._add(tasks, lambda: self._start_workers(tasks))

    def _add(self, tasks: TaskGroup, work: Callable[[], Awaitable[None]]) -> None:
        self._working += 1
        tasks.start_soon(self._tell_of, work)

    async def _tell_of(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as failure:  # told to the consumer, whose exception it is
            self._failure = self._failure or failure
        except BaseException as interruption:
            self.interruption = self.interruption or interruption
            raise
        finally:
            self._working -= 1
            self._arrival.set()

    async def _start_workers(self, tasks: TaskGroup) -> None:
        for _ in range(self._workers):
            job = await self._next_job()
            if job is None:
                break
            self._first_jobs.append(job)
            self._add(tasks, self._work)

    async def _next_job(self) -> Any:
        await self._permits.acquire()
        try:
            return await self._pull()
        except Exception as failure:
            self._pull_failure = self._pull_failure or failure
            return None

    async def _work(self) -> None:
        """Ask, deliver and pull until the source ends: one worker."""
        job = self._first_jobs.popleft()
        while job is not None:
            self._deliver(job, await self._ask(job))
            job = await self._next_job()

    def _deliver(self, job: Any, chunk: C) -> None:
        if not self._ordered:
            self._ready.append(chunk)
        else:
            self._early[job.number] = chunk
            while self._next_number in self._early:
                self._ready.append(self._early.pop(self._next_number))
                self._next_number += 1
        if self._ready:
            self._arrival.set()


@asynccontextmanager
async def open_stream(
    pull: Callable[[], Awaitable[Any]], ask: Callable[[Any], Awaitable[C]], *, workers: int, ordered: bool = False
) -> AsyncIterator[ChunkStream[C]]:
    """
    Let up to *workers* work while the context is open; leaving it early cancels them.

    *pull* gives jobs, None at the end; *ask* makes a chunk of each.
    """
    stream = ChunkStream(pull, ask, workers=workers, ordered=ordered)
    raised: BaseException | None = None
    is_left = False
    try:
        async with anyio.create_task_group() as tasks:
            stream.start(tasks)
            try:
                yield stream
            except Exception as error:
                raised = error
                raise
            is_left = True
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The caller's own, which may be a group too: workers raise nothing but what interrupts all.
        raised = raised or _first_leaf(group)
    if raised is None and not is_left:
        # A cancellation that a caller's transport let out: asyncio takes it for the end of one task only.
        raised = stream.interruption
    if raised is not None:
        try:
            raise raised  # out here, where it keeps its cause and context
        finally:
            # Its traceback holds this frame.
            del raised


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first plain exception of *group*."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
