"""
The default lanes: one connection of httpcore's each.

Kept apart from `_transport` because importing httpcore is slow, and done when the first lane is made.
"""

from __future__ import annotations

import anyio
import httpcore

from ._transport import (
    CLOSING_S,
    BaseURL,
    Fault,
    Reply,
    SharedContext,
    Token,
    cut_tracebacks,
    read_reply,
    request_headers,
    timeout_extension,
)
from .errors import ConnectionFailedError, RequestTimeoutError
from .settings import Timeouts

#: Seconds; shorter than the idle timeout of the usual load balancers (60 s and more), long enough for a pause between two queries.
_KEEPALIVE_S = 30.0

_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
_UNKNOWN = object()


class ConnectionLane:
    """A lane that makes its connection when it is used, and a new one whenever the old one is doubtful."""

    __slots__ = ("_certificates", "_connection", "_headers", "_host", "_max_bytes", "_port", "_prefix", "_scheme")

    def __init__(self, base_url: BaseURL, token: Token, max_bytes: int, certificates: SharedContext) -> None:
        self._scheme = base_url.scheme.encode("ascii")
        self._host = base_url.host.encode("ascii")
        self._port = base_url.port
        self._prefix = base_url.prefix.encode("ascii")
        self._headers = request_headers(base_url, token)
        self._max_bytes = max_bytes
        self._certificates = certificates
        self._connection: httpcore.AsyncHTTPConnection | None = None

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        request = httpcore.Request(
            "GET",
            httpcore.URL(scheme=self._scheme, host=self._host, port=self._port, target=self._prefix + target),
            headers=self._headers,
            extensions={"timeout": timeout_extension(timeouts)},
        )
        connection = self._connection
        if connection is not None and connection.has_expired():
            await self.aclose()
            connection = None
        if connection is None:
            connection = self._connection = self._connect()
        usable = False
        try:
            with anyio.move_on_after(limit_s) as scope:
                response = await connection.handle_async_request(request)
                reply = await read_reply(response.status, response.headers, response.stream, self._max_bytes)
                await response.aclose()
                usable = _is_clean(connection)
            if scope.cancelled_caught:
                raise Fault(RequestTimeoutError, f"the answer was not there after {limit_s:.3g} s")
            return reply
        except _ERRORS as error:
            cut_tracebacks(error)
            kind = RequestTimeoutError if isinstance(error, httpcore.TimeoutException) else ConnectionFailedError
            raise Fault(kind, str(error) or type(error).__name__) from error
        finally:
            if not usable:
                await self.aclose()

    def _connect(self) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(
            httpcore.Origin(self._scheme, self._host, self._port),
            ssl_context=self._certificates.get() if self._scheme == b"https" else None,
            keepalive_expiry=_KEEPALIVE_S,
        )

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await connection.aclose()


def _is_clean(connection: httpcore.AsyncHTTPConnection) -> bool:
    """
    Tell whether the connection may carry another request: idle, and nothing received beyond the answer.

    A second response in the same segment would be taken for the answer to the next request. Only h11 knows of it, behind private attributes: where
    they are missing the connection is not used again.
    """
    inner = getattr(connection, "_connection", _UNKNOWN)
    if inner is None:
        # Never connected: the request was answered by a mock.
        return True
    protocol = getattr(inner, "_h11_state", None)
    return connection.is_idle() and protocol is not None and protocol.trailing_data == (b"", False)
