"""
Until when to ask, whether again, and after how long.

Decisions only: the reading of the clock and the random source are arguments, and nothing here sleeps. What a whole
client shares (budget, pause, pace) are small mutable objects, read and changed between two awaits, so that no lock is
needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush

import attrs

from ..fielded import Fielded
from ..settings import RetryPolicy
from ..transport import Failure, is_retried

#: The statuses that ask for patience: a longer backoff, and with a Retry-After a pause of the whole client.
_OVERLOADED = frozenset({429, 503})
#: Waiting clients would come back in step; each adds up to this share of the wait that was asked for.
_SPREAD = 0.1
_SECONDS = r"[0-9]+(\.[0-9]*)?|\.[0-9]+"


@attrs.frozen(eq=False, repr=False)
class Deadline(Fielded):
    """
    A moment by the event loop's clock, and the option that set it.

    >>> Deadline.after(60, 1_000, "{Timeouts.deadline}").earlier(Deadline.after(None, 1_000)).left(1_010)
    50
    """

    ends: float = math.inf
    why: str = ""

    @classmethod
    def after(cls, seconds: float | None, now: float, why: str = "") -> Deadline:
        """Return the end of *seconds* from *now* on; None never ends."""
        return NEVER if seconds is None else cls(now + seconds, why)

    def earlier(self, other: Deadline) -> Deadline:
        """Return whichever ends first."""
        return self if self.ends <= other.ends else other

    def left(self, now: float) -> float | None:
        """Return how many seconds are left, None where there is no end."""
        return None if self.ends == math.inf else max(0.0, self.ends - now)


NEVER = Deadline()


@attrs.frozen(eq=False, repr=False)
class Wait(Fielded):
    """Ask again after so many seconds."""

    seconds: float


@attrs.frozen(eq=False, repr=False)
class GiveUp(Fielded):
    """Do not ask again. `reason` is a sentence without its stop, empty where the failure explains itself."""

    reason: str = ""
    #: There was an attempt left, but no time for the wait before it.
    out_of_time: bool = False


class RetryBudget:
    """
    How many retries a client may still make: a retry costs, a success gives back.

    The policy bounds the attempts of a request, this the attempts of a client: in an outage retries stop after the
    first hundred, and from then on follow the successes.
    """

    __slots__ = ("_capacity", "_cost", "tokens")

    def __init__(self, policy: RetryPolicy) -> None:
        self._capacity = policy.budget
        self._cost = policy.retry_cost
        self.tokens = policy.budget

    def take(self) -> bool:
        """Pay for one retry; False, and nothing is paid, when there is not enough."""
        if self.tokens < self._cost:
            return False
        self.tokens -= self._cost
        return True

    def success(self) -> None:
        """Give one token back, up to the capacity."""
        if self.tokens < self._capacity:
            self.tokens += 1


class SharedPause:
    """Until when (monotonic) no request of the client is sent: one was told to wait, all heard it."""

    __slots__ = ("until",)

    def __init__(self) -> None:
        self.until = -math.inf

    def hear(self, policy: RetryPolicy, failure: Failure, now: float) -> None:
        """Take note of an answer that asks for patience; one that asks too much pauses nobody."""
        asked = failure.retry_after
        if failure.status in _OVERLOADED and asked is not None and asked <= policy.max_retry_after:
            self.until = max(self.until, now + asked)


class Pace:
    """
    Starts of requests, evenly spaced: at most so many a second, without bursts.

    The next free moment moves on by one interval with each start that is booked (a leaky bucket of depth one), so that
    whoever books first starts first. A moment that is given back is taken again before any later one.
    """

    __slots__ = ("_given_back", "_interval", "_next")

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second
        self._next = -math.inf
        self._given_back: list[float] = []

    def next_start(self, now: float) -> float:
        """Tell when the next request may start, without booking it."""
        while self._given_back and self._given_back[0] < now:
            heappop(self._given_back)
        return self._given_back[0] if self._given_back else max(now, self._next)

    def book(self, start: float) -> None:
        """Take the moment that `next_start` told."""
        if self._given_back:
            heappop(self._given_back)
        else:
            self._next = start + self._interval

    def give_back(self, start: float) -> None:
        """Leave a booked moment to somebody else."""
        heappush(self._given_back, start)


def next_wait(
    policy: RetryPolicy,
    failure: Failure,
    attempt: int,
    *,
    now: float,
    deadline: float,
    budget: RetryBudget,
    random: Callable[[], float],
) -> Wait | GiveUp:
    """
    Decide what follows *failure*, the *attempt*-th (from 1, free retries not counted). A `Wait` has been paid for.

    *now* and *deadline* are readings of one clock, *random* gives numbers from 0 up to 1.
    """
    if not failure.is_retried or (failure.status is not None and not is_retried(failure.status)):
        return GiveUp()
    asked = failure.retry_after
    if asked is not None and asked > policy.max_retry_after:
        return GiveUp(f"It asks for a wait longer than RetryPolicy.max_retry_after ({policy.max_retry_after:g} s)")
    if not failure.stale and attempt >= policy.attempts:
        return GiveUp()
    wait_s = 0.0 if failure.stale else _backoff(policy, failure, attempt) * random()
    if asked is not None:
        wait_s = max(wait_s, asked) * (1 + _SPREAD * random())
    if now + wait_s > deadline:
        what = "The wait before the next attempt would end" if asked is None else "It asks for a wait that ends"
        return GiveUp(f"{what} after the deadline", out_of_time=True)
    if not budget.take():
        return GiveUp("There was no further attempt, because the client's retry budget is empty: too much fails")
    return Wait(wait_s)


def _backoff(policy: RetryPolicy, failure: Failure, attempt: int) -> float:
    base = policy.base_overloaded if failure.status in _OVERLOADED else policy.base
    # Beyond 2**60 the cap has long decided, and floats would soon overflow.
    return min(policy.cap, math.ldexp(base, min(attempt - 1, 60)))


def parse_retry_after(value: str | bytes | None, *, now_utc: datetime, date: bytes | None = None) -> float | None:
    """
    Read a Retry-After header: the seconds from *now_utc* (aware) on, or None where there is nothing to wait for.

    Seconds and all three forms of an HTTP date are understood. A date is one of the server's clock, so that it counts
    from the answer's own *date* where it has one. Nonsense, negative numbers and dates that have passed are ignored.

    >>> parse_retry_after("120", now_utc=datetime(2025, 1, 1, tzinfo=UTC))
    120.0
    >>> parse_retry_after("Wed, 01 Jan 2025 00:00:30 GMT", now_utc=datetime(2025, 1, 1, tzinfo=UTC))
    30.0
    """
    if value is None:
        return None
    text = (value.decode("latin-1") if isinstance(value, bytes) else value).strip()
    if re.fullmatch(_SECONDS, text):
        return float(text)
    moment = _read_date(text)
    if moment is None:
        return None
    said_at = None if date is None else _read_date(date.decode("latin-1"))
    wait_s = (moment - (said_at or now_utc)).total_seconds()
    return wait_s if wait_s > 0 else None


def _read_date(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # RFC 9110: a date without a zone (the asctime form) is UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
