"""
The only room that runs tasks: requests on lanes, with deadlines, retries, pauses and a pace; one, or a batch.

One `Executor` a client, by the event loop's clock. Nothing runs between calls, neither task nor timer. What is shared
is changed between two awaits, so that no lock is needed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any, NoReturn, Self, TypeVar

import anyio
import attrs

from .. import wall_clock
from ..errors import ClientClosedError, DeadlineExceededError, DecodeError, IndivdError, TransportError
from ..planning import PlannedRequest
from ..settings import Limits, RetryPolicy, Timeouts
from ..transport import BaseURL, Failure, Lane, LanePool, Reply, UnknownCodingError
from .events import Event, Kind, Stats, Teller, logger
from .failures import api_error, count_tries, transport_error
from .flights import SingleFlight
from .home import Home
from .retrying import NEVER, Deadline, GiveUp, Pace, RetryBudget, SharedPause, Wait, next_wait, parse_retry_after

T = TypeVar("T")
#: A timer may end a hair before the deadline that it was set for.
_HAIR_S = 1e-3


def _as_it_is(reply: Any) -> Any:
    return reply


class Executor:
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
        self.limits = limits
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
        sending = await self.reply_to(request, deadline)
        return sending.end(lambda: read(sending.reply))

    async def reply_to(self, request: PlannedRequest, deadline: Deadline) -> Sending:
        """Send, and leave the reply to whoever reads it."""
        self.home.enter()
        sending = Sending(self, request, deadline)
        await sending.run()
        return sending

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

        words = "the same question of another caller was not answered within the deadline."
        expired = partial(
            transport_error, DeadlineExceededError, self.base_url, words, request=request, attempts=0, why=deadline.why
        )
        return await flights.fly(key, ask, deadline, expired)


class Sending:
    """One request on its way, from the call to its reply or its error, and to what is read of it."""

    __slots__ = ("_attempts", "_deadline", "_executor", "_free", "_last", "_now", "_request", "_started", "reply")

    def __init__(self, executor: Executor, request: PlannedRequest, deadline: Deadline) -> None:
        self._executor = executor
        self._request = request
        self._now = executor.home.clock
        self._started = self._now()
        self._attempts = 0
        #: Attempts that the policy does not count: the one on a stale connection.
        self._free = 0
        #: What went wrong at last; whatever ends the request is raised from it.
        self._last: IndivdError | None = None
        own = Deadline.after(executor.timeouts.deadline, self._started, "{Timeouts.deadline}")
        self._deadline = own.earlier(deadline)

    async def run(self) -> None:
        self._executor.stats.requests += 1
        try:
            self.reply = await self._ask()
        except Exception as error:
            self._tell("failed", getattr(error, "status", None))
            raise

    def end(self, read: Callable[[], T]) -> T:
        """Return what *read* makes of the reply, which ends the request."""
        return self._executor.teller.end(self._request, read, partial(self._say, self.reply.status))

    async def _ask(self) -> Reply:
        """Attempt after attempt; a lane is held during each, and not while waiting for the next."""
        executor, lanes = self._executor, self._executor.lanes
        target = self._request.target.encode("ascii")
        while True:
            lane = lanes.take() or await self._wait_for_lane()
            try:
                await self._wait_for_turn()
                reply = await self._attempt(lane, target)
            except Failure as caught:
                # With its frames it would keep this one alive, and this one it.
                failure = caught.with_traceback(None)
                if failure.is_crowded and lanes.narrow(lane):
                    # Nothing was asked; a lane that is connected will.
                    self._attempts -= 1
                    executor.stats.attempts -= 1
                    continue
            else:
                if reply.status == 200:
                    executor.budget.success()
                    return reply if self._attempts == 1 else attrs.evolve(reply, attempts=self._attempts)
                wait_s = parse_retry_after(reply.retry_after, now_utc=wall_clock.utc_now(), date=reply.date)
                failure = Failure(status=reply.status, retry_after=wait_s)
            finally:
                lanes.give_back(lane)
            await self._follow(failure)

    async def _attempt(self, lane: Lane, target: bytes) -> Reply:
        timeouts, stats = self._executor.timeouts, self._executor.stats
        limit_s = self._deadline.ends - self._now()
        if limit_s <= 0:
            raise self._out_of_time("its turn came too late") from self._last
        if timeouts.attempt is not None:
            limit_s = min(limit_s, timeouts.attempt)
        self._attempts += 1
        stats.attempts += 1
        stats.in_flight += 1
        try:
            stats.peak_in_flight = max(stats.peak_in_flight, stats.in_flight)
            logger.debug("%s, attempt %d", self._request, self._attempts)
            self._tell("started")
            reply = await lane.get(target, timeouts, None if limit_s == math.inf else limit_s)
        except UnknownCodingError as error:
            raise DecodeError([str(error)], request=self._request) from None
        finally:
            stats.in_flight -= 1
        stats.bytes += reply.wire_bytes
        return reply

    async def _follow(self, failure: Failure) -> None:
        """After an attempt that failed: wait for the next, or raise what went wrong."""
        executor = self._executor
        if executor.lanes.closed:
            raise ClientClosedError("the client was closed while this request was in the air")
        now = self._now()
        is_free = failure.stale and not self._free
        executor.pause.hear(executor.retry, failure, now)
        verdict = self._judge(failure if is_free else attrs.evolve(failure, stale=False), now)
        error = self._error(failure, verdict if isinstance(verdict, GiveUp) else GiveUp())
        if isinstance(verdict, GiveUp):
            # What the answer asked for says more than that there was no time for it.
            if verdict.out_of_time and failure.retry_after is None:
                raise self._out_of_time(verdict.reason) from error
            try:
                raise error
            finally:
                # Its traceback holds this frame; the two would wait for the garbage collector.
                del error
        self._free += is_free
        executor.stats.retries += 1
        logger.debug("%s, asking again in %.3f s: %s", self._request, verdict.seconds, error)
        self._tell("retry", failure.status, verdict.seconds)
        self._last = error
        if verdict.seconds > 0:
            await executor.home.sleep_until(now + verdict.seconds)

    def _judge(self, failure: Failure, now: float) -> Wait | GiveUp:
        if failure.status is None and failure.is_retried and now >= self._deadline.ends - _HAIR_S:
            return GiveUp("the last attempt took what was left", out_of_time=True)
        return next_wait(
            self._executor.retry,
            failure,
            self._attempts - self._free,
            now=now,
            deadline=self._deadline.ends,
            budget=self._executor.budget,
            random=self._executor.draw,
        )

    async def _wait_for_lane(self) -> Lane:
        executor, lanes = self._executor, self._executor.lanes
        limit_s = self._deadline.ends - self._now()
        if limit_s <= 0:
            raise self._out_of_time("it was over before the request began") from self._last
        if executor.pause.until > self._deadline.ends:
            raise self._out_of_time("a Retry-After pauses the client for longer") from self._last
        lane = await lanes.wait(None if limit_s == math.inf else limit_s)
        if lanes.closed:
            if lane is not None:
                lanes.give_back(lane)
            raise ClientClosedError("the client was closed while this request was waiting") from self._last
        if lane is not None:
            return lane
        raise self._out_of_time("all lanes were busy ({Limits.concurrency})") from self._last

    async def _wait_for_turn(self) -> None:
        """Wait while the client pauses, and for the next start that its pace allows."""
        pause, pace = self._executor.pause, self._executor.pace
        booked = pace is None
        while True:
            now = self._now()
            if pause.until > now:
                moment, reason = pause.until, "a Retry-After pauses the client for longer"
                # Else all that had booked before would start at once after it.
                booked = pace is None
            elif pace is None or booked:
                return
            else:
                moment, reason = pace.next_start(now), "{Limits.requests_per_second} leaves no earlier turn"
                booked = True
            if moment > self._deadline.ends:
                raise self._out_of_time(reason) from self._last
            if booked and pace is not None:
                pace.book(moment)
            if moment > now:
                try:
                    await self._executor.home.sleep_until(moment)
                except BaseException:
                    if booked and pace is not None:
                        pace.give_back(moment)
                    raise

    def _tell(self, kind: Kind, status: int | None = None, wait: float | None = None) -> None:
        self._executor.teller.tell(kind, self._request, partial(self._say, status, wait))

    def _say(self, status: int | None, wait: float | None = None) -> dict[str, Any]:
        elapsed = self._now() - self._started
        return {"attempt": self._attempts, "status": status, "wait": wait, "elapsed": elapsed}

    def _error(self, failure: Failure, verdict: GiveUp) -> IndivdError:
        if failure.status is None:
            error = self._transport_error(failure.error, failure.reason, verdict.reason)
            # What the library below raised; the Failure between the two only carried it.
            error.__cause__ = failure.__cause__
            return error
        return api_error(
            failure.status,
            request=self._request,
            attempts=self._attempts,
            elapsed_s=self._now() - self._started,
            retry_after=failure.retry_after,
            gave_up=verdict.reason,
            out_of_time=verdict.out_of_time,
        )

    def _out_of_time(self, reason: str) -> TransportError:
        what = f"no answer within the deadline; {reason[:1].lower()}{reason[1:]}"
        return self._transport_error(DeadlineExceededError, what)

    def _transport_error(self, kind: type[TransportError], what: str, gave_up: str = "") -> TransportError:
        tries = count_tries(self._attempts, self._now() - self._started)
        why = f" {gave_up}." if gave_up else ""
        return transport_error(
            kind,
            self._executor.base_url,
            f"{what}; {self._request} after {tries}.{why}",
            request=self._request,
            attempts=self._attempts,
            why=self._deadline.why,
        )
