"""
One answer, structured: what a stream yields and what the merge takes.

A chunk is what became of one planned request, rows or an error. It has not been merged with any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from ..models import NOTHING_EXTRA, DropInRow, DropInTotals, FrozenMap, LineCrossesRow, ZoneDropIn, ZoneVisitorsRow
from ..wording import counted
from .listed import Listed
from .notes import Note

if TYPE_CHECKING:
    from ..errors import IndivdError
    from ..planning import PlannedRequest
    from ..queries import Query

#: The first and the last day of a period, as an answer repeats them; None where it does not.
Dates = tuple[str | None, str | None]


@attrs.frozen(kw_only=True)
class LineCrossesAnswer:
    """What one answer of line_crosses says; `notes` is what there is to know about it."""

    rows: tuple[LineCrossesRow, ...] = attrs.field(repr=counted)
    notes: tuple[Note, ...] = ()


@attrs.frozen(kw_only=True)
class ZoneVisitorsAnswer:
    """
    What one answer of zone_visitors says; `comparison` is None where the answer has none.

    `extra` has the fields that are not known, of the answer and of its periods, by their path: ``"current.next"``.
    """

    current: tuple[ZoneVisitorsRow, ...] = attrs.field(repr=counted)
    comparison: tuple[ZoneVisitorsRow, ...] | None = attrs.field(default=None, repr=counted)
    dates: Dates = (None, None)
    comparison_dates: Dates = (None, None)
    extra: FrozenMap = NOTHING_EXTRA
    notes: tuple[Note, ...] = ()


@attrs.frozen(kw_only=True)
class DropInBlock:
    """One period of an answer of drop_in_rate."""

    summary: DropInTotals | None
    details: tuple[DropInRow, ...] = attrs.field(repr=counted)
    zones: tuple[ZoneDropIn, ...] = attrs.field(repr=counted)


@attrs.frozen(kw_only=True)
class DropInAnswer:
    """
    What one answer of drop_in_rate says; `comparison` is None where the answer has none.

    `extra` has the fields that are not known, of the answer and of its three sections, by their path:
    ``"details.next"``. Those of a summary are in its own.
    """

    interval: str | None
    current: DropInBlock
    comparison: DropInBlock | None = None
    extra: FrozenMap = NOTHING_EXTRA
    notes: tuple[Note, ...] = ()


Answer = LineCrossesAnswer | ZoneVisitorsAnswer | DropInAnswer


def has_rows(answer: Answer) -> bool:
    """Tell whether *answer* brought anything."""
    return first_row(answer) is not None


def first_row(answer: Answer | None) -> Any:
    """Return the first of the rows of *answer*, or None."""
    return next(_rows(answer), None)


def _rows(answer: Answer | None) -> Iterator[Any]:
    if isinstance(answer, LineCrossesAnswer):
        yield from answer.rows
    elif isinstance(answer, ZoneVisitorsAnswer):
        yield from answer.current
        yield from answer.comparison or ()
    elif isinstance(answer, DropInAnswer):
        for block in (answer.current, answer.comparison):
            for zone in block.zones if block is not None else ():
                yield from zone.details


@attrs.frozen(kw_only=True, repr=False)
class Chunk:
    """
    What became of one planned request of one query.

    Either `error` is None and the rows are there, or the request failed for good and there are none.
    """

    query: Query
    """The question that its request belongs to."""
    request: PlannedRequest
    """The request that was answered, or failed."""
    answer: Answer | None = None
    """What it said; None where it failed."""
    error: IndivdError | None = None
    """Why it failed; None where it was answered."""
    attempts: int = 0
    """How often it was sent; 0 where a cache had the answer."""

    def __repr__(self) -> str:
        became = f"failed: {self.error}" if self.error is not None else f"{self.row_count} rows"
        return f"<Chunk of {self.request}: {became}>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as flat dictionaries, one column a key, as those of a result; a failed chunk has none."""
        from . import tables

        return tables.rows_of_chunk(self)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the rows as an Arrow stream (extra `arrow`); a failed chunk raises its error."""
        from . import tables

        return tables.stream_of(self.query, [self]).__arrow_c_stream__(requested_schema)

    @property
    def notes(self) -> Listed[Note]:
        """What there is to know about the figures of this answer by itself; the result of a fetch unites them."""
        return Listed(() if self.answer is None else self.answer.notes, Note)

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows of every period of the answer, as the API gave them; for drop_in_rate the zones' own rows."""
        return tuple(_rows(self.answer))

    @property
    def row_count(self) -> int:
        """How many rows there are, without collecting them."""
        answer = self.answer
        if isinstance(answer, ZoneVisitorsAnswer):
            return len(answer.current) + len(answer.comparison or ())
        if isinstance(answer, LineCrossesAnswer):
            return len(answer.rows)
        return sum(1 for _ in _rows(answer))
