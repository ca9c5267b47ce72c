"""How far it is, on stderr: a bar where rich is installed and somebody watches, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TextIO

from ..execution import Event

#: Seconds between lines; what is over before the first needs none.
_EVERY_S = 2.0


class Meter(AbstractContextManager["Meter"]):
    """Told how far it is, `update` says so."""

    def __init__(self, what: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        self._start = self._told = self._clock()
        if self._stream.isatty():
            self._bar = _make_bar(self._stream)
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=None, rate="", rest="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def hear(self, event: Event) -> None:
        """Follow a client's requests: pass this as `on_event`."""
        counts = event.counts
        troubles = [
            f"{number} {word}" for word, number in (("failed", counts.failed), ("retried", counts.retried)) if number
        ]
        self.update(counts.finished + counts.failed, counts.planned, ", ".join(troubles))

    def update(self, done: int, total: int, rest: str = "") -> None:
        """Say that *done* of *total* are done; *rest* is what else there is to say."""
        now = self._clock()
        rate = done / (now - self._start) if now > self._start else 0.0
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, rate=f"{rate:,.0f}/s", rest=rest)
        elif now - self._told >= _EVERY_S and done < total:
            self._told = now
            left = f", {(total - done) / rate:,.0f} s left" if rate else ""
            trouble = f" ({rest})" if rest else ""
            print(f"{self._what}: {done:,} of {total:,}, {rate:,.0f}/s{left}{trouble}", file=self._stream, flush=True)


def _make_bar(stream: TextIO) -> Any:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        return None
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        TextColumn("{task.fields[rest]}"),
        console=Console(file=stream),
        transient=True,
    )
