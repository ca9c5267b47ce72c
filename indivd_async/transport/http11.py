"""
One answer in HTTP/1.1, read by llhttp (httptools), with what llhttp leaves open decided here.

| llhttp | here |
|---|---|
| skips line ends before a status line | refused: what does not begin with "H" is no answer |
| takes NUL and other controls in a reason | refused |
| takes HTTP/0.9 and HTTP/2.0 | refused |
| takes any Transfer-Encoding, and reads to the end of the connection | refused, but for "chunked", once |
| takes a Transfer-Encoding in a trailer | refused, and a Content-Length too |
| takes 101 | refused: no other protocol was asked for |
| reads a body behind a 1xx, 204 or 304 | a 1xx that has one is refused, the others end with their head |
| takes a length with any number of zeros before it | refused beyond 20 digits |
| keeps a connection that speaks HTTP/1.0 and says keep-alive | it is closed |
| knows no end of a connection | it ends an answer with neither length nor chunks, and breaks off any other |
| goes on with what follows an answer | it is told, to the last byte, so that the connection is closed |
| knows no size | a head, and chunk extensions and trailers together, are bounded; so is a body, in `Draft` |

All the rest is llhttp's, in its strict form: lines end with CRLF, a length comes once and without chunks, no line is
folded, no control stands in a header, zeros may stand before a chunk's size. Tests search for an answer that is taken
here and not by h11 and llhttp alone, to the same body.
"""

from __future__ import annotations

import re
from typing import Any

import httptools

from .replies import FRAMING, Draft, is_read

_END_OF_HEAD = b"\r\n\r\n"
#: Bytes of a head, or of what stands between the pieces of a body.
_MOST_BESIDE = 100 * 2**10
#: Bytes on the wire that do not count for each byte of a body: chunks may be so small that most of it is their sizes.
_MOST_A_BYTE = 16
_BODILESS = {204, 304}
_CONTROLS = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]")
#: Of a length: as many as 2⁶⁴ has.
_MOST_DIGITS = 20


class ProtocolError(Exception):
    """What came is no answer in HTTP/1.1, or not a whole one."""


class Answer:
    """What comes over a connection after a request: `feed` it until it is `done`."""

    def __init__(self, max_bytes: int, *, opens_tunnel: bool = False) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._max_bytes = max_bytes
        self._opens_tunnel = opens_tunnel
        self._got: list[bytes] = []
        self._keep_alive = False
        #: Whether anything came.
        self.began = False
        #: From the end of the head on; interim answers have none.
        self.draft: Draft | None = None
        self.done = False
        #: Whether bytes came behind the answer.
        self.has_more = False
        self._expect_head()

    def _expect_head(self) -> None:
        self.reason = b""
        self._last = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._codings: list[bytes] = []
        self._length: bytes | None = None
        self._missing: int | None = None
        self._version = ""
        self._headed = self._complete = False
        self._beside = 0

    @property
    def is_reusable(self) -> bool:
        """Whether the connection may carry another request."""
        return self.done and self._keep_alive and not self.has_more

    def feed(self, data: bytes) -> None:
        """Take what came; raises ProtocolError where it is not HTTP/1.1, and what `Draft.feed` raises."""
        self.began = True
        at = 0
        while at < len(data) and not self.done:
            at = self._feed_head(data, at) if self.draft is None else self._feed_body(data, at)
        self.has_more = at < len(data)

    def end(self) -> None:
        """Take the end of the connection."""
        if not self.began:
            raise ProtocolError("the server disconnected without an answer")
        if self.draft is None:
            raise ProtocolError("the connection ended in the head of the answer")
        if self._codings or self._missing is not None:
            raise ProtocolError("the connection ended before the body was whole")
        self.done = True

    def leave(self) -> None:
        """Let go of the parser: they hold one another, and would wait for the collector."""
        self._parser = None

    def _feed_head(self, data: bytes, at: int) -> int:
        """Read on to the end of the head, if it is there, and return the place behind it."""
        if not self._last and data[at] != 0x48:
            raise ProtocolError("what came is no answer in HTTP")
        joined = self._last + data  # its end may begin in what came before
        found = joined.find(_END_OF_HEAD, at)
        is_whole = found >= 0
        end = found + 4 - len(self._last) if is_whole else len(data)
        self._count_beside(end - at)
        self._parse(memoryview(data)[at:end])
        if self._headed is not is_whole:
            raise ProtocolError("the lines of the answer's head do not end with CRLF")
        if is_whole:
            self._end_head()
        else:
            self._last = joined[-3:]
        return end

    def _end_head(self) -> None:
        status = self._parser.get_status_code()
        if self._version not in {"1.0", "1.1"}:
            raise ProtocolError(f"the answer is in HTTP/{self._version}")
        if _CONTROLS.search(self.reason):
            raise ProtocolError("the answer's reason holds control characters")
        if self._length is not None and len(self._length) > _MOST_DIGITS:
            raise ProtocolError("the answer's length has too many digits")
        if self._codings not in ([], [b"chunked"]):
            raise ProtocolError("the answer has an unknown Transfer-Encoding, or several")
        if status < 200:
            if status <= 101 and status != 100:
                raise ProtocolError(f"{status} answers nothing that was asked")
            if self._codings or self._length not in {None, b"0"}:
                raise ProtocolError("an interim answer has a body")
            self._expect_head()
            return
        self.draft = Draft(status, self._headers, self._max_bytes)
        self._beside = 0
        self._missing = None if self._length is None else int(self._length)
        self.done = self._missing == 0 or status in _BODILESS or (self._opens_tunnel and status < 300)

    def _feed_body(self, data: bytes, at: int) -> int:
        """Read on to the end of the body, if it is there, and return the place behind it."""
        if self._codings:
            at, body = self._feed_chunks(data, at)
        elif self._missing is None:
            at, body = len(data), data[at:]
        else:
            body = data[at : at + self._missing]
            at += len(body)
            self._missing -= len(body)
            self.done = not self._missing
        assert self.draft is not None
        if not self.draft.feed(body):
            self.done, self._keep_alive = True, False
        return at

    def _feed_chunks(self, data: bytes, at: int) -> tuple[int, bytes]:
        """Read on, the last byte by itself: it tells whether any follow the end."""
        begin, last = at, len(data) - 1
        if at < last:
            self._parse(memoryview(data)[at:last])
            at = last
        if not self._complete:
            self._parse(memoryview(data)[last:])
            at = len(data)
        body = b"".join(self._got)
        self._got.clear()
        self._count_beside(at - begin - len(body) * _MOST_A_BYTE)
        self.done = self._complete
        return at, body

    def _count_beside(self, size: int) -> None:
        self._beside = max(0, self._beside + size)
        if self._beside > _MOST_BESIDE:
            raise ProtocolError(f"the answer has more than {_MOST_BESIDE:,} bytes beside its body")

    def _parse(self, data: memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise ProtocolError("101 answers nothing that was asked") from None
        except httptools.HttpParserError as error:
            # What follows an answer need not be one.
            if not self._complete or self.draft is None:
                raise ProtocolError(f"what came is not HTTP/1.1: {error}") from None

    # What llhttp calls.

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not is_read(name):
            return
        name = name.lower()
        if self._headed:
            # A trailer, or of what follows the answer.
            if name in FRAMING and not self._complete:
                raise ProtocolError("a trailer says how long the body is")
        elif name == b"transfer-encoding":
            self._codings.append(value.strip(b" \t").lower())
        elif name == b"content-length":
            self._length = value.strip(b" \t")
        else:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if not self._headed:
            self._headed = True
            self._version = self._parser.get_http_version()
            self._keep_alive = self._parser.should_keep_alive() and self._version == "1.1"

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._got.append(body)

    def on_message_complete(self) -> None:
        self._complete = True
