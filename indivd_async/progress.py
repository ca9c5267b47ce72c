"""
How far a call is: counted for whoever asks, and shown as a bar, in a notebook or line by line.

A call counts its requests and the rows that they brought. Look-ups of locations are no part of what was asked, and are
not counted.
"""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TextIO

import attrs

from .fielded import Fielded

if TYPE_CHECKING:
    from .results import Chunk

logger = logging.getLogger("indivd_async")

#: Seconds between lines, where nothing can be drawn over; what is over before the first needs none.
_LINE_EVERY_S = 2.0
#: Seconds between updates of a notebook's page.
_PAGE_EVERY_S = 0.2


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Progress(Fielded):
    """
    How far a call is, or an export.

    >>> Progress(done=24, total=50, rows=1_200, failed=4).text
    '24 of 50 requests, 1,200 rows, 4 failed'
    """

    done: int
    """Requests that were answered, or have failed for good."""
    total: int
    """Requests that are known of; a stream plans its queries one by one, and learns of more."""
    rows: int = 0
    """Rows of the answers so far."""
    failed: int = 0
    """Requests that have failed for good."""
    retried: int = 0
    """Attempts beyond the first, of the requests that are done."""

    @property
    def text(self) -> str:
        """It in words."""
        return f"{self.done:,} of {self.total:,} requests{self.details}"

    @property
    def details(self) -> str:
        """Rows and troubles, where there are any, each with a comma before."""
        told = ((self.rows, "rows"), (self.failed, "failed"), (self.retried, "retried"))
        return "".join(f", {number:,} {word}" for number, word in told if number)


Hear = Callable[[Progress], object]
#: True for a bar, or what is called with each `Progress`.
Wanted = bool | Hear | None


class Tally:
    """Counts the requests of one call, and tells *hear* of each; what *hear* raises ends no call."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._now = Progress(done=0, total=0)

    def expect(self, requests: int) -> None:
        """Count requests that will be sent."""
        self._tell(total=self._now.total + requests)

    def take(self, chunk: Chunk) -> None:
        """Count what became of one of them."""
        now = self._now
        self._tell(
            done=now.done + 1,
            rows=now.rows + chunk.row_count,
            failed=now.failed + (chunk.error is not None),
            retried=now.retried + max(0, chunk.attempts - 1),
        )

    def _tell(self, **changes: int) -> None:
        self._now = attrs.evolve(self._now, **changes)
        try:
            self._hear(self._now)
        except Exception:
            logger.exception("progress raised; the call goes on")


class Display:
    """Shows the calls of one client: each has a bar of its own, below the others."""

    def __init__(self, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._bars: Any = None
        self._shown = 0

    @contextmanager
    def tallying(self, wanted: Wanted) -> Iterator[Tally]:
        """Yield what counts for a call, and tells or shows what is *wanted*."""
        with nullcontext(wanted) if callable(wanted) else self.showing() as hear:
            yield Tally(hear)

    def showing(self) -> AbstractContextManager[Hear]:
        """Return what shows each `Progress` that it is given, until the context is left."""
        stream = self._stream or sys.stderr or io.StringIO()  # a program without a terminal may have none
        if (display := _find_page()) is not None:
            return _on_page(display, self._clock)
        is_terminal = False
        with suppress(AttributeError, ValueError):  # what stands there may be closed, or know little
            is_terminal = stream.isatty()
        return self._on_terminal(stream) if is_terminal else nullcontext(_in_lines(stream, self._clock))

    @contextmanager
    def _on_terminal(self, stream: TextIO) -> Iterator[Hear]:
        if not self._shown:  # anew each time: stderr may be another by now
            self._bars = make_bars(stream)
            self._bars.start()
        bars, start = self._bars, self._clock()
        self._shown += 1
        task = bars.add_task("requests", total=None, rate="", left="", details="")

        def hear(now: Progress) -> None:
            rate = f"{_rate(now, self._clock() - start):,.0f}/s"
            details = now.details.lstrip(", ")
            bars.update(task, completed=now.done, total=now.total, rate=rate, left="left", details=details)

        try:
            yield hear
        finally:
            bars.refresh()  # with the last that was told
            bars.remove_task(task)
            self._shown -= 1
            if not self._shown:
                bars.stop()


def _rate(now: Progress, elapsed_s: float) -> float:
    return now.done / elapsed_s if elapsed_s > 0 else 0.0


def _in_lines(stream: TextIO, clock: Callable[[], float]) -> Hear:
    """Say how far it is now and then: pipes and logs have no lines to draw over."""
    start = told = clock()

    def hear(progress: Progress) -> None:
        nonlocal told
        now = clock()
        if now - told < _LINE_EVERY_S or progress.done >= progress.total:
            return
        told = now
        rate = _rate(progress, now - start)
        left = f", {(progress.total - progress.done) / rate:,.0f} s left" if rate else ""
        print(f"{progress.text}, {rate:,.0f}/s{left}", file=stream, flush=True)

    return hear


@contextmanager
def _on_page(display: Callable[..., Any], clock: Callable[[], float]) -> Iterator[Hear]:
    """Draw a bar in a notebook, of plain HTML: widgets are not everywhere, and gone when the page is opened again."""
    start = told = clock()
    last, page = Progress(done=0, total=0), None

    def draw(rest: str = "") -> dict[str, str]:
        text = f"{last.text}{rest}"
        share = f'value="{last.done}" max="{max(last.total, 1)}"'
        return {"text/plain": text, "text/html": f"<progress {share}></progress> {text}"}

    def hear(progress: Progress) -> None:
        nonlocal last, page, told
        last = progress
        if page is None:  # not before there is a request: a look-up alone shows nothing
            page = display(draw(), raw=True, display_id=True)
        elif clock() - told >= _PAGE_EVERY_S:
            told = clock()
            page.update(draw(), raw=True)

    try:
        yield hear
    finally:
        if page is not None:  # what stays says how long it took
            page.update(draw(f" in {clock() - start:,.1f} s"), raw=True)


def _find_page() -> Callable[..., Any] | None:
    """Return what displays in the notebook that this runs in, if it does."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

    found: Callable[..., Any] = display
    return found


class _Lasting:
    """A terminal that may go while it is drawn on: what it does not take is lost, and ends no call."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_bars(stream: TextIO) -> Any:
    """Make what draws bars on a terminal, with rich."""
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:
        raise ImportError(
            "progress=True needs rich on a terminal: pip install 'indivd-async[cli]'; a callable needs nothing"
        ) from None
    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=16),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[left]}"),
        progress.TextColumn("{task.fields[details]}"),
        console=Console(file=_Lasting(stream)),  # type: ignore[arg-type]
        transient=True,
    )
