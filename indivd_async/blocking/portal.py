"""The way from a thread that blocks to the event loop that a client lives on."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

from ..errors import ClientClosedError
from .loop import Loop
from .signals import HeldSignals
from .work import Work

T = TypeVar("T")


class Portal:
    """
    Where calls of one client come in, from any number of threads, one that runs an event loop of its own, too.

    The loop begins with the first call.
    """

    def __init__(self) -> None:
        # Who begins work holds it, so that none begins after the loop's last; handlers of signals may hold it again.
        self._beginning = threading.RLock()
        self._loop: Loop | None = None
        self._pid = os.getpid()
        self._closed = False

    def submit(self, function: Callable[[], Awaitable[T]]) -> Work[T]:
        """Start *function* on the loop; whoever no longer wants its outcome cancels the work."""
        loop, work = self._usable_loop(), None
        signals = HeldSignals(lambda: None)
        try:
            with signals, self._beginning:
                self._check_usable()
                work = loop.submit(function)
            signals.handle()
        except BaseException:
            if work is not None:  # else nobody would, who has it not yet
                work.cancel()
            raise
        return work

    def run(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run *function* on the loop and return what it returns; whatever interrupts the wait cancels it."""
        work = self._usable_loop().drive(function) or self.submit(function)
        try:
            return work.wait()
        finally:
            work.cancel()  # where an interrupt came before the first line of `wait`
            del work

    def close(self, last: Callable[[], Awaitable[object]]) -> None:
        """Run *last*, and end the loop; closing twice, or in a fork, does nothing."""
        if os.getpid() != self._pid:  # where nobody may ever release the lock
            self._closed = True
        if self._closed:
            return
        try:
            self._close(last)
        except BaseException:  # an interrupt, perhaps before anything was closed; a second one is not held back
            self._close(last)
            raise

    def _close(self, last: Callable[[], Awaitable[object]]) -> None:
        with self._beginning:
            loop, self._closed = self._loop, True
        if loop is not None and not loop.is_ending:
            loop.close(last)
            self._end.detach()

    def __reduce__(self) -> NoReturn:
        raise TypeError("what an Indivd gives needs its event loop and does not pickle; plans, queries and results do")

    def _check_usable(self) -> None:
        if self._closed or (self._loop is not None and self._loop.is_ending):
            raise ClientClosedError("this client was closed; make a new one")
        if os.getpid() != self._pid:
            raise ClientClosedError(
                f"this client was made in process {self._pid}, and its event loop is not in the fork {os.getpid()}; "
                "make a client after forking",
                reason="forked",
            )

    def _usable_loop(self) -> Loop:
        self._check_usable()
        loop = self._loop
        if loop is None:
            signals = HeldSignals(lambda: None)
            with self._beginning, signals:  # half a loop could not end
                self._check_usable()
                loop = self._loop
                if loop is None:
                    loop = self._loop = Loop(self._beginning)
                    # A client that nobody closes: its loop ends with it, or with the process.
                    self._end = weakref.finalize(self, loop.stop)
            signals.handle()
        elif loop.is_running_here():
            raise ClientClosedError(
                "this client was called from its own event loop, as by on_event, which would wait for itself for ever",
                reason="other_loop",
            )
        return loop
