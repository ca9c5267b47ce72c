"""What a call costs more where it blocks, in the main thread, whose signals are held meanwhile, and in another."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from indivd_async import AsyncIndivd, ZoneVisitors
from indivd_async.blocking import Indivd

from .measuring import Row, row
from .server import serving

_QUERY = ZoneVisitors("2015-01-01", "2015-01-01", aggregate_by="year,month,dayofmonth", tz="UTC")


def main(quick: bool) -> list[Row]:
    turns, calls = (3, 100) if quick else (15, 300)
    with serving() as url, ThreadPoolExecutor(1) as pool:
        here = _added_us(url, turns, calls)
        there = pool.submit(_added_us, url, turns, calls).result()
    return [
        row("Blocking client: added to a call of one request", here, 100, "µs"),
        row("… in another thread than the main one", there, 100, "µs"),
    ]


def _added_us(url: str, turns: int, calls: int) -> float:
    added = []
    with Indivd("a-token", base_url=url) as client:
        client.fetch(_QUERY)
        # In turns, because the machine is not equally fast all the time: neighbours in time are compared.
        for _ in range(turns):
            blocking = _median_us(client, calls)
            added.append(blocking - client._portal.run(lambda: _awaited_median_us(client._client, calls)))
    return statistics.median(added)


def _median_us(client: Any, calls: int) -> float:
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        client.fetch(_QUERY)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


async def _awaited_median_us(client: AsyncIndivd, calls: int) -> float:
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        await client.fetch(_QUERY)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6
