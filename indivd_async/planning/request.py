"""One request of a plan."""

from __future__ import annotations

from datetime import date

import attrs

from ..models import NOTHING_EXTRA, FrozenMap
from ..profile import Profile
from .urls import encode_params
from .windows import Window


@attrs.frozen(kw_only=True)
class PlannedRequest:
    """
    One request of a plan.

    `path` and `params` are what is sent, `reason` says why this request is one of its own. `window` are its days,
    `period` the period of the query they belong to, `tz` the clock of its buckets where known, `carried` the fields
    that its rows get from the request.
    """

    #: Position in the whole plan, also where the plan is a shard of it.
    index: int
    endpoint: str
    path: str
    #: Wire names and values, both text.
    params: FrozenMap = NOTHING_EXTRA
    reason: str = ""
    window: Window | None = None
    #: "current", "comparison", or "both" where one request brings the two.
    period: str = "current"
    tz: str | None = None
    carried: FrozenMap = NOTHING_EXTRA
    #: Which of the plan's series: a time-zone group, a value of a fan-out, a piece of a long list.
    series: int = 0
    #: The locations asked for; None where all are.
    locations: tuple[int, ...] | None = None
    #: What is known of the service that is asked, where something is.
    profile: Profile | None = None

    @property
    def target(self) -> str:
        """The path with its query, percent-encoded, as it goes on the wire."""
        return f"{self.path}?{encode_params(self.params.items())}" if self.params else self.path

    @property
    def last_day(self) -> date:
        """The last day asked for, of either period; `date.max` where the request has no days."""
        days = [self.window.end] if self.window is not None else [date.max]
        if "comparison_end_date" in self.params:
            days.append(date.fromisoformat(self.params["comparison_end_date"]))
        return max(days)

    def __str__(self) -> str:
        return f"GET {self.target}"
