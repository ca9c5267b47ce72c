"""
Lanes over aiohttp, an extra for those on asyncio who have it at work already: a session each, of one connection.

Two things are taken from the session: it asks a second time by itself where a connection ended, which is not counted;
and it hands a connection out again whatever came over it meanwhile. A module of its own, because aiohttp may not be
there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import aiohttp
import anyio
import yarl
from aiohttp.client_proto import ResponseHandler

from ..errors import ConfigError, RequestTimeoutError
from .address import Way, bracketed
from .direct_lane import OwnLane
from .lane import CLOSING_S, KEEPALIVE_S, WAITS, Attempt, Wait, connection_failure, is_on_trio
from .network import check_spared, is_readable
from .replies import Draft, Failure, Reply, read_body, tunnel_failure

_MOST_HEAD_BYTES = 100 * 2**10
_MOST_HEADERS = 10_000


class _Connector(aiohttp.TCPConnector):
    """Makes connections, and hands out again only those over which nothing came that nobody asked for."""

    reused = False
    #: Whether it leaves the last file numbers to others.
    spares = True
    #: The connection of the last request; one that is not handed out again.
    last: ResponseHandler | None = None
    distrusted: ResponseHandler | None = None

    async def connect(self, req: Any, traces: Any, timeout: Any) -> aiohttp.connector.Connection:
        while True:
            try:
                connection = await super().connect(req, traces, timeout)
            except aiohttp.ClientHttpProxyError as error:
                raise tunnel_failure(error.status, error.message) from None
            except aiohttp.ClientResponseError:
                raise Failure(reason="the proxy's answer is not an answer in HTTP") from None
            except aiohttp.ServerDisconnectedError:
                raise Failure(reason="the proxy disconnected without an answer") from None
            protocol = connection.protocol
            self.reused, self.last = protocol is self.last, protocol
            assert protocol is not None
            assert connection.transport is not None
            sock = connection.transport.get_extra_info("socket")
            if self.spares and not self.reused:
                try:
                    check_spared(sock)
                except OSError:
                    connection.close()
                    raise
            has_more = protocol.should_close or is_readable(sock)
            if not self.reused or not (has_more or protocol is self.distrusted):
                return connection
            connection.close()


class AiohttpLane(OwnLane):
    ends = (aiohttp.ClientError, Failure, OSError, UnicodeError, TimeoutError)
    #: Errors of aiohttp's hold the request, and the token with it.
    tells_cause = False

    def __init__(self, way: Way) -> None:
        if is_on_trio():
            raise ConfigError('transport="aiohttp" works on asyncio only; leave it out to use the client on trio')
        super().__init__(way)
        base_url, proxy = way.base_url, way.proxy
        # Not as URLs spell it: aiohttp gives the zone of an address to the resolver as it stands.
        self._prefix = f"{base_url.scheme}://{bracketed(base_url.host)}:{base_url.port}{base_url.prefix}"
        is_secure = base_url.scheme == "https"
        self._proxy_headers = way.proxy_headers
        self._headers = way.headers + (self._proxy_headers if way.is_forwarded else [])
        self._options: dict[str, Any] = {"server_hostname": base_url.name} if is_secure else {}
        if proxy is not None:
            host, port = way.proxy_address
            self._options["proxy"] = f"{proxy.url.scheme}://{bracketed(host)}:{port}"
            is_secure = is_secure or proxy.url.scheme == "https"
        self._connector = _Connector(ssl=way.context() if is_secure else True, limit=1, keepalive_timeout=KEEPALIVE_S)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            middlewares=[self._send_once],
            max_line_size=_MOST_HEAD_BYTES,
            max_field_size=_MOST_HEAD_BYTES,
            max_headers=_MOST_HEADERS,
        )

    async def ask(self, target: bytes, attempt: Attempt) -> Reply:
        timeouts = attempt.timeouts
        self._connector.spares = self.spares
        response = await self._session.get(
            yarl.URL(self._prefix + target.decode("ascii"), encoded=True),
            headers=_text(self._headers),
            proxy_headers=_text(self._proxy_headers),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(connect=timeouts.connect, sock_read=timeouts.read, ceil_threshold=math.inf),
            **self._options,
        )
        try:
            codings = response.headers.getall("Transfer-Encoding", ["chunked"])
            if [coding.lower() for coding in codings] != ["chunked"]:
                raise Failure(reason="the answer has an unknown Transfer-Encoding, or several")
            attempt.draft = Draft(response.status, response.raw_headers, self._way.max_bytes)
            reply = await read_body(attempt.draft, response.content.iter_any())
            attempt.is_kept = True
            return reply
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
            raise Failure(reason="the server disconnected without an answer", stale=stale) from None
        except aiohttp.ClientOSError as error:
            raise connection_failure(error, stale=self._connector.reused) from None

    def sort(self, error: Exception, attempt: Attempt) -> Failure:
        if isinstance(error, Failure):
            return error
        if isinstance(error, TimeoutError):
            wait: Wait = "connect" if isinstance(error, aiohttp.ConnectionTimeoutError) else "read"
            return Failure(reason=WAITS[wait].format(getattr(attempt.timeouts, wait)), error=RequestTimeoutError)
        if isinstance(error, aiohttp.ClientResponseError):
            # What it quotes may hold anything, be it the token.
            reason = error.message.partition(": b")[0].splitlines()[0]
            return Failure(reason=f"what came is not HTTP/1.1: {reason}")
        return super().sort(error, attempt)

    async def retire(self) -> None:
        self._connector.distrusted = self._connector.last
        if self._closed:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await self._session.close()


def _text(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in headers}
