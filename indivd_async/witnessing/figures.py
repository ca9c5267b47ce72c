"""Whether the figures of an answer agree with one another: keys, sums, rates, and what no measurement gives. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

from ..models import ZoneVisitorsRow
from ..models.values import odd_labels, word_bucket
from ..results import DropInBlock
from .case import Case, Difference

Differences = Iterable[Difference]

#: Beyond so many rows equal buckets need not be one object.
_SURELY_SHARED = 8_000
#: Percent: the API rounds to one decimal, one way or the other.
_ROUNDING = 0.0501


def hold_keys(case: Case) -> Differences:
    """Look for a key that stands twice in one list."""
    for side in case.sides:
        for whose, buckets, rows in side.sheets:
            zones = side.zone_ids if case.request.endpoint == "zone_visitors" else [0] * len(rows)
            if len(set(zip(zones, map(id, buckets), strict=True))) == len(rows) <= _SURELY_SHARED:
                continue
            odd = odd_labels(rows) or [()] * len(rows)
            locations = [place.loc_id for place in side.places] if case.request.endpoint == "zone_visitors" else zones
            keys = list(zip(zones, locations, odd, buckets, strict=True))
            twice = [key for key, count in Counter(keys).items() if count > 1]
            if twice:
                zone, _, _, bucket = twice[0]
                where = f"zone {zone}, " if zone else whose.replace(":", ",")
                words = word_bucket(bucket)
                message = f"{len(twice)} keys stand more than once in one answer, such as {where}{words}"
                return [Difference("", message, "repeated_key")]
    return ()


# What no measurement gives.


def hold_counts(case: Case) -> Differences:
    """Look for counts below zero."""
    name = {"line_crosses": "count", "drop_in_rate": "passing_by"}[case.request.endpoint]
    for side in case.sides:
        for whose, buckets, rows in side.sheets:
            counts = list(map(attrgetter(name), rows))
            if case.request.endpoint == "drop_in_rate":
                counts += [row.visits if whose else row.enter for row in rows]
            if counts and min(counts) == 0 and _has_zero(case, rows, whose):
                return [Difference("", ROWS_OF_ZEROS, "rows_of_zeros")]
            if counts and min(counts) < 0:
                bucket = buckets[counts.index(min(counts)) % len(buckets)]
                words = word_bucket(bucket)
                return [Difference("", f"A count is below zero ({whose}{words})", "implausible_figures")]
    return ()


ROWS_OF_ZEROS = (
    "Some rows count nobody: whether nobody came or nothing was measured, as outside opening hours, they do not say"
)


def _has_zero(case: Case, rows: Sequence[Any], whose: str) -> bool:
    if case.request.endpoint == "line_crosses":
        return True
    return any(not row.passing_by and not (row.visits if whose else row.enter) for row in rows)


def hold_visits(case: Case) -> Differences:
    """Look for counts below zero, more visitors, bounces or dwell times than visits, and means beyond their range."""
    found: list[Difference] = []
    for side in case.sides:
        if side.rows and min([row.visits for row in side.rows]) == 0:
            found.append(Difference("", ROWS_OF_ZEROS, "rows_of_zeros"))
        try:
            odd: Any = next((row for row in side.rows if _is_odd(row)), None) if _are_odd(side.rows) else None
        except TypeError:  # something is not measured
            odd = next(filter(_is_odd, side.rows), None)
        if odd is not None:
            place = odd.aggregation
            words = word_bucket(place.bucket)
            message = (
                f"Figures of zone {place.zone_id}, {words}, contradict one another: counts below zero, more visitors, "
                "bounces or dwell times than visits, or means and quartiles beyond the least and the most"
            )
            return [*found, Difference("", message, "implausible_figures")]
    return found[:1]


def _are_odd(rows: Sequence[Any]) -> bool:
    """Tell quickly whether any of *rows* may be odd; TypeError where one has something missing."""
    for row in rows:
        visits, stats = row.visits, row.dwell_time_stats
        if not 0 <= row.bounce <= visits >= row.unique_visits >= 0:
            return True
        if stats is not None:
            quantiles = stats.quantiles
            if not (stats.n <= visits and stats.min <= stats.mean <= stats.max):
                return True
            if len(quantiles) != 3 or not quantiles[0] <= quantiles[1] <= quantiles[2]:
                return True
    return False


def _is_odd(row: ZoneVisitorsRow) -> bool:
    stats, visits = row.dwell_time_stats, row.visits
    parts = (row.unique_visits, row.bounce, None if stats is None else stats.n)
    if visits < 0 or any(part is not None and not 0 <= part <= visits for part in parts):
        return True
    if stats is None or not stats.n:
        return False
    for values in ((stats.min, stats.mean, stats.max), (stats.min, *(stats.quantiles or ()), stats.max)):
        ordered = [value for value in values if value is not None]
        if any(one > other + _ROUNDING for one, other in pairwise(ordered)):
            return True
    return False


def hold_dwell(case: Case) -> Differences:
    """Look for dwell times beyond the filters that were sent."""
    least, most = (case.params.get(name) for name in ("min_dwell", "max_dwell"))
    if least is None and most is None:
        return
    stats = [row.dwell_time_stats for side in case.sides for row in side.rows]
    for name, sent, value, is_beyond in (
        ("min_dwell", least, "min", float.__lt__),
        ("max_dwell", most, "max", float.__gt__),
    ):
        found = [getattr(each, value) for each in stats if each is not None and each.n]
        if sent is not None and any(x is not None and is_beyond(float(x), float(sent)) for x in found):
            message = f"{name} {sent} s was sent, and there are dwell times beyond it: the filter was not applied"
            yield Difference("", message, "filter_ignored")


# Sections.


def hold_sections(case: Case) -> Differences:
    """Compare the summary with the details and the zones, each zone with its rows, and rates with their counts."""
    found = [problem for side in case.sides if side.block is not None for problem in _disagreements(side.block)]
    if found:
        yield Difference("", f"Sections of the answer do not agree: {'; '.join(found[:3])}", "sections_disagree")
    off = [rate for side in case.sides if side.block is not None for rate in _odd_rates(side.block)]
    if off:
        message = f"{len(off)} rates are not 100 · entries / passers-by, such as {off[0]}: fractions, or other counts"
        yield Difference("", message, "odd_rates")


def _disagreements(block: DropInBlock) -> Iterator[str]:
    enter, passing_by = (sum(map(attrgetter(name), block.details)) for name in ("enter", "passing_by"))
    visits, passed = (sum(map(attrgetter(name), block.zones)) for name in ("total_visits", "total_passing_by"))
    summary = block.summary
    if summary is not None and (summary.enter, summary.passing_by) != (enter, passing_by):
        yield f"the summary has {summary.enter} of {summary.passing_by}, its details {enter} of {passing_by}"
    if (visits, passed) != (enter, passing_by):
        yield f"the zones have {visits} of {passed}, the details {enter} of {passing_by}"
    for zone in block.zones:
        rows = sum([row.visits for row in zone.details]), sum([row.passing_by for row in zone.details])
        if rows != (zone.total_visits, zone.total_passing_by):
            total = f"{zone.total_visits} of {zone.total_passing_by}"
            yield f"zone {zone.zone_id} has {total}, its rows {rows[0]} of {rows[1]}"


def _odd_rates(block: DropInBlock) -> Iterator[str]:
    rated = [(row.drop_in_rate, row.enter, row.passing_by) for row in block.details]
    rated += [(zone.drop_in_rate, zone.total_visits, zone.total_passing_by) for zone in block.zones]
    for zone in block.zones:
        rated += [(row.drop_in_rate, row.visits, row.passing_by) for row in zone.details]
    if (summary := block.summary) is not None:
        rated.append((summary.enter_percentage, summary.enter, summary.passing_by))
    for rate, enter, passing_by in rated:
        if rate is not None and passing_by and abs(100 * enter / passing_by - rate) > _ROUNDING:
            yield f"{rate} for {enter} of {passing_by}"
