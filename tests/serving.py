"""An ASGI application on a real server, in the event loop of the test."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """
    Return what was logged, but for what asyncio remarks of its own accord.

    On a busy machine a server may write to who has left several times before it hears of that.
    """
    said = [f"{record.name}: {record.getMessage()}" for record in caplog.records]
    return [line for line in said if line != "asyncio: socket.send() raised exception."]


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[tuple[str, int]]:
    """Serve *app* on a free port of the loopback, and yield host and port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serve = asyncio.create_task(server.serve())
    while not server.started:
        assert not serve.done(), "the server ended before it listened"
        await asyncio.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[:2]
    finally:
        server.should_exit = True
        await serve
