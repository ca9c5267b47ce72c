"""The wall clock, read here and nowhere else: waits go by the event loop's clock, days and HTTP dates by this one."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)
