"""An event loop in a thread of its own, and calls into it that an interrupt ends."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from typing import Any, TypeVar

import anyio
import attrs
from anyio.from_thread import BlockingPortal

from ..errors import ClientClosedError

T = TypeVar("T")
_NAME = "indivd-async"
_CLOSED = "this client was closed; make a new one"
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
        self._running: _Running | None = None
        self._pid = os.getpid()
        self._closed = False

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
        if os.getpid() != self._pid:  # where nobody may ever release the lock
            self._closed = True
        if self._closed:
            last.close()
            return
        with self._starting:
            running, self._closed = self._running, True
        if running is None:
            last.close()
            return
        closing = asyncio.run_coroutine_threadsafe(_on_asyncio(last), running.loop)
        if threading.current_thread() is running.thread:  # by on_event: who waits here holds up what is waited for
            closing.add_done_callback(lambda _: running.stop())
            return
        try:
            wait_for(closing)
        finally:
            running.stop()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise ClientClosedError(_CLOSED)
        if os.getpid() != self._pid:
            raise ClientClosedError(
                f"this client was made in process {self._pid}, and its thread is not in the fork {os.getpid()}; make a "
                "client after forking",
                reason="forked",
            )
        if self._running is not None and threading.current_thread() is self._running.thread:
            raise ClientClosedError(
                "this client was called from its own thread, as by on_event, which would wait for itself for ever",
                reason="other_loop",
            )
        if self._running is None:
            with self._starting:
                if self._closed:
                    raise ClientClosedError(_CLOSED)
                if self._running is None:
                    self._running = _start()
                    # A client that nobody closes: its thread ends with it, or with the process.
                    weakref.finalize(self, self._running.stop)
        return self._running.loop


@attrs.frozen
class _Running:
    """A loop that runs in a thread, until its portal is stopped."""

    loop: asyncio.AbstractEventLoop
    portal: BlockingPortal
    thread: threading.Thread
    pid: int = attrs.field(factory=os.getpid)

    def stop(self) -> None:
        """End what runs on the loop, and the thread; do nothing a second time, or in a fork, which has no thread."""
        if os.getpid() != self.pid:
            return
        with suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(lambda: self.loop.create_task(self.portal.stop(cancel_remaining=True)))
        if threading.current_thread() is not self.thread:  # as where the garbage collector came by
            self.thread.join(_LEAVING_S)


def _start() -> _Running:
    # As `start_blocking_portal`, which is a generator: one that nobody closes is closed as the interpreter ends, and
    # would then wait for a thread that runs no more.
    opened: Future[_Running] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            opened.set_result(_Running(asyncio.get_running_loop(), portal, threading.current_thread()))
            await portal.sleep_until_stopped()

    def run() -> None:
        try:
            anyio.run(serve, backend="asyncio")
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    threading.Thread(target=run, name=_NAME, daemon=True).start()
    return opened.result()


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
