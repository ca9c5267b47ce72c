"""
What it costs to hold an answer of 58 rows against its question: the share of all that the request costs the client.

Both in one run, over loopback: the CPU time of the whole process, and within it that of the witnesses, clocked around
each call of theirs.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from .measuring import Row, row
from .server import serving
from .sides import SIDES

_LANES = 50
_WARM = 200
_MOST = 0.05


def main(quick: bool) -> list[Row]:
    """Measure, and return the rows of the table."""
    count, repetitions = (300, 3) if quick else (1_500, 9)
    costs = []
    with serving() as url:
        for _ in range(repetitions):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                costs.append(process.submit(_measure, url, count).result())
    share = statistics.median(witnessing / whole for witnessing, whole in costs)
    return [
        row("58 rows: CPU of witnessing ÷ CPU of the whole request", share, _MOST, "ratio"),
        row("58 rows: CPU of witnessing", statistics.median(one for one, _ in costs), None, "µs"),
        row("58 rows: CPU of the whole request", statistics.median(whole for _, whole in costs), None, "µs"),
    ]


def _measure(url: str, count: int) -> tuple[float, float]:
    """Return the microseconds a request that its witnesses cost, and that all of it did."""
    from indivd_async.client import call

    witness, took_ns, calls = call.witness_answer, 0, 0

    def clocked(*args: Any, **kwargs: Any) -> Any:
        nonlocal took_ns, calls
        began = time.thread_time_ns()
        answer = witness(*args, **kwargs)
        took_ns += time.thread_time_ns() - began
        calls += 1
        return answer

    async def run() -> float:
        nonlocal took_ns, calls
        async with SIDES["indivd_async"](url, _LANES, True) as ask:
            await ask(0, _WARM, False)
            took_ns = calls = 0
            began = time.process_time()
            await ask(_WARM, count, False)
            return time.process_time() - began

    call.witness_answer = clocked  # the one place that calls it
    whole_s = asyncio.run(run())
    if calls != count:
        raise RuntimeError(f"{calls} answers were witnessed, {count} asked for")
    return (took_ns / count - _clock_ns()) / 1e3, whole_s / count * 1e6


def _clock_ns() -> float:
    """Return what the clock says of nothing."""
    found = []
    for _ in range(2_000):
        began = time.thread_time_ns()
        found.append(time.thread_time_ns() - began)
    return statistics.median(found)
