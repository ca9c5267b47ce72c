"""What one request brought, not merged with any other: an answer, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Self

import attrs

from ..errors import IndivdError
from ..escaping import ShownAsText
from ..fielded import Fielded
from ..models import NOTHING_EXTRA, DropInRow, DropInTotals, FrozenMap, ZoneDropIn
from ..planning import PlannedRequest
from ..queries import Query
from ..wording import counted, plural
from .columns import Table
from .listed import Listed
from .notes import Note
from .shown import Tabular

#: The first and the last day of a period, as an answer repeats them; None where it does not.
Dates = tuple[str | None, str | None]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Block(Fielded):
    """
    What an answer says of one period.

    `rows` are those of line_crosses and of zone_visitors; drop_in_rate has a `summary`, `details` of all zones
    together, and `zones` with rows of their own.
    """

    rows: tuple[Any, ...] = attrs.field(default=(), repr=counted)
    dates: Dates = (None, None)
    summary: DropInTotals | None = None
    details: tuple[DropInRow, ...] = attrs.field(default=(), repr=counted)
    zones: tuple[ZoneDropIn, ...] = attrs.field(default=(), repr=counted)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Answer(Fielded):
    """
    What one answer says; `comparison` is None where it has none, `notes` is what there is to know about it.

    `extra` has the fields that are not known, of the answer and of the objects in it that no row stands for, by their
    path: ``"current.next"``. Those of a summary are in its own.
    """

    current: Block
    comparison: Block | None = None
    #: As drop_in_rate names it.
    interval: str | None = None
    extra: FrozenMap = NOTHING_EXTRA
    notes: tuple[Note, ...] = ()
    #: Whether each visit was seen, as it was read, to have no unknown field, no count below 0, and figures that agree.
    is_plain: bool = attrs.field(default=False, eq=False, repr=False)

    @property
    def blocks(self) -> Sequence[Block]:
        return (self.current,) if self.comparison is None else (self.current, self.comparison)

    @property
    def lists(self) -> Iterator[Sequence[Any]]:
        """Its rows: by period, or by zone where zones have rows of their own."""
        for block in self.blocks:
            yield block.rows
            yield from [zone.details for zone in block.zones]

    @property
    def first_row(self) -> Any:
        """The first of all rows, or None."""
        return next(chain.from_iterable(self.lists), None)

    def changed(self, change: Callable[[Any], Any]) -> Self:
        """Return it with a *change* of every row of zone_visitors."""
        current, *others = [attrs.evolve(block, rows=tuple(map(change, block.rows))) for block in self.blocks]
        return attrs.evolve(self, current=current, comparison=others[0] if others else None)


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
        return () if self.answer is None else tuple(chain.from_iterable(self.answer.lists))

    @property
    def row_count(self) -> int:
        """How many rows there are, without collecting them."""
        return 0 if self.answer is None else sum(map(len, self.answer.lists))
