"""Zeros that stand for what a plan (Indivd Basic) does not measure become None. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..models import ZoneVisitorsRow
from ..models.values import with_changes
from ..queries import ZoneVisitors
from .chunks import Chunk
from .notes import word_note

UNLICENSED = word_note("unlicensed_metrics", where="anywhere")
_SO_FAR = word_note("unlicensed_metrics", where="in what has come so far (a stream cannot look ahead)")
#: A location where rows tell theirs, else all that was asked on one clock.
_Group = int | str | None
_Subject = tuple[_Group, int]


class Licences:
    """
    Which zones are measured, by all answers of a call that were heard.

    A zone is not measured where it has visits, and nowhere unique visitors, dwell times or bounces; one quiet hour
    says nothing, and a zone without visits has measured zeros. Where that is so of every zone of a location that has
    visits, it is so of its quiet zones, too.
    """

    def __init__(self, arrived: Iterable[Chunk] = ()) -> None:
        self._visited: set[_Subject] = set()
        self._measured: set[_Subject] = set()
        for chunk in arrived:
            self.hear(chunk)

    def hear(self, chunk: Chunk) -> None:
        """Take note of the rows of both periods."""
        measured, visited, group = self._measured, self._visited, _group_of(chunk)
        for row in chunk.rows:
            place = row.aggregation
            subject = (group if place.loc_id is None else place.loc_id, place.zone_id)
            if subject in measured:
                continue
            if _is_measured(row):
                measured.add(subject)
            elif row.visits:
                visited.add(subject)

    @property
    def unlicensed(self) -> bool:
        """Whether there is any zone that is not measured."""
        return not self._visited <= self._measured

    def hide(self, chunk: Chunk) -> Chunk:
        """Replace zeros that nobody measured by None, by what has come so far and *chunk*."""
        answer = chunk.answer
        if answer is None or not isinstance(chunk.query, ZoneVisitors):
            return chunk
        self.hear(chunk)
        if not self.unlicensed:
            return chunk
        zones = self._visited - self._measured
        groups = {group for group, _ in zones} - {group for group, _ in self._measured}
        group = _group_of(chunk)

        def hide(row: ZoneVisitorsRow) -> ZoneVisitorsRow:
            place = row.aggregation
            own = group if place.loc_id is None else place.loc_id
            if own not in groups and (own, place.zone_id) not in zones:
                return row
            return with_changes(row, unique_visits=None, bounce=None, dwell_time=None, dwell_time_stats=None)

        hidden = answer.changed(hide)
        if hidden == answer:
            return chunk
        return attrs.evolve(chunk, answer=attrs.evolve(hidden, notes=(*answer.notes, _SO_FAR)))


def _group_of(chunk: Chunk) -> _Group:
    asked = chunk.request.locations
    return asked[0] if asked is not None and len(asked) == 1 else chunk.request.tz


def _is_measured(row: ZoneVisitorsRow) -> bool:
    if row.unique_visits or row.bounce or row.dwell_time:
        return True
    stats, beyond = row.dwell_time_stats, row.exclude
    # Statistics of no visits are as empty as `{}`; visits beyond a filter have dwell times that somebody measured.
    has_stats = stats is not None and (stats.n or stats.mean)
    return bool(has_stats or (beyond is not None and (beyond.min_dwell_time or beyond.max_dwell_time)))
