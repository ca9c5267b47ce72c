"""Zeros that stand for what a plan (Indivd Basic) does not measure become None. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

import attrs

from ..models import ZoneVisitorsRow
from ..planning import PlannedRequest
from ..results import Chunk, ZoneVisitorsAnswer

#: Whose plan is judged: a location where rows tell theirs, else all that was asked on one clock.
Subject = int | str | None


def find_unlicensed(arrived: Iterable[Chunk]) -> frozenset[Subject]:
    """
    Find those whose plan does not measure visitors: there are visits, but no uniques and no dwell times anywhere.

    Judged over all rows of both periods, for one quiet hour says nothing.
    """
    visited: set[Subject] = set()
    measured: set[Subject] = set()
    for chunk in arrived:
        answer = chunk.answer
        assert isinstance(answer, ZoneVisitorsAnswer)
        clock = chunk.request.tz
        for rows in (answer.current, answer.comparison or ()):
            open_subjects = {clock if loc_id is None else loc_id for loc_id in set(map(_location_of, rows))} - measured
            for row in rows:
                if not open_subjects:
                    break
                subject = _subject_of(row, clock)
                if _is_measured(row):
                    measured.add(subject)
                    open_subjects.discard(subject)
                elif row.visits:
                    visited.add(subject)
    return frozenset(visited - measured)


_location_of: Callable[[ZoneVisitorsRow], int | None] = attrgetter("aggregation.loc_id")


def _subject_of(row: ZoneVisitorsRow, clock: str | None) -> Subject:
    loc_id = _location_of(row)
    return clock if loc_id is None else loc_id


def _is_measured(row: ZoneVisitorsRow) -> bool:
    stats = row.dwell_time_stats
    # Statistics of no visits are as empty as `{}`.
    return bool(row.unique_visits or row.bounce or row.dwell_time or (stats is not None and (stats.n or stats.mean)))


def hide_rows(
    rows: Sequence[ZoneVisitorsRow], request: PlannedRequest, unlicensed: frozenset[Subject]
) -> tuple[ZoneVisitorsRow, ...]:
    """Replace zeros that nobody measured by None."""

    def hide(row: ZoneVisitorsRow) -> ZoneVisitorsRow:
        if _subject_of(row, request.tz) not in unlicensed:
            return row
        return attrs.evolve(row, unique_visits=None, bounce=None, dwell_time=None, dwell_time_stats=None)

    return tuple(map(hide, rows))


def hide_unlicensed(chunk: Chunk) -> Chunk:
    """Apply the rule of the Basic plan to a chunk that will not be merged, judged by itself."""
    answer = chunk.answer
    if not isinstance(answer, ZoneVisitorsAnswer):
        return chunk
    unlicensed = find_unlicensed([chunk])
    if not unlicensed:
        return chunk
    current, comparison = (
        None if rows is None else hide_rows(rows, chunk.request, unlicensed)
        for rows in (answer.current, answer.comparison)
    )
    return attrs.evolve(chunk, answer=attrs.evolve(answer, current=current or (), comparison=comparison))


def hide_bounces(answer: ZoneVisitorsAnswer) -> ZoneVisitorsAnswer:
    """Make bounces None: a threshold of 0 turns their tracking off, so they are not measured."""
    current, comparison = (
        None if rows is None else tuple([attrs.evolve(row, bounce=None) for row in rows])
        for rows in (answer.current, answer.comparison)
    )
    return attrs.evolve(answer, current=current or (), comparison=comparison)
