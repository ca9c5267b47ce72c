"""
The default lanes: one connection of httpcore's each.

A module of its own, because importing httpcore is slow and is left to the clients that need it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import anyio
import httpcore
import httpx

from ..errors import ConnectionFailedError, RequestTimeoutError
from .address import BaseURL, SecretBytes, Token, request_headers
from .http11 import Http11
from .lane import CLOSING_S, cut_tracebacks, httpx_fault, is_on_trio, timeout_extension, words_of
from .network import LaneNetwork
from .replies import Fault, Reply, read_reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, Callable

    from ..settings import Timeouts


#: Seconds; within the idle timeout of the usual load balancers (60 s and more), beyond a pause between two queries.
_KEEPALIVE_S = 30.0


class _NoLock:
    """Stands where httpcore locks a connection: a lane carries one request at a time."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


class ConnectionLane:
    """A lane that connects when it is used, and again whenever its connection is doubtful."""

    __slots__ = ("_connection", "_context", "_head", "_headers", "_max_bytes", "_network", "_origin", "_prefix")

    def __init__(
        self,
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
        context: Callable[[], ssl.SSLContext],
        *,
        forwarding: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        """Keep what is the same for all requests; *forwarding* are headers for a proxy that reads and forwards them."""
        self._origin = httpcore.Origin(base_url.scheme.encode("ascii"), base_url.host.encode("ascii"), base_url.port)
        self._prefix = (base_url.prefix if forwarding is None else str(base_url)).encode("ascii")
        self._headers = request_headers(base_url, token) + (forwarding or [])
        lines = [b"%b: %b\r\n" % header for header in self._headers]
        self._head = SecretBytes(b" HTTP/1.1\r\n%b\r\n" % b"".join(lines))
        self._max_bytes = max_bytes
        self._context = context
        self._connection: httpcore.AsyncConnectionInterface | None = None
        self._network = LaneNetwork(on_trio=is_on_trio())

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        network = self._network
        network.ends = float("inf") if limit_s is None else time.monotonic() + limit_s
        network.received = 0
        connection = self._connection
        if connection is not None and connection.has_expired():
            await self._retire(connection)
            connection = None
        reused = connection is not None
        if connection is None:
            connection = self._connection = self._connect()
        usable = False
        try:
            response = await connection.handle_async_request(self._request(target, timeouts))
            if isinstance(response, Reply):
                usable = connection.is_idle()
                return response
            body = cast("AsyncIterable[bytes]", response.stream)
            reply = await read_reply(response.status, response.headers, body, self._max_bytes)
            await response.aclose()
            # A mock of httpcore answered, and nothing came over the network.
            usable = network.received == 0
            return reply
        except httpcore.TimeoutException as error:
            cut_tracebacks(error)
            raise Fault(RequestTimeoutError, self._waited(error, timeouts, limit_s)) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            cut_tracebacks(error)
            stale = reused and network.received == 0
            raise Fault(ConnectionFailedError, words_of(error), stale=stale) from error
        except httpx.HTTPError as error:
            # Only a mock that stands in for httpcore raises these.
            raise httpx_fault(error) from error
        except BaseException as error:
            if not isinstance(error, Exception):
                cut_tracebacks(error)
            raise
        finally:
            if not usable:
                await self._retire(connection)

    def _request(self, target: bytes, timeouts: Timeouts) -> httpcore.Request:
        origin = self._origin
        url = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=self._prefix + target)
        request = httpcore.Request(b"GET", url, extensions={"timeout": timeout_extension(timeouts)})
        # Past the constructor, which would check and copy what never changes.
        request.headers = self._headers
        return request

    def _connect(self) -> httpcore.AsyncConnectionInterface:
        """
        Make a connection of httpcore's, because mocks replace its method, and put our engine and no lock into it.

        The attributes are private: a release of httpcore that has others goes on with its own engine, each time anew.
        """
        context = self._context() if self._origin.scheme == b"https" else None
        connection = httpcore.AsyncHTTPConnection(self._origin, context, network_backend=self._network)
        if hasattr(connection, "__dict__"):
            vars(connection).update(_connection=self._engine(), _request_lock=_NoLock())
        return connection

    def _engine(self) -> Http11:
        return Http11(self._open, self._headers, self._head, self._max_bytes, _KEEPALIVE_S)

    async def _open(self, timeout: float | None) -> httpcore.AsyncNetworkStream:
        host = self._origin.host.decode("ascii")
        stream = await self._network.connect_tcp(host, self._origin.port, timeout)
        if self._origin.scheme == b"http":
            return stream
        return await stream.start_tls(self._context(), host, timeout)

    def _waited(self, error: httpcore.TimeoutException, timeouts: Timeouts, limit_s: float | None) -> str:
        if self._network.bound_by_end:
            return f"the answer was not whole after {limit_s:.3g} s"
        if isinstance(error, httpcore.ConnectTimeout):
            return f"there was no connection after {timeouts.connect:g} s (Timeouts.connect)"
        return f"nothing was received for {timeouts.read:g} s (Timeouts.read)"

    async def _retire(self, connection: httpcore.AsyncConnectionInterface) -> None:
        if self._connection is connection:
            self._connection = None
        with anyio.move_on_after(CLOSING_S, shield=True):
            await connection.aclose()

    async def aclose(self) -> None:
        self._network.close()
        if self._connection is not None:
            await self._retire(self._connection)
