"""One request, until there is an answer or no sense in asking on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import attrs

from .. import wall_clock
from ..errors import (
    ClientClosedError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    RequestTimeoutError,
    ResponseTooLargeError,
    TransportError,
)
from ..transport import Fault, Reply, UnknownCodingError
from .deadline import Deadline
from .events import Kind, logger
from .retrying import Failure, GiveUp, Wait, next_wait, parse_retry_after
from .shared import Core
from .statuses import STATUS_PAGE, api_error, deadline_advice

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..planning import PlannedRequest
    from ..settings import RetryPolicy, Timeouts
    from ..transport import Lane


T = TypeVar("T")

#: What to do about it.
_ADVICE: dict[type[TransportError], str] = {
    ConnectionFailedError: f"Check {{base_url}} and what stands between; {STATUS_PAGE} tells of incidents.",
    RequestTimeoutError: "Ask for a shorter period, or allow more time.",
    ResponseTooLargeError: "Ask for a shorter period, or raise the limit.",
}
#: A timer may end a hair before the deadline that it was set for.
_HAIR_S = 1e-3


class Sending:
    """One request on its way, from the call to its reply or its error."""

    __slots__ = ("_attempts", "_core", "_deadline", "_free", "_request", "_retry", "_started", "_timeouts")

    def __init__(
        self,
        core: Core,
        timeouts: Timeouts,
        retry: RetryPolicy,
        request: PlannedRequest,
        deadline: Deadline,
    ) -> None:
        self._core = core
        self._timeouts = timeouts
        self._retry = retry
        self._request = request
        self._started = core.clock()
        self._attempts = 0
        #: Attempts that the policy does not count: the one on a stale connection.
        self._free = 0
        self._deadline = Deadline.after(timeouts.deadline, self._started, "{Timeouts.deadline}").earlier(deadline)

    async def run(self, read: Callable[[Reply], T]) -> T:
        self._core.stats.requests += 1
        status = None
        try:
            reply = await self._ask()
            status = reply.status
            answer = read(reply)
        except Exception as error:
            self._tell("failed", status=getattr(error, "status", status))
            raise
        self._tell("finished", status=status)
        return answer

    async def _ask(self) -> Reply:
        """Attempt after attempt; a lane is held during each, and not while waiting for the next."""
        core = self._core
        target = self._request.target.encode("ascii")
        last: IndivdError | None = None
        while True:
            reply: Reply | None = None
            fault: Fault | None = None
            lane = core.lanes.take() or await self._wait_for_lane(last)
            try:
                await self._wait_for_turn(last)
                reply = await self._attempt(lane, target, last)
            except Fault as caught:
                # With its frames it would keep this one alive, and this one it.
                fault = caught.with_traceback(None)
                if fault.is_crowded and core.lanes.narrow():
                    # Nothing was asked; a lane that is connected will.
                    self._attempts -= 1
                    core.stats.attempts -= 1
                    continue
            finally:
                core.lanes.give_back(lane)
            if reply is not None and reply.status == 200:
                core.budget.success()
                return reply if self._attempts == 1 else attrs.evolve(reply, attempts=self._attempts)
            last = await self._follow(reply, fault)

    async def _attempt(self, lane: Lane, target: bytes, last: IndivdError | None) -> Reply:
        core = self._core
        limit_s = self._deadline.ends - core.clock()
        if limit_s <= 0:
            raise self._out_of_time("its turn came too late") from last
        if self._timeouts.attempt is not None:
            limit_s = min(limit_s, self._timeouts.attempt)
        self._attempts += 1
        stats = core.stats
        stats.attempts += 1
        stats.in_flight += 1
        stats.peak_in_flight = max(stats.peak_in_flight, stats.in_flight)
        logger.debug("%s, attempt %d", self._request, self._attempts)
        self._tell("started")
        try:
            reply = await lane.get(target, self._timeouts, None if limit_s == math.inf else limit_s)
        except UnknownCodingError as error:
            raise DecodeError([str(error)], request=self._request) from None
        finally:
            stats.in_flight -= 1
        stats.bytes += reply.wire_bytes
        return reply

    async def _follow(self, reply: Reply | None, fault: Fault | None) -> IndivdError:
        """After an attempt that failed: wait for the next, and return what went wrong; or raise it."""
        core = self._core
        if core.lanes.closed:
            raise ClientClosedError("the client was closed while this request was in the air")
        now = core.clock()
        failure = self._failure(reply, fault)
        core.pause.hear(self._retry, failure, now)
        verdict = self._judge(failure, fault, now)
        error = self._error(failure, fault, verdict if isinstance(verdict, GiveUp) else GiveUp())
        if isinstance(verdict, GiveUp):
            # What the answer asked for says more than that there was no time for it.
            if verdict.out_of_time and failure.retry_after is None:
                raise self._out_of_time(verdict.reason) from error
            try:
                raise error
            finally:
                # Its traceback holds this frame; the two would wait for the garbage collector.
                del error
        self._free += failure.stale
        core.stats.retries += 1
        logger.debug("%s, asking again in %.3f s: %s", self._request, verdict.seconds, error)
        self._tell("retry", status=failure.status, wait=verdict.seconds)
        if verdict.seconds > 0:
            await core.sleep_until(now + verdict.seconds)
        return error

    def _failure(self, reply: Reply | None, fault: Fault | None) -> Failure:
        if reply is None:
            return Failure(stale=fault is not None and fault.stale and not self._free)
        wait_s = parse_retry_after(reply.retry_after, now_utc=wall_clock.utc_now(), date=reply.date)
        return Failure(status=reply.status, retry_after=wait_s)

    def _judge(self, failure: Failure, fault: Fault | None, now: float) -> Wait | GiveUp:
        if fault is not None and not fault.retried:
            return GiveUp()
        if fault is not None and now >= self._deadline.ends - _HAIR_S:
            return GiveUp("the last attempt took what was left", out_of_time=True)
        return next_wait(
            self._retry,
            failure,
            self._attempts - self._free,
            now=now,
            deadline=self._deadline.ends,
            budget=self._core.budget,
            random=self._core.draw,
        )

    async def _wait_for_lane(self, last: IndivdError | None) -> Lane:
        core = self._core
        limit_s = self._deadline.ends - core.clock()
        if limit_s <= 0:
            raise self._out_of_time("it was over before the request began") from last
        if core.pause.until > self._deadline.ends:
            raise self._out_of_time("a Retry-After pauses the client for longer") from last
        lane = await core.lanes.wait(None if limit_s == math.inf else limit_s)
        if core.lanes.closed:
            if lane is not None:
                core.lanes.give_back(lane)
            raise ClientClosedError("the client was closed while this request was waiting") from last
        if lane is not None:
            return lane
        raise self._out_of_time("all lanes were busy ({Limits.concurrency})") from last

    async def _wait_for_turn(self, last: IndivdError | None) -> None:
        """Wait while the client pauses, and for the next start that its pace allows."""
        core = self._core
        pace = core.pace
        booked = pace is None
        while True:
            now = core.clock()
            if core.pause.until > now:
                moment, reason = core.pause.until, "a Retry-After pauses the client for longer"
                # Else all that had booked before would start at once after it.
                booked = pace is None
            elif pace is None or booked:
                return
            else:
                moment, reason = pace.next_start(now), "{Limits.requests_per_second} leaves no earlier turn"
                booked = True
            if moment > self._deadline.ends:
                raise self._out_of_time(reason) from last
            if booked and pace is not None:
                pace.book(moment)
            if moment > now:
                try:
                    await core.sleep_until(moment)
                except BaseException:
                    if booked and pace is not None:
                        pace.give_back(moment)
                    raise

    def _tell(self, kind: Kind, *, status: int | None = None, wait: float | None = None) -> None:
        core = self._core
        core.count(kind)
        if core.on_event is not None:
            elapsed = core.clock() - self._started
            core.tell(kind, self._request, attempt=self._attempts, status=status, wait=wait, elapsed=elapsed)

    def _error(self, failure: Failure, fault: Fault | None, verdict: GiveUp) -> IndivdError:
        if fault is not None:
            error = self._transport_error(fault.error, fault.reason, verdict.reason)
            # What the library below raised; the Fault between the two only carried it.
            error.__cause__ = fault.__cause__
            return error
        assert failure.status is not None
        return api_error(
            failure.status,
            request=self._request,
            attempts=self._attempts,
            elapsed_s=self._core.clock() - self._started,
            retry_after=failure.retry_after,
            gave_up=verdict.reason,
            out_of_time=verdict.out_of_time,
        )

    def _out_of_time(self, reason: str) -> TransportError:
        what = f"no answer within the deadline; {reason[:1].lower()}{reason[1:]}"
        return self._transport_error(DeadlineExceededError, what)

    def _transport_error(self, kind: type[TransportError], what: str, gave_up: str = "") -> TransportError:
        base = self._core.base_url
        elapsed_s = self._core.clock() - self._started
        tries = f"{self._attempts} attempt{'' if self._attempts == 1 else 's'} over {elapsed_s:.1f} s"
        why = f" {gave_up}." if gave_up else ""
        return kind(
            f"{base.host}:{base.port}: {what}; {self._request} after {tries}.{why}",
            host=base.host,
            port=base.port,
            request=self._request,
            attempts=self._attempts,
            advice=_ADVICE.get(kind) or deadline_advice(self._deadline.why),
        )
