"""Lanes over whatever of httpx the caller gave, or over a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import httpx

from ..errors import ClientClosedError, ConnectionFailedError, RequestTimeoutError
from .address import BaseURL, Token, request_headers
from .lane import CLOSING_S, cut_tracebacks, httpx_fault, timeout_extension
from .replies import Fault, Reply, read_reply, refusal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from ..settings import Timeouts


def client_sender(client: httpx.AsyncClient) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    """Send through a caller's client: its pool, cookies and hooks, but our headers, and no redirects."""

    async def send(request: httpx.Request) -> httpx.Response:
        if client.is_closed:
            raise ClientClosedError("the http_client that this client was given was closed; close this one first")
        return await client.send(request, stream=True, follow_redirects=False, auth=None)

    return send


def proxy_transport(proxy: httpx.Proxy, context: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    """Make a transport of one connection through *proxy*."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, proxy=proxy, limits=limits)


class HttpxLane:
    """A lane over anything of httpx: a proxy, or what the caller gave. `own` is closed with the lane."""

    __slots__ = ("_base", "_closed", "_handle", "_headers", "_max_bytes", "_own", "_prefix", "_refusal", "_scope")

    def __init__(
        self,
        handle: Callable[[httpx.Request], Awaitable[httpx.Response]],
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
        own: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._handle = handle
        self._headers = request_headers(base_url, token)
        self._base = httpx.URL(scheme=base_url.scheme, host=base_url.host, port=base_url.port)
        self._prefix = base_url.prefix.encode("ascii")
        self._max_bytes = max_bytes
        self._own = own
        self._closed = False
        self._scope: anyio.CancelScope | None = None
        #: The status of an answer that is not 200, and holds whatever becomes of its body.
        self._refusal: Reply | None = None

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        try:
            return await self._get(target, timeouts, limit_s)
        except BaseException:
            # A pool that saw a tunnel fail may hold it for ever; closed, it begins anew.
            await self._close_own()
            raise

    async def _get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        self._refusal = None
        request = httpx.Request(
            "GET",
            self._base.copy_with(raw_path=self._prefix + target),
            headers=self._headers,
            extensions={"timeout": timeout_extension(timeouts)},
        )
        with anyio.move_on_after(limit_s) as self._scope:
            try:
                # A mock may answer without ever pausing; a batch of such answers must not hold up the loop.
                await anyio.lowlevel.checkpoint()
                return await self._exchange(request)
            except (httpx.HTTPError, httpx.StreamError) as error:
                cut_tracebacks(error)
                raise httpx_fault(error) from error
            except BaseException as error:
                # An error of the caller's own code keeps its frames.
                if not isinstance(error, Exception):
                    cut_tracebacks(error)
                raise
        if self._closed:
            raise Fault(ConnectionFailedError, "the lane was closed", retried=False)
        if self._refusal is not None:
            await self._close_own()
            return self._refusal
        raise Fault(RequestTimeoutError, f"the answer was not whole after {limit_s:.3g} s")

    async def _exchange(self, request: httpx.Request) -> Reply:
        response = await self._handle(request)
        try:
            headers, stream = response.headers.raw, response.stream
            if response.is_stream_consumed and not isinstance(stream, httpx.ByteStream):
                # It cannot be read again: a hook of the caller's has read it, and httpx has decoded it.
                headers = [(name, value) for name, value in headers if name.lower() != b"content-encoding"]
                stream = httpx.ByteStream(response.content)
            assert isinstance(stream, httpx.AsyncByteStream)
            if response.status_code != 200:
                self._refusal = refusal(response.status_code, headers)
            return await read_reply(response.status_code, headers, stream, self._max_bytes)
        finally:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await response.aclose()

    async def aclose(self) -> None:
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()
        await self._close_own()

    async def _close_own(self) -> None:
        if self._own is not None:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await self._own.aclose()
