"""
Lanes whose connections aiohttp makes, an extra for those on asyncio who have it at work already.

aiohttp finds the address, with its resolver, speaks to the proxy and shakes hands. What is sent and read over the
connection is the affair of the default lanes: a session of aiohttp's takes three times as long over a request, and the
token need not be known to a second library. A module of its own, because aiohttp may not be there.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import aiohttp
import anyio
import httpcore
import yarl

from ..errors import ConfigError
from .address import BaseURL, SecretBytes, Token
from .direct_lane import ConnectionLane
from .lane import CLOSING_S, Lane, is_on_trio
from .network import AsyncioStream, LaneNetwork

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    import httpx


#: The wait for a connection is bounded outside.
_NO_TIMEOUT = aiohttp.ClientTimeout()


def make_lanes(
    base_url: BaseURL, token: Token, max_bytes: int, context: Callable[[], ssl.SSLContext], proxy: httpx.Proxy | None
) -> Callable[[], Lane]:
    """Return what makes a lane; ConfigError for a proxy that aiohttp cannot use."""
    if proxy is not None and proxy.url.scheme not in {"http", "https"}:
        raise ConfigError(f'transport="aiohttp" takes http and https proxies only, not {proxy.url.scheme}')
    return lambda: AiohttpLane(base_url, token, max_bytes, context, proxy)


class AiohttpLane(ConnectionLane):
    """A lane of one connection at a time, which aiohttp makes."""

    __slots__ = ("_connector", "_proxy", "_url")

    def __init__(
        self,
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
        context: Callable[[], ssl.SSLContext],
        proxy: httpx.Proxy | None,
    ) -> None:
        if is_on_trio():
            raise ConfigError('transport="aiohttp" works on asyncio only; leave it out to use the client on trio')
        is_secure = base_url.scheme == "https"
        # A proxy forwards a plain request, and reads it; for https it makes a tunnel and never sees one.
        forwarding = None if proxy is None or is_secure else _proxy_headers(proxy)
        super().__init__(base_url, token, max_bytes, context, forwarding=forwarding)
        self._proxy = proxy
        self._url = yarl.URL(f"{base_url.scheme}://{base_url.authority}", encoded=True)
        has_tls = is_secure or (proxy is not None and proxy.url.scheme == "https")
        self._connector = aiohttp.TCPConnector(ssl=context() if has_tls else True)

    def _connect(self) -> httpcore.AsyncConnectionInterface:
        return self._engine()

    async def _open(self, timeout: float | None) -> httpcore.AsyncNetworkStream:
        with self._network.connecting(timeout):
            try:
                return _Borrowed(await self._connector.connect(self._question(), [], _NO_TIMEOUT), self._network)
            except aiohttp.ClientHttpProxyError as error:
                reason = f"the proxy made no tunnel: {error.status} {error.message}"
            except aiohttp.ClientResponseError:
                reason = "the proxy's answer is not an answer in HTTP"
            except aiohttp.ServerDisconnectedError:
                reason = "the proxy disconnected without an answer"
            except aiohttp.ClientError as error:
                raise httpcore.ConnectError(str(error) or type(error).__name__) from error
            # Out here, where no error of aiohttp's is its context: some hold the headers for the proxy.
            raise httpcore.ConnectError(reason)

    def _question(self) -> aiohttp.ClientRequest:
        """Say what to connect to, as aiohttp's connectors want it said: a request, which is never sent."""
        proxy = self._proxy
        if proxy is None:
            return aiohttp.ClientRequest("GET", self._url)
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in _proxy_headers(proxy)}
        return aiohttp.ClientRequest("GET", self._url, proxy=yarl.URL(str(proxy.url)), proxy_headers=headers)

    async def aclose(self) -> None:
        await super().aclose()
        with anyio.move_on_after(CLOSING_S, shield=True):
            await self._connector.close()


def _proxy_headers(proxy: httpx.Proxy) -> list[tuple[bytes, bytes]]:
    headers = list(proxy.headers.raw)
    if proxy.raw_auth is not None:
        headers.append((b"Proxy-Authorization", SecretBytes(b"Basic " + b64encode(b":".join(proxy.raw_auth)))))
    return headers


class _Borrowed(AsyncioStream):
    """A connection of aiohttp's, which hears no more of it until it is closed."""

    def __init__(self, connection: aiohttp.connector.Connection, network: LaneNetwork) -> None:
        super().__init__(network)
        self._connection: aiohttp.connector.Connection | None = connection
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None or protocol.should_close:
            connection.close()
            raise httpcore.ConnectError("the connection was closed, or bytes came before the request was sent")
        self.connection_made(transport)
        transport.set_protocol(self)

    def abort(self) -> None:
        # Once: aiohttp closes the transport too, and older ones of asyncio's for TLS cannot be aborted after that.
        connection, self._connection = self._connection, None
        if connection is not None:
            super().abort()
            connection.close()
