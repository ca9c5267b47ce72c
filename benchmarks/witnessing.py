"""
What it costs to hold an answer of 58 rows against its question: the share of all that the request costs.

All in one run, over loopback: the CPU time of the client's process and of the server's, and within the first that of
the witnesses, clocked around each call of theirs.
"""

from __future__ import annotations

import asyncio
import resource
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
    before = _children_s()
    with serving() as url:
        for _ in range(repetitions):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                costs.append(process.submit(_measure, url, count).result())
    # The server has been waited for; what the children took beside the clients is its own.
    server_us = (_children_s() - before - sum(all_s for _, _, all_s in costs)) / repetitions / (count + _WARM) * 1e6
    witnessing, client_us = (statistics.median(cost[place] for cost in costs) for place in (0, 1))
    return [
        row(
            "58 rows: CPU of witnessing ÷ CPU of client and server",
            witnessing / (client_us + server_us),
            _MOST,
            "ratio",
        ),
        row("58 rows: CPU of witnessing ÷ CPU of the client alone", witnessing / client_us, None, "ratio"),
        row("58 rows: CPU of witnessing", witnessing, None, "µs"),
        row("58 rows: CPU of the client", client_us, None, "µs"),
        row("58 rows: CPU of the server", server_us, None, "µs"),
    ]


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(url: str, count: int) -> tuple[float, float, float]:
    """Return the microseconds a request of witnesses and of all, and the seconds of this process from its beginning."""
    from indivd_async import witnessing

    witness, took_ns, calls = witnessing.witness_answer, 0, 0

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

    witnessing.witness_answer = clocked  # before the client imports it, which it does with the first answer
    whole_s = asyncio.run(run())
    if calls != count:
        raise RuntimeError(f"{calls} answers were witnessed, {count} asked for")
    return (took_ns / count - _clock_ns()) / 1e3, whole_s / count * 1e6, time.process_time()


def _clock_ns() -> float:
    """Return what the clock says of nothing."""
    found = []
    for _ in range(2_000):
        began = time.thread_time_ns()
        found.append(time.thread_time_ns() - began)
    return statistics.median(found)
