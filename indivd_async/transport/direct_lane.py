"""The default lane: one connection of anyio's, on which httptools reads what comes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio

from ..errors import ConnectionFailedError
from .address import BaseURL, SecretBytes, Token, request_headers
from .http11 import Answer, ProtocolError
from .httpx_lane import is_intercepted
from .lane import CLOSING_S, NO_CONNECTION, NOTHING_CAME, Lane, Patience, connection_fault, cut_tracebacks
from .network import Connection, Proxy, connect
from .replies import Fault, Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from ..settings import Timeouts

#: Seconds; within the idle timeout of the usual load balancers (60 s and more), beyond a pause between two queries.
_KEEPALIVE_S = 30.0
_CLOSED = "the client was closed"
_TARGET = re.compile(rb"[!-~]+")
_ENDED = (OSError, UnicodeError, ProtocolError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class DirectLane:
    """A lane that connects when it is used, and again whenever its connection is doubtful."""

    __slots__ = (
        "_base_url",
        "_closed",
        "_connection",
        "_context",
        "_head",
        "_make_visible",
        "_max_bytes",
        "_prefix",
        "_proxy",
        "_scope",
    )

    def __init__(
        self,
        base_url: BaseURL,
        token: Token,
        max_bytes: int,
        context: Callable[[], ssl.SSLContext],
        proxy: Proxy | None,
        make_visible: Callable[[], Lane],
    ) -> None:
        """Keep what is the same for all requests; *make_visible* makes the lane that tools which mock httpx see."""
        self._base_url = base_url
        self._max_bytes = max_bytes
        self._context = context
        self._proxy = proxy
        self._make_visible = make_visible
        headers = request_headers(base_url, token)
        prefix = base_url.prefix
        if proxy is not None and base_url.scheme == "http":
            # A proxy forwards a plain request, and reads it; for https it makes a tunnel and never sees one.
            prefix = str(base_url)
            headers += proxy.headers
        self._prefix = prefix.encode("ascii")
        self._head = SecretBytes(b" HTTP/1.1\r\n%b\r\n" % b"".join(b"%b: %b\r\n" % header for header in headers))
        self._connection: Connection | None = None
        self._scope: anyio.CancelScope | None = None
        self._closed = False

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        if not _TARGET.fullmatch(target):
            raise Fault(ConnectionFailedError, "the target of a request must be visible ASCII", retried=False)
        if is_intercepted():
            return await self._get_visibly(target, timeouts, limit_s)
        if self._closed:
            raise Fault(ConnectionFailedError, _CLOSED, retried=False)
        now = anyio.current_time()
        reused = await self._has_connection(now)
        patience = Patience(limit_s, now)
        if reused:
            patience.allow(timeouts.read, NOTHING_CAME, now)
        else:
            patience.allow(timeouts.connect, NO_CONNECTION, now)
        answer = Answer(self._max_bytes)
        failure: Fault | None = None
        kept = False
        try:
            with patience.scope as self._scope:
                reply = await self._exchange(target, timeouts, patience, answer)
                kept = answer.is_reusable
                return reply
        except _ENDED as error:
            cut_tracebacks(error)
            failure = connection_fault(error, stale=reused and not answer.began)
            failure.__cause__ = error
        except BaseException as error:
            if not isinstance(error, Exception):
                cut_tracebacks(error)
            raise
        finally:
            self._scope = None
            if not kept:
                await self._retire()
        if self._closed:
            raise Fault(ConnectionFailedError, _CLOSED, retried=False)
        if answer.draft is not None and answer.draft.status != 200:
            # It holds whatever becomes of its body.
            return answer.draft.whole()
        raise failure or patience.fault()

    async def _exchange(self, target: bytes, timeouts: Timeouts, patience: Patience, answer: Answer) -> Reply:
        connection = self._connection
        if connection is None:
            connection = self._connection = await connect(self._base_url, self._context, self._proxy)
            connection.used_at = anyio.current_time()
            patience.allow(timeouts.read, NOTHING_CAME, connection.used_at)
        await connection.send(SecretBytes(b"GET %b%b%b" % (self._prefix, target, self._head)))
        while True:
            try:
                answer.feed(await connection.receive())
            except anyio.EndOfStream:
                answer.end()
            if answer.done:
                break
            patience.allow(timeouts.read, NOTHING_CAME, anyio.current_time())
        assert answer.draft is not None
        return answer.draft.whole()

    async def _has_connection(self, now: float) -> bool:
        """Tell whether there is a connection that served before and can serve again."""
        connection = self._connection
        if connection is None:
            return False
        # From here to the request nothing is awaited: no byte that comes now is taken for its answer.
        if now - connection.used_at <= _KEEPALIVE_S and not connection.has_more():
            connection.used_at = now
            return True
        await self._retire()
        return False

    async def _get_visibly(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        lane = self._make_visible()
        try:
            return await lane.get(target, timeouts, limit_s)
        finally:
            await lane.aclose()

    async def _retire(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await connection.aclose()

    async def aclose(self) -> None:
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()
        await self._retire()
