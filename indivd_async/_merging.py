"""
Chunks become one result: put in order, keys checked, what adds up added, the rest refused. Pure.

Rules. Chunks are ordered by plan, never by arrival, and each must answer a request of the plan, once. A row is known
by its key: zone, location and all bucket fields, and what a fan-out filled in. The plan says which requests may bring
the same key (parts of `line_ids`, the zones and time-zone groups behind a drop-in summary, weeks cut by the API's
limit); their counts are added. Any other key that two requests bring is a conflict, never a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import date
from functools import reduce
from typing import Any, cast

import attrs

from ._licensing import Subject, find_unlicensed, hide_rows, hide_unlicensed
from ._noting import PARTIAL_SUM, UNLICENSED, Known, notes_on
from ._ordering import Buckets, Pile, line_up, same_place
from .errors import MergeConflictError
from .models import (
    DropInRow,
    DropInTotals,
    FrozenMap,
    LineCrossesRow,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from .models.values import draft_of, word_bucket
from .planning import Plan, PlannedRequest
from .queries import DropInRate, LineCrosses, ZoneVisitors
from .results import (
    AnyResult,
    Chunk,
    Coverage,
    DropInAnswer,
    DropInBlock,
    DropInDetails,
    DropInRateResult,
    DropInSummary,
    DropInZones,
    LineCrossesAnswer,
    LineCrossesResult,
    Note,
    ZoneVisitorsAnswer,
    ZoneVisitorsPeriod,
    ZoneVisitorsResult,
    first_row,
)
from .results.totals import rate

__all__ = ["Known", "OwnCutConflictError", "hide_unlicensed", "merge_chunks"]

_Covered = tuple[Coverage, ...]


class OwnCutConflictError(MergeConflictError):
    """Two windows of our own choosing brought the same row: the API groups otherwise than assumed; ask unsplit."""


def merge_chunks(plan: Plan, chunks: Iterable[Chunk], known: Known, *, notes: Sequence[Note] = ()) -> AnyResult:
    """
    Merge *chunks*, in any order, into what one unsplit answer to the plan's query would have said.

    A request without a chunk counts as failed. Raises `MergeConflictError` where two answers hold a row that only one
    may hold, and for a chunk that comes twice or that the plan did not ask for.
    """
    by_request = _match(plan, chunks)
    coverage = tuple(_cover(request, chunk) for request, chunk in by_request)
    arrived = tuple(chunk for _, chunk in by_request if chunk is not None and chunk.answer is not None)
    _check_defaults(plan, arrived)
    result: AnyResult = _MERGES[type(plan.query)](plan, arrived, coverage)
    noted = dict.fromkeys((*notes, *result.notes, *notes_on(plan, result, known)))
    kept = arrived if plan.selection is not None or not result.complete else ()
    return attrs.evolve(result, notes=tuple(noted), arrived=kept)


def _match(plan: Plan, chunks: Iterable[Chunk]) -> list[tuple[PlannedRequest, Chunk | None]]:
    """Pair each request of *plan* with its chunk."""
    by_index: dict[int, Chunk] = {}
    for chunk in chunks:
        index = chunk.request.index
        if index in by_index:
            both = (by_index[index].request, chunk.request)
            raise MergeConflictError(f"request {index}", both, "its answer was given twice; join every answer once")
        by_index[index] = chunk
    matched = [(request, by_index.pop(request.index, None)) for request in plan]
    strangers = [chunk for request, chunk in matched if chunk is not None and chunk.request != request]
    for chunk in (*strangers, *by_index.values()):
        asked = f"request {chunk.request.index}"
        raise MergeConflictError(asked, (chunk.request,), "it is not of this plan, so its rows may overlap with others")
    return matched


def _cover(request: PlannedRequest, chunk: Chunk | None) -> Coverage:
    if chunk is None or chunk.answer is None:
        error, attempts = (chunk.error, chunk.attempts) if chunk is not None else (None, 0)
        return Coverage(request=request, status="failed", rows=0, attempts=attempts, error=error)
    rows = chunk.row_count
    return Coverage(request=request, status="ok" if rows else "empty", rows=rows, attempts=chunk.attempts)


def _has_failed(coverage: _Covered) -> bool:
    return any(item.status == "failed" for item in coverage)


def _check_defaults(plan: Plan, arrived: Iterable[Chunk]) -> None:
    """
    Refuse labels without a year where a default grouping was named to the API only because the period is cut.

    Left to itself the API may name more in its labels, and so it must be asked.
    """
    query, endpoint = plan.query, plan.query.endpoint
    if getattr(query, endpoint.grouping) is not None:
        return
    named = {part.period for part in plan.layout.parts if part.is_own_cut}
    if getattr(query, endpoint.comparison_grouping or "", None) is not None:
        named.discard("comparison")
    for chunk in arrived:
        if chunk.request.period in named and (row := first_row(chunk.answer)) is not None:
            bucket = getattr(row, "aggregation", row).bucket
            if bucket.year is None:
                key = word_bucket(attrs.astuple(bucket))
                raise OwnCutConflictError(key, (chunk.request,), "the label does not tell the year it belongs to")


def _conflict(
    plan: Plan, *, of_zones: bool = False
) -> Callable[[str, tuple[int | None, ...], PlannedRequest, PlannedRequest], MergeConflictError]:
    """Make errors for keys that two requests brought; the place of a row starts with its zone, or tells none."""
    own_cuts = {part.period for part in plan.layout.parts if part.is_own_cut}

    def clash(
        bucket: str, place: tuple[int | None, ...], one: PlannedRequest, other: PlannedRequest
    ) -> MergeConflictError:
        ours = one.period in own_cuts and one.window != other.window
        key = f"zone {place[0]}, {bucket}" if of_zones else bucket
        return (OwnCutConflictError if ours else MergeConflictError)(key, (one, other))

    return clash


def _common(one: FrozenMap, other: FrozenMap) -> FrozenMap:
    """Keep the unknown fields that two rows agree on: nobody knows how the others add up."""
    if one == other:
        return one
    return FrozenMap({name: value for name, value in one.items() if name in other and other[name] == value})


# Line crosses.

_LinesDraft = draft_of(LineCrossesRow)


def _merge_lines(plan: Plan, arrived: Sequence[Chunk], coverage: _Covered) -> LineCrossesResult:
    families = {member: number for number, members in enumerate(plan.layout.families) for member in members}
    repeats = plan.layout.parts[0].rows_repeat
    # What may be added: parts of one family in one window, or in all windows where rows repeat.
    groups: dict[Hashable, list[Chunk]] = {}
    for chunk in arrived:
        window = None if repeats else chunk.request.window
        groups.setdefault((families[chunk.request.series], window), []).append(chunk)
    buckets = Buckets()
    pile: Pile[LineCrossesRow] = Pile(buckets, _conflict(plan))
    for group in groups.values():
        request = group[0].request
        rows: Sequence[LineCrossesRow] = _lines_of(group[0])
        if len(group) > 1:
            rows = list(map(_add_lines, line_up(buckets, [_lines_of(chunk) for chunk in group])))
        place = (families[request.series],)
        pile.add(request, rows, [row.bucket for row in rows], same_place(place, rows))
    adds = repeats or any(len(members) > 1 for members in plan.layout.families)
    notes = (PARTIAL_SUM,) if adds and _has_failed(coverage) else ()
    return LineCrossesResult(plan=plan, coverage=coverage, rows=pile.sort(), notes=notes)


def _lines_of(chunk: Chunk) -> tuple[LineCrossesRow, ...]:
    assert isinstance(chunk.answer, LineCrossesAnswer)
    return chunk.answer.rows


def _add_lines(same: Sequence[LineCrossesRow]) -> LineCrossesRow:
    first, *others = same
    if not others:
        return first
    count, extra = first.count, first.extra
    for row in others:
        count += row.count
        if row.extra is not extra:
            extra = _common(extra, row.extra)
    added: Any = _LinesDraft()  # what `attrs.evolve` would return, in a fraction of its time
    added.bucket = first.bucket
    added.count = count
    added.location = first.location
    added.organization = first.organization
    added.floor = first.floor
    added.zone_to = first.zone_to
    added.zone_from = first.zone_from
    added.category = first.category
    added.line = first.line
    added.extra = extra
    added.__class__ = LineCrossesRow
    return cast("LineCrossesRow", added)


# Zone visitors.


def _merge_visits(plan: Plan, arrived: Sequence[Chunk], coverage: _Covered) -> ZoneVisitorsResult:
    query = plan.query
    assert isinstance(query, ZoneVisitors)
    unlicensed = find_unlicensed(arrived)
    comparison = None
    if query.comparison_start_date is not None and query.comparison_end_date is not None:
        comparison = ZoneVisitorsPeriod(
            startdate=query.comparison_start_date.isoformat(),
            enddate=query.comparison_end_date.isoformat(),
            insights=_put_visits_in_order(plan, arrived, "comparison", unlicensed),
        )
    current = ZoneVisitorsPeriod(
        startdate=query.start_date.isoformat(),
        enddate=query.end_date.isoformat(),
        insights=_put_visits_in_order(plan, arrived, "current", unlicensed),
    )
    notes = (UNLICENSED,) if unlicensed else ()
    return ZoneVisitorsResult(plan=plan, coverage=coverage, current=current, comparison=comparison, notes=notes)


def _put_visits_in_order(
    plan: Plan, arrived: Sequence[Chunk], period: str, unlicensed: frozenset[Subject]
) -> tuple[ZoneVisitorsRow, ...]:
    pile: Pile[ZoneVisitorsRow] = Pile(Buckets(), _conflict(plan, of_zones=True))
    for chunk in arrived:
        rows = _visits_of(chunk, period)
        if unlicensed:
            rows = hide_rows(rows, chunk.request, unlicensed)
        whose = [row.aggregation for row in rows]
        places = [(one.zone_id, one.loc_id) for one in whose]
        pile.add(chunk.request, rows, [one.bucket for one in whose], places)
    return pile.sort()


def _visits_of(chunk: Chunk, period: str) -> tuple[ZoneVisitorsRow, ...]:
    answer = chunk.answer
    assert isinstance(answer, ZoneVisitorsAnswer)
    if chunk.request.period == "both":
        return answer.current if period == "current" else answer.comparison or ()
    return answer.current if chunk.request.period == period else ()


# Drop-in rate.

_Block = tuple[PlannedRequest, DropInBlock]


def _merge_drop_in(plan: Plan, arrived: Sequence[Chunk], coverage: _Covered) -> DropInRateResult:
    query = plan.query
    assert isinstance(query, DropInRate)
    current = _blocks_of(arrived, "current")
    summary = _merge_totals(current, query.start_date, query.end_date)
    comparison = other_summary = None
    if query.comparison_start_date is not None and query.comparison_end_date is not None:
        comparison = _blocks_of(arrived, "comparison")
        other_summary = _merge_totals(comparison, query.comparison_start_date, query.comparison_end_date)
    return DropInRateResult(
        plan=plan,
        coverage=coverage,
        summary=DropInSummary(current=summary, comparison=other_summary),
        details=DropInDetails(
            interval=_interval_of(arrived) or plan.layout.parts[0].resolved,
            current=_merge_details(plan, current),
            comparison=None if comparison is None else _merge_details(plan, comparison),
        ),
        zone_details=DropInZones(
            current=_merge_zones(plan, current),
            comparison=None if comparison is None else _merge_zones(plan, comparison),
        ),
        notes=(PARTIAL_SUM,) if _has_failed(coverage) else (),  # the summary is a sum over all requests
    )


def _interval_of(arrived: Sequence[Chunk]) -> str | None:
    answers = (chunk.answer for chunk in arrived if chunk.request.period != "comparison")
    return next((a.interval for a in answers if isinstance(a, DropInAnswer) and a.interval), None)


def _blocks_of(arrived: Sequence[Chunk], period: str) -> list[_Block]:
    blocks = []
    for chunk in arrived:
        answer = chunk.answer
        assert isinstance(answer, DropInAnswer)
        if chunk.request.period == "both":
            block = answer.current if period == "current" else answer.comparison
        else:
            block = answer.current if chunk.request.period == period else None
        if block is not None:
            blocks.append((chunk.request, block))
    return blocks


def _merge_totals(blocks: Sequence[_Block], start: date, end: date) -> DropInTotals:
    startdate, enddate = start.isoformat(), end.isoformat()
    if len(blocks) == 1 and (only := blocks[0][1].summary) is not None:
        return attrs.evolve(only, startdate=startdate, enddate=enddate)
    passing_by = enter = 0
    for _, block in blocks:
        for part in block.details if block.summary is None else (block.summary,):
            passing_by += part.passing_by
            enter += part.enter
    return DropInTotals(
        startdate=startdate,
        enddate=enddate,
        passing_by=passing_by,
        enter=enter,
        enter_percentage=rate(enter, passing_by),
    )


def _merge_details(plan: Plan, blocks: Sequence[_Block]) -> tuple[DropInRow, ...]:
    """Add equal labels of one window over its series; a label in two windows is a conflict."""
    windows: dict[object, list[_Block]] = {}
    for request, block in blocks:
        windows.setdefault(request.window, []).append((request, block))
    buckets = Buckets()
    pile: Pile[DropInRow] = Pile(buckets, _conflict(plan))
    for group in windows.values():
        rows: Sequence[DropInRow] = group[0][1].details
        if len(group) > 1:
            rows = [reduce(_add_rows, same) for same in line_up(buckets, [block.details for _, block in group])]
        pile.add(group[0][0], rows, [row.bucket for row in rows], same_place((), rows))
    return pile.sort()


def _add_rows(one: DropInRow, other: DropInRow) -> DropInRow:
    passing_by, enter = one.passing_by + other.passing_by, one.enter + other.enter
    return DropInRow(
        bucket=one.bucket,
        passing_by=passing_by,
        enter=enter,
        drop_in_rate=rate(enter, passing_by),
        extra=_common(one.extra, other.extra),
    )


def _merge_zones(plan: Plan, blocks: Sequence[_Block]) -> Mapping[int, ZoneDropIn]:
    parts: dict[int, list[tuple[PlannedRequest, ZoneDropIn]]] = {}
    for request, block in blocks:
        for zone in block.zones:
            others = parts.setdefault(zone.zone_id, [])
            if others and others[0][0].series != request.series:
                raise MergeConflictError(f"zone {zone.zone_id}", (others[0][0], request))
            others.append((request, zone))
    buckets = Buckets()
    piles: dict[int, Pile[ZoneDropInRow]] = {}  # all piled up before any is sorted: buckets are put in order but once
    for zone_id in sorted(parts):
        pile = piles[zone_id] = Pile(buckets, _conflict(plan, of_zones=True))
        for request, zone in parts[zone_id]:
            place = same_place((zone_id,), zone.details)
            pile.add(request, zone.details, [row.bucket for row in zone.details], place)
    return FrozenMap(
        {zone_id: _join_zone([zone for _, zone in parts[zone_id]], pile.sort()) for zone_id, pile in piles.items()}
    )


def _join_zone(parts: Sequence[ZoneDropIn], details: tuple[ZoneDropInRow, ...]) -> ZoneDropIn:
    first = parts[0]
    if len(parts) == 1:
        return attrs.evolve(first, details=details)
    visits, passing_by, extra = 0, 0, first.extra
    for zone in parts:
        visits += zone.total_visits
        passing_by += zone.total_passing_by
        extra = _common(extra, zone.extra)
    return attrs.evolve(
        first,
        total_visits=visits,
        total_passing_by=passing_by,
        drop_in_rate=rate(visits, passing_by),
        details=details,
        extra=extra,
    )


_MERGES: Mapping[type, Callable[[Plan, Sequence[Chunk], _Covered], Any]] = {
    LineCrosses: _merge_lines,
    ZoneVisitors: _merge_visits,
    DropInRate: _merge_drop_in,
}
