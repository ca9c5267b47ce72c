"""CPU time a request, 100 connections, answers of 1 KB: this library against what a user writes with httpx."""

from __future__ import annotations

from .measuring import Row, in_turns, median, ratio, row
from .server import serving

_PEERS = ("httpx", "httpx2", "aiohttp")
_OURS = "indivd_async"


def main(quick: bool) -> list[Row]:
    options = {"lanes": 100, "count": 300 if quick else 2_000, "warm": 200, "hold": True}
    sides = (_OURS, *_PEERS[:1]) if quick else (_OURS, "indivd_async over aiohttp", *_PEERS)
    with serving() as url:
        costs = in_turns({side: {"side": side, **options} for side in sides}, url, 1 if quick else 5)
    rows = [row("1 KB answers: CPU against httpx", ratio(costs[_OURS], costs["httpx"]), 0.30, "ratio")]
    rows += [row(f"1 KB answers: CPU a request, {side}", median(cost), None, "µs") for side, cost in costs.items()]
    return rows
