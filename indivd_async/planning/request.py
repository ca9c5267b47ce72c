"""One request of a plan."""

from __future__ import annotations

from datetime import date

import attrs

from ..fielded import Fielded
from ..models import NOTHING_EXTRA, FrozenMap
from ..models.endpoints import DATA_ENDPOINTS
from ..profile import Profile
from ..wording import brief, clip
from .urls import encode_params
from .windows import Window, bucket_unit, default_grouping

#: 400 has many causes; 413 and 414 are what gateways answer to long URLs.
_REFUSED_AS_TOO_LONG = frozenset({400, 413, 414})
_LONG_URL_BYTES = 400
#: Characters of a request in a message: URLs may have 6,000.
_MOST_TEXT = 300


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PlannedRequest(Fielded):
    """
    One request of a plan.

    `path` and `params` are what is sent, `reason` says why this request is one of its own. `window` are its days,
    `period` the period of the query they belong to, `tz` the clock of its buckets where known, `carried` the fields
    that its rows get from the request.
    """

    index: int
    """Position in the whole plan, also where the plan is a shard of it."""
    endpoint: str
    """`line_crosses`, `zone_visitors` or `drop_in_rate`, or the list of a look-up."""
    path: str
    """With its slash as documented, without the prefix of the base URL."""
    params: FrozenMap = attrs.field(default=NOTHING_EXTRA, repr=brief)
    """Wire names and values, both text."""
    reason: str = ""
    """Why it is a request of its own."""
    window: Window | None = None
    """Its days; None for a look-up."""
    period: str = "current"
    """"current", "comparison", or "both" where one request brings the two."""
    tz: str | None = None
    """The clock of its buckets, an IANA name, where it is known."""
    carried: FrozenMap = attrs.field(default=NOTHING_EXTRA, repr=brief)
    """Fields that its rows get from it."""
    series: int = 0
    """Which of the plan's series: a time-zone group, a value of a fan-out, a piece of a long list."""
    locations: tuple[int, ...] | None = attrs.field(default=None, repr=brief)
    """The locations asked for; None where all are."""
    profile: Profile | None = None
    """What is known of the service that is asked, where something is."""

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

    def advise_refused(self, status: int) -> str:
        """Say which limit that no page tells may have been met, where this request was refused with *status*."""
        if self.window is None or status not in _REFUSED_AS_TOO_LONG:
            return ""
        endpoint, days, url_bytes = DATA_ENDPOINTS[self.endpoint], self.window.days, len(self.target)
        grouping = self.params.get(endpoint.grouping) or default_grouping(endpoint, self.window)
        advice = []
        if days > 1:
            if (unit := bucket_unit(grouping)) is not None:
                half = max(1, days // 2)
                most = f'MostDays(endpoint="{self.endpoint}", unit="{unit}", days={half})'
                advice.append(
                    f"if {days} days are more than it takes at once, pass {{split:{half}}} or fewer, or have every "
                    f"question cut so by {{profile:Profile(most_days=({most},))}}"
                )
            else:
                advice.append(
                    f"if {days} days are more than the service takes, ask for shorter periods: sums by {grouping} "
                    "cannot be cut, so {split} does not help"
                )
        if status != 400 or url_bytes > _LONG_URL_BYTES:
            advice.append(
                f"if a URL of {url_bytes:,} bytes is too long for it, ask for fewer ids at once, or pass "
                f"{{profile:Profile(longest_url={max(500, url_bytes // 2)})}}, which cuts lists"
            )
        if not advice:
            return ""
        return f"The API does not say what it refuses: {'; '.join(advice)}. `indivd verify` measures such limits"

    def __str__(self) -> str:
        return f"GET {clip(self.target, _MOST_TEXT)}"
