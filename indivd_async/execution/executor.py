"""
The only room that runs tasks: requests on lanes, with deadlines, retries, pauses and a pace; one, or a batch.

One `Executor` a client. Nothing runs between calls, neither task nor timer. What is shared is changed between two
awaits, so that no lock is needed.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar, overload

import anyio
import anyio.lowlevel

from ..settings import DEFAULT_CONCURRENCY
from ..transport import Reply, plan_lanes
from .events import Event, Stats
from .sending import Sending
from .shared import Core
from .stream import first_leaf

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    import httpx

    from ..planning import PlannedRequest
    from ..settings import Limits, RetryPolicy, Timeouts
    from ..transport import BaseURL, Token


T = TypeVar("T")
#: Turns of the event loop that are watched: about those of a request to a server that answers at once. With nothing to
#: do they take microseconds, so that an idle loop shows no answer in them.
_TURNS = 5
#: Answers a second that say that the loop is busy with them: well below what one core handles where they are small.
#: Where they are large, or others take the loop's time, there may be fewer, and more requests are sent at once.
_BUSY_PER_S = 1_000.0


class Executor:
    """Sends planned requests; `with_options` makes another view of the same lanes."""

    def __init__(
        self,
        *,
        base_url: BaseURL,
        token: Token,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limits: Limits,
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        ssl_context: ssl.SSLContext | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        lanes = plan_lanes(
            base_url,
            token,
            limits,
            http_client=http_client,
            transport=transport,
            proxy=proxy,
            ssl_context=ssl_context,
        )
        self._core = Core(lanes, base_url, retry, limits, on_event, clock, sleep, random)
        self._timeouts = timeouts
        self._retry = retry

    @property
    def base_url(self) -> BaseURL:
        return self._core.base_url

    @property
    def stats(self) -> Stats:
        return self._core.stats

    def with_options(self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None) -> Self:
        """Make a view with other options; lanes, stats, pace, pause and budget are shared."""
        view = object.__new__(type(self))
        view._core = self._core
        view._timeouts = timeouts or self._timeouts
        view._retry = retry or self._retry
        return view

    def check(self) -> None:
        """Raise ClientClosedError where the client cannot be used: after its end, in a fork, on another loop."""
        self._core.enter()

    def announce(self, number: int) -> None:
        """Count requests that will be sent, so that progress knows its total before they are pulled."""
        self._core.count("planned", number)

    def planned(self, request: PlannedRequest) -> None:
        """Tell of a request that was announced and is about to be sent."""
        self._core.tell("planned", request)

    def settled(self, kind: Literal["finished", "failed"], request: PlannedRequest) -> None:
        """Count and tell of a request that ended without an attempt of its own."""
        self._core.count(kind)
        self._core.tell(kind, request)

    async def aclose(self) -> None:
        """Close all lanes, waiting for nothing; what is in the air or waits ends with ClientClosedError."""
        await self._core.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds connections and a token and is never pickled; plans and results are")

    @overload
    async def send(self, request: PlannedRequest, *, total_deadline: float | None = None) -> Reply: ...
    @overload
    async def send(
        self, request: PlannedRequest, *, read: Callable[[Reply], T], total_deadline: float | None = None
    ) -> T: ...
    async def send(
        self,
        request: PlannedRequest,
        *,
        read: Callable[[Reply], Any] = lambda reply: reply,
        total_deadline: float | None = None,
    ) -> Any:
        """
        Ask until there is an answer, or no sense in asking on, and return what *read* makes of the reply (status 200).

        A request whose reply *read* refuses has failed. *total_deadline* is a reading of the clock. Raises errors of
        the tree, with the request and its attempts.
        """
        self._core.enter()
        return await Sending(self._core, self._timeouts, self._retry, request, total_deadline).run(read)

    async def ready(self, total_deadline: float | None) -> None:
        """
        Wait while a request that began now would spend more than half its deadline waiting for its turn.

        What one request can only fail by, a long Retry-After or a slow pace, a batch waits for.
        """
        core = self._core
        if self._timeouts.deadline is None:
            return
        while True:
            now = core.clock()
            turn = core.pause.until if core.pace is None else max(core.pause.until, core.pace.next_start(now))
            moment = turn - self._timeouts.deadline / 2
            if moment <= now or (total_deadline is not None and moment >= total_deadline):
                return
            await core.sleep_until(moment)

    async def start_workers(self, start: Callable[[], bool], most: int) -> None:
        """
        Call *start* up to *most* times, or until it returns False: some at once, the others as they are needed.

        Where answers come as fast as they can be handled, more requests in the air end no sooner: they open more
        connections, and keep more objects alive that the garbage collector looks at again and again. As long as this
        goes on it waits, so whoever has nothing left to ask cancels it.
        """
        allowed = DEFAULT_CONCURRENCY
        for number in range(most):
            while number == allowed:
                if not await self._is_busy_answering():
                    allowed += allowed // 4  # in steps, between which the answers may begin to come
            if not start():
                return

    async def _is_busy_answering(self) -> bool:
        """Watch some turns of the event loop, and tell whether answers from the network, to this client, fill them."""
        core = self._core
        ended, since = core.attempts_ended, core.clock()
        for _ in range(_TURNS):
            await anyio.lowlevel.checkpoint()
        return core.attempts_ended - ended > (core.clock() - since) * _BUSY_PER_S

    async def map(
        self,
        requests: Iterable[T],
        handle: Callable[[T], Awaitable[object]],
        *,
        workers: int,
        total_deadline: float | None = None,
    ) -> None:
        """
        Handle each of *requests*, pulled as they are needed, by at most *workers* at once.

        The first exception cancels the rest and is raised as it is, never in a group.
        """
        source = iter(requests)
        head = list(itertools.islice(source, 2))
        pending = itertools.chain(head, source)
        if len(head) < 2 or workers == 1:
            for item in pending:
                await self.ready(total_deadline)
                await handle(item)
            return
        failures: list[BaseException] = []
        starting = anyio.CancelScope()

        def start() -> bool:
            item = next(pending, None)
            if item is not None:
                tasks.start_soon(work, item)
            return item is not None

        async def work(item: T | None) -> None:
            try:
                while item is not None:
                    await self.ready(total_deadline)
                    await handle(item)
                    item = next(pending, None)
                starting.cancel()
            except BaseException as failure:
                failures.append(failure)
                if not isinstance(failure, Exception):
                    raise
                tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                with starting:
                    await self.start_workers(start, workers)
        except BaseExceptionGroup as group:
            raise first_leaf(group) from None
        if failures:
            # Also a cancellation that a caller's transport let out: asyncio takes it for the end of one task only.
            raise failures[0]
