"""How weeks and weekdays are numbered: the numbering under which the sums of single days fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import date
from functools import partial
from typing import Any

from ..profile import WEEKDAYS, WEEKS
from .reading import Row
from .seen import Assumption, CannotTellError, Judgement, Seen, cannot_tell, fails, holds

#: Numberings of weeks in words.
IN_WORDS: Mapping[str, str] = {
    "iso": "ISO 8601, under the year the week belongs to",
    "iso-calendar-year": "ISO 8601, but under the calendar year of each day",
    "sunday-0": "from Sunday, 0 to 53",
    "monday-0": "from Monday, 0 to 53",
    "sunday-1": "from Sunday, 1 to 54",
    "monday-1": "from Monday, 1 to 54",
    "from-1-january": "seven days each, counted from 1 January",
}
Sums = Counter[Hashable]
#: Asked by deep runs: what one New Year leaves open another may settle.
OTHER_YEAR_WEEKS, OTHER_YEAR_DAYS = "visits by week, another New Year", "visits by day, another New Year"


def fit_labels(
    days: list[Row],
    told: list[Row],
    label: Callable[[date], Hashable],
    key: Callable[[Row], Hashable],
    *,
    figure: str = "visits",
    whole: bool = False,
) -> bool:
    """
    Tell whether days, put under the labels that *label* gives them, add up to the rows that were *told*.

    With *whole*, labels that the first or the last day falls under are left out: the period may cut them.
    """
    dated = [(row, row.day) for row in days if row.day is not None]
    if not dated:
        raise CannotTellError("the days do not tell their dates")
    labels = {day: label(day) for day in {day for _, day in dated}}
    ends = {labels[pick(labels)] for pick in (min, max)} if whole else set[Hashable]()
    expected: Sums = Counter()
    for row, day in dated:
        expected[row.zone, labels[day]] += row.count(figure)
    found: Sums = Counter()
    for row in told:
        found[row.zone, key(row)] += row.count(figure)
    return {k: n for k, n in expected.items() if n and _under(k) not in ends} == {
        k: n for k, n in found.items() if n and _under(k) not in ends
    }


def _under(key: Hashable) -> Hashable:
    assert isinstance(key, tuple)
    label: Hashable = key[1]
    return label


def fitting_weekdays(days: list[Row], told: list[Row], figure: str = "visits") -> list[str]:
    """Name the numberings of weekdays under which *days* add up to what was *told*."""
    if not all("dayofweek" in row.labels for row in told):
        raise CannotTellError(f"weekdays come as {', '.join(told[0].names) or 'nothing'}")
    return [name for name, label in WEEKDAYS.items() if fit_labels(days, told, label, _weekday_of, figure=figure)]


def _weekday_of(row: Row) -> Hashable:
    return row.labels.get("dayofweek")


def fitting_weeks(days: list[Row], told: list[Row], figure: str = "visits") -> list[str]:
    """Name the numberings of weeks under which *days* add up to what was *told*, but for weeks that its ends cut."""
    if not all("week" in row.labels for row in told):
        raise CannotTellError(f"weeks come as {', '.join(told[0].names) or 'nothing'}")
    with_year = all("year" in row.labels for row in told)
    key = partial(_week_of, with_year=with_year)
    return [
        name
        for name, label in WEEKS.items()
        if fit_labels(days, told, label if with_year else partial(_without_year, label), key, figure=figure, whole=True)
    ]


def numberings_of_visits(seen: Seen, what: str) -> list[str]:
    """Name the numberings of *what*, weeks or weekdays, that zone_visitors may have."""
    if what == "weekdays":
        return fitting_weekdays(seen.some_visits("visits by day"), seen.some_visits("visits by weekday"))
    fitting = fitting_weeks(seen.new_year_days, seen.some_visits("visits by week"))
    other = other_new_year(seen)
    return fitting if other is None else [name for name in fitting_weeks(*other) if name in fitting]


def other_new_year(seen: Seen) -> tuple[list[Row], list[Row]] | None:
    """Return days and weeks of the New Year before, where they were asked for and somebody came."""
    if OTHER_YEAR_DAYS not in seen.heard:
        return None
    try:
        return seen.some_visits(OTHER_YEAR_DAYS), seen.some_visits(OTHER_YEAR_WEEKS)
    except CannotTellError:
        return None


def _weekdays(seen: Seen) -> Judgement:
    return _judge(numberings_of_visits(seen, "weekdays"), "weekdays", list(WEEKDAYS))


def _weeks(seen: Seen) -> Judgement:
    return _judge(numberings_of_visits(seen, "weeks"), "weeks", list(WEEKS))


def _without_year(label: Callable[[date], tuple[int, int]], day: date) -> Hashable:
    return label(day)[1]


def _week_of(row: Row, *, with_year: bool) -> Hashable:
    week = row.labels.get("week")
    return (row.labels.get("year"), week) if with_year else week


def _judge(fitting: list[str], what: str, tried: list[str]) -> Judgement:
    learned: dict[str, Any] = {}
    if len(fitting) == 1:
        learned[what] = fitting[0]
        return holds(f"{what} are numbered {_words(fitting[0], what)}", **learned)
    if fitting:
        return cannot_tell(f"several numberings fit: {'; '.join(_words(name, what) for name in fitting)}")
    return fails(f"the {what} fit none of the {len(tried)} numberings that are known")


def _words(name: str, what: str) -> str:
    if what == "weeks":
        return IN_WORDS[name]
    first, number = name.split("-")
    return f"{number} for {first.capitalize()} and so on"


def _weeks_carry_years(seen: Seen) -> Judgement:
    told = seen.some_visits("visits by week")
    if all({"year", "week"} <= set(row.labels) for row in told):
        names = {name for row in told for name in row.names}
        if names <= {"year", "month", "week"}:
            return holds("each week tells its year")
        return fails(f"weeks come under other names than documented: {', '.join(sorted(names))}")
    return fails(f"weeks come as {', '.join(told[0].names) or 'nothing'}")


NUMBERING = (
    Assumption(
        name="weeks_numbered",
        sentence="Weeks are numbered in a known way, over a New Year too.",
        decides="which days a week is of, and whether weeks may be cut at a year's end",
        measured="weeks around New Year, fitted to their days under each numbering",
        check=_weeks,
        rests_on=("weeks_carry_years",),
    ),
    Assumption(
        name="weeks_carry_years",
        sentence="A week tells its year, in a field of that name.",
        decides="whether the same week of two years stays apart",
        measured="the labels of weeks around New Year",
        check=_weeks_carry_years,
    ),
    Assumption(
        name="weekdays_numbered",
        sentence="Weekdays are numbered in a known way.",
        decides="which weekday a number is",
        measured="a week by weekday, fitted to its days under each numbering",
        check=_weekdays,
    ),
)
