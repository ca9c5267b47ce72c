"""
Whether a request costs the same however many there are, over however many lanes; streaming's memory; uvloop.

Concurrency is compared twice. Where answers take their time, all 500 are in the air, as in a job: ten wake the loop for
each answer, five hundred for many. Where answers are there at once, more in the air end no sooner, and keep more
objects alive that the collector looks at again and again; over many requests, so that what is made once weighs as
little as in a job.
"""

from __future__ import annotations

from typing import Any

from .measuring import Row, in_turns, median, ratio, row
from .server import serving

_OURS = "indivd_async"
#: Long enough for one client to keep all 500 lanes in the air.
_LATENCY_S = 0.1


def main(quick: bool) -> list[Row]:
    few, many = (200, 2_000) if quick else (1_000, 10_000)
    repetitions = 1 if quick else 5
    runs: dict[str, dict[str, Any]] = {
        "few": {"side": _OURS, "lanes": 100, "count": few, "warm": 200},
        "many": {"side": _OURS, "lanes": 100, "count": many, "warm": 200},
        "10 lanes": {"side": _OURS, "lanes": 10, "count": 2 * many, "warm": 1_000},
        "500 lanes": {"side": _OURS, "lanes": 500, "count": 2 * many, "warm": 1_000},
        "uvloop": {"side": _OURS, "lanes": 100, "count": few, "warm": 200, "uvloop": True},
        "held": {"side": _OURS, "count": few, "warm": 100, "rows": True, "hold": True},
        "uvloop held": {"side": _OURS, "count": few, "warm": 100, "rows": True, "hold": True, "uvloop": True},
        # What a hundred requests need is there when the count begins: connections, caches, code.
        "streamed": {"side": f"{_OURS}, a query each", "lanes": 32, "count": many, "warm": 100},
    }
    with serving() as url:
        costs = in_turns(runs, url, repetitions)
    in_the_air: dict[str, dict[str, Any]] = {
        "10 lanes": {"side": _OURS, "lanes": 10, "count": few, "warm": 200},
        "500 lanes": {"side": _OURS, "lanes": 500, "count": many, "warm": 1_000},
    }
    with serving(latency_s=_LATENCY_S) as url:
        slow = in_turns(in_the_air, url, min(repetitions, 3))
    return [
        row(
            f"CPU a request, {many:,} requests against {few:,}, dropped",
            ratio(costs["many"], costs["few"]),
            1.1,
            "ratio",
        ),
        row(
            "CPU a request, concurrency 500 against 10, all in the air",
            ratio(slow["500 lanes"], slow["10 lanes"]),
            1.1,
            "ratio",
            latency_s=_LATENCY_S,
        ),
        row(
            "CPU a request, concurrency 500 against 10, answers at once",
            ratio(costs["500 lanes"], costs["10 lanes"]),
            1.1,
            "ratio",
        ),
        row(
            f"streaming {many:,} queries: peak memory over that of 100",
            median(costs["streamed"], "grown_mib") * 2**20 / 1e6,
            5,
            "MB",
        ),
        row(
            "uvloop against asyncio's own loop, 1 KB dropped: CPU", ratio(costs["uvloop"], costs["few"]), None, "ratio"
        ),
        row(
            "uvloop against asyncio's own loop, 58 rows held: CPU",
            ratio(costs["uvloop held"], costs["held"]),
            None,
            "ratio",
        ),
    ]
