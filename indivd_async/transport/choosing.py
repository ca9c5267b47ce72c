"""Lanes are chosen by the options of a client."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import httpx

from ..errors import ConfigError
from .address import BaseURL, Token
from .httpx_lane import HttpxLane, client_sender, proxy_transport
from .lane import Lane
from .pool import LanePlan

if TYPE_CHECKING:
    import ssl
    from types import ModuleType

    from ..settings import Limits


#: A caller's client queues in its own pool, which scans all that wait in it at every turn; so few are let in at once.
_INJECTED_AT_ONCE = 20


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
    from .direct_lane import ConnectionLane

    return LanePlan(count=limits.concurrency, make=lambda: ConnectionLane(base_url, token, size, context.get))


def _import_aiohttp() -> ModuleType:
    try:
        from . import aiohttp_lane
    except ImportError as error:
        advice = "pip install 'indivd-async[aiohttp]'"
        raise ConfigError(f'transport="aiohttp" needs the extra `aiohttp`: {advice}') from error
    return aiohttp_lane


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
