"""An event loop in a thread of its own, and calls into it that an interrupt ends."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from ..errors import ClientClosedError

T = TypeVar("T")
#: Seconds between two looks at whether there was an interrupt, where waiting for a lock does not end by one.
_LOOK_S = 0.2 if sys.platform == "win32" else -1
#: Seconds that closing waits for the thread: a name that is being resolved cannot be given up, and may take minutes.
_LEAVING_S = 2.0


class Outcome(Generic[T]):
    """What one thread waits for and another gives, once: a value or an error."""

    def __init__(self) -> None:
        # A bare lock: a future of the standard library, with its condition, costs more than it and the loop's turn.
        self._awaited = threading.Lock()
        self._awaited.acquire()

    def give(self, value: T | None, error: BaseException | None = None) -> None:
        """End the wait."""
        self._given = (value, error)
        self._awaited.release()

    @property
    def is_given(self) -> bool:
        """Whether the wait has ended."""
        return not self._awaited.locked()

    def wait(self) -> T:
        """Wait, return the value or raise the error; work that the loop cancelled ends as of a closed client."""
        error: BaseException | None = None
        try:
            while not self._awaited.acquire(timeout=_LOOK_S):
                pass
            self._awaited.release()
            value, error = self._given
            del self._given
            if isinstance(error, asyncio.CancelledError):
                raise ClientClosedError("the client was closed while this call was under way")
            if error is not None:
                raise error
            return cast(T, value)
        finally:
            # An error holds the frames it went through, and would with these hold itself.
            del self, error


class Work(Outcome[T]):
    """A coroutine that a loop runs for another thread, with the context variables that this one has."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        super().__init__()
        self._loop = loop
        self._coroutine = coroutine
        loop.call_soon_threadsafe(self._begin)

    def wait(self) -> T:
        """Wait for what the coroutine returns or raises; whatever interrupts the wait cancels it."""
        try:
            return super().wait()
        finally:
            self.cancel()
            del self

    def cancel(self) -> None:
        """Cancel what is under way; nothing happens where it has ended."""
        if not self.is_given:
            with suppress(RuntimeError):  # the loop is closed
                # A turn of the loop later, in which it begins: what was never begun would complain of that.
                self._loop.call_soon_threadsafe(self._loop.call_soon, lambda: self._task.cancel())

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._do())

    async def _do(self) -> None:
        # The context variables are those of whoever calls, spans of a trace among them. Where that is a task of trio's,
        # one of them names the wrong library.
        sniffio = sys.modules.get("sniffio")
        if sniffio is not None:
            sniffio.current_async_library_cvar.set("asyncio")
        try:
            value = await self._coroutine
        except BaseException as error:
            self.give(None, error)
        else:
            self.give(value)


class Portal:
    """
    The way from a thread that blocks to the event loop that a client lives on.

    The thread starts with the first call, and never keeps a process alive. Any number of threads may call, one that
    runs an event loop of its own, too.
    """

    def __init__(self) -> None:
        # Who begins work holds it, so that none begins after the loop's last; handlers of signals may hold it again.
        self._beginning = threading.RLock()
        self._running: _Running | None = None
        self._pid = os.getpid()
        self._closed = False

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Work[T]:
        """Start *coroutine* on the loop; whoever no longer wants its outcome cancels the work."""
        try:
            self._check_usable()
            with self._beginning:
                self._check_usable()
                return Work(self._running_loop(), coroutine)
        except BaseException:
            coroutine.close()
            raise

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run *coroutine* on the loop and return what it returns; whatever interrupts the wait cancels it."""
        return self.submit(coroutine).wait()

    def close(self, last: Coroutine[Any, Any, object]) -> None:
        """Run *last*, and end the loop and its thread; closing twice, or in a fork, does nothing."""
        if os.getpid() != self._pid:  # where nobody may ever release the lock
            self._closed = True
        if self._closed:
            last.close()
            return
        with self._beginning:
            running, self._closed = self._running, True
        if running is None or running.is_ending:
            last.close()
            return
        closing = Work(running.loop, running.stop_after(last))
        if threading.current_thread() is not running:  # by on_event: who waits holds up what is waited for
            closing.wait()
            running.stop()

    def _check_usable(self) -> None:
        if self._closed or (self._running is not None and self._running.is_ending):
            raise ClientClosedError("this client was closed; make a new one")
        if os.getpid() != self._pid:
            raise ClientClosedError(
                f"this client was made in process {self._pid}, and its thread is not in the fork {os.getpid()}; make a "
                "client after forking",
                reason="forked",
            )

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._running is None:
            self._running = _Running()
            # A client that nobody closes: its thread ends with it, or with the process.
            weakref.finalize(self, self._running.stop)
        elif threading.current_thread() is self._running:
            raise ClientClosedError(
                "this client was called from its own thread, as by on_event, which would wait for itself for ever",
                reason="other_loop",
            )
        return self._running.loop


class _Running(threading.Thread):
    """A loop that runs in a thread, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(name="indivd-async", daemon=True)
        self.loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self.is_ending = False
        self._pid = os.getpid()
        try:
            self.start()
        except RuntimeError:  # this process may start no more
            self.loop.close()
            raise

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._stopped.wait())

    def stop(self) -> None:
        """End what runs on the loop, and the thread; do nothing a second time, or in a fork, which has no thread."""
        if os.getpid() != self._pid:
            return
        self.is_ending = True
        with suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self._stopped.set)
        if threading.current_thread() is not self:  # as where the garbage collector came by
            self.join(_LEAVING_S)

    async def stop_after(self, last: Coroutine[Any, Any, object]) -> None:
        """Run *last*, and then let the loop end."""
        try:
            await last
        finally:
            self._stopped.set()
