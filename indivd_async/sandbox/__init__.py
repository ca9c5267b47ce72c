"""
A service that behaves as the API does, on made-up visitors: for trying things, for tests, and as the oracle of this package's own.

Its figures are counted from single events, so those of every endpoint agree. It enforces tokens, scope, parameters and limits with the article's status codes and
empty error bodies. Tokens: "sandbox" (all Pro organisations), "sandbox-basic", "sandbox-mixed", "sandbox-narrow" (location 124 only).
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from .aggregation import World
from .app import Faults, Recorded, Sandbox

if TYPE_CHECKING:
    import httpx

__all__ = ["Faults", "Recorded", "Sandbox", "World", "app", "serve", "serving", "transport"]


def app(world: World | None = None, *, latency_s: float = 0.0, faults: Faults | None = None) -> Sandbox:
    """Make the ASGI application."""
    return Sandbox(world, latency_s=latency_s, faults=faults)


def transport(
    world: World | Sandbox | None = None, *, latency_s: float = 0.0, faults: Faults | None = None
) -> httpx.AsyncBaseTransport:
    """Run the application in process: ``AsyncIndivd(token="sandbox", transport=sandbox.transport())``."""
    import httpx

    asgi = world if isinstance(world, Sandbox) else app(world, latency_s=latency_s, faults=faults)
    return httpx.ASGITransport(asgi)


def serve(host: str = "127.0.0.1", port: int = 8765, *, application: Sandbox | None = None) -> None:
    """Serve the application until interrupted."""
    _server(application or app(), host, port).run()


@asynccontextmanager
async def serving(application: Sandbox | None = None, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """
    Serve the application from a thread of its own, on a free port unless one is given, and yield its base URL.

    The thread has an event loop of its own, so the caller may be on asyncio or trio.
    """
    server = _server(application or app(), host, port)
    thread = threading.Thread(target=server.run, name="indivd-sandbox", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise OSError(f"the sandbox could not listen on {host}:{port}")
            await anyio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(thread.join)


def _server(application: Sandbox, host: str, port: int) -> Any:
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError('serving the sandbox needs uvicorn: pip install "indivd-async[sandbox]"') from error

    config = uvicorn.Config(
        application, host=host, port=port, log_level="warning", lifespan="off", timeout_graceful_shutdown=1
    )
    return uvicorn.Server(config)
