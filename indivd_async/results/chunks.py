"""
One answer, structured: what a stream yields and what the merge takes.

A chunk is what became of one planned request, rows or an error. It has not been merged with any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from ..models import DropInRow, DropInTotals, LineCrossesRow, ZoneDropIn, ZoneVisitorsRow

if TYPE_CHECKING:
    from ..errors import IndivdError
    from ..planning import PlannedRequest
    from ..queries import Query


@attrs.frozen(kw_only=True)
class LineCrossesAnswer:
    """What one answer of line_crosses says."""

    rows: tuple[LineCrossesRow, ...]


@attrs.frozen(kw_only=True)
class ZoneVisitorsAnswer:
    """What one answer of zone_visitors says; `comparison` is None where the answer has none."""

    current: tuple[ZoneVisitorsRow, ...]
    comparison: tuple[ZoneVisitorsRow, ...] | None = None


@attrs.frozen(kw_only=True)
class DropInBlock:
    """One period of an answer of drop_in_rate."""

    summary: DropInTotals | None
    details: tuple[DropInRow, ...]
    zones: tuple[ZoneDropIn, ...]


@attrs.frozen(kw_only=True)
class DropInAnswer:
    """What one answer of drop_in_rate says; `comparison` is None where the answer has none."""

    interval: str | None
    current: DropInBlock
    comparison: DropInBlock | None = None


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


@attrs.frozen(kw_only=True)
class Chunk:
    """
    What became of one planned request of one query.

    Either `error` is None and the rows are there, or the request failed for good and there are none.
    """

    query: Query
    request: PlannedRequest
    answer: Answer | None = None
    error: IndivdError | None = None
    attempts: int = 0

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
