"""The client: the methods that a caller sees. Each is a call, which knows the order of the stages."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import attrs

from ..errors import ConfigError, InvalidQueryError
from ..execution import Deadline, Event, Executor, SingleFlight, Stats
from ..planning import Plan, each_query
from ..profile import Profile, read_profile
from ..progress import Display, Wanted
from ..queries import DropInRate, LineCrosses, OnError, Query, ZoneVisitors, one_by_one
from ..results import AnyResult, Chunk, DropInRateResult, LineCrossesResult, Listed, ZoneVisitorsResult
from ..settings import DEFAULT_BASE_URL, Limits, RetryPolicy, Timeouts, check_options
from ..transport import HttpClient, HttpTransport, Token, hide, parse_base_url, plan_lanes
from .call import Answered, Call
from .catalogue import Catalogue
from .endpoints import Endpoints
from .opened import OpenStream

if TYPE_CHECKING:  # most clients have none
    from ..cache import Cache

R = TypeVar("R", bound=AnyResult)


class AsyncIndivd(Endpoints):
    """
    The client of one account.

    It plans each call into as many requests as the API's limits and time zones need, sends them over
    `limits.concurrency` connections with retries and deadlines, and merges the answers into what one unsplit answer
    would have said, or says why that cannot be. Many tasks may use one client at once; identical questions in the air
    at the same time are asked once. It works on asyncio and trio, and may be made outside a running loop.

    Args:
        token: the bare API token; else the environment variable INDIVD_TOKEN.
        base_url: else INDIVD_BASE_URL, else the service. A path prefix is kept. https, except on loopback or with
            `allow_http`.
        timeouts: seconds; see `Timeouts`.
        retry: see `RetryPolicy`.
        limits: see `Limits`.
        http_client: an AsyncClient of yours, of httpx or httpx2, used as it is and never closed, at most 20 requests at
            once. Its headers, params and cookies are sent, too.
        transport: an AsyncBaseTransport of yours, of httpx or httpx2 (a mock, an ASGI app), never closed; or "aiohttp"
            to send over sessions of that library, through a proxy too (extra `aiohttp`).
        proxy: the URL of a proxy: http, https or socks5.
        ssl_context: for private certificate authorities.
        trust_env: where these two are not given, take a proxy (HTTPS_PROXY, NO_PROXY, …) and certificate authorities
            (SSL_CERT_FILE, SSL_CERT_DIR) from the environment.
        cache: keeps answers for closed days, so that a job run again asks only for the rest; see
            `indivd_async.cache`.
        progress: True to show how far each call is: a bar on stderr, or in a notebook; or what is called with each
            `Progress`. Each call may have its own.
        profile: what `indivd verify` learned of the service, or the path of it; else the one that INDIVD_PROFILE
            names. Without one nothing is assumed.
        on_event: called with an `Event` when a request is planned, started, retried, finished or has failed. It must
            not block.

    Raises:
        ConfigError: where one of them cannot be used.

    >>> import anyio
    >>> from indivd_async import AsyncIndivd, sandbox
    >>> async def main():
    ...     async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
    ...         result = await client.zone_visitors("2025-03-01", "2025-03-07", location=124, aggregate_by="zone")
    ...         return len(result), result.complete
    >>> anyio.run(main)[1]
    True
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        http_client: HttpClient | None = None,
        transport: HttpTransport | Literal["aiohttp"] | None = None,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        trust_env: bool = False,
        allow_http: bool = False,
        cache: Cache | None = None,
        profile: Profile | str | os.PathLike[str] | None = None,
        progress: Wanted = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        token, proxy = hide(token if token is not None else os.environ.get("INDIVD_TOKEN")), hide(proxy)
        if token is None:
            raise ConfigError("{token}: none was given; pass {token:…} or set the environment variable INDIVD_TOKEN")
        secret = Token(token)
        check_options(locals())
        if base_url is None:
            base_url = os.environ.get("INDIVD_BASE_URL") or DEFAULT_BASE_URL
        address = parse_base_url(base_url, allow_http)
        self._progress, self._display = progress, Display()
        self.profile = read_profile(profile)
        """What is known of the service; None where nothing is."""
        limits = limits or Limits()
        self._executor = Executor(
            lanes=plan_lanes(
                address,
                secret,
                limits,
                http_client=http_client,
                transport=transport,
                proxy=proxy,
                ssl_context=ssl_context,
                trust_env=trust_env,
            ),
            base_url=address,
            timeouts=timeouts or Timeouts(),
            retry=retry or RetryPolicy(),
            limits=limits,
            on_event=on_event,
        )
        self._catalogue = Catalogue(self._executor)
        self._flights: SingleFlight[Answered] = SingleFlight(self._executor.now)
        self._keeping = None
        if cache is not None:
            from .keeping import Keeping

            self._keeping = Keeping(cache, secret.fingerprint(), str(address))

    def with_options(self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None) -> Self:
        """Return a client with other options; connections, stats, rate limit and retry budget are the same."""
        check_options(locals())
        twin = object.__new__(type(self))
        copy_attributes(self, twin)  # also what a subclass has put there
        twin._executor = self._executor.with_options(timeouts=timeouts, retry=retry)
        twin._catalogue = Catalogue(twin._executor, self._catalogue.known)
        twin._flights = SingleFlight(twin._executor.now)  # other options, other answers: nothing is shared in the air
        return twin

    @property
    def stats(self) -> Stats:
        """Requests, attempts, retries and bytes so far, and requests in flight now and at most."""
        return self._executor.stats

    async def __aenter__(self) -> Self:
        self._executor.check()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection. Calls still waiting end with `ClientClosedError`; closing twice does nothing."""
        await self._executor.aclose()

    def __repr__(self) -> str:
        address = self._executor.base_url if hasattr(self, "_executor") else "not made"
        return f"<{type(self).__name__} {address}>"

    def __reduce__(self) -> Any:
        raise TypeError(
            "an AsyncIndivd holds connections and a token and does not pickle; plans, queries, results and errors do"
        )

    def _call(
        self,
        name: str,  # noqa: ARG002  for whoever wants to tell of calls
        *,
        collects: bool = False,
        progress: Wanted = None,
    ) -> AbstractContextManager[Call]:
        """Begin the call *name*: the one way in."""
        executor = self._executor
        executor.check()
        check_options({"progress": progress})
        call = Call(
            executor=executor,
            catalogue=self._catalogue,
            flights=self._flights,
            keeping=self._keeping,
            profile=self.profile,
            deadline=Deadline.after(executor.timeouts.total, executor.now(), "{Timeouts.total}"),
            collects=collects,
        )
        wanted = self._progress if progress is None else progress
        return self._counting(call, wanted) if wanted else nullcontext(call)

    @contextmanager
    def _counting(self, call: Call, wanted: Wanted) -> Iterator[Call]:
        with self._display.tallying(wanted) as tally:
            yield attrs.evolve(call, tally=tally)

    async def _list(self, name: str) -> Listed[Any]:
        with self._call(name) as call:
            return await call.look_up(name)

    async def plan(self, query: Query, *, cutoff: date | None = None) -> Plan:
        """
        Plan *query*; nothing is sent but a look-up of the locations, where their time zones matter.

        *cutoff* is a day after which windows begin anew where the grouping allows it, such as the last one whose
        figures are final.
        """
        with self._call("plan") as call:
            return await call.plan(query, cutoff)

    @overload
    async def fetch(self, query: LineCrosses, *, progress: Wanted = None) -> LineCrossesResult: ...
    @overload
    async def fetch(self, query: ZoneVisitors, *, progress: Wanted = None) -> ZoneVisitorsResult: ...
    @overload
    async def fetch(self, query: DropInRate, *, progress: Wanted = None) -> DropInRateResult: ...
    @overload
    async def fetch(self, query: Query, *, progress: Wanted = None) -> AnyResult: ...
    async def fetch(self, query: Query, *, progress: Wanted = None) -> AnyResult:
        """Plan *query* and run the plan."""
        with self._call(_name_of(query), progress=progress) as call:
            return (await call.fetch([await call.plan(query)]))[0]

    async def run(self, plan: Plan, *, progress: Wanted = None) -> AnyResult:
        """Send the requests of *plan* and merge their answers."""
        if not isinstance(plan, Plan):
            raise InvalidQueryError("plan", "must be a Plan", plan, "`fetch` takes a query.")
        with self._call(_name_of(plan.query), progress=progress) as call:
            return (await call.fetch([plan]))[0]

    async def fetch_all(
        self, queries: Iterable[Query], on_error: OnError = "raise", *, progress: Wanted = None
    ) -> list[AnyResult]:
        """
        Fetch many queries over the same connections; results come in the order of the queries.

        Equal queries are asked once, and share a result. With ``on_error="collect"`` every query is finished and its
        result lists what failed; where two answers hold a row that only one may hold, that is all of them. All are
        planned before the first request is sent.
        """
        wanted = list(one_by_one("queries", queries, Query, "must be a list of queries; `fetch` takes one"))
        if not isinstance(on_error, str) or on_error not in ("raise", "collect"):
            raise InvalidQueryError("on_error", 'must be {:"raise"} or {:"collect"}', on_error)
        with self._call("fetch_all", collects=on_error == "collect", progress=progress) as call:
            plans = {query: await call.plan(query) for query in dict.fromkeys(wanted)}
            results = dict(zip(plans, await call.fetch(list(plans.values())), strict=True))
            return [results[query] for query in wanted]

    def stream(
        self, queries: Query | Plan | Iterable[Query | Plan], ordered: bool = False, *, progress: Wanted = None
    ) -> OpenStream[Chunk]:
        """
        Open a stream of chunks, one a planned request, as they arrive or in the order of the plans.

        ``async with client.stream(queries) as chunks: async for chunk in chunks: …``, or all of it as one frame:
        ``polars.DataFrame(await client.stream(queries).table())``. A plan, or a shard of one, may stand for a query.
        Memory is bounded and a slow consumer holds the requests back. A failed piece is yielded with its `error`,
        never raised; after a 401 nothing more is sent and the rest is yielded with that error. Leaving the context
        early cancels what is under way. Chunks are not merged: rows that a plan would add up come apart.
        """
        check_options(locals())
        each_query(queries)  # refused here, not where it is entered
        begin = partial(self._call, "stream", collects=True, progress=progress)
        return OpenStream(begin=begin, queries=queries, ordered=ordered, make=lambda chunk: chunk)

    @overload
    async def retry_failed(self, result: R, *, progress: Wanted = None) -> R: ...
    @overload
    async def retry_failed(self, result: Sequence[R], *, progress: Wanted = None) -> list[R]: ...
    async def retry_failed(self, result: AnyResult | Sequence[AnyResult], *, progress: Wanted = None) -> Any:
        """Fetch what failed of *result*, or of a list of them, and only that; what fails again is listed again."""
        with self._call("retry_failed", progress=progress) as call:
            if isinstance(result, AnyResult):
                return (await call.complete([result]))[0]
            rule = "must be a result of this client, or a list of them"
            return await call.complete(list(one_by_one("result", result, AnyResult, rule)))


def _name_of(query: object) -> str:
    return query.endpoint.name if isinstance(query, Query) else "fetch"


def copy_attributes(original: object, twin: object) -> None:
    """
    Give *twin*, of the same class and yet without any, the attributes of *original*, those in slots too.

    `copy.copy` would pickle it, which clients refuse.
    """
    state: Any = object.__getstate__(original)  # a dictionary, or a pair with that of slots behind it
    for attributes in state if isinstance(state, tuple) else (state,):
        for name, value in attributes.items():
            object.__setattr__(twin, name, value)
