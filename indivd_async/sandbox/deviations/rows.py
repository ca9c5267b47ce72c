"""Rows too many or too few, figures that do not fit together, and figures that move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

from .deviation import DATA, Deviation, Question, Reply, Sheet, sheets

_VISITS = ("zone_visitors",)
_ADDITIVE = ("count", "visits", "unique_visits", "bounce", "passing_by", "enter")
_MAIN = {"line_crosses": "count", "zone_visitors": "visits", "drop_in_rate": "passing_by"}
_FEW = 5
_Row = dict[str, Any]


def split_row(row: _Row) -> tuple[_Row, _Row]:
    """Part a row into two of the same label, whose counts add up to its own."""
    first, second = deepcopy(row), deepcopy(row)
    for name in _ADDITIVE:
        if name in row:
            first[name] = row[name] // 3
            second[name] = row[name] - first[name]
    return first, second


def _each_list(change: Callable[[list[_Row]], list[_Row]]) -> Callable[[Question, Reply], None]:
    def answer(question: Question, reply: Reply) -> None:
        for sheet in sheets(question, reply.document):
            sheet.rows[:] = change(sheet.rows)

    return answer


def _each_row(change: Callable[[_Row], Any]) -> Callable[[Question, Reply], None]:
    def answer(question: Question, reply: Reply) -> None:
        for sheet in sheets(question, reply.document):
            for row in sheet.rows:
                change(row)

    return answer


def _of_statistics(change: Callable[[_Row, _Row], Any]) -> Callable[[Question, Reply], None]:
    """Change rows that have statistics of dwell times."""
    return _each_row(lambda row: change(row, row["dwell_time_stats"]) if row["dwell_time_stats"] else None)


def _double_keys(rows: list[_Row]) -> list[_Row]:
    return [part for row in rows for part in split_row(row)]


def _correct(question: Question, reply: Reply) -> None:
    """Let the first row of each list be a correction of earlier ones."""
    name = _MAIN[question.endpoint]
    for sheet in sheets(question, reply.document):
        for row in sheet.rows[:1]:
            row[name] = -3


def _leave_few_out(question: Question, reply: Reply) -> None:
    name = _MAIN[question.endpoint]
    for sheet in sheets(question, reply.document):
        sheet.rows[:] = [row for row in sheet.rows if row[name] >= _FEW]


def _grow_the_last_day(question: Question, reply: Reply) -> None:
    if question.nth > 1:
        for sheet in sheets(question, reply.document):
            for row in sheet.rows[-1:]:
                row[_MAIN[question.endpoint]] += 7


def _sample(question: Question, reply: Reply) -> None:
    for sheet in sheets(question, reply.document):
        for number, row in enumerate(sheet.rows):
            row[_MAIN[question.endpoint]] += (number + question.nth) % 3


def _fill(question: Question, reply: Reply) -> None:
    """Add rows of zeros for each day or hour of the period that has none; weeks and weekdays have theirs anyhow."""
    for sheet in sheets(question, reply.document):
        if any("week" in label or "dayofweek" in label for label in sheet.labels()):
            continue
        groups: dict[Any, dict[tuple[Any, ...], _Row]] = {}
        for row in sheet.rows:
            label = sheet.label(row)
            groups.setdefault(label.get("zone_id"), {})[_key(label)] = row
        rows: list[_Row] = []
        for known in groups.values():
            pattern = next(iter(known.values()))
            rows += [known.get(key) or _zero(sheet, pattern, key) for key in _keys(question, sheet, pattern)]
        if rows:
            sheet.rows[:] = sorted(rows, key=lambda row: _key(sheet.label(row)))


def _key(label: _Row) -> tuple[Any, ...]:
    return label.get("year"), label.get("month"), label.get("day", label.get("dayofmonth")), label.get("hour")


def _keys(question: Question, sheet: Sheet, pattern: _Row) -> Iterator[tuple[Any, ...]]:
    prefix = "" if sheet.period == "current" else "comparison_"
    start: date = question.values[f"{prefix}start_date"]
    end: date = question.values[f"{prefix}end_date"]
    label = sheet.label(pattern)
    if _key(label)[2] is None:
        yield from dict.fromkeys(_key(sheet.label(row)) for row in sheet.rows)
        return
    for number in range((end - start).days + 1):
        day = start + timedelta(days=number)
        for hour in range(24) if "hour" in label else (None,):
            yield day.year, day.month, day.day, hour


def _zero(sheet: Sheet, pattern: _Row, key: tuple[Any, ...]) -> _Row:
    row = deepcopy(pattern)
    for name, value in row.items():
        if name in _ADDITIVE or name in ("dwell_time", "drop_in_rate"):
            row[name] = type(value)(0)
    if "dwell_time_stats" in row:
        row |= {"dwell_time_stats": {}, "exclude": {"min_dwell_time": 0, "max_dwell_time": 0}}
    label = sheet.label(row)
    parts = dict(zip(("year", "month", "dayofmonth", "hour"), key, strict=True)) | {"day": key[2]}
    label |= {name: value for name, value in parts.items() if name in label}
    return row


ROW_DEVIATIONS = (
    Deviation(
        name="doubled_rows",
        sentence="A join over two categories, or a retried insert, brings every row twice.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_each_list(lambda rows: [*rows, *deepcopy(rows)]),
    ),
    Deviation(
        name="two_rows_of_one_key",
        sentence="Rows are kept by camera or shard, and come as they are kept: several for one zone and bucket.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_each_list(_double_keys),
    ),
    Deviation(
        name="rows_of_zeros",
        sentence="The time axis is filled for charts: hours that were closed have rows of zeros.",
        endpoints=DATA,
        expect="note_or_same",
        answer=_fill,
    ),
    Deviation(
        name="few_left_out",
        sentence="For privacy, rows of fewer than five people are left out.",
        endpoints=DATA,
        expect="unseen",
        answer=_leave_few_out,
    ),
    Deviation(
        name="negative_counts",
        sentence="Corrections of earlier counts are booked as they come, below zero.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_correct,
    ),
    Deviation(
        name="more_dwell_times_than_visits",
        sentence="A visit over midnight has a dwell time on each day, and is one entry.",
        endpoints=_VISITS,
        expect="error_or_note",
        answer=_of_statistics(lambda row, stats: stats.update(n=row["visits"] + 5)),
    ),
    Deviation(
        name="more_visitors_than_visits",
        sentence="A visitor whose entry was not seen is recognised all the same.",
        endpoints=_VISITS,
        expect="error_or_note",
        answer=_each_row(lambda row: row.update(unique_visits=row["visits"] + 2)),
    ),
    Deviation(
        name="more_bounces_than_visits",
        sentence="Bounces are counted by session and visits by entry, so one may pass the other.",
        endpoints=_VISITS,
        expect="error_or_note",
        answer=_each_row(lambda row: row.update(bounce=row["visits"] + 1)),
    ),
    Deviation(
        name="mean_outside_its_range",
        sentence="The mean is of another day's batch than the least and the most, which were trimmed.",
        endpoints=_VISITS,
        expect="error_or_note",
        answer=_of_statistics(lambda _, stats: stats.update(mean=stats["max"] + 1.0)),
    ),
    Deviation(
        name="late_rows",
        sentence="Cameras send late what they kept while offline: the last day grows between two questions.",
        endpoints=DATA,
        expect="unseen",
        answer=_grow_the_last_day,
    ),
    Deviation(
        name="the_same_otherwise_each_time",
        sentence="Figures are estimated from a sample, or by replicas that differ: each answer is another.",
        endpoints=DATA,
        expect="unseen",
        answer=_sample,
    ),
)
