"""What a client tells of its requests while they are under way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from ..planning import PlannedRequest


Kind = Literal["planned", "started", "retry", "finished", "failed"]

logger = logging.getLogger("indivd_async")
logger.addHandler(logging.NullHandler())


@attrs.frozen(kw_only=True)
class Counts:
    """How many requests of the client so far; `retried` counts attempts."""

    planned: int = 0
    finished: int = 0
    failed: int = 0
    retried: int = 0


@attrs.frozen(kw_only=True)
class Event:
    """
    What happened to a request, as `on_event` hears it.

    `planned` comes once a request, `started` once an attempt, `retry` where another attempt follows after `wait`
    seconds, and `finished` or `failed` at the end. `elapsed` are the seconds since the request was asked for.
    """

    kind: Kind
    request: PlannedRequest
    #: From 1; 0 before the first.
    attempt: int = 0
    #: Of the answer; None where there was none.
    status: int | None = None
    wait: float | None = None
    elapsed: float = 0.0
    counts: Counts = Counts()


@attrs.define(kw_only=True)
class Stats:
    """What a client has done so far; clients made by `with_options` share it."""

    requests: int = 0
    attempts: int = 0
    retries: int = 0
    #: Of bodies, as they came over the wire.
    bytes: int = 0
    #: Attempts in the air now, and at most at any one moment.
    in_flight: int = 0
    peak_in_flight: int = 0
