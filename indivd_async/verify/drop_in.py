"""Whether the sections of drop_in_rate agree, with one another and with the visits of zone_visitors."""

from __future__ import annotations

from collections.abc import Mapping

from .crossings import judge_months
from .lengths import judge_refusal
from .questions import number, whole
from .reading import DropIns, Row, add_up
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds, total

#: One decimal of a percent, and what rounding twice can do.
_ROUNDING = 0.0501


def _some(seen: Seen, name: str) -> DropIns:
    found = seen.drop_ins(name)
    if not found.zones and not found.details:
        raise CannotTellError("no passing lines are set up at this location")
    if not any(row.count("enter") or row.count("passing_by") for row in found.details):
        raise CannotTellError("nobody passed or entered in these days")
    return found


def _zones(seen: Seen) -> Mapping[int, tuple[Row, list[Row]]]:
    zones = _some(seen, "drop-in by day").zones
    if not zones:
        raise CannotTellError("the answer has no zones")
    return zones


def _summary_is_its_details(seen: Seen) -> Judgement:
    for name in ("drop-in by day", "drop-in by month, the whole range"):
        found = _some(seen, name)
        for figure in ("enter", "passing_by"):
            told, summed = whole(found.summary.get(figure)), total(add_up(found.details, figure))
            if told != summed:
                return fails(f"{figure} of the summary is not the sum of the details", f"{told} and {summed:,}")
    return holds("the summary is the sum of the details")


def _zones_are_their_details(seen: Seen) -> Judgement:
    for block, rows in _zones(seen).values():
        for figure in ("visits", "passing_by"):
            if block.count(figure) != total(add_up(rows, figure)):
                return fails(f"total_{figure} of a zone is not the sum of its details")
    return holds("the totals of each zone are the sums of its details")


def _entries_add_up(seen: Seen) -> Judgement:
    found = _some(seen, "drop-in by day")
    told, summed = whole(found.summary.get("enter")), sum(block.count("visits") for block, _ in found.zones.values())
    figures = f"{told} and {summed:,}"
    return (
        holds("the zones' visits make the summary's entries", figures)
        if told == summed
        else fails("the zones' visits do not make the summary's entries", figures)
    )


def _passing_lines_are_not_shared(seen: Seen) -> Judgement:
    found = _some(seen, "drop-in by day")
    if len(found.zones) < 2:
        raise CannotTellError("fewer than two zones of the location have passing lines")
    told = whole(found.summary.get("passing_by")) or 0
    summed = sum(block.count("passing_by") for block, _ in found.zones.values())
    figures = f"{told:,} in the summary, {summed:,} of the zones"
    if told == summed:
        return holds("the zones' passers-by make the summary's", figures, passing_lines_shared=False)
    if told < summed:
        return fails(
            "the zones have more passers-by together than the summary: lines are shared",
            figures,
            passing_lines_shared=True,
        )
    return fails("the summary has more passers-by than the zones together", figures)


def _rates_are_percent(seen: Seen) -> Judgement:
    found = _some(seen, "drop-in by day")
    rates: list[tuple[float | None, int, int]] = [
        (row.figures["rate"], row.count("enter"), row.count("passing_by")) for row in found.details
    ]
    rates += [
        (row.figures["rate"], row.count("visits"), row.count("passing_by"))
        for block, rows in found.zones.values()
        for row in (block, *rows)
    ]
    summary = found.summary
    rates.append(
        (
            number(summary.get("enter_percentage")),
            whole(summary.get("enter")) or 0,
            whole(summary.get("passing_by")) or 0,
        )
    )
    if any(rate is None and passing_by for rate, _, passing_by in rates):
        return fails("some rate is missing, or no number, though there are passers-by")
    for rate, enter, passing_by in rates:
        if rate is not None and passing_by and abs(rate - 100 * enter / passing_by) > _ROUNDING:
            if abs(rate - enter / passing_by) <= _ROUNDING / 100:
                return fails("rates are fractions of 1, not percent")
            return fails(
                "some rate is not 100 · entries / passers-by, to one decimal",
                f"{rate} for {enter:,} of {passing_by:,}",
            )
    return holds("each rate is 100 · entries / passers-by, to one decimal")


def _interval_is_echoed(seen: Seen) -> Judgement:
    heard = 0
    for name, asked in (("drop-in of two periods", "day"), ("drop-in of the zone by hour", "hour")):
        if name not in seen.heard or not seen.heard[name].is_ok:
            continue
        told = seen.read(name, "interval", lambda document: document.get("details").get("interval"))
        if told is None:
            raise CannotTellError("the answers do not say their interval")
        if told != asked:
            return fails(f"asked for {asked}, an answer says {told}")
        heard += 1
    if not heard:
        raise CannotTellError("drop_in_rate was not answered")
    return holds("the interval asked for is repeated")


def _hours_make_the_days(seen: Seen) -> Judgement:
    zone = seen.course.zone
    days, hours = _some(seen, "drop-in by day").zones, seen.drop_ins("drop-in of the zone by hour").zones
    if zone is None or zone not in days or zone not in hours:
        raise CannotTellError("no passing lines are set up for this zone")
    for figure in ("visits", "passing_by"):
        told, summed = days[zone][0].count(figure), hours[zone][0].count(figure)
        if told != summed:
            return fails(f"{figure} of a zone differ by hour and by day", f"{told:,} and {summed:,}")
    return holds("a zone has the same visits and passers-by, by hour and by day")


def _entries_are_visits(seen: Seen) -> Judgement:
    blocks = _zones(seen)
    visits = add_up(seen.some_visits("visits by day"), "visits", ("zone",))
    told = {zone: block.count("visits") for zone, (block, _) in blocks.items()}
    figures = f"{sum(told.values()):,} and {sum(visits[zone] for zone in told):,}"
    if all(visits[zone] == n for zone, n in told.items()):
        return holds("the visits of drop_in_rate are those of zone_visitors", figures)
    return fails("the visits of drop_in_rate are not those of zone_visitors", figures)


def _long_periods_are_whole(seen: Seen) -> Judgement:
    name = "drop-in by month, the whole range"
    if (refused := judge_refusal(seen, name)) is not None:
        return refused
    found = _some(seen, name)
    are_visits = _entries_are_visits(seen).verdict == "holds"
    told = add_up(found.details, "enter", ("year", "month"))
    return judge_months(seen, "drop_in_rate", told, set(found.zones), are_visits=are_visits)


DROP_IN = (
    Assumption(
        "summary_is_its_details",
        "The summary of drop_in_rate is the sum of its details.",
        "a week by days, and the whole range by months",
        _summary_is_its_details,
        "which of the two to show",
    ),
    Assumption(
        "zone_totals_are_their_details",
        "The totals of a zone are the sums of its details.",
        "a week by days",
        _zones_are_their_details,
        "which of the two to show",
    ),
    Assumption(
        "entries_add_up_over_zones",
        "The visits of the zones make the entries of the summary.",
        "a week by days, all zones of the location",
        _entries_add_up,
        "whether zones may be added up",
        ("summary_is_its_details", "zone_totals_are_their_details", "drop_in_zone_honoured"),
    ),
    Assumption(
        "passing_lines_not_shared",
        "The passers-by of the zones make those of the summary: no passing line counts for two zones.",
        "a week by days, all zones of the location",
        _passing_lines_are_not_shared,
        "whether passers-by of zones may be added up",
    ),
    Assumption(
        "rates_are_percent",
        "Rates are 100 · entries / passers-by, to one decimal.",
        "every rate of a week by days",
        _rates_are_percent,
        "rates that are recomputed from counts",
        ("summary_is_its_details", "zone_totals_are_their_details"),
    ),
    Assumption(
        "interval_echoed",
        "drop_in_rate says the interval that it was asked for.",
        "details.interval, beside the question",
        _interval_is_echoed,
        "what a row covers",
    ),
    Assumption(
        "drop_in_hours_add_up",
        "A zone has the same visits and passers-by, by hour and by day.",
        "a zone's week by hours and by days",
        _hours_make_the_days,
        "whether hours may be summed to days",
        ("zone_totals_are_their_details",),
    ),
    Assumption(
        "drop_in_entries_are_visits",
        "The visits of drop_in_rate are those of zone_visitors.",
        "a week of each zone with passing lines",
        _entries_are_visits,
        "whether the two endpoints may be compared",
        ("zone_totals_are_their_details", "drop_in_location_honoured"),
    ),
    Assumption(
        "drop_in_long_period_whole",
        "A long period of drop_in_rate is answered whole.",
        "the whole range by month, beside the months in which its zones were visited",
        _long_periods_are_whole,
        rests_on=("rows_not_capped_by_day",),
    ),
)
