"""
Lanes over aiohttp, an extra for those on asyncio who have it at work already: a session each, of one connection.

Two things are taken from the session: it asks a second time by itself where a connection ended, which is not counted;
and it hands a connection out again whatever came over it meanwhile. A module of its own, because aiohttp may not be
there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import yarl

from ..errors import ConfigError, ConnectionFailedError, RequestTimeoutError
from .address import BaseURL, Token, bracketed, request_headers
from .lane import CLOSING_S, NO_CONNECTION, NOTHING_CAME, Patience, connection_fault, cut_tracebacks, is_on_trio
from .network import is_readable
from .replies import Draft, Fault, Reply, read_body

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler

    from ..settings import Timeouts
    from .network import Proxy

#: Seconds, as for the default lanes.
_KEEPALIVE_S = 30.0
_MOST_HEAD_BYTES = 100 * 2**10
_MOST_HEADERS = 10_000


class _EndedError(Exception):
    """A connection ended, and aiohttp must not ask again by itself."""

    def __init__(self, words: str, *, stale: bool = False) -> None:
        super().__init__(words)
        self.stale = stale


class _Connector(aiohttp.TCPConnector):
    """Makes connections, and hands out again only those over which nothing came that nobody asked for."""

    reused = False
    #: Whether the last answer was whole; where it was not, its connection is not handed out again.
    trusted = False
    _last: ResponseHandler | None = None

    async def connect(self, req: Any, traces: Any, timeout: Any) -> aiohttp.connector.Connection:
        while True:
            try:
                connection = await super().connect(req, traces, timeout)
            except aiohttp.ClientHttpProxyError as error:
                raise _EndedError(f"the proxy made no tunnel: {error.status} {error.message}") from None
            except aiohttp.ClientResponseError:
                raise _EndedError("the proxy's answer is not an answer in HTTP") from None
            except aiohttp.ServerDisconnectedError:
                raise _EndedError("the proxy disconnected without an answer") from None
            protocol = connection.protocol
            self.reused, self._last = protocol is self._last, protocol
            assert protocol is not None
            assert connection.transport is not None
            has_more = protocol.should_close or is_readable(connection.transport.get_extra_info("socket"))
            if not self.reused or (self.trusted and not has_more):
                return connection
            connection.close()


class AiohttpLane:
    """A lane over a session of aiohttp's."""

    __slots__ = (
        "_base",
        "_closed",
        "_connector",
        "_draft",
        "_headers",
        "_max_bytes",
        "_prefix",
        "_proxy",
        "_scope",
        "_session",
    )

    def __init__(
        self,
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
        context: Callable[[], ssl.SSLContext],
        proxy: Proxy | None,
    ) -> None:
        if is_on_trio():
            raise ConfigError('transport="aiohttp" works on asyncio only; leave it out to use the client on trio')
        self._base = base_url
        # Not as URLs spell it: aiohttp gives the zone of an address to the resolver as it stands.
        self._prefix = f"{base_url.scheme}://{bracketed(base_url.host)}:{base_url.port}{base_url.prefix}"
        self._max_bytes = max_bytes
        self._headers = request_headers(base_url, token)
        self._proxy = proxy
        if proxy is not None and base_url.scheme == "http":
            # A proxy forwards a plain request, and reads it; for https it makes a tunnel and never sees one.
            self._headers += proxy.headers
        is_secure = base_url.scheme == "https" or (proxy is not None and proxy.scheme == "https")
        self._connector = _Connector(ssl=context() if is_secure else True, limit=1, keepalive_timeout=_KEEPALIVE_S)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            middlewares=[self._send_once],
            max_line_size=_MOST_HEAD_BYTES,
            max_field_size=_MOST_HEAD_BYTES,
            max_headers=_MOST_HEADERS,
        )
        #: An answer whose head has come.
        self._draft: Draft | None = None
        self._scope: anyio.CancelScope | None = None
        self._closed = False

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        self._draft = None
        patience = Patience(limit_s, anyio.current_time())
        failure: Fault | None = None
        try:
            with patience.scope as self._scope:
                reply = await self._exchange(target, timeouts)
                self._connector.trusted = True
                return reply
        except (TimeoutError, aiohttp.ClientError, _EndedError, OSError, UnicodeError) as error:
            failure = _sort(error, timeouts)
        except BaseException as error:
            if not isinstance(error, Exception):
                cut_tracebacks(error)
            raise
        # Out here, where no error of aiohttp's is its context: they hold the request, and the token with it.
        if self._closed:
            raise Fault(ConnectionFailedError, "the client was closed", retried=False)
        if self._draft is not None and self._draft.status != 200:
            # It holds whatever becomes of its body.
            return self._draft.whole()
        raise failure or patience.fault()

    async def _exchange(self, target: bytes, timeouts: Timeouts) -> Reply:
        proxy = self._proxy
        response = await self._session.get(
            yarl.URL(self._prefix + target.decode("ascii"), encoded=True),
            headers=_text(self._headers),
            allow_redirects=False,
            server_hostname=self._base.name if self._base.scheme == "https" else None,
            proxy=None if proxy is None else f"{proxy.scheme}://{proxy.authority}",
            proxy_headers=None if proxy is None or self._base.scheme == "http" else _text(proxy.headers),
            timeout=aiohttp.ClientTimeout(
                connect=timeouts.connect, sock_read=timeouts.read, ceil_threshold=float("inf")
            ),
        )
        # Whether the connection is used again, the next answer says.
        self._connector.trusted = False
        try:
            if response.headers.getall("Transfer-Encoding", ["chunked"]) != ["chunked"]:
                raise _EndedError("the answer has an unknown Transfer-Encoding, or several")
            self._draft = Draft(response.status, response.raw_headers, self._max_bytes)
            return await read_body(self._draft, response.content.iter_any())
        finally:
            # A connection whose answer was read to its end was given back already.
            response.close()

    async def _send_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except aiohttp.ServerDisconnectedError as error:
            # Where the head had begun to come, that is the message.
            stale = self._connector.reused and isinstance(error.message, str)
            raise _EndedError("the server disconnected without an answer", stale=stale) from None
        except aiohttp.ClientOSError as error:
            raise _EndedError(str(error), stale=self._connector.reused) from None

    async def aclose(self) -> None:
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()
        with anyio.move_on_after(CLOSING_S, shield=True):
            await self._session.close()


def _text(headers: Any) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in headers}


def _sort(error: BaseException, timeouts: Timeouts) -> Fault:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Fault(RequestTimeoutError, NO_CONNECTION.format(timeouts.connect))
    if isinstance(error, asyncio.TimeoutError):
        return Fault(RequestTimeoutError, NOTHING_CAME.format(timeouts.read))
    if isinstance(error, aiohttp.ClientResponseError):
        return Fault(ConnectionFailedError, f"what came is not HTTP/1.1: {error.message.partition(chr(10))[0]}")
    return connection_fault(error, stale=isinstance(error, _EndedError) and error.stale)
