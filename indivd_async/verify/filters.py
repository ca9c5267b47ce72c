"""Whether what is asked for is what is answered: zones, locations, lines, thresholds, comparisons, groupings."""

from __future__ import annotations

from functools import partial

from .course import MAX_DWELL_S, MIN_DWELL_S
from .questions import whole
from .reading import add_up
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds, is_grouped, same_sums, total


def _zones_are_honoured(seen: Seen) -> Judgement:
    rows = seen.visits("visits filtered")
    if not rows:
        raise CannotTellError("there was nobody to count in this zone")
    if len({row.zone for row in seen.visits("visits by day")}) < 2:
        raise CannotTellError("the location has one zone with visits")
    others = {row.zone for row in rows} - {seen.course.zone}
    if others:
        return fails(f"asked for zone {seen.course.zone}, rows of {len(others)} other zones came")
    return holds("asked for one zone, its rows came and no others")


def _location_is_honoured(seen: Seen) -> Judgement:
    if seen.course.locations < 2:
        raise CannotTellError("the token sees one location only")
    if not seen.course.zones:
        raise CannotTellError("the list of zones does not tell their location")
    foreign = {row.zone for row in seen.some_visits("visits by day")} - set(seen.course.zones)
    if foreign:
        return fails(f"asked for location {seen.course.location}, rows of zones elsewhere came")
    return holds("asked for one location, rows of its zones came and no others")


def _location_of_drop_in_is_honoured(seen: Seen) -> Judgement:
    if seen.course.locations < 2:
        raise CannotTellError("the token sees one location only")
    blocks = seen.drop_ins("drop-in by day").zones
    if not blocks:
        raise CannotTellError("no passing lines are set up at this location")
    told = {block.location for block, _ in blocks.values()}
    if told != {seen.course.location} or set(blocks) - set(seen.course.zones or blocks):
        return fails(f"asked for location {seen.course.location}, zones elsewhere came")
    return holds("asked for one location, its zones came and no others")


def _zone_of_drop_in_is_honoured(seen: Seen) -> Judgement:
    if len(seen.drop_ins("drop-in by day").zones) < 2:
        raise CannotTellError("fewer than two zones of the location have passing lines")
    blocks = seen.drop_ins("drop-in of the zone by hour").zones
    if seen.course.zone not in seen.drop_ins("drop-in by day").zones:
        raise CannotTellError("no passing lines are set up for this zone")
    if set(blocks) != {seen.course.zone}:
        return fails(f"asked for zone {seen.course.zone}, {len(blocks)} zones came")
    return holds("asked for one zone, it came and no other")


def _thresholds_are_honoured(seen: Seen) -> Judgement:
    rows = [row for row in seen.measured_visits("visits filtered") if row.zone == seen.course.zone]
    asked = int(seen.heard["visits filtered"].question.params["bounce_threshold"])
    if any(row.threshold not in (None, asked) for row in rows):
        return fails(f"asked for a bounce threshold of {asked} s, rows say that another was in force")
    usual = [row for row in seen.visits("visits by day") if row.zone == seen.course.zone]
    own = next((row.threshold for row in usual if row.threshold is not None), None)
    before, after = total(add_up(usual, "bounce")), total(add_up(rows, "bounce"))
    figures = f"{before:,} bounces at {own} s, {after:,} at {asked} s"
    if own is None or own == asked:
        raise CannotTellError("the rows do not tell which threshold is in force")
    if before == after < _MANY:
        raise CannotTellError("too few bounced to tell one threshold from another")
    if (after - before) * (asked - own) <= 0:
        return fails("another bounce threshold gives the same bounces, though the rows repeat it", figures)
    return holds("another bounce threshold is repeated, and changes what bounces", figures)


def _zero_threshold_ends_bounces(seen: Seen) -> Judgement:
    rows = seen.measured_visits("visits of two periods")
    seen.counted(seen.measured_visits("visits by day"), "bounce")
    if any(row.count("bounce") for row in rows):
        return fails("a bounce threshold of 0 still gives bounces")
    return holds("a bounce threshold of 0 gives no bounces")


def _own_threshold_is_listed(seen: Seen) -> Judgement:
    listed = {id: whole(zone.get("bounce_threshold")) for id, zone in seen.course.zones.items()}
    rows = [row for row in seen.measured_visits("visits by day") if row.zone in listed and row.threshold is not None]
    known = [row for row in rows if listed[row.zone or 0] is not None]
    if not known:
        raise CannotTellError("the list of zones, or the rows, name no bounce threshold")
    if any(listed[row.zone or 0] != row.threshold for row in known):
        return fails("some zone is judged by another threshold than the list of zones names")
    return holds("each zone is judged by the threshold that the list of zones names")


def _dwell_filter_is_honoured(seen: Seen, figure: str, seconds: int) -> Judgement:
    rows = seen.measured_visits("visits filtered")
    usual = [row for row in seen.visits("visits by day") if row.zone == seen.course.zone]
    beyond = any(
        (row.figures["min"] or 0) < seconds - 1 if figure == "below" else (row.figures["max"] or 0) > seconds + 1
        for row in usual
        if row.count("n")
    )
    if not beyond:
        raise CannotTellError(f"no visit was {'shorter' if figure == 'below' else 'longer'} than {seconds} s")
    kept = [row.figures["min" if figure == "below" else "max"] for row in rows if row.count("n")]
    outside = any(
        value is not None and (value < seconds - 1 if figure == "below" else value > seconds + 1) for value in kept
    )
    counted = total(add_up(rows, figure))
    if not counted or outside:
        return fails(f"visits {'shorter' if figure == 'below' else 'longer'} than {seconds} s are not told apart")
    return holds("the visits beyond it are told apart, and not in the dwell times", f"{counted:,} visits")


def _dwell_filters_keep_visits(seen: Seen) -> Judgement:
    rows = [row for row in seen.some_visits("visits filtered") if row.zone == seen.course.zone]
    usual = [row for row in seen.visits("visits by day") if row.zone == seen.course.zone]
    same, figures = same_sums(usual, rows, "visits", ("day",))
    if same:
        return holds("visits are the same with and without dwell filters", figures)
    return fails("dwell filters take visits away", figures)


def _filtered_visits_make_the_whole(seen: Seen) -> Judgement:
    for row in seen.stays("visits filtered"):
        whole_n = row.count("n") + row.count("below") + row.count("above")
        if row.zone == seen.course.zone and whole_n != row.count("visits"):
            return fails("n and the excluded visits do not make the visits", f"{whole_n:,} of {row.count('visits'):,}")
    return holds("n and the excluded visits make the visits")


def _groupings_are_honoured(seen: Seen) -> Judgement:
    told = 0
    for name, heard in seen.heard.items():
        asked = heard.question.params.get("aggregate_by")
        if heard.question.endpoint != "zone_visitors" or asked is None or not heard.is_ok:
            continue
        rows = seen.any_visits(name)
        told += bool(rows)
        if rows and not is_grouped(rows, asked):
            return fails(f"asked for {name}, rows are labelled by {', '.join(rows[0].names) or 'nothing'}")
    if not told:
        raise CannotTellError("no row came")
    return holds("hours, days, weekdays, weeks and totals come as they are asked for")


def _a_day_comes_by_hours(seen: Seen) -> Judgement:
    name = "visits of one day, nothing else said"
    if (found := seen.status_of(name)).is_refused:
        return fails(f"without a grouping, a day is refused with {found.status}")
    rows = seen.some_visits(name)
    if all("hour" in row.labels for row in rows):
        return holds("a single day comes by hours, as the article says")
    return fails(f"a single day comes by {', '.join(rows[0].names) or 'no label at all'}, not by hours")


#: Of so many bounces, some are between two thresholds.
_MANY = 20
FILTERS = (
    Assumption(
        "groupings_honoured",
        "Rows are grouped as asked for.",
        "the labels of hours, days, weekdays, weeks and totals",
        _groupings_are_honoured,
    ),
    Assumption(
        "one_day_by_hours",
        "A single day comes by hours where no grouping is named.",
        "a day without aggregate_by",
        _a_day_comes_by_hours,
        "what a question without a grouping means",
    ),
    Assumption(
        "zones_honoured",
        "zone_visitors answers for the zones asked for, and no others.",
        "one zone of the location, a week by days",
        _zones_are_honoured,
    ),
    Assumption(
        "location_honoured",
        "zone_visitors answers for the location asked for, and no other.",
        "the zones of every row, beside the list of zones",
        _location_is_honoured,
    ),
    Assumption(
        "drop_in_zone_honoured",
        "drop_in_rate answers for the zone asked for, and no other.",
        "one zone of the location, a week by hours",
        _zone_of_drop_in_is_honoured,
    ),
    Assumption(
        "drop_in_location_honoured",
        "drop_in_rate answers for the location asked for, and no other.",
        "the locations that its zones name",
        _location_of_drop_in_is_honoured,
    ),
    Assumption(
        "threshold_honoured",
        "A bounce threshold is the one in force, and decides what a bounce is.",
        "bounces of a zone with a low threshold and with its own",
        _thresholds_are_honoured,
        "bounces, and whether those of pieces add up",
        ("bounces_within_visits",),
    ),
    Assumption(
        "threshold_zero_ends_bounces",
        "A bounce threshold of 0 gives no bounces.",
        "three days with bounce_threshold=0",
        _zero_threshold_ends_bounces,
        "why bounces are None then",
        ("threshold_honoured", "bounces_within_visits"),
    ),
    Assumption(
        "own_threshold_listed",
        "A zone's own bounce threshold is the one that the list of zones names.",
        "rows without a threshold of the question's, beside the list",
        _own_threshold_is_listed,
        "what a bounce is where nothing else is said",
    ),
    Assumption(
        "min_dwell_honoured",
        f"Visits shorter than min_dwell ({MIN_DWELL_S} s) are told apart.",
        "exclude.min_dwell_time and the shortest stay left",
        partial(_dwell_filter_is_honoured, figure="below", seconds=MIN_DWELL_S),
    ),
    Assumption(
        "max_dwell_honoured",
        f"Visits longer than max_dwell ({MAX_DWELL_S} s) are told apart.",
        "exclude.max_dwell_time and the longest stay left",
        partial(_dwell_filter_is_honoured, figure="above", seconds=MAX_DWELL_S),
    ),
    Assumption(
        "dwell_filters_keep_visits",
        "Dwell filters take nothing from the visits.",
        "a zone's visits by day with and without them",
        _dwell_filters_keep_visits,
    ),
    Assumption(
        "excluded_make_the_whole",
        "n and the excluded visits make the visits.",
        "every row of a zone with both filters",
        _filtered_visits_make_the_whole,
        "what share of visits dwell times are of",
        ("dwell_counts_visits", "dwell_filters_keep_visits"),
    ),
)
