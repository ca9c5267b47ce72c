"""
One answer, structured: what a stream yields and what the merge takes.

A chunk is what became of one planned request, rows or an error. It has not been merged with any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from .models import DropInRow, DropInTotals, LineCrossesRow, ZoneDropIn, ZoneDropInRow, ZoneVisitorsRow

if TYPE_CHECKING:
    from .errors import IndivdError
    from .plans import PlannedRequest
    from .queries import Query

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
