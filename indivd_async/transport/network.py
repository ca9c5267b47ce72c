"""
The way to the network below httpcore: the sockets of one lane.

httpcore's own backends open a cancel scope for every read and write, and yield to the loop where nothing has to be
waited for; together that is a third of a request. Nor can they tell whether a connection that died had begun to answer.
So on asyncio a lane has a protocol of its own, on trio a thin cover over httpcore's. On both no wait goes beyond the
end of the attempt, so that an attempt needs no cancel scope around it.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpcore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


#: Bytes received and not yet asked for, beyond which the other side is held back.
_HELD = 256 * 2**10
#: Seconds until the next address of a name is tried beside the first (RFC 8305).
_NEXT_ADDRESS_S = 0.25
_FOREVER = float("inf")
_UNASKED = "bytes came before the request was sent"


class LaneNetwork(httpcore.AsyncNetworkBackend):
    """
    The connections of one lane, one after the other.

    Before each attempt the lane sets `ends` and zeroes `received`.
    """

    def __init__(self, *, on_trio: bool) -> None:
        self._on_trio = on_trio
        #: When the attempt ends (time.monotonic); no wait goes beyond it.
        self.ends = _FOREVER
        #: Whether that end bounded the last wait, and not the timeout of the wait itself.
        self.bound_by_end = False
        #: Bytes that came since the attempt began.
        self.received = 0
        self._closed = False
        self._scope: anyio.CancelScope | None = None

    def patience(self, timeout: float | None, error: type[Exception]) -> float | None:
        """Tell for how long to wait where *timeout* is the wait's own bound; raise *error* where no time is left."""
        left_s = self.ends - time.monotonic()
        self.bound_by_end = timeout is None or left_s < timeout
        if left_s <= 0:
            raise error
        if self.bound_by_end:
            return None if left_s == _FOREVER else left_s
        return timeout

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with self.connecting(timeout):
            if not self._on_trio:
                return await _connect(host, port, self)
            backend: Any = httpcore.TrioBackend()
            return _TrioStream(await backend.connect_tcp(host, port, None, local_address, socket_options or ()), self)

    @contextmanager
    def connecting(self, timeout: float | None) -> Iterator[None]:
        """Bound the making of a connection, let `close` end it, and give its errors the names of httpcore."""
        with anyio.move_on_after(self.patience(timeout, httpcore.ConnectTimeout)) as scope:
            self._scope = scope
            try:
                yield
            # A name that cannot be encoded is a UnicodeError.
            except (OSError, UnicodeError) as error:
                raise httpcore.ConnectError(str(error)) from error
        if scope.cancelled_caught:
            self.check_open()
            raise httpcore.ConnectTimeout

    def check_open(self) -> None:
        """Raise after `close`."""
        if self._closed:
            raise httpcore.NetworkError("the client was closed")

    def close(self) -> None:
        """End what is connecting, and let nothing be sent any more."""
        self._closed = True
        if self._scope is not None:
            self._scope.cancel()


async def _connect(host: str, port: int, network: LaneNetwork) -> AsyncioStream:
    """
    Connect to the address of *host* that accepts first ("happy eyeballs").

    Without asyncio's own, which leaves tasks behind when it is cancelled and which uvloop does not have.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if len(addresses) == 1:
        return (await loop.create_connection(lambda: AsyncioStream(network), addresses[0], port))[1]
    made: list[AsyncioStream] = []
    failures: list[OSError] = []

    async def attempt(address: str, over: anyio.Event) -> None:
        try:
            made.append((await loop.create_connection(lambda: AsyncioStream(network), address, port))[1])
            tasks.cancel_scope.cancel()
        except OSError as failure:
            failures.append(failure)
        over.set()

    try:
        async with anyio.create_task_group() as tasks:
            for address in addresses:
                over = anyio.Event()
                tasks.start_soon(attempt, address, over)
                with anyio.move_on_after(_NEXT_ADDRESS_S):
                    await over.wait()
    except BaseException:
        for stream in made:
            stream.abort()
        raise
    for stream in made[1:]:
        stream.abort()
    if not made:
        raise failures[0]
    return made[0]


class AsyncioStream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """One connection on asyncio; what comes is kept until it is read."""

    def __init__(self, network: LaneNetwork) -> None:
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._waiter: asyncio.Future[None] | None = None
        self._used = False
        self._ended = False
        self._failure: Exception | None = None

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._network.received += len(data)
        self._chunks.append(data)
        self._held += len(data)
        if self._held > _HELD:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._failure = self._failure or exc
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What httpcore calls.

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._chunks and not self._ended:
            await self._wait(self._network.patience(timeout, httpcore.ReadTimeout))
        if self._chunks:
            return self._next_chunk(max_bytes)
        if self._failure is not None:
            raise httpcore.ReadError(str(self._failure)) from self._failure
        return b""

    def _next_chunk(self, max_bytes: int) -> bytes:
        chunk = self._chunks.popleft()
        if len(chunk) > max_bytes:
            self._chunks.appendleft(chunk[max_bytes:])
            chunk = chunk[:max_bytes]
        held, self._held = self._held, self._held - len(chunk)
        if held > _HELD >= self._held:
            self._transport.resume_reading()
        return chunk

    async def _wait(self, limit_s: float | None) -> None:
        waiter = self._waiter = self._loop.create_future()
        timer = None if limit_s is None else self._loop.call_later(limit_s, _expire, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        # Never waits: a request fits into any buffer, and so no cancellation carries frames that hold the token. Where
        # the other side does not read, the wait for its answer ends the attempt.
        if not buffer:
            return
        self._network.check_open()
        if self._used and self._chunks:
            # They would be taken for the answer. Between the look at the idle connection and here the loop has turned.
            self.abort()
            raise httpcore.NetworkError(_UNASKED)
        self._used = True
        if not self._ended:
            self._transport.write(buffer)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        if self._chunks:
            # In plain text, from anybody: they would be taken for what comes encrypted.
            self.abort()
            raise httpcore.ConnectError(_UNASKED)
        try:
            with self._network.connecting(timeout):
                transport = await self._loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        except BaseException:
            self.abort()
            raise
        self._transport = cast("asyncio.Transport", transport)
        return self

    def abort(self) -> None:
        self._transport.abort()

    async def aclose(self) -> None:
        self.abort()
        # The socket itself is closed in the loop's next turn.
        await asyncio.sleep(0)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return bool(self._chunks) or self._ended or _is_readable(self._transport.get_extra_info("socket"))
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._transport.get_extra_info(names.get(info, info))


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(httpcore.ReadTimeout())


def _is_readable(sock: Any) -> bool:
    """Tell whether the system holds something that the loop has not seen yet."""
    if sock is None or sock.fileno() < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


class _TrioStream(httpcore.AsyncNetworkStream):
    """One connection on trio: httpcore's, counted and bounded."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, network: LaneNetwork) -> None:
        self._stream = stream
        self._network = network
        self._used = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        chunk = await self._stream.read(max_bytes, self._network.patience(timeout, httpcore.ReadTimeout))
        self._network.received += len(chunk)
        return chunk

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._network.check_open()
        if self._used and buffer and self.get_extra_info("is_readable"):
            raise httpcore.NetworkError(_UNASKED)
        self._used = True
        await self._stream.write(buffer, self._network.patience(timeout, httpcore.WriteTimeout))

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            with self._network.connecting(timeout):
                return _TrioStream(await self._stream.start_tls(ssl_context, server_hostname), self._network)
        except BaseException:
            # httpcore closes after an error, not after a cancellation.
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        found = self._stream.get_extra_info(info)
        if info == "is_readable" and not found:
            return _has_read_ahead(self._stream.get_extra_info("ssl_object"))
        return found


def _has_read_ahead(tls: ssl.SSLObject | None) -> bool:
    """Tell whether *tls* took more from the socket than was read: the socket itself would not show it."""
    if tls is None:
        return False
    try:
        # What is there is lost; a connection with more than was asked for is closed.
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True
