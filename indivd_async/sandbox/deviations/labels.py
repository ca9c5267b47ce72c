"""Labels of other names, other numbering, or that tell less than they should."""

from __future__ import annotations

from calendar import day_name
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import attrs

from ..aggregation import World
from .deviation import DATA, Deviation, Question, Reply, relabel

_Label = dict[str, Any]


def _relabel(change: Callable[[_Label], _Label]) -> Callable[[Question, Reply], None]:
    return lambda question, reply: relabel(question, reply, change)


def _number(**names: str) -> Callable[[World], World]:
    """Number weeks or weekdays by these readers of the sandbox's clocks."""
    return lambda world: world.changed(numbering=attrs.evolve(world.numbering, **names))


def _rename(**names: str) -> Callable[[Question, Reply], None]:
    return _relabel(lambda label: {names.get(name, name): value for name, value in label.items()})


def _rename_iso_weeks(label: _Label) -> _Label:
    if "week" not in label:
        return label
    return {{"year": "isoWeekYear", "week": "isoWeek"}.get(name, name): value for name, value in label.items()}


def _leave_out_year(label: _Label) -> _Label:
    return {name: value for name, value in label.items() if name != "year"}


def _keep_the_finest(label: _Label) -> _Label:
    return dict([list(label.items())[-1]]) if label else label


def _pack_week(label: _Label) -> _Label:
    return {"week": 100 * label["year"] + label["week"]} if {"year", "week"} <= label.keys() else label


def _day_of(label: _Label) -> int:
    return int(label.get("day") or label.get("dayofmonth") or 0)


def _write_as_date(label: _Label) -> _Label:
    """Put one date in the place of year, month and day; what is finer stays."""
    if not _day_of(label):
        return label
    day = date(label["year"], label["month"], _day_of(label)).isoformat()
    return {"date": day} | {name: label[name] for name in ("hour", "minute") if name in label}


def _day_of_year(label: _Label) -> _Label:
    if not _day_of(label):
        return label
    day = date(label["year"], label["month"], _day_of(label))
    rest = {name: label[name] for name in ("hour", "minute") if name in label}
    return {"year": day.year, "dayofyear": day.timetuple().tm_yday} | rest


def _swap_day_names(label: _Label) -> _Label:
    names = {"day": "dayofmonth", "dayofmonth": "day"}
    return {names.get(name, name): value for name, value in label.items()}


def _months_from_0(label: _Label) -> _Label:
    return label | {"month": label["month"] - 1} if "month" in label else label


def _as_text(label: _Label) -> _Label:
    return {name: str(value) for name, value in label.items()}


def _name_weekdays(label: _Label) -> _Label:
    return label | {"dayofweek": day_name[(label["dayofweek"] + 5) % 7]} if "dayofweek" in label else label


def _write_hours(label: _Label) -> _Label:
    return label | {"hour": f"{label['hour']:02}:00"} if "hour" in label else label


def _write_as_moment(label: _Label) -> _Label:
    """Put milliseconds since 1970 in the place of all."""
    if not _day_of(label):
        return label
    wall = datetime(label["year"], label["month"], _day_of(label), label.get("hour", 0), tzinfo=UTC)
    return {"timestamp": 1_000 * int(wall.timestamp())}


def _flatten(_question: Question, reply: Reply) -> None:
    """Make a text of the labels of line_crosses, as a group by one expression has them."""
    for row in reply.document:
        row["_id"] = "-".join(f"{value:02}" for value in row["_id"].values())


LABEL_DEVIATIONS = (
    Deviation(
        name="iso_weeks_under_their_names",
        sentence="Weeks are ISO's, under the names that MongoDB has for them: isoWeekYear and isoWeek.",
        endpoints=DATA,
        expect="error_or_note",
        world=_number(week="iso_week", week_year="iso_year"),
        answer=_relabel(_rename_iso_weeks),
    ),
    Deviation(
        name="iso_weeks",
        sentence="Weeks are numbered as in ISO 8601, from Monday, with the year that most of the week lies in.",
        endpoints=DATA,
        expect="note",
        world=_number(week="iso_week", week_year="iso_year"),
    ),
    Deviation(
        name="iso_weeks_of_calendar_years",
        sentence="Weeks are ISO's beside the calendar's year, so that the end of December joins January's week 1.",
        endpoints=DATA,
        expect="note",
        world=_number(week="iso_week"),
    ),
    Deviation(
        name="sunday_weeks_from_1",
        sentence="Weeks begin on Sunday, and week 1 is the one with 1 January, as in American calendars.",
        endpoints=DATA,
        expect="note",
        world=_number(week="first_sunday_week"),
    ),
    Deviation(
        name="monday_weeks_from_0",
        sentence="Weeks begin on Monday and are numbered from 0, as strftime's %W.",
        endpoints=DATA,
        expect="note",
        world=_number(week="monday_week_from_0"),
    ),
    Deviation(
        name="weekdays_from_monday",
        sentence="Weekdays are numbered as in ISO 8601: 1 is Monday, 7 is Sunday.",
        endpoints=("line_crosses", "zone_visitors"),
        expect="note",
        world=_number(dayofweek="iso_weekday"),
    ),
    Deviation(
        name="weekdays_from_0_on_sunday",
        sentence="Weekdays are numbered as PostgreSQL's `dow` and JavaScript do: 0 is Sunday.",
        endpoints=("line_crosses", "zone_visitors"),
        expect="note",
        world=_number(dayofweek="weekday_from_0_sunday"),
    ),
    Deviation(
        name="weekdays_from_0_on_monday",
        sentence="Weekdays are numbered as in Python: 0 is Monday.",
        endpoints=("line_crosses", "zone_visitors"),
        expect="note",
        world=_number(dayofweek="weekday_from_0_monday"),
    ),
    Deviation(
        name="labels_without_year",
        sentence="A week is grouped by its number only, and a month by its own; the year is left out.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_relabel(_leave_out_year),
    ),
    Deviation(
        name="finest_label_only",
        sentence="A row is labelled with the field it was grouped by, and not with those above it: hours have no date.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_relabel(_keep_the_finest),
    ),
    Deviation(
        name="hours_over_all_days",
        sentence="Grouping by hour means the hour of the day: nine o'clock of all days in one row.",
        endpoints=("zone_visitors",),
        expect="error_or_note",
        world=lambda world: world.changed(parents=False),
    ),
    Deviation(
        name="packed_weeks",
        sentence="Year and week are one number, such as 202510, which sorts well.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_relabel(_pack_week),
    ),
    Deviation(
        name="days_as_dates",
        sentence="A day is written as a date, under the name `date`.",
        endpoints=DATA,
        expect="any",
        answer=_relabel(_write_as_date),
    ),
    Deviation(
        name="days_of_the_year",
        sentence="A day is numbered within its year, as MongoDB's $dayOfYear does.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_relabel(_day_of_year),
    ),
    Deviation(
        name="days_by_the_other_name",
        sentence="The article itself has both names for the day: `day` and `dayofmonth`, each where the other was.",
        endpoints=DATA,
        expect="any",
        answer=_relabel(_swap_day_names),
    ),
    Deviation(
        name="camel_case_labels",
        sentence="Labels are written as MongoDB's operators are: dayOfMonth, dayOfWeek.",
        endpoints=DATA,
        expect="any",
        answer=_rename(dayofmonth="dayOfMonth", day="dayOfMonth", dayofweek="dayOfWeek"),
    ),
    Deviation(
        name="months_from_0",
        sentence="Months pass through JavaScript's dates, where January is 0.",
        endpoints=DATA,
        expect="error",
        answer=_relabel(_months_from_0),
    ),
    Deviation(
        name="weekdays_by_name",
        sentence="Weekdays are written out: Monday.",
        endpoints=("line_crosses", "zone_visitors"),
        expect="error",
        answer=_relabel(_name_weekdays),
    ),
    Deviation(
        name="hours_as_clock_times",
        sentence="Hours are written as on a clock: 09:00.",
        endpoints=DATA,
        expect="error_or_same",
        answer=_relabel(_write_hours),
    ),
    Deviation(
        name="labels_as_one_moment",
        sentence="A bucket is labelled with the moment it begins at, in milliseconds.",
        endpoints=DATA,
        expect="error_or_note",
        answer=_relabel(_write_as_moment),
    ),
    Deviation(
        name="labels_as_one_text",
        sentence="Rows are grouped by a formatted date, which is their whole id.",
        endpoints=("line_crosses",),
        expect="error_or_same",
        answer=_flatten,
    ),
    Deviation(
        name="labels_as_text",
        sentence='Labels are keys of a group, and keys are text: "2025".',
        endpoints=DATA,
        expect="error_or_same",
        answer=_relabel(_as_text),
    ),
)
