"""
The only room that runs tasks: requests on lanes, with deadlines, retries, pauses and a pace, for one call or for a batch.

One `Executor` a client. Nothing runs between calls: no task, no timer. All state is changed between two awaits, so no lock is needed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import os
import random
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, Self, TypeVar

import anyio
import attrs

from ._retrying import Failure, GiveUp, Pace, RetryBudget, SharedPause, next_wait, parse_retry_after
from ._transport import BaseURL, Fault, Lane, Lanes, NotUnderstoodError, Reply, Token, is_on_trio, plan_lanes
from .errors import (
    ApiError,
    ClientClosedError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    TransportError,
    api_error,
)
from .settings import Limits, RetryPolicy, Timeouts

if TYPE_CHECKING:
    import ssl

    import httpx

T = TypeVar("T")
Kind = Literal["planned", "started", "retry", "finished", "failed"]

logger = logging.getLogger("indivd_async")
logger.addHandler(logging.NullHandler())

#: A timer may end a hair before the deadline it was set for.
_HAIR_S = 1e-3


class Asked(Protocol):
    """What is needed of a request: where it goes, and how to call it (`str`)."""

    @property
    def target(self) -> str: ...


@attrs.frozen(kw_only=True)
class Counts:
    """So many requests of the client so far; `retried` counts attempts."""

    planned: int = 0
    finished: int = 0
    failed: int = 0
    retried: int = 0


@attrs.frozen(kw_only=True)
class Event:
    """
    What happened to a request, as `on_event` hears it.

    `planned` comes once a request, `started` once an attempt, `retry` when another attempt will follow after `wait` seconds, and `finished` or `failed`
    at the end. `elapsed` are the seconds since the request was asked for.
    """

    kind: Kind
    request: Any
    #: From 1; 0 before the first.
    attempt: int = 0
    #: Of the answer; None where there was none.
    status: int | None = None
    wait: float | None = None
    elapsed: float = 0.0
    counts: Counts = Counts()


@attrs.define(kw_only=True)
class Stats:
    """What a client has done so far; with_options shares it."""

    requests: int = 0
    attempts: int = 0
    retries: int = 0
    #: Of bodies, as they came over the wire.
    bytes: int = 0
    #: Attempts in the air now, and at most at any one moment.
    in_flight: int = 0
    peak_in_flight: int = 0


class _Waiter:
    __slots__ = ("event", "lane")

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.lane: Lane | None = None


class _LanePool:
    """
    The lanes of a client: made when needed, the last used first, and handed to whoever has waited longest.

    A lane is idle, or borrowed, or on its way to a waiter; none is ever lost. While anyone waits no lane is idle, so nobody overtakes.
    """

    __slots__ = ("_idle", "_lanes", "_made", "_waiters", "closed")

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._made: list[Lane] = []
        self._idle: list[Lane] = []
        self._waiters: deque[_Waiter] = deque()
        self.closed = False

    def take(self) -> Lane | None:
        """Borrow a lane if one is free."""
        if self._idle:
            return self._idle.pop()
        if len(self._made) < self._lanes.count:
            lane = self._lanes.make()
            self._made.append(lane)
            return lane
        return None

    async def wait(self, limit_s: float | None) -> Lane | None:
        """Wait for a lane, first come first served; None when there was none in time, or the pool was closed."""
        waiter = _Waiter()
        self._waiters.append(waiter)
        try:
            with anyio.move_on_after(limit_s):
                await waiter.event.wait()
        except BaseException:
            self._leave(waiter)
            if waiter.lane is not None:
                self.give_back(waiter.lane)
            raise
        self._leave(waiter)
        return waiter.lane

    def _leave(self, waiter: _Waiter) -> None:
        if not waiter.event.is_set():
            self._waiters.remove(waiter)

    def give_back(self, lane: Lane) -> None:
        """Hand the lane on."""
        if self._waiters:
            waiter = self._waiters.popleft()
            waiter.lane = lane
            waiter.event.set()
        else:
            self._idle.append(lane)

    async def aclose(self) -> None:
        self.closed = True
        while self._waiters:
            self._waiters.popleft().event.set()
        for lane in self._made:
            await lane.aclose()


class _Core:
    """What all views of one client share."""

    def __init__(
        self,
        lanes: Lanes,
        base_url: BaseURL,
        retry: RetryPolicy,
        limits: Limits,
        on_event: Callable[[Event], object] | None,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        draw: Callable[[], float],
    ) -> None:
        self.lanes = _LanePool(lanes)
        self.base_url = base_url
        self.budget = RetryBudget(retry)
        self.pause = SharedPause()
        self.pace = Pace(limits.requests_per_second) if limits.requests_per_second is not None else None
        self.stats = Stats()
        self.told: dict[Kind, int] = dict.fromkeys(("planned", "started", "retry", "finished", "failed"), 0)
        self.on_event = on_event
        self.clock = clock
        self.sleep = sleep
        self.draw = draw
        self.sleepers: set[anyio.CancelScope] = set()
        self.loop: object = None
        self.pid = os.getpid()

    def enter(self) -> None:
        """Refuse use after close, after a fork, and on another event loop than the first."""
        if self.lanes.closed:
            raise ClientClosedError("this client was closed; make a new one")
        if os.getpid() != self.pid:
            raise ClientClosedError(
                f"this client was made in process {self.pid} and cannot be used in a fork of it ({os.getpid()}); make a new one after forking"
            )
        loop = _running_loop()
        if loop is not self.loop:
            if self.loop is not None:
                raise ClientClosedError(
                    "this client was used on another event loop before, which its connections belong to; make one client for each loop"
                )
            self.loop = loop

    async def aclose(self) -> None:
        if self.lanes.closed:
            return
        self.enter()
        for scope in self.sleepers:
            scope.cancel()
        await self.lanes.aclose()

    async def sleep_until(self, moment: float) -> None:
        """Sleep, but not beyond the end of the client."""
        with anyio.CancelScope() as scope:
            self.sleepers.add(scope)
            try:
                await self.sleep(max(0.0, moment - self.clock()))
            finally:
                self.sleepers.discard(scope)
        if self.lanes.closed:
            raise ClientClosedError("the client was closed while this request was waiting")

    def tell(self, kind: Kind, request: Any, **said: Any) -> None:
        """Count, and tell `on_event`; what it raises is logged and never reaches a request."""
        if kind != "planned":  # counted when announced
            self.told[kind] += 1
        if self.on_event is None:
            return
        told = self.told
        counts = Counts(
            planned=told["planned"], finished=told["finished"], failed=told["failed"], retried=told["retry"]
        )
        try:
            self.on_event(Event(kind=kind, request=request, counts=counts, **said))
        except Exception:
            logger.exception("on_event raised; the request goes on")


class Executor:
    """Sends planned requests; `with_options` makes another view on the same lanes."""

    def __init__(
        self,
        *,
        base_url: BaseURL,
        token: Token,
        timeouts: Timeouts,
        retry: RetryPolicy,
        limits: Limits,
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: Any = None,
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
    def stats(self) -> Stats:
        return self._core.stats

    def with_options(self, *, timeouts: Timeouts | None = None, retry: RetryPolicy | None = None) -> Self:
        """Make a view with other options; lanes, stats, pace, pause and budget are shared."""
        view = type(self).__new__(type(self))
        view._core = self._core
        view._timeouts = timeouts or self._timeouts
        view._retry = retry or self._retry
        return view

    @property
    def base_url(self) -> BaseURL:
        return self._core.base_url

    def check(self) -> None:
        """Raise ClientClosedError where this client cannot be used: after its end, on another loop, in a fork."""
        self._core.enter()

    def announce(self, count: int) -> None:
        """Count requests that will be sent, so that progress knows its total before they are pulled."""
        self._core.told["planned"] += count

    def planned(self, request: Asked) -> None:
        """Tell `on_event` of a request that was announced and is about to be sent."""
        self._core.tell("planned", request)

    def settled(self, kind: Literal["finished", "failed"], request: Asked) -> None:
        """Count and tell of a request that ended without an attempt of its own: from a cache, or with another's answer."""
        self._core.tell(kind, request)

    async def aclose(self) -> None:
        """Close all lanes; what is in the air or waits ends with ClientClosedError. Waits for nothing."""
        await self._core.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds connections and a token and is never pickled; plans and results are")

    async def send(self, request: Asked, *, total_deadline: float | None = None) -> Reply:
        """
        Ask until there is an answer, or no sense in asking on; the reply has status 200.

        *total_deadline* is a reading of the clock. Raises the errors of the tree, with the request and the attempts in them.
        """
        self._core.enter()
        sending = _Sending(self._core, self._timeouts, self._retry, request, total_deadline)
        return await sending.run()

    async def map(self, requests: Iterable[T], handle: Callable[[T], Awaitable[object]], *, workers: int) -> None:
        """
        Handle each of *requests*, pulled lazily, by at most *workers* at once.

        The first exception cancels the rest and is raised as it is, never in a group.
        """
        pending = iter(requests)
        first = list(itertools.islice(pending, 2))
        if len(first) < 2 or workers == 1:
            for item in itertools.chain(first, pending):
                await handle(item)
            return
        pending = itertools.chain(first, pending)
        failures: list[Exception] = []

        async def work(item: T) -> None:
            try:
                await handle(item)
                for item in pending:
                    await handle(item)
            except Exception as failure:
                failures.append(failure)
                tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                try:
                    for item in itertools.islice(pending, workers):
                        tasks.start_soon(work, item)
                except Exception as failure:
                    failures.append(failure)
                    tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise first_leaf(group) from None
        if failures:
            raise failures[0]


def first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first plain exception of *group*."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf


def _running_loop() -> object:
    return sys.modules["trio"].lowlevel.current_trio_token() if is_on_trio() else asyncio.get_running_loop()


class _Sending:
    """One request on its way, from the call to its reply or its error."""

    __slots__ = ("_attempts", "_core", "_end", "_free", "_request", "_retry", "_started", "_timeouts")

    def __init__(
        self, core: _Core, timeouts: Timeouts, retry: RetryPolicy, request: Asked, total_deadline: float | None
    ) -> None:
        self._core = core
        self._timeouts = timeouts
        self._retry = retry
        self._request = request
        self._started = core.clock()
        self._attempts = 0
        #: Attempts that do not count: the one on a stale connection.
        self._free = 0
        end = math.inf if timeouts.deadline is None else self._started + timeouts.deadline
        self._end = end if total_deadline is None else min(end, total_deadline)

    async def run(self) -> Reply:
        core = self._core
        core.stats.requests += 1
        try:
            reply = await self._ask()
        except IndivdError as error:
            self._tell("failed", status=getattr(error, "status", None))
            raise
        self._tell("finished", status=reply.status)
        return reply

    async def _ask(self) -> Reply:
        """Attempt after attempt; a lane is held during one, and not during the wait for the next."""
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
                fault = caught
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
        if stats.in_flight > stats.peak_in_flight:
            stats.peak_in_flight = stats.in_flight
        logger.debug("%s, attempt %d", self._request, self._attempts)
        self._tell("started")
        try:
            reply = await lane.get(target, self._timeouts, None if limit_s == math.inf else limit_s)
        except NotUnderstoodError as error:
            raise DecodeError([str(error)], request=self._request) from None
        finally:
            stats.in_flight -= 1
        stats.bytes += reply.wire_bytes
        return reply

    async def _follow(self, reply: Reply | None, fault: Fault | None) -> IndivdError:
        """Wait for the next attempt after one that failed, and return its error; or raise the error."""
        core = self._core
        if core.lanes.closed:
            raise ClientClosedError("the client was closed while this request was in the air") from fault
        now = core.clock()
        failure = _failure(reply, fault, first=not self._free)
        core.pause.hear(self._retry, failure, now)
        verdict = GiveUp()
        if fault is None or fault.retried:
            verdict = next_wait(
                self._retry,
                failure,
                self._attempts - self._free,
                now=now,
                deadline=self._end - _HAIR_S,
                budget=core.budget,
                random=core.draw,
            )
        error = self._error(failure, fault, now, verdict)
        if isinstance(verdict, GiveUp):
            if verdict.out_of_time:
                raise self._out_of_time(verdict.reason) from error
            raise error
        self._free += failure.stale
        core.stats.retries += 1
        logger.debug("%s; asking again in %.3f s", error, verdict.seconds)
        self._tell("retry", status=failure.status, wait=verdict.seconds)
        if verdict.seconds > 0:
            await core.sleep_until(now + verdict.seconds)
        return error

    async def _wait_for_lane(self, last: IndivdError | None) -> Lane:
        core = self._core
        limit_s = self._end - core.clock()
        if limit_s <= 0 or core.pause.until > self._end:
            raise self._out_of_time("no lane could be had in time") from last
        lane = await core.lanes.wait(None if limit_s == math.inf else limit_s)
        if lane is not None:
            return lane
        if core.lanes.closed:
            raise ClientClosedError("the client was closed while this request was waiting for a lane") from last
        raise self._out_of_time("no lane was free") from last

    async def _wait_for_turn(self, last: IndivdError | None) -> None:
        """Wait while the client pauses, and for the next start that its pace allows."""
        core = self._core
        pace = core.pace
        booked = pace is None
        while True:
            now = core.clock()
            if core.pause.until > now:
                moment, reason = core.pause.until, "a Retry-After pauses the client for longer"
                # Else all that had booked a start before would start at once after it.
                booked = pace is None
            elif booked or pace is None:
                return
            else:
                moment, reason = pace.next_start(now), "Limits.requests_per_second leaves no earlier turn"
            if moment > self._end:
                raise self._out_of_time(reason) from last
            if moment != core.pause.until and pace is not None:
                pace.book(moment)
                booked = True
            if moment > now:
                await core.sleep_until(moment)

    def _tell(self, kind: Kind, *, status: int | None = None, wait: float | None = None) -> None:
        core = self._core
        if core.on_event is None:
            core.told[kind] += 1
        else:
            elapsed = core.clock() - self._started
            core.tell(kind, self._request, attempt=self._attempts, status=status, wait=wait, elapsed=elapsed)

    def _error(self, failure: Failure, fault: Fault | None, now: float, verdict: GiveUp | object) -> IndivdError:
        gave_up = verdict.reason if isinstance(verdict, GiveUp) else ""
        error: IndivdError
        if fault is None:
            assert failure.status is not None
            return api_error(
                failure.status,
                request=self._request,
                attempts=self._attempts,
                elapsed_s=now - self._started,
                retry_after=failure.retry_after,
                gave_up=gave_up,
            )
        error = fault.error(self._say(fault.reason, gave_up), **self._where())
        # What the library below raised; the Fault between is only a carrier.
        error.__cause__ = fault.__cause__
        return error

    def _out_of_time(self, reason: str) -> DeadlineExceededError:
        return DeadlineExceededError(
            self._say(f"the deadline is over or would be ({reason})", "Timeouts.deadline and .total set it"),
            **self._where(),
        )

    def _say(self, what: str, advice: str) -> str:
        base = self._core.base_url
        elapsed_s = self._core.clock() - self._started
        tries = f"{self._attempts} attempt{'s' if self._attempts != 1 else ''} over {elapsed_s:.1f} s"
        return f"{base.host}:{base.port}: {what}; {self._request} after {tries}." + (f" {advice}." if advice else "")

    def _where(self) -> dict[str, Any]:
        base = self._core.base_url
        return {"host": base.host, "port": base.port, "request": self._request, "attempts": self._attempts}


def _failure(reply: Reply | None, fault: Fault | None, *, first: bool) -> Failure:
    if reply is not None:
        asked = parse_retry_after(reply.retry_after, now_utc=datetime.now(UTC))
        return Failure(status=reply.status, retry_after=asked)
    return Failure(stale=first and fault is not None and fault.stale)
