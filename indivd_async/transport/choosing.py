"""What the lanes of a client are made of, by its options."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal, Union

import attrs

from ..errors import ConfigError
from ..wording import literally
from .address import BaseURL, Token, Way, hide, is_host
from .pool import LanePool

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import ModuleType

    import httpx
    import httpx2

    from ..settings import Limits
    from .lane import Lane

#: What callers may inject; httpx2's only where somebody has it.
HttpClient = Union["httpx.AsyncClient", "httpx2.AsyncClient"]
HttpTransport = Union["httpx.AsyncBaseTransport", "httpx2.AsyncBaseTransport"]
#: A caller's client queues in its own pool, which scans all that wait in it at every turn; so few are let in at once.
_INJECTED_AT_ONCE = 20
#: Both have the same surface, and neither takes the other's requests.
_LIBRARIES = ("httpx", "httpx2")


def plan_lanes(
    base_url: BaseURL,
    token: Token,
    limits: Limits,
    *,
    http_client: HttpClient | None = None,
    transport: HttpTransport | Literal["aiohttp"] | None = None,
    proxy: str | httpx.URL | httpx.Proxy | None = None,
    ssl_context: ssl.SSLContext | None = None,
    trust_env: bool = False,
) -> LanePool:
    """Choose lanes by the options of a client; nothing is connected or read yet."""
    injected = transport if transport != "aiohttp" or http_client is not None else None
    options = {"http_client": http_client, "transport": injected, "proxy": proxy, "ssl_context": ssl_context}
    given = [name for name, value in {**options, "trust_env": trust_env or None}.items() if value is not None]
    if len(given) > 1 and given[0] in {"http_client", "transport"}:
        raise ConfigError(f"{' and '.join(given)} cannot be combined: each of them decides how requests are sent")
    most = limits.max_response_bytes
    way = Way(base_url=base_url, token=token, max_bytes=most, ssl_context=ssl_context, trust_env=trust_env)
    count = limits.concurrency
    make: Callable[[], Lane]
    if http_client is not None:
        from .httpx_lane import HttpxLane, client_sender

        library = _library_of(http_client, "AsyncClient", "{http_client} must be an AsyncClient of httpx or httpx2")
        make = partial(HttpxLane, library, client_sender(http_client), way)
        count = min(_INJECTED_AT_ONCE, count)
    elif injected is not None:
        from .httpx_lane import HttpxLane, transport_sender

        what = 'transport must be an AsyncBaseTransport of httpx or httpx2, or "aiohttp"'
        library = _library_of(injected, "AsyncBaseTransport", what)
        make = partial(HttpxLane, library, transport_sender(injected), way)
    else:
        if proxy is None and trust_env:
            proxy = hide(_environment_proxy(base_url))
        if proxy is not None:
            way = attrs.evolve(way, proxy=_read_proxy(proxy))
        if trust_env and ssl_context is None and os.environ.get("SSL_CERT_FILE"):
            try:
                way.context()
            except OSError as error:
                raise ConfigError(f"SSL_CERT_FILE names no certificate authorities: {literally(str(error))}") from None
        make = partial(_choose_lane(way, over_aiohttp=transport == "aiohttp"), way)
    return LanePool(count, make)


def _choose_lane(way: Way, *, over_aiohttp: bool) -> Callable[[Way], Lane]:
    """Return what makes a lane of our own."""
    proxy = way.proxy
    is_socks = proxy is not None and proxy.url.scheme.startswith("socks")
    if over_aiohttp:
        if is_socks or (proxy is not None and proxy.ssl_context is not None):
            raise ConfigError(
                'transport="aiohttp" takes {proxy} only with http and https, and no context of its own; '
                "leave transport out for others"
            )
        try:
            from .aiohttp_lane import AiohttpLane
        except ImportError as error:
            advice = "pip install 'indivd-async[aiohttp]'"
            raise ConfigError(f'transport="aiohttp" needs the extra `aiohttp`: {advice}') from error
        return AiohttpLane
    if not is_socks:
        from .direct_lane import DirectLane  # with TLS streams and the parser, which a client of the caller's replaces

        return DirectLane
    if find_spec("socksio") is None:
        raise ConfigError("a SOCKS proxy needs the package socksio: pip install 'httpx[socks]'")
    from .httpx_lane import SocksLane

    return SocksLane


def _library_of(value: object, kind: str, what: str) -> ModuleType:
    """Return the one of `_LIBRARIES` whose *kind* it is; one that nobody has imported made nothing."""
    for name in _LIBRARIES:
        library = sys.modules.get(name)
        if library is not None and isinstance(value, getattr(library, kind)):
            return library
    raise ConfigError(f"{what}, got {repr(value) if isinstance(value, str) else type(value).__name__}")


def _read_proxy(proxy: str | httpx.URL | httpx.Proxy) -> httpx.Proxy:
    import httpx

    with suppress(ValueError, TypeError, httpx.InvalidURL):
        way = proxy if isinstance(proxy, httpx.Proxy) else httpx.Proxy(proxy)
        port = way.url.port
        if is_host(way.url.raw_host.decode("ascii").replace("%25", "%")) and (port is None or 0 < port < 2**16):
            return way
    # It may hold a password, so neither it nor what was said of it is shown.
    raise ConfigError("{proxy} must be a URL such as 'http://host:port' or 'socks5://host:port'")


def _environment_proxy(base_url: BaseURL) -> str | None:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names for the API, unless NO_PROXY takes it out."""
    import urllib.request

    proxies = urllib.request.getproxies()
    if "no" in proxies:
        is_direct = any(_is_excepted(base_url, one) for one in re.split(r"[,\s]+", proxies["no"].lower()))
    else:  # some systems have exceptions of their own
        is_direct = urllib.request.proxy_bypass(base_url.name)
    if is_direct:
        return None
    found = (proxies.get(base_url.scheme) or proxies.get("all") or "").strip()
    return f"http://{found}" if found and "://" not in found else found or None


def _is_excepted(base_url: BaseURL, entry: str) -> bool:
    """Tell whether *entry* of NO_PROXY is the API: a name and all below it, an address, a network; perhaps a port."""
    scheme, _, there = entry.rpartition("://")
    with_port = re.fullmatch(r"(\[.*\]|[^:]*):([0-9]{1,5})", there)
    there, port = with_port.groups() if with_port else (there, str(base_url.port))
    if scheme not in {"", "all", base_url.scheme} or int(port) != base_url.port:
        return False
    there = there.strip("[]")
    try:
        address = ip_address(base_url.name)
    except ValueError:
        name = there.lstrip("*").strip(".")
        return there == "*" or (name != "" and f".{base_url.name}".endswith(f".{name}"))
    with suppress(ValueError):
        return address in ip_network(there, strict=False)
    return there == "*"
