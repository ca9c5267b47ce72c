"""What a client tells of its requests while they are under way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import attrs

from ..escaping import ShownAsText
from ..fielded import Fielded
from ..planning import PlannedRequest

T = TypeVar("T")
Kind = Literal["planned", "started", "retry", "finished", "failed"]
#: What else an event says, asked for where somebody listens.
Said = Callable[[], dict[str, Any]]

logger = logging.getLogger("indivd_async")
logger.addHandler(logging.NullHandler())


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Counts(Fielded):
    """How many requests of the client so far; `retried` counts attempts."""

    planned: int = 0
    """Requests that calls have planned."""
    finished: int = 0
    """Requests that were answered."""
    failed: int = 0
    """Requests that failed for good."""
    retried: int = 0
    """Attempts beyond the first."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Event(Fielded):
    """
    What happened to a request, as `on_event` hears it.

    `planned` comes once a request, `started` once an attempt, `retry` where another attempt follows after `wait`
    seconds, and `finished` or `failed` at the end. `elapsed` are the seconds since the request was asked for.
    """

    kind: Kind
    """What happened: "planned", "started", "retry", "finished" or "failed"."""
    request: PlannedRequest
    """The request it happened to."""
    attempt: int = 0
    """From 1; 0 before the first."""
    status: int | None = None
    """Of the answer; None where there was none."""
    wait: float | None = None
    """Seconds until the next attempt, where the request is asked again."""
    elapsed: float = 0.0
    """Seconds since the request was called for."""
    counts: Counts = Counts()
    """How many requests of the client so far."""


@attrs.define(kw_only=True, repr=False)
class Stats(ShownAsText):
    """What a client has done so far; clients made by `with_options` share it."""

    requests: int = 0
    """Requests that were called for, look-ups included."""
    attempts: int = 0
    """Attempts that were sent."""
    retries: int = 0
    """Attempts beyond the first."""
    bytes: int = 0
    """Of bodies, as they came over the wire."""
    in_flight: int = 0
    """Attempts in the air now."""
    peak_in_flight: int = 0
    """Attempts in the air at most at any one moment."""


class Teller:
    """Counts what happens to the requests of a client, and tells who listens."""

    def __init__(self, on_event: Callable[[Event], object] | None) -> None:
        self.on_event = on_event
        self._counts: dict[Kind, int] = dict.fromkeys(("planned", "started", "retry", "finished", "failed"), 0)

    def announce(self, number: int) -> None:
        """Count requests that will be sent, so that progress knows its total before they are pulled."""
        self._counts["planned"] += number

    def end(self, request: PlannedRequest, read: Callable[[], T], said: Said = dict) -> T:
        """Return what *read* gives, which ends a request; where it refuses, the request has failed."""
        try:
            answer = read()
        except Exception:
            self.tell("failed", request, said)
            raise
        self.tell("finished", request, said)
        return answer

    def tell(self, kind: Kind, request: PlannedRequest, said: Said = dict) -> None:
        """Count what was not announced, and call `on_event`; what it raises is logged, and never reaches a request."""
        self._counts[kind] += kind != "planned"
        if self.on_event is None:
            return
        counts = self._counts
        told = Counts(
            planned=counts["planned"], finished=counts["finished"], failed=counts["failed"], retried=counts["retry"]
        )
        try:
            self.on_event(Event(kind=kind, request=request, counts=told, **said()))
        except Exception:
            logger.exception("on_event raised; the request goes on")
