"""Requests below the client: executors, and batches as a call sends them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from indivd_async.execution import ChunkStream, Executor
from indivd_async.settings import Limits, RetryPolicy, Timeouts
from indivd_async.transport import Token, parse_base_url, plan_lanes


def make_executor(
    url: str, *, timeouts: Timeouts, retry: RetryPolicy, limits: Limits, transport: Any = None, **options: Any
) -> Executor:
    address = parse_base_url(url)
    lanes = plan_lanes(address, Token("benchmark"), limits, transport=transport)
    return Executor(lanes=lanes, base_url=address, timeouts=timeouts, retry=retry, limits=limits, **options)


async def send_each(
    executor: Executor, items: Iterable[Any], ask: Callable[[Any], Awaitable[object]], *, workers: int
) -> None:
    source = iter(items)

    async def pull() -> Any:
        return next(source, None)

    async def ask_in_turn(item: Any) -> object:
        await executor.ready()
        return await ask(item)

    async with ChunkStream(pull, ask_in_turn, lambda answer: answer, workers=workers) as answers:
        async for _ in answers:
            pass
