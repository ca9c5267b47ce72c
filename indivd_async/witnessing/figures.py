"""Whether the figures of an answer agree with one another: keys, sums, rates, and what no measurement gives. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, repeat
from typing import Any

from ..models import ZoneVisitorsRow
from ..models.values import odd_labels
from ..results import DropInBlock
from ..results.notes import word_note
from .case import Case, Testimony, place_of

#: Beyond so many rows equal buckets need not be one object.
SURELY_SHARED = 8_000
#: Percent: the API rounds to one decimal, one way or the other.
_ROUNDING = 0.0501


def hold_keys(case: Case) -> Testimony:
    """Look for a key that stands twice in one list."""
    for sheet in case.sheets:
        has_zones, buckets = case.request.endpoint == "zone_visitors", [label.bucket for label in sheet.labels]
        zones = [label.zone_id for label in sheet.labels] if has_zones else [sheet.zone] * len(buckets)
        if len(set(zip(zones, map(id, buckets), strict=True))) == len(buckets) <= SURELY_SHARED:
            continue
        locations = [label.loc_id for label in sheet.labels] if has_zones else repeat(None)
        keys = Counter(zip(zones, buckets, locations, odd_labels(sheet.labels) or repeat(()), strict=False))
        if twice := [key for key, count in keys.items() if count > 1]:
            yield word_note("repeated_key", count=len(twice), example=place_of(*twice[0][:2]))


# What no measurement gives.

#: What rows count, those of all zones together and those of one.
_COUNTED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "line_crosses": (("count",),),
    "drop_in_rate": (("enter", "passing_by"), ("visits", "passing_by")),
}


def hold_counts(case: Case) -> Testimony:
    """Look for counts below zero, and for rows that count nobody."""
    least = 1
    for sheet in case.sheets:
        names = _COUNTED[case.request.endpoint][sheet.zone is not None]
        for row in sheet.rows:
            counts = [getattr(row, name) for name in names]
            if min(counts) < 0:
                yield word_note("implausible_figures", where=place_of(sheet.zone, row.bucket))
            least = min(least, max(counts))
    if least == 0:
        yield word_note("rows_of_zeros")


def hold_visits(case: Case) -> Testimony:
    """Look for counts below zero, more visitors, bounces or dwell times than visits, and means beyond their range."""
    for sheet in case.sheets:
        if are_sound(sheet.rows):
            continue
        if not all(row.visits for row in sheet.rows):
            yield word_note("rows_of_zeros")
        if (odd := next(filter(_is_odd, sheet.rows), None)) is not None:
            yield word_note("implausible_figures", where=place_of(odd.aggregation.zone_id, odd.aggregation.bucket))


def are_sound(rows: Sequence[Any]) -> bool:
    """Tell quickly that there is nothing to say, where all is measured: this is the costliest loop of the witnesses."""
    try:
        for row in rows:
            visits, stats = row.visits, row.dwell_time_stats
            if not (0 <= row.bounce <= visits >= row.unique_visits >= 0 and visits):
                return False
            if stats is not None:
                low, middle, high = stats.quantiles
                least, most = stats.min, stats.max
                if not (stats.n <= visits and least <= stats.mean <= most and least <= low <= middle <= high <= most):
                    return False
    except (TypeError, ValueError):  # something is not measured
        return False
    return True


def _is_odd(row: ZoneVisitorsRow) -> bool:
    visits, stats = row.visits, row.dwell_time_stats
    rising: list[tuple[float | None, ...]] = [(0, visits), (0, row.unique_visits, visits), (0, row.bounce, visits)]
    if stats is not None:
        rising.append((0, stats.n, visits))
    if stats is not None and stats.n:
        rising += [(stats.min, stats.mean, stats.max), (stats.min, *(stats.quantiles or ()), stats.max)]
    return not all(map(_is_rising, rising))


def _is_rising(values: Iterable[float | None]) -> bool:
    return all(one <= other + _ROUNDING for one, other in pairwise([value for value in values if value is not None]))


def hold_dwell(case: Case) -> Testimony:
    """Look for dwell times beyond the filters that were sent."""
    for name, field, sign in (("min_dwell", "min", 1), ("max_dwell", "max", -1)):
        sent = case.asked(name)
        if sent is not None:
            stats = [row.dwell_time_stats for sheet in case.sheets for row in sheet.rows]
            times = [getattr(each, field) for each in stats if each is not None and each.n]
            if any(time is not None and (time - int(sent)) * sign < 0 for time in times):
                yield word_note("filter_ignored", name=name, sent=sent)


# Sections.


def hold_sections(case: Case) -> Testimony:
    """Compare the summary with the details and the zones, each zone with its rows, and rates with their counts."""
    if found := [problem for block in case.blocks for problem in _disagreements(block)]:
        yield word_note("sections_disagree", found="; ".join(found[:3]))
    if off := [rate for block in case.blocks for rate in _odd_rates(block)]:
        yield word_note("odd_rates", count=len(off), example=off[0])


def _disagreements(block: DropInBlock) -> Iterator[str]:
    summary, rows, zones = block.summary, block.details, block.zones
    details = sum([row.enter for row in rows]), sum([row.passing_by for row in rows])
    together = sum([zone.total_visits for zone in zones]), sum([zone.total_passing_by for zone in zones])
    if summary is not None and (summary.enter, summary.passing_by) != details:
        yield f"the summary has {summary.enter} of {summary.passing_by}, its details {details[0]} of {details[1]}"
    if together != details:
        yield f"the zones have {together[0]} of {together[1]}, the details {details[0]} of {details[1]}"
    for zone in zones:
        own = sum([row.visits for row in zone.details]), sum([row.passing_by for row in zone.details])
        if own != (zone.total_visits, zone.total_passing_by):
            total = f"{zone.total_visits} of {zone.total_passing_by}"
            yield f"zone {zone.zone_id} has {total}, its rows {own[0]} of {own[1]}"


def _odd_rates(block: DropInBlock) -> Iterator[str]:
    rated = [(row.drop_in_rate, row.enter, row.passing_by) for row in block.details]
    rated += [(zone.drop_in_rate, zone.total_visits, zone.total_passing_by) for zone in block.zones]
    rated += [(row.drop_in_rate, row.visits, row.passing_by) for zone in block.zones for row in zone.details]
    if (summary := block.summary) is not None:
        rated.append((summary.enter_percentage, summary.enter, summary.passing_by))
    for rate, enter, passing_by in rated:
        if rate is not None and passing_by and abs(100 * enter / passing_by - rate) > _ROUNDING:
            yield f"{rate} for {enter} of {passing_by}"
