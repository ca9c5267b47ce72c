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
    from .client import AsyncIndivd as AsyncIndivd
    from .client import Endpoints as Endpoints
    from .errors import AnswerMismatchError as AnswerMismatchError
    from .errors import ApiError as ApiError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BadRequestError as BadRequestError
    from .errors import ClientClosedError as ClientClosedError
    from .errors import ConfigError as ConfigError
    from .errors import ConnectionFailedError as ConnectionFailedError
    from .errors import DeadlineExceededError as DeadlineExceededError
    from .errors import DecodeError as DecodeError
    from .errors import IndivdError as IndivdError
    from .errors import InvalidQueryError as InvalidQueryError
    from .errors import MergeConflictError as MergeConflictError
    from .errors import NotFoundError as NotFoundError
    from .errors import NotMergeableError as NotMergeableError
    from .errors import PartialResultError as PartialResultError
    from .errors import PermissionDeniedError as PermissionDeniedError
    from .errors import RateLimitedError as RateLimitedError
    from .errors import RequestTimeoutError as RequestTimeoutError
    from .errors import ResponseTooLargeError as ResponseTooLargeError
    from .errors import ServerError as ServerError
    from .errors import TransportError as TransportError
    from .errors import UnexpectedStatusError as UnexpectedStatusError
    from .execution import Counts as Counts
    from .execution import Event as Event
    from .execution import Stats as Stats
    from .merging import merge_results as merge_results
    from .models import Aggregation as Aggregation
    from .models import Bucket as Bucket
    from .models import Category as Category
    from .models import DropInRow as DropInRow
    from .models import DropInTotals as DropInTotals
    from .models import DwellTimeStats as DwellTimeStats
    from .models import Exclude as Exclude
    from .models import Line as Line
    from .models import LineCrossesRow as LineCrossesRow
    from .models import Location as Location
    from .models import Organization as Organization
    from .models import Zone as Zone
    from .models import ZoneDropIn as ZoneDropIn
    from .models import ZoneDropInRow as ZoneDropInRow
    from .models import ZoneVisitorsRow as ZoneVisitorsRow
    from .planning import Plan as Plan
    from .planning import PlannedRequest as PlannedRequest
    from .profile import MostDays as MostDays
    from .profile import Numbering as Numbering
    from .profile import Profile as Profile
    from .progress import Progress as Progress
    from .queries import DropInRate as DropInRate
    from .queries import LineCrosses as LineCrosses
    from .queries import Query as Query
    from .queries import ZoneVisitors as ZoneVisitors
    from .results import Chunk as Chunk
    from .results import Coverage as Coverage
    from .results import DropInDetails as DropInDetails
    from .results import DropInRateResult as DropInRateResult
    from .results import DropInSummary as DropInSummary
    from .results import DropInZones as DropInZones
    from .results import LineCrossesResult as LineCrossesResult
    from .results import Listed as Listed
    from .results import Note as Note
    from .results import Result as Result
    from .results import ZoneVisitorsPeriod as ZoneVisitorsPeriod
    from .results import ZoneVisitorsResult as ZoneVisitorsResult
    from .settings import Limits as Limits
    from .settings import RetryPolicy as RetryPolicy
    from .settings import Timeouts as Timeouts

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
    "queries": "DropInRate LineCrosses Query ZoneVisitors",
    "planning": "Plan PlannedRequest",
    "progress": "Progress",
    "results": (
        "Chunk Coverage DropInDetails DropInRateResult DropInSummary DropInZones LineCrossesResult Listed "
        "Note Result ZoneVisitorsPeriod ZoneVisitorsResult"
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
