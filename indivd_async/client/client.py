"""
The client: it alone knows the order of the stages.

queries → planning → execution → structuring → merging → results. Each method chains them; none of them does their work.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast, overload

import anyio
import attrs

from ..cache import Cache, Renewing, cache_key, last_closed_day
from ..errors import (
    DEADLINE_ADVICE,
    ApiError,
    AuthenticationError,
    ClientClosedError,
    ConfigError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    InvalidQueryError,
    MergeConflictError,
    NotFoundError,
)
from ..execution import ChunkStream, Event, Executor, Job, JobSource, SingleFlight, Stats, open_stream
from ..merging import Known, OwnCutConflictError, merge_chunks
from ..models import Category, Line, Location, Organization, Zone
from ..models.endpoints import FILTER_ENDPOINTS
from ..planning import Plan, PlannedRequest, make_plan, needs_locations
from ..queries import DropInRate, Ids, LineCrosses, OnError, Query, Split, ZoneVisitors
from ..results import Answer, AnyResult, Chunk, DropInRateResult, LineCrossesResult, Note, ZoneVisitorsResult, has_rows
from ..settings import Limits, RetryPolicy, Timeouts
from ..structuring import structure_answer, structure_entities
from ..transport import Token, parse_base_url
from ..witnessing import hide_unlicensed

if TYPE_CHECKING:
    import httpx

    from ..transport import Reply


logger = logging.getLogger("indivd_async")

DEFAULT_BASE_URL = "https://api.indivd.com"
#: Seconds for which looked-up locations are trusted when planning; a location asked for and not among them is looked
#: up again at once.
LOCATIONS_FRESH_S = 3600.0
#: A list this young is not asked for again because of an id that it does not have.
_LOCATIONS_YOUNG_S = 30.0

Dates = date | str
E = TypeVar("E", Location, Zone, Category, Line, Organization)
R = TypeVar("R", LineCrossesResult, ZoneVisitorsResult, DropInRateResult)
S = TypeVar("S")
_Answered = tuple[Answer, int]
#: Errors that are no piece's own: they end a call at once, also one that collects.
_ENDS_ALL = (AuthenticationError, ClientClosedError)


@attrs.define
class _Catalogue:
    """What was looked up: shared by a client and those made from it by `with_options`."""

    locations: dict[int, Location] | None = None
    fetched_at: float = float("-inf")


class AsyncIndivd:
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
        http_client: an httpx.AsyncClient of yours, used as it is and never closed, at most 20 requests at once.
        transport: an httpx.AsyncBaseTransport of yours (a mock, an ASGI app), never closed; or "aiohttp" to let
            that library make the connections, through a proxy too (extra `aiohttp`).
        proxy: the URL of a proxy; the environment is not looked at.
        ssl_context: for private certificate authorities.
        cache: keeps answers for closed days, so that a job run again asks only for the rest; see
            `indivd_async.cache`.
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
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None = None,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        allow_http: bool = False,
        cache: Cache | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        given = token if token is not None else os.environ.get("INDIVD_TOKEN")
        if given is None:
            raise ConfigError("{token}: none was given; pass {token:…} or set the environment variable INDIVD_TOKEN")
        try:
            secret = Token(given)
        finally:
            del token, given  # a traceback with locals would show them
        address = base_url if base_url is not None else os.environ.get("INDIVD_BASE_URL") or DEFAULT_BASE_URL
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or Limits()
        self._executor = Executor(
            base_url=parse_base_url(address, allow_http),
            token=secret,
            timeouts=self._timeouts,
            retry=retry or RetryPolicy(),
            limits=self._limits,
            http_client=http_client,
            transport=transport,
            proxy=proxy,
            ssl_context=ssl_context,
            on_event=on_event,
        )
        self._cache = cache
        self._account = secret.fingerprint() if cache is not None else ""
        self._catalogue = _Catalogue()
        self._flights: SingleFlight[_Answered] = SingleFlight()
        self._lookups: SingleFlight[tuple[Any, ...]] = SingleFlight()

    def with_options(self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None) -> Self:
        """Return a client with other options; connections, stats, rate limit and retry budget are the same."""
        twin = object.__new__(type(self))
        twin._timeouts = timeouts or self._timeouts
        twin._limits = self._limits
        twin._executor = self._executor.with_options(timeouts=timeouts, retry=retry)
        twin._cache = self._cache
        twin._account = self._account
        twin._catalogue = self._catalogue
        twin._flights = SingleFlight()  # other options, other answers: nothing is shared in the air
        twin._lookups = SingleFlight()
        return twin

    @property
    def stats(self) -> Stats:
        """Requests, attempts, retries and bytes so far, and requests in flight now and at most."""
        return self._executor.stats

    async def __aenter__(self) -> Self:
        self._executor.check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
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

    # The filter endpoints.

    async def locations(self) -> tuple[Location, ...]:
        """List the locations that the token may see, with their time zones."""
        return await self._look_up_locations(self._total_deadline())

    async def _look_up_locations(self, total_deadline: float | None) -> tuple[Location, ...]:
        found = await self._list("locations", Location, total_deadline)
        self._catalogue.locations = {location.id: location for location in found}
        self._catalogue.fetched_at = time.monotonic()
        return found

    async def zones(self) -> tuple[Zone, ...]:
        """List the zones (camera areas) that the token may see."""
        return await self._list("zones", Zone, self._total_deadline())

    async def categories(self) -> tuple[Category, ...]:
        """List the categories of lines that the token may see."""
        return await self._list("categories", Category, self._total_deadline())

    async def lines(self) -> tuple[Line, ...]:
        """List the counting lines that the token may see."""
        return await self._list("lines", Line, self._total_deadline())

    async def organizations(self) -> tuple[Organization, ...]:
        """List the organisations that the token spans."""
        return await self._list("organizations", Organization, self._total_deadline())

    async def _list(
        self,
        name: str,
        entity: type[E],  # noqa: ARG002  for the type alone
        total_deadline: float | None,
    ) -> tuple[E, ...]:
        paths = FILTER_ENDPOINTS[name].paths
        for number, path in enumerate(paths, start=1):
            request = PlannedRequest(index=0, endpoint=name, path=path, reason=f"the list of {name}")
            ends = self._ends(total_deadline)
            look_up, bound = partial(self._look_up, request, ends), partial(self._bound, request, ends)
            try:
                found = await self._lookups.fly(path, look_up, bound=bound, would_wait=partial(_would_wait, ends))
            except NotFoundError:
                if number == len(paths):
                    raise
            else:
                return cast("tuple[E, ...]", found)
        raise AssertionError("every endpoint has a path")

    async def _look_up(self, request: PlannedRequest, ends: float | None) -> tuple[Any, ...]:
        self._executor.announce(1)
        self._executor.planned(request)
        return await self._executor.send(request, read=partial(_read_entities, request), total_deadline=ends)

    # The data endpoints.

    async def line_crosses(
        self,
        start_date: Dates,
        end_date: Dates,
        *,
        aggregate_by: str | None = None,
        organization: Ids = None,
        location: Ids = None,
        floor: Ids = None,
        zone_to: Ids = None,
        zone_from: Ids = None,
        category: Ids = None,
        line_ids: Ids = None,
        per: str | None = None,
        split: Split = "auto",
        on_error: OnError = "raise",
    ) -> LineCrossesResult:
        """
        Count crossings of lines; see `LineCrosses` for the parameters.

        Buckets are naive labels: the article gives this endpoint no time zone parameter, and another page says that
        times are UTC.

        Raises:
            InvalidQueryError: before anything is sent. Everything else of `indivd_async.errors` may follow.
        """
        query = LineCrosses(
            start_date,
            end_date,
            aggregate_by=aggregate_by,
            organization=organization,
            location=location,
            floor=floor,
            zone_to=zone_to,
            zone_from=zone_from,
            category=category,
            line_ids=line_ids,
            per=per,
            split=split,
            on_error=on_error,
        )
        return await self.fetch(query)

    async def zone_visitors(
        self,
        start_date: Dates,
        end_date: Dates,
        *,
        comparison_start_date: Dates | None = None,
        comparison_end_date: Dates | None = None,
        aggregate_by: str | None = None,
        comparison_aggregate_by: str | None = None,
        location: Ids = None,
        zones: Ids = None,
        bounce_threshold: int | None = None,
        min_dwell: int | None = None,
        max_dwell: int | None = None,
        tz: str | None = None,
        split: Split = "auto",
        on_error: OnError = "raise",
    ) -> ZoneVisitorsResult:
        """
        Ask for visits, unique visitors, bounces and dwell times (seconds); see `ZoneVisitors` for the parameters.

        Without *tz* each location is asked on its own clock, which its rows carry as `tz`; this looks up the
        locations, once an hour.

        Raises:
            InvalidQueryError: before anything is sent. Everything else of `indivd_async.errors` may follow.
        """
        query = ZoneVisitors(
            start_date,
            end_date,
            comparison_start_date=comparison_start_date,
            comparison_end_date=comparison_end_date,
            aggregate_by=aggregate_by,
            comparison_aggregate_by=comparison_aggregate_by,
            location=location,
            zones=zones,
            bounce_threshold=bounce_threshold,
            min_dwell=min_dwell,
            max_dwell=max_dwell,
            tz=tz,
            split=split,
            on_error=on_error,
        )
        return await self.fetch(query)

    async def drop_in_rate(
        self,
        start_date: Dates,
        end_date: Dates,
        *,
        comparison_start_date: Dates | None = None,
        comparison_end_date: Dates | None = None,
        interval: str | None = None,
        comparison_interval: str | None = None,
        location: Ids = None,
        zone: Ids = None,
        tz: str | None = None,
        split: Split = "auto",
        on_error: OnError = "raise",
    ) -> DropInRateResult:
        """
        Ask which share of the people passing went in, in percent; see `DropInRate` for the parameters.

        Rates of merged answers are computed from the counts, never averaged. *tz* is sent only if given; without it
        locations are asked in groups of one time zone.

        Raises:
            InvalidQueryError: before anything is sent. Everything else of `indivd_async.errors` may follow.
        """
        query = DropInRate(
            start_date,
            end_date,
            comparison_start_date=comparison_start_date,
            comparison_end_date=comparison_end_date,
            interval=interval,
            comparison_interval=comparison_interval,
            location=location,
            zone=zone,
            tz=tz,
            split=split,
            on_error=on_error,
        )
        return await self.fetch(query)

    # Queries, plans, batches.

    async def plan(self, query: Query, *, cutoff: date | None = None) -> Plan:
        """
        Plan *query*; nothing is sent but a look-up of the locations, where their time zones matter.

        *cutoff* is a day after which windows begin anew where the grouping allows it, such as the last one whose
        figures are final.
        """
        return await self._plan(query, self._total_deadline(), cutoff)

    async def _plan(self, query: Query, total_deadline: float | None, cutoff: date | None = None) -> Plan:
        if not isinstance(query, Query):
            raise InvalidQueryError("query", "must be a LineCrosses, ZoneVisitors or DropInRate", query)
        if cutoff is None and self._cache is not None:
            cutoff = last_closed_day(self._cache, datetime.now(UTC))  # so that closed days are in requests of their own
        return make_plan(query, await self._known_locations(query, total_deadline), cutoff=cutoff)

    @overload
    async def fetch(self, query: LineCrosses) -> LineCrossesResult: ...
    @overload
    async def fetch(self, query: ZoneVisitors) -> ZoneVisitorsResult: ...
    @overload
    async def fetch(self, query: DropInRate) -> DropInRateResult: ...
    @overload
    async def fetch(self, query: Query) -> AnyResult: ...
    async def fetch(self, query: Query) -> AnyResult:
        """Plan *query* and run the plan."""
        total_deadline = self._total_deadline()
        return await self._run(await self._plan(query, total_deadline), total_deadline)

    async def run(self, plan: Plan) -> AnyResult:
        """Send the requests of *plan* and merge their answers."""
        if not isinstance(plan, Plan):
            raise InvalidQueryError("plan", "must be a Plan", plan, "`fetch` takes a query.")
        return await self._run(plan, self._total_deadline())

    async def fetch_all(self, queries: Iterable[Query], on_error: OnError = "raise") -> list[AnyResult]:
        """
        Fetch many queries over the same connections; results come in the order of the queries.

        With ``on_error="collect"`` every query is finished and its result lists what failed; where two answers hold a
        row that only one may hold, that is all of them. All are planned before the first request is sent.
        """
        total_deadline = self._total_deadline()
        if on_error not in ("raise", "collect"):
            raise InvalidQueryError("on_error", 'must be {:"raise"} or {:"collect"}', on_error)
        plans = [await self._plan(query, total_deadline) for query in queries]
        gathered = [_Gathered(plan, result=None if len(plan) else self._merge(plan, ())) for plan in plans]
        collect = on_error == "collect"

        async def ask(task: tuple[_Gathered, PlannedRequest]) -> None:
            pieces, request = task
            chunk = await self._ask(pieces.plan.query, request, total_deadline, collect=collect)
            if pieces.add(chunk):  # merged at once, so that chunks do not pile up
                pieces.result = self._merge(pieces.plan, pieces.take(), collect=collect)

        self._executor.announce(sum(map(len, plans)))
        tasks = ((pieces, request) for pieces in gathered for request in pieces.plan)
        await self._executor.map(tasks, ask, workers=self._limits.concurrency, total_deadline=total_deadline)
        return [
            pieces.result
            if pieces.result is not None
            else await self._ask_unsplit(pieces.plan, total_deadline, collect=collect)
            for pieces in gathered
        ]

    def stream(
        self, queries: Query | Plan | Iterable[Query | Plan], ordered: bool = False
    ) -> AbstractAsyncContextManager[ChunkStream]:
        """
        Open a stream of chunks, one a planned request, as they arrive or in the order of the plans.

        A plan, or a shard of one, may stand for a query.
        Memory is bounded and a slow consumer holds the requests back. A failed piece is yielded with its `error`,
        never raised; after a 401 nothing more is sent and the rest is yielded with that error. Leaving the context
        early cancels what is under way. Chunks are not merged: rows that a plan would add up come apart.
        """
        return self._open_stream(queries, ordered)

    async def retry_failed(self, result: R) -> R:
        """Fetch what failed of *result*, and only that; what fails again is listed in the completed result."""
        total_deadline = self._total_deadline()
        wanted = [item.request for item in result.coverage if item.status == "failed"]
        if not wanted:
            return result
        chunks = await self._gather(result.plan.query, wanted, total_deadline, collect=True)
        chunks += result.arrived
        kept = [note for note in result.notes if note.kind == _ASKED_UNSPLIT.kind]
        return cast("R", await self._merge_or_ask_unsplit(result.plan, chunks, total_deadline, kept))

    # How.

    async def _known_locations(self, query: Query, total_deadline: float | None) -> Mapping[int, Location] | None:
        if not needs_locations(query):
            return None
        catalogue = self._catalogue
        age = time.monotonic() - catalogue.fetched_at
        missing = catalogue.locations is None or any(id not in catalogue.locations for id in query.location or ())
        if age > LOCATIONS_FRESH_S or (missing and age > _LOCATIONS_YOUNG_S):
            try:
                await self._look_up_locations(total_deadline)
            except IndivdError as error:
                error.add_advice(_WITHOUT_LOCATIONS[type(query)])
                raise
        return catalogue.locations

    async def _run(self, plan: Plan, total_deadline: float | None, *, collect: bool = False) -> AnyResult:
        chunks = await self._gather(plan.query, plan, total_deadline, collect=collect)
        return await self._merge_or_ask_unsplit(plan, chunks, total_deadline, collect=collect)

    async def _gather(
        self,
        query: Query,
        requests: Plan | Sequence[PlannedRequest],
        total_deadline: float | None,
        *,
        collect: bool = False,
    ) -> list[Chunk]:
        """Ask *requests* of one query; chunks come in the order of arrival."""
        chunks: list[Chunk] = []

        async def ask(request: PlannedRequest) -> None:
            chunks.append(await self._ask(query, request, total_deadline, collect=collect))

        self._executor.announce(len(requests))
        await self._executor.map(requests, ask, workers=self._limits.concurrency, total_deadline=total_deadline)
        return chunks

    async def _ask(
        self, query: Query, request: PlannedRequest, total_deadline: float | None, *, collect: bool
    ) -> Chunk:
        """Ask *request*; where the query or the call collects, a failure is a chunk."""
        self._executor.planned(request)
        asked = False
        ends = self._ends(total_deadline)

        def ask() -> Awaitable[_Answered]:
            nonlocal asked
            asked = True
            return self._answer(request, ends)

        try:
            answer, attempts = await self._flights.fly(
                (request.target, request.tz, request.carried),
                ask,
                bound=partial(self._bound, request, ends),
                would_wait=partial(_would_wait, ends),
            )
        except IndivdError as error:
            if not asked:
                self._executor.settled("failed", request)
            collect = collect or query.on_error == "collect"
            if not collect or isinstance(error, _ENDS_ALL):
                raise
            return Chunk(query=query, request=request, error=error, attempts=getattr(error, "attempts", 1))
        if not asked:
            self._executor.settled("finished", request)
        return Chunk(query=query, request=request, answer=answer, attempts=attempts)

    async def _answer(self, request: PlannedRequest, ends: float | None) -> _Answered:
        cache, read = self._cache, partial(_read_answer, request)
        if cache is None or request.last_day > last_closed_day(cache, datetime.now(UTC)):
            answer, reply = await self._executor.send(request, read=read, total_deadline=ends)
            return answer, reply.attempts
        self._executor.check()
        key = cache_key(self._account, str(self._executor.base_url), request.path, request.params)
        if (kept := await self._recall(cache, key, request, ends)) is not None:
            self._executor.settled("finished", request)
            return kept, 0
        answer, reply = await self._executor.send(request, read=read, total_deadline=ends)
        if has_rows(answer):
            await self._keep(cache, key, reply.body, ends)
        return answer, reply.attempts

    async def _recall(self, cache: Cache, key: str, request: PlannedRequest, ends: float | None) -> Answer | None:
        try:
            with anyio.fail_after(_left(ends)):
                body = await cache.get(key)
            return None if body is None else _structure(request, body)
        except Exception:
            logger.exception("the cache could not be read; asking the API")
            return None

    async def _keep(self, cache: Cache, key: str, body: bytes, ends: float | None) -> None:
        try:
            with anyio.fail_after(_left(ends)):
                await cache.put(key, body)
        except Exception:
            logger.exception("the cache could not be written; the answer is used all the same")

    def _total_deadline(self) -> float | None:
        return None if self._timeouts.total is None else time.monotonic() + self._timeouts.total

    def _ends(self, total_deadline: float | None) -> float | None:
        """When a request that begins now ends, also where it waits for other callers before it is sent."""
        deadline = self._timeouts.deadline
        own = None if deadline is None else time.monotonic() + deadline
        return min((end for end in (own, total_deadline) if end is not None), default=None)

    @contextmanager
    def _bound(self, request: PlannedRequest, ends: float | None) -> Iterator[None]:
        """Bound a wait for another caller's answer by this client's own deadlines."""
        self._executor.check()  # the other caller may be of a loop or process whose events never come here
        try:
            with anyio.fail_after(_left(ends)):
                yield
        except TimeoutError:
            base = self._executor.base_url
            raise DeadlineExceededError(
                f"{base.host}:{base.port}: the same question of another caller was not answered within the deadline.",
                host=base.host,
                port=base.port,
                request=request,
                attempts=0,
                advice=DEADLINE_ADVICE,
            ) from None

    def _known(self) -> Known:
        return Known(now=datetime.now(UTC), locations=self._catalogue.locations)

    def _merge(self, plan: Plan, chunks: Sequence[Chunk], *, collect: bool = False) -> AnyResult | None:
        """Merge, or return None where the plan must be asked again, unsplit."""
        try:
            return merge_chunks(plan, chunks, self._known())
        except OwnCutConflictError:
            if plan.selection is not None:
                raise
            return None
        except MergeConflictError as conflict:
            if not collect:
                raise
            # Nobody knows which of the answers is right; the other queries of the batch are.
            failed = [attrs.evolve(chunk, answer=None, error=chunk.error or conflict) for chunk in chunks]
            return merge_chunks(plan, failed, self._known())

    async def _merge_or_ask_unsplit(
        self,
        plan: Plan,
        chunks: Sequence[Chunk],
        total_deadline: float | None,
        notes: Sequence[Note] = (),
        *,
        collect: bool = False,
    ) -> AnyResult:
        merged = self._merge(plan, chunks, collect=collect)
        if merged is None:
            return await self._ask_unsplit(plan, total_deadline, collect=collect)
        return attrs.evolve(merged, notes=(*notes, *merged.notes)) if notes else merged

    async def _ask_unsplit(self, plan: Plan, total_deadline: float | None, *, collect: bool) -> AnyResult:
        unsplit = attrs.evolve(plan, query=attrs.evolve(plan.query, split=None), cutoff=None)
        result = await self._run(unsplit, total_deadline, collect=collect)
        return attrs.evolve(result, notes=(_ASKED_UNSPLIT, *result.notes))

    @asynccontextmanager
    async def _open_stream(
        self, queries: Query | Plan | Iterable[Query | Plan], ordered: bool
    ) -> AsyncIterator[ChunkStream]:
        total_deadline = self._total_deadline()
        refused: list[AuthenticationError] = []

        async def plan(query: Query | Plan) -> Plan:
            made = query if isinstance(query, Plan) else await self._plan(query, total_deadline)
            self._executor.announce(len(made))
            return made

        async def ask(job: Job) -> Chunk:
            if refused:
                self._executor.settled("failed", job.request)
                return Chunk(query=job.query, request=job.request, error=refused[0])
            try:
                chunk = await self._ask(job.query, job.request, total_deadline, collect=True)
            except AuthenticationError as error:
                refused.append(error)
                return Chunk(query=job.query, request=job.request, error=error, attempts=error.attempts)
            return hide_unlicensed(chunk)

        single = isinstance(queries, Query | Plan)
        source = JobSource((queries,) if single else queries, plan)  # type: ignore[arg-type]
        start_workers, ready = self._executor.start_workers, partial(self._executor.ready, total_deadline)
        workers = self._limits.concurrency
        async with open_stream(source, start_workers, ready, ask, workers=workers, ordered=ordered) as stream:
            yield stream


def renewing(client: AsyncIndivd) -> AsyncIndivd:
    """Return a client like *client* that asks for what its cache has, too, and keeps the answers there."""
    twin = client.with_options()
    cache = twin._cache  # noqa: SLF001  of this room
    if cache is not None:
        twin._cache = Renewing(cache)  # noqa: SLF001
    return twin


def _left(ends: float | None) -> float | None:
    """Tell how many seconds are left."""
    return None if ends is None else max(0.0, ends - time.monotonic())


def _would_wait(ends: float | None, error: IndivdError) -> bool:
    """Tell whether *error* came of a wait that was too long for one caller, and is not for who has until *ends*."""
    if not isinstance(error, ApiError) or not error.out_of_time:
        return False
    return ends is None or (error.retry_after or 0.0) <= ends - time.monotonic()


def _read_entities(request: PlannedRequest, reply: Reply) -> tuple[Any, ...]:
    return _name(request, lambda: structure_entities(request.endpoint, reply.body))


def _read_answer(request: PlannedRequest, reply: Reply) -> tuple[Answer, Reply]:
    return _structure(request, reply.body), reply


def _structure(request: PlannedRequest, body: bytes) -> Answer:
    return _name(request, lambda: structure_answer(request.endpoint, body, tz=request.tz, carried=request.carried))


def _name(request: PlannedRequest, structure: Callable[[], S]) -> S:
    """Structure an answer to *request*, naming the request in what is wrong with it."""
    try:
        return structure()
    except DecodeError as error:
        raise DecodeError(error.problems, request=request) from error


@attrs.define
class _Gathered:
    """The chunks of one query of a batch, until all are there."""

    plan: Plan
    chunks: list[Chunk] = attrs.field(factory=list)
    result: AnyResult | None = None

    def add(self, chunk: Chunk) -> bool:
        """Keep *chunk*; tell whether it was the last."""
        self.chunks.append(chunk)
        return len(self.chunks) == len(self.plan)

    def take(self) -> list[Chunk]:
        """Hand the chunks over, keeping none."""
        chunks, self.chunks = self.chunks, []
        return chunks


_ASKED_UNSPLIT = Note(
    kind="asked_unsplit",
    message="The period was cut at first, but rows of different pieces had the same labels: the API groups otherwise "
    "than assumed. It was asked again in one piece.",
)
_WITHOUT_LOCATIONS: Mapping[type, str] = {
    LineCrosses: '{per:"location"} asks for every location; pass {location:[…]} to do without the look-up.',
    ZoneVisitors: 'Locations are looked up for their time zones; pass {tz:"…"} to ask on one clock and do without.',
    DropInRate: 'Locations are looked up for their time zones; pass {tz:"…"}, or a single location, to do without.',
}


def merge_results(results: Sequence[R]) -> R:
    """
    Join what the shards of one plan gave (`Plan.shards`) into the result of the whole.

    A shard that is missing counts as failed requests. ValueError where the results are not shards of one plan.
    """
    if not results:
        raise ValueError("merge_results needs at least one result")
    whole = {attrs.evolve(result.plan, selection=None) for result in results}
    if len(whole) > 1:
        raise ValueError("these results come from different plans; only shards of one plan can be joined")
    if any(result.plan.selection is None for result in results):
        if len(results) > 1:
            raise ValueError("one of these is the result of the whole plan already")
        return results[0]
    chunks = [chunk for result in results for chunk in result.arrived]
    chunks += [_failed(result, item) for result in results for item in result.coverage if item.status == "failed"]
    known = Known(now=datetime.now(UTC))
    notes = [note for result in results for note in result.notes if note.kind in _NOTES_OF_SHARDS]
    return cast("R", merge_chunks(whole.pop(), chunks, known, notes=notes))


#: Notes that need the locations a client has looked up; joining has no client.
_NOTES_OF_SHARDS = frozenset({"provisional_period", "possibly_out_of_scope"})


def _failed(result: Any, item: Any) -> Chunk:
    return Chunk(query=result.plan.query, request=item.request, error=item.error, attempts=item.attempts)
