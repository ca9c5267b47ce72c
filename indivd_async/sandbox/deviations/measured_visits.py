"""What no single answer of zone_visitors shows: only several of them, laid beside each other, do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from .deviation import Deviation, Question, Reply, Sheet, relabel, sheets

_Row = dict[str, Any]
_VISITS = ("zone_visitors",)
_LINES = ("line_crosses",)
#: Rows that a database hands out at once, by grouping.
_MOST_ROWS = {"dayofmonth": 150, "hour": 500}
_WEEK_DAYS, _LONG_DAYS = 7, 31


def grouping_of(question: Question) -> str:
    return str(
        question.values.get("aggregate_by", question.values.get("interval", "hour" if question.days == 1 else ""))
    )


def change_each(change: Callable[[_Row], object], *, only: Callable[[Question], bool] = lambda _: True) -> Any:
    """Change every row of an answer to a question that *only* is true of."""

    def answer(question: Question, reply: Reply) -> None:
        if only(question):
            for sheet in sheets(question, reply.document):
                for row in sheet.rows:
                    change(row)

    return answer


def is_by_hour(question: Question) -> bool:
    return "hour" in grouping_of(question).split(",")


def _drop_zero_threshold(question: Question) -> dict[str, Any]:
    return {name: value for name, value in question.values.items() if name != "bounce_threshold" or value}


def _take_filtered_visits_away(row: _Row) -> None:
    if row["exclude"]["min_dwell_time"] or row["exclude"]["max_dwell_time"]:
        row["visits"] = row["dwell_time_stats"].get("n", 0)


def _cut_by(grouping: str) -> Callable[[Question, Reply], None]:
    def answer(question: Question, reply: Reply) -> None:
        if grouping in grouping_of(question).split(",") and not (grouping == "dayofmonth" and is_by_hour(question)):
            for sheet in sheets(question, reply.document):
                del sheet.rows[_MOST_ROWS[grouping] :]

    return answer


def _put_zeros_in_the_morning(question: Question, reply: Reply) -> None:
    """Put a row of zeros before the first row of each list, an hour earlier, and nowhere else."""
    if not is_by_hour(question):
        return
    for sheet in sheets(question, reply.document):
        first = next((row for row in sheet.rows if sheet.label(row).get("hour", 0) > 0), None)
        if first is not None:
            hour = sheet.label(first)["hour"] - 1
            if not any(_same_hour(sheet, row, first, hour) for row in sheet.rows):
                zeros = {"visits": 0, "unique_visits": 0, "bounce": 0, "dwell_time": 0.0, "dwell_time_stats": {}}
                sheet.rows.insert(0, first | zeros | {"aggregation": first["aggregation"] | {"hour": hour}})


def _same_hour(sheet: Sheet, row: _Row, first: _Row, hour: int) -> bool:
    return sheet.label(row) == sheet.label(first) | {"hour": hour}


def _estimate(row: _Row) -> None:
    row["unique_visits"] = row["visits"] * 4 // 5


def _of_the_week(change: Callable[[_Row], object]) -> Any:
    """Change the totals of short periods only: those of long ones come from elsewhere."""
    return change_each(change, only=lambda question: grouping_of(question) == "zone" and question.days <= _WEEK_DAYS)


def _of_statistics(**shares: float) -> Callable[[_Row], object]:
    """Scale fields of the dwell statistics."""

    def change(row: _Row) -> None:
        stats = row["dwell_time_stats"]
        stats.update({name: round(stats[name] * share, 1) for name, share in shares.items() if name in stats})

    return change


def _count_from_the_first_day(question: Question, reply: Reply) -> None:
    first = question.values["start_date"].isoweekday()
    relabel(
        question,
        reply,
        lambda label: (
            label | {"dayofweek": (label["dayofweek"] - 2 - first) % 7 + 1} if "dayofweek" in label else label
        ),
    )


def _exclude_in_percent(row: _Row) -> None:
    row["exclude"] = {name: -(-100 * n // row["visits"]) for name, n in row["exclude"].items()}


MEASURED_VISIT_DEVIATIONS = (
    Deviation(
        name="weekly_visits_from_doors",
        sentence="Totals of up to a week are read from another table, which counts staff as well.",
        endpoints=_VISITS,
        expect="unseen",
        answer=_of_the_week(lambda row: row.update(visits=row["visits"] + row["visits"] // 10)),
    ),
    Deviation(
        name="weekly_bounces_from_samples",
        sentence="Bounces of up to a week are counted in a sample.",
        endpoints=_VISITS,
        expect="unseen",
        answer=_of_the_week(lambda row: row.update(bounce=row["bounce"] * 9 // 10)),
    ),
    Deviation(
        name="weekly_dwell_counts_from_samples",
        sentence="Dwell times of up to a week are computed of a sample, and n says so.",
        endpoints=_VISITS,
        expect="unseen",
        answer=_of_the_week(
            lambda row: row["dwell_time_stats"].update(n=row["dwell_time_stats"].get("n", 0) * 9 // 10)
        ),
    ),
    Deviation(
        name="weekly_means_of_medians",
        sentence="The mean of up to a week is that of the days' medians, which is faster.",
        endpoints=_VISITS,
        expect="unseen",
        answer=_of_the_week(_of_statistics(mean=0.8)),
    ),
    Deviation(
        name="weekly_extremes_trimmed",
        sentence="The longest stays of a week are taken for errors, and left out of its max.",
        endpoints=_VISITS,
        expect="unseen",
        answer=_of_the_week(_of_statistics(max=0.9)),
    ),
    Deviation(
        name="weekly_visitors_counted_twice",
        sentence="Visitors of a week are counted by camera, and many are seen by two.",
        endpoints=_VISITS,
        expect="unseen",
        answer=_of_the_week(lambda row: row.update(unique_visits=2 * row["visits"])),
    ),
    Deviation(
        name="visitors_forgotten_overnight",
        sentence="For privacy, whoever comes again on another day is somebody else.",
        endpoints=_VISITS,
        expect="unseen",
        world=lambda world: world.changed(forgets_overnight=True),
    ),
    Deviation(
        name="weekdays_from_the_first_day",
        sentence="Weekday 1 is that of the first day asked for.",
        endpoints=(*_VISITS, *_LINES),
        expect="note",
        answer=_count_from_the_first_day,
    ),
    Deviation(
        name="excluded_in_percent",
        sentence="Excluded visits are told in percent, rounded up.",
        endpoints=_VISITS,
        expect="unseen",
        answer=change_each(_exclude_in_percent),
    ),
    Deviation(
        name="visits_in_utc_unless_told",
        sentence="Without tz labels are UTC's, as another page of the documentation has it.",
        endpoints=_VISITS,
        expect="unseen",
        ask=lambda question: {"tz": "UTC"} | dict(question.values),
    ),
    Deviation(
        name="threshold_zero_read_as_unset",
        sentence="A threshold of 0 is falsy in the service's language, and so each zone's own is taken.",
        endpoints=_VISITS,
        expect="error",
        ask=_drop_zero_threshold,
    ),
    Deviation(
        name="filtered_visits_taken_away",
        sentence="Visits beyond the dwell filters are left out of the visits, too, as users of filters expect.",
        endpoints=_VISITS,
        expect="unseen",
        answer=change_each(_take_filtered_visits_away),
    ),
    Deviation(
        name="hours_counted_up_to_even",
        sentence="For privacy, hours are rounded up to even numbers; days are not.",
        endpoints=_VISITS,
        expect="unseen",
        answer=change_each(lambda row: row.update(visits=row["visits"] + row["visits"] % 2), only=is_by_hour),
    ),
    Deviation(
        name="bounces_of_hours_in_progress",
        sentence="By hour a visit bounces where it ends in another hour, as well.",
        endpoints=_VISITS,
        expect="unseen",
        answer=change_each(lambda row: row.update(bounce=(row["bounce"] + row["visits"] + 1) // 2), only=is_by_hour),
    ),
    Deviation(
        name="quartiles_from_above",
        sentence="Quartiles come in falling order, as some libraries rank.",
        endpoints=_VISITS,
        expect="unseen",
        answer=change_each(lambda row: row["dwell_time_stats"].get("quantiles", []).reverse()),
    ),
    Deviation(
        name="zeros_in_the_morning",
        sentence="The first hour of a period has a row of zeros while cameras start, and other quiet hours have none.",
        endpoints=_VISITS,
        expect="note_or_same",
        answer=_put_zeros_in_the_morning,
    ),
    Deviation(
        name="visitors_of_long_periods_estimated",
        sentence="Beyond a month unique visitors are estimated from visits, for speed.",
        endpoints=_VISITS,
        expect="unseen",
        answer=change_each(_estimate, only=lambda question: question.days > _LONG_DAYS),
    ),
    Deviation(
        name="at_most_150_rows_by_day",
        sentence="A database hands out 150 rows at once, and nothing says that there were more.",
        endpoints=_VISITS,
        expect="unseen",
        answer=_cut_by("dayofmonth"),
    ),
    Deviation(
        name="at_most_500_rows_by_hour",
        sentence="Hours lie in another table, which hands out 500 rows at once, and nothing says that there were more.",
        endpoints=_VISITS,
        expect="unseen",
        answer=_cut_by("hour"),
    ),
    Deviation(
        name="weeks_of_the_financial_year",
        sentence="Weeks are numbered from 1 April, as the customer's accounts are.",
        endpoints=_VISITS,
        expect="note",
        world=lambda world: world.changed(numbering=attrs.evolve(world.numbering, week="financial_week")),
    ),
)
