"""Token, address, bodies, and lanes over what httpx gives."""

from __future__ import annotations

import gzip
import math
import pickle
import random
import sys
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx
from asking import ONCE, TOKEN, Question, make_executor
from raw_server import Peer, RawServer, answer

from indivd_async.errors import (
    ConfigError,
    ConnectionFailedError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
)
from indivd_async.settings import Limits, Timeouts
from indivd_async.transport import Failure, Reply, Token, UnknownCodingError, parse_base_url
from indivd_async.transport.lane import Attempt
from indivd_async.transport.replies import Draft, read_body

pytestmark = pytest.mark.anyio


# The token.


@pytest.mark.parametrize(
    ("token", "rule"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("Token abc", "without the word 'Token'", id="with the word"),
        pytest.param("abc\n", "without a line end", id="line end"),
        pytest.param("åbc", "visible ASCII", id="not ASCII"),
        pytest.param("a\x7fb", "visible ASCII", id="control character"),
        pytest.param(b"abc", "must be a str, got bytes", id="bytes"),
        pytest.param(None, "must be a str, got NoneType", id="nothing"),
    ],
)
def test_bad_tokens_are_refused(token: Any, rule: str) -> None:
    """What cannot be sent as a header is refused where it is given, with the rule and without the value."""
    with pytest.raises(ConfigError, match=rule) as caught:
        Token(token)
    if token and isinstance(token, str):
        assert token.strip() not in str(caught.value).replace("'Token'", "")


def test_token_is_sent_as_documented() -> None:
    """The header reads 'Token …'."""
    assert Token("abc").header() == b"Token abc"


def test_fingerprint_tells_accounts_apart() -> None:
    """It is the same for the same token, and gives nothing away."""
    assert Token("abc").fingerprint() == Token("abc").fingerprint() != Token("abd").fingerprint()
    assert "abc" not in Token("abc").fingerprint()


@pytest.mark.parametrize("secret", [Token(TOKEN), Token(TOKEN).header()], ids=["token", "header"])
def test_token_does_not_show(secret: object) -> None:
    """Neither repr nor str nor format shows it, and it does not pickle."""
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{secret!s}", repr([secret])):
        assert "***" in text
        assert TOKEN not in text
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)


# The address.


@pytest.mark.parametrize(
    ("url", "expected", "authority"),
    [
        pytest.param("https://api.indivd.com", "https://api.indivd.com", "api.indivd.com", id="plain"),
        pytest.param("https://api.indivd.com/", "https://api.indivd.com", "api.indivd.com", id="slash"),
        pytest.param(" https://API.indivd.com:443 ", "https://api.indivd.com", "api.indivd.com", id="default port"),
        pytest.param("https://h\n", "https://h", "h", id="line end is stripped"),
        pytest.param("https://h:8443/a/b//", "https://h:8443/a/b", "h:8443", id="prefix"),
        pytest.param("https://h/å b", "https://h/%C3%A5%20b", "h", id="prefix is encoded"),
        pytest.param("https://bücher.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example", id="IDN"),
        pytest.param("https://[2001:db8::1]:99", "https://[2001:db8::1]:99", "[2001:db8::1]:99", id="IPv6"),
        pytest.param("http://localhost:8000", "http://localhost:8000", "localhost:8000", id="localhost"),
        pytest.param("http://127.8.9.1", "http://127.8.9.1", "127.8.9.1", id="loopback"),
        pytest.param("http://[::1]", "http://[::1]", "[::1]", id="IPv6 loopback"),
        pytest.param("http://api.localhost", "http://api.localhost", "api.localhost", id="under localhost"),
    ],
)
def test_base_urls(url: str, expected: str, authority: str) -> None:
    """Scheme, host, port and prefix are read; the prefix is ready to be put before a path."""
    base = parse_base_url(url)
    assert str(base) == expected
    assert base.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "https://api.indivd.com",
        "http://localhost:8000/",
        "http://127.0.0.1:80",
        "https://h:0443/a_b/c-1/",
        "https://a-.h",
    ],
)
def test_a_plain_url_is_read_as_httpx_reads_it(url: str) -> None:
    """Which is asked where there are blanks around it."""
    assert parse_base_url(url) == parse_base_url(f" {url} ")


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        pytest.param("http://api.indivd.com", "must be https", id="http"),
        pytest.param("http://localhost.evil.example", "must be https", id="looks like localhost"),
        pytest.param("http://127.0.0.1.evil.example", "must be https", id="looks like loopback"),
        pytest.param("https://user:pa55@h", "user or password", id="userinfo"),
        pytest.param("https://h?token=pa55", "query or fragment", id="query"),
        pytest.param("https://h/?", "query or fragment", id="empty query"),
        pytest.param("https://h#pa55", "query or fragment", id="fragment"),
        pytest.param("api.indivd.com", "like 'https://host'", id="no scheme"),
        pytest.param("ftp://h", "like 'https://host'", id="scheme"),
        pytest.param("https://", "like 'https://host'", id="no host"),
        pytest.param("", "like 'https://host'", id="empty"),
        pytest.param("https://h:99999", "like 'https://host'", id="port"),
        pytest.param("https://h:0", "like 'https://host'", id="port zero"),
        pytest.param("https://h:port", "cannot be read", id="port that is none"),
        pytest.param("https://a\nb", "cannot be read", id="line end inside"),
        pytest.param(b"https://h", "must be a str", id="bytes"),
    ],
)
def test_bad_base_urls(url: Any, rule: str) -> None:
    """What would send the token in clear, or elsewhere, is refused; secrets in it are not repeated."""
    with pytest.raises(ConfigError, match=rule) as caught:
        parse_base_url(url)
    assert "pa55" not in str(caught.value)


def test_http_may_be_allowed() -> None:
    """allow_http=True sends the token in clear, as its user asked."""
    assert str(parse_base_url("http://api.indivd.com", allow_http=True)) == "http://api.indivd.com"


# Bodies.


class Body:
    """Chunks of a body; `ended` tells whether its generator was finished, and not left to the garbage collector."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                yield chunk
        finally:
            self.ended = True


GZIP = (b"content-encoding", b"gzip")
PACKED = gzip.compress(b'{"visits": 284}')


async def read(*chunks: bytes, headers: list[tuple[bytes, bytes]] | None = None, limit: int = 1000) -> Reply:
    body = Body(*chunks)
    try:
        return await read_body(Draft(200, headers or [], limit), body)
    finally:
        assert body.ended


@pytest.mark.parametrize(
    ("chunks", "headers", "expected"),
    [
        pytest.param([], [], b"", id="nothing"),
        pytest.param([b"[]"], [], b"[]", id="one chunk"),
        pytest.param([b"[", b"", b"]"], [(b"Content-Encoding", b"Identity")], b"[]", id="chunks"),
        pytest.param([PACKED], [GZIP], b'{"visits": 284}', id="gzip"),
        pytest.param([PACKED], [(b"Content-Encoding", b" X-GZIP ")], b'{"visits": 284}', id="x-gzip"),
        pytest.param([bytes([byte]) for byte in PACKED], [GZIP], b'{"visits": 284}', id="gzip byte by byte"),
        pytest.param([PACKED + PACKED], [GZIP], b'{"visits": 284}' * 2, id="two members"),
        pytest.param([PACKED, PACKED], [GZIP], b'{"visits": 284}' * 2, id="two members, two chunks"),
        pytest.param([gzip.compress(PACKED)], [GZIP], PACKED, id="gzip in gzip is decoded once"),
    ],
)
async def test_bodies(chunks: list[bytes], headers: list[tuple[bytes, bytes]], expected: bytes) -> None:
    """A body is what was sent, decoded once; its size on the wire is counted."""
    reply = await read(*chunks, headers=headers)
    assert reply.body == expected
    assert reply.wire_bytes == sum(map(len, chunks))


@pytest.mark.parametrize(
    ("chunks", "error", "reason"),
    [
        pytest.param([b"x" * 1001], ResponseTooLargeError, "on the wire", id="one chunk"),
        pytest.param([b"x" * 600, b"x" * 600, b"x"], ResponseTooLargeError, "on the wire", id="two chunks"),
    ],
)
async def test_large_bodies(chunks: list[bytes], error: type[Exception], reason: str) -> None:
    """A body beyond the limit is given up, not retried, and its stream is ended."""
    with pytest.raises(Failure, match=reason) as caught:
        await read(*chunks)
    assert caught.value.error is error
    assert not caught.value.is_retried


async def test_exactly_the_limit_is_read() -> None:
    """The limit itself is still allowed, on the wire and decoded."""
    assert len((await read(b"x" * 1000)).body) == 1000
    assert len((await read(gzip.compress(b"x" * 1000), headers=[GZIP])).body) == 1000


async def test_decoded_size_is_bounded() -> None:
    """A small body that decodes to a large one is given up."""
    with pytest.raises(Failure, match="decoded") as caught:
        await read(gzip.compress(b"x" * 1001), headers=[GZIP])
    assert caught.value.error is ResponseTooLargeError


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(PACKED[:-1], id="without its last byte"),
        pytest.param(PACKED[:-8], id="without its checksum"),
        pytest.param(PACKED[:12], id="cut in the middle"),
        pytest.param(b"", id="empty"),
        pytest.param(PACKED + PACKED[:9], id="second member cut"),
        pytest.param(PACKED[:-8] + bytes(8), id="wrong checksum"),
        pytest.param(b'{"visits": 284}', id="not gzip"),
        pytest.param(zlib.compress(b"[]"), id="zlib"),
        pytest.param(PACKED + b"rest", id="rest behind it"),
    ],
)
async def test_broken_gzip_is_a_broken_transport(packed: bytes) -> None:
    """What is not whole is never taken for an answer; it is retried like a broken connection."""
    with pytest.raises(Failure, match="gzip") as caught:
        await read(packed, headers=[GZIP])
    assert caught.value.error is ConnectionFailedError
    assert caught.value.is_retried


@pytest.mark.parametrize(
    "said",
    [
        *[
            b"",
            b",",
            b"none",
            b"null",
            b"utf-8",
            b"UTF8",
            b"charset=utf-8",
            b"us-ascii",
            b"iso-8859-1",
            b"7bit",
            b"8bit",
        ],
        *[b"binary", b"identity", b"text", b"text/plain", b"application/json", b"amz-1.0", b"utf-8, identity"],
    ],
)
async def test_codings_that_mean_nothing(said: bytes) -> None:
    """Said by servers that mean a charset, a type or nothing: they change no byte, beside gzip neither."""
    assert (await read(b"[1]", headers=[(b"content-encoding", said)])).body == b"[1]"
    for both in ([GZIP, (b"content-encoding", said)], [(b"content-encoding", said + b", GZip")]):
        assert (await read(PACKED, headers=both)).body == b'{"visits": 284}'


@pytest.mark.parametrize("coding", [b"br", b"gzip, gzip", b"deflate", b"zstd", b"x-unknown", b"gzip;q=1"])
async def test_codings_that_were_not_asked_for(coding: bytes) -> None:
    """A coding that was not offered is named."""
    with pytest.raises(UnknownCodingError, match=f"got '{coding.decode()}'"):
        await read(b"x", headers=[(b"content-encoding", coding)])


async def test_two_coding_headers_are_one_list() -> None:
    """Content-Encoding given twice means coded twice."""
    with pytest.raises(UnknownCodingError, match="gzip, gzip"):
        await read(PACKED, headers=[GZIP, GZIP])


async def test_an_endless_generator_is_left() -> None:
    """A body of the caller's that never pauses and never ends is closed, not run forever."""

    class Endless:
        def __init__(self) -> None:
            self.ended = False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 999
            finally:
                self.ended = True

    body = Endless()
    with pytest.raises(Failure, match="on the wire"):
        await read_body(Draft(200, [], 1000), body)
    assert body.ended


async def test_the_body_of_an_error_is_dropped() -> None:
    """Only the status counts, and Retry-After; a long or broken body takes nothing from it."""
    body = Body(b"x" * 70_000, b"y")
    reply = await read_body(Draft(503, [(b"Retry-After", b"7"), GZIP], 10), body)
    assert reply == Reply(status=503, body=b"", retry_after=b"7", wire_bytes=70_000)
    assert body.ended


async def test_headers_that_may_say_that_there_is_more_are_kept() -> None:
    """Those of pages, totals and ranges, with their values as they came; no other."""
    headers = [(b"Link", b'<https://x>; rel="next"'), (b"X-Total-Count", b"744"), (b"Content-Range", b"items 0-9/20")]
    others = [(b"Content-Type", b"application/json"), (b"Accept-Ranges", b"bytes"), (b"Set-Cookie", b"next=1")]
    reply = await read(b"[]", headers=headers + others)
    assert reply.signs == (
        ("link", '<https://x>; rel="next"'),
        ("x-total-count", "744"),
        ("content-range", "items 0-9/20"),
    )


# Lanes over httpx.


async def test_respx_sees_the_request() -> None:
    """respx's default mocker answers for the default lanes, one after the other and side by side."""
    with respx.mock(base_url="https://api.invalid") as router:
        route = router.get("/a/", params={"b": "1"}, headers={"Authorization": f"Token {TOKEN}"})
        route.side_effect = [httpx.Response(503), httpx.Response(200, json=[1]), httpx.Response(200, json=[2])]
        executor = make_executor()
        assert (await executor.send(Question("/a/?b=1"))).body == b"[1]"
        assert (await executor.send(Question("/a/?b=1"))).body == b"[2]"
        assert route.call_count == 3
        route.side_effect = httpx.ConnectTimeout("mocked")
        with pytest.raises(RequestTimeoutError, match="mocked"):
            await executor.send(Question("/a/?b=1"))
        route.side_effect = None
        route.respond(200, content=PACKED, headers={"Content-Encoding": "gzip"})
        assert (await executor.send(Question("/a/?b=1"))).body == b'{"visits": 284}'
        await executor.aclose()


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        pytest.param({"http_client": 1}, "http_client must be an AsyncClient of httpx or httpx2, got int", id="client"),
        pytest.param({"http_client": httpx.Client}, "got type", id="class"),
        pytest.param({"transport": 1}, "transport must be an AsyncBaseTransport of httpx or httpx2", id="transport"),
        pytest.param({"transport": httpx.HTTPTransport()}, "got HTTPTransport", id="blocking transport"),
        pytest.param({"proxy": "nonsense"}, "proxy must be a URL", id="proxy"),
        pytest.param({"proxy": "gopher://user:pa55@h"}, "proxy must be a URL", id="proxy scheme"),
        pytest.param({"proxy": 7}, "proxy must be a URL", id="proxy type"),
        pytest.param(
            {"transport": httpx.MockTransport(lambda _: httpx.Response(200)), "proxy": "http://h"},
            "transport and proxy cannot be combined",
            id="two ways",
        ),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], rule: str) -> None:
    """A wrong option is refused where the client is made, by name."""
    with pytest.raises(ConfigError, match=rule) as caught:
        make_executor(**options)
    assert "pa55" not in str(caught.value)


# A proxy.


async def test_proxy_is_used() -> None:
    """Over http a proxy is asked for the whole URL, by each lane on a connection of its own, kept alive."""
    with RawServer(Peer.serve) as proxy:
        executor = make_executor("http://127.0.0.1:9/api", proxy=proxy.url, limits=Limits(concurrency=2))
        for _ in range(3):
            assert (await executor.send(Question("/a/"))).body == b"[]"
        await executor.aclose()
    assert proxy.connections == 1
    assert all(head.startswith(b"GET http://127.0.0.1:9/api/a/ HTTP/1.1\r\n") for head in proxy.requests)


async def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said where the client is made."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ConfigError, match=r"pip install 'httpx\[socks\]'"):
        make_executor(proxy="socks5://127.0.0.1:1")


async def test_proxy_that_refuses() -> None:
    """A tunnel that the proxy does not open is a failed connection."""

    def refuse(peer: Peer) -> None:
        peer.request()
        peer.send(answer(status=502))

    with RawServer(refuse) as proxy:
        executor = make_executor(proxy=proxy.url)
        with pytest.raises(ConnectionFailedError, match="502"):
            await executor.send(Question())
        await executor.aclose()
    assert TOKEN.encode() not in b"".join(proxy.requests)


async def test_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only proxy= sets a proxy: the token goes nowhere because of a variable."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with RawServer(lambda peer: peer.serve(answer(status=500))) as server:
        executor = make_executor(server.url, retry=ONCE)
        with pytest.raises(ServerError):
            await executor.send(Question())
        await executor.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("limit_s", [None, 40.0])
async def test_each_piece_extends_the_wait_and_none_the_attempt(limit_s: float | None) -> None:
    """The wait after each piece is bounded by `read`, a hundredth early at most; the attempt's own end never moves."""
    attempt = Attempt(Timeouts(connect=5, read=10), limit_s, "connect")
    now, ends = attempt.began_at, attempt.began_at + (limit_s or math.inf)
    steps = random.Random(3)
    for _ in range(500):
        attempt.allow("read", now)
        assert min(now + 9.9, ends) <= attempt.scope.deadline <= min(now + 10, ends)
        assert ("Timeouts.read" in attempt.failure().reason) is (now + 10 < ends)
        now += steps.choice([0.0, 0.001, 0.09, 0.11, 3.0])
