"""What one request brought, not merged with any other: an answer, one class an endpoint, or an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Self

import attrs

from ..errors import IndivdError
from ..escaping import ShownAsText
from ..fielded import Fielded
from ..models import NOTHING_EXTRA, DropInRow, DropInTotals, FrozenMap, LineCrossesRow, ZoneDropIn, ZoneVisitorsRow
from ..planning import PlannedRequest
from ..queries import Query
from ..wording import counted, plural
from .columns import Table
from .listed import Listed
from .notes import Note
from .shown import Tabular

#: The first and the last day of a period, as an answer repeats them; None where it does not.
Dates = tuple[str | None, str | None]
#: The rows of an answer, both periods'.
Blocks = Sequence[Sequence[Any]]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class LineCrossesAnswer(Fielded):
    """What one answer of line_crosses says; `notes` is what there is to know about it."""

    rows: tuple[LineCrossesRow, ...] = attrs.field(repr=counted)
    notes: tuple[Note, ...] = ()

    @property
    def blocks(self) -> Blocks:
        return (self.rows,)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ZoneVisitorsAnswer(Fielded):
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
    #: Whether each row was seen, as it was read, to have no unknown field, no count below 0, and figures that agree.
    is_plain: bool = attrs.field(default=False, eq=False, repr=False)

    @property
    def blocks(self) -> Blocks:
        return self.current, self.comparison or ()

    def changed(self, change: Callable[[ZoneVisitorsRow], ZoneVisitorsRow]) -> Self:
        """Return it with a *change* of every row."""
        current, comparison = (rows and tuple(map(change, rows)) for rows in (self.current, self.comparison))
        return attrs.evolve(self, current=current or (), comparison=comparison)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DropInBlock(Fielded):
    """One period of an answer of drop_in_rate."""

    summary: DropInTotals | None
    details: tuple[DropInRow, ...] = attrs.field(repr=counted)
    zones: tuple[ZoneDropIn, ...] = attrs.field(repr=counted)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DropInAnswer(Fielded):
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

    @property
    def blocks(self) -> Blocks:
        """Of the zones' own."""
        return [zone.details for block in (self.current, self.comparison) if block for zone in block.zones]


Answer = LineCrossesAnswer | ZoneVisitorsAnswer | DropInAnswer


def first_row(answer: Answer) -> Any:
    """Return the first of the rows of *answer*, or None."""
    return next(chain.from_iterable(answer.blocks), None)


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Chunk(ShownAsText, Tabular):
    """
    What became of one planned request of one query.

    Either `error` is None and the rows are there, or the request failed for good and there are none: who reads it as an
    Arrow stream is then given the error.
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
        became = f"failed: {self.error}" if self.error is not None else plural(self.row_count, "row")
        return f"<Chunk of {self.request}: {became}>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as flat dictionaries, one column a key, as those of a result; a failed chunk has none."""
        return [] if self.error is not None else super().to_dicts()

    def _table(self) -> Table:
        from . import tables

        return tables.schema_of(self.query), tables.batches_of_chunks(self.query, [self])

    @property
    def notes(self) -> Listed[Note]:
        """What there is to know about the figures of this answer by itself; the result of a fetch unites them."""
        return Listed(() if self.answer is None else self.answer.notes, Note)

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows of every period of the answer, as the API gave them; for drop_in_rate the zones' own rows."""
        return () if self.answer is None else tuple(chain.from_iterable(self.answer.blocks))

    @property
    def row_count(self) -> int:
        """How many rows there are, without collecting them."""
        return 0 if self.answer is None else sum(map(len, self.answer.blocks))
