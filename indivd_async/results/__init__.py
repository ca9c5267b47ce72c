"""What the caller holds: the merged rows, what became of each request, and what there is to know about the figures."""

from __future__ import annotations

from .answers import (
    Answer,
    Dates,
    DropInAnswer,
    DropInBlock,
    LineCrossesAnswer,
    ZoneVisitorsAnswer,
    first_row,
    has_rows,
)
from .chunks import Chunk
from .drop_in_rate import DropInDetails, DropInRateResult, DropInSummary, DropInZones
from .line_crosses import LineCrossesResult
from .listed import Listed
from .notes import Note
from .result import Coverage, Result
from .zone_visitors import ZoneVisitorsPeriod, ZoneVisitorsResult

AnyResult = LineCrossesResult | ZoneVisitorsResult | DropInRateResult

__all__ = [
    "Answer",
    "AnyResult",
    "Chunk",
    "Coverage",
    "Dates",
    "DropInAnswer",
    "DropInBlock",
    "DropInDetails",
    "DropInRateResult",
    "DropInSummary",
    "DropInZones",
    "LineCrossesAnswer",
    "LineCrossesResult",
    "Listed",
    "Note",
    "Result",
    "ZoneVisitorsAnswer",
    "ZoneVisitorsPeriod",
    "ZoneVisitorsResult",
    "first_row",
    "has_rows",
]
