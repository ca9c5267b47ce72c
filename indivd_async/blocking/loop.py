"""An event loop that runs in the thread of whoever waits for it, or else in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from ..transport import is_on_trio
from .signals import HeldSignals
from .work import DrivenWork, Work

T = TypeVar("T")
#: Seconds that an end is waited for: a name that is being resolved cannot be given up, and may take minutes.
_LEAVING_S = 2.0
#: Frames of the stack that a loop and what it runs may need: where they end, tasks are lost.
_DEPTH = 200


class Loop:
    """
    An event loop that a client lives on.

    A call drives it in its own thread: waking another, on another processor, costs more than all the rest. That goes
    while one thread at a time wants something, waits for all of it, and runs no event loop of its own. Else the loop
    goes over to a thread of its own, and stays there. The thread never keeps a process alive.

    *beginning* is held by who begins work from elsewhere.
    """

    def __init__(self, beginning: threading.RLock) -> None:
        self._beginning = beginning
        self._loop = asyncio.new_event_loop()
        # Other kinds have ways of their own with signals. On Windows none would wake the loop.
        self._may_be_driven = sys.platform != "win32" and isinstance(self._loop, asyncio.SelectorEventLoop)
        #: Held by who runs the loop.
        self._turn = threading.RLock()
        self._thread: threading.Thread | None = None
        self.is_ending = False
        self._pid = os.getpid()

    def is_running_here(self) -> bool:
        """Tell whether the caller is called by this loop."""
        return running_loop() is self._loop

    def drive(self, function: Callable[[], Awaitable[T]]) -> Work[T] | None:
        """
        Run the loop until *function* is done, or a thread has taken over; None where it cannot run here.

        What a handler of signals raises leaves from here, when the work is cancelled and has ended.
        """
        if self._thread is not None or not self._may_be_driven or not _may_drive():
            return None
        work = DrivenWork(self._loop, function)
        signals = HeldSignals(self._interrupt)
        try:
            self._attend(work, signals)
        except BaseException:
            work.cancel()
            if work.has_begun:
                self._attend(work, signals, until=self._loop.time() + _LEAVING_S)
            raise
        return work if work.has_begun else None

    def submit(self, function: Callable[[], Awaitable[T]]) -> Work[T]:
        """Begin *function* in the loop's own thread."""
        self._go_over()
        work = Work(self._loop, function)
        self._loop.call_soon_threadsafe(work.begin)
        return work

    def close(self, last: Callable[[], Awaitable[object]]) -> None:
        """Run *last*, and end what else there is."""

        async def end() -> None:
            try:
                await last()
            finally:
                self.is_ending = True
                self._loop.stop()

        if self.is_running_here():  # by on_event: who waits holds up what is waited for
            Work(self._loop, end).begin()
            return
        (self.drive(end) or self.submit(end)).wait()
        self.stop()

    def stop(self) -> None:
        """End what runs on the loop, and the thread; do nothing a second time."""
        if os.getpid() != self._pid:
            # The fork shares what the loop watches with its parent: closed here, the loop would take it away there.
            self._loop.is_running = lambda: True  # type: ignore[method-assign]
            return
        self.is_ending = True
        if self._loop.is_closed():
            return
        if self._thread is None and running_loop() is not None:  # the garbage collector came by
            with suppress(RuntimeError):  # this process may start no more threads
                self._go_over()
        self._interrupt()
        if self._thread is None:
            if self._turn.acquire(timeout=_LEAVING_S):
                try:
                    if not self._loop.is_closed():
                        self._end(_LEAVING_S)
                finally:
                    self._turn.release()
        elif threading.current_thread() is not self._thread:
            self._thread.join(_LEAVING_S)

    def _attend(self, work: DrivenWork[T], signals: HeldSignals, *, until: float | None = None) -> None:
        """Drive the loop, and between have signals handled."""
        while not (work.is_over or self._thread or self.is_ending or (until and self._loop.time() >= until)):
            with signals:
                if self._turn.acquire(blocking=False):
                    try:
                        self._drive(work, signals, until)
                    finally:
                        self._turn.release()
                elif work.has_begun:  # another drives it since a handler was called
                    self._go_over()
                else:
                    return
            signals.handle()

    def _drive(self, work: DrivenWork[T], signals: HeldSignals, until: float | None) -> None:
        if self.is_ending:
            return
        if not work.has_begun:
            work.begin()
        timer = None if until is None else self._loop.call_at(until, self._loop.stop)
        while not (work.is_over or signals.came or self._thread or self.is_ending):
            self._loop.run_forever()
            if until and self._loop.time() >= until:
                break
        if timer is not None:
            timer.cancel()
        if self.is_ending and self._thread is None:
            self._end(_LEAVING_S)
            if not work.is_given:
                work.give(None, asyncio.CancelledError())

    def _go_over(self) -> None:
        """Let a thread run the loop from now on, as soon as whoever runs it leaves it."""
        with self._beginning:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="indivd-async", daemon=True)
                thread.start()
                self._thread = thread
                self._interrupt()

    def _run(self) -> None:
        with self._turn:
            if self._loop.is_closed():
                return
            # Threads that anyio keeps for work that blocks live as long as what is run until it is complete.
            life = self._loop.create_task(asyncio.Event().wait())
            try:
                while not self.is_ending:
                    with suppress(RuntimeError):  # it was stopped
                        self._loop.run_until_complete(life)
            finally:
                self.is_ending = True
                self._end(None)

    def _interrupt(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _end(self, limit_s: float | None) -> None:
        """Cancel what is left, and close the loop; what does not end within *limit_s* seconds is left."""
        ending = self._loop.create_task(_cancel_others(limit_s))
        ending.add_done_callback(lambda _: self._loop.stop())
        while not ending.done():
            self._loop.run_forever()
        self._loop.close()


async def _cancel_others(limit_s: float | None) -> None:
    await asyncio.sleep(0)  # what is to begin begins
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=limit_s)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _may_drive() -> bool:
    """Tell whether a loop can run in this thread, on top of what it does."""
    if running_loop() is not None or is_on_trio():
        return False
    try:
        sys._getframe(sys.getrecursionlimit() - _DEPTH)  # noqa: SLF001  # documented, and walks in C
    except ValueError:  # there are fewer
        return True
    return False


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, if one does."""
    return asyncio._get_running_loop()  # noqa: SLF001  # one of asyncio's names; the other raises where there is none
