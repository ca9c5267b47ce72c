"""What a call costs more where it blocks: into the thread of the event loop and back."""

from __future__ import annotations

import statistics
import time
from typing import Any

from indivd_async import AsyncIndivd, ZoneVisitors
from indivd_async.blocking import Indivd

from .measuring import Row, row
from .server import serving

_QUERY = ZoneVisitors("2015-01-01", "2015-01-01", aggregate_by="year,month,dayofmonth", tz="UTC")


def main(quick: bool) -> list[Row]:
    turns, calls = (3, 100) if quick else (15, 300)
    added = []
    with serving() as url, Indivd("a-token", base_url=url) as client:
        client.fetch(_QUERY)
        # In turns, because the machine is not equally fast all the time: neighbours in time are compared.
        for _ in range(turns):
            blocking = _median_us(client, calls)
            added.append(blocking - client._portal.run(_awaited_median_us(client._client, calls)))
    return [row("Blocking client: added to a call of one request", statistics.median(added), 100, "µs")]


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
