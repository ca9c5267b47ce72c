"""Whether line_crosses counts the lines that were asked for, all of their days, and the people who enter zones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from ..profile import MostDays
from .course import FIRST_DAYS, categories_of
from .lengths import judge_refusal
from .questions import whole
from .reading import add_up, fitting_length
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds, total

#: Lines and zones are counted by different means; beyond this share they are not the same people.
_MOST_APART = 0.1
_MONTHS_APART = 0.25


def _lines_of(seen: Seen, name: str) -> int:
    return total(add_up(seen.crossings(name), "count"))


def _line_filters(seen: Seen, which: str) -> Judgement:
    """The lines into a zone and all others make all: told apart from a filter that is passed over, which gives all."""
    whole_count = _lines_of(seen, "crossings by day")
    into = _lines_of(seen, "crossings into the zone by hour")
    rest = _lines_of(seen, "crossings of all other lines")
    if not whole_count:
        raise CannotTellError("no line was crossed in these days")
    figures = f"{into:,} into the zone, {rest:,} of all other lines, {whole_count:,} in all"
    if into + rest == whole_count:
        return holds("the lines into a zone, by zone_to, and all others, by line_ids, make the location", figures)
    part, other = (into, rest) if which == "zone_to" else (rest, into)
    if part == whole_count:
        return fails(f"{which} is passed over: all lines of the location are counted", figures)
    if other == whole_count:
        raise CannotTellError("the other filter of this pair is passed over")
    if into + rest < whole_count and which == "zone_to" and _lines_are_entries(seen).verdict == "holds":
        raise CannotTellError("its lines count the zone's visits, but with all others they do not make the location")
    return fails("the lines into a zone and all others do not make the location", figures)


def _line_location(seen: Seen) -> Judgement:
    if seen.course.locations < 2:
        raise CannotTellError("the token sees one location only")
    whole_count = _lines_of(seen, "crossings by day")
    into, rest = _lines_of(seen, "crossings into the zone by hour"), _lines_of(seen, "crossings of all other lines")
    if not whole_count or not into + rest:
        raise CannotTellError("no line was crossed in these days")
    if whole_count in (into, rest):
        raise CannotTellError("a filter of lines that this would be told by is passed over")
    figures = f"{into + rest:,} by its lines, {whole_count:,} by the location"
    if whole_count > into + rest:
        return fails("asked for one location, more is counted than its lines have", figures)
    return holds("asked for one location, what its lines have is counted", figures)


def _line_part(seen: Seen, name: str, what: str, is_all: Callable[[Seen], bool]) -> Judgement:
    part = _lines_of(seen, name)
    whole_count = _lines_of(seen, "crossings by day")
    if not whole_count or not part:
        raise CannotTellError("none of these lines was crossed in these days")
    figures = f"{part:,} of {whole_count:,}"
    if is_all(seen):
        raise CannotTellError(f"the lines of this location are not told apart by {what}")
    if part == whole_count:
        return fails(f"{what} is passed over: all lines of the location are counted", figures)
    if part > whole_count:
        return fails(f"with {what} more is counted than without", figures)
    return holds(f"with {what} a part of the location's crossings is counted", figures)


def _one_floor(seen: Seen) -> bool:
    return len(seen.course.floors) < 2


def _one_way(seen: Seen) -> bool:
    return all(whole(line.get("zone_from")) == seen.course.zone for line in seen.course.lines.values())


def _one_category(seen: Seen) -> bool:
    return all(seen.course.category in categories_of(line) for line in seen.course.lines.values())


def _lines_are_entries(seen: Seen) -> Judgement:
    zone = seen.course.zone
    crossed = _lines_of(seen, "crossings into the zone by hour")
    entered = total(add_up([row for row in seen.some_visits("visits by day") if row.zone == zone], "visits"))
    if not entered:
        raise CannotTellError("there was nobody to count in this zone")
    figures = f"{crossed:,} crossings, {entered:,} visits"
    if abs(crossed - entered) <= _MOST_APART * entered:
        word = "exactly" if crossed == entered else "nearly"
        return holds(f"the lines into the zone count {word} its visits", figures)
    return fails("the lines into the zone count others than its visits", figures)


def judge_months(
    seen: Seen, endpoint: str, told: Counter[Hashable], zones: set[int | None], *, are_visits: bool
) -> Judgement:
    """
    Hold the months of a long answer, by (year, month), against the days of the zones, wherever days are known from.

    All months must be there; with *are_visits* their counts must be near the visits, too, but for the days at the ends,
    which midnights of another clock may cut.
    """
    first, last = seen.course.range
    rows = [row for row in seen.some_visits("visits by day, the whole range") if row.zone in zones and row.day]
    days = {row.day for row in rows}
    week = [row for row in seen.visits("visits by day") if row.zone in zones and row.day not in days]
    came = add_up([*rows, *week], "visits", ("year", "month"))
    ends = add_up([row for row in rows if row.day in (first, last)], "visits", ("year", "month"))
    alone = seen.heard.get(FIRST_DAYS)  # asked where the days begin late
    if alone is not None and alone.is_ok:
        early = [row for row in seen.visits(FIRST_DAYS) if row.zone in zones]
        came[first.year, first.month] += total(add_up(early, "visits"))
    if not any(came.values()):
        raise CannotTellError("there was nobody to count in these zones")
    is_whole = not week and alone is None
    missing = [key for key, n in came.items() if n and not told[key]]
    few = [key for key, n in came.items() if n - told[key] > _MONTHS_APART * n + ends[key]]
    many = [key for key, n in came.items() if told[key] - n > _MONTHS_APART * n + ends[key]]
    if missing or (are_visits and few):
        length = fitting_length(rows, first, last, total(told)) if are_visits else None
        limits = [MostDays(endpoint=endpoint, unit="any", days=length)] if length else []
        learned: dict[str, Any] = {"most_days": limits} if limits else {}
        what = f"{len(missing)} of {len(came)} months are missing" if missing else "some months are far too low"
        known = f": it is that of {length} days only" if length else ""
        return fails(f"asked for {first} to {last}, {what}{known}", **learned)
    if many and are_visits:
        if not is_whole:
            raise CannotTellError("the days that it would be held against are not answered whole themselves")
        return fails(f"asked for {first} to {last}, some months are far too high")
    return holds("every month in which the zone was visited is there")


def _long_periods_are_whole(seen: Seen) -> Judgement:
    name = "crossings into the zone by month"
    if (refused := judge_refusal(seen, name)) is not None:
        return refused
    rows = seen.crossings(name)
    are_visits = _lines_are_entries(seen).verdict == "holds"
    told = add_up(rows, "count", ("year", "month"))
    return judge_months(seen, "line_crosses", told, {seen.course.zone}, are_visits=are_visits)


CROSSINGS = (
    Assumption(
        "lines_count_entries",
        "The lines into a zone count its visits.",
        "a week of a zone's entry lines, beside its visits",
        _lines_are_entries,
        "whether lines and zones may be compared, and clocks fitted",
        ("line_zone_to_honoured",),
    ),
    Assumption(
        "line_long_period_whole",
        "A long period of line_crosses is answered whole.",
        "the whole range by month, beside the months in which the zone was visited",
        _long_periods_are_whole,
        rests_on=("rows_not_capped_by_day",),
    ),
    *(
        Assumption(
            name,
            f"{which} of line_crosses counts {words} only.",
            "lines into a zone by zone_to, all others by line_ids, and the whole location",
            partial(_line_filters, which=which),
            rests_on=("lists_honoured", *rests_on),
        )
        for name, which, words, rests_on in (
            ("line_zone_to_honoured", "zone_to", "the lines into the zone", ()),
            ("line_ids_honoured", "line_ids", "the lines named", ("line_location_honoured",)),
        )
    ),
    Assumption(
        "line_zone_from_honoured",
        "zone_from of line_crosses counts the lines out of the zone only.",
        "the lines out of a zone, beside the whole location",
        partial(_line_part, name="crossings out of the zone", what="zone_from", is_all=_one_way),
    ),
    Assumption(
        "line_location_honoured",
        "location of line_crosses counts the lines of the location only.",
        "the location, beside all of its lines by zone and by id",
        _line_location,
        rests_on=("lists_honoured",),
    ),
    Assumption(
        "line_floor_honoured",
        "floor of line_crosses counts the lines of the floor only, basements too.",
        "the lowest floor, beside the whole location",
        partial(_line_part, name="crossings on the lowest floor", what="floor", is_all=_one_floor),
    ),
    Assumption(
        "line_category_honoured",
        "category of line_crosses counts the lines of the category only.",
        "a category, beside the whole location",
        partial(_line_part, name="crossings of a category", what="category", is_all=_one_category),
    ),
)
