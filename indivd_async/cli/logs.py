"""`--verbose`: each request, and what the library logs, on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..escaping import escape_controls
from .terminal import say

if TYPE_CHECKING:
    from ..execution import Event


def tell_event(event: Event) -> None:
    """Tell what happened to a request: pass this as `on_event`."""
    came = "no answer" if event.status is None else str(event.status)
    what = {
        "retry": f"{came}, asking again in {event.wait or 0:.2f} s (attempt {event.attempt})",
        "finished": f"{came} after {event.elapsed:.2f} s" if event.attempt else "answered without asking",
        "failed": f"{came} after {event.elapsed:.2f} s, given up",
    }.get(event.kind)
    if what is not None:
        # In one piece, however long: who copies a request wants all of it.
        print(escape_controls(f"{what}: {event.request}"), file=sys.stderr, flush=True)


class _Lines(logging.Handler):
    """Says each record in one line; a traceback has its own."""

    def emit(self, record: logging.LogRecord) -> None:
        message = escape_controls(record.getMessage())
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        say(f"{record.levelname.lower()}: {message}" + (f"\n{trace}" if trace else ""), indent="  ")


@contextmanager
def telling_logs(*, wanted: bool) -> Iterator[None]:
    """Tell what the library logs, from warnings on, and less grave things where that is *wanted*."""
    logger, lines = logging.getLogger("indivd_async"), _Lines(logging.INFO if wanted else logging.WARNING)
    logger.addHandler(lines)
    try:
        yield
    finally:
        logger.removeHandler(lines)
