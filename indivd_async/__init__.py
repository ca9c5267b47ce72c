"""
The async client for Indivd's visitor analytics.

Ask for any range, any locations and any grouping in one call; the client plans it into concurrent requests that obey
the API's limits, and merges the answers into exactly what one unsplit answer would have said, or says why that cannot
be. Where "the article" is named, it is Indivd's on the data endpoints of its API, which is all that documents them.
"""

from __future__ import annotations

from importlib import import_module

from ._version import __version__ as __version__

TYPE_CHECKING = False  # checkers know better, and `typing` is most of what importing this takes
if TYPE_CHECKING:
    from .client import AsyncIndivd as AsyncIndivd, Endpoints as Endpoints
    from .errors import (
        AnswerMismatchError as AnswerMismatchError,
        ApiError as ApiError,
        AuthenticationError as AuthenticationError,
        BadRequestError as BadRequestError,
        ClientClosedError as ClientClosedError,
        ConfigError as ConfigError,
        ConnectionFailedError as ConnectionFailedError,
        DeadlineExceededError as DeadlineExceededError,
        DecodeError as DecodeError,
        IndivdError as IndivdError,
        InvalidQueryError as InvalidQueryError,
        MergeConflictError as MergeConflictError,
        NotFoundError as NotFoundError,
        NotMergeableError as NotMergeableError,
        PartialResultError as PartialResultError,
        PermissionDeniedError as PermissionDeniedError,
        RateLimitedError as RateLimitedError,
        RequestTimeoutError as RequestTimeoutError,
        ResponseTooLargeError as ResponseTooLargeError,
        ServerError as ServerError,
        TransportError as TransportError,
        UnexpectedStatusError as UnexpectedStatusError,
    )
    from .execution import Counts as Counts, Event as Event, Stats as Stats
    from .merging import merge_results as merge_results
    from .models import (
        Aggregation as Aggregation,
        Bucket as Bucket,
        Category as Category,
        DropInRow as DropInRow,
        DropInTotals as DropInTotals,
        DwellTimeStats as DwellTimeStats,
        Exclude as Exclude,
        Line as Line,
        LineCrossesRow as LineCrossesRow,
        Location as Location,
        Organization as Organization,
        Zone as Zone,
        ZoneDropIn as ZoneDropIn,
        ZoneDropInRow as ZoneDropInRow,
        ZoneVisitorsRow as ZoneVisitorsRow,
    )
    from .planning import Plan as Plan, PlannedRequest as PlannedRequest
    from .profile import MostDays as MostDays, Numbering as Numbering, Profile as Profile
    from .progress import Progress as Progress
    from .queries import (
        BaseQuery as BaseQuery,
        DropInRate as DropInRate,
        LineCrosses as LineCrosses,
        Query as Query,
        ZoneQuery as ZoneQuery,
        ZoneVisitors as ZoneVisitors,
    )
    from .results import (
        Chunk as Chunk,
        Coverage as Coverage,
        DropInDetails as DropInDetails,
        DropInRateResult as DropInRateResult,
        DropInSummary as DropInSummary,
        DropInZones as DropInZones,
        LineCrossesResult as LineCrossesResult,
        Listed as Listed,
        Note as Note,
        Result as Result,
        Tabular as Tabular,
        ZoneVisitorsPeriod as ZoneVisitorsPeriod,
        ZoneVisitorsResult as ZoneVisitorsResult,
    )
    from .settings import Limits as Limits, RetryPolicy as RetryPolicy, Timeouts as Timeouts

__docformat__ = "google"
#: What is exported, and where it is, the lighter modules first.
_EXPORTED = {
    "errors": (
        "AnswerMismatchError ApiError AuthenticationError BadRequestError ClientClosedError ConfigError "
        "ConnectionFailedError DeadlineExceededError DecodeError IndivdError InvalidQueryError "
        "MergeConflictError NotFoundError NotMergeableError PartialResultError PermissionDeniedError "
        "RateLimitedError RequestTimeoutError ResponseTooLargeError ServerError TransportError "
        "UnexpectedStatusError"
    ),
    "settings": "Limits RetryPolicy Timeouts",
    "profile": "MostDays Numbering Profile",
    "models": (
        "Aggregation Bucket Category DropInRow DropInTotals DwellTimeStats Exclude Line LineCrossesRow "
        "Location Organization Zone ZoneDropIn ZoneDropInRow ZoneVisitorsRow"
    ),
    "queries": "BaseQuery DropInRate LineCrosses Query ZoneQuery ZoneVisitors",
    "planning": "Plan PlannedRequest",
    "progress": "Progress",
    "results": (
        "Chunk Coverage DropInDetails DropInRateResult DropInSummary DropInZones LineCrossesResult Listed "
        "Note Result Tabular ZoneVisitorsPeriod ZoneVisitorsResult"
    ),
    "execution": "Counts Event Stats",
    "merging": "merge_results",
    "client": "AsyncIndivd Endpoints",
}
_HOMES = {name: home for home, names in _EXPORTED.items() for name in names.split()}

if not TYPE_CHECKING:  # a checker would believe that there is every name
    __all__ = sorted([*_HOMES, "__version__"])

    def __getattr__(name: str) -> object:
        """
        Import what is asked for, when it is asked for.

        So whoever wants a query, or the help of the command, does not wait for the libraries of the network; and the
        command is there, to hear Ctrl-C, before they are.
        """
        if name in _EXPORTED:
            return import_module(f".{name}", __name__)
        if name in _HOMES:
            return globals().setdefault(name, getattr(import_module(f".{_HOMES[name]}", __name__), name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
