"""
HTTP/1.1 over the connection of one lane.

Theory of operation. What an answer usually looks like, a 200 with a Content-Length or in a few chunks and no surprise
in its head, is recognised by one pattern and read here: h11 takes longer over it than all the rest of a request.
Whatever differs in any way is given to h11, from its first byte, and h11 decides what it means. A test holds both ways
to equal replies.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import h11
import httpcore

from .replies import Reply, is_sign, read_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .address import SecretBytes


_READ_BYTES = 64 * 2**10
#: What a head may need, as httpcore bounds it.
_MAX_HEAD_BYTES = 100 * 2**10
_TARGET = re.compile(rb"[!-~]+")
#: The whole head of an ordinary answer, less than h11 takes: visible ASCII, no folded lines, no space before a colon.
_HEAD = re.compile(rb"HTTP/1\.1 200 [ -~]*\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ -~]*\r\n)+\r\n")
_NAMES = re.compile(rb"\n([^:\r]*):")
_CONNECTION, _KEPT = b"\r\nconnection:", b"\r\nconnection: keep-alive\r\n"
#: Digits of a length: more would be beyond any limit, and h11 has words for that.
_MOST_DIGITS = 15
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


class UnusualError(Exception):
    """Not an ordinary answer; h11 decides what it is."""


class Head(NamedTuple):
    """The head of an ordinary answer."""

    #: Where the body begins.
    begin: int
    #: None where the body comes in chunks.
    length: int | None
    coding: bytes


def read_head(received: bytes) -> Head:
    """Read the head that *received* begins with; UnusualError where it is not whole, or not ordinary."""
    match = _HEAD.match(received)
    if match is None:
        raise UnusualError
    head = match[0].lower()
    if _CONNECTION in head and head.count(_CONNECTION) != head.count(_KEPT):
        raise UnusualError
    length = _value(head, b"\r\ncontent-length:")
    transfer = _value(head, b"\r\ntransfer-encoding:")
    coding = _value(head, b"\r\ncontent-encoding:")
    if b"\r\nretry-after:" in head or any(map(is_sign, _NAMES.findall(head))):
        raise UnusualError
    if transfer == b"chunked" and length is None:
        return Head(match.end(), None, coding or b"")
    if transfer is not None or length is None or not length.isdigit() or len(length) > _MOST_DIGITS:
        raise UnusualError
    return Head(match.end(), int(length), coding or b"")


def _value(head: bytes, name: bytes) -> bytes | None:
    """Return the value of a header, None where it is missing; UnusualError where it comes twice."""
    begin = head.find(name)
    if begin < 0:
        return None
    begin += len(name)
    if head.find(name, begin) >= 0:
        raise UnusualError
    return head[begin : head.index(b"\r\n", begin)].strip()


def join_chunks(received: bytes, begin: int) -> tuple[bytes, int] | None:
    """
    Join the chunks from *begin* on, and tell where they end; None where they are not all there.

    UnusualError for extensions, trailers and nonsense.
    """
    pieces: list[bytes] = []
    while True:
        end = received.find(b"\r\n", begin)
        if end < 0:
            return None
        if not _CHUNK_SIZE.fullmatch(received, begin, end):
            raise UnusualError
        size = int(received[begin:end], 16)
        begin = end + 2
        end = begin + size
        if len(received) < end + 2:
            return None
        if received[end : end + 2] != b"\r\n":
            raise UnusualError
        if not size:
            return b"".join(pieces), end + 2
        pieces.append(received[begin:end])
        begin = end + 2


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


class Http11(httpcore.AsyncConnectionInterface):
    """
    One connection, made when the first request is sent over it.

    It stands where httpcore keeps its own, and answers with whole replies. Bytes that come behind an answer, and
    answers that end with their connection, leave it unusable: `is_idle` is False then.
    """

    def __init__(
        self,
        connect: Callable[[float | None], Awaitable[httpcore.AsyncNetworkStream]],
        headers: list[tuple[bytes, bytes]],
        head: SecretBytes,
        max_bytes: int,
        keepalive_s: float,
    ) -> None:
        self._connect = connect
        self._headers = headers
        #: What follows the target of a request, up to the end of its head.
        self._head = head
        self._max_bytes = max_bytes
        self._keepalive_s = keepalive_s
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._idle_since = time.monotonic()
        self._usable = True
        #: Whether bytes came behind the last body.
        self._has_more = False

    async def handle_async_request(self, request: httpcore.Request) -> Reply:  # type: ignore[override]
        """Ask for the request's target and read the whole answer; the rest of *request* is the same for all."""
        self._usable = False
        target, timeouts = request.url.target, request.extensions["timeout"]
        if not _TARGET.fullmatch(target):
            raise httpcore.LocalProtocolError("the target of a request must be visible ASCII")
        if self._stream is None:
            self._stream = await self._connect(timeouts["connect"])
        await self._stream.write(b"GET %b%b" % (target, self._head), timeouts["write"])
        received = await self._stream.read(_READ_BYTES, timeouts["read"])
        try:
            head = read_head(received)
        except UnusualError:
            reply = await self._read_unusual(received, target, timeouts["read"])
        else:
            read = self._read_chunked if head.length is None else self._read_sized
            reply = await read(received, head, target, timeouts["read"])
        self._idle_since = time.monotonic()
        return reply

    async def _read_sized(self, received: bytes, head: Head, _: bytes, timeout: float | None) -> Reply:
        begin, length, coding = head
        assert length is not None
        if len(received) == begin + length <= self._max_bytes and not coding:
            self._usable = True
            return Reply(status=200, body=received[begin:], wire_bytes=length)
        reply = await self._finish(self._rest(received[begin:], length, timeout), coding)
        self._usable = not self._has_more
        return reply

    async def _rest(self, chunk: bytes, length: int, timeout: float | None) -> AsyncIterator[bytes]:
        assert self._stream is not None
        missing = length
        while len(chunk) < missing:
            missing -= len(chunk)
            yield chunk
            chunk = await self._stream.read(_READ_BYTES, timeout)
            if not chunk:
                words = "peer closed connection without sending complete message body"
                raise httpcore.RemoteProtocolError(f"{words} (received {length - missing} bytes, expected {length})")
        self._has_more = len(chunk) > missing
        yield chunk[:missing]

    async def _read_chunked(self, received: bytes, head: Head, target: bytes, timeout: float | None) -> Reply:
        """Gather the chunks of a small answer; longer ones go to h11, which need not see them whole."""
        assert self._stream is not None
        whole = None
        with suppress(UnusualError):
            while (whole := join_chunks(received, head.begin)) is None and len(received) < _READ_BYTES:
                more = await self._stream.read(_READ_BYTES, timeout)
                if not more:
                    break
                received += more
        if whole is None or len(whole[0]) > self._max_bytes:
            return await self._read_unusual(received, target, timeout)
        body, end = whole
        reply = await self._finish(_one(body), head.coding)
        self._usable = end == len(received)
        return reply

    async def _finish(self, chunks: AsyncIterator[bytes], coding: bytes) -> Reply:
        return await read_reply(200, [(b"content-encoding", coding)] if coding else [], chunks, self._max_bytes)

    async def _read_unusual(self, received: bytes, target: bytes, timeout: float | None) -> Reply:
        protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        protocol.send(h11.Request(method=b"GET", target=target, headers=self._headers))
        protocol.send(h11.EndOfMessage())
        if received:
            protocol.receive_data(received)
        response = await self._next_event(protocol, timeout)
        while isinstance(response, h11.InformationalResponse):
            response = await self._next_event(protocol, timeout)
        assert isinstance(response, h11.Response)
        reply = await read_reply(response.status_code, response.headers, self._body(protocol, timeout), self._max_bytes)
        is_whole = protocol.our_state is h11.DONE and protocol.their_state is h11.DONE
        self._usable = is_whole and protocol.trailing_data == (b"", False)
        return reply

    async def _body(self, protocol: h11.Connection, timeout: float | None) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next_event(protocol, timeout), h11.Data):
            yield bytes(event.data)

    async def _next_event(self, protocol: h11.Connection, timeout: float | None) -> Any:
        assert self._stream is not None
        try:
            while (event := protocol.next_event()) is h11.NEED_DATA:
                received = await self._stream.read(_READ_BYTES, timeout)
                if not received and protocol.their_state is h11.SEND_RESPONSE:
                    raise httpcore.RemoteProtocolError("Server disconnected without sending a response.")
                protocol.receive_data(received)
        except h11.RemoteProtocolError as error:
            raise httpcore.RemoteProtocolError(str(error)) from error
        return event

    async def aclose(self) -> None:
        self._usable = False
        if self._stream is not None:
            await self._stream.aclose()

    def info(self) -> str:
        """What httpcore puts into the repr of a connection."""
        return f"HTTP/1.1, {'idle' if self._usable else 'not usable'}"

    def is_idle(self) -> bool:
        return self._usable

    def has_expired(self) -> bool:
        """Tell whether it was idle for too long, was closed by the other side, or has bytes that nobody asked for."""
        if self._stream is None:
            return False
        return time.monotonic() - self._idle_since > self._keepalive_s or self._stream.get_extra_info("is_readable")
