"""
The async client for Indivd's visitor analytics.

Ask for any range, any locations and any grouping in one call; the client plans it into concurrent requests that obey
the API's limits, and merges the answers into exactly what one unsplit answer would have said, or says why that cannot
be. Where "the article" is named, it is Indivd's on the data endpoints of its API, which is all that documents them.
"""

from __future__ import annotations

from importlib import import_module

from ._version import __version__

TYPE_CHECKING = False  # checkers know better, and `typing` is most of what importing this takes
if TYPE_CHECKING:
    from .client import AsyncIndivd, Endpoints
    from .errors import (
        AnswerMismatchError,
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
    from .execution import Counts, Event, Stats
    from .merging import merge_results
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
    from .planning import Plan, PlannedRequest
    from .profile import MostDays, Numbering, Profile
    from .progress import Progress
    from .queries import DropInRate, LineCrosses, Query, ZoneVisitors
    from .results import (
        Chunk,
        Coverage,
        DropInDetails,
        DropInRateResult,
        DropInSummary,
        DropInZones,
        LineCrossesResult,
        Listed,
        Note,
        Result,
        ZoneVisitorsPeriod,
        ZoneVisitorsResult,
    )
    from .settings import Limits, RetryPolicy, Timeouts

__docformat__ = "google"
__all__ = [
    "Aggregation",
    "AnswerMismatchError",
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
    "Endpoints",
    "Event",
    "Exclude",
    "IndivdError",
    "InvalidQueryError",
    "Limits",
    "Line",
    "LineCrosses",
    "LineCrossesResult",
    "LineCrossesRow",
    "Listed",
    "Location",
    "MergeConflictError",
    "MostDays",
    "NotFoundError",
    "NotMergeableError",
    "Note",
    "Numbering",
    "Organization",
    "PartialResultError",
    "PermissionDeniedError",
    "Plan",
    "PlannedRequest",
    "Profile",
    "Progress",
    "Query",
    "RateLimitedError",
    "RequestTimeoutError",
    "ResponseTooLargeError",
    "Result",
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

if not TYPE_CHECKING:  # a checker would believe that there is every name
    #: Where the names are, the lighter modules first.
    _HOMES = (
        "errors",
        "settings",
        "profile",
        "models",
        "queries",
        "planning",
        "progress",
        "results",
        "execution",
        "merging",
        "client",
    )

    def __getattr__(name: str) -> object:
        """
        Import what is asked for, when it is asked for.

        So whoever wants a query, or the help of the command, does not wait for the libraries of the network; and the
        command is there, to hear Ctrl-C, before they are.
        """
        if name in _HOMES:
            return import_module(f".{name}", __name__)
        for home in _HOMES if name in __all__ else ():
            found = vars(import_module(f".{home}", __name__))
            if name in found:
                return globals().setdefault(name, found[name])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
