"""What is special to the sender over aiohttp; faults, cancellations and TLS are tried on both where they stand."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from asking import ONCE, ROOMY, TOKEN, Question, make_executor
from raw_server import Peer, RawServer, answer
from test_secrets import FAULTS, told

from indivd_async import AsyncIndivd
from indivd_async.errors import ConfigError, ConnectionFailedError, IndivdError
from indivd_async.settings import Limits

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio, where aiohttp does."""
    return "asyncio"


async def test_what_is_sent() -> None:
    """One plain request after the other, on one connection, without anything that aiohttp would add."""
    with RawServer(Peer.serve) as server:
        executor = make_executor(f"{server.url}/gateway", transport="aiohttp", limits=Limits(concurrency=1))
        for _ in range(2):
            reply = await executor.send(Question("/path/?zones=1,2&tz=Europe/Stockholm"))
        await executor.aclose()
    assert (reply.status, reply.body, reply.wire_bytes) == (200, b"[]", 2)
    assert server.connections == 1
    lines = server.requests[1].decode().split("\r\n")
    assert lines[0] == "GET /gateway/path/?zones=1,2&tz=Europe/Stockholm HTTP/1.1"
    assert {line.partition(":")[0] for line in lines[1:] if line} == {
        "Host",
        "Accept",
        "Accept-Encoding",
        "User-Agent",
        "Authorization",
    }
    assert "Accept-Encoding: gzip" in lines


async def test_chunks_in_capitals() -> None:
    """Names of codings know no case."""
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n"
    with RawServer(lambda peer: peer.serve(said)) as server:
        executor = make_executor(server.url, transport="aiohttp", timeouts=ROOMY, retry=ONCE)
        assert (await executor.send(Question())).body == b"[1]"
        await executor.aclose()


async def test_through_a_proxy() -> None:
    """A proxy sees its password once, and passes the request on."""
    with RawServer(Peer.serve) as proxy:
        executor = make_executor(
            "http://127.0.0.1:9", transport="aiohttp", proxy=proxy.url.replace("//", "//user:pass@"), timeouts=ROOMY
        )
        assert (await executor.send(Question())).body == b"[]"
        await executor.aclose()
    assert proxy.requests[0].startswith(b"GET http://127.0.0.1:9/path/?start_date=2025-03-01 HTTP/1.1\r\n")
    assert proxy.requests[0].count(b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n") == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(answer(status=407), "the proxy made no tunnel: 407 Said", id="refused"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not an answer in HTTP", id="nonsense"),
        pytest.param(b"", "the proxy disconnected", id="nothing"),
    ],
)
async def test_no_tunnel(said: bytes, words: str) -> None:
    """What the proxy said is told, and not what was said to it."""

    def refuse(peer: Peer) -> None:
        peer.request()
        peer.send(said)

    with RawServer(refuse) as proxy:
        executor = make_executor(
            "https://127.0.0.1:9", transport="aiohttp", proxy=proxy.url.replace("//", "//user:p4ssw0rd@"), retry=ONCE
        )
        with pytest.raises(ConnectionFailedError, match=words) as caught:
            await executor.send(Question())
        await executor.aclose()
    sent = b64encode(b"user:p4ssw0rd").decode()
    assert sent.encode() in proxy.requests[0]
    link: BaseException | None = caught.value
    while link is not None:
        assert sent not in repr(link) + repr(vars(link))
        link = link.__cause__ or link.__context__


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        pytest.param({"proxy": "socks5://127.0.0.1:1"}, "only with http and https", id="socks"),
        pytest.param({"http_client": object()}, "http_client and transport cannot be combined", id="with a client"),
    ],
)
def test_options_that_do_not_go_with_it(options: dict[str, Any], problem: str) -> None:
    """They are refused when the client is made."""
    with pytest.raises(ConfigError, match=problem):
        AsyncIndivd(TOKEN, transport="aiohttp", **options)


def test_another_name() -> None:
    """A transport that nobody knows is named with those that are known."""
    with pytest.raises(ConfigError, match="or \"aiohttp\", got 'requests'"):
        AsyncIndivd(TOKEN, transport="requests")  # type: ignore[arg-type]


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_on_trio() -> None:
    """It is said at once that aiohttp does not run there."""
    executor = make_executor(transport="aiohttp")
    with pytest.raises(ConfigError, match="asyncio only"):
        await executor.send(Question())
    await executor.aclose()


def test_without_aiohttp() -> None:
    """The extra that is missing is named, when the client is made."""
    script = """
        import sys
        sys.modules["aiohttp"] = None  # as if it were not installed
        from indivd_async import AsyncIndivd, ConfigError
        try:
            AsyncIndivd("token", transport="aiohttp")
        except ConfigError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "pip install 'indivd-async[aiohttp]'" in done.stdout


@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "proxy"])
@pytest.mark.parametrize("fault", [pytest.param(fault, id=name) for name, fault in FAULTS.items()])
async def test_no_token_in_errors(fault: Callable[[Peer], object], through_proxy: bool) -> None:
    """Neither an error nor what it was raised from holds the token: some of aiohttp's hold the whole request."""
    limits = Limits(concurrency=1, max_response_bytes=1000)
    with RawServer(fault) as server:
        where: dict[str, Any] = {"proxy": server.url} if through_proxy else {}
        executor = make_executor(
            "http://127.0.0.1:9" if through_proxy else server.url, transport="aiohttp", limits=limits, **where
        )
        executor = executor.with_options(retry=ONCE)
        for _ in range(2):
            with pytest.raises(IndivdError) as caught:
                await executor.send(Question())
            assert TOKEN not in told(caught.value)
            assert TOKEN.encode() not in pickle.dumps(caught.value)
            link: BaseException | None = caught.value
            while link is not None:
                assert TOKEN not in repr(link) + repr(vars(link))
                link = link.__cause__ or link.__context__
        await executor.aclose()


async def test_no_token_in_a_lane() -> None:
    """Its headers are kept under stars."""
    with RawServer(lambda peer: peer.serve(answer())) as server:
        executor = make_executor(server.url, transport="aiohttp")
        await executor.send(Question())
        (lane,) = executor.lanes._made
        shown = list(map(repr, vars(lane).values()))
        await executor.aclose()
    assert any("***" in text for text in shown)
    assert not any(TOKEN in text for text in shown)
