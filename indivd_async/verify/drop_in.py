"""Whether the sections of drop_in_rate agree, with one another and with the visits of zone_visitors."""

from __future__ import annotations

from .lengths import expect_accepted, expect_months
from .reading import add_up, total
from .seen import FailsError, Judgement, Seen, Table, expect, held, holds, is_so, need

DROP_IN = Table()
#: One decimal of a percent, and what rounding twice can do.
_ROUNDING = 0.0501
_FIGURES = ("enter", "passing_by")


@DROP_IN.add("The summary of drop_in_rate is the sum of its details.", decides="which of the two to show")
def _summary_is_its_details(seen: Seen) -> None:
    for name in ("drop-in by day", "drop-in by month, the whole range"):
        found = seen.some_drop_ins(name)
        for figure in _FIGURES:
            told, summed = found.summary.figures[figure], total(found.details, figure)
            expect(told == summed, f"{figure} of the summary is not the sum of the details", f"{told} and {summed:,}")


@DROP_IN.add("The totals of a zone are the sums of its details.", decides="which of the two to show")
def _zone_totals_are_their_details(seen: Seen) -> None:
    zones = seen.some_drop_ins("drop-in by day").zones
    need(zones, "the answer has no zones")
    are_sums = all(row.count(figure) == total(rows, figure) for row, rows in zones.values() for figure in _FIGURES)
    expect(are_sums, "the total visits or passers-by of a zone are not the sum of its details")


@DROP_IN.add(
    "The visits of the zones make the entries of the summary.",
    decides="whether zones may be added up",
    rests_on=("summary_is_its_details", "zone_totals_are_their_details", "drop_in_zone_honoured"),
)
def _entries_add_up_over_zones(seen: Seen) -> Judgement:
    found = seen.some_drop_ins("drop-in by day")
    told, summed = found.summary.count("enter"), total(found.totals, "enter")
    figures = f"{told:,} and {summed:,}"
    return held(told == summed, "the zones' visits do not make the summary's entries", figures)


@DROP_IN.add(
    "The passers-by of the zones make those of the summary: no passing line counts for two zones.",
    decides="whether passers-by of zones may be added up",
)
def _passing_lines_not_shared(seen: Seen) -> Judgement:
    found = seen.some_drop_ins("drop-in by day")
    need(len(found.zones) > 1, "fewer than two zones of the location have passing lines")
    told, summed = found.summary.count("passing_by"), total(found.totals, "passing_by")
    figures = f"{told:,} in the summary, {summed:,} of the zones"
    words = "the zones have more passers-by together than the summary: lines are shared"
    expect(told >= summed, words, figures, {"passing_lines_shared": True})
    expect(told == summed, "the summary has more passers-by than the zones together", figures)
    return holds(figures=figures, learned={"passing_lines_shared": False})


@DROP_IN.add(
    "Rates are 100 · entries / passers-by, to one decimal.",
    decides="rates that are recomputed from counts",
    rests_on=("summary_is_its_details", "zone_totals_are_their_details"),
)
def _rates_are_percent(seen: Seen) -> None:
    found = seen.some_drop_ins("drop-in by day")
    of_zones = [row for _, rows in found.zones.values() for row in rows]
    for row in [*found.details, *found.totals, *of_zones, found.summary]:
        rate, enter, passing_by = row.figures["rate"], row.count("enter"), row.count("passing_by")
        if not passing_by:
            continue
        if rate is None:
            raise FailsError("some rate is missing, or no number, though there are passers-by")
        share = enter / passing_by
        words = "some rate is not 100 · entries / passers-by, to one decimal"
        if abs(rate - share) <= _ROUNDING / 100:
            words = "rates are fractions of 1, not percent"
        expect(abs(rate - 100 * share) <= _ROUNDING, words, f"{rate} for {enter:,} of {passing_by:,}")


@DROP_IN.add("drop_in_rate says the interval that it was asked for.", decides="what a row covers")
def _interval_echoed(seen: Seen) -> None:
    for name, heard in seen.each("drop_in_rate"):
        if (asked := heard.question.params.get("interval")) is not None:
            told = seen.read(name, "interval", lambda document: document.get("details").get("interval"))
            need(told is not None, "the answers do not say their interval")
            expect(told == asked, f"asked for {asked}, an answer says {told}")


@DROP_IN.add(
    "A zone has the same visits and passers-by, by hour and by day.",
    decides="whether hours may be summed to days",
    rests_on=("zone_totals_are_their_details",),
)
def _drop_in_hours_add_up(seen: Seen) -> None:
    seen.some_drop_ins("drop-in by day")
    days, hours = (seen.drop_ins_of_zone(name)[0] for name in ("drop-in by day", "drop-in of the zone by hour"))
    for figure, words in zip(_FIGURES, ("visits", "passers-by"), strict=True):
        told, summed = days.count(figure), hours.count(figure)
        expect(told == summed, f"{words} of a zone differ by hour and by day", f"{told:,} and {summed:,}")


@DROP_IN.add(
    "The visits of drop_in_rate are those of zone_visitors.",
    decides="whether the two endpoints may be compared",
    rests_on=("zone_totals_are_their_details", "drop_in_location_honoured"),
)
def _drop_in_entries_are_visits(seen: Seen) -> Judgement:
    zones = seen.some_drop_ins("drop-in by day").totals
    need(zones, "the answer has no zones")
    visits = add_up(seen.counting("visits", "visits by day"), "visits", ("zone",))
    figures = f"{total(zones, 'enter'):,} and {sum(visits[row.zone] for row in zones):,}"
    are_same = all(visits[row.zone] == row.count("enter") for row in zones)
    return held(are_same, "the visits of drop_in_rate are not those of zone_visitors", figures)


@DROP_IN.add("A long period of drop_in_rate is answered whole.", rests_on=("rows_not_capped_by_day",))
def _drop_in_long_period_whole(seen: Seen) -> None:
    name = "drop-in by month, the whole range"
    expect_accepted(seen, name)
    zones = seen.some_drop_ins(name).zones.keys()
    expect_months(seen, name, "enter", zones, are_visits=is_so(_drop_in_entries_are_visits, seen))
