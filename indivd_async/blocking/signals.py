"""Signals that a program handles in Python, while an event loop runs in its main thread."""

from __future__ import annotations

# `signal` puts names on the constants that come from it, which takes twenty times as long, for sixty signals.
import _signal  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_ALL = tuple(sorted(map(int, signal.valid_signals())))
#: Seconds that a loop may take to leave what it does: from then on it is stuck, and a second signal is not held back.
_PATIENCE_S = 1.0


class HeldSignals:
    """
    Notes the signals that come while its context is open, in place of every handler written in Python.

    What a handler raises, an interrupt or a job's time limit, must come out where the caller waits. Raised wherever an
    event loop happens to be, it may be lost in a callback, or leave the loop with half of it. *wake* is called in the
    handler's place, and is to make the loop return; then, with the handlers back in their places, `handle` calls them.
    Signals without such a handler are left alone, and all in other threads, where none is handled.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._is_holding = False
        self._handlers: dict[int, Any] = {}
        #: What came, with where the program was, and when.
        self.came: dict[int, tuple[FrameType | None, float]] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._is_holding = True
        try:
            for number in _ALL:
                handler = _signal.getsignal(number)
                if callable(handler) and handler is not self:
                    self._handlers[number] = handler
                    _signal.signal(number, self)
        except BaseException as error:
            self._put_back()
            # No frame below: not of a handler that was still in its place, but a subinterpreter, which handles none.
            if not isinstance(error, ValueError) or (error.__traceback__ and error.__traceback__.tb_next):
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_holding:
            self._put_back()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; where there is nothing to hold back any more, let it be handled."""
        now = time.monotonic()
        if self._is_holding and now - self.came.setdefault(number, (frame, now))[1] < _PATIENCE_S:
            self._wake()
        else:
            self._handlers[number](number, frame)

    def handle(self) -> None:
        """Call the handlers now in place for what came; one that raises leaves the others for the next call."""
        while self.came:
            number = next(iter(self.came))
            frame, _ = self.came.pop(number)
            handler = _signal.getsignal(number)
            if callable(handler):
                handler(number, frame)
            else:  # another handler has put the system's in its place
                signal.raise_signal(number)

    def _put_back(self) -> None:
        self._is_holding = False  # so those that are not back yet are called all the same
        try:
            for number, handler in self._handlers.items():
                if _signal.getsignal(number) is self:  # else the program has chosen another meanwhile
                    _signal.signal(number, handler)
        except BaseException:  # of a handler that is back: the others follow
            self._put_back()
            raise
