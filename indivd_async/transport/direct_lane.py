"""The default lane: one connection of anyio's, on which httptools reads what comes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio

from .address import BaseURL, SecretBytes, Token, request_headers
from .http11 import Answer, ProtocolError
from .httpx_lane import is_intercepted
from .lane import CLOSING_S, Attempt, Lane, connection_failure
from .network import Connection, connect, proxy_headers
from .replies import Failure, Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    import httpx

    from ..settings import Timeouts

#: Seconds; within the idle timeout of the usual load balancers (60 s and more), beyond a pause between two queries.
_KEEPALIVE_S = 30.0
_TARGET = re.compile(rb"[!-~]+")


class DirectLane(Lane):
    """A lane that connects when it is used, and again whenever its connection is doubtful."""

    first_wait = "read"
    ends = (
        OSError,
        UnicodeError,
        ProtocolError,
        anyio.EndOfStream,
        anyio.BrokenResourceError,
        anyio.ClosedResourceError,
    )

    def __init__(
        self,
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
        context: Callable[[], ssl.SSLContext],
        proxy: httpx.Proxy | None,
        make_visible: Callable[[], Lane],
    ) -> None:
        """Keep what is the same for all requests; *make_visible* makes the lane that tools which mock httpx see."""
        super().__init__()
        self._way = (base_url, context, proxy)
        self._max_bytes = max_bytes
        self._make_visible = make_visible
        headers, prefix = request_headers(base_url, token), base_url.prefix
        if proxy is not None and base_url.scheme == "http":
            # A proxy forwards a plain request, and reads it; for https it makes a tunnel and never sees one.
            headers, prefix = headers + proxy_headers(proxy), str(base_url)
        self._prefix = prefix.encode("ascii")
        self._head = SecretBytes(b" HTTP/1.1\r\n%b\r\n" % b"".join(b"%b: %b\r\n" % header for header in headers))
        self._connection: Connection | None = None

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        if not is_intercepted():
            return await super().get(target, timeouts, limit_s)
        lane = self._make_visible()
        try:
            return await lane.get(target, timeouts, limit_s)
        finally:
            await lane.aclose()

    async def ask(self, target: bytes, attempt: Attempt) -> Reply:
        if not _TARGET.fullmatch(target):
            raise Failure(reason="the target of a request must be visible ASCII", is_retried=False)
        connection, reused = await self._connect(attempt)
        answer = Answer(self._max_bytes)
        try:
            await connection.send(SecretBytes(b"GET %b%b%b" % (self._prefix, target, self._head)))
            while True:
                try:
                    answer.feed(await connection.receive())
                except anyio.EndOfStream:
                    answer.end()
                if answer.done:
                    break
                attempt.allow("read", anyio.current_time())
        finally:
            attempt.draft = answer.draft
            attempt.is_stale = reused and not answer.began
        assert answer.draft is not None
        reply = answer.draft.whole()
        attempt.is_kept = answer.is_reusable
        return reply

    async def _connect(self, attempt: Attempt) -> tuple[Connection, bool]:
        """Return a connection, and whether it served before."""
        connection, now = self._connection, attempt.began_at
        if connection is not None:
            # From here to the request nothing is awaited: no byte that comes now is taken for its answer.
            if now - connection.used_at <= _KEEPALIVE_S and not connection.has_more():
                connection.used_at = now
                return connection, True
            await self.retire()
        attempt.allow("connect", now)
        connection = self._connection = await connect(*self._way)
        connection.used_at = anyio.current_time()
        attempt.allow("read", connection.used_at)
        return connection, False

    def sort(self, error: Exception, attempt: Attempt) -> Failure:
        return connection_failure(error, stale=attempt.is_stale)

    async def retire(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await connection.aclose()
