"""
Planning a year of minutes for 300 locations: 36,600 requests, made one by one. Time is that of the processor.

Run it as ``python -m benchmarks.planning [--quick]``.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from indivd_async import LineCrosses, Plan

from .measuring import row

_LOCATIONS = range(1, 301)


def main(quick: bool = False) -> list[dict[str, Any]]:
    """Measure, and return a row for the first request and one for the others."""
    query = LineCrosses("2025-01-01", "2025-12-31", aggregate_by="minute", location=_LOCATIONS)
    firsts, each = [], []
    for _ in range(3 if quick else 9):
        start = time.process_time()
        requests = iter(Plan(query))
        next(requests)
        first = time.process_time()
        rest = sum(1 for _ in requests)
        firsts.append((first - start) * 1e3)
        each.append((time.process_time() - first) / rest * 1e6)
    assert rest == 36_599, rest
    return [
        row("first of 36,600 planned requests", statistics.median(firsts), 50, "ms"),
        row("each planned request", statistics.median(each), 20, "µs"),
    ]


if __name__ == "__main__":
    for found in main("--quick" in sys.argv):
        print(f"{found['name']:<34} {found['reached']:6.2f} {found['unit']} (target {found['target']})")
