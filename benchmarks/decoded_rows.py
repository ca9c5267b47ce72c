"""
CPU time a request, answers of 58 rows decoded: this library against the usual pairs of client and models.

Once with all results held to the end, once with each used and dropped; both over TLS, too; and straight to Arrow. With
results held, most of what pydantic loses is the garbage collector's work, so neither figure is to be told without the
other.
"""

from __future__ import annotations

from typing import Any

from .measuring import Row, in_turns, median, ratio, row
from .server import serving

_OURS = "indivd_async"
_SENDER = "indivd_async over aiohttp"
#: Of which the last asks for all that can be had: nothing is checked but types.
_HELD = {"httpx + pydantic": 0.16, "aiohttp + pydantic": 0.36, "openai": 0.16, "aiohttp + msgspec": 1.8}
_DROPPED = {"httpx + pydantic": 0.14, "aiohttp + pydantic": 0.85, "aiohttp + msgspec": 2.0}


def main(quick: bool) -> list[Row]:
    with serving() as url:
        found = [
            *_compare("58 rows held", url, _HELD, quick, hold=True),
            *_compare("58 rows dropped", url, _DROPPED, quick),
            *_compare(
                "58 rows to Arrow", url, {"aiohttp + msgspec to Arrow": 0.6}, quick, ours="indivd_async to Arrow"
            ),
            *_compare("58 rows held, over aiohttp", url, {"aiohttp + pydantic": 0.40}, quick, ours=_SENDER, hold=True),
        ]
    with serving(tls=True) as url:
        found += _compare("58 rows held, TLS", url, {"aiohttp + pydantic": 0.42}, quick, hold=True)
        found += _compare("58 rows dropped, TLS", url, {"aiohttp + pydantic": 1.0}, quick)
    return found


def _compare(
    words: str, url: str, targets: dict[str, float], quick: bool, *, ours: str = _OURS, hold: bool = False
) -> list[Row]:
    options: dict[str, Any] = {"lanes": 50, "count": 200 if quick else 1_000, "warm": 100, "rows": True, "hold": hold}
    costs = in_turns({side: {"side": side, **options} for side in (ours, *targets)}, url, 1 if quick else 5)
    rows = [
        row(f"{words}: CPU against {peer}", ratio(costs[ours], costs[peer]), target, "ratio")
        for peer, target in targets.items()
    ]
    return rows + [row(f"{words}: CPU a request, {side}", median(cost), None, "µs") for side, cost in costs.items()]
