"""The lanes of a client: what they are made of, and who gets which."""

from __future__ import annotations

from collections import deque
from contextlib import AsyncExitStack, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import anyio
import attrs
import httpx

from ._transport import BaseURL, HttpxLane, Lane, Token, client_sender, proxy_transport
from .errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import ModuleType

    from .settings import Limits

#: A caller's client queues in its own pool, which scans all that wait in it at every turn; so few are let in at once.
_INJECTED_AT_ONCE = 20


@attrs.frozen(kw_only=True)
class LanePlan:
    """How many lanes there may be, and how one is made."""

    count: int
    make: Callable[[], Lane]


class SharedContext:
    """The TLS settings of all lanes, made when the first one connects: the certificates take tens of milliseconds."""

    __slots__ = ("_context",)

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context

    def get(self) -> ssl.SSLContext:
        """Return the caller's context, or the one that trusts certifi's authorities; it offers HTTP/1.1 only."""
        if self._context is None:
            self._context = httpx.create_ssl_context(trust_env=False)
        self._context.set_alpn_protocols(["http/1.1"])
        return self._context


def plan_lanes(
    base_url: BaseURL,
    token: Token,
    limits: Limits,
    *,
    http_client: httpx.AsyncClient | None = None,
    transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None = None,
    proxy: str | httpx.URL | httpx.Proxy | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> LanePlan:
    """Choose lanes by the options of a client; nothing is connected or read yet."""
    injected = transport if transport != "aiohttp" or http_client is not None else None
    _check_combination(http_client=http_client, transport=injected, proxy=proxy, ssl_context=ssl_context)
    size = limits.max_response_bytes
    if http_client is not None:
        if not isinstance(http_client, httpx.AsyncClient):
            raise ConfigError(f"{{http_client}} must be an httpx.AsyncClient, got {type(http_client).__name__}")
        send = client_sender(http_client)
        count = min(_INJECTED_AT_ONCE, limits.concurrency)
        return LanePlan(count=count, make=lambda: HttpxLane(send, base_url, token, size))
    if injected is not None:
        if not isinstance(injected, httpx.AsyncBaseTransport):
            got = repr(injected) if isinstance(injected, str) else type(injected).__name__
            raise ConfigError(f'transport must be an httpx.AsyncBaseTransport or "aiohttp", got {got}')
        handle = injected.handle_async_request
        return LanePlan(count=limits.concurrency, make=lambda: HttpxLane(handle, base_url, token, size))
    context = SharedContext(ssl_context)
    address = None if proxy is None else _read_proxy(proxy)
    if transport == "aiohttp":
        return LanePlan(
            count=limits.concurrency, make=_import_aiohttp().make_lanes(base_url, token, size, context.get, address)
        )
    if address is not None:
        if address.url.scheme.startswith("socks") and find_spec("socksio") is None:
            raise ConfigError("a SOCKS proxy needs the package socksio: pip install 'httpx[socks]'")

        def make_proxy_lane() -> Lane:
            own = proxy_transport(address, context.get())
            return HttpxLane(own.handle_async_request, base_url, token, size, own)

        return LanePlan(count=limits.concurrency, make=make_proxy_lane)

    # Not above, because httpcore takes long to import and not every client needs it; nor when the first lane is made,
    # because that would hold up the loop.
    from ._connections import ConnectionLane

    return LanePlan(count=limits.concurrency, make=lambda: ConnectionLane(base_url, token, size, context.get))


def _import_aiohttp() -> ModuleType:
    try:
        from . import _aiohttp
    except ImportError as error:
        advice = "pip install 'indivd-async[aiohttp]'"
        raise ConfigError(f'transport="aiohttp" needs the extra `aiohttp`: {advice}') from error
    return _aiohttp


def _check_combination(**options: Any) -> None:
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1 and given != ["proxy", "ssl_context"]:
        raise ConfigError(f"{' and '.join(given)} cannot be combined: each of them decides how requests are sent")


def _read_proxy(proxy: str | httpx.URL | httpx.Proxy) -> httpx.Proxy:
    if isinstance(proxy, httpx.Proxy):
        return proxy
    with suppress(ValueError, TypeError, httpx.InvalidURL):
        return httpx.Proxy(proxy)
    # It may hold a password, so neither it nor what was said of it is shown.
    raise ConfigError("{proxy} must be a URL such as 'http://host:port' or 'socks5://host:port'")


class _Waiter:
    __slots__ = ("event", "lane")

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.lane: Lane | None = None


class LanePool:
    """
    Lanes, made when they are needed; the last used serves next, whoever has waited longest is served first.

    A lane is idle, or borrowed, or on its way to a waiter, and none is ever lost. While anyone waits no lane is idle,
    so that nobody overtakes.
    """

    __slots__ = ("_idle", "_made", "_plan", "_waiters", "closed")

    def __init__(self, plan: LanePlan) -> None:
        self._plan = plan
        self._made: list[Lane] = []
        self._idle: list[Lane] = []
        self._waiters: deque[_Waiter] = deque()
        self.closed = False

    def take(self) -> Lane | None:
        """Borrow a lane, if one is free."""
        if self._idle:
            return self._idle.pop()
        if len(self._made) < self._plan.count:
            lane = self._plan.make()
            self._made.append(lane)
            return lane
        return None

    async def wait(self, limit_s: float | None) -> Lane | None:
        """Wait for a lane; None when none was free within *limit_s* seconds, or the pool was closed."""
        waiter = _Waiter()
        self._waiters.append(waiter)
        try:
            with anyio.move_on_after(limit_s):
                await waiter.event.wait()
        except BaseException:
            if waiter.lane is not None:
                self.give_back(waiter.lane)
            raise
        finally:
            if not waiter.event.is_set():
                self._waiters.remove(waiter)
        return waiter.lane

    def give_back(self, lane: Lane) -> None:
        """Hand the lane to whoever has waited longest."""
        if self._waiters:
            waiter = self._waiters.popleft()
            waiter.lane = lane
            waiter.event.set()
        else:
            self._idle.append(lane)

    async def aclose(self) -> None:
        """Close all lanes, whatever interrupts it, and send all waiters away."""
        self.closed = True
        while self._waiters:
            self._waiters.popleft().event.set()
        async with AsyncExitStack() as stack:
            for lane in self._made:
                stack.push_async_callback(lane.aclose)
