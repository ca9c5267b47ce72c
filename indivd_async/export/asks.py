"""
From days that are wanted to plans, and from chunks back to the rows of whole days of one location.

An `Ask` becomes a plan of one period. Its units are the smallest parts whose rows can be kept by themselves: the days
of one window, or the whole of it where rows repeat from window to window.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import DecodeError, IndivdError
from ..merging import Known, merge_chunks
from ..planning import Plan, PlannedRequest, Window, needs_locations
from ..planning.windows import bucket_unit, default_grouping
from ..profile import Profile
from ..queries import LineCrosses, Query
from ..results import Chunk, Note
from ..results.notes import numbered
from ..results.tables import record_batches
from .columns import ZONE, days_of, location_column, with_constant
from .coverage import first_day_of_bucket
from .question import groupings_of, periods_of
from .store import Region

#: How far the clocks of two places can be apart, in days.
_CLOCKS_APART = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Ask:
    """Days of one period and one location to ask for; `again` where rows of them are there."""

    period: str
    location: int | None
    window: Window
    clock: str | None
    again: bool = False
    #: Whether these are all days that are wanted.
    whole: bool = False
    #: Whether all answers come together or not at all.
    at_once: bool = False
    #: Whether an empty answer is to be believed though rows are there.
    accept_empty: bool = False


@attrs.frozen(kw_only=True)
class Piece:
    """What became of one request: the rows as columns, or the chunk where they are to be merged with others."""

    query: Query
    request: PlannedRequest
    error: IndivdError | None
    notes: Sequence[Note]
    batches: Sequence[pa.RecordBatch] = ()
    chunk: Chunk | None = None


def make_columns(chunk: Chunk) -> Piece:
    """Take the rows of *chunk* as columns, which are a fifth of their size."""
    batches = () if chunk.error is not None else tuple(record_batches(chunk))
    return _make_piece(chunk, batches=batches)


def keep_rows(chunk: Chunk) -> Piece:
    """Take *chunk* as it is."""
    return _make_piece(chunk, chunk=chunk)


def _make_piece(it: Chunk, **rows: Any) -> Piece:
    return Piece(query=it.query, request=it.request, error=it.error, notes=it.notes, **rows)


@attrs.frozen(kw_only=True)
class Answered:
    """The rows of some days of an ask, whole."""

    ask: Ask
    window: Window
    region: Region
    batches: Sequence[pa.RecordBatch]
    kind: str
    zones: frozenset[int]
    #: The request that a failure would name.
    request: PlannedRequest
    #: Whether some rows lie outside of the window.
    strays: bool = False
    #: What there is to know about rows that were merged.
    notes: Sequence[Note] = ()

    @property
    def rows(self) -> int:
        """How many they are."""
        return sum(batch.num_rows for batch in self.batches)

    @property
    def size(self) -> int:
        """How many bytes they take."""
        return sum(batch.nbytes for batch in self.batches)


def plan_ask(ask: Ask, query: Query, profile: Profile | None = None) -> Plan:
    """Plan *ask*, a part of *query*, for a service that *profile* is of."""
    endpoint = query.endpoint
    grouping: str | None = groupings_of(query)[ask.period]
    own = getattr(query, endpoint.grouping if ask.period == "current" else endpoint.comparison_grouping or "")
    whole = periods_of(query)[ask.period]
    if own is None and ask.window == whole and default_grouping(endpoint, whole) == grouping:
        grouping = None  # left to the API, as by `fetch`: it may name more in its labels then
    changes: dict[str, Any] = {
        "start_date": ask.window.start,
        "end_date": ask.window.end,
        endpoint.grouping: grouping,
        "on_error": "collect",
    }
    if not isinstance(query, LineCrosses):
        names = ("comparison_start_date", "comparison_end_date", endpoint.comparison_grouping or "")
        changes |= dict.fromkeys(names)
    if ask.location is not None:
        changes["location"] = (ask.location,)
    asked = attrs.evolve(query, **changes)
    knows_clock = ask.location is not None and ask.clock is not None and getattr(query, "tz", None) is None
    locations = ((ask.location or 0, ask.clock or ""),) if knows_clock else None
    if profile is not None and locations is None and needs_locations(asked, profile):
        profile = attrs.evolve(profile, line_crosses_tz=None)  # a clock that nobody knows here
    return Plan(asked, locations=locations, profile=profile)


@attrs.define
class Asked:
    """An ask that is under way: its plan, and the answers that wait for others."""

    ask: Ask
    plan: Plan
    _waiting: dict[int, list[Piece]] = attrs.field(factory=dict)

    @property
    def _is_one_unit(self) -> bool:
        return self.ask.at_once or self.plan.layout.parts[0].rows_repeat

    @property
    def _size(self) -> int:
        """How many answers are a unit."""
        return len(self.plan) if self._is_one_unit else len(self.plan.layout.series)

    @property
    def merges(self) -> bool:
        """Whether rows of several answers may be one, or numbers in labels are to be held against the profile."""
        layout = self.plan.layout
        if numbered([layout.parts[0].resolved]):
            return True
        apart = all(len(members) == 1 for members in layout.families) and not layout.parts[0].rows_repeat
        return not apart and self._size > 1

    def add(self, piece: Piece) -> Answered | None:
        """Take an answer; return the rows of its unit when all of them are there."""
        unit = piece.request.index // self._size
        pieces = self._waiting.setdefault(unit, [])
        pieces.append(piece)
        if len(pieces) < self._size:
            return None
        del self._waiting[unit]
        chunks = [one.chunk for one in pieces if one.chunk is not None]
        notes: Sequence[Note] = ()
        if not chunks:
            batches = [batch for one in pieces for batch in one.batches]
        elif not self.merges:
            batches = [batch for chunk in chunks for batch in record_batches(chunk)]
        else:
            count = len(self.plan.layout.families)
            selection = None if self._size == len(self.plan) else (unit * count, (unit + 1) * count)
            shard = attrs.evolve(self.plan, selection=selection)
            merged = merge_chunks(shard, chunks, Known(now=datetime.now(UTC)))
            batches = list(record_batches(merged))
            notes = [note for note in merged.notes if note.kind == "profile_contradicted"]  # others are no news
        window = self.ask.window if self._is_one_unit or piece.request.window is None else piece.request.window
        answered = self._answer(piece.request, window, [batch for batch in batches if batch.num_rows])
        return attrs.evolve(answered, notes=notes)

    def _answer(self, request: PlannedRequest, window: Window, batches: Sequence[pa.RecordBatch]) -> Answered:
        ask = self.ask
        batches = [self._place(request, batch) for batch in batches]
        kind, strays = self._kind_of(request, window, batches)
        day_apart = kind != "whole" and not ask.at_once
        unit = bucket_unit(self.plan.layout.parts[0].resolved)
        days = Window(first_day_of_bucket(window.start, unit), window.end) if day_apart else None
        zones = {zone for batch in batches if ZONE in batch.schema.names for zone in pc.unique(batch[ZONE]).to_pylist()}
        return Answered(
            ask=ask,
            window=window,
            region=Region(period=ask.period, location=ask.location, window=days),
            batches=batches,
            kind=kind,
            zones=frozenset(zones - {None}),
            request=request,
            strays=strays,
        )

    def _place(self, request: PlannedRequest, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Tell, in each row, the location that was asked and the period it was asked for."""
        ask = self.ask
        if ask.period != "current":
            batch = with_constant(batch, "period", ask.period)
        if ask.location is None:
            return batch
        name = location_column(batch.schema)
        others = set(pc.unique(batch[name]).to_pylist()) - {ask.location, None}
        if others:
            problem = f"expected rows of location {ask.location}, got some of {min(others)} @ $"
            raise DecodeError([problem], request=request)
        return with_constant(batch, name, ask.location) if batch[name].null_count else batch

    def _kind_of(self, request: PlannedRequest, window: Window, batches: Sequence[pa.RecordBatch]) -> tuple[str, bool]:
        """
        Say how the rows can be replaced, and whether some lie outside of *window*.

        Rows of days that were not asked for are refused: another window may bring them too, and nothing would show it.
        But an hour that another clock labels may lie a day off.
        """
        part = self.plan.layout.parts[0]
        if part.rows_repeat:
            return "whole", False
        if not batches:
            return "days", False
        days = days_of(batches)
        unit = bucket_unit(part.resolved)
        if days is None:
            if len(part.windows) == 1 and self.ask.whole:
                return "whole", False
        elif first_day_of_bucket(window.start, unit) <= days[0] and days[1] <= window.end:
            return "days", False
        elif (
            unit in ("hour", "minute")
            and window.start - _CLOCKS_APART <= days[0]
            and days[1] <= window.end + _CLOCKS_APART
        ):
            return "edges", True
        raise DecodeError([f"expected rows of {window}, got others or none that tell their day @ $"], request=request)


def by_query(asked: Iterable[Asked]) -> Mapping[Query, list[Asked]]:
    """Find asks by the query of a chunk; two periods may ask the same."""
    found: dict[Query, list[Asked]] = {}
    for one in asked:
        found.setdefault(one.plan.query, []).append(one)
    return found
