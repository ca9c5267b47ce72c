"""What one answer says, structured, one class an endpoint: what a chunk has, and what tables and merges are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Self

import attrs

from ..fielded import Fielded
from ..models import NOTHING_EXTRA, DropInRow, DropInTotals, FrozenMap, LineCrossesRow, ZoneDropIn, ZoneVisitorsRow
from ..wording import counted
from .notes import Note

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


def has_rows(answer: Answer) -> bool:
    """Tell whether *answer* brought anything."""
    return first_row(answer) is not None


def first_row(answer: Answer) -> Any:
    """Return the first of the rows of *answer*, or None."""
    return next(chain.from_iterable(answer.blocks), None)
