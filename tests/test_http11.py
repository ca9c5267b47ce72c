"""The reading of ordinary answers: exactly what h11 would have made of them, or left to h11."""

from __future__ import annotations

import gzip
from itertools import pairwise
from typing import Any

import anyio
import httpcore
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from raw_server import answer

from indivd_async.transport import Fault, Reply, UnknownCodingError
from indivd_async.transport.address import SecretBytes
from indivd_async.transport.http11 import Head, Http11, UnusualError, join_chunks, read_head

LIMIT = 300
PACKED = gzip.compress(b"[1, 2, 3]")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Script(httpcore.AsyncNetworkStream):
    """A connection that brings *parts*, and ends."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts
        self.written = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.parts.pop(0) if self.parts else b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.written += buffer

    def get_extra_info(self, info: str) -> Any:
        return False

    async def aclose(self) -> None: ...


class OnlyH11(Http11):
    """Leaves every answer to h11."""

    async def _read_sized(self, received: bytes, head: Head, target: bytes, timeout: Any) -> Reply:
        return await self._read_unusual(received, target, timeout)

    _read_chunked = _read_sized


def read(kind: type[Http11], parts: list[bytes]) -> tuple[object, bool]:
    """Let *kind* read what comes in *parts*: the reply, or the error's type, and whether the connection is kept."""
    stream = Script([part for part in parts if part])

    async def connect(timeout: float | None) -> httpcore.AsyncNetworkStream:
        return stream

    headers = [(b"Host", b"api.example")]
    connection = kind(connect, headers, SecretBytes(b" HTTP/1.1\r\nHost: api.example\r\n\r\n"), LIMIT, 30)
    timeouts = dict.fromkeys(("connect", "read", "write"), 1.0)
    request = httpcore.Request("GET", "https://api.example/?a=b", extensions={"timeout": timeouts})
    try:
        result: object = anyio.run(connection.handle_async_request, request)
    except (Fault, UnknownCodingError, httpcore.RemoteProtocolError) as error:
        result = type(error)
    assert stream.written == b"GET /?a=b HTTP/1.1\r\nHost: api.example\r\n\r\n"
    return result, connection.is_idle()


def split(whole: bytes, *places: int) -> list[bytes]:
    """Cut *whole* at *places*."""
    cuts = [0, *sorted(min(place, len(whole)) for place in places), len(whole)]
    return [whole[a:b] for a, b in pairwise(cuts)]


WHOLE = {
    "plain": answer(b"[]"),
    "nothing": answer(b""),
    "as long as may be": answer(b"x" * LIMIT),
    "an empty coding": answer(headers=["Content-Encoding: "]),
    "gzip": answer(PACKED, headers=["Content-Encoding: GZIP"]),
    "kept": answer(headers=["Server: nginx/1.22.1", "Connection: keep-alive", "Keep-Alive: timeout=60"]),
    "names in capitals": answer().upper(),
    "a chunk": CHUNKED + b"2\r\n[]\r\n0\r\n\r\n",
    "chunks": CHUNKED + b"2\r\n[1\r\n001\r\n]\r\n0\r\n\r\n",
    "no chunk": CHUNKED + b"0\r\n\r\n",
    "a chunk of gzip": CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n%X\r\n%b\r\n0\r\n\r\n" % (len(PACKED), PACKED),
}
LEFT_TO_H11 = {
    "another status": answer(status=404),
    "chunks and a length": answer(b"0\r\n\r\n", headers=["Transfer-Encoding: chunked"]),
    "chunks or not": answer(headers=["Transfer-Encoding: "]),
    "chunks and an empty length": CHUNKED[:-2] + b"Content-Length: \r\n\r\n0\r\n\r\n",
    "no coding of chunks": answer(headers=["Transfer-Encoding: identity"]),
    "said to close": answer(headers=["Connection: close"]),
    "said to close, and not to": answer(headers=["Connection: keep-alive", "Connection: close"]),
    "HTTP/1.0": answer().replace(b"1.1", b"1.0"),
    "no length": b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n[]",
    "two lengths": answer(headers=["Content-Length: 2"]),
    "two other lengths": answer(headers=["Content-Length: 3"]),
    "a list of lengths": answer().replace(b": 2", b": 2, 2"),
    "a length below zero": answer().replace(b": 2", b": -2"),
    "a length in Arabic digits": answer().replace(b": 2", ": ٢".encode()),
    "a length of sixteen digits": answer().replace(b": 2", b": 0000000000000002"),
    "two codings": answer(PACKED, headers=["Content-Encoding: gzip", "Content-Encoding: gzip"]),
    "a folded line": answer(headers=["X: a", " b"]),
    "a space before the colon": answer(headers=["X : a"]),
    "no name": answer(headers=[": a"]),
    "a bare line feed": answer(headers=["X: a\nConnection: close"]),
    "a NUL": answer(headers=["X: \0"]),
    "Latin-1": answer(headers=["X: \xe5"]),
    "a Retry-After": answer(headers=["Retry-After: 1"]),
    "a sign of more": answer(headers=["X-Total-Count: 7"]),
    "hints first": b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(),
    "no headers": b"HTTP/1.1 200 OK\r\n\r\n",
    "half a head": answer()[:20],
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
}


UNUSUAL_CHUNKS = {
    "an extension": CHUNKED + b"2;x=y\r\n[]\r\n0\r\n\r\n",
    "a trailer": CHUNKED + b"2\r\n[]\r\n0\r\nX: y\r\n\r\n",
    "a space": CHUNKED + b"2 \r\n[]\r\n0\r\n\r\n",
    "no size": CHUNKED + b"\r\n[]\r\n0\r\n\r\n",
    "a size below zero": CHUNKED + b"-2\r\n[]\r\n0\r\n\r\n",
    "a size with a prefix": CHUNKED + b"0x2\r\n[]\r\n0\r\n\r\n",
    "a size with an underline": CHUNKED + b"0_2\r\n[]\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\n[]\r\n0\r\n\r\n",
    "more than may be": CHUNKED + b"200\r\n%b\r\n0\r\n\r\n" % (b"x" * 512),
}


@pytest.mark.parametrize("response", [pytest.param(text, id=name) for name, text in WHOLE.items()])
def test_ordinary_answers(response: bytes) -> None:
    """They are read without h11, to the same reply, and the connection is kept."""
    read_head(response)
    reply, kept = read(Http11, [response])
    assert isinstance(reply, Reply)
    assert kept
    assert (reply, kept) == read(OnlyH11, [response])


@pytest.mark.parametrize("response", [pytest.param(text, id=name) for name, text in LEFT_TO_H11.items()])
def test_all_others_are_left_to_h11(response: bytes) -> None:
    """A head that is unusual in any way is not judged here."""
    with pytest.raises(UnusualError):
        read_head(response)
    assert read(Http11, [response]) == read(OnlyH11, [response])


@pytest.mark.parametrize("response", [pytest.param(text, id=name) for name, text in UNUSUAL_CHUNKS.items()])
def test_unusual_chunks_are_left_to_h11(response: bytes) -> None:
    """Nor is a chunk that is unusual in any way, or long."""
    if b"200\r\n" not in response[16:]:
        with pytest.raises(UnusualError):
            join_chunks(response, len(CHUNKED))
    assert read(Http11, [response]) == read(OnlyH11, [response])


@given(
    response=st.sampled_from(
        [
            *WHOLE.values(),
            *LEFT_TO_H11.values(),
            *UNUSUAL_CHUNKS.values(),
            answer(b"[1", length=9),
            answer(b"x" * 999),
        ]
    ),
    behind=st.sampled_from([b"", b"", b"\r\n", b"x", answer(b'["evil"]')]),
    edit=st.tuples(st.integers(0, 120), st.integers(0, 2), st.binary(max_size=2)),
    places=st.lists(st.integers(0, 200), max_size=4),
)
@example(response=answer(), behind=b"", edit=(0, 0, b""), places=[len(answer()) - 2])
@example(response=answer(), behind=b"", edit=(0, 0, b""), places=[len(answer()) - 1])
@example(response=answer(), behind=answer(), edit=(0, 0, b""), places=[len(answer()) - 1])
def test_both_ways_agree(response: bytes, behind: bytes, edit: tuple[int, int, bytes], places: list[int]) -> None:
    """However an answer is damaged, followed and cut: the reply or kind of error is h11's, and so is the verdict."""
    place, length, text = edit
    whole = response[:place] + text + response[place + length :] + behind
    parts = split(whole, *places)
    assert read(Http11, list(parts)) == read(OnlyH11, list(parts))


def test_a_target_that_would_be_two_requests() -> None:
    """What is sent is one line of visible ASCII."""

    async def connect(timeout: float | None) -> httpcore.AsyncNetworkStream:
        raise AssertionError("nothing is connected")

    connection = Http11(connect, [], SecretBytes(b""), LIMIT, 30)
    url = httpcore.URL(scheme=b"https", host=b"api.example", port=443, target=b"/ HTTP/1.1\r\nX: y")
    request = httpcore.Request("GET", url, extensions={"timeout": {}})
    with pytest.raises(httpcore.LocalProtocolError, match="visible ASCII"):
        anyio.run(connection.handle_async_request, request)
