"""
CPU time a request, answers of 58 rows decoded into objects: this library against the usual pairs of client and models.

Once with all results held to the end, once with each used and dropped. With results held, most of what pydantic loses
is the garbage collector's work, so neither figure is to be told without the other.
"""

from __future__ import annotations

from .measuring import Row, in_turns, median, ratio, row
from .server import serving

_OURS = "indivd_async"
_SENDER = "indivd_async over aiohttp"
_TARGETS = {
    True: {"httpx + pydantic": 0.20, "aiohttp + pydantic": 0.60, "openai": 0.22},
    False: {"httpx + pydantic": 0.30, "aiohttp + pydantic": 1.0},
}
_WORDS = {True: "58 rows held", False: "58 rows dropped"}


def main(quick: bool) -> list[Row]:
    with serving() as url:
        return [*_compare(url, True, quick), *_compare(url, False, quick)]


def _compare(url: str, hold: bool, quick: bool) -> list[Row]:
    options = {"lanes": 50, "count": 200 if quick else 1_000, "warm": 100, "rows": True, "hold": hold}
    targets = _TARGETS[hold]
    sides = (_OURS, _SENDER, *targets, *(() if quick else ("aiohttp + msgspec",)))
    costs = in_turns({side: {"side": side, **options} for side in sides}, url, 1 if quick else 5)
    words = _WORDS[hold]
    rows = [
        row(f"{words}: CPU against {peer}", ratio(costs[_OURS], costs[peer]), target, "ratio")
        for peer, target in targets.items()
    ]
    if hold:
        against = ratio(costs[_SENDER], costs["aiohttp + pydantic"])
        rows.append(row(f"{words}, over aiohttp: CPU against aiohttp + pydantic", against, 0.40, "ratio"))
    return rows + [row(f"{words}: CPU a request, {side}", median(cost), None, "µs") for side, cost in costs.items()]
