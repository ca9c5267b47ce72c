"""Cancelling at the k-th await, closing in the middle, and scripts in a process of their own."""

from __future__ import annotations

import asyncio
import os
import types
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import anyio
import pytest
from asking import Question

from indivd_async.errors import ClientClosedError
from indivd_async.execution import Executor

HERE = Path(__file__).parent
#: For scripts in a process of their own.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}


@types.coroutine
def interrupted(coroutine: Coroutine[Any, Any, object], at: int, interrupt: Callable[[], object]) -> Generator[Any]:
    """Run *coroutine* and call *interrupt* when it suspends for the *at*-th time; True if it never did."""
    suspensions = 0
    resume: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731
    while True:
        try:
            wanted = resume()
        except StopIteration:
            return suspensions < at
        suspensions += 1
        if suspensions == at:
            interrupt()
        try:
            value = yield wanted
        except BaseException as error:
            resume = lambda error=error: coroutine.throw(error)  # noqa: E731
        else:
            resume = lambda value=value: coroutine.send(value)  # noqa: E731


async def by_scope(coroutine: Coroutine[Any, Any, object], at: int) -> bool:
    """Cancel as anyio and trio do: the scope stays cancelled."""
    finished = False
    with anyio.CancelScope() as scope:
        finished = await interrupted(coroutine, at, scope.cancel)
    return finished and not scope.cancelled_caught


async def by_task(coroutine: Coroutine[Any, Any, object], at: int) -> bool:
    """Cancel as asyncio does: one CancelledError, once."""

    async def run() -> bool:
        task = asyncio.current_task()
        assert task is not None
        return await interrupted(coroutine, at, task.cancel)

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    return not task.cancelled() and task.result()


async def ends_by_closing(executor: Executor, count: int = 1) -> None:
    """Start *count* calls, close the client when they are all under way, and see each of them end."""
    ended = 0

    async def call() -> None:
        nonlocal ended
        with pytest.raises(ClientClosedError):
            await executor.send(Question())
        ended += 1

    with anyio.fail_after(14):
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(call)
            for _ in range(20):
                await anyio.sleep(0.001)
            assert ended == 0
            await executor.aclose()
    assert ended == count
    assert executor.stats.in_flight == 0
