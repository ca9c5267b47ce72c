"""Streams in the hands of a web framework, which closes generators and dependencies late, and in tasks of its own."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import pytest
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from scripted import Params, Script, visits_by_day
from serving import logged, serving
from starlette.middleware.base import BaseHTTPMiddleware

from indivd_async import ZoneVisitors
from indivd_async.fastapi import IndivdDep, lifespan

pytestmark = pytest.mark.anyio
YEAR = ZoneVisitors("2025-01-01", "2025-12-31", location=124, aggregate_by="dayofmonth", split=1)


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio alone: uvicorn does."""
    return "asyncio"


async def visits(client: IndivdDep) -> AsyncIterator[bytes]:
    """Yield a line a chunk."""
    async with client.stream(YEAR, ordered=True) as chunks:
        async for chunk in chunks:
            yield json.dumps(chunk.rows[0].visits).encode() + b"\n"


async def stream_of(client: IndivdDep) -> AsyncIterator[Any]:
    """Hold a stream open for as long as the answer takes."""
    async with client.stream(YEAR, ordered=True) as chunks:
        yield chunks


def application(script: Script, *, wrapped: bool) -> FastAPI:
    """Make an application that streams by the framework's own means."""
    app = FastAPI(lifespan=lifespan(token="a-token", transport=script))

    @app.get("/generator")
    async def by_generator(client: IndivdDep) -> StreamingResponse:
        return StreamingResponse(visits(client), media_type="text/plain")

    @app.get("/dependency")
    async def by_dependency(chunks: Annotated[Any, Depends(stream_of)]) -> list[int]:
        return [(await anext(chunks)).rows[0].visits for _ in range(3)]

    if wrapped:  # as `@app.middleware("http")` does

        async def pass_on(request: Any, call_next: Any) -> Any:
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    return app


async def ask(address: tuple[str, int], path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a GET and leave the answer to the caller."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n".encode())
    return reader, writer


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_visitor_who_leaves_ends_the_stream(wrapped: bool, caplog: pytest.LogCaptureFixture) -> None:
    """What is under way upstream ends; server and loop have nothing to tell; the next visitor is served."""
    caplog.set_level(logging.WARNING)
    unhandled: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))

    async def answer(path: str, params: Params) -> Any:
        if params["start_date"] > "2025-01-05":
            await anyio.sleep_forever()
        return visits_by_day(path, params)

    script = Script(answer)
    app = application(script, wrapped=wrapped)
    async with serving(app) as address:
        for _ in range(2):
            reader, writer = await ask(address, "/generator")
            with anyio.fail_after(60):  # a collection of all that tests hold takes its time
                await reader.readuntil(b"\n5\n")
                writer.close()
                while script.in_air:
                    gc.collect()
                    await anyio.sleep(0.001)
        assert app.state.indivd.stats.in_flight == 0
        assert len(script.data) <= 2 * (2 * 32 + 1)
    assert (unhandled, logged(caplog)) == ([], [])


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_dependency_that_yields_a_stream(wrapped: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The framework closes it after the answer, and everything has ended then."""
    caplog.set_level(logging.WARNING)
    script = Script(visits_by_day)
    app = application(script, wrapped=wrapped)
    async with serving(app) as address:
        for _ in range(2):
            reader, writer = await ask(address, "/dependency")
            with anyio.fail_after(14):
                assert (await reader.read()).endswith(b"[1,2,3]")
                while app.state.indivd.stats.in_flight:  # noqa: ASYNC110
                    await anyio.sleep(0.001)
            writer.close()
    assert logged(caplog) == []
