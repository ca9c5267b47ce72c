"""The connections of a lane: anyio's streams, plain or TLS, direct or through an http proxy."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import ref

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute, TLSStream

from .address import SecretBytes, Way, bracketed, certified_name
from .http11 import Answer, ProtocolError
from .lane import Alarm, is_on_trio
from .replies import tunnel_failure

#: As much as asyncio reads at once: asked for less, a stream keeps the rest, where nobody can see it.
_READ_BYTES = 2**18
#: As much as uvloop reads at once, and then reads again before it says so.
_FULL_BYTES = 256_000
#: File numbers that connections leave: modules that the first answer needs, clocks, a cache, an export's files.
_SPARED = 8
#: Whether the number of a socket is one that can be written to; elsewhere it may be another file's.
_ARE_FILES = os.name == "posix"


class Connection:
    """One connection, which can tell whether there is anything that nobody asked for."""

    __slots__ = ("_raw", "_tls", "aclose", "alarm", "now", "receive", "send", "used_at")

    def __init__(self, raw: _Socket, stream: ByteStream) -> None:
        self._raw = raw
        self._tls = stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610  # anyio's, not Django's
        self.receive = stream.receive
        self.send = stream.send
        self.aclose = stream.aclose
        self.now: Callable[[], float] = anyio.current_time if is_on_trio() else asyncio.get_running_loop().time
        self.alarm = raw.alarm
        #: When the last request began.
        self.used_at = 0.0

    def has_more(self) -> bool:
        """Tell whether the other side sent more than was read, or closed. What there is may be lost with the look."""
        return (
            self._raw.holds_more()
            or is_readable(self._raw.socket)
            or (self._tls is not None and _has_read_ahead(self._tls))
        )


def is_readable(sock: Any) -> bool:
    """Tell whether the system holds something for *sock*, or its end."""
    if sock.fileno() < 0:
        return True
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _has_read_ahead(tls: ssl.SSLObject) -> bool:
    """Tell whether *tls* took more from the socket than was read: the socket itself would not show it."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        return True
    return True


class _Socket(ByteStream):
    """
    A socket's stream that sends at once, and gives all the loop has read, however little is asked for.

    What the system takes at once needs no turn of the loop. And nothing that was read stays behind, where nobody sees
    it.
    """

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self._stream = stream
        self.socket = stream.extra(SocketAttribute.raw_socket)  # noqa: S610
        self._reads_on = not is_on_trio()
        self._is_full = False

    def holds_more(self) -> bool:
        """Tell whether something may have been read that nobody was given."""
        return self._is_full  # the loop may have read on, and holds it where nobody can look

    def alarm(self) -> Alarm | None:
        """Return what bounds an attempt on it; None where only a cancel scope does."""
        return None

    async def receive(self, max_bytes: int = _READ_BYTES) -> bytes:  # noqa: ARG002
        chunk = await self._stream.receive(_READ_BYTES)
        self._is_full = self._reads_on and len(chunk) >= _FULL_BYTES
        return chunk

    async def send(self, item: bytes) -> None:
        sent = 0
        if _ARE_FILES:
            with suppress(OSError):  # there is no room, or no connection: the stream waits for it, or says so
                sent = os.write(self.socket.fileno(), item)
        if sent < len(item):
            await self._stream.send(SecretBytes(item[sent:]))

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Watched(_Socket):
    """
    The same where asyncio runs: the loop watches it as long as it is open, by a number of its own.

    anyio's stream has the loop watch it anew for each piece, which is a seventh of a small request.
    """

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        super().__init__(stream)
        self._is_watched, self._pid = False, os.getpid()
        self._loop = asyncio.get_running_loop()
        self._twin = socket.socket(fileno=os.dup(self.socket.fileno()))
        #: What came, in order; an empty piece is the end.
        self._came: deque[bytes | OSError] = deque()
        self._arrival: asyncio.Future[None] | None = None
        self._watch()

    def holds_more(self) -> bool:
        return bool(self._came)

    def alarm(self) -> Alarm:
        return Alarm(self._loop, self._twin)

    def _watch(self) -> None:
        number, self._is_watched = self._twin.fileno(), True
        self._loop.add_reader(number, _take_for, ref(self), self._loop, number)

    def __del__(self) -> None:
        # Nobody closed the client. The loop lets go of it when it hears that it ended: it must not know the number of
        # a file that is gone. A fork has numbers of its own, and the connection is not its.
        if self._is_watched and os.getpid() == self._pid and not self._loop.is_closed():
            with suppress(OSError):
                self._twin.shutdown(socket.SHUT_RDWR)
            self._twin.detach()

    def _leave(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._twin.fileno())

    def take(self) -> None:
        """Take a piece of what came."""
        piece: bytes | OSError
        try:
            piece = self._twin.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            piece = error
        self._came.append(piece)
        if not piece or isinstance(piece, OSError) or len(self._came) > 1:  # the system holds the rest
            self._leave()
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def receive(self, max_bytes: int = _READ_BYTES) -> bytes:  # noqa: ARG002
        if not self._came and self._twin.fileno() >= 0:
            if not self._is_watched:
                self._watch()
            self._arrival = self._loop.create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        if self._twin.fileno() < 0:
            raise anyio.ClosedResourceError
        piece = self._came[0]
        if isinstance(piece, OSError):
            raise anyio.BrokenResourceError from piece
        if not piece:
            raise anyio.EndOfStream
        self._came.popleft()
        return piece

    async def aclose(self) -> None:
        self._leave()
        self._twin.close()
        self._wake()
        await super().aclose()


def _take_for(watched: Callable[[], _Watched | None], loop: asyncio.AbstractEventLoop, number: int) -> None:
    found = watched()
    if found is not None:
        found.take()
    else:
        loop.remove_reader(number)
        os.close(number)


def _wrap(stream: anyio.abc.SocketStream) -> _Socket:
    """Have *stream* watched where a loop can, and where there is room for two numbers a connection."""
    number = stream.extra(SocketAttribute.raw_socket).fileno()  # noqa: S610
    if _ARE_FILES and not is_on_trio() and 2 * number < _most_numbers():
        with suppress(OSError):
            return _Watched(stream)
    return _Socket(stream)


def check_spared(sock: Any) -> None:
    """Raise OSError (EMFILE) where *sock* has one of the last file numbers, which are not for connections."""
    if sock.fileno() + _SPARED >= _most_numbers():
        raise OSError(errno.EMFILE, "the last file numbers are not for connections")


def _most_numbers() -> float:
    """Return how many files this process may have open."""
    if not _ARE_FILES:
        return math.inf
    import resource  # of such systems only

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if most == resource.RLIM_INFINITY else most


async def connect(way: Way, *, spares: bool = False) -> Connection:
    """
    Connect to the API, through a proxy where there is one, and shake hands.

    One that *spares* the last file numbers does not take them. Raises OSError, UnicodeError, ProtocolError,
    Failure, or what closed the connection; never a group.
    """
    base_url, proxy = way.base_url, way.proxy
    there = (base_url.host, base_url.port) if proxy is None else way.proxy_address
    raw = _wrap(await _connect_tcp(*there))
    stream: ByteStream = raw
    try:
        if spares:
            check_spared(raw.socket)
        if proxy is not None and proxy.url.scheme == "https":
            stream = await _start_tls(stream, certified_name(there[0]), proxy.ssl_context or way.context())
        if base_url.scheme == "https":
            if proxy is not None:
                await _open_tunnel(stream, way)
            stream = await _start_tls(stream, base_url.name, way.context())
    except BaseException:
        await anyio.aclose_forcefully(raw)
        raise
    return Connection(raw, stream)


async def _connect_tcp(host: str, port: int) -> anyio.abc.SocketStream:
    try:
        return await anyio.connect_tcp(host, port)
    except BaseExceptionGroup as group:
        # Of a test's own, that forbids sockets.
        raise _first_leaf(group) from None
    except OSError as error:
        # anyio says that all failed, and behind it how.
        raise _first_leaf(error.__cause__ or error) from None


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _start_tls(stream: ByteStream, name: str, context: ssl.SSLContext) -> TLSStream:
    try:
        return await TLSStream.wrap(
            stream, server_side=False, hostname=name, ssl_context=context, standard_compatible=False
        )
    except anyio.EndOfStream:
        raise ProtocolError("the connection ended in the TLS handshake") from None


async def _open_tunnel(stream: ByteStream, way: Way) -> None:
    there = f"{bracketed(way.base_url.host)}:{way.base_url.port}".encode("ascii")
    headers = b"".join(b"%b: %b\r\n" % header for header in way.proxy_headers)
    await stream.send(SecretBytes(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (there, there, headers)))
    answer = Answer(0, opens_tunnel=True)
    try:
        while answer.draft is None:
            answer.feed(await stream.receive())
    except anyio.EndOfStream:
        raise ProtocolError("the proxy disconnected without an answer") from None
    except ProtocolError as error:
        raise ProtocolError(f"the proxy's answer is not an answer in HTTP: {error}") from None
    if not 200 <= answer.draft.status < 300:
        raise tunnel_failure(answer.draft.status, answer.reason.decode("latin-1"))
    if answer.has_more:
        # In plain text, from anybody: it would be taken for what comes encrypted.
        raise ProtocolError("bytes came behind the proxy's answer")
