"""The client whose calls block: each method is that of `AsyncIndivd`, run on an event loop until it is done."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, overload

from ..client import AsyncIndivd
from ..client.client import copy_attributes
from ..execution import Stats
from ..planning import Plan
from ..profile import Profile
from ..progress import Wanted
from ..queries import DropInRate, LineCrosses, OnError, Query, ZoneVisitors
from ..results import AnyResult, DropInRateResult, LineCrossesResult, ZoneVisitorsResult
from ..settings import RetryPolicy, Timeouts
from .portal import Portal
from .reader import ArrowReader
from .stream import OpenStream

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=AnyResult)


def _made_as(
    method: Callable[Concatenate[Any, P], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Give a function the parameters of *method*."""

    def give(function: Callable[..., None]) -> Callable[Concatenate[Any, P], None]:
        return functools.wraps(method)(function)

    return give


def _blocking(
    method: Callable[Concatenate[AsyncIndivd, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Indivd, P], T]:
    """Make of *method* one that blocks, with the same parameters."""

    def call(self: Indivd, /, *args: P.args, **options: P.kwargs) -> T:
        done: T = self._run(method.__name__, *args, **options)
        return done

    functools.update_wrapper(call, method)
    return call


class Indivd:
    """
    The client of one account, for code that does not await.

    Every public method of `AsyncIndivd` is here with the same parameters, errors and results, and blocks until it is
    done; `close()` stands for `aclose()`. It may be used from any thread, from several at once, and where an event loop
    runs (which it then holds up). Ctrl-C ends what is under way, and so does whatever else a handler of signals raises:
    it comes out of the call, when the loop has done what it computes.

    The work is done in the thread of the caller, while it waits. The first call that cannot be, because another is
    under way or an event loop runs in its thread, or that opens a stream or reads a reader, starts a thread for this
    and all that follows. *on_event* and *progress* are called in the thread that does the work, the caller's or that
    one. They must not block: signals wait until they return.

    Args and errors are those of `AsyncIndivd`.
    """

    #: What makes the client behind: a subclass may name `TracedIndivd`.
    client_class: type[AsyncIndivd] = AsyncIndivd

    @_made_as(AsyncIndivd.__init__)
    def __init__(self, *args: Any, **options: Any) -> None:
        try:
            self._client = self.client_class(*args, **options)
        finally:
            del args, options  # a traceback with locals would show the token
        self._portal = Portal()

    def with_options(self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None) -> Self:
        """Return a client with other options; connections, stats, rate limit and retry budget are the same."""
        twin = object.__new__(type(self))
        copy_attributes(self, twin)
        twin._client = self._client.with_options(timeouts=timeouts, retry=retry)
        return twin

    @property
    def stats(self) -> Stats:
        """Requests, attempts, retries and bytes so far, and requests in flight now and at most."""
        return self._client.stats

    @property
    def profile(self) -> Profile | None:
        """What is known of the service; None where nothing is."""
        return self._client.profile

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection, and end its thread. Calls in other threads end with `ClientClosedError`."""
        self._portal.close(self._client.aclose)

    def __repr__(self) -> str:
        return repr(getattr(self, "_client", "<not made>")).replace(self.client_class.__name__, type(self).__name__, 1)

    def __reduce__(self) -> Any:
        raise TypeError("an Indivd holds connections and a token and does not pickle; plans, queries and results do")

    def _run(self, name: str, *args: Any, **options: Any) -> Any:
        return self._portal.run(functools.partial(getattr(self._client, name), *args, **options))

    locations = _blocking(AsyncIndivd.locations)
    zones = _blocking(AsyncIndivd.zones)
    categories = _blocking(AsyncIndivd.categories)
    lines = _blocking(AsyncIndivd.lines)
    organizations = _blocking(AsyncIndivd.organizations)
    line_crosses = _blocking(AsyncIndivd.line_crosses)
    zone_visitors = _blocking(AsyncIndivd.zone_visitors)
    drop_in_rate = _blocking(AsyncIndivd.drop_in_rate)
    plan = _blocking(AsyncIndivd.plan)
    run = _blocking(AsyncIndivd.run)

    @overload
    def fetch(self, query: LineCrosses, *, progress: Wanted = None) -> LineCrossesResult: ...
    @overload
    def fetch(self, query: ZoneVisitors, *, progress: Wanted = None) -> ZoneVisitorsResult: ...
    @overload
    def fetch(self, query: DropInRate, *, progress: Wanted = None) -> DropInRateResult: ...
    @overload
    def fetch(self, query: Query, *, progress: Wanted = None) -> AnyResult: ...
    def fetch(self, query: Query, *, progress: Wanted = None) -> AnyResult:
        """Plan *query* and run the plan."""
        result: AnyResult = self._run("fetch", query, progress=progress)
        return result

    def fetch_all(
        self, queries: Iterable[Query], on_error: OnError = "raise", *, progress: Wanted = None
    ) -> list[AnyResult]:
        """
        Fetch many queries over the same connections; results come in the order of the queries.

        With ``on_error="collect"`` every query is finished and its result lists what failed.
        """
        # A generator of the caller's runs in the caller's thread, to which its database may be bound.
        given = list(queries) if isinstance(queries, Iterable) else queries
        results: list[AnyResult] = self._run("fetch_all", given, on_error, progress=progress)
        return results

    @overload
    def retry_failed(self, result: R, *, progress: Wanted = None) -> R: ...
    @overload
    def retry_failed(self, result: Sequence[R], *, progress: Wanted = None) -> list[R]: ...
    def retry_failed(self, result: AnyResult | Sequence[AnyResult], *, progress: Wanted = None) -> Any:
        """Fetch what failed of *result*, or of a list of them, and only that; what fails again is listed again."""
        return self._run("retry_failed", result, progress=progress)

    def stream(
        self, queries: Query | Plan | Iterable[Query | Plan], ordered: bool = False, *, progress: Wanted = None
    ) -> OpenStream:
        """
        Open a stream of chunks, one a planned request, as they arrive or in the order of the plans.

        ``with client.stream(queries) as chunks: for chunk in chunks: …``, or all of it as one frame:
        ``polars.DataFrame(client.stream(queries).table())``. Memory is bounded and a slow consumer holds the requests
        back. A failed piece is yielded with its `error`, never raised. Leaving the context cancels what
        is under way. Chunks are not merged: rows that a plan would add up come apart; `reader` gives them whole.
        *queries* are pulled in the client's own thread; by `table()` perhaps in the caller's.
        """
        return OpenStream(self._portal, self._client.stream(queries, ordered, progress=progress))

    def reader(self, queries: Query | Plan | Iterable[Query | Plan]) -> ArrowReader:
        """
        Offer the rows of *queries* as one Arrow stream that is pulled as it is read, for DuckDB, ADBC, Delta, polars.

        All must be of one endpoint, and on one clock or each location's own, since a stream has one schema. The rows
        are those of `fetch`, merged, query after query; memory holds a few dozen answers, however many there are.
        Each time it is read it asks anew. A piece that fails ends the reading with its error: what is missing must not
        look like nothing, and notes that somebody should look at are warned of. Needs the extra `parquet` (pyarrow).
        """
        return ArrowReader(self._portal, self._client, queries)
