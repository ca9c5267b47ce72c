"""
The units of a plan: the smallest parts whose rows can be kept by themselves.

Most are one request. Where a list was too long for one URL, or rows repeat from window to window, the answers of
several requests are merged first.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Set
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import DecodeError
from ..merging import Known, merge_chunks
from ..planning import Plan, PlannedRequest, Window
from ..planning.windows import Part, bucket_unit
from ..results import Answer, Chunk, DropInAnswer, ZoneVisitorsAnswer
from ..results.tables import chunk_batches, record_batches


@attrs.frozen
class _Unit:
    """Its first request's index, the part of the plan it is of, and its windows."""

    start: int
    part: Part
    windows: tuple[Window, ...]

    @property
    def last_day(self) -> date:
        """The last day asked for, of either period."""
        days = [self.windows[-1].end]
        if self.part.comparison is not None:
            days.append(self.part.comparison.end)
        return max(days)


@attrs.define
class Units:
    """The units of one plan, and the answers that have come for those that need several."""

    plan: Plan
    _units: list[_Unit] = attrs.field(init=False)
    _starts: list[int] = attrs.field(init=False)
    _waiting: dict[int, list[Chunk]] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._units = list(_walk(self.plan))
        self._starts = [*(unit.start for unit in self._units), len(self.plan)]

    def __len__(self) -> int:
        return len(self._units)

    def until(self, day: date) -> set[int]:
        """Return the units that ask for nothing after *day*."""
        return {number for number, unit in enumerate(self._units) if unit.last_day <= day}

    def regions(self, done: Set[int]) -> dict[str, date | None]:
        """Return the first day, for each period, of what is not *done*; None where that is the whole period."""
        found: dict[str, date | None] = {}
        for number, unit in enumerate(self._units):
            if number in done:
                continue
            part, first = unit.part, unit.windows[0].start
            whole = part.rows_repeat or first == part.windows[0].start
            for period in ("current", "comparison") if part.period == "both" else (part.period,):
                earlier = found.get(period, first)
                found[period] = None if whole or earlier is None else min(first, earlier)
        return found

    def pending(self, done: Set[int]) -> Iterator[Plan]:
        """Yield shards of the plan that hold what is not *done*."""
        first = 0
        while first < len(self):
            end = first
            while end < len(self) and end not in done:
                end += 1
            if end > first:
                yield attrs.evolve(self.plan, selection=(first, end))
            first = end + 1

    def unit_of(self, chunk: Chunk) -> int:
        """Return which unit *chunk* belongs to."""
        return bisect_right(self._starts, chunk.request.index) - 1

    def add(self, chunk: Chunk) -> list[pa.RecordBatch] | None:
        """Take an answer; return the rows of its unit when they are all there."""
        unit = self.unit_of(chunk)
        size = self._starts[unit + 1] - self._starts[unit]
        if size == 1:
            batches = list(chunk_batches(chunk))
        else:
            chunks = self._waiting.setdefault(unit, [])
            chunks.append(chunk)
            if len(chunks) < size:
                return None
            del self._waiting[unit]
            shard = attrs.evolve(self.plan, selection=(unit, unit + 1))
            batches = list(record_batches(merge_chunks(shard, chunks, Known(now=datetime.now(UTC)))))
        self._check(chunk, batches)
        return batches

    def _check(self, chunk: Chunk, batches: Iterable[pa.RecordBatch]) -> None:
        """
        Refuse rows of days that were not asked for: another window may bring them too, and nothing would show it.

        `fetch` sees such rows when it merges; an export keeps each unit for good, without looking at the others.
        """
        part = part_of(self.plan, chunk.request.period)
        window = chunk.request.window
        if window is None or part.rows_repeat or len(part.windows) == 1:
            return
        for batch in batches:
            starts = batch["bucket_start"]
            if starts.null_count or not _lies_within(pc.min_max(starts).as_py(), window, part):
                raise DecodeError(
                    [f"expected rows of {window}, got others or none that tell their day @ $"], request=chunk.request
                )


def zones_of(answer: Answer | None) -> set[str]:
    """Name the zones in *answer*; a zone of two locations that are told is two."""
    if isinstance(answer, ZoneVisitorsAnswer):
        places = {
            (row.aggregation.zone_id, row.aggregation.loc_id)
            for rows in (answer.current, answer.comparison or ())
            for row in rows
        }
        return {str(zone) if location is None else f"{zone} of {location}" for zone, location in places}
    if isinstance(answer, DropInAnswer):
        blocks = (answer.current, answer.comparison)
        return {str(zone.zone_id) for block in blocks if block is not None for zone in block.zones}
    return set()


def owner_of(request: PlannedRequest) -> str:
    """Name what *request* asks for beside its days."""
    locations = ",".join(map(str, request.locations or ()))
    return f"{request.tz or 'no clock'}, {f'locations {locations}' if locations else 'all locations'}"


def part_of(plan: Plan, period: str) -> Part:
    """Return the part of *plan* that requests of *period* belong to."""
    return next(part for part in plan.layout.parts if part.period == period)


def first_day_of_bucket(day: date, unit: str | None) -> date:
    """Return the first day of the bucket that *day* is in."""
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1) if unit == "year" else day


def _lies_within(ends: dict[str, Any], window: Window, part: Part) -> bool:
    if ends["min"] is None:
        return True
    first = first_day_of_bucket(window.start, bucket_unit(part.resolved))
    return bool(first <= ends["min"].date() and ends["max"].date() <= window.end)


def _walk(plan: Plan) -> Iterator[_Unit]:
    """Yield the units in the order of the plan: periods, windows, families of series."""
    layout = plan.layout
    index = 0
    for part in layout.parts:
        for windows in [part.windows] if part.rows_repeat else [(window,) for window in part.windows]:
            for members in layout.families:
                yield _Unit(index, part, windows)
                index += len(members) * len(windows)
