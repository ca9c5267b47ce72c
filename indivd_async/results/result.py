"""What every result has."""

# Annotations are evaluated: subclasses in other modules take them over, and what they name need not be known there.

from collections.abc import Iterable, Iterator
from typing import Any, Generic, Literal, TypeVar, overload

import attrs

from ..errors import IndivdError, InvalidQueryError, PartialResultError
from ..escaping import ShownAsText
from ..fielded import Fielded
from ..models import DropInRow, LineCrossesRow, ZoneVisitorsRow
from ..planning import Plan, PlannedRequest
from ..wording import plural
from .chunks import Chunk
from .columns import Table, dicts_of
from .listed import Listed
from .notes import Note
from .shown import MOST_SENTENCE, ShownAsTable, Sight, Tabular, clip_line, question_of, see_rows

Row = TypeVar("Row", LineCrossesRow, ZoneVisitorsRow, DropInRow)
Period = Literal["current", "comparison"]
Number = int | float

#: Notes that are shown of a result.
_MOST_NOTES = 5


def of_period(parts: Any, period: Period) -> Any:
    """Return the current or the comparison part; InvalidQueryError where there is none."""
    found = getattr(parts, period) if period in ("current", "comparison") else None
    if found is None:
        raise InvalidQueryError("period", "must be a period of this result", period)
    return found


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Coverage(ShownAsText):
    """What became of one planned request: `status` is "ok", "empty" (no row, no failure) or "failed"."""

    request: PlannedRequest
    """The request."""
    status: Literal["ok", "empty", "failed"]
    """"ok", "empty" or "failed"."""
    rows: int
    """Rows of its answer."""
    attempts: int = attrs.field(eq=False)
    """0 where the answer came from a cache. How an answer was had does not make the result another one."""
    error: IndivdError | None = None
    """Why it failed; None where it did not."""

    def __repr__(self) -> str:
        became = f"{self.status}, {plural(self.rows, 'row')}" if self.error is None else f"{self.status}: {self.error}"
        return f"<Coverage of {self.request}: {became}>"


def _list_coverage(coverage: Iterable[Coverage]) -> Listed[Coverage]:
    return Listed(coverage, Coverage)


def _list_notes(notes: Iterable[Note]) -> Listed[Note]:
    return Listed(notes, Note)


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Result(ShownAsTable, Tabular, Fielded, Generic[Row]):
    """What every result has. It is sized, iterable and indexed over its rows, and a table to all that reads Arrow."""

    plan: Plan
    """The question and the requests that answer it."""
    coverage: Listed[Coverage] = attrs.field(converter=_list_coverage)
    """What became of each request, in the order of the plan."""
    notes: Listed[Note] = attrs.field(default=Listed((), Note), converter=_list_notes)
    """What there is to know about the figures."""
    arrived: tuple[Chunk, ...] = attrs.field(default=(), repr=False, eq=False)
    """The chunks behind an incomplete result or a shard, so that what is missing can still be merged with them."""

    @property
    def complete(self) -> bool:
        """Whether every request was answered; `coverage` tells which was not."""
        return all(item.status != "failed" for item in self.coverage)

    def raise_for_failures(self) -> None:
        """Raise `PartialResultError` unless `complete`."""
        failures = [item.error for item in self.coverage if item.status == "failed" and item.error is not None]
        if not self.complete:
            raise PartialResultError(self, failures)

    def _table(self) -> Table:
        from . import tables

        return tables.schema_of(self.plan.query), tables.batches_of(self)

    def _sight(self) -> Sight:
        failed = sum(item.status == "failed" for item in self.coverage)
        state = f"{failed} of {len(self.coverage)} requests failed" if failed else f"requests: {len(self.coverage)}"
        zones = getattr(self, "zone_details", None)  # the rows of a table are theirs
        apart = "" if zones is None else f" of all zones together (below: of {plural(len(zones.current), 'zone')} each)"
        below = [clip_line(f"note: {note.message}", MOST_SENTENCE) for note in self.notes[:_MOST_NOTES]]
        if len(self.notes) > _MOST_NOTES:
            below.append(f"and {len(self.notes) - _MOST_NOTES} more notes")
        head = [f"{type(self).__name__}: {plural(len(self), 'row')}{apart}, {state}", question_of(self.plan.query)]
        return see_rows(head, dicts_of(*self._table()), {item.request.tz for item in self.coverage}, below)

    def _sequence(self) -> tuple[Row, ...]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Row]:
        return iter(self._sequence())

    def __len__(self) -> int:
        return len(self._sequence())

    def __bool__(self) -> bool:
        return True  # an empty answer is an answer

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self._sequence()[index]
