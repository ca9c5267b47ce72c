"""How weeks and weekdays are numbered: the numbering under which the sums of single days fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from datetime import date
from typing import Any

from ..profile import WEEKDAYS, WEEKS
from .reading import Row
from .seen import CannotTellError, Judgement, Seen, Table, expect, holds, need

NUMBERING = Table()
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
_KNOWN: Mapping[str, Mapping[str, Callable[[date], Any]]] = {"weeks": WEEKS, "weekdays": WEEKDAYS}
_LABELS = {"weeks": "week", "weekdays": "dayofweek"}


def fitting(what: str, days: list[Row], told: list[Row], figure: str = "visits") -> list[str]:
    """Name the numberings of *what*, weeks or weekdays, under which *days*, where not cut by their ends, add up."""
    name = _LABELS[what]
    need(all(name in row.labels for row in told), f"{what} come as {', '.join(told[0].names) or 'nothing'}")
    dated = [(row, row.day) for row in days if row.day is not None]
    need(dated, "the days do not tell their dates")
    # What weeks without their year are held against has none either.
    parts = ("year", name) if what == "weeks" and all("year" in row.labels for row in told) else (name,)
    fits = []
    for numbering, number in _KNOWN[what].items():
        labels = {day: _under(number(day), len(parts)) for _, day in dated}
        cut = {labels[min(labels)], labels[max(labels)]} if what == "weeks" else set()
        left: Counter[tuple[int | None, Hashable]] = Counter()
        for row, day in dated:
            left[row.zone, labels[day]] += row.count(figure)
        for row in told:
            left[row.zone, tuple(row.labels[part] for part in parts)] -= row.count(figure)
        if all(label in cut for (_, label), n in left.items() if n):
            fits.append(numbering)
    return fits


def _under(label: Any, length: int) -> tuple[int, ...]:
    return (label if isinstance(label, tuple) else (label,))[-length:]


def numberings_of_visits(seen: Seen, what: str) -> list[str]:
    """Name the numberings of *what*, weeks or weekdays, that zone_visitors may have."""
    if what == "weekdays":
        return fitting(what, seen.grouped("visits by day"), seen.counting("visits", "visits by weekday"))
    known = fitting(what, seen.new_year_days, seen.counting("visits", "visits by week"))
    with suppress(CannotTellError):  # where it was asked for, and somebody came
        days, weeks = (seen.counting("visits", f"visits by {unit}, another New Year") for unit in ("day", "week"))
        known = [name for name in fitting(what, days, weeks) if name in known]
    return known


def _words(name: str, what: str) -> str:
    if what == "weeks":
        return IN_WORDS[name]
    first, number = name.split("-")
    return f"{number} for {first.capitalize()} and so on"


def _numbered(seen: Seen, what: str) -> Judgement:
    known = numberings_of_visits(seen, what)
    expect(known, f"the {what} fit none of the {len(_KNOWN[what])} numberings that are known")
    words = [_words(name, what) for name in known]
    need(len(known) == 1, f"several numberings fit: {'; '.join(words)}")
    return holds(f"{what} are numbered {words[0]}", learned={what: known[0]})


NUMBERING.add(
    "Weeks are numbered in a known way, over a New Year too.",
    name="weeks_numbered",
    decides="which days a week is of, and whether weeks may be cut at a year's end",
    rests_on=("weeks_carry_years",),
    given={"what": "weeks"},
)(_numbered)


@NUMBERING.add(
    "A week tells its year, in a field of that name.", decides="whether the same week of two years stays apart"
)
def _weeks_carry_years(seen: Seen) -> None:
    rows = seen.counting("visits", "visits by week")
    have_years = all({"year", "week"} <= row.labels.keys() for row in rows)
    expect(have_years, f"weeks come as {', '.join(rows[0].names) or 'nothing'}")
    other = {name for row in rows for name in row.names} - {"year", "month", "week"}
    expect(not other, f"weeks come under other names than documented: {', '.join(sorted(other))}")


NUMBERING.add(
    "Weekdays are numbered in a known way.",
    name="weekdays_numbered",
    decides="which weekday a number is",
    given={"what": "weekdays"},
)(_numbered)
