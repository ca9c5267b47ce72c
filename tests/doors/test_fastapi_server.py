"""The example application on a real server: visitors who leave, and many at once."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import gc
import json
import logging
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from scripted import Params, Script, visits_by_day
from serving import logged, serving

from indivd_async import RetryPolicy, ZoneVisitors, ZoneVisitorsResult
from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, response_model, stream_ndjson

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio alone: uvicorn does."""
    return "asyncio"


def application(transport: httpx.AsyncBaseTransport) -> FastAPI:
    """Make the application of the README."""
    app = FastAPI(lifespan=lifespan(token="a-token", transport=transport, retry=RetryPolicy(attempts=1)))
    install_error_handlers(app)

    @app.get("/visits", response_model=response_model(ZoneVisitorsResult))
    async def visits(client: IndivdDep, start_date: str, end_date: str) -> Any:
        return await client.zone_visitors(start_date, end_date, location=124, aggregate_by="dayofmonth")

    @app.get("/rows")
    async def rows(client: IndivdDep, start_date: str, end_date: str) -> Any:
        query = ZoneVisitors(start_date, end_date, location=124, aggregate_by="dayofmonth", split=1)
        return stream_ndjson(client, query, ordered=True)

    return app


async def ask(address: tuple[str, int], target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a GET and leave the answer to the caller."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {address[0]}\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def leave(writer: asyncio.StreamWriter) -> None:
    """Close a connection, whatever the other side thinks of it."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.002)


def count_open_files() -> int:
    """Count the descriptors of this process, where that can be told."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


async def test_a_stream_stops_when_its_visitor_leaves() -> None:
    """What is under way upstream is cancelled at once, and what was not asked yet is never asked."""
    waiting = anyio.Event()
    ended = anyio.Event()

    async def answer(path: str, params: Params) -> Any:
        if params["start_date"] == "2025-03-01":
            return visits_by_day(path, params)
        try:
            waiting.set()
            await anyio.sleep_forever()
        finally:
            ended.set()

    script = Script(answer)
    app = application(script)
    async with serving(app) as address:
        reader, writer = await ask(address, "/rows?start_date=2025-03-01&end_date=2025-12-31")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert b"application/x-ndjson" in head
        with anyio.fail_after(14):
            await reader.readline()  # the length of the first piece
            assert json.loads(await reader.readline())["visits"] == 1
            await waiting.wait()
            await leave(writer)
            await ended.wait()
            await until(lambda: script.in_air == 0)
        client = app.state.indivd
        assert client.stats.in_flight == 0
        assert len(script.data) <= 2 * 32 + 1  # those in the air and those waiting for room; 306 were planned


async def test_two_hundred_visitors_of_whom_many_leave(caplog: pytest.LogCaptureFixture) -> None:
    """Who stays gets an answer; upstream requests are fewer than callers; nothing is logged, nothing left behind."""
    caplog.set_level(logging.WARNING)
    unhandled: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    chance = random.Random(8)
    outcomes: collections.Counter[str] = collections.Counter()

    async def answer(path: str, params: Params) -> Any:
        await anyio.sleep(0.005)
        return visits_by_day(path, params)

    async def visit(number: int) -> None:
        last = 10 + number % 5
        path = "rows" if number % 4 == 0 else "visits"
        reader, writer = await ask(address, f"/{path}?start_date=2025-03-01&end_date=2025-03-{last}")
        try:
            if chance.random() < 0.4:
                await asyncio.sleep(chance.random() * 0.05)
                outcomes["left"] += 1
                return
            whole = await reader.read()
        finally:
            await leave(writer)
        assert whole.startswith(b"HTTP/1.1 200 OK"), whole[:200]
        assert whole.count(b'"visits":') == last
        outcomes[path] += 1

    script = Script(answer)
    app = application(script)
    async with serving(app) as address:
        await visit(0)  # a first request opens what stays open: files that the server reads once
        client = app.state.indivd
        asked_before = len(script.asked)
        tasks_before = len(asyncio.all_tasks())
        files_before = count_open_files()
        with anyio.fail_after(30):
            async with anyio.create_task_group() as visitors:
                for number in range(200):
                    visitors.start_soon(visit, number)
            await until(lambda: client.stats.in_flight == 0 and len(asyncio.all_tasks()) <= tasks_before)
        gc.collect()
        assert outcomes["left"] > 40
        assert outcomes["rows"] + outcomes["visits"] > 90
        # 150 callers ask one of five questions; 50 ask for up to 14 pieces each.
        pieces = sum(10 + number % 5 for number in range(0, 200, 4))
        assert len(script.asked) - asked_before < (150 + pieces) / 2
        assert count_open_files() <= files_before
    assert unhandled == []
    assert logged(caplog) == []
