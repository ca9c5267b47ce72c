"""
Chunks become one result: put in order, keys checked, what adds up added, the rest refused. Pure.

Rules. Chunks are ordered by plan, never by arrival. A row is known by its key: zone, location and all bucket fields, and what a fan-out filled in. The
plan says which requests may bring the same key (pieces of `line_ids`, zones and time-zone groups of a drop-in summary, weeks cut by the API's limit); their
counts are added. Any other key that comes twice is a conflict, never a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any

import attrs

from . import _calendar
from ._adding import rate
from .chunks import Chunk, DropInAnswer, DropInBlock, LineCrossesAnswer, ZoneVisitorsAnswer
from .errors import MergeConflictError
from .models import Bucket, DropInRow, DropInTotals, FrozenMap, LineCrossesRow, Location, ZoneDropIn, ZoneVisitorsRow
from .plans import Plan, PlannedRequest
from .queries import DropInRate, LineCrosses, ZoneVisitors
from .results import (
    AnyResult,
    Coverage,
    DropInDetails,
    DropInRateResult,
    DropInSummary,
    DropInZones,
    LineCrossesResult,
    Note,
    ZoneVisitorsPeriod,
    ZoneVisitorsResult,
)

_LATEST_MIDNIGHT = timedelta(hours=12)  # a day ends last at UTC-12


@attrs.frozen(kw_only=True)
class Known:
    """What notes may be judged by: the time (aware), and the locations that were looked up, if any."""

    now: datetime
    locations: Mapping[int, Location] | None = None


class OwnCutConflictError(MergeConflictError):
    """Two windows of our own choosing brought the same row: the API groups otherwise than assumed, so ask again, unsplit."""


def merge_chunks(plan: Plan, chunks: Iterable[Chunk], known: Known, *, notes: Sequence[Note] = ()) -> AnyResult:
    """
    Merge *chunks*, in any order, into what one unsplit answer to the plan's query would have said.

    A request without a chunk counts as failed. Raises `MergeConflictError` where two answers hold a row that only one may hold.
    """
    by_index: dict[int, Chunk] = {}
    for chunk in chunks:
        other = by_index.setdefault(chunk.request.index, chunk)
        if other is not chunk:
            raise MergeConflictError("of a whole request", (other.request, chunk.request))
    coverage = tuple(_cover(request, by_index.get(request.index)) for request in plan)
    arrived = tuple(chunk for _, chunk in sorted(by_index.items()) if chunk.error is None)
    merge = _MERGES[type(plan.query)]
    result = merge(plan, arrived, coverage)
    noted = (*notes, *result.notes, *_notes(plan, arrived, coverage, known, result))
    kept = arrived if plan.selection is not None or not result.complete else ()
    return attrs.evolve(result, notes=tuple(dict.fromkeys(noted)), arrived=kept)


def _cover(request: PlannedRequest, chunk: Chunk | None) -> Coverage:
    if chunk is None or chunk.answer is None:
        error, attempts = (chunk.error, chunk.attempts) if chunk is not None else (None, 0)
        return Coverage(request=request, status="failed", rows=0, attempts=attempts, error=error)
    rows = chunk.row_count
    return Coverage(request=request, status="ok" if rows else "empty", rows=rows, attempts=chunk.attempts)


# Order and identity.


_LABELS = tuple(field.name for field in attrs.fields(Bucket))
_read_labels = attrgetter(*_LABELS)


def bucket_order(bucket: Bucket) -> tuple[int, ...]:
    """Return the sort key of *bucket*: its labels from the year down, missing ones first."""
    return tuple([-1 if label is None else label for label in _read_labels(bucket)])


class _Buckets:
    """Small numbers for equal buckets, so that a million rows need not be hashed label by label."""

    def __init__(self) -> None:
        self._by_identity: dict[int, int] = {}
        self._by_value: dict[Bucket, int] = {}
        self._kept: list[Bucket] = []

    def number(self, bucket: Bucket) -> int:
        known = self._by_identity.get(id(bucket))
        if known is None:
            known = self._by_value.setdefault(bucket, len(self._by_value))
            self._by_identity[id(bucket)] = known
            self._kept.append(bucket)  # so that its identity is not given to another
        return known

    def words(self, number: int) -> str:
        """Word the bucket for a message."""
        bucket = list(self._by_value)[number]
        labels = {name: label for name in _LABELS if (label := getattr(bucket, name)) is not None}
        return ", ".join(f"{name} {label}" for name, label in labels.items()) or "the whole period"

    def words_of_zone(self, key: tuple[int, int, int]) -> str:
        """Word the key of a row of zone_visitors."""
        return f"of zone {key[1]}, {self.words(key[0])}"

    def ranks(self) -> list[int]:
        """Return for each number its place in time."""
        ranks = [0] * len(self._by_value)
        for rank, (_, number) in enumerate(sorted((bucket_order(b), n) for b, n in self._by_value.items())):
            ranks[number] = rank
        return ranks


class _Owners:
    """Which request brought which keys; a key brought by two is a conflict."""

    def __init__(self, plan: Plan, words: Callable[[Any], str]) -> None:
        self._words = words
        self._own_cut = plan.layout.own_cut
        self._seen: set[Any] = set()
        self._by_request: list[tuple[PlannedRequest, set[Any]]] = []

    def claim(self, request: PlannedRequest, keys: set[Any]) -> None:
        """Note that *request* brought *keys*."""
        if not self._seen.isdisjoint(keys):
            other, shared = next((r, owned & keys) for r, owned in self._by_request if not owned.isdisjoint(keys))
            ours = self._own_cut and other.series == request.series and other.period == request.period
            raise (OwnCutConflictError if ours else MergeConflictError)(self._words(min(shared)), (other, request))
        self._seen |= keys
        self._by_request.append((request, keys))


# Line crosses.

_LineKey = tuple[int, int]  # a bucket's number, and which family of series asked


def _merge_lines(plan: Plan, arrived: Sequence[Chunk], coverage: tuple[Coverage, ...]) -> LineCrossesResult:
    buckets = _Buckets()
    owners = _Owners(plan, lambda key: buckets.words(key[0]))
    families = {member: number for number, members in enumerate(plan.layout.families) for member in members}
    repeats = plan.layout.parts[0].rows_repeat
    plain: list[tuple[int, int, LineCrossesRow]] = []
    for group in _addable(arrived, families, repeats=repeats):
        family = families[group[0].request.series]
        keyed = [((buckets.number(row.bucket), family), row) for chunk in group for row in _lines_of(chunk)]
        if len(group) > 1:
            keyed = _add_counts(keyed)
        owners.claim(group[0].request, {key for key, _ in keyed})
        plain += [(*key, row) for key, row in keyed]
    ranks = buckets.ranks()
    plain.sort(key=lambda item: (ranks[item[0]], item[1]))
    sums = repeats or any(len(members) > 1 for members in plan.layout.families)
    notes = _partial_sums(coverage) if sums else ()
    return LineCrossesResult(plan=plan, coverage=coverage, rows=tuple(row for _, _, row in plain), notes=notes)


def _addable(arrived: Sequence[Chunk], families: Mapping[int, int], *, repeats: bool) -> Iterable[list[Chunk]]:
    """Group the chunks whose rows may be added: those of one family and window, or of all windows where rows repeat."""
    groups: dict[object, list[Chunk]] = {}
    for chunk in arrived:
        window = None if repeats else chunk.request.window
        groups.setdefault((families[chunk.request.series], window), []).append(chunk)
    return groups.values()


def _lines_of(chunk: Chunk) -> tuple[LineCrossesRow, ...]:
    assert isinstance(chunk.answer, LineCrossesAnswer)
    return chunk.answer.rows


def _add_counts(keyed: Iterable[tuple[_LineKey, LineCrossesRow]]) -> list[tuple[_LineKey, LineCrossesRow]]:
    rows: dict[_LineKey, LineCrossesRow] = {}
    for key, row in keyed:
        before = rows.get(key)
        rows[key] = row if before is None else attrs.evolve(row, count=before.count + row.count)
    return list(rows.items())


def _partial_sums(coverage: Sequence[Coverage]) -> tuple[Note, ...]:
    if all(item.status != "failed" for item in coverage):
        return ()
    message = "A failed request was one part of sums: some counts lack its share until it is fetched (retry_failed)."
    return (Note(kind="partial_sum", message=message),)


# Zone visitors.


def _merge_visits(plan: Plan, arrived: Sequence[Chunk], coverage: tuple[Coverage, ...]) -> ZoneVisitorsResult:
    query = plan.query
    assert isinstance(query, ZoneVisitors)
    periods = {}
    unlicensed = _unlicensed(arrived)
    for period in ("current", "comparison"):
        buckets = _Buckets()
        owners = _Owners(plan, buckets.words_of_zone)
        keyed: list[tuple[int, int, int, ZoneVisitorsRow]] = []
        for chunk in arrived:
            rows = _rows_of(chunk, period)
            keys = [
                (buckets.number(place.bucket), place.zone_id, place.loc_id or 0)
                for row in rows
                for place in (row.aggregation,)
            ]
            owners.claim(chunk.request, set(keys))
            hidden = unlicensed.get(chunk.request.index)
            if hidden is not None:
                rows = [_without_licence(row) if row.aggregation.loc_id in hidden else row for row in rows]
            keyed += [(*key, row) for key, row in zip(keys, rows, strict=True)]
        ranks = buckets.ranks()
        keyed.sort(key=lambda item: (ranks[item[0]], item[1], item[2]))
        periods[period] = tuple([item[3] for item in keyed])
    comparison = None
    if query.comparison_start_date is not None and query.comparison_end_date is not None:
        comparison = ZoneVisitorsPeriod(
            startdate=query.comparison_start_date.isoformat(),
            enddate=query.comparison_end_date.isoformat(),
            insights=periods["comparison"],
        )
    current = ZoneVisitorsPeriod(
        startdate=query.start_date.isoformat(), enddate=query.end_date.isoformat(), insights=periods["current"]
    )
    notes = (_UNLICENSED,) if unlicensed else ()
    return ZoneVisitorsResult(plan=plan, coverage=coverage, current=current, comparison=comparison, notes=notes)


def _rows_of(chunk: Chunk, period: str) -> Sequence[ZoneVisitorsRow]:
    answer = chunk.answer
    assert isinstance(answer, ZoneVisitorsAnswer)
    if chunk.request.period == "both":
        return answer.current if period == "current" else answer.comparison or ()
    return answer.current if chunk.request.period == period else ()


_UNLICENSED = Note(
    kind="unlicensed_metrics",
    message="Unique visits, bounces and dwell times are None for locations that show visits but none of these anywhere: their plan (Indivd Basic) does "
    "not measure them.",
)


def _unlicensed(arrived: Sequence[Chunk]) -> dict[int, set[int | None]]:
    """
    Find the locations whose plan does not measure visitors: chunk index to location ids (None: all of the request).

    Judged over all rows of a location, where rows tell theirs, else over all windows of one request: one quiet hour says nothing.
    """
    visits: dict[object, int] = {}
    measured: set[object] = set()
    seen_in: dict[object, set[int]] = {}
    for chunk in arrived:
        for row in chunk.rows:
            loc_id = row.aggregation.loc_id
            subject: object = ("series", chunk.request.series) if loc_id is None else loc_id
            seen_in.setdefault(subject, set()).add(chunk.request.index)
            visits[subject] = visits.get(subject, 0) + row.visits
            if row.unique_visits or row.dwell_time_stats is not None or row.bounce or row.dwell_time:
                measured.add(subject)
    found: dict[int, set[int | None]] = {}
    for subject, total in visits.items():
        if total > 0 and subject not in measured:
            for index in seen_in[subject]:
                found.setdefault(index, set()).add(subject if isinstance(subject, int) else None)
    return found


def _without_licence(row: ZoneVisitorsRow) -> ZoneVisitorsRow:
    return attrs.evolve(row, unique_visits=None, bounce=None, dwell_time=None, dwell_time_stats=None)


def hide_unlicensed(chunk: Chunk) -> Chunk:
    """Apply the rule of the Basic plan to a chunk that will not be merged, judged by itself."""
    answer = chunk.answer
    if not isinstance(answer, ZoneVisitorsAnswer):
        return chunk
    hidden = _unlicensed([chunk]).get(chunk.request.index)
    if hidden is None:
        return chunk

    def hide(rows: tuple[ZoneVisitorsRow, ...]) -> tuple[ZoneVisitorsRow, ...]:
        return tuple(_without_licence(row) if row.aggregation.loc_id in hidden else row for row in rows)

    comparison = None if answer.comparison is None else hide(answer.comparison)
    return attrs.evolve(chunk, answer=ZoneVisitorsAnswer(current=hide(answer.current), comparison=comparison))


# Drop-in rate.


def _merge_drop_in(plan: Plan, arrived: Sequence[Chunk], coverage: tuple[Coverage, ...]) -> DropInRateResult:
    query = plan.query
    assert isinstance(query, DropInRate)
    interval = next(
        (c.answer.interval for c in arrived if isinstance(c.answer, DropInAnswer) and c.answer.interval), None
    )
    current = _merge_blocks(plan, arrived, "current", (query.start_date, query.end_date))
    comparison = None
    if query.comparison_start_date is not None and query.comparison_end_date is not None:
        comparison = _merge_blocks(
            plan, arrived, "comparison", (query.comparison_start_date, query.comparison_end_date)
        )
    several = len(plan.layout.series) > 1
    return DropInRateResult(
        plan=plan,
        coverage=coverage,
        summary=DropInSummary(current=current[0], comparison=comparison and comparison[0]),
        details=DropInDetails(
            interval=interval or plan.layout.parts[0].resolved,
            current=current[1],
            comparison=None if comparison is None else comparison[1],
        ),
        zone_details=DropInZones(current=current[2], comparison=None if comparison is None else comparison[2]),
        notes=_partial_sums(coverage) if several or len(plan.layout.parts[0].windows) > 1 else (),
    )


_Merged = tuple[DropInTotals, tuple[DropInRow, ...], Mapping[int, ZoneDropIn]]


def _merge_blocks(plan: Plan, arrived: Sequence[Chunk], period: str, dates: tuple[date, date]) -> _Merged:
    blocks = [(chunk.request, block) for chunk in arrived if (block := _block_of(chunk, period)) is not None]
    start, end = (day.isoformat() for day in dates)
    summaries = [block.summary for _, block in blocks if block.summary is not None]
    if len(blocks) == 1 and summaries:
        totals = attrs.evolve(summaries[0], startdate=start, enddate=end)
    else:
        passing_by, enter = sum(s.passing_by for s in summaries), sum(s.enter for s in summaries)
        totals = DropInTotals(
            startdate=start,
            enddate=end,
            passing_by=passing_by,
            enter=enter,
            enter_percentage=rate(enter, passing_by),
        )
    return totals, _merge_details(plan, blocks), _merge_zones(plan, blocks)


def _block_of(chunk: Chunk, period: str) -> DropInBlock | None:
    answer = chunk.answer
    assert isinstance(answer, DropInAnswer)
    if chunk.request.period == "both":
        return answer.current if period == "current" else answer.comparison
    return answer.current if chunk.request.period == period else None


def _merge_details(plan: Plan, blocks: Sequence[tuple[PlannedRequest, DropInBlock]]) -> tuple[DropInRow, ...]:
    """Add equal labels of one window over groups and pieces; a label in two windows is a conflict."""
    owners = _Owners(plan, str)
    windows: dict[object, tuple[PlannedRequest, dict[Bucket, DropInRow]]] = {}
    for request, block in blocks:
        _, rows = windows.setdefault(request.window, (request, {}))
        for row in block.details:
            before = rows.get(row.bucket)
            rows[row.bucket] = row if before is None else _add_rows(before, row)
    for request, rows in windows.values():
        owners.claim(request, {bucket_order(bucket) for bucket in rows})
    merged = [row for _, rows in windows.values() for row in rows.values()]
    return tuple(sorted(merged, key=lambda row: bucket_order(row.bucket)))


def _add_rows(one: DropInRow, other: DropInRow) -> DropInRow:
    passing_by, enter = one.passing_by + other.passing_by, one.enter + other.enter
    return attrs.evolve(one, passing_by=passing_by, enter=enter, drop_in_rate=rate(enter, passing_by))


def _merge_zones(plan: Plan, blocks: Sequence[tuple[PlannedRequest, DropInBlock]]) -> Mapping[int, ZoneDropIn]:
    owners = _Owners(plan, lambda key: f"of zone {key[0]}")
    parts: dict[int, list[tuple[PlannedRequest, ZoneDropIn]]] = {}
    for request, block in blocks:
        keys: set[Any] = set()
        for zone in block.zones:
            others = parts.setdefault(zone.zone_id, [])
            if others and others[0][0].series != request.series:
                raise MergeConflictError(f"of zone {zone.zone_id}", (others[0][0], request))
            others.append((request, zone))
            keys |= {(zone.zone_id, bucket_order(row.bucket)) for row in zone.details}
        owners.claim(request, keys)
    return FrozenMap({zone_id: _join_zone([zone for _, zone in parts[zone_id]]) for zone_id in sorted(parts)})


def _join_zone(parts: Sequence[ZoneDropIn]) -> ZoneDropIn:
    details = tuple(sorted((row for part in parts for row in part.details), key=lambda row: bucket_order(row.bucket)))
    if len(parts) == 1:
        return attrs.evolve(parts[0], details=details)
    visits, passing_by = sum(part.total_visits for part in parts), sum(part.total_passing_by for part in parts)
    return attrs.evolve(
        parts[0],
        total_visits=visits,
        total_passing_by=passing_by,
        drop_in_rate=rate(visits, passing_by),
        details=details,
    )


_MERGES: Mapping[type, Callable[[Plan, Sequence[Chunk], tuple[Coverage, ...]], AnyResult]] = {
    LineCrosses: _merge_lines,
    ZoneVisitors: _merge_visits,
    DropInRate: _merge_drop_in,
}


# Notes.


def _notes(
    plan: Plan, arrived: Sequence[Chunk], coverage: Sequence[Coverage], known: Known, result: AnyResult
) -> Iterator[Note]:
    query = plan.query
    if isinstance(query, LineCrosses) and not (query.zone_to or query.zone_from or query.category or query.line_ids):
        yield Note(
            kind="unscoped_lines",
            message="No zones, categories or lines were given, so a visitor is counted once for every line crossed; the article says to scope such requests.",
        )
    if isinstance(result, DropInRateResult):
        yield from _notes_on_rates(result)
    yield from _notes_on_open_days(coverage, known)
    yield from _notes_on_scope(coverage, known)


def _notes_on_rates(result: DropInRateResult) -> Iterator[Note]:
    zones = [*result.zone_details.current.values(), *(result.zone_details.comparison or {}).values()]
    over = sorted({zone.zone_id for zone in zones if zone.drop_in_rate is not None and zone.drop_in_rate > 100})
    rates = [row.drop_in_rate for row in (*result.details.current, *(result.details.comparison or ()))]
    if over or any(found is not None and found > 100 for found in rates):
        where = f" Zones: {', '.join(map(str, over))}." if over else ""
        yield Note(
            kind="drop_in_over_100",
            message=f"Some drop-in rates are above 100 %: more entries than passers-by were recorded, a sign of how lines are set up, not a rate.{where}",
        )


def _notes_on_open_days(coverage: Sequence[Coverage], known: Known) -> Iterator[Note]:
    names = set()
    for item in coverage:
        request = item.request
        for tz in _clocks(request, known):
            today = (
                _calendar.local_today(known.now, tz) if tz else (known.now.astimezone(UTC) - _LATEST_MIDNIGHT).date()
            )
            if request.last_day >= today:
                names.add(tz or "the location's time zone, which is not known here")
    if names:
        yield Note(
            kind="provisional_period",
            message=f"The period reaches a day that has not ended ({', '.join(sorted(names))}): its figures still grow.",
        )


def _clocks(request: PlannedRequest, known: Known) -> set[str | None]:
    if request.tz is not None:
        return {request.tz}
    listed = known.locations or {}
    wanted = request.locations if request.locations is not None else tuple(listed)
    found = {listed[id].timezone for id in wanted if id in listed}
    return {tz if tz is not None and _calendar.is_time_zone(tz) else None for tz in found} or {None}


def _notes_on_scope(coverage: Sequence[Coverage], known: Known) -> Iterator[Note]:
    if known.locations is None:
        return
    unlisted: set[int] = set()
    for item in coverage:
        if item.status == "empty":
            unlisted.update(id for id in item.request.locations or () if id not in known.locations)
    if unlisted:
        yield Note(
            kind="possibly_out_of_scope",
            message=f"Nothing came back for locations {', '.join(map(str, sorted(unlisted)))}, which this token's list of locations does not have: they may be "
            "out of its scope.",
        )
