"""How long many requests take against the ideal, ⌈N/C⌉·L, where an answer takes L = 50 ms and C are asked at once."""

from __future__ import annotations

import math

from .measuring import Row, in_turns, median, row
from .server import serving

_LATENCY_S = 0.05
_TARGETS = {10: 1.10, 100: 1.5}


def main(quick: bool) -> list[Row]:
    sides = ("indivd_async",) if quick else ("indivd_async", "httpx", "aiohttp")
    rows = []
    with serving(latency_s=_LATENCY_S) as url:
        for lanes, target in _TARGETS.items():
            count = lanes * (10 if quick else 40)
            ideal_s = math.ceil(count / lanes) * _LATENCY_S
            runs = {side: {"side": side, "lanes": lanes, "count": count, "warm": 2 * lanes} for side in sides}
            costs = in_turns(runs, url, 1 if quick else 3)
            for side, cost in costs.items():
                name = f"makespan against the ideal, {lanes} at once, {side}"
                reached = median(cost, "wall_s") / ideal_s
                rows.append(row(name, reached, target if side == sides[0] else None, "ratio"))
    return rows
