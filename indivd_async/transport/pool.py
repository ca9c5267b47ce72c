"""The lanes of a client, and who gets which."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack

import anyio

from ..wording import spell_words
from .lane import HOW_TO_OPEN_MORE, Lane

logger = logging.getLogger("indivd_async")


class LanePool:
    """
    Up to *count* lanes, made by *make* when they are needed; the last used serves next, whoever has waited longest is
    served first.

    A lane is idle, or borrowed, or on its way to a waiter, and none is ever lost. While anyone waits no lane is idle,
    so that nobody overtakes.
    """

    def __init__(self, count: int, make: Callable[[], Lane]) -> None:
        self.make = make
        self._count = count
        self._made: list[Lane] = []
        #: Lanes that serve, and how many may.
        self._serving, self._most = 0, count
        self._idle: list[Lane] = []
        self._waiters: deque[anyio.Event] = deque()
        #: Lanes on their way, by whom they were handed to.
        self._handed: dict[anyio.Event, Lane] = {}
        self.closed = False

    def take(self) -> Lane | None:
        """Borrow a lane, if one is free."""
        if self._idle:
            return self._idle.pop()
        if self._serving < self._most:
            lane = self.make()
            self._made.append(lane)
            self._serving += 1
            return lane
        return None

    async def wait(self, limit_s: float | None) -> Lane | None:
        """Wait for a lane; None when none was free within *limit_s* seconds, or the pool was closed."""
        called = anyio.Event()
        self._waiters.append(called)
        try:
            with anyio.move_on_after(limit_s):
                await called.wait()
        except BaseException:
            if called in self._handed:
                self.give_back(self._handed.pop(called))
            raise
        finally:
            if not called.is_set():
                self._waiters.remove(called)
        return self._handed.pop(called, None)

    def give_back(self, lane: Lane) -> None:
        """Hand the lane to whoever has waited longest."""
        if self._serving > self._most:
            self._serving -= 1
        elif self._waiters:
            called = self._waiters.popleft()
            self._handed[called] = lane
            called.set()
        else:
            self._idle.append(lane)

    def narrow(self, lane: Lane) -> bool:
        """
        Go on without *lane*, which could not connect and is given back next.

        Where there is no other, it may take what it left to others; False where it could not even so.
        """
        if self._serving <= 1:
            spared, lane.spares = lane.spares, False
            return spared
        if self._most == self._count:
            logger.warning("the connections there are serve all requests; %s", spell_words(HOW_TO_OPEN_MORE))
        self._most = self._serving - 1
        return True

    async def aclose(self) -> None:
        """Close all lanes, whatever interrupts it, and send all waiters away."""
        self.closed = True
        while self._waiters:
            self._waiters.popleft().set()
        async with AsyncExitStack() as stack:
            for lane in self._made:
                stack.push_async_callback(lane.aclose)
