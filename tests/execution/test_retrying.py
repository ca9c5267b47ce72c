"""The decisions of the retry core: pure, under a clock that the test moves."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from oracle import examples

from indivd_async.execution.retrying import (
    GiveUp,
    Pace,
    RetryBudget,
    SharedPause,
    Wait,
    next_wait,
    parse_retry_after,
)
from indivd_async.settings import RetryPolicy
from indivd_async.transport import Failure, is_retried

POLICY = RetryPolicy()
LAST_MOMENT = 0.999_999


def decide(
    failure: Failure, attempt: int = 1, *, policy: RetryPolicy = POLICY, draw: float = LAST_MOMENT, **options: Any
) -> Wait | GiveUp:
    options.setdefault("deadline", math.inf)
    options.setdefault("budget", RetryBudget(policy))
    return next_wait(policy, failure, attempt, now=100.0, random=lambda: draw, **options)


def test_only_these_statuses_are_asked_again() -> None:
    """408, 429 and every 5xx are retried, and nothing else."""
    asked_again = {408, 429, *range(500, 600)}
    assert {status for status in range(1000) if is_retried(status)} == asked_again
    assert {status for status in range(1000) if isinstance(decide(Failure(status=status)), Wait)} == asked_again


@pytest.mark.parametrize(
    ("failure", "ceilings"),
    [
        pytest.param(Failure(), [0.25, 0.5, 1, 2, 4, 8, 10, 10], id="broken connection"),
        pytest.param(Failure(status=500), [0.25, 0.5, 1, 2, 4, 8, 10, 10], id="500"),
        pytest.param(Failure(status=408), [0.25, 0.5, 1, 2, 4, 8, 10, 10], id="408"),
        pytest.param(Failure(status=429), [1, 2, 4, 8, 10, 10], id="429"),
        pytest.param(Failure(status=503), [1, 2, 4, 8, 10, 10], id="503"),
    ],
)
def test_backoff_doubles_up_to_the_cap(failure: Failure, ceilings: list[float]) -> None:
    """The wait is anywhere between nothing and a ceiling that doubles until it meets the cap."""
    policy = RetryPolicy(attempts=100)
    for attempt, ceiling in enumerate(ceilings, start=1):
        for draw in (0.0, 0.5, 1.0):
            assert decide(failure, attempt, policy=policy, draw=draw) == Wait(draw * ceiling)


def test_backoff_of_many_attempts_does_not_overflow() -> None:
    """A policy of very many attempts waits the cap, and raises nothing."""
    policy = RetryPolicy(attempts=10**6)
    assert decide(Failure(), 10**6 - 1, policy=policy, draw=1.0) == Wait(policy.cap)


def test_the_last_attempt_is_the_last() -> None:
    """After as many attempts as the policy allows, the failure stands, without a further word."""
    assert isinstance(decide(Failure(status=500), 2), Wait)
    assert decide(Failure(status=500), 3) == GiveUp(reason="", out_of_time=False)
    assert decide(Failure(), 4) == GiveUp()


def test_a_stale_connection_is_asked_again_at_once() -> None:
    """The free retry waits for nothing and needs no attempt left, but it is paid for."""
    budget = RetryBudget(RetryPolicy(attempts=1, budget=15, retry_cost=10))
    policy = RetryPolicy(attempts=1)
    assert decide(Failure(stale=True), 1, policy=policy, budget=budget) == Wait(0.0)
    assert budget.tokens == 5
    verdict = decide(Failure(stale=True), 1, policy=policy, budget=budget)
    assert isinstance(verdict, GiveUp)
    assert "budget is empty" in verdict.reason


@pytest.mark.parametrize(
    ("asked", "draw", "expected"),
    [
        pytest.param(5.0, 0.0, 5.0, id="at least what was asked"),
        pytest.param(5.0, 1.0, 5.5, id="and up to a tenth more"),
        pytest.param(0.5, 1.0, 1.1, id="never less than the backoff"),
        pytest.param(60.0, 0.5, 63.0, id="the longest that is waited for"),
    ],
)
def test_retry_after_is_a_lower_bound(asked: float, draw: float, expected: float) -> None:
    """The wait is the longer of backoff and Retry-After, with a little spread on top."""
    assert decide(Failure(status=429, retry_after=asked), draw=draw) == Wait(pytest.approx(expected))


def test_a_long_retry_after_is_not_waited_for() -> None:
    """Beyond the policy's limit the failure is raised at once, and says why; nothing is paid."""
    budget = RetryBudget(POLICY)
    verdict = decide(Failure(status=503, retry_after=60.001), budget=budget)
    assert verdict == GiveUp("It asks for a wait longer than RetryPolicy.max_retry_after (60 s)")
    assert budget.tokens == 1000


def test_a_long_retry_after_says_so_even_after_the_last_attempt() -> None:
    """Whoever reads the error learns of the wait that was asked for, attempts left or not."""
    verdict = decide(Failure(status=503, retry_after=61), 3)
    assert isinstance(verdict, GiveUp)
    assert "max_retry_after" in verdict.reason


@pytest.mark.parametrize(
    ("failure", "deadline", "expected"),
    [
        pytest.param(Failure(status=500), 100.25, Wait(0.25), id="ends with the deadline"),
        pytest.param(
            Failure(status=500),
            100.249,
            GiveUp("The wait before the next attempt would end after the deadline", out_of_time=True),
            id="ends after it",
        ),
        pytest.param(
            Failure(status=429, retry_after=5),
            105.4,
            GiveUp("It asks for a wait that ends after the deadline", out_of_time=True),
            id="Retry-After ends after it",
        ),
        pytest.param(Failure(status=429, retry_after=5), 105.5, Wait(5.5), id="Retry-After ends with it"),
    ],
)
def test_no_wait_ends_after_the_deadline(failure: Failure, deadline: float, expected: object) -> None:
    """A wait that would end too late is not begun, and not paid for."""
    budget = RetryBudget(POLICY)
    assert decide(failure, draw=1.0, deadline=deadline, budget=budget) == expected
    assert budget.tokens == (990 if isinstance(expected, Wait) else 1000)


def test_an_empty_budget_ends_it_and_says_so() -> None:
    """Without tokens there is no retry, whatever the policy's attempts."""
    budget = RetryBudget(RetryPolicy(budget=9, retry_cost=10))
    verdict = decide(Failure(), budget=budget)
    assert verdict == GiveUp("There was no further attempt, because the client's retry budget is empty: too much fails")
    assert budget.tokens == 9


def test_a_free_policy_never_runs_dry() -> None:
    """Retries that cost nothing are not bounded by the budget."""
    budget = RetryBudget(RetryPolicy(budget=0, retry_cost=0))
    assert budget.take()
    budget.success()
    assert budget.tokens == 0


def test_pause_is_heard_by_all_and_only_grows() -> None:
    """The furthest moment that was asked for counts; a shorter one after it does not pull it back."""
    pause = SharedPause()
    assert pause.until == -math.inf
    pause.hear(POLICY, Failure(status=429, retry_after=10), now=100.0)
    pause.hear(POLICY, Failure(status=503, retry_after=2), now=101.0)
    assert pause.until == 110.0
    pause.hear(POLICY, Failure(status=503, retry_after=60), now=101.0)
    assert pause.until == 161.0


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Failure(status=429, retry_after=60.1), id="too long"),
        pytest.param(Failure(status=429), id="nothing asked"),
        pytest.param(Failure(status=500, retry_after=5), id="another status"),
        pytest.param(Failure(), id="no answer"),
    ],
)
def test_these_pause_nobody(failure: Failure) -> None:
    """Only 429 and 503 with a Retry-After within the limit hold the others back."""
    pause = SharedPause()
    pause.hear(POLICY, failure, now=100.0)
    assert pause.until == -math.inf


def test_pace_spaces_starts_evenly() -> None:
    """Whoever books gets the next free moment; idle time is not saved up for a burst."""
    pace = Pace(4)
    starts = []
    for now in (10.0, 10.0, 10.0, 10.6, 12.0, 12.0):
        start = pace.next_start(now)
        assert pace.next_start(now) == start
        pace.book(start)
        starts.append(start)
    assert starts == [10.0, 10.25, 10.5, 10.75, 12.0, 12.25]


def test_a_moment_given_back_is_the_next_that_is_taken() -> None:
    """Who is cancelled while waiting holds nobody up; a moment that has passed is gone."""
    pace = Pace(4)
    booked = []
    for _ in range(4):
        booked.append(pace.next_start(10.0))
        pace.book(booked[-1])
    for start in (booked[2], booked[0], booked[1]):
        pace.give_back(start)
    taken = []
    for now in (10.0, 10.1, 10.6, 10.6):
        taken.append(pace.next_start(now))
        pace.book(taken[-1])
    assert taken == [10.0, 10.25, 11.0, 11.25]
    for start in (12.0, 12.5):
        pace.give_back(start)
    assert pace.next_start(12.2) == 12.5


def test_pace_knows_no_zero() -> None:
    """A clock may begin anywhere; the first start is now."""
    assert Pace(4).next_start(-100.0) == -100.0


NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param("120", 120.0, id="seconds"),
        pytest.param(b"120", 120.0, id="bytes"),
        pytest.param(" 7 ", 7.0, id="blanks around"),
        pytest.param("0", 0.0, id="zero"),
        pytest.param("1.5", 1.5, id="a fraction"),
        pytest.param(".5", 0.5, id="a fraction without a whole"),
        pytest.param("5.", 5.0, id="a point behind"),
        pytest.param(".", None, id="a point"),
        pytest.param("1.2.3", None, id="two points"),
        pytest.param("9" * 400, math.inf, id="beyond any float"),
        pytest.param("Sat, 01 Mar 2025 12:00:30 GMT", 30.0, id="date"),
        pytest.param("Sat, 01 Mar 2025 12:00:01 GMT", 1.0, id="the next second"),
        pytest.param("Saturday, 01-Mar-25 12:01:00 GMT", 60.0, id="RFC 850 date"),
        pytest.param("Sat Mar  1 12:00:05 2025", 5.0, id="asctime date"),
        pytest.param("Sat, 01 Mar 2025 13:00:30 +0100", 30.0, id="date with an offset"),
        pytest.param("Sat, 01 Mar 2025 12:00:00 GMT", None, id="now"),
        pytest.param("Sat, 01 Mar 2025 11:59:00 GMT", None, id="passed"),
        pytest.param("-5", None, id="negative"),
        pytest.param("+5", None, id="signed"),
        pytest.param("1e3", None, id="exponent"),
        pytest.param("0x10", None, id="hexadecimal"),
        pytest.param("nan", None, id="nan"),
        pytest.param("inf", None, id="inf"),
        pytest.param("1,5", None, id="comma"),
        pytest.param("5 seconds", None, id="unit"),
        pytest.param("٣", None, id="other digits"),
        pytest.param(b"\xff\xfe", None, id="not ASCII"),
        pytest.param("", None, id="empty"),
        pytest.param("soon", None, id="a word"),
        pytest.param("Sat, 99 Mar 2025 12:00:30 GMT", None, id="no such day"),
        pytest.param("Sat, 01 Mar 99999 12:00:30 GMT", None, id="no such year"),
        pytest.param("Sat, 01 Mar 2025 12:00:30 +9999", None, id="no such offset"),
    ],
)
def test_retry_after_forms(value: str | bytes | None, seconds: float | None) -> None:
    """Seconds and dates are read in every form that HTTP knows; anything else is ignored."""
    assert parse_retry_after(value, now_utc=NOW) == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        pytest.param(b"Sat, 01 Mar 2025 11:00:00 GMT", 3630.0, id="a clock that is slow"),
        pytest.param(b"Sat, 01 Mar 2025 13:00:00 +0100", 30.0, id="another zone"),
        pytest.param(b"Sat, 01 Mar 2025 12:00:31 GMT", None, id="a clock that is fast"),
        pytest.param(b"yesterday", 30.0, id="nonsense"),
        pytest.param(b"\xff", 30.0, id="not ASCII"),
    ],
)
def test_retry_after_by_the_servers_clock(date: bytes, seconds: float | None) -> None:
    """A date counts from the answer's own, where that can be read; seconds count from now."""
    assert parse_retry_after("Sat, 01 Mar 2025 12:00:30 GMT", now_utc=NOW, date=date) == seconds
    assert parse_retry_after("30", now_utc=NOW, date=date) == 30.0


@examples(100)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60), st.datetimes().map(str)))
def test_no_header_raises(value: str | bytes) -> None:
    """Whatever a server writes there is a wait or is ignored."""
    wait_s = parse_retry_after(value, now_utc=NOW)
    assert wait_s is None or wait_s >= 0


@examples(100)
@given(
    status=st.one_of(st.none(), st.integers(100, 599)),
    asked=st.one_of(st.none(), st.floats(0, 200)),
    attempt=st.integers(1, 200),
    left=st.floats(0, 100),
    draw=st.floats(0, 1, exclude_max=True),
    policy=st.builds(RetryPolicy, attempts=st.integers(1, 300), budget=st.integers(0, 30), cap=st.floats(0, 50)),
)
def test_every_wait_keeps_its_bounds(
    status: int | None, asked: float | None, attempt: int, left: float, draw: float, policy: RetryPolicy
) -> None:
    """A wait is never negative, never too early, never over cap and Retry-After, never past the deadline."""
    verdict = decide(
        Failure(status=status, retry_after=asked), attempt, policy=policy, draw=draw, deadline=100.0 + left
    )
    if isinstance(verdict, Wait):
        assert 0 <= verdict.seconds <= max(policy.cap, asked or 0) * 1.1
        assert verdict.seconds >= (asked or 0)
        assert verdict.seconds <= left + 1e-9
        assert attempt < policy.attempts


class SharedState(RuleBasedStateMachine):
    """Budget and pause of one client, against a model that keeps the whole history."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = RetryPolicy(budget=35, retry_cost=10)
        self.budget = RetryBudget(self.policy)
        self.pause = SharedPause()
        self.now = 0.0
        self.tokens = 35
        self.asked_until = [-math.inf]
        self.requests = 0
        self.attempts = 0

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def succeed(self) -> None:
        self.requests += 1
        self.attempts += 1
        self.budget.success()
        self.tokens = min(35, self.tokens + 1)

    @rule(
        status=st.sampled_from([None, 403, 408, 429, 500, 503]),
        asked=st.one_of(st.none(), st.floats(0, 90)),
        attempt=st.integers(1, 4),
        stale=st.booleans(),
    )
    def fail(self, status: int | None, asked: float | None, attempt: int, stale: bool) -> None:
        failure = Failure(status=status, retry_after=asked if status else None, stale=stale and status is None)
        self.requests += attempt == 1
        self.attempts += attempt == 1
        self.pause.hear(self.policy, failure, self.now)
        if status in {429, 503} and asked is not None and asked <= 60:
            self.asked_until.append(self.now + asked)
        verdict = next_wait(
            self.policy,
            failure,
            attempt,
            now=self.now,
            deadline=math.inf,
            budget=self.budget,
            random=lambda: 0.5,
        )
        may = status != 403 and (attempt < 3 or failure.stale) and (failure.retry_after or 0) <= 60
        assert isinstance(verdict, Wait) == (may and self.tokens >= 10)
        if isinstance(verdict, Wait):
            self.tokens -= 10
            self.attempts += 1

    @invariant()
    def budget_is_what_was_paid(self) -> None:
        assert self.budget.tokens == self.tokens
        assert 0 <= self.budget.tokens <= 35

    @invariant()
    def pause_is_the_furthest(self) -> None:
        assert self.pause.until == max(self.asked_until)

    @invariant()
    def amplification_is_bounded(self) -> None:
        assert self.attempts <= 1.1 * self.requests + 3.5


SharedState.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestSharedState = SharedState.TestCase


def test_values_are_frozen() -> None:
    """A decision cannot be changed after it was made."""
    for value in (Failure(), Wait(1.0), GiveUp()):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            value.reason = "x"  # type: ignore[union-attr]
