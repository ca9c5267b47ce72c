"""When something must have ended. Pure."""

from __future__ import annotations

import math

import attrs

from ..fielded import Fielded


@attrs.frozen(eq=False, repr=False)
class Deadline(Fielded):
    """
    A moment by the event loop's clock, and the option that set it.

    >>> Deadline.after(60, 1_000, "{Timeouts.deadline}").earlier(Deadline.after(None, 1_000)).left(1_010)
    50
    """

    ends: float = math.inf
    why: str = ""

    @classmethod
    def after(cls, seconds: float | None, now: float, why: str = "") -> Deadline:
        """Return the end of *seconds* from *now* on; None never ends."""
        return NEVER if seconds is None else cls(now + seconds, why)

    def earlier(self, other: Deadline) -> Deadline:
        """Return whichever ends first."""
        return self if self.ends <= other.ends else other

    def left(self, now: float) -> float | None:
        """Return how many seconds are left, None where there is no end."""
        return None if self.ends == math.inf else max(0.0, self.ends - now)


NEVER = Deadline()
