"""What one thread waits for while an event loop, in another or in its own, does it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar, cast

from ..errors import ClientClosedError

T = TypeVar("T")
#: Seconds between two looks at whether there was an interrupt, where waiting for a lock does not end by one.
_LOOK_S = 0.2 if sys.platform == "win32" else -1


class Outcome(Generic[T]):
    """What one thread waits for and another gives, once: a value or an error."""

    #: Whether it was given. The lock does not tell: whoever wakes up holds it for a moment.
    is_given = False

    def __init__(self) -> None:
        # A bare lock: a future of the standard library, with its condition, costs more than it and the loop's turn.
        self._awaited = threading.Lock()
        self._awaited.acquire()

    def give(self, value: T | None, error: BaseException | None = None) -> None:
        """End the wait."""
        self._given = (value, error)
        self.is_given = True
        self._awaited.release()

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
    """A call that a loop runs, with the context variables of the thread that wants its outcome."""

    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[[], Awaitable[T]]) -> None:
        super().__init__()
        self._loop = loop
        self._function = function
        self._task: asyncio.Task[None] | None = None
        #: Whether the loop has it.
        self.has_begun = False

    def begin(self) -> None:
        """Begin, in the thread that runs the loop."""
        self.has_begun = True
        self._task = self._loop.create_task(self._do())
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        """Cancel what is under way; nothing happens where it has ended."""
        if not self.is_given:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())

    def wait(self) -> T:
        """Wait for what the call returns or raises; whatever interrupts the wait cancels it."""
        try:
            return super().wait()
        finally:
            self.cancel()
            del self

    async def _do(self) -> None:
        # The context variables are those of whoever calls, spans of a trace among them. Where that is a task of trio's,
        # one of them names the wrong library.
        sniffio = sys.modules.get("sniffio")
        if sniffio is not None:
            sniffio.current_async_library_cvar.set("asyncio")
        try:
            value = await self._function()
        except BaseException as error:
            self.give(None, error)
        else:
            self.give(value)

    def _end(self, task: asyncio.Task[None]) -> None:  # noqa: ARG002
        # Freed here: others keep tasks by weak references, in whose callbacks Python loses what a signal's handler
        # raises.
        self._task = None
        if not self.is_given:  # cancelled before its first line
            self.give(None, asyncio.CancelledError())


class DrivenWork(Work[T]):
    """A call whose thread runs the loop for as long as it takes."""

    #: Whether whatever waited for the end of the task, such as a thread that worked for it, was told of it, too.
    is_over = False

    def _end(self, task: asyncio.Task[None]) -> None:
        super()._end(task)
        self.is_over = True
        self._loop.stop()
