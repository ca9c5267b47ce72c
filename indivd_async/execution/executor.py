"""
The only room that runs tasks: requests on lanes, with deadlines, retries, pauses and a pace; one, or a batch.

One `Executor` a client, by the event loop's clock. Nothing runs between calls, neither task nor timer. What is shared
is changed between two awaits, so that no lock is needed.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar, overload

import anyio

from ..errors import DeadlineExceededError
from .deadline import NEVER, Deadline
from .events import Event, Stats
from .sending import Sending
from .shared import Core
from .statuses import deadline_advice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from ..planning import PlannedRequest
    from ..settings import Limits, RetryPolicy, Timeouts
    from ..transport import BaseURL, LanePlan, Reply
    from .flights import SingleFlight


T = TypeVar("T")


class Executor:
    """Sends planned requests; `with_options` makes another view of the same lanes."""

    def __init__(
        self,
        *,
        lanes: LanePlan,
        base_url: BaseURL,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limits: Limits,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
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

    def now(self) -> float:
        """Read the clock of deadlines: the event loop's."""
        return self._core.clock()

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
    async def send(self, request: PlannedRequest, *, deadline: Deadline = NEVER) -> Reply: ...
    @overload
    async def send(self, request: PlannedRequest, *, read: Callable[[Reply], T], deadline: Deadline = NEVER) -> T: ...
    async def send(
        self,
        request: PlannedRequest,
        *,
        read: Callable[[Reply], Any] = lambda reply: reply,
        deadline: Deadline = NEVER,
    ) -> Any:
        """
        Ask until there is an answer, or no sense in asking on, and return what *read* makes of the reply (status 200).

        A request whose reply *read* refuses has failed. It ends with *deadline* at the latest. Raises errors of
        the tree, with the request and its attempts.
        """
        self._core.enter()
        return await Sending(self._core, self._timeouts, self._retry, request, deadline).run(read)

    async def ready(self, deadline: Deadline = NEVER) -> None:
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
            if moment <= now or moment >= deadline.ends:
                return
            await core.sleep_until(moment)

    async def share(
        self,
        flights: SingleFlight[T],
        key: Hashable,
        request: PlannedRequest,
        ask: Callable[[], Awaitable[T]],
        deadline: Deadline,
    ) -> T:
        """Return what *ask* gives, or what another caller gets who asks the same (*key*) at this moment."""
        self._core.enter()  # the other caller may be of a loop or process whose events never come here
        return await flights.fly(key, ask, deadline, partial(self._expired, request, deadline))

    def _expired(self, request: PlannedRequest, deadline: Deadline) -> DeadlineExceededError:
        base = self._core.base_url
        return DeadlineExceededError(
            f"{base.host}:{base.port}: the same question of another caller was not answered within the deadline.",
            host=base.host,
            port=base.port,
            request=request,
            attempts=0,
            advice=deadline_advice(deadline.why),
        )
