"""Who shares what with whom while a question is in the air."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from indivd_async import RateLimitedError
from indivd_async.execution import Deadline, SingleFlight

pytestmark = pytest.mark.anyio


async def test_who_has_the_time_waits_where_the_leader_could_not() -> None:
    """A wait that was too long for the leader's deadline ends those who have as little time, and nobody else."""
    flights: SingleFlight[str] = SingleFlight(lambda: 1_000.0)
    gate = anyio.Event()
    ends: dict[str, Any] = {}

    async def short_of_time() -> str:
        await gate.wait()
        raise RateLimitedError("wait", status=429, retry_after=5, out_of_time=True)

    async def patient() -> str:
        return "answered"

    async def call(name: str, ask: Any, has_time: bool) -> None:
        try:
            ends[name] = await flights.fly("key", ask, Deadline(1_006.0 if has_time else 1_004.0), AssertionError)
        except RateLimitedError as error:
            ends[name] = error

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "leader", short_of_time, False)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(call, "patient", patient, True)
        tasks.start_soon(call, "hurried", patient, False)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert ends["patient"] == "answered"
    assert ends["hurried"].__cause__ is ends["leader"]
