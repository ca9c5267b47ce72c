"""Zeros that stand for what a plan (Indivd Basic) does not measure become None. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from ..models import Bucket, ZoneVisitorsRow
from ..models.values import place_of, with_changes
from ..queries import ZoneVisitors
from .chunks import Chunk
from .notes import Note, word_note

_NOWHERE = word_note("unlicensed_metrics", where="anywhere")
_SO_FAR = word_note("unlicensed_metrics", where="in what has come so far (a stream cannot look ahead)")
#: A location where rows tell theirs, else all that was asked on one clock.
_Group = int | str | None
_Subject = tuple[_Group, int]
#: Visits of which somebody is surely told apart, where visitors are.
_SURELY_SEEN = 10


class Licences:
    """
    Which zones are measured, by all answers of a call that were heard.

    A zone is not measured where it has visits, and nowhere unique visitors, dwell times or bounces; one quiet hour
    says nothing, and a zone without visits has measured zeros. Where that is so of every zone of a location that has
    visits, it is so of its quiet zones, too. Where a zone is measured, many visits and no visitor are told: so it is
    where a plan changed on the way.
    """

    def __init__(self, arrived: Iterable[Chunk] = ()) -> None:
        self._visited: set[_Subject] = set()
        self._measured: set[_Subject] = set()
        self._alone: dict[_Subject, Bucket] = {}
        for chunk in arrived:
            self._alone = self.hear(chunk) | self._alone

    def hear(self, chunk: Chunk) -> dict[_Subject, Bucket]:
        """Take note of the rows of both periods; return where many visits are with no visitor told apart."""
        measured, visited, group = self._measured, self._visited, _group_of(chunk)
        alone: dict[_Subject, Bucket] = {}
        for row in chunk.rows:
            place = row.aggregation
            subject = (group if place.loc_id is None else place.loc_id, place.zone_id)
            if row.unique_visits:
                measured.add(subject)
                continue
            if row.visits >= _SURELY_SEEN and row.unique_visits == 0:
                alone.setdefault(subject, place.bucket)
            if _is_measured(row):
                measured.add(subject)
            elif row.visits:
                visited.add(subject)
        return alone

    @property
    def unlicensed(self) -> bool:
        """Whether there is any zone that is not measured."""
        return not self._visited <= self._measured

    @property
    def notes(self) -> tuple[Note, ...]:
        """What there is to say of all that was heard at first."""
        return (*((_NOWHERE,) if self.unlicensed else ()), *self._note_alone(self._alone))

    def _note_alone(self, alone: Mapping[_Subject, Bucket]) -> Iterator[Note]:
        where = next((place_of(subject[1], alone[subject]) for subject in alone if subject in self._measured), None)
        if where is not None:
            yield word_note("implausible_figures", where=where)

    def hide(self, chunk: Chunk) -> Chunk:
        """Replace zeros that nobody measured by None, by what has come so far and *chunk*."""
        answer = chunk.answer
        if answer is None or not isinstance(chunk.query, ZoneVisitors):
            return chunk
        notes = [*answer.notes, *self._note_alone(self.hear(chunk))]
        if self.unlicensed and (hidden := answer.changed(self._hider(_group_of(chunk)))) != answer:
            answer, notes = hidden, [*notes, _SO_FAR]
        if len(notes) == len(chunk.notes):
            return chunk
        return attrs.evolve(chunk, answer=attrs.evolve(answer, notes=tuple(notes)))

    def _hider(self, group: _Group) -> Callable[[ZoneVisitorsRow], ZoneVisitorsRow]:
        zones = self._visited - self._measured
        groups = {group for group, _ in zones} - {group for group, _ in self._measured}

        def hide(row: ZoneVisitorsRow) -> ZoneVisitorsRow:
            place = row.aggregation
            own = group if place.loc_id is None else place.loc_id
            if own not in groups and (own, place.zone_id) not in zones:
                return row
            return with_changes(row, unique_visits=None, bounce=None, dwell_time=None, dwell_time_stats=None)

        return hide


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
