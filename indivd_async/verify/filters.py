"""Whether what is asked for is what is answered: days, comparisons, zones, locations, thresholds, groupings."""

from __future__ import annotations

from .asked import MAX_DWELL_S, MIN_DWELL_S
from .reading import Row, is_grouped, told_dates, total
from .seen import Judgement, Seen, Table, expect, held, need, same_sums

FILTERS = Table()
#: Of so many bounces, some are between two thresholds.
_MANY = 20


@FILTERS.add("An answer is about the days asked for, and says so.")
def _period_echoed(seen: Seen) -> None:
    first, told = seen.course.week[0].isoformat(), False
    for _, heard in seen.each("zone_visitors", "drop_in_rate"):
        for part, prefix in (("current", ""), ("comparison", "comparison_")):
            asked = tuple(heard.question.params.get(f"{prefix}{end}_date", "") for end in ("start", "end"))
            dates = told_dates(heard.document, part)
            if dates is not None and asked[0] >= first:  # of longer periods long_period_whole tells more
                told = True
                expect(dates == asked, f"asked for {' to '.join(asked)}, an answer says {' to '.join(dates)}")
    need(told, "the answers do not say which days they are about")


def _days_within(seen: Seen, name: str) -> None:
    days = sorted({row.day for row in seen.grouped(name) if row.day is not None})
    need(days, "no row tells its day")
    first, last = seen.course.week
    words = f"asked for {first} to {last}, rows are of {days[0]} to {days[-1]}"
    expect(first <= days[0] and days[-1] <= last, words)


for _endpoint, _question in (
    ("zone_visitors", "visits by day"),
    ("line_crosses", "crossings by day"),
    ("drop_in_rate", "drop-in by day"),
):
    FILTERS.add(
        f"Rows of {_endpoint} are of days asked for.", name=f"{_endpoint}_days_within", given={"name": _question}
    )(_days_within)


@FILTERS.add("The last day asked for belongs to the period.", decides="whether pieces of a period touch or leave a gap")
def _last_day_included(seen: Seen) -> None:
    seen.counting("visits", "visits of one day, nothing else said")
    days = [row.day for row in seen.grouped("visits by day") if row.day is not None]
    need(days, "the days do not tell their dates")
    missing = (seen.course.week[1] - max(days)).days
    words = f"the last {missing} days of a period are" if missing > 1 else "its last day is"
    expect(missing <= 0, f"{words} missing in it, though the last has visits when asked for alone")


@FILTERS.add(
    "A comparison of drop_in_rate has the rows that its period has by itself.",
    name="drop_in_comparison_honoured",
    rests_on=("period_echoed",),
    given={"name": "drop-in of two periods", "by_day": "drop-in by day", "figure": "enter"},
)
@FILTERS.add(
    "A comparison has the rows that its period has by itself.",
    name="comparison_honoured",
    rests_on=("period_echoed",),
    given={"name": "visits of two periods", "by_day": "visits by day", "figure": "visits"},
)
def _comparison_honoured(seen: Seen, name: str, by_day: str, figure: str) -> Judgement:
    alone = seen.grouped(by_day)  # asked apart where a comparison is refused: all may be
    found = seen.status_of(name)
    expect(not found.is_refused, f"a comparison is refused with {found.status}")
    params = seen.answer(name).question.params
    first, last = params["comparison_start_date"], params["comparison_end_date"]
    asked = [row for row in alone if first <= str(row.day) <= last]
    need(total(asked, figure), "nobody was counted in the days of the comparison, or they are not told by themselves")
    told = seen.grouped(name, "comparison")
    expect(told, "a comparison was asked for, and none came")
    words = "the comparison has other rows than its days have by themselves"
    return same_sums(asked, told, figure, words, by=("zone", "day"))


@FILTERS.add("Rows are grouped as asked for.")
def _groupings_honoured(seen: Seen) -> None:
    told = False
    for name, heard in seen.each("zone_visitors"):
        asked = heard.question.params.get("aggregate_by")
        rows = seen.rows(name) if asked is not None else []
        if rows and asked is not None:
            told = True
            words = f"asked for {name}, rows are labelled by {', '.join(rows[0].names) or 'nothing'}"
            expect(is_grouped(rows, asked), words)
    need(told, "no row came")


@FILTERS.add(
    "A single day comes by hours where no grouping is named.", decides="what a question without a grouping means"
)
def _one_day_by_hours(seen: Seen) -> None:
    name = "visits of one day, nothing else said"
    found = seen.status_of(name)
    expect(not found.is_refused, f"without a grouping, a day is refused with {found.status}")
    rows = seen.counting("visits", name)
    words = f"a single day comes by {', '.join(rows[0].names) or 'no label at all'}, not by hours"
    expect(all("hour" in row.labels for row in rows), words)


@FILTERS.add(
    "drop_in_rate answers for the zone asked for, and no other.",
    name="drop_in_zone_honoured",
    given={"name": "drop-in of the zone by hour", "by_day": "drop-in by day"},
)
@FILTERS.add(
    "zone_visitors answers for the zones asked for, and no others.",
    name="zones_honoured",
    given={"name": "visits of the zone, filtered", "by_day": "visits by day"},
)
def _zone_honoured(seen: Seen, name: str, by_day: str) -> None:
    zone, (known, told) = seen.course.zone, ({row.zone for row in seen.zoned(each)} for each in (by_day, name))
    need(told, "there was nobody to count in this zone")
    need(zone in known and len(known) > 1, "fewer than two zones of the location have visits, or passing lines")
    expect(told == {zone}, f"asked for zone {zone}, rows of {len(told - {zone})} other zones came")


@FILTERS.add(
    "drop_in_rate answers for the location asked for, and no other.",
    name="drop_in_location_honoured",
    given={"name": "drop-in by day"},
)
@FILTERS.add(
    "zone_visitors answers for the location asked for, and no other.",
    name="location_honoured",
    given={"name": "visits by day"},
)
def _location_honoured(seen: Seen, name: str) -> None:
    course, rows = seen.course, seen.zoned(name)
    need(course.locations > 1, "the token sees one location only")
    need(rows, "there was nobody to count, or no passing lines are set up")
    is_told = course.zones or any(row.location is not None for row in rows)
    need(is_told, "neither the list of zones nor the rows tell their location")
    elsewhere = [row for row in rows if row.location not in (None, course.location)]
    elsewhere += [row for row in rows if course.zones and row.zone not in course.zones]
    expect(not elsewhere, f"asked for location {course.location}, rows of zones elsewhere came")


@FILTERS.add(
    "A bounce threshold is the one in force, and decides what a bounce is.",
    decides="bounces, and whether those of pieces add up",
    rests_on=("bounces_within_visits",),
)
def _threshold_honoured(seen: Seen) -> Judgement:
    rows = seen.of_zone(seen.measured("visits of the zone, filtered"))
    usual = seen.of_zone(seen.grouped("visits by day"))
    asked = int(seen.heard["visits of the zone, filtered"].question.params["bounce_threshold"])
    words = f"asked for a bounce threshold of {asked} s, rows say that another was in force"
    expect(all(row.threshold in (None, asked) for row in rows), words)
    own = next((row.threshold for row in usual if row.threshold is not None), asked)
    need(own != asked, "the rows do not tell which threshold is in force")
    before, after = total(usual, "bounce"), total(rows, "bounce")
    figures = f"{before:,} bounces at {own} s, {after:,} at {asked} s"
    need(before != after or before >= _MANY, "too few bounced to tell one threshold from another")
    words = "another bounce threshold gives the same bounces, though the rows repeat it"
    return held((after - before) * (asked - own) > 0, words, figures)


@FILTERS.add(
    "A bounce threshold of 0 gives no bounces.",
    decides="why bounces are None then",
    rests_on=("threshold_honoured", "bounces_within_visits"),
)
def _threshold_zero_ends_bounces(seen: Seen) -> None:
    rows = seen.measured("visits of two periods")
    seen.counting("bounce", "visits by day")
    expect(not total(rows, "bounce"), "a bounce threshold of 0 still gives bounces")


@FILTERS.add(
    f"Visits longer than max_dwell ({MAX_DWELL_S} s) are told apart.", name="max_dwell_honoured", given={"end": "max"}
)
@FILTERS.add(
    f"Visits shorter than min_dwell ({MIN_DWELL_S} s) are told apart.", name="min_dwell_honoured", given={"end": "min"}
)
def _dwell_honoured(seen: Seen, end: str) -> Judgement:
    """Hold the stays that are left, and the visits that are told apart, against the limit at that end."""
    seconds, word, sign = (MIN_DWELL_S, "shorter", -1) if end == "min" else (MAX_DWELL_S, "longer", 1)

    def is_beyond(row: Row) -> bool:
        value = row.figures[end]
        return bool(row.count("n")) and value is not None and (value - seconds) * sign > 1

    rows, usual = seen.counting("visits", "visits of the zone, filtered"), seen.counting("n", "visits by day")
    need(any(map(is_beyond, seen.of_zone(usual))), f"no visit was {word} than {seconds} s")
    told = total(rows, f"{end}_dwell_time")
    is_apart = told and not any(map(is_beyond, rows))
    return held(is_apart, f"visits {word} than {seconds} s are not told apart", f"{told:,} visits")


@FILTERS.add("Dwell filters take nothing from the visits.")
def _dwell_filters_keep_visits(seen: Seen) -> Judgement:
    rows, usual = (
        seen.of_zone(seen.counting("visits", name)) for name in ("visits of the zone, filtered", "visits by day")
    )
    need(rows, "there was nobody to count in this zone")
    return same_sums(usual, rows, "visits", "dwell filters take visits away", by=("day",))


@FILTERS.add(
    "n and the excluded visits make the visits.",
    decides="what share of visits dwell times are of",
    rests_on=("dwell_counts_visits", "dwell_filters_keep_visits"),
)
def _excluded_make_the_whole(seen: Seen) -> None:
    for row in seen.of_zone(seen.counting("n", "visits of the zone, filtered")):
        told = sum(map(row.count, ("n", "min_dwell_time", "max_dwell_time")))
        words, figures = "n and the excluded visits do not make the visits", f"{told:,} of {row.count('visits'):,}"
        expect(told == row.count("visits"), words, figures)
