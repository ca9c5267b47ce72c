"""Answers of zone_visitors become one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from ..models import ZoneVisitorsRow
from ..planning import Plan
from ..queries.fields import periods_of
from ..results import Chunk, ZoneVisitorsPeriod, ZoneVisitorsResult
from ..results.licences import Licences
from .keys import Covered, part_of
from .ordering import Buckets, Pile


def merge_visits(plan: Plan, arrived: Sequence[Chunk], coverage: Covered) -> ZoneVisitorsResult:
    licences = Licences(arrived)
    if licences.unlicensed:
        arrived = list(map(licences.hide, arrived))
    periods = {
        name: ZoneVisitorsPeriod(
            startdate=start.isoformat(), enddate=end.isoformat(), insights=_put_in_order(plan, arrived, name)
        )
        for name, start, end in periods_of(plan.query)
    }
    return ZoneVisitorsResult(
        plan=plan,
        coverage=coverage,
        current=periods["current"],
        comparison=periods.get("comparison"),
        notes=licences.notes,
    )


def _put_in_order(plan: Plan, arrived: Sequence[Chunk], period: str) -> tuple[ZoneVisitorsRow, ...]:
    pile: Pile[ZoneVisitorsRow] = Pile(plan, Buckets(), of_zones=True)
    is_labelled = any("loc_id" in part.resolved for part in plan.layout.parts)
    for chunk in arrived:
        block = part_of(chunk, period)
        rows = () if block is None else block.rows
        whose = [row.aggregation for row in rows]
        # A zone is in one location; where that is only told by the question, it must not make two of one.
        locations = [one.loc_id for one in whose] if is_labelled else repeat(None)
        pile.add(chunk.request, rows, whose, zip([one.zone_id for one in whose], locations, strict=False))
    return pile.sort()
