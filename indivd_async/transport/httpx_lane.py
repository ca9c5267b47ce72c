"""The lanes over httpx, or httpx2: what callers inject, what their tools watch, and SOCKS proxies."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx

from ..errors import ClientClosedError, RequestTimeoutError
from ..settings import Timeouts
from .address import Way
from .lane import CLOSING_S, WAITS, Attempt, Lane, Wait, words_of
from .replies import Draft, Failure, Reply, read_body

#: What a transport raises that leaves to its callers what the network does; all else is an error of its code.
_NETWORK = (
    *(ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError),
    *(anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream),
)
#: Which waits of ours they bound that say no more than their names.
_BY_NAME: dict[str, Wait] = {"ConnectTimeout": "connect", "ReadTimeout": "read"}


class HttpxLane(Lane):
    """A lane over anything of httpx's or httpx2's; what is its *own* is closed with it."""

    def __init__(
        self,
        library: Any,
        handle: Callable[[Any], Awaitable[Any]],
        way: Way,
        *own: httpx.AsyncBaseTransport | httpx.AsyncClient,
    ) -> None:
        """Send requests of *library* through *handle*."""
        super().__init__(way)
        # What encodes a name may refuse it; in a caller's own code it is a fault of that.
        names = (UnicodeError,) if own else ()
        # httpx lets pass what answers raise that are none of SOCKS5.
        self._socks: Any = getattr(sys.modules.get("socksio"), "SOCKSError", ())
        self.ends = (library.HTTPError, library.StreamError, *names, *_NETWORK, self._socks)  # type: ignore[misc]
        self._library = library
        self._handle = handle
        self._headers = way.headers
        base_url = way.base_url
        # Without a dot at its end: behind a proxy httpx holds certificates against the name as it stands.
        self._base = library.URL(scheme=base_url.scheme, host=base_url.host.removesuffix("."), port=base_url.port)
        self._prefix = base_url.prefix.encode("ascii")
        self._extensions: dict[str, Any] = {"sni_hostname": base_url.name} if base_url.scheme == "https" else {}
        self._own: list[Any] = list(own)

    async def ask(self, target: bytes, attempt: Attempt) -> Reply:
        # A mock may answer without ever pausing; a batch of such answers must not hold up the loop.
        await anyio.lowlevel.checkpoint()
        timeouts = attempt.timeouts
        waits = {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.read, "pool": None}
        request = self._library.Request(
            "GET",
            self._base.copy_with(raw_path=self._prefix + target),
            headers=self._headers,
            extensions={"timeout": waits, **self._extensions},
        )
        try:
            response = await self._handle(request)
        except self._library.HTTPStatusError as error:
            if error.request is not request:
                raise
            # A hook of the caller's raised for the status; what that means is told here.
            return Draft(error.response.status_code, error.response.headers.raw, self._way.max_bytes).whole()
        try:
            headers, stream = response.headers.raw, response.stream
            if response.is_stream_consumed and not isinstance(stream, self._library.ByteStream):
                # It cannot be read again: a hook of the caller's has read it, and httpx has decoded it.
                headers = [(name, value) for name, value in headers if name.lower() != b"content-encoding"]
                stream = self._library.ByteStream(response.content)
            attempt.draft = Draft(response.status_code, headers, self._way.max_bytes)
            reply = await read_body(attempt.draft, stream)
            attempt.is_kept = True
            return reply
        finally:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await response.aclose()

    def sort(self, error: Exception, attempt: Attempt) -> Failure:
        if isinstance(error, self._library.TimeoutException | TimeoutError):
            words = words_of(error)
            wait = _BY_NAME.get(words)
            if wait and (limit_s := getattr(attempt.timeouts, wait)) is not None:
                words = WAITS[wait].format(limit_s)
            return Failure(reason=words, error=RequestTimeoutError)
        if isinstance(error, self._socks):
            return Failure(reason=f"the proxy's answer is not an answer in SOCKS5: {error}")
        if isinstance(error, self._library.StreamError):
            # A hook of the caller's that took the body would take it again.
            return Failure(reason=words_of(error), is_retried=False)
        return super().sort(error, attempt)

    async def retire(self) -> None:
        # A pool that saw a tunnel fail may hold it for ever; closed, it begins anew.
        for one in self._own:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await one.aclose()


def transport_sender(transport: Any) -> Callable[[Any], Awaitable[Any]]:
    """Send through a transport, whose method a tool may exchange at any time."""
    return lambda request: transport.handle_async_request(request)


def client_sender(client: Any) -> Callable[[Any], Awaitable[Any]]:
    """Send through a caller's client: its pool, hooks, headers, params, cookies; but our headers win, no redirects."""

    async def send(request: Any) -> Any:
        if client.is_closed:
            raise ClientClosedError("the http_client that this client was given was closed; close this one first")
        for name, value in client.headers.items():
            request.headers.setdefault(name, value)
        ours = request.url.params
        if more := [(name, value) for name, value in client.params.multi_items() if name not in ours]:
            joint = b"&" if ours else b"?"
            target = request.url.raw_path + joint + str(type(ours)(more)).encode("ascii")
            request.url = request.url.copy_with(raw_path=target)
        if client.cookies:
            client.cookies.set_cookie_header(request)
        return await client.send(request, stream=True, follow_redirects=False, auth=None)

    return send


def visible_lane(way: Way) -> HttpxLane:
    """Make a lane that asks as httpx does, for one request: what tools replace to see the traffic is on its way."""
    client = httpx.AsyncClient(verify=way.context(), trust_env=False, proxy=way.proxy)
    return HttpxLane(httpx, client_sender(client), way, client)


class SocksLane(HttpxLane):
    """A lane through a SOCKS proxy; httpx keeps what came behind an answer, so each request connects."""

    def __init__(self, way: Way) -> None:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
        own = httpx.AsyncHTTPTransport(verify=way.context(), trust_env=False, proxy=way.proxy, limits=limits)
        super().__init__(httpx, transport_sender(own), way, own)
        self._extensions["trace"] = self._hear

    def begin(self, timeouts: Timeouts, limit_s: float | None) -> Attempt:
        self._attempt = Attempt(timeouts, limit_s, "connect")  # httpx bounds no wait for what the proxy says
        return self._attempt

    async def _hear(self, event: str, said: dict[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):
            # The pool forgets those whose handshake with the proxy fails.
            self._own[1:] = [said["return_value"]]
        elif event.endswith("send_request_headers.started"):
            self._attempt.allow(None, anyio.current_time())
