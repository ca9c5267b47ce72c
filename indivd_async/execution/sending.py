"""One request, until there is an answer, or no sense in asking on and an error that says what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import attrs

from .. import wall_clock
from ..errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    TransportError,
    UnexpectedStatusError,
)
from ..planning import PlannedRequest
from ..settings import RetryPolicy, Timeouts
from ..transport import BaseURL, Failure, Lane, LanePool, Reply, UnknownCodingError
from .events import Kind, Stats, Teller, logger
from .home import Home
from .retrying import Deadline, GiveUp, Pace, RetryBudget, SharedPause, Wait, next_wait, parse_retry_after

T = TypeVar("T")

_STATUS_PAGE = "indivd.statuspage.io"

#: Status to error, and what to do about it. 5xx and whatever is not here are added by `api_error`.
_STATUS: dict[int, tuple[type[ApiError], str]] = {
    400: (
        BadRequestError,
        "The API does not say which parameter it refuses; please report it, for this client should have refused it",
    ),
    401: (
        AuthenticationError,
        "The token is unknown or revoked. It is sent as 'Authorization: Token …': pass it bare, without that word",
    ),
    403: (
        PermissionDeniedError,
        "A location or organisation is outside the token's scope. {locations()} lists what it may see",
    ),
    404: (NotFoundError, "There is no such path. Check {base_url}, and its path prefix if there is a gateway"),
    429: (RateLimitedError, "Too many requests: lower {Limits.requests_per_second} or {Limits.concurrency}"),
}
_SERVER = (ServerError, f"The service failed. See {_STATUS_PAGE} for incidents before changing anything of your own")
_UNEXPECTED = (
    UnexpectedStatusError,
    "The API documents no such status (redirects are never followed). Check {base_url}, and what stands between",
)
#: What to do about it.
_ADVICE: dict[type[TransportError], str] = {
    ConnectionFailedError: f"Check {{base_url}} and what stands between; {_STATUS_PAGE} tells of incidents.",
    RequestTimeoutError: "Ask for a shorter period, or allow more time.",
    ResponseTooLargeError: "Ask for a shorter period, or raise the limit.",
}
#: A timer may end a hair before the deadline that it was set for.
_HAIR_S = 1e-3


class Means:
    """What requests are sent with: the options of a view, and what all views share."""

    base_url: BaseURL
    timeouts: Timeouts
    retry: RetryPolicy
    lanes: LanePool
    home: Home
    budget: RetryBudget
    pause: SharedPause
    pace: Pace | None
    stats: Stats
    teller: Teller
    draw: Callable[[], float]


class Sending:
    """One request on its way, from the call to its reply or its error."""

    __slots__ = ("_attempts", "_deadline", "_free", "_last", "_means", "_now", "_request", "_started")

    def __init__(self, means: Means, request: PlannedRequest, deadline: Deadline) -> None:
        self._means = means
        self._request = request
        self._now = means.home.clock
        self._started = self._now()
        self._attempts = 0
        #: Attempts that the policy does not count: the one on a stale connection.
        self._free = 0
        #: What went wrong at last; whatever ends the request is raised from it.
        self._last: IndivdError | None = None
        own = Deadline.after(means.timeouts.deadline, self._started, "{Timeouts.deadline}")
        self._deadline = own.earlier(deadline)

    async def run(self, read: Callable[[Reply], T]) -> T:
        self._means.stats.requests += 1
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
        means, lanes = self._means, self._means.lanes
        target = self._request.target.encode("ascii")
        while True:
            lane = lanes.take() or await self._wait_for_lane()
            try:
                await self._wait_for_turn()
                reply = await self._attempt(lane, target)
            except Failure as caught:
                # With its frames it would keep this one alive, and this one it.
                failure = caught.with_traceback(None)
                if failure.is_crowded and lanes.narrow():
                    # Nothing was asked; a lane that is connected will.
                    self._attempts -= 1
                    means.stats.attempts -= 1
                    continue
            else:
                if reply.status == 200:
                    means.budget.success()
                    return reply if self._attempts == 1 else attrs.evolve(reply, attempts=self._attempts)
                wait_s = parse_retry_after(reply.retry_after, now_utc=wall_clock.utc_now(), date=reply.date)
                failure = Failure(status=reply.status, retry_after=wait_s)
            finally:
                lanes.give_back(lane)
            await self._follow(failure)

    async def _attempt(self, lane: Lane, target: bytes) -> Reply:
        timeouts, stats = self._means.timeouts, self._means.stats
        limit_s = self._deadline.ends - self._now()
        if limit_s <= 0:
            raise self._out_of_time("its turn came too late") from self._last
        if timeouts.attempt is not None:
            limit_s = min(limit_s, timeouts.attempt)
        self._attempts += 1
        stats.attempts += 1
        stats.in_flight += 1
        stats.peak_in_flight = max(stats.peak_in_flight, stats.in_flight)
        logger.debug("%s, attempt %d", self._request, self._attempts)
        self._tell("started")
        try:
            reply = await lane.get(target, timeouts, None if limit_s == math.inf else limit_s)
        except UnknownCodingError as error:
            raise DecodeError([str(error)], request=self._request) from None
        finally:
            stats.in_flight -= 1
        stats.bytes += reply.wire_bytes
        return reply

    async def _follow(self, failure: Failure) -> None:
        """After an attempt that failed: wait for the next, or raise what went wrong."""
        means = self._means
        if means.lanes.closed:
            raise ClientClosedError("the client was closed while this request was in the air")
        now = self._now()
        is_free = failure.stale and not self._free
        means.pause.hear(means.retry, failure, now)
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
        means.stats.retries += 1
        logger.debug("%s, asking again in %.3f s: %s", self._request, verdict.seconds, error)
        self._tell("retry", status=failure.status, wait=verdict.seconds)
        self._last = error
        if verdict.seconds > 0:
            await means.home.sleep_until(now + verdict.seconds)

    def _judge(self, failure: Failure, now: float) -> Wait | GiveUp:
        if failure.status is None and failure.is_retried and now >= self._deadline.ends - _HAIR_S:
            return GiveUp("the last attempt took what was left", out_of_time=True)
        return next_wait(
            self._means.retry,
            failure,
            self._attempts - self._free,
            now=now,
            deadline=self._deadline.ends,
            budget=self._means.budget,
            random=self._means.draw,
        )

    async def _wait_for_lane(self) -> Lane:
        means, lanes = self._means, self._means.lanes
        limit_s = self._deadline.ends - self._now()
        if limit_s <= 0:
            raise self._out_of_time("it was over before the request began") from self._last
        if means.pause.until > self._deadline.ends:
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
        pause, pace = self._means.pause, self._means.pace
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
                    await self._means.home.sleep_until(moment)
                except BaseException:
                    if booked and pace is not None:
                        pace.give_back(moment)
                    raise

    def _tell(self, kind: Kind, *, status: int | None = None, wait: float | None = None) -> None:
        teller = self._means.teller
        teller.count(kind)
        if teller.on_event is not None:
            elapsed = self._now() - self._started
            teller.tell(kind, self._request, attempt=self._attempts, status=status, wait=wait, elapsed=elapsed)

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
        base = self._means.base_url
        elapsed_s = self._now() - self._started
        why = f" {gave_up}." if gave_up else ""
        return kind(
            f"{base.host}:{base.port}: {what}; {self._request} after {_tries(self._attempts, elapsed_s)}.{why}",
            host=base.host,
            port=base.port,
            request=self._request,
            attempts=self._attempts,
            advice=_ADVICE.get(kind) or deadline_advice(self._deadline.why),
        )


def api_error(
    status: int,
    *,
    request: PlannedRequest | None,
    attempts: int,
    elapsed_s: float,
    retry_after: float | None = None,
    gave_up: str = "",
    out_of_time: bool = False,
) -> ApiError:
    """Build the error for *status*; *gave_up* says why there was no further attempt, where that is worth saying."""
    cls, advice = _STATUS.get(status) or (_SERVER if 500 <= status <= 599 else _UNEXPECTED)
    # A question of another kind has nothing to advise.
    advice = getattr(request, "advise_refused", lambda _: "")(status) or advice
    wait = f" (retry after {retry_after:g} s)" if retry_after is not None else ""
    why = f" {gave_up}." if gave_up else ""
    return cls(
        f"{status} for {request} after {_tries(attempts, elapsed_s)}{wait}.{why}",
        status=status,
        request=request,
        attempts=attempts,
        retry_after=retry_after,
        out_of_time=out_of_time,
        advice=f"{advice}.",
    )


def _tries(attempts: int, elapsed_s: float) -> str:
    return f"{attempts} attempt{'' if attempts == 1 else 's'} over {elapsed_s:.1f} s"


def deadline_advice(option: str) -> str:
    """Word which *option* set a deadline that has passed."""
    return f"{option} sets it." if option else ""
