"""Answers of zone_visitors become one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import ZoneVisitorsRow
from ..planning import Plan
from ..queries import ZoneVisitors
from ..results import Chunk, ZoneVisitorsAnswer, ZoneVisitorsPeriod, ZoneVisitorsResult
from ..results.licences import UNLICENSED, Licences, judge_licences
from .coverage import Covered
from .keys import conflict
from .ordering import Buckets, Pile

# Zone visitors.


def merge_visits(plan: Plan, arrived: Sequence[Chunk], coverage: Covered) -> ZoneVisitorsResult:
    query = plan.query
    assert isinstance(query, ZoneVisitors)
    licences = judge_licences(arrived)
    comparison = None
    if query.comparison_start_date is not None and query.comparison_end_date is not None:
        comparison = ZoneVisitorsPeriod(
            startdate=query.comparison_start_date.isoformat(),
            enddate=query.comparison_end_date.isoformat(),
            insights=_put_visits_in_order(plan, arrived, "comparison", licences),
        )
    current = ZoneVisitorsPeriod(
        startdate=query.start_date.isoformat(),
        enddate=query.end_date.isoformat(),
        insights=_put_visits_in_order(plan, arrived, "current", licences),
    )
    notes = (UNLICENSED,) if licences.unlicensed else ()
    return ZoneVisitorsResult(plan=plan, coverage=coverage, current=current, comparison=comparison, notes=notes)


def _put_visits_in_order(
    plan: Plan, arrived: Sequence[Chunk], period: str, licences: Licences
) -> tuple[ZoneVisitorsRow, ...]:
    pile: Pile[ZoneVisitorsRow] = Pile(Buckets(), conflict(plan, of_zones=True))
    is_labelled = any("loc_id" in part.resolved for part in plan.layout.parts)
    for chunk in arrived:
        rows = _visits_of(chunk, period)
        if licences.unlicensed:
            rows = licences.hide_rows(rows, chunk)
        whose = [row.aggregation for row in rows]
        # A zone is in one location; where that is only told by the question, it must not make two of one.
        places = [(one.zone_id, one.loc_id if is_labelled else None) for one in whose]
        pile.add(chunk.request, rows, [one.bucket for one in whose], places)
    return pile.sort()


def _visits_of(chunk: Chunk, period: str) -> tuple[ZoneVisitorsRow, ...]:
    answer = chunk.answer
    assert isinstance(answer, ZoneVisitorsAnswer)
    if chunk.request.period == "both":
        return answer.current if period == "current" else answer.comparison or ()
    return answer.current if chunk.request.period == period else ()
