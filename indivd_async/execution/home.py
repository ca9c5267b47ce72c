"""Where a client lives: on one event loop, in one process, until it is closed."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from typing import Any

import anyio

from ..errors import ClientClosedError, ClosedReason
from ..transport import LanePool, is_on_trio


class Home:
    """The loop and process of the first use, whose connections no other can use; its clock, and its end."""

    def __init__(
        self, lanes: LanePool, clock: Callable[[], float] | None, sleep: Callable[[float], Awaitable[object]]
    ) -> None:
        self.clock = clock or anyio.current_time
        self.sleep = sleep
        self._lanes = lanes
        self._sleepers: set[anyio.CancelScope] = set()
        self._loop: object = None
        self._pid = os.getpid()
        self._closing: object = None

    def enter(self) -> None:
        """Refuse use after the end, in a fork, and on another event loop than the first."""
        if self._lanes.closed:
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
            if self.clock is anyio.current_time:  # the same time, without being asked for the event loop each time
                self.clock = getattr(loop, "time", anyio.current_time)
        elif loop is not self._loop:
            reason: ClosedReason = "loop_ended" if _has_ended(self._loop) else "other_loop"
            ended = " and has ended" if reason == "loop_ended" else ""
            raise ClientClosedError(
                f"this client was used on another event loop, which its connections belong to{ended}; make one for "
                "each loop",
                reason=reason,
            )

    async def aclose(self) -> None:
        """Close, from wherever; closing again does nothing."""
        if self._lanes.closed:
            return
        if self._loop is None or (os.getpid() == self._pid and self._loop is _running_loop()):
            await self._close()
            return
        # The connections are another loop's, or process's: nothing of them can be used here, not even to say goodbye.
        self._lanes.closed = True
        if os.getpid() == self._pid:
            with suppress(RuntimeError):  # asyncio's, and trio.RunFinishedError: the loop has ended, and they with it
                self._close_there(self._loop)

    def _close_there(self, loop: Any) -> None:
        if hasattr(loop, "run_sync_soon"):
            loop.run_sync_soon(lambda: sys.modules["trio"].lowlevel.spawn_system_task(self._close))
            return

        def start() -> None:
            self._closing = loop.create_task(self._close())  # the loop holds it weakly

        # Not in the caller's context, which may say that trio runs here.
        loop.call_soon_threadsafe(start, context=Context())

    async def _close(self) -> None:
        for scope in tuple(self._sleepers):
            scope.cancel()
        await self._lanes.aclose()

    async def sleep_until(self, moment: float) -> None:
        """Sleep, at most until the client is closed."""
        with anyio.CancelScope() as scope:
            self._sleepers.add(scope)
            try:
                await self.sleep(max(0.0, moment - self.clock()))
            finally:
                self._sleepers.discard(scope)
        if self._lanes.closed:
            raise ClientClosedError("the client was closed while this request was waiting")


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
