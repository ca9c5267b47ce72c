"""Streams on servers that are told to end: they end well, and in time."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from typing import Any

import anyio
import pytest
import uvicorn
from fastapi import FastAPI
from scripted import Params, Script, visits_by_day
from starlette.middleware.base import BaseHTTPMiddleware

from indivd_async import RetryPolicy, ZoneVisitors
from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, stream_ndjson, streams

pytestmark = pytest.mark.anyio
YEARS = ZoneVisitors("2020-01-01", "2024-12-31", location=124, aggregate_by="dayofmonth", split=1)


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio alone: uvicorn does."""
    return "asyncio"


def application(script: Script, query: ZoneVisitors = YEARS) -> FastAPI:
    """Make an application with one stream."""
    app = FastAPI(lifespan=lifespan(token="a-token", transport=script, retry=RetryPolicy(attempts=1)))
    install_error_handlers(app)

    @app.get("/rows")
    async def rows(client: IndivdDep) -> Any:
        return stream_ndjson(client, query, ordered=True)

    return app


async def visit(app: FastAPI, told_to_end: asyncio.Event, grace: int | None) -> tuple[bytes, list[bytes], bool]:
    """Ask for the rows, have the server told to end, and return head and lines of the answer, and whether it ended."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=grace)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname()[:2])
    writer.write(b"GET /rows HTTP/1.1\r\nHost: app.example\r\n\r\n")
    with anyio.fail_after(30):
        await told_to_end.wait()
        server.handle_exit(signal.SIGINT, None)
        server._captured_signals.clear()  # or it is raised here when the server has ended
        whole = await reader.read()
        await serving
    writer.close()
    head, _, body = whole.partition(b"\r\n\r\n")
    lines = [line for line in body.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"{")]
    return head, lines, body.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("grace", [None, 1])
@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_stream_ends_with_a_line_that_says_why(
    grace: int | None, wrapped: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server has to cancel nothing; the visitor knows that there would have been more."""
    monkeypatch.setattr(streams, "GRACE_S", 0.5)
    told_to_end = asyncio.Event()

    async def answer(path: str, params: Params) -> Any:
        if params["start_date"] >= "2020-02-01":
            told_to_end.set()
            await anyio.sleep_forever()
        return visits_by_day(path, params)

    app = application(Script(answer))
    if wrapped:  # as `@app.middleware("http")` does

        async def pass_on(request: Any, call_next: Any) -> Any:
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    head, lines, ended = await visit(app, told_to_end, grace)
    assert b"200 OK" in head
    assert ended
    assert [json.loads(line)["visits"] for line in lines[:-1]] == [*range(1, 32)]
    last = json.loads(lines[-1])["error"]
    assert (last["status"], last["error"], last["detail"]) == (
        503,
        "ClientClosedError",
        "This application is shutting down.",
    )
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == ["indivd_async"]


async def test_a_stream_that_has_not_begun_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent, so the status can tell."""
    monkeypatch.setattr(streams, "GRACE_S", 0.1)
    told_to_end = asyncio.Event()

    async def answer(path: str, params: Params) -> Any:
        told_to_end.set()
        await anyio.sleep_forever()

    head, _, _ = await visit(application(Script(answer)), told_to_end, 10)
    assert b"503 Service Unavailable" in head
    assert b"application/problem+json" in head


async def test_a_stream_that_is_nearly_done_is_finished() -> None:
    """Within the time of grace it goes on to its own end."""
    told_to_end = asyncio.Event()

    async def answer(path: str, params: Params) -> Any:
        if params["start_date"] == "2025-03-07":
            told_to_end.set()
            await anyio.sleep(0.2)
        return visits_by_day(path, params)

    week = ZoneVisitors("2025-03-01", "2025-03-07", location=124, aggregate_by="dayofmonth", split=1)
    head, lines, ended = await visit(application(Script(answer), week), told_to_end, 60)
    assert b"200 OK" in head
    assert ended
    assert [json.loads(line)["visits"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]


async def test_a_visitor_who_does_not_read_holds_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be sent is given up soon after the time of grace."""
    monkeypatch.setattr(streams, "GRACE_S", 0.1)
    monkeypatch.setattr(streams, "_server_grace_s", lambda: 0.1)
    app = application(Script(visits_by_day))
    started = False

    async def send(message: dict[str, Any]) -> None:
        nonlocal started
        if started:
            await anyio.sleep_forever()
        started = True

    async def receive() -> dict[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": "/rows", "headers": [], "query_string": b""}
    with anyio.fail_after(29):
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)  # type: ignore[arg-type]
    assert started
