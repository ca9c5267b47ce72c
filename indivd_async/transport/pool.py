"""The lanes of a client, and who gets which."""

from __future__ import annotations

from collections import deque
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import attrs

from .lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen(kw_only=True)
class LanePlan:
    """How many lanes there may be, and how one is made."""

    count: int
    make: Callable[[], Lane]


class _Waiter:
    __slots__ = ("event", "lane")

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.lane: Lane | None = None


class LanePool:
    """
    Lanes, made when they are needed; the last used serves next, whoever has waited longest is served first.

    A lane is idle, or borrowed, or on its way to a waiter, and none is ever lost. While anyone waits no lane is idle,
    so that nobody overtakes.
    """

    __slots__ = ("_idle", "_made", "_plan", "_waiters", "closed")

    def __init__(self, plan: LanePlan) -> None:
        self._plan = plan
        self._made: list[Lane] = []
        self._idle: list[Lane] = []
        self._waiters: deque[_Waiter] = deque()
        self.closed = False

    def take(self) -> Lane | None:
        """Borrow a lane, if one is free."""
        if self._idle:
            return self._idle.pop()
        if len(self._made) < self._plan.count:
            lane = self._plan.make()
            self._made.append(lane)
            return lane
        return None

    async def wait(self, limit_s: float | None) -> Lane | None:
        """Wait for a lane; None when none was free within *limit_s* seconds, or the pool was closed."""
        waiter = _Waiter()
        self._waiters.append(waiter)
        try:
            with anyio.move_on_after(limit_s):
                await waiter.event.wait()
        except BaseException:
            if waiter.lane is not None:
                self.give_back(waiter.lane)
            raise
        finally:
            if not waiter.event.is_set():
                self._waiters.remove(waiter)
        return waiter.lane

    def give_back(self, lane: Lane) -> None:
        """Hand the lane to whoever has waited longest."""
        if self._waiters:
            waiter = self._waiters.popleft()
            waiter.lane = lane
            waiter.event.set()
        else:
            self._idle.append(lane)

    async def aclose(self) -> None:
        """Close all lanes, whatever interrupts it, and send all waiters away."""
        self.closed = True
        while self._waiters:
            self._waiters.popleft().event.set()
        async with AsyncExitStack() as stack:
            for lane in self._made:
                stack.push_async_callback(lane.aclose)
