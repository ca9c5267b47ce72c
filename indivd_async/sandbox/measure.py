"""How visits are judged: bounces, dwell times and what the thresholds leave out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .catalogue import Area
from .visitors import Visit


@attrs.frozen(kw_only=True)
class Measure:
    """How visits are judged, in seconds."""

    bounce_threshold: int | None
    min_dwell: int | None
    max_dwell: int | None

    def row(self, bucket: Mapping[str, int], area: Area, visits: Sequence[Visit], *, is_basic: bool) -> dict[str, Any]:
        """Sum up the visits to one zone in one bucket."""
        threshold = self.bounce_threshold
        if threshold is None or threshold == -1:
            threshold = area.bounce_threshold
        dwells = [] if is_basic else sorted([visit[3] for visit in visits])
        short = 0 if self.min_dwell is None else bisect_left(dwells, 10 * self.min_dwell)
        kept = len(dwells) if self.max_dwell is None else bisect_right(dwells, 10 * self.max_dwell)
        stats = _statistics(dwells if kept - short == len(dwells) else dwells[short:kept])
        return {
            "visits": len(visits),
            "unique_visits": 0 if is_basic else len({visit[4] for visit in visits}),
            "bounce": bisect_left(dwells, 10 * threshold),
            "dwell_time": stats["mean"] if stats else 0.0,
            "dwell_time_stats": stats,
            "exclude": {"min_dwell_time": short, "max_dwell_time": len(dwells) - kept},
            "aggregation": {**bucket, "zone_id": area.id, "zone_name": area.name, "bounce_threshold": threshold},
        }


def _statistics(dwells: Sequence[int]) -> dict[str, Any]:
    """Describe ordered dwell times, given in tenths of a second."""
    n = len(dwells)
    if n == 0:
        return {}
    quartiles = []
    for place in (n - 1, 2 * (n - 1), 3 * (n - 1)):  # in quarters of the way from one visit to the next
        low, high = dwells[place >> 2], dwells[(place + 3) >> 2]
        quartiles.append(round(low + (high - low) * (place & 3) / 4) / 10)
    return {
        "mean": round(sum(dwells) / n) / 10,
        "min": dwells[0] / 10,
        "max": dwells[-1] / 10,
        "quantiles": quartiles,
        "n": n,
    }
