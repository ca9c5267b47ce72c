"""The default lane: one connection of anyio's, on which httptools reads what comes."""

from __future__ import annotations

import re
import sys
from types import MethodType
from typing import Any

import anyio

from ..settings import Timeouts
from .address import SecretBytes, Way
from .http11 import Answer, ProtocolError
from .lane import CLOSING_S, KEEPALIVE_S, Attempt, Lane
from .network import Connection, connect
from .replies import Failure, Reply

_TARGET = re.compile(rb"[!-~]+")
#: The methods that tools replace to answer in the network's place: respx, pytest-httpx, vcrpy.
_WATCHED = (
    ("httpx", "AsyncHTTPTransport", "handle_async_request"),
    ("httpx", "AsyncClient", "_transport_for_url"),
    ("httpx", "AsyncClient", "send"),
    ("httpcore", "AsyncConnectionPool", "handle_async_request"),
    ("httpcore", "AsyncHTTPConnection", "handle_async_request"),
)
_OWN = ("httpx.", "httpcore.")
#: Tracers that put plain functions there, which pass on what they tell of.
_TRACERS = ("sentry_sdk.", "skywalking.")


def is_intercepted() -> bool:
    """
    Tell whether a tool stands where httpx would send: it must see our requests, or a token leaves a test.

    A function of another module has its names, where it wraps, but never its globals. What instruments, and passes on
    (wrapt's proxies, subclasses), has them: a service that is traced keeps its connections.
    """
    for name, kind, method in _WATCHED:
        module = sys.modules.get(name)
        if module is not None:
            home: Any = getattr(module, kind, None)  # of one that another thread still imports
            found = getattr(home, method, None)
            if found is not None and (type(found) is MethodType or not _passes_on(home, found)):
                return True  # a method is of another object, such as a mock
    return False


def _passes_on(home: Any, found: Any) -> bool:
    """Tell whether a method is that of *home*, or of a class that it extends, or a tracer's."""
    its = getattr(found, "__globals__", {})
    if its.get("__name__", "").startswith(_OWN):
        return its is home.__init__.__globals__ or any(
            its is getattr(each.__init__, "__globals__", None) for each in home.__mro__
        )
    return str(its.get("__name__")).startswith(_TRACERS)


class OwnLane(Lane):
    """A lane of our own, in whose place another asks where a tool stands that it would pass by."""

    async def get(self, target: bytes, timeouts: Timeouts, limit_s: float | None) -> Reply:
        if not is_intercepted():
            return await super().get(target, timeouts, limit_s)
        from .httpx_lane import visible_lane

        lane = visible_lane(self._way)
        try:
            return await lane.get(target, timeouts, limit_s)
        finally:
            await lane.aclose()


class DirectLane(OwnLane):
    """A lane that connects when it is used, and again whenever its connection is doubtful."""

    ends = (
        OSError,
        UnicodeError,
        ProtocolError,
        anyio.EndOfStream,
        anyio.BrokenResourceError,
        anyio.ClosedResourceError,
    )

    def __init__(self, way: Way) -> None:
        super().__init__(way)
        # What a proxy sends on must name the whole address.
        self._prefix = (str(way.base_url) if way.is_forwarded else way.base_url.prefix).encode("ascii")
        headers = way.headers + (way.proxy_headers if way.is_forwarded else [])
        self._head = SecretBytes(b" HTTP/1.1\r\n%b\r\n" % b"".join(b"%b: %b\r\n" % header for header in headers))
        self._connection: Connection | None = None
        #: Whether it may serve the attempt that begins.
        self._is_ready = False

    async def ask(self, target: bytes, attempt: Attempt) -> Reply:
        if not _TARGET.fullmatch(target):
            raise Failure(reason="the target of a request must be visible ASCII", is_retried=False)
        reused = self._is_ready
        connection = self._connection if reused else None
        if connection is None:
            connection = await self._connect(attempt)
        answer = Answer(self._way.max_bytes)
        try:
            await connection.send(SecretBytes(b"GET %b%b%b" % (self._prefix, target, self._head)))
            while True:
                try:
                    answer.feed(await connection.receive())
                except anyio.EndOfStream:
                    if attempt.scope.cancel_called:  # it was ended here: what came so far is not the whole answer
                        raise
                    answer.end()
                if answer.done:
                    break
                attempt.allow("read", anyio.current_time())
        finally:
            answer.leave()
            attempt.draft = answer.draft
            attempt.is_stale = reused and not answer.began
        assert answer.draft is not None
        reply = answer.draft.whole()
        attempt.is_kept = answer.is_reusable
        return reply

    def begin(self, timeouts: Timeouts, limit_s: float | None) -> Attempt:
        """Look whether the connection may serve again: from here to the request nothing is awaited if it does."""
        connection = self._connection
        if connection is None:
            self._is_ready = False
            return Attempt(timeouts, limit_s, "connect")
        now = connection.now()
        self._is_ready = now - connection.used_at <= KEEPALIVE_S and not connection.has_more()
        connection.used_at = now
        if not self._is_ready:
            return Attempt(timeouts, limit_s, "connect", now=now)
        return Attempt(timeouts, limit_s, "read", connection.alarm(), now)

    async def _connect(self, attempt: Attempt) -> Connection:
        await self.retire()
        connection = self._connection = await connect(self._way, spares=self.spares)
        connection.used_at = anyio.current_time()
        attempt.allow("read", connection.used_at)
        return connection

    async def retire(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.move_on_after(CLOSING_S, shield=True):
                await connection.aclose()
