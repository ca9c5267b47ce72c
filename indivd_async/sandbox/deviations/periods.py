"""Other periods than asked for: clamped, shifted, cut short, or written otherwise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from .deviation import DATA, ZONES, Deviation, Question, Reply, echoes, sheets

_PERIODS = (("start_date", "end_date"), ("comparison_start_date", "comparison_end_date"))
_CLAMPED_DAYS = 31
_DAY = timedelta(days=1)
_Period = tuple[date, date]


def _ask_for(change: Callable[[date, date], _Period]) -> Callable[[Question], dict[str, Any]]:
    def ask(question: Question) -> dict[str, Any]:
        values = dict(question.values)
        for start, end in _PERIODS:
            if start in values:
                values[start], values[end] = change(values[start], values[end])
        return values

    return ask


def _last_days(start: date, end: date) -> _Period:
    return max(start, end - (_CLAMPED_DAYS - 1) * _DAY), end


def _first_days(start: date, end: date) -> _Period:
    return start, min(end, start + (_CLAMPED_DAYS - 1) * _DAY)


def _a_day_earlier(start: date, end: date) -> _Period:
    return start - _DAY, end - _DAY


def _without_its_last_day(start: date, end: date) -> _Period:
    return start, max(start, end - _DAY)


def _echo_as_asked(question: Question, reply: Reply) -> None:
    """Let the answer claim that it is of the period asked for."""
    for found, (start, end) in zip(echoes(question, reply.document), _PERIODS, strict=False):
        found["startdate"], found["enddate"] = question.params[start], question.params[end]


def _write_dates(start: str, end: str) -> Callable[[Question, Reply], None]:
    def answer(question: Question, reply: Reply) -> None:
        for found in echoes(question, reply.document):
            found["startdate"] = start.format(found["startdate"])
            found["enddate"] = end.format(found["enddate"])

    return answer


def _end_at_the_next_midnight(question: Question, reply: Reply) -> None:
    for found in echoes(question, reply.document):
        found["startdate"] += "T00:00:00Z"
        found["enddate"] = f"{date.fromisoformat(found['enddate']) + _DAY}T00:00:00Z"


def _rename_dates(question: Question, reply: Reply) -> None:
    for found in echoes(question, reply.document):
        found["start_date"], found["end_date"] = found.pop("startdate"), found.pop("enddate")


def _leave_dates_out(question: Question, reply: Reply) -> None:
    for found in echoes(question, reply.document):
        del found["startdate"], found["enddate"]


def _put_a_row_before(question: Question, reply: Reply) -> None:
    """Repeat the first row of each list under the last day before its period."""
    for sheet in sheets(question, reply.document):
        if sheet.rows:
            prefix = "" if sheet.period == "current" else "comparison_"
            day: date = question.values[f"{prefix}start_date"] - _DAY
            first = sheet.rows[0]
            copy = {name: dict(part) if isinstance(part, dict) else part for name, part in first.items()}
            label = sheet.label(copy)
            parts = {"year": day.year, "month": day.month, "day": day.day, "dayofmonth": day.day}
            label |= {name: value for name, value in parts.items() if name in label}
            sheet.rows.insert(0, copy)


PERIOD_DEVIATIONS = (
    Deviation(
        name="clamped_to_last_days",
        sentence="A service that bounds its work answers the last 31 days of a longer period, and says which.",
        endpoints=ZONES,
        expect="error",
        ask=_ask_for(_last_days),
    ),
    Deviation(
        name="clamped_to_first_days",
        sentence="A service that bounds its work stops 31 days after the start, and says so.",
        endpoints=ZONES,
        expect="error",
        ask=_ask_for(_first_days),
    ),
    Deviation(
        name="clamped_without_a_word",
        sentence="A service clamps a long period to its last 31 days, but repeats the dates as they were asked.",
        endpoints=DATA,
        expect="unseen",
        ask=_ask_for(_last_days),
        answer=_echo_as_asked,
    ),
    Deviation(
        name="shifted_by_a_day",
        sentence="Midnight at the location is a moment of the day before in UTC, which the answer then repeats.",
        endpoints=ZONES,
        expect="error",
        ask=_ask_for(_a_day_earlier),
    ),
    Deviation(
        name="shifted_without_a_word",
        sentence="The period slips by a day on its way to the database, while the answer repeats what was asked.",
        endpoints=DATA,
        expect="error",
        ask=_ask_for(_a_day_earlier),
        answer=_echo_as_asked,
    ),
    Deviation(
        name="end_left_out",
        sentence="Periods are half open inside the service, so the last day asked for is missing.",
        endpoints=DATA,
        expect="unseen",
        ask=_ask_for(_without_its_last_day),
        answer=_echo_as_asked,
    ),
    Deviation(
        name="row_before_the_period",
        sentence="Buckets that overlap the start of the period come with the rest, under their own day.",
        endpoints=DATA,
        expect="error",
        answer=_put_a_row_before,
    ),
    Deviation(
        name="dates_as_utc_timestamps",
        sentence="Dates are stored as timestamps, and written as such: midnight UTC.",
        endpoints=ZONES,
        expect="same",
        answer=_write_dates("{}T00:00:00Z", "{}T00:00:00Z"),
    ),
    Deviation(
        name="dates_as_timestamps_to_the_last_second",
        sentence="A period that includes its last day is written up to the last millisecond of that day.",
        endpoints=ZONES,
        expect="same",
        answer=_write_dates("{}T00:00:00.000Z", "{}T23:59:59.999Z"),
    ),
    Deviation(
        name="dates_as_local_timestamps",
        sentence="Dates are written as timestamps of the location's clock, with a blank and without an offset.",
        endpoints=ZONES,
        expect="same",
        answer=_write_dates("{} 00:00:00", "{} 00:00:00"),
    ),
    Deviation(
        name="end_as_the_next_midnight",
        sentence="A half-open period is written as it is computed: up to the midnight after its last day.",
        endpoints=ZONES,
        expect="any",
        answer=_end_at_the_next_midnight,
    ),
    Deviation(
        name="dates_under_other_names",
        sentence="The answer names the dates as the parameters are named: start_date and end_date.",
        endpoints=ZONES,
        expect="any",
        answer=_rename_dates,
    ),
    Deviation(
        name="dates_left_out",
        sentence="An older version of the service does not repeat the dates.",
        endpoints=ZONES,
        expect="any",
        answer=_leave_dates_out,
    ),
)
