"""Whether the figures of an answer agree with one another: keys, sums, rates, and what no measurement gives. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, repeat
from typing import Any

from ..models import Bucket, DropInRow, ZoneDropIn, ZoneDropInRow, ZoneVisitorsRow
from ..models.values import A_DAY_S, MOST_PEOPLE, odd_labels, place_of, word_bucket
from ..results import Block
from ..results.drop_in_rate import note_over_100, rates_of
from ..results.notes import word_note
from .case import Case, Mismatch, Testimony

#: Beyond so many rows equal buckets need not be one object.
SURELY_SHARED = 8_000
#: Percent: the API rounds to one decimal, one way or the other.
_ROUNDING = 0.0501
#: Visits whose mean is surely no longer than a day: one may be taken to stay as long, and several may not.
_SEVERAL = 10
#: Means that are told twice may be rounded to whole seconds once.
_A_SECOND = 1.0


def hold_keys(case: Case) -> Testimony:
    """Look for a key that stands twice in one list."""
    for sheet in case.sheets:
        labels, has_zones = sheet.labels, case.request.endpoint == "zone_visitors"
        zones = [label.zone_id for label in labels] if has_zones else [sheet.zone] * len(labels)
        # Most answers have one bucket, or one zone.
        found: Any = set(zones) if len(sheet.buckets) == 1 else sheet.buckets
        buckets = [label.bucket for label in labels]
        if len(found) < len(zones):
            found = set(zip(zones, map(id, buckets), strict=True))
        if len(found) == len(zones) <= SURELY_SHARED:
            continue
        locations = [getattr(label, "loc_id", None) for label in labels]
        keys = Counter(zip(zones, buckets, locations, odd_labels(labels) or repeat(()), strict=False))
        if twice := [key for key, count in keys.items() if count > 1]:
            yield word_note("repeated_key", count=len(twice), example=place_of(*twice[0][:2]))


def hold_counts(case: Case) -> Testimony:
    """Look for counts below zero, and for rows that count nobody."""
    has_zeros = False
    for sheet in (sheet for sheet in case.sheets if sheet.rows):
        columns = _counts(sheet.rows, case.request.endpoint == "line_crosses", sheet.zone is None)
        least = min(map(min, columns))
        if least < 0 or max(map(max, columns)) > MOST_PEOPLE:
            row = next(
                row for row, *of in zip(sheet.rows, *columns, strict=True) if not 0 <= min(of) <= max(of) <= MOST_PEOPLE
            )
            yield word_note("implausible_figures", where=place_of(sheet.zone, row.bucket))
        has_zeros = has_zeros or (least <= 0 and not all(map(any, zip(*columns, strict=True))))
    if has_zeros:
        yield word_note("rows_of_zeros")


def _counts(rows: Sequence[Any], are_lines: bool, are_of_all: bool) -> list[list[int]]:
    if are_lines:
        return [[row.count for row in rows]]
    entries = [row.enter for row in rows] if are_of_all else [row.visits for row in rows]
    return [entries, [row.passing_by for row in rows]]


def hold_visits(case: Case) -> Testimony:
    """Look for counts below zero, more visitors, bounces or dwell times than visits, and means beyond their range."""
    for sheet in case.sheets:
        if not case.answer.is_plain:
            quantiles = [row.dwell_time_stats.quantiles or () for row in sheet.rows if row.dwell_time_stats is not None]
            if others := {len(each) for each in quantiles} - {0, 3}:
                yield Mismatch("quartiles of dwell times (25, 50 and 75 %)", f"{others.pop()} quantiles")
            longest = (sheet.window.days + 1) * A_DAY_S
            odd = next((row for row in sheet.rows if _is_odd(row, longest)), None)
            if odd is not None:
                yield word_note("implausible_figures", where=place_of(odd.aggregation.zone_id, odd.aggregation.bucket))
        if not all([row.visits for row in sheet.rows]):  # noqa: C419 half the time
            yield word_note("rows_of_zeros")


def _is_odd(row: ZoneVisitorsRow, longest: float) -> bool:
    """Tell whether a row cannot be; nobody stays for more than *longest*, in seconds."""
    visits, stats = row.visits, row.dwell_time_stats
    rising: list[tuple[float | None, ...]] = [
        (0, visits, MOST_PEOPLE),
        (0, row.unique_visits, visits),
        (0, row.bounce, visits),
        (0, row.dwell_time, longest if visits < _SEVERAL else A_DAY_S),
    ]
    if stats is not None:
        rising.append((0, stats.n, visits))
    if stats is not None and stats.n:
        rising += [(0, stats.min, stats.mean, stats.max, longest), (stats.min, *(stats.quantiles or ()), stats.max)]
        if stats.mean is not None and row.dwell_time is not None and abs(stats.mean - row.dwell_time) > _A_SECOND:
            return True
    return not all(map(_is_rising, rising))


def _is_rising(values: Iterable[float | None]) -> bool:
    told = [value for value in values if value is not None]
    return all(one <= other + (_ROUNDING if one else 0) for one, other in pairwise(told))  # 0 is nobody's rounding


def hold_dwell(case: Case) -> Testimony:
    """Look for dwell times beyond the filters that were sent, and for filters that were not."""
    all_excluded = [row.exclude for sheet in case.sheets for row in sheet.rows]
    excluded = dict(zip(map(id, all_excluded), all_excluded, strict=True)).values()  # for equal ones are shared
    for name, field, sign in (("min_dwell", "min", 1), ("max_dwell", "max", -1)):
        sent = case.asked(name)
        if sent is None:
            if any([getattr(each, f"{name}_time", None) for each in excluded]):  # noqa: C419 half the time
                yield word_note("filter_unasked", name=name)
        else:
            times = [_furthest(row, field) for sheet in case.sheets for row in sheet.rows]
            if any(time is not None and (time - int(sent)) * sign < 0 for time in times):
                yield word_note("filter_ignored", name=name, sent=sent)
    if any(each is not None and (each.min_dwell_time or each.max_dwell_time) for each in excluded):
        for row in (row for sheet in case.sheets for row in sheet.rows if not _can_exclude(row)):
            place = row.aggregation
            yield word_note("implausible_figures", where=place_of(place.zone_id, place.bucket))
            return


def _furthest(row: ZoneVisitorsRow, field: str) -> float | None:
    """Return the least or the most dwell time of a row; of rows of a comparison their mean, which is all they tell."""
    stats = row.dwell_time_stats
    if stats is None:
        return row.dwell_time or None
    found: float | None = getattr(stats, field) if stats.n else None
    return found


def _can_exclude(row: ZoneVisitorsRow) -> bool:
    """Tell whether what a row counts as left out, and the dwell times that are left, may be of its visits."""
    excluded, stats = row.exclude, row.dwell_time_stats
    if excluded is None:
        return True
    shorter, longer = excluded.min_dwell_time or 0, excluded.max_dwell_time or 0
    counted = 0 if stats is None else stats.n or 0
    return shorter >= 0 <= longer and shorter + longer + counted <= row.visits


def hold_sections(case: Case) -> Testimony:
    """Compare the summary with the details and the zones, each zone with its rows, and rates with their counts."""
    if found := [problem for block in case.blocks for problem in _disagreements(block)]:
        yield word_note("sections_disagree", found="; ".join(found[:3]))
    rates = [each for block in case.blocks for each in rates_of(block.summary, block.details, block.zones)]
    off = [
        f"{rate} for {enter} of {passing_by}"
        for _, rate, enter, passing_by in rates
        if passing_by and (rate is None or abs(100 * enter / passing_by - rate) > _ROUNDING)
    ]
    if off:
        yield word_note("odd_rates", count=len(off), example=off[0])
    yield from note_over_100(rates)


def _disagreements(block: Block) -> Iterator[str]:
    summary, rows, zones = block.summary, block.details, block.zones
    details = sum([row.enter for row in rows]), sum([row.passing_by for row in rows])
    together = sum([zone.total_visits for zone in zones]), sum([zone.total_passing_by for zone in zones])
    if summary is not None and (summary.enter, summary.passing_by) != details:
        yield f"the summary has {summary.enter} of {summary.passing_by}, its details {details[0]} of {details[1]}"
    if together != details:
        yield f"the zones have {together[0]} of {together[1]}, the details {details[0]} of {details[1]}"
    elif rows and (odd := _apart(rows, zones)):
        yield odd
    for zone in zones:
        own = sum([row.visits for row in zone.details]), sum([row.passing_by for row in zone.details])
        if own != (zone.total_visits, zone.total_passing_by):
            total = f"{zone.total_visits} of {zone.total_passing_by}"
            yield f"zone {zone.zone_id} has {total}, its rows {own[0]} of {own[1]}"


def _apart(rows: Sequence[DropInRow], zones: Sequence[ZoneDropIn]) -> str:
    """Word the first bucket of which the details and the rows of all zones say two things; as sums they agree."""
    # Two counts as one number, and buckets by identity: most are shared, and this takes half the time.
    left: dict[int, int] = {}
    for row in rows:
        key = id(row.bucket)
        left[key] = left.get(key, 0) + (row.enter << 64) + row.passing_by
    inside, told = [row for zone in zones for row in zone.details], set(left)
    for each in inside:
        key = id(each.bucket)
        left[key] = left.get(key, 0) - (each.visits << 64) - each.passing_by
    if not any(left.values()) or told.isdisjoint([id(row.bucket) for row in inside]):  # labelled otherwise, as is told
        return ""
    exact: Counter[Bucket] = Counter()
    labelled: list[DropInRow | ZoneDropInRow] = [*rows, *inside]
    for bucket in {id(row.bucket): row.bucket for row in labelled}.values():
        exact[bucket] += left[id(bucket)]
    apart = next((bucket for bucket, count in exact.items() if count), None)
    return f"the zones and the details differ at {word_bucket(apart)}" if apart is not None else ""
