"""What the caller holds: the merged rows, what became of each request, and what there is to know about the figures."""

from .chunks import Answer as Answer, Block as Block, Chunk as Chunk, Dates as Dates
from .drop_in_rate import (
    DropInDetails as DropInDetails,
    DropInRateResult as DropInRateResult,
    DropInSummary as DropInSummary,
    DropInZones as DropInZones,
)
from .line_crosses import LineCrossesResult as LineCrossesResult
from .listed import Listed as Listed
from .notes import Note as Note
from .result import Coverage as Coverage, Result as Result
from .shown import Tabular as Tabular
from .zone_visitors import ZoneVisitorsPeriod as ZoneVisitorsPeriod, ZoneVisitorsResult as ZoneVisitorsResult

AnyResult = LineCrossesResult | ZoneVisitorsResult | DropInRateResult
