"""
The async client for Indivd's visitor analytics.

Ask for any range, any locations and any grouping in one call; the client plans it into concurrent requests that obey
the API's limits, and merges the answers into exactly what one unsplit answer would have said, or says why that cannot
be.
"""

from __future__ import annotations

from ._execution import Counts, Event, Stats
from ._version import __version__
from .chunks import Chunk
from .client import AsyncIndivd, merge_results
from .errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigError,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    InvalidQueryError,
    MergeConflictError,
    NotFoundError,
    NotMergeableError,
    PartialResultError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    TransportError,
    UnexpectedStatusError,
)
from .models import (
    Aggregation,
    Bucket,
    Category,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    Line,
    LineCrossesRow,
    Location,
    Organization,
    Zone,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from .plans import Plan, PlannedRequest
from .queries import DropInRate, LineCrosses, ZoneVisitors
from .results import (
    Coverage,
    DropInDetails,
    DropInRateResult,
    DropInSummary,
    DropInZones,
    LineCrossesResult,
    Note,
    ZoneVisitorsPeriod,
    ZoneVisitorsResult,
)
from .settings import Limits, RetryPolicy, Timeouts

__all__ = [
    "Aggregation",
    "ApiError",
    "AsyncIndivd",
    "AuthenticationError",
    "BadRequestError",
    "Bucket",
    "Category",
    "Chunk",
    "ClientClosedError",
    "ConfigError",
    "ConnectionFailedError",
    "Counts",
    "Coverage",
    "DeadlineExceededError",
    "DecodeError",
    "DropInDetails",
    "DropInRate",
    "DropInRateResult",
    "DropInRow",
    "DropInSummary",
    "DropInTotals",
    "DropInZones",
    "DwellTimeStats",
    "Event",
    "Exclude",
    "IndivdError",
    "InvalidQueryError",
    "Limits",
    "Line",
    "LineCrosses",
    "LineCrossesResult",
    "LineCrossesRow",
    "Location",
    "MergeConflictError",
    "NotFoundError",
    "NotMergeableError",
    "Note",
    "Organization",
    "PartialResultError",
    "PermissionDeniedError",
    "Plan",
    "PlannedRequest",
    "RateLimitedError",
    "RequestTimeoutError",
    "ResponseTooLargeError",
    "RetryPolicy",
    "ServerError",
    "Stats",
    "Timeouts",
    "TransportError",
    "UnexpectedStatusError",
    "Zone",
    "ZoneDropIn",
    "ZoneDropInRow",
    "ZoneVisitors",
    "ZoneVisitorsPeriod",
    "ZoneVisitorsResult",
    "ZoneVisitorsRow",
    "__version__",
    "merge_results",
]
