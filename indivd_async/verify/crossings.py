"""Whether line_crosses counts the lines that were asked for, all of their days, and the people who enter zones."""

from __future__ import annotations

from .course import Course, categories_of
from .lengths import expect_accepted, expect_months
from .questions import whole
from .reading import total
from .seen import Judgement, Seen, Table, expect, held, holds, is_so, need

CROSSINGS = Table()
#: Lines and zones are counted by different means; beyond this share they are not the same people.
_MOST_APART = 0.1
_PARTS = ("crossings into the zone by hour", "crossings of all other lines")


def _count(seen: Seen, name: str) -> int:
    return total(seen.rows(name), "count")


@CROSSINGS.add(
    "The lines into a zone count its visits.",
    decides="whether lines and zones may be compared, and clocks fitted",
    rests_on=("line_zone_to_honoured",),
)
def _lines_count_entries(seen: Seen) -> Judgement:
    crossed = _count(seen, "crossings into the zone by hour")
    entered = total(seen.of_zone(seen.counting("visits", "visits by day")), "visits")
    need(entered, "there was nobody to count in this zone")
    figures = f"{crossed:,} crossings, {entered:,} visits"
    are_near = abs(crossed - entered) <= _MOST_APART * entered
    expect(are_near, "the lines into the zone count others than its visits", figures)
    return holds(f"the lines into the zone count {'exactly' if crossed == entered else 'nearly'} its visits", figures)


@CROSSINGS.add("A long period of line_crosses is answered whole.", rests_on=("rows_not_capped_by_day",))
def _line_long_period_whole(seen: Seen) -> None:
    name = "crossings into the zone by month"
    expect_accepted(seen, name)
    are_visits = is_so(_lines_count_entries, seen)
    expect_months(seen, name, "count", {seen.course.zone}, are_visits=are_visits)


def _filter_honoured(seen: Seen, which: str) -> Judgement:
    """The lines into a zone and all others make all: told apart from a filter that is passed over, which gives all."""
    all_lines = _count(seen, "crossings by day")
    into, rest = (_count(seen, name) for name in _PARTS)
    need(all_lines, "no line was crossed in these days")
    figures = f"{into:,} into the zone, {rest:,} of all other lines, {all_lines:,} in all"
    part, other = (into, rest) if which == "zone_to" else (rest, into)
    if into + rest != all_lines:
        expect(part != all_lines, f"{which} is passed over: all lines of the location are counted", figures)
        need(other != all_lines, "the other filter of this pair is passed over")
        is_rest = into + rest < all_lines and which == "zone_to" and is_so(_lines_count_entries, seen)
        need(not is_rest, "its lines count the zone's visits, but with all others they do not make the location")
    return held(into + rest == all_lines, "the lines into a zone and all others do not make the location", figures)


for _which, _words, _rests_on in (
    ("zone_to", "the lines into the zone", ()),
    ("line_ids", "the lines named", ("line_location_honoured",)),
):
    CROSSINGS.add(
        f"{_which} of line_crosses counts {_words} only.",
        name=f"line_{_which.removeprefix('line_')}_honoured",
        rests_on=("lists_honoured", *_rests_on),
        given={"which": _which},
    )(_filter_honoured)


@CROSSINGS.add("location of line_crosses counts the lines of the location only.", rests_on=("lists_honoured",))
def _line_location_honoured(seen: Seen) -> Judgement:
    need(seen.course.locations > 1, "the token sees one location only")
    all_lines = _count(seen, "crossings by day")
    parts = [_count(seen, name) for name in _PARTS]
    need(all_lines and sum(parts), "no line was crossed in these days")
    need(all_lines not in parts, "a filter of lines that this would be told by is passed over")
    figures = f"{sum(parts):,} by its lines, {all_lines:,} by the location"
    return held(all_lines <= sum(parts), "asked for one location, more is counted than its lines have", figures)


def _is_told_apart(course: Course, by: str) -> bool:
    """Tell whether some lines of the location have another value of a parameter than the one that is asked for."""
    if by == "zone_from":
        return any(whole(line.get("zone_from")) != course.zone for line in course.lines.values())
    if by == "floor":
        return len(course.floors) > 1
    return any(course.category not in categories_of(line) for line in course.lines.values())


def _part_honoured(seen: Seen, name: str, by: str) -> Judgement:
    part, all_lines = _count(seen, name), _count(seen, "crossings by day")
    need(all_lines and part, "none of these lines was crossed in these days")
    need(_is_told_apart(seen.course, by), f"the lines of this location are not told apart by {by}")
    figures = f"{part:,} of {all_lines:,}"
    expect(part != all_lines, f"{by} is passed over: all lines of the location are counted", figures)
    return held(part < all_lines, f"with {by} more is counted than without", figures)


for _by, _words, _name in (
    ("zone_from", "the lines out of the zone only", "crossings out of the zone"),
    ("floor", "the lines of the floor only, basements too", "crossings on the lowest floor"),
    ("category", "the lines of the category only", "crossings of a category"),
):
    CROSSINGS.add(
        f"{_by} of line_crosses counts {_words}.", name=f"line_{_by}_honoured", given={"name": _name, "by": _by}
    )(_part_honoured)
