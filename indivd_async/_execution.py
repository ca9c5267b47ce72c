"""
The only room that runs tasks: requests on lanes, with deadlines, retries, pauses and a pace; one, or a batch.

One `Executor` a client. Nothing runs between calls, neither task nor timer. What is shared is changed between two
awaits, so that no lock is needed.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import random
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar, overload

import anyio
import anyio.lowlevel
import attrs

from ._retrying import Failure, GiveUp, Pace, RetryBudget, SharedPause, Wait, next_wait, parse_retry_after
from .errors import (
    DEADLINE_ADVICE,
    STATUS_PAGE,
    ClientClosedError,
    ClosedReason,
    ConnectionFailedError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    RequestTimeoutError,
    ResponseTooLargeError,
    TransportError,
    api_error,
)
from .settings import DEFAULT_CONCURRENCY
from .transport import Fault, LanePlan, LanePool, Reply, UnknownCodingError, is_on_trio, plan_lanes

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    import httpx

    from .planning import PlannedRequest
    from .settings import Limits, RetryPolicy, Timeouts
    from .transport import BaseURL, Lane, Token

T = TypeVar("T")
Kind = Literal["planned", "started", "retry", "finished", "failed"]

logger = logging.getLogger("indivd_async")
logger.addHandler(logging.NullHandler())

#: What to do about it.
_ADVICE: dict[type[TransportError], str] = {
    ConnectionFailedError: f"Check {{base_url}} and what stands between; {STATUS_PAGE} tells of incidents.",
    RequestTimeoutError: "Ask for a shorter period, or allow more time.",
    DeadlineExceededError: DEADLINE_ADVICE,
    ResponseTooLargeError: "Ask for a shorter period, or raise the limit.",
}
#: Turns of the event loop that are watched: about those of a request to a server that answers at once. With nothing to
#: do they take microseconds, so that an idle loop shows no answer in them.
_TURNS = 5
#: Answers a second that say that the loop is busy with them: well below what one core handles where they are small.
#: Where they are large, or others take the loop's time, there may be fewer, and more requests are sent at once.
_BUSY_PER_S = 1_000.0
#: A timer may end a hair before the deadline that it was set for.
_HAIR_S = 1e-3


@attrs.frozen(kw_only=True)
class Counts:
    """How many requests of the client so far; `retried` counts attempts."""

    planned: int = 0
    finished: int = 0
    failed: int = 0
    retried: int = 0


@attrs.frozen(kw_only=True)
class Event:
    """
    What happened to a request, as `on_event` hears it.

    `planned` comes once a request, `started` once an attempt, `retry` where another attempt follows after `wait`
    seconds, and `finished` or `failed` at the end. `elapsed` are the seconds since the request was asked for.
    """

    kind: Kind
    request: PlannedRequest
    #: From 1; 0 before the first.
    attempt: int = 0
    #: Of the answer; None where there was none.
    status: int | None = None
    wait: float | None = None
    elapsed: float = 0.0
    counts: Counts = Counts()


@attrs.define(kw_only=True)
class Stats:
    """What a client has done so far; clients made by `with_options` share it."""

    requests: int = 0
    attempts: int = 0
    retries: int = 0
    #: Of bodies, as they came over the wire.
    bytes: int = 0
    #: Attempts in the air now, and at most at any one moment.
    in_flight: int = 0
    peak_in_flight: int = 0


class _Core:
    """What all views of one client share."""

    def __init__(
        self,
        lanes: LanePlan,
        base_url: BaseURL,
        retry: RetryPolicy,
        limits: Limits,
        on_event: Callable[[Event], object] | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        draw: Callable[[], float],
    ) -> None:
        self.lanes = LanePool(lanes)
        self.base_url = base_url
        self.budget = RetryBudget(retry)
        self.pause = SharedPause()
        self.pace = None if limits.requests_per_second is None else Pace(limits.requests_per_second)
        self.stats = Stats()
        self.on_event = on_event
        self.clock = clock
        self.draw = draw
        self._sleep = sleep
        self._sleepers: set[anyio.CancelScope] = set()
        self._told: dict[str, int] = dict.fromkeys(("planned", "started", "retry", "finished", "failed"), 0)
        self._loop: object = None
        self._pid = os.getpid()

    def enter(self) -> None:
        """Refuse use after the end, in a fork, and on another event loop than the first."""
        if self.lanes.closed:
            raise ClientClosedError("this client was closed; make a new one")
        if os.getpid() != self._pid:
            raise ClientClosedError(
                f"this client was made in process {self._pid}, and its connections cannot be shared with the fork "
                f"{os.getpid()}; make a client after forking",
                reason="forked",
            )
        loop = _running_loop()
        if self._loop is None:
            self._loop = loop
        elif loop is not self._loop:
            reason: ClosedReason = "loop_ended" if _has_ended(self._loop) else "other_loop"
            ended = " and has ended" if reason == "loop_ended" else ""
            raise ClientClosedError(
                f"this client was used on another event loop, which its connections belong to{ended}; make one for "
                "each loop",
                reason=reason,
            )

    async def aclose(self) -> None:
        if self.lanes.closed:
            return
        self.enter()
        for scope in self._sleepers:
            scope.cancel()
        await self.lanes.aclose()

    async def sleep_until(self, moment: float) -> None:
        """Sleep, at most until the client is closed."""
        with anyio.CancelScope() as scope:
            self._sleepers.add(scope)
            try:
                await self._sleep(max(0.0, moment - self.clock()))
            finally:
                self._sleepers.discard(scope)
        if self.lanes.closed:
            raise ClientClosedError("the client was closed while this request was waiting")

    @property
    def attempts_ended(self) -> int:
        """How many came back from the network; what a cache answers, or nobody asks, does not count."""
        return self.stats.attempts - self.stats.in_flight

    def count(self, kind: Kind, number: int = 1) -> None:
        self._told[kind] += number

    def tell(self, kind: Kind, request: PlannedRequest, **said: Any) -> None:
        """Call `on_event`; what it raises is logged, and never reaches a request."""
        if self.on_event is None:
            return
        told = self._told
        counts = Counts(
            planned=told["planned"], finished=told["finished"], failed=told["failed"], retried=told["retry"]
        )
        try:
            self.on_event(Event(kind=kind, request=request, counts=counts, **said))
        except Exception:
            logger.exception("on_event raised; the request goes on")


def _running_loop() -> object:
    if is_on_trio():
        return sys.modules["trio"].lowlevel.current_trio_token()
    import asyncio  # by now somebody has; with it, importing this library would take a quarter longer

    return asyncio.get_running_loop()


def _has_ended(loop: Any) -> bool:
    """Tell whether an asyncio loop was closed, or trio's run is over."""
    if hasattr(loop, "is_closed"):
        return bool(loop.is_closed())
    try:
        loop.run_sync_soon(lambda: None)
    except RuntimeError:  # trio.RunFinishedError
        return True
    return False


class Executor:
    """Sends planned requests; `with_options` makes another view of the same lanes."""

    def __init__(
        self,
        *,
        base_url: BaseURL,
        token: Token,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limits: Limits,
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        ssl_context: ssl.SSLContext | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        lanes = plan_lanes(
            base_url,
            token,
            limits,
            http_client=http_client,
            transport=transport,
            proxy=proxy,
            ssl_context=ssl_context,
        )
        self._core = _Core(lanes, base_url, retry, limits, on_event, clock, sleep, random)
        self._timeouts = timeouts
        self._retry = retry

    @property
    def base_url(self) -> BaseURL:
        return self._core.base_url

    @property
    def stats(self) -> Stats:
        return self._core.stats

    def with_options(self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None) -> Self:
        """Make a view with other options; lanes, stats, pace, pause and budget are shared."""
        view = object.__new__(type(self))
        view._core = self._core
        view._timeouts = timeouts or self._timeouts
        view._retry = retry or self._retry
        return view

    def check(self) -> None:
        """Raise ClientClosedError where the client cannot be used: after its end, in a fork, on another loop."""
        self._core.enter()

    def announce(self, number: int) -> None:
        """Count requests that will be sent, so that progress knows its total before they are pulled."""
        self._core.count("planned", number)

    def planned(self, request: PlannedRequest) -> None:
        """Tell of a request that was announced and is about to be sent."""
        self._core.tell("planned", request)

    def settled(self, kind: Literal["finished", "failed"], request: PlannedRequest) -> None:
        """Count and tell of a request that ended without an attempt of its own."""
        self._core.count(kind)
        self._core.tell(kind, request)

    async def aclose(self) -> None:
        """Close all lanes, waiting for nothing; what is in the air or waits ends with ClientClosedError."""
        await self._core.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds connections and a token and is never pickled; plans and results are")

    @overload
    async def send(self, request: PlannedRequest, *, total_deadline: float | None = None) -> Reply: ...
    @overload
    async def send(
        self, request: PlannedRequest, *, read: Callable[[Reply], T], total_deadline: float | None = None
    ) -> T: ...
    async def send(
        self,
        request: PlannedRequest,
        *,
        read: Callable[[Reply], Any] = lambda reply: reply,
        total_deadline: float | None = None,
    ) -> Any:
        """
        Ask until there is an answer, or no sense in asking on, and return what *read* makes of the reply (status 200).

        A request whose reply *read* refuses has failed. *total_deadline* is a reading of the clock. Raises errors of
        the tree, with the request and its attempts.
        """
        self._core.enter()
        return await _Sending(self._core, self._timeouts, self._retry, request, total_deadline).run(read)

    async def ready(self, total_deadline: float | None) -> None:
        """
        Wait while a request that began now would spend more than half its deadline waiting for its turn.

        What one request can only fail by, a long Retry-After or a slow pace, a batch waits for.
        """
        core = self._core
        if self._timeouts.deadline is None:
            return
        while True:
            now = core.clock()
            turn = core.pause.until if core.pace is None else max(core.pause.until, core.pace.next_start(now))
            moment = turn - self._timeouts.deadline / 2
            if moment <= now or (total_deadline is not None and moment >= total_deadline):
                return
            await core.sleep_until(moment)

    async def start_workers(self, start: Callable[[], bool], most: int) -> None:
        """
        Call *start* up to *most* times, or until it returns False: some at once, the others as they are needed.

        Where answers come as fast as they can be handled, more requests in the air end no sooner: they open more
        connections, and keep more objects alive that the garbage collector looks at again and again. As long as this
        goes on it waits, so whoever has nothing left to ask cancels it.
        """
        allowed = DEFAULT_CONCURRENCY
        for number in range(most):
            while number == allowed:
                if not await self._is_busy_answering():
                    allowed += allowed // 4  # in steps, between which the answers may begin to come
            if not start():
                return

    async def _is_busy_answering(self) -> bool:
        """Watch some turns of the event loop, and tell whether answers from the network, to this client, fill them."""
        core = self._core
        ended, since = core.attempts_ended, core.clock()
        for _ in range(_TURNS):
            await anyio.lowlevel.checkpoint()
        return core.attempts_ended - ended > (core.clock() - since) * _BUSY_PER_S

    async def map(
        self,
        requests: Iterable[T],
        handle: Callable[[T], Awaitable[object]],
        *,
        workers: int,
        total_deadline: float | None = None,
    ) -> None:
        """
        Handle each of *requests*, pulled as they are needed, by at most *workers* at once.

        The first exception cancels the rest and is raised as it is, never in a group.
        """
        source = iter(requests)
        head = list(itertools.islice(source, 2))
        pending = itertools.chain(head, source)
        if len(head) < 2 or workers == 1:
            for item in pending:
                await self.ready(total_deadline)
                await handle(item)
            return
        failures: list[BaseException] = []
        starting = anyio.CancelScope()

        def start() -> bool:
            item = next(pending, None)
            if item is not None:
                tasks.start_soon(work, item)
            return item is not None

        async def work(item: T | None) -> None:
            try:
                while item is not None:
                    await self.ready(total_deadline)
                    await handle(item)
                    item = next(pending, None)
                starting.cancel()
            except BaseException as failure:
                failures.append(failure)
                if not isinstance(failure, Exception):
                    raise
                tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                with starting:
                    await self.start_workers(start, workers)
        except BaseExceptionGroup as group:
            raise first_leaf(group) from None
        if failures:
            # Also a cancellation that a caller's transport let out: asyncio takes it for the end of one task only.
            raise failures[0]


def first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first plain exception of *group*."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf


class _Sending:
    """One request on its way, from the call to its reply or its error."""

    __slots__ = ("_attempts", "_core", "_end", "_free", "_request", "_retry", "_started", "_timeouts")

    def __init__(
        self,
        core: _Core,
        timeouts: Timeouts,
        retry: RetryPolicy,
        request: PlannedRequest,
        total_deadline: float | None,
    ) -> None:
        self._core = core
        self._timeouts = timeouts
        self._retry = retry
        self._request = request
        self._started = core.clock()
        self._attempts = 0
        #: Attempts that the policy does not count: the one on a stale connection.
        self._free = 0
        end = math.inf if timeouts.deadline is None else self._started + timeouts.deadline
        self._end = end if total_deadline is None else min(end, total_deadline)

    async def run(self, read: Callable[[Reply], T]) -> T:
        self._core.stats.requests += 1
        status = None
        try:
            reply = await self._ask()
            status = reply.status
            answer = read(reply)
        except Exception as error:
            self._tell("failed", status=getattr(error, "status", status))
            raise
        self._tell("finished", status=status)
        return answer

    async def _ask(self) -> Reply:
        """Attempt after attempt; a lane is held during each, and not while waiting for the next."""
        core = self._core
        target = self._request.target.encode("ascii")
        last: IndivdError | None = None
        while True:
            reply: Reply | None = None
            fault: Fault | None = None
            lane = core.lanes.take() or await self._wait_for_lane(last)
            try:
                await self._wait_for_turn(last)
                reply = await self._attempt(lane, target, last)
            except Fault as caught:
                # With its frames it would keep this one alive, and this one it.
                fault = caught.with_traceback(None)
            finally:
                core.lanes.give_back(lane)
            if reply is not None and reply.status == 200:
                core.budget.success()
                return reply if self._attempts == 1 else attrs.evolve(reply, attempts=self._attempts)
            last = await self._follow(reply, fault)

    async def _attempt(self, lane: Lane, target: bytes, last: IndivdError | None) -> Reply:
        core = self._core
        limit_s = self._end - core.clock()
        if limit_s <= 0:
            raise self._out_of_time("its turn came too late") from last
        if self._timeouts.attempt is not None:
            limit_s = min(limit_s, self._timeouts.attempt)
        self._attempts += 1
        stats = core.stats
        stats.attempts += 1
        stats.in_flight += 1
        stats.peak_in_flight = max(stats.peak_in_flight, stats.in_flight)
        logger.debug("%s, attempt %d", self._request, self._attempts)
        self._tell("started")
        try:
            reply = await lane.get(target, self._timeouts, None if limit_s == math.inf else limit_s)
        except UnknownCodingError as error:
            raise DecodeError([str(error)], request=self._request) from None
        finally:
            stats.in_flight -= 1
        stats.bytes += reply.wire_bytes
        return reply

    async def _follow(self, reply: Reply | None, fault: Fault | None) -> IndivdError:
        """After an attempt that failed: wait for the next, and return what went wrong; or raise it."""
        core = self._core
        if core.lanes.closed:
            raise ClientClosedError("the client was closed while this request was in the air")
        now = core.clock()
        failure = self._failure(reply, fault)
        core.pause.hear(self._retry, failure, now)
        verdict = self._judge(failure, fault, now)
        error = self._error(failure, fault, verdict if isinstance(verdict, GiveUp) else GiveUp())
        if isinstance(verdict, GiveUp):
            # What the answer asked for says more than that there was no time for it.
            if verdict.out_of_time and failure.retry_after is None:
                raise self._out_of_time(verdict.reason) from error
            try:
                raise error
            finally:
                # Its traceback holds this frame; the two would wait for the garbage collector.
                del error
        self._free += failure.stale
        core.stats.retries += 1
        logger.debug("%s, asking again in %.3f s: %s", self._request, verdict.seconds, error)
        self._tell("retry", status=failure.status, wait=verdict.seconds)
        if verdict.seconds > 0:
            await core.sleep_until(now + verdict.seconds)
        return error

    def _failure(self, reply: Reply | None, fault: Fault | None) -> Failure:
        if reply is None:
            return Failure(stale=fault is not None and fault.stale and not self._free)
        return Failure(status=reply.status, retry_after=parse_retry_after(reply.retry_after, now_utc=datetime.now(UTC)))

    def _judge(self, failure: Failure, fault: Fault | None, now: float) -> Wait | GiveUp:
        if fault is not None and not fault.retried:
            return GiveUp()
        if fault is not None and now >= self._end - _HAIR_S:
            return GiveUp("the last attempt took what was left", out_of_time=True)
        return next_wait(
            self._retry,
            failure,
            self._attempts - self._free,
            now=now,
            deadline=self._end,
            budget=self._core.budget,
            random=self._core.draw,
        )

    async def _wait_for_lane(self, last: IndivdError | None) -> Lane:
        core = self._core
        limit_s = self._end - core.clock()
        if limit_s <= 0:
            raise self._out_of_time("it was over before the request began") from last
        if core.pause.until > self._end:
            raise self._out_of_time("a Retry-After pauses the client for longer") from last
        lane = await core.lanes.wait(None if limit_s == math.inf else limit_s)
        if core.lanes.closed:
            if lane is not None:
                core.lanes.give_back(lane)
            raise ClientClosedError("the client was closed while this request was waiting") from last
        if lane is not None:
            return lane
        raise self._out_of_time("all lanes were busy ({Limits.concurrency})") from last

    async def _wait_for_turn(self, last: IndivdError | None) -> None:
        """Wait while the client pauses, and for the next start that its pace allows."""
        core = self._core
        pace = core.pace
        booked = pace is None
        while True:
            now = core.clock()
            if core.pause.until > now:
                moment, reason = core.pause.until, "a Retry-After pauses the client for longer"
                # Else all that had booked before would start at once after it.
                booked = pace is None
            elif pace is None or booked:
                return
            else:
                moment, reason = pace.next_start(now), "{Limits.requests_per_second} leaves no earlier turn"
                booked = True
            if moment > self._end:
                raise self._out_of_time(reason) from last
            if booked and pace is not None:
                pace.book(moment)
            if moment > now:
                try:
                    await core.sleep_until(moment)
                except BaseException:
                    if booked and pace is not None:
                        pace.give_back(moment)
                    raise

    def _tell(self, kind: Kind, *, status: int | None = None, wait: float | None = None) -> None:
        core = self._core
        core.count(kind)
        if core.on_event is not None:
            elapsed = core.clock() - self._started
            core.tell(kind, self._request, attempt=self._attempts, status=status, wait=wait, elapsed=elapsed)

    def _error(self, failure: Failure, fault: Fault | None, verdict: GiveUp) -> IndivdError:
        if fault is not None:
            error = self._transport_error(fault.error, fault.reason, verdict.reason)
            # What the library below raised; the Fault between the two only carried it.
            error.__cause__ = fault.__cause__
            return error
        assert failure.status is not None
        return api_error(
            failure.status,
            request=self._request,
            attempts=self._attempts,
            elapsed_s=self._core.clock() - self._started,
            retry_after=failure.retry_after,
            gave_up=verdict.reason,
            out_of_time=verdict.out_of_time,
        )

    def _out_of_time(self, reason: str) -> TransportError:
        what = f"no answer within the deadline; {reason[:1].lower()}{reason[1:]}"
        return self._transport_error(DeadlineExceededError, what)

    def _transport_error(self, kind: type[TransportError], what: str, gave_up: str = "") -> TransportError:
        base = self._core.base_url
        elapsed_s = self._core.clock() - self._started
        tries = f"{self._attempts} attempt{'' if self._attempts == 1 else 's'} over {elapsed_s:.1f} s"
        why = f" {gave_up}." if gave_up else ""
        return kind(
            f"{base.host}:{base.port}: {what}; {self._request} after {tries}.{why}",
            host=base.host,
            port=base.port,
            request=self._request,
            attempts=self._attempts,
            advice=_ADVICE[kind],
        )
