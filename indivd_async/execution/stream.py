"""
Many requests, one flow of answers: bounded, with backpressure, in order if wanted. Every call is one.

Workers pull requests from one source. A permit is taken before a request is pulled and given back when its answer is
consumed, so a slow consumer holds the workers back and memory does not grow with the number of requests. No worker is
started that has no request.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, Self, TypeVar

import anyio
import anyio.lowlevel
import attrs

from ..errors import ClientClosedError
from ..planning import PlannedRequest
from ..queries import Query
from ..transport import is_on_trio

T = TypeVar("T")
C = TypeVar("C")

#: Answers that may wait for the consumer, for each request in the air: enough to hide a hiccup, little enough to hold.
WAITING_PER_WORKER = 1


@attrs.frozen(eq=False, repr=False)
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
    """
    An asynchronous iterator of chunks; see `AsyncIndivd.stream`.

    Up to *workers* work while its context is open; leaving it early cancels them. *pull* gives jobs, None at the end;
    *ask* gets what answers a job, and *read* makes a chunk of that. For each worker, *waiting* may wait beside the
    request in the air.

    Whoever waits for a chunk reads it where he takes it: its rows are used and gone before the next are made, where
    the garbage collector would look at the rows of all that came at once. While nobody waits, it is read as it comes,
    and so is one that has to wait for those before it.
    """

    def __init__(
        self,
        pull: Callable[[], Awaitable[Any]],
        ask: Callable[[Any], Awaitable[Any]],
        read: Callable[[Any], C],
        *,
        workers: int,
        ordered: bool = False,
        waiting: int = WAITING_PER_WORKER,
    ) -> None:
        self._pull = pull
        self._ask = ask
        self._read = read
        self._workers = workers
        self._permits = anyio.Semaphore(workers * (1 + waiting), fast_acquire=True)
        self._ordered = ordered
        #: Jobs for workers that are about to begin, whichever of them begins first.
        self._first_jobs: deque[Any] = deque()
        self._ready: deque[Callable[[], C]] = deque()
        self._early: dict[int, Callable[[], C]] = {}
        self._next_number = 0
        self._arrival = anyio.Event()
        self._is_awaited = False
        #: Tasks that may still bring something: the workers, and who starts them; each in a scope of its own.
        self._working = 0
        self._scopes: set[anyio.CancelScope] = set()
        self._tasks: list[object] = []
        self._left = False
        #: What ended a task; not always an Exception: a caller's transport may let a cancellation out.
        self._failure: BaseException | None = None
        #: Why there is no next request: told when what was asked before has come.
        self._pull_failure: Exception | None = None

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
            self._is_awaited = True
            try:
                await self._wait_for_arrival()
            finally:
                self._is_awaited = False
        self._permits.release()
        try:
            return self._ready.popleft()()
        except BaseException as failure:
            self._fail(failure)
            raise

    async def _wait_for_arrival(self) -> None:
        if self._arrival.is_set():  # else another consumer waits for it
            self._arrival = anyio.Event()
        await self._arrival.wait()

    # No generator behind `contextmanager`: where a program ends with a stream open, event loops end generators in any
    # order, this one's perhaps before the one around it.

    async def __aenter__(self) -> Self:
        self._begin(self._start_workers)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the workers, and wait until they have ended."""
        self._left = True
        if self._working or self._ready:  # who reads on must not take what came for all there is
            self._ready.clear()
            self._failure = self._failure or ClientClosedError("this stream was left before its end; read it within")
        for scope in tuple(self._scopes):
            scope.cancel()
        with anyio.CancelScope(shield=True):
            while self._working:
                await self._wait_for_arrival()

    def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        self._working += 1
        task = start_detached(self._tell_of(work), self._end_of)
        self._tasks.append(task)  # the event loop holds them weakly

    async def _tell_of(self, work: Callable[[], Awaitable[None]]) -> None:
        scope = anyio.CancelScope()
        self._scopes.add(scope)
        failed = None
        try:
            with scope:
                if not self._left:
                    await work()
        except BaseException as failure:  # told to the consumer, whose exception it is
            failed = failure
        self._scopes.discard(scope)
        self._end_of(failed)

    def _end_of(self, failure: BaseException | None) -> None:
        if failure is not None:
            self._fail(failure)
        self._working -= 1
        if not self._working:
            self._tasks.clear()  # here, in the event loop's thread, not wherever the last who knows the stream lets go
        self._arrival.set()

    def _fail(self, failure: BaseException) -> None:
        self._failure = self._failure or failure
        for _ in range(self._permits.statistics().tasks_waiting):  # for room that nobody will make
            self._permits.release()

    async def _start_workers(self) -> None:
        for _ in range(self._workers):
            job = await self._next_job()
            if job is None:
                break
            self._first_jobs.append(job)
            self._begin(self._work)

    async def _next_job(self) -> Any:
        await self._permits.acquire()
        if self._failure is not None:
            return None
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

    def _deliver(self, job: Any, answered: Any) -> None:
        take = partial(self._read, answered)
        if not self._is_awaited or (self._ordered and job.number != self._next_number):
            take = partial(_itself, take())
        if not self._ordered:
            self._ready.append(take)
        else:
            self._early[job.number] = take
            while self._next_number in self._early:
                self._ready.append(self._early.pop(self._next_number))
                self._next_number += 1
        if self._ready:
            self._arrival.set()


def _itself(chunk: C) -> C:
    return chunk


def start_detached(work: Coroutine[Any, Any, None], lost: Callable[[BaseException], object]) -> object:
    """
    Start *work*, which raises nothing, in a task that no scope of the caller's holds; return the task.

    A task group would belong to the task that opens it, and end there. But a stream is opened where its caller likes:
    in a generator that is left by `break` and closed by the garbage collector, in a fixture, in another task than the
    one that closes it. Its end must cancel nobody but its own workers. *lost* is called where work never began.
    """
    if is_on_trio():
        return sys.modules["trio"].lowlevel.spawn_system_task(lambda: work, context=copy_context())
    import asyncio  # by now somebody has

    def check(task: asyncio.Task[None]) -> None:
        if task.cancelled():  # by the end of the program, before the first line that could have told of it
            lost(asyncio.CancelledError())

    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(check)
    return task
