"""
What an outage costs the service: attempts for each request, at every rate of failure.

Told beside it, what the same policy costs without its budget. The clock is moved by sleeping only.
"""

from __future__ import annotations

import random

import anyio
import httpx

from indivd_async.errors import IndivdError
from indivd_async.execution import Executor
from indivd_async.planning import PlannedRequest
from indivd_async.settings import Limits, RetryPolicy, Timeouts

from .measuring import Row, row
from .sending import make_executor, send_each

_RATES = (0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)
#: Of these, what it would be without a budget.
_TOLD = (10, 100)
#: A blip that the budget must save whole: so many calls, each of which fails once.
_BLIP = 64


def main(quick: bool) -> list[Row]:
    count = 1_000 if quick else 20_000
    rows = []
    for rate in _RATES:
        attempts, unanswered = anyio.run(_ask, rate / 100, count, RetryPolicy())
        rows.append(
            row(
                f"attempts beyond the first 100 retries, a request, {rate} % fail",
                max(0, attempts - 100) / count,
                1.10,
                "attempts",
                unanswered=unanswered / count,
            )
        )
        if rate in _TOLD:
            attempts, unanswered = anyio.run(_ask, rate / 100, count, RetryPolicy(retry_cost=0))
            without = f"attempts a request without a budget, {rate} % fail"
            rows.append(row(without, attempts / count, None, "attempts", unanswered=unanswered / count))
    rows.append(row(f"calls lost of {_BLIP} that all fail once", anyio.run(_blip), 0, "calls"))
    return rows


async def _ask(rate: float, count: int, policy: RetryPolicy) -> tuple[int, int]:
    """Ask so often of a service that fails at that rate; the attempts it saw, and the calls without an answer."""
    dice = random.Random(count)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503 if dice.random() < rate else 200, content=b"[]")

    executor = _make_executor(answer, policy)
    unanswered = 0

    async def ask(number: int) -> None:
        nonlocal unanswered
        try:
            await executor.send(PlannedRequest(index=number, endpoint="outage", path="/"))
        except IndivdError:
            unanswered += 1

    await send_each(executor, range(count), ask, workers=32)
    return executor.stats.attempts, unanswered


async def _blip() -> int:
    failed: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        is_first = request.url.path not in failed
        failed.add(request.url.path)
        return httpx.Response(503 if is_first else 200, content=b"[]")

    executor = _make_executor(answer, RetryPolicy())
    lost = 0

    async def ask(number: int) -> None:
        nonlocal lost
        try:
            await executor.send(PlannedRequest(index=number, endpoint="outage", path=f"/{number}"))
        except IndivdError:
            lost += 1

    await send_each(executor, range(_BLIP), ask, workers=_BLIP)
    return lost


def _make_executor(answer: object, policy: RetryPolicy) -> Executor:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        await anyio.lowlevel.checkpoint()

    return make_executor(
        "https://api.invalid",
        timeouts=Timeouts(deadline=None),
        retry=policy,
        limits=Limits(),
        transport=httpx.MockTransport(answer),
        clock=lambda: now,
        sleep=sleep,
        random=random.Random(1).random,
    )
