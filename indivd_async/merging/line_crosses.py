"""Answers of line_crosses become one. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import Any

from ..models import LineCrossesRow
from ..models.values import draft_of
from ..planning import Plan
from ..results import Chunk, LineCrossesResult
from .keys import Covered, check_addable, check_years, common
from .ordering import Buckets, Pile, line_up

_LinesDraft = draft_of(LineCrossesRow)


def merge_lines(plan: Plan, arrived: Sequence[Chunk], coverage: Covered) -> LineCrossesResult:
    families = [series.family for series in plan.layout.series]
    repeats = plan.layout.parts[0].rows_repeat
    # What may be added: parts of one family in one window, or in all windows where rows repeat.
    groups: dict[Hashable, list[Chunk]] = {}
    for chunk in arrived:
        window = None if repeats else chunk.request.window
        groups.setdefault((families[chunk.request.series], window), []).append(chunk)
    buckets = Buckets()
    pile: Pile[LineCrossesRow] = Pile(plan, buckets)
    for group in groups.values():
        request = group[0].request
        rows: Sequence[LineCrossesRow] = group[0].rows
        if len(group) > 1:
            check_addable(group)
            check_years(group)
            rows = list(map(_add_lines, line_up(buckets, [chunk.rows for chunk in group])))
        pile.add(request, rows, rows, repeat((families[request.series],), len(rows)))
    return LineCrossesResult(plan=plan, coverage=coverage, rows=pile.sort())


def _add_lines(same: Sequence[LineCrossesRow]) -> LineCrossesRow:
    first, *others = same
    if not others:
        return first
    count, extra = first.count, first.extra
    for row in others:
        count += row.count
        if row.extra is not extra:
            extra = common(extra, row.extra)
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
    added.loc_name = first.loc_name
    added.extra = extra
    added.__class__ = LineCrossesRow
    whole: LineCrossesRow = added
    return whole
