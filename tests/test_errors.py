"""Errors say whose fault it is and what to do, carry what they know, and pickle."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from indivd_async import (
    AnswerMismatchError,
    ApiError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    InvalidQueryError,
    LineCrosses,
    MergeConflictError,
    NotFoundError,
    NotMergeableError,
    PartialResultError,
    PermissionDeniedError,
    PlannedRequest,
    RateLimitedError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    TransportError,
    UnexpectedStatusError,
    errors,
)
from indivd_async.execution.failures import api_error
from indivd_async.merging import Known, OwnCutConflictError, merge_chunks
from indivd_async.models import FrozenMap
from indivd_async.planning import make_plan

REQUEST = PlannedRequest(index=3, endpoint="line_crosses", path="/lines/", params=FrozenMap({"location": "124"}))
WAY: dict[str, Any] = {"host": "api.example", "port": 443, "request": REQUEST, "attempts": 2}
FAILED = ServerError("no", status=500, request=REQUEST, attempts=3)
PARTIAL = merge_chunks(
    make_plan(LineCrosses("2025-03-01", "2025-03-07"), None), (), Known(now=datetime(2026, 1, 1, tzinfo=UTC))
)

EVERY: list[IndivdError] = [
    ConfigError("token: none was given"),
    InvalidQueryError("location", "ids must not be negative", -1, "Leave it out."),
    NotMergeableError("unique_visits", "someone seen twice is one person", "Ask for the whole"),
    MergeConflictError("zone 7, hour 9", (REQUEST, REQUEST)),
    OwnCutConflictError("zone 7, hour 9", (REQUEST, REQUEST)),
    *(
        api_error(status, request=REQUEST, attempts=2, elapsed_s=1.5, retry_after=4.0)
        for status in (400, 401, 403, 404, 429, 500, 302)
    ),
    *(
        kind("it broke", **WAY)
        for kind in (
            TransportError,
            ConnectionFailedError,
            RequestTimeoutError,
            DeadlineExceededError,
            ResponseTooLargeError,
        )
    ),
    AnswerMismatchError("zones", "zones 201", "zones 202", request=REQUEST, advice="Ask {locations()}."),
    DecodeError(["expected int, got str @ $[0].count"], request=REQUEST),
    PartialResultError(PARTIAL, [FAILED]),
    ClientClosedError("closed"),
]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_every_error_pickles_with_all_it_carries(error: IndivdError) -> None:
    """Class, message, attributes and notes survive; so does a copy."""
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert repr(vars(again)) == repr(vars(error))
        assert again.__notes__ == ["a note"]
    del error.__notes__


def test_every_class_is_tried() -> None:
    """No error was forgotten above."""
    defined = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, IndivdError)}
    assert defined - {IndivdError, ApiError} <= {type(error) for error in EVERY}


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (400, BadRequestError, "does not say which parameter"),
        (401, AuthenticationError, "unknown or revoked"),
        (403, PermissionDeniedError, r"client\.locations\(\)"),
        (404, NotFoundError, "base_url"),
        (429, RateLimitedError, "requests_per_second"),
        (500, ServerError, r"indivd\.statuspage\.io"),
        (599, ServerError, r"indivd\.statuspage\.io"),
        (302, UnexpectedStatusError, "redirects are never followed"),
        (418, UnexpectedStatusError, "no such status"),
        (600, UnexpectedStatusError, "no such status"),
    ],
)
def test_a_status_becomes_its_error(status: int, kind: type[ApiError], advice: str) -> None:
    """The message tells what was asked, how often, over how long, and what to do."""
    error = api_error(status, request=REQUEST, attempts=1, elapsed_s=0.25)
    assert type(error) is kind
    assert (error.status, error.request, error.attempts, error.retry_after) == (status, REQUEST, 1, None)
    with pytest.raises(
        kind, match=rf"^{status} for GET /lines/\?location=124 after 1 attempt over 0\.\d s\. .*{advice}"
    ):
        raise error


def test_why_there_was_no_further_attempt_is_told() -> None:
    """So is how long to wait."""
    error = api_error(503, request=None, attempts=2, elapsed_s=61, retry_after=90.5, gave_up="The budget is empty")
    assert "after 2 attempts over 61.0 s (retry after 90.5 s). The budget is empty. The service failed" in str(error)
    assert error.retry_after == 90.5


def test_timeouts_are_timeouts_and_bad_values_value_errors() -> None:
    """Who catches the built-in kind is served."""
    assert issubclass(RequestTimeoutError, TimeoutError)
    assert issubclass(DeadlineExceededError, TimeoutError)
    assert issubclass(ConfigError, ValueError)
    assert issubclass(InvalidQueryError, ValueError)


def test_long_values_are_cut() -> None:
    """A list of a thousand ids does not fill the screen; the attribute has it whole."""
    error = InvalidQueryError("location", "must be shorter", list(range(1000)))
    assert len(str(error)) < 130
    assert str(error).endswith("....")
    assert len(error.value) == 1000  # type: ignore[arg-type]


def test_many_faults_of_one_answer_are_counted() -> None:
    """Five are told in the message, all are carried."""
    problems = [f"missing field count @ $[{number}]" for number in range(7)]
    error = DecodeError(problems)
    assert str(error).endswith("$[4]; and 2 more")
    assert error.problems == tuple(problems)


def test_a_partial_result_counts_what_is_missing() -> None:
    """Requests that were never sent left no error, and are missing all the same."""
    assert "1 of 1 requests failed: no. What arrived" in str(PartialResultError(PARTIAL, [FAILED]))
    assert "1 of 1 requests failed. What arrived" in str(PartialResultError(PARTIAL, []))
    nothing = SimpleNamespace(coverage=())
    assert "0 of 0 requests failed" in str(PartialResultError(nothing, []))


def test_a_conflict_names_the_row_and_both_requests() -> None:
    """Or what else is wrong with a whole answer."""
    row = str(MergeConflictError("zone 7, hour 9", (REQUEST, REQUEST)))
    assert row.startswith("the row of zone 7, hour 9 came back from two requests")
    assert row.count(str(REQUEST)) == 2
    whole = str(MergeConflictError("request 3", (REQUEST,), "it is not of this plan"))
    assert whole == f"request 3: it is not of this plan ({REQUEST})"


def as_option(name: str, value: str) -> str:
    return f"<{name}|{value}>"


@pytest.mark.parametrize(
    ("make", "python", "worded"),
    [
        (
            lambda: InvalidQueryError("end_date", "must not be before {start_date}", "{tz}", "Pass {tz:…}, or {}."),
            "end_date: must not be before start_date; got '{tz}'. Pass tz=…, or {}.",
            "<end_date|>: must not be before <start_date|>; got '{tz}'. Pass <tz|…>, or {}.",
        ),
        (
            lambda: InvalidQueryError("per", 'must be {:"a"} or {:None}', None),
            'per: must be "a" or None; got None.',
            '<per|>: must be <|"a"> or <|None><|; got None>.',
        ),
        (
            lambda: ConfigError("{Timeouts.deadline} is odd", "{allow_http:True} helps"),
            "Timeouts.deadline is odd allow_http=True helps",
            "<Timeouts.deadline|> is odd <allow_http|True> helps",
        ),
        (
            lambda: ApiError("403.", status=403, advice="{locations()} tells."),
            "403. `await client.locations()` tells.",
            "403. <locations()|> tells.",
        ),
        (
            lambda: ConnectionFailedError("h:1: refused.", host="h", port=1, advice="Check {base_url}."),
            "h:1: refused. Check base_url.",
            "h:1: refused. Check <base_url|>.",
        ),
        (lambda: DecodeError(["{tz} @ $"]), "{tz} @ $", "{tz} @ $"),
    ],
    ids=["rule and hint", "values", "options", "status", "transport", "free of parameters"],
)
def test_whoever_shows_an_error_spells_its_parameters(make: Any, python: str, worded: str) -> None:
    """As a caller would write them, or as they are called elsewhere; also after a pickle, and with notes."""
    error = make()
    error.add_advice("Or pass {zone:7}.")
    error.add_note("{zone}")
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert str(each) == python
    assert error.worded(as_option) == f"{worded}\nOr pass <zone|7>.\n{{zone}}"
    assert pickle.loads(pickle.dumps(error)).worded(as_option).startswith(worded)
    assert error.__notes__ == ["Or pass zone=7.", "{zone}"]


def test_errors_carry_their_advice() -> None:
    """Nobody searches their text for what to do."""
    assert InvalidQueryError("per", "needs its values", "line", "Pass {line_ids:[…]}.").advice == "Pass line_ids=[…]."
    assert InvalidQueryError("per", "must not be {:None}", None).rule == "must not be None"
    assert "bare, without that word" in api_error(401, request=None, attempts=1, elapsed_s=0.1).advice
    assert IndivdError("x").advice == ""


def test_what_comes_from_elsewhere_is_shown_and_not_obeyed() -> None:
    """A name of a zone, a field of an answer, a value: no error begins a line of its own or clears a screen."""
    evil = "\x1b[2J\nindivd: all is well\u202e"
    for error in (
        MergeConflictError(f"zone {evil}", (REQUEST, REQUEST)),
        DecodeError([f"expected int, got str @ $.{evil}"]),
        InvalidQueryError("zone", "must be listed", evil),
        ConfigError(f"{{out}}: {evil} is damaged"),
    ):
        assert str(error).isprintable()
        assert r"\x1b[2J\nindivd: all is well\u202e" in str(error)
        assert error.worded(as_option).isprintable()
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
