"""
The default lanes: one connection of httpcore's each.

A module of its own, because importing httpcore is slow and is done when the first lane is made.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import anyio
import httpcore
import httpx

from ._network import LaneNetwork
from ._replies import Fault, Reply, read_reply
from ._transport import (
    CLOSING_S,
    BaseURL,
    Token,
    cut_tracebacks,
    httpx_fault,
    is_on_trio,
    request_headers,
    timeout_extension,
    words_of,
)
from .errors import ConnectionFailedError, RequestTimeoutError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, AsyncIterator, Callable

    from .settings import Timeouts

#: Seconds; within the idle timeout of the usual load balancers (60 s and more), beyond a pause between two queries.
_KEEPALIVE_S = 30.0
_UNKNOWN = object()


class _NoBody:
    """The body of a GET. httpcore's own empty one is sent as a chunk of nothing."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


class ConnectionLane:
    """A lane that connects when it is used, and again whenever its connection is doubtful."""

    __slots__ = ("_connection", "_context", "_headers", "_max_bytes", "_network", "_origin", "_prefix")

    def __init__(self, base_url: BaseURL, token: Token, max_bytes: int, context: Callable[[], ssl.SSLContext]) -> None:
        self._origin = httpcore.Origin(base_url.scheme.encode("ascii"), base_url.host.encode("ascii"), base_url.port)
        self._prefix = base_url.prefix.encode("ascii")
        self._headers = request_headers(base_url, token)
        self._max_bytes = max_bytes
        self._context = context
        self._connection: httpcore.AsyncHTTPConnection | None = None
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
            body = cast("AsyncIterable[bytes]", response.stream)
            reply = await read_reply(response.status, response.headers, body, self._max_bytes)
            await response.aclose()
            usable = _is_clean(connection)
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
        request.stream = _NoBody()
        return request

    def _connect(self) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(
            self._origin,
            ssl_context=self._context() if self._origin.scheme == b"https" else None,
            keepalive_expiry=_KEEPALIVE_S,
            network_backend=self._network,
        )

    def _waited(self, error: httpcore.TimeoutException, timeouts: Timeouts, limit_s: float | None) -> str:
        if self._network.bound_by_end:
            return f"the answer was not whole after {limit_s:.3g} s"
        if isinstance(error, httpcore.ConnectTimeout):
            return f"there was no connection after {timeouts.connect:g} s (Timeouts.connect)"
        return f"nothing was received for {timeouts.read:g} s (Timeouts.read)"

    async def _retire(self, connection: httpcore.AsyncHTTPConnection) -> None:
        if self._connection is connection:
            self._connection = None
        with anyio.move_on_after(CLOSING_S, shield=True):
            await connection.aclose()

    async def aclose(self) -> None:
        self._network.close()
        if self._connection is not None:
            await self._retire(self._connection)


def _is_clean(connection: httpcore.AsyncHTTPConnection) -> bool:
    """
    Tell whether the connection may carry another request: idle, and nothing came beyond the answer.

    A second response in the same segment would be taken for the answer to the next request. Only h11 knows of it,
    behind private attributes: where they are missing, the connection is not used again.
    """
    inner = getattr(connection, "_connection", _UNKNOWN)
    if inner is None:
        # Never connected: a mock gave the answer.
        return True
    protocol = getattr(inner, "_h11_state", None)
    return connection.is_idle() and protocol is not None and protocol.trailing_data == (b"", False)
