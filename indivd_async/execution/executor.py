"""
The only room that runs tasks: requests on lanes, with deadlines, retries, pauses and a pace; one, or a batch.

One `Executor` a client, by the event loop's clock. Nothing runs between calls, neither task nor timer. What is shared
is changed between two awaits, so that no lock is needed.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Literal, NoReturn, Self, TypeVar

import anyio

from ..errors import DeadlineExceededError
from ..planning import PlannedRequest
from ..settings import Limits, RetryPolicy, Timeouts
from ..transport import BaseURL, LanePool, Reply
from .events import Event, Stats, Teller
from .flights import SingleFlight
from .home import Home
from .retrying import NEVER, Deadline, Pace, RetryBudget, SharedPause
from .sending import Means, Sending, deadline_advice

T = TypeVar("T")


def _as_it_is(reply: Any) -> Any:
    return reply


class Executor(Means):
    """Sends planned requests; `with_options` makes another view of the same lanes."""

    def __init__(
        self,
        *,
        lanes: LanePool,
        base_url: BaseURL,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limits: Limits,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.base_url = base_url
        self.timeouts = timeouts
        self.retry = retry
        # Views share what follows.
        self.lanes = lanes
        self.home = Home(lanes, clock, sleep)
        self.budget = RetryBudget(retry)
        self.pause = SharedPause()
        self.pace = None if limits.requests_per_second is None else Pace(limits.requests_per_second)
        self.stats = Stats()
        self.teller = Teller(on_event)
        self.draw = random

    def with_options(self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None) -> Self:
        """Make a view with other options; lanes, stats, pace, pause and budget are shared."""
        view = object.__new__(type(self))
        vars(view).update(vars(self), timeouts=timeouts or self.timeouts, retry=retry or self.retry)
        return view

    def now(self) -> float:
        """Read the clock of deadlines: the event loop's."""
        return self.home.clock()

    def check(self) -> None:
        """Raise ClientClosedError where the client cannot be used: after its end, in a fork, on another loop."""
        self.home.enter()

    def announce(self, number: int) -> None:
        """Count requests that will be sent, so that progress knows its total before they are pulled."""
        self.teller.count("planned", number)

    def planned(self, request: PlannedRequest) -> None:
        """Tell of a request that was announced and is about to be sent."""
        self.teller.tell("planned", request)

    def settled(self, kind: Literal["finished", "failed"], request: PlannedRequest) -> None:
        """Count and tell of a request that ended without an attempt of its own."""
        self.teller.count(kind)
        self.teller.tell(kind, request)

    async def aclose(self) -> None:
        """Close all lanes, waiting for nothing; what is in the air or waits ends with ClientClosedError."""
        await self.home.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds connections and a token and is never pickled; plans and results are")

    async def send(
        self, request: PlannedRequest, *, read: Callable[[Reply], T] = _as_it_is, deadline: Deadline = NEVER
    ) -> T:
        """
        Ask until there is an answer, or no sense in asking on, and return what *read* makes of the reply (status 200).

        A request whose reply *read* refuses has failed. It ends with *deadline* at the latest. Raises errors of
        the tree, with the request and its attempts.
        """
        self.home.enter()
        return await Sending(self, request, deadline).run(read)

    async def ready(self, deadline: Deadline = NEVER) -> None:
        """
        Wait while a request that began now would spend more than half its deadline waiting for its turn.

        What one request can only fail by, a long Retry-After or a slow pace, a batch waits for.
        """
        if self.timeouts.deadline is None:
            return
        while True:
            now = self.now()
            turn = self.pause.until if self.pace is None else max(self.pause.until, self.pace.next_start(now))
            moment = turn - self.timeouts.deadline / 2
            if moment <= now or moment >= deadline.ends:
                return
            await self.home.sleep_until(moment)

    async def share(
        self,
        flights: SingleFlight[T],
        key: Hashable,
        request: PlannedRequest,
        ask: Callable[[], Awaitable[T]],
        deadline: Deadline,
    ) -> T:
        """Return what *ask* gives, or what another caller gets who asks the same (*key*) at this moment."""
        self.home.enter()  # the other caller may be of a loop or process whose events never come here

        def expired() -> DeadlineExceededError:
            host, port = self.base_url.host, self.base_url.port
            return DeadlineExceededError(
                f"{host}:{port}: the same question of another caller was not answered within the deadline.",
                host=host,
                port=port,
                request=request,
                attempts=0,
                advice=deadline_advice(deadline.why),
            )

        return await flights.fly(key, ask, deadline, expired)
