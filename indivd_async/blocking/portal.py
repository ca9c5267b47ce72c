"""An event loop in a thread of its own, and calls into it that an interrupt ends."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future, wait
from contextlib import ExitStack
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal

from ..errors import ClientClosedError

T = TypeVar("T")
_NAME = "indivd-async"
#: Seconds between two looks at whether there was an interrupt, where waiting for a lock does not end by one.
_LOOK_S = 0.2 if sys.platform == "win32" else None
#: Seconds that closing waits for the thread: a name that is being resolved cannot be given up, and may take minutes.
_LEAVING_S = 0.5


class Portal:
    """
    The way from a thread that blocks to the event loop that a client lives on.

    The thread starts with the first call, and never keeps a process alive. Any number of threads may call, one that
    runs an event loop of its own, too.
    """

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._open = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._pid = os.getpid()
        self._closed = False
        # A client that nobody closes: its thread ends with it, or with the process, which would wait for it otherwise.
        weakref.finalize(self, _leave, self._open)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start *work* on the loop; whoever no longer wants its outcome cancels the future, which cancels the work."""
        try:
            loop = self._running_loop()
        except BaseException:
            work.close()
            raise
        # Not through the portal's own call: that waits for the loop twice, once until the work has begun.
        return asyncio.run_coroutine_threadsafe(_on_asyncio(work), loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* on the loop and return what it returns; whatever interrupts the wait cancels the work."""
        return wait_for(self.submit(work))

    def close(self, last: Coroutine[Any, Any, object]) -> None:
        """Run *last*, and end the loop and its thread; closing twice, or in a fork, does nothing."""
        with self._starting:
            loop, was_closed, self._closed = self._loop, self._closed, True
        if loop is None or was_closed or os.getpid() != self._pid:
            last.close()
            return
        try:
            wait_for(asyncio.run_coroutine_threadsafe(_on_asyncio(last), loop))
        finally:
            _leave(self._open)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise ClientClosedError("this client was closed; make a new one")
        if os.getpid() != self._pid:
            raise ClientClosedError(
                f"this client was made in process {self._pid}, and its thread is not in the fork {os.getpid()}; make a "
                "client after forking",
                reason="forked",
            )
        if threading.get_ident() == self._thread_id:
            raise ClientClosedError(
                "this client was called from its own thread, as by on_event, which would wait for itself for ever",
                reason="other_loop",
            )
        if self._loop is None:
            with self._starting:
                if self._loop is None:
                    self._start()
        assert self._loop is not None
        return self._loop

    def _start(self) -> None:
        portal = self._open.enter_context(start_blocking_portal("asyncio", name=_NAME))
        self._thread_id = portal.call(threading.get_ident)
        self._loop = portal.call(asyncio.get_running_loop)


def _leave(portal: ExitStack) -> None:
    """End the loop and its thread, from a thread of its own: the portal waits for their end as long as it takes."""
    leaving = threading.Thread(target=portal.close, name="indivd-async-close", daemon=True)
    try:
        leaving.start()
    except RuntimeError:  # the process ends, and starts no thread any more
        portal.close()
    else:
        if threading.current_thread().name != _NAME:  # where the garbage collector came by
            leaving.join(_LEAVING_S)


async def _on_asyncio(work: Coroutine[Any, Any, T]) -> T:
    # The work has the context variables of whoever calls, spans of a trace among them. Where that is a task of trio's,
    # one of them names the wrong library.
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        sniffio.current_async_library_cvar.set("asyncio")
    return await work


def wait_for(future: Future[T]) -> T:
    """Wait for *future*, and cancel it where the wait is interrupted."""
    try:
        while _LOOK_S is not None and not wait((future,), _LOOK_S).done:
            pass
        return future.result()
    except CancelledError:
        raise ClientClosedError("the client was closed while this call was under way") from None
    finally:
        future.cancel()
        # An error holds the frames it went through, and would with this one hold itself.
        del future
