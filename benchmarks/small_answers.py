"""CPU time a request, 100 connections, answers of 1 KB: this library against httpx and aiohttp, written by hand."""

from __future__ import annotations

from .measuring import Row, in_turns, median, ratio, row
from .server import serving

_OURS = "indivd_async"
_TARGETS = {"httpx": 0.10, "aiohttp": 1.3}


def main(quick: bool) -> list[Row]:
    options = {"lanes": 100, "count": 300 if quick else 2_000, "warm": 200, "hold": True}
    sides = (_OURS, *_TARGETS) if quick else (_OURS, "indivd_async over aiohttp", *_TARGETS, "httpx2")
    with serving() as url:
        costs = in_turns({side: {"side": side, **options} for side in sides}, url, 1 if quick else 5)
    rows = [
        row(f"1 KB answers: CPU against {peer}", ratio(costs[_OURS], costs[peer]), target, "ratio")
        for peer, target in _TARGETS.items()
    ]
    rows += [row(f"1 KB answers: CPU a request, {side}", median(cost), None, "µs") for side, cost in costs.items()]
    return rows
