"""
A service that behaves as the API does, on made-up visitors: for trying things, for tests, and as the oracle of this
package's own.

Its figures are counted from single events, so those of every endpoint agree. It enforces tokens, scope, parameters and
limits with the article's status codes and empty error bodies. Tokens: "sandbox" (all Pro organisations),
"sandbox-basic", "sandbox-mixed", "sandbox-narrow" (location 124 only).

So that a client can be tried on a service that is not as documented, `deviations` names ways to answer otherwise than
asked, out of `DEVIATIONS`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from ..settings import check, is_at_least, is_plain_function
from .aggregation import World
from .app import HOLD, Faults, Recorded, Sandbox
from .deviations import DEVIATIONS, Deviation

if TYPE_CHECKING:
    import httpx
    import uvicorn

__all__ = [
    "DEVIATIONS",
    "HOLD",
    "Deviation",
    "Faults",
    "Recorded",
    "Sandbox",
    "World",
    "app",
    "serve",
    "serving",
    "transport",
]


def app(
    world: World | None = None,
    *,
    latency_s: float = 0.0,
    faults: Faults | None = None,
    deviations: Iterable[str] = (),
) -> Sandbox:
    """
    Make the ASGI application; raises ValueError for a deviation that there is not.

    Args:
        world: the visitors; else a `World()`, whose days end now.
        latency_s: seconds that each answer waits for.
        faults: what goes wrong on purpose; else nothing does.
        deviations: names of `DEVIATIONS`, ways to answer otherwise than asked.
    """
    return Sandbox(world, latency_s=latency_s, faults=faults, deviations=deviations)


def transport(
    world: World | Sandbox | None = None,
    *,
    latency_s: float = 0.0,
    faults: Faults | None = None,
    deviations: Iterable[str] = (),
) -> httpx.AsyncBaseTransport:
    """
    Run the application in process: ``AsyncIndivd(token="sandbox", transport=sandbox.transport())``.

    An application that was made before answers as it was made: the other arguments are for a new one, as in `app`.
    """
    import httpx

    if not isinstance(world, Sandbox):
        world = app(world, latency_s=latency_s, faults=faults, deviations=deviations)
    elif latency_s or faults or deviations:
        raise ValueError("the application was made already: give latency_s, faults and deviations to sandbox.app()")
    return httpx.ASGITransport(world)


def serve(host: str = "127.0.0.1", port: int = 8765, *, application: Sandbox | None = None) -> None:
    """Serve *application*, else a new one, at *host* and *port* until interrupted."""
    server = _server(application or app())
    with suppress(KeyboardInterrupt):
        server.run([listen(host, port)[0]])


@asynccontextmanager
async def serving(
    application: Callable[..., Any] | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """
    Serve *application*, else a new one, from a thread of its own at *host*, on a free port unless *port* is given;
    yield its base URL.

    The thread has an event loop of its own, so the caller may be on asyncio or trio. Raises OSError where it cannot
    listen.
    """
    if application is not None:
        check("application", application, (is_application, "an ASGI application, such as that of `sandbox.app()`"))
    server = _server(application or app())
    listener, url = listen(host, port)
    thread = threading.Thread(target=server.run, args=([listener],), name="indivd-sandbox", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():  # noqa: ASYNC110  an event of the other loop's serves neither
            await anyio.sleep(0.005)
        yield url
    finally:
        server.should_exit = True
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(thread.join)
        listener.close()  # which the server does, if it came to serve


def is_application(value: object) -> bool:
    """Tell whether *value* may be an ASGI application: an object or a function that is called and awaited."""
    return callable(value) and (isinstance(value, type) or not is_plain_function(value))


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Listen on *host* and *port*, 0 for a free one; return the socket and the base URL. Raises OSError."""
    check("host", host, (lambda value: isinstance(value, str) and value.isprintable(), "a str, such as '127.0.0.1'"))
    check("port", port, (lambda value: is_at_least(0)[0](value) and value < 65_536, "a port, from 0 for a free one"))
    is_ipv6 = ":" in host
    listener = socket.create_server((host, port), family=socket.AF_INET6 if is_ipv6 else socket.AF_INET)
    return listener, f"http://{f'[{host}]' if is_ipv6 else host}:{listener.getsockname()[1]}"


def _server(application: Callable[..., Any]) -> uvicorn.Server:
    try:
        import uvicorn
    except ImportError as error:
        raise ImportError('serving the sandbox needs uvicorn: pip install "indivd-async[sandbox]"') from error

    # Held requests would hold the server, too: it ends a second after it is told to.
    config = uvicorn.Config(
        application, log_config=None, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    return uvicorn.Server(config)
