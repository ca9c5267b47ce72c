"""
Lanes over aiohttp, an extra for those on asyncio who have it at work already.

Only aiohttp's documented surface is used. What it would do by itself is switched off: retries, which would pass our
budget by, redirects, cookies, decoding, the environment. A module of its own, because aiohttp may not be there.
"""

from __future__ import annotations

import math
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import yarl

from ._network import is_readable
from ._replies import Fault, Reply, read_reply, refusal
from ._transport import CLOSING_S, BaseURL, Lane, Token, cut_tracebacks, is_on_trio, request_headers, words_of
from .errors import ConfigError, ConnectionFailedError, RequestTimeoutError

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable

    import httpx

    from .settings import Timeouts

#: Seconds, as for the lanes over httpcore.
_KEEPALIVE_S = 30.0
#: Of an answer: with the longest that aiohttp takes of each, 16 MB at most.
_MOST_HEADERS = 2_000


class _Broken(Exception):
    """An exchange that aiohttp would try again by itself, were the error its own."""


async def _never_again(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Hide a broken connection from aiohttp, which would send the request a second time, unasked and uncounted."""
    try:
        return await handler(request)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise _Broken from error


class _Connector(aiohttp.TCPConnector):
    """One connection, looked at before it is used again."""

    #: Whether the connection that was handed out last had served before.
    reused = False
    #: Whether to connect anew, whatever the connection looks like.
    doubtful = False
    _served: object = None

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        assert protocol is not None
        self.reused = protocol is self._served
        # Bytes that nobody asked for would be taken for the answer. From here to the writing of the request nothing
        # waits: bytes that come later are the answer's.
        if self.reused and (self.doubtful or protocol.should_close or _has_bytes(protocol.transport)):
            connection.close()
            connection = await super().connect(req, traces, timeout)
            protocol, self.reused = connection.protocol, False
        self._served, self.doubtful = protocol, False
        return connection


def make_lanes(
    base_url: BaseURL, token: Token, max_bytes: int, context: Callable[[], ssl.SSLContext], proxy: httpx.Proxy | None
) -> Callable[[], Lane]:
    """Return what makes a lane; ConfigError for a proxy that aiohttp cannot use."""
    if proxy is not None and proxy.url.scheme not in {"http", "https"}:
        raise ConfigError(f'transport="aiohttp" takes http and https proxies only, not {proxy.url.scheme}')
    secure = base_url.scheme == "https" or (proxy is not None and proxy.url.scheme == "https")
    return lambda: AiohttpLane(base_url, token, max_bytes, context() if secure else True, proxy)


class AiohttpLane:
    """A lane of one connection; aiohttp makes it when it is used, and again where it was closed."""

    __slots__ = ("_base", "_closed", "_connector", "_headers", "_max_bytes", "_proxy", "_refusal", "_scope", "_session")

    def __init__(
        self,
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
        context: ssl.SSLContext | bool,
        proxy: httpx.Proxy | None,
    ) -> None:
        if is_on_trio():
            raise ConfigError('transport="aiohttp" works on asyncio only; leave it out to use the client on trio')
        self._base = str(base_url)
        self._max_bytes = max_bytes
        # Not given to the session: it would send its headers, token and all, to a proxy as well.
        self._headers = [(name.decode(), value) for name, value in request_headers(base_url, token)]
        self._proxy = proxy
        self._connector = _Connector(limit=1, keepalive_timeout=_KEEPALIVE_S, ssl=context)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_headers=_MOST_HEADERS,
            middlewares=(_never_again,),
        )
        self._closed = False
        self._scope: anyio.CancelScope | None = None
        #: The status of an answer that is not 200, and holds whatever becomes of its body.
        self._refusal: Reply | None = None

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        self._refusal = None
        with anyio.move_on_after(limit_s) as self._scope:
            try:
                return await self._exchange(target, timeouts)
            except (_Broken, aiohttp.ClientError, OSError, UnicodeError) as error:
                cut_tracebacks(error)
                fault = self._fault(error, timeouts)
            except BaseException as error:
                if not isinstance(error, Exception):
                    cut_tracebacks(error)
                raise
            raise fault  # out here, where the error is not its context: it may hold the headers of the request
        if self._closed:
            raise Fault(ConnectionFailedError, "the lane was closed", retried=False)
        if self._refusal is not None:
            return self._refusal
        raise Fault(RequestTimeoutError, f"the answer was not whole after {limit_s:.3g} s")

    async def _exchange(self, target: bytes, timeouts: Timeouts) -> Reply:
        response = await self._session.get(
            yarl.URL(self._base + target.decode("ascii"), encoded=True),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(connect=timeouts.connect, sock_read=timeouts.read, ceil_threshold=math.inf),
            **self._where_to({name: value.decode() for name, value in self._headers}),
        )
        try:
            coding = response.headers.get("Transfer-Encoding", "chunked").lower()
            if coding != "chunked":
                raise Fault(ConnectionFailedError, "the body has a transfer coding that was not asked for")
            if response.status != 200:
                self._refusal = refusal(response.status, response.raw_headers)
            return await read_reply(response.status, response.raw_headers, response.content.iter_any(), self._max_bytes)
        except Fault:
            self._connector.doubtful = True
            raise
        finally:
            response.close()  # the connection too, unless all of the body has come

    def _where_to(self, headers: dict[str, str]) -> dict[str, Any]:
        """Say who gets which headers: a proxy its own with CONNECT, else its password among those of the request."""
        proxy = self._proxy
        if proxy is None:
            return {"headers": headers}
        own = dict(proxy.headers)
        if proxy.raw_auth is not None:
            reader = own if self._base.startswith("https:") else headers
            reader["Proxy-Authorization"] = "Basic " + b64encode(b":".join(proxy.raw_auth)).decode("ascii")
        return {"headers": headers, "proxy": str(proxy.url), "proxy_headers": own}

    def _fault(self, error: BaseException, timeouts: Timeouts) -> Fault:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            reason = f"there was no connection after {timeouts.connect:g} s (Timeouts.connect)"
            fault = Fault(RequestTimeoutError, reason)
        elif isinstance(error, TimeoutError):
            fault = Fault(RequestTimeoutError, f"nothing was received for {timeouts.read:g} s (Timeouts.read)")
        elif isinstance(error, aiohttp.ClientResponseError):
            # Not chained, because it holds the request with its headers; its lines below the first hold what came.
            words = error.message.partition("\n")[0].rstrip(":")
            return Fault(ConnectionFailedError, f"not an answer in HTTP: {words}")
        else:
            error = error.__cause__ if isinstance(error, _Broken) and error.__cause__ else error
            stale = self._connector.reused and _came_to_nothing(error)
            is_end = isinstance(error, aiohttp.ServerDisconnectedError)
            reason = "the server disconnected without an answer" if is_end else words_of(error)
            fault = Fault(ConnectionFailedError, reason, stale=stale)
        fault.__cause__ = error
        return fault

    async def aclose(self) -> None:
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()
        with anyio.move_on_after(CLOSING_S, shield=True):
            await self._session.close()


def _has_bytes(transport: asyncio.Transport | None) -> bool:
    """Tell whether something came, or the end, that the loop has not seen yet."""
    return transport is None or is_readable(transport.get_extra_info("socket"))


def _came_to_nothing(error: BaseException) -> bool:
    """Tell whether the connection ended before a byte of the answer; a reset may have come later, nobody knows."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)  # else the beginning of an answer
    return isinstance(error, aiohttp.ClientOSError) and not isinstance(error, aiohttp.ClientConnectorError)
