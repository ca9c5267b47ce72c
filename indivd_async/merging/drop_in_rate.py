"""Answers of drop_in_rate become one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from itertools import repeat
from typing import Any

import attrs

from ..models import DropInRow, DropInTotals, FrozenMap, ZoneDropIn, ZoneDropInRow
from ..planning import Plan, PlannedRequest
from ..queries.fields import periods_of
from ..results import Block, Chunk, DropInDetails, DropInRateResult, DropInSummary, DropInZones
from ..results.drop_in_rate import rate
from .keys import Covered, check_addable, common, part_of
from .ordering import Buckets, Pile, line_up

_Block = tuple[PlannedRequest, Block]


def merge_drop_in(plan: Plan, arrived: Sequence[Chunk], coverage: Covered) -> DropInRateResult:
    if len(plan.layout.series) > 1:
        check_addable(arrived)
    summary: dict[str, Any] = {"comparison": None}
    details, zones = dict(summary), dict(summary)
    for period, start, end in periods_of(plan.query):
        parts = [(chunk.request, part_of(chunk, period)) for chunk in arrived]
        blocks = [(request, block) for request, block in parts if block is not None]
        summary[period] = _merge_totals(blocks, start, end)
        details[period] = _merge_details(plan, blocks)
        zones[period] = _merge_zones(plan, blocks)
    answers: list[Any] = [chunk.answer for chunk in arrived if chunk.request.period != "comparison"]
    interval = next((answer.interval for answer in answers if answer.interval), plan.layout.parts[0].resolved)
    return DropInRateResult(
        plan=plan,
        coverage=coverage,
        summary=DropInSummary(**summary),
        details=DropInDetails(interval=interval, **details),
        zone_details=DropInZones(**zones),
    )


def _merge_totals(blocks: Sequence[_Block], start: date, end: date) -> DropInTotals:
    dates: dict[str, Any] = {"startdate": start.isoformat(), "enddate": end.isoformat()}
    if len(blocks) == 1 and (only := blocks[0][1].summary) is not None:
        return attrs.evolve(only, **dates)
    passing_by = enter = 0
    for _, block in blocks:
        for part in block.details if block.summary is None else (block.summary,):
            passing_by += part.passing_by
            enter += part.enter
    return DropInTotals(passing_by=passing_by, enter=enter, enter_percentage=rate(enter, passing_by), **dates)


def _merge_details(plan: Plan, blocks: Sequence[_Block]) -> tuple[DropInRow, ...]:
    """Add equal labels of one window over its series; a label in two windows is a conflict."""
    windows: dict[object, list[_Block]] = {}
    for request, block in blocks:
        windows.setdefault(request.window, []).append((request, block))
    buckets = Buckets()
    pile: Pile[DropInRow] = Pile(plan, buckets)
    for group in windows.values():
        rows: Sequence[DropInRow] = group[0][1].details
        if len(group) > 1:
            rows = [reduce(_add_rows, same) for same in line_up(buckets, [block.details for _, block in group])]
        pile.add(group[0][0], rows, rows, repeat((), len(rows)))
    return pile.sort()


def _add_rows(one: DropInRow, other: DropInRow) -> DropInRow:
    passing_by, enter = one.passing_by + other.passing_by, one.enter + other.enter
    return DropInRow(
        bucket=one.bucket,
        passing_by=passing_by,
        enter=enter,
        drop_in_rate=rate(enter, passing_by),
        extra=common(one.extra, other.extra),
    )


def _merge_zones(plan: Plan, blocks: Sequence[_Block]) -> Mapping[int, ZoneDropIn]:
    parts: dict[int, list[tuple[PlannedRequest, ZoneDropIn]]] = {}
    for request, block in blocks:
        for zone in block.zones:
            parts.setdefault(zone.zone_id, []).append((request, zone))
    buckets = Buckets()
    piles: dict[int, Pile[ZoneDropInRow]] = {}  # all piled up before any is sorted: buckets are put in order but once
    for zone_id in sorted(parts):
        pile = piles[zone_id] = Pile(plan, buckets, of_zones=True)
        for request, zone in parts[zone_id]:
            pile.add(request, zone.details, zone.details, repeat((zone_id,), len(zone.details)))
    return FrozenMap(
        {zone_id: _join_zone([zone for _, zone in parts[zone_id]], pile.sort()) for zone_id, pile in piles.items()}
    )


def _join_zone(parts: Sequence[ZoneDropIn], details: tuple[ZoneDropInRow, ...]) -> ZoneDropIn:
    if len(parts) == 1:
        return attrs.evolve(parts[0], details=details)
    visits, passing_by = sum(zone.total_visits for zone in parts), sum(zone.total_passing_by for zone in parts)
    return attrs.evolve(
        parts[0],
        total_visits=visits,
        total_passing_by=passing_by,
        drop_in_rate=rate(visits, passing_by),
        details=details,
        extra=reduce(common, [zone.extra for zone in parts]),
    )
