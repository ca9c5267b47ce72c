"""
HTTP/1.1 over the connection of one lane.

Theory of operation. What an answer usually looks like, a 200 with a Content-Length and no surprise in its head, is
recognised by one pattern and read here: h11 takes longer over it than all the rest of a request. Whatever differs in
any way is given to h11, from its first byte, and h11 decides what it means. A test holds both ways to equal replies.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import h11
import httpcore

from ._replies import Reply, read_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ._transport import SecretBytes

_READ_BYTES = 64 * 2**10
#: What a head may need, as httpcore bounds it.
_MAX_HEAD_BYTES = 100 * 2**10
_TARGET = re.compile(rb"[!-~]+")
#: The whole head of an ordinary answer, less than h11 takes: visible ASCII, no folded lines, no space before a colon.
_HEAD = re.compile(rb"HTTP/1\.1 200 [ -~]*\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ -~]*\r\n)+\r\n")
#: Headers that change how an answer is read; with one of them it is not ordinary.
_SURPRISES = (b"\r\ntransfer-encoding:", b"\r\nretry-after:")
_CONNECTION, _KEPT = b"\r\nconnection:", b"\r\nconnection: keep-alive\r\n"
#: Digits of a length: more would be beyond any limit, and h11 has words for that.
_MOST_DIGITS = 15


def read_head(received: bytes) -> tuple[int, int, bytes] | None:
    """
    Read the head that *received* begins with: where the body begins, its length and its coding.

    None where the head is not whole, or not ordinary.
    """
    match = _HEAD.match(received)
    if match is None:
        return None
    head = match[0].lower()
    if _CONNECTION in head and head.count(_CONNECTION) != head.count(_KEPT):
        return None
    length, coding = _value(head, b"\r\ncontent-length:"), _value(head, b"\r\ncontent-encoding:")
    if not length or not length.isdigit() or len(length) > _MOST_DIGITS or coding is None:
        return None
    if any(name in head for name in _SURPRISES):
        return None
    return match.end(), int(length), coding


def _value(head: bytes, name: bytes) -> bytes | None:
    """Return the value of a header, empty where it is missing; None where it comes twice."""
    begin = head.find(name) + len(name)
    if begin < len(name):
        return b""
    if head.find(name, begin) >= 0:
        return None
    return head[begin : head.index(b"\r\n", begin)].strip()


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
        ordinary = read_head(received)
        if ordinary is None:
            reply = await self._read_unusual(received, target, timeouts["read"])
        else:
            reply = await self._read_ordinary(received, *ordinary, timeouts["read"])
        self._idle_since = time.monotonic()
        return reply

    async def _read_ordinary(
        self, received: bytes, begin: int, length: int, coding: bytes, timeout: float | None
    ) -> Reply:
        if len(received) == begin + length <= self._max_bytes and not coding:
            self._usable = True
            return Reply(status=200, body=received[begin:], wire_bytes=length)
        headers = [(b"content-encoding", coding)] if coding else []
        reply = await read_reply(200, headers, self._chunks(received[begin:], length, timeout), self._max_bytes)
        self._usable = not self._has_more
        return reply

    async def _chunks(self, chunk: bytes, length: int, timeout: float | None) -> AsyncIterator[bytes]:
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
