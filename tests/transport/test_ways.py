"""Ways to the API: every form of a host, proxies, certificates, and what the environment says, on every sender."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trustme
from asking import AT_ONCE, ONCE, ROOMY, SENDERS, TOKEN, Question, each_sender, make_executor
from attrs import evolve
from raw_server import Peer, RawServer, answer
from test_tls import pump, tunnel

from indivd_async import AsyncIndivd
from indivd_async.errors import ConfigError, ConnectionFailedError, RequestTimeoutError
from indivd_async.settings import Limits
from indivd_async.transport import parse_base_url

pytestmark = pytest.mark.anyio
anyio_backend = pytest.fixture(each_sender, params=SENDERS)
EVIL = answer(b'["evil"]')
NAMES = ("127.0.0.1", "::1", "localhost", "xn--bcher-kva.localhost", "many.localhost")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def all_names_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the resolver know every name under localhost, with or without a dot at its end."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        is_here = isinstance(name, str) and name.removesuffix(".").endswith("localhost")
        return resolve("127.0.0.1" if is_here else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


HOSTS = [
    pytest.param("127.0.0.1", "127.0.0.1", id="IPv4"),
    pytest.param("localhost", "localhost", id="name"),
    pytest.param("localhost.", "localhost", id="trailing dot"),
    pytest.param("LocalHost", "localhost", id="capitals"),
    pytest.param("bücher.localhost", "xn--bcher-kva.localhost", id="IDN"),
    pytest.param("xn--bcher-kva.localhost", "xn--bcher-kva.localhost", id="IDN, encoded"),
    pytest.param("bücher.localhost.", "xn--bcher-kva.localhost", id="IDN, trailing dot"),
]


@pytest.mark.usefixtures("all_names_are_here")
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("host", "told"), HOSTS)
async def test_forms_of_hosts(
    host: str, told: str, is_secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """Each reaches its server; certificate and Host name it without the dot, which is the resolver's only."""
    with RawServer(Peer.serve, tls=server_tls if is_secure else None) as server:
        url = f"{'https' if is_secure else 'http'}://{host}:{server.port}"
        executor = make_executor(url, timeouts=ROOMY, retry=ONCE, ssl_context=client_tls if is_secure else None)
        await executor.send(Question())
        await executor.aclose()
        assert f"\r\nHost: {told}:{server.port}\r\n".encode() in server.requests[0]


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
@pytest.mark.parametrize("host", ["[::1]", "[0:0::1]", "[::1%251]"])
async def test_addresses_of_ipv6(host: str) -> None:
    """In brackets, long or short; a zone is for connecting only."""
    received = bytearray()
    async with await anyio.create_tcp_listener(local_host="::1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)

        async def handle(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                while not received.endswith(b"\r\n\r\n"):
                    received.extend(await stream.receive())
                await stream.send(answer())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, handle)
            executor = make_executor(f"http://{host}:{port}", timeouts=ROOMY, retry=ONCE)
            await executor.send(Question())
            await executor.aclose()
            tasks.cancel_scope.cancel()
    assert f"\r\nHost: {host.replace('%251', '')}:{port}\r\n".encode() in received


@pytest.mark.parametrize(
    ("url", "host", "authority"),
    [
        ("https://name.", "name.", "name"),
        ("https://[fe80::1%25eth0]:8443", "fe80::1%eth0", "[fe80::1]:8443"),
        ("https://[fe80::1%eth0]", "fe80::1%eth0", "[fe80::1]"),
    ],
)
def test_what_is_the_resolvers_only(url: str, host: str, authority: str) -> None:
    """A dot at the end and a zone are kept for connecting, and told to no server."""
    base = parse_base_url(url)
    assert (base.host, base.authority) == (host, authority)
    assert parse_base_url(str(base)) == base


# Certificates.


async def test_a_certificate_that_nobody_vouches_for(server_tls: ssl.SSLContext) -> None:
    """It would be the same the next time: one attempt, and the option that helps is named."""
    with RawServer(Peer.serve, tls=server_tls) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=AT_ONCE)
        with pytest.raises(ConnectionFailedError, match=r"certificate verify failed.*ssl_context=.*after 1 attempt"):
            await executor.send(Question())
        await executor.aclose()
    assert server.connections == 1
    assert server.requests == []


async def test_certificates_from_the_environment(
    server_tls: ssl.SSLContext, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SSL_CERT_FILE is heard where trust_env says so, and only there."""
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with RawServer(Peer.serve, tls=server_tls) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=ONCE)
        with pytest.raises(ConnectionFailedError, match="certificate verify failed"):
            await executor.send(Question())
        await executor.aclose()
        executor = make_executor(server.url, timeouts=ROOMY, retry=ONCE, trust_env=True)
        await executor.send(Question())
        await executor.aclose()


# Proxies.


@pytest.mark.parametrize("form", ["{}", "{}/", "127.0.0.1:{port}"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_from_the_environment(variable: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used where trust_env says so, and NO_PROXY does not take the host out, by its name or with its port."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    with RawServer(Peer.serve) as proxy, RawServer(Peer.serve) as server:
        monkeypatch.setenv(variable, form.format(proxy.url, port=proxy.port))
        executor = make_executor("http://api.localhost:9", trust_env=True, retry=ONCE, timeouts=ROOMY)
        await executor.send(Question())
        await executor.aclose()
        assert proxy.requests[0].startswith(b"GET http://api.localhost:9/path/")
        for trust_env, exceptions in (
            (True, "127.0.0.1"),
            (True, f"x,127.0.0.1:{server.port}"),
            (True, "*"),
            (False, ""),
        ):
            monkeypatch.setenv("NO_PROXY", exceptions)
            executor = make_executor(server.url, trust_env=trust_env, timeouts=ROOMY)
            await executor.send(Question())
            await executor.aclose()
    assert proxy.connections == 1
    assert len(server.requests) == 4


def test_a_proxy_of_the_environment_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused when the client is made, without its password."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:pa55@h")
    with pytest.raises(ConfigError, match="proxy") as caught:
        AsyncIndivd(TOKEN, trust_env=True)
    assert "pa55" not in str(caught.value)
    AsyncIndivd(TOKEN)


async def test_a_second_answer_of_a_proxy_is_never_served() -> None:
    """Two answers in one write: what comes behind the first is never the answer to the next request."""
    with RawServer(lambda peer: peer.serve(answer(b"[1]") + EVIL)) as proxy:
        executor = make_executor(
            "http://api.localhost:9", proxy=proxy.url, timeouts=ROOMY, limits=Limits(concurrency=1)
        )
        for _ in range(5):
            reply = await executor.send(Question())
            assert (reply.body, reply.attempts) == (b"[1]", 1)
        await executor.aclose()
    assert proxy.connections == 5


async def test_a_second_answer_through_a_tunnel_is_never_served(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """The same over TLS through a proxy."""
    with (
        RawServer(lambda peer: peer.serve(answer(b"[1]") + EVIL), tls=server_tls) as server,
        RawServer(tunnel) as proxy,
    ):
        executor = make_executor(
            server.url, proxy=proxy.url, ssl_context=client_tls, timeouts=ROOMY, limits=Limits(concurrency=1)
        )
        for _ in range(5):
            reply = await executor.send(Question())
            assert (reply.body, reply.attempts) == (b"[1]", 1)
        await executor.aclose()
    assert proxy.connections == 5


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n\r\n" + EVIL, b"HTTP/1.1 200 OK\r\n\r\nx"])
async def test_bytes_behind_the_word_of_a_proxy(client_tls: ssl.SSLContext, said: bytes) -> None:
    """Plain bytes behind it are never taken for what comes encrypted."""

    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(said)
        peer.wait_for_close()

    with RawServer(handle) as proxy:
        executor = make_executor(
            "https://127.0.0.1:9",
            proxy=proxy.url,
            ssl_context=client_tls,
            timeouts=evolve(ROOMY, connect=0.3),
            retry=ONCE,
        )
        with pytest.raises((ConnectionFailedError, RequestTimeoutError)):
            await executor.send(Question())
        await executor.aclose()
    assert TOKEN.encode() not in b"".join(proxy.requests)


async def test_an_https_proxy(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """TLS to the proxy, and TLS within it to the API."""
    with RawServer(Peer.serve, tls=server_tls) as server, RawServer(tunnel, tls=server_tls) as proxy:
        executor = make_executor(server.url, proxy=proxy.url, ssl_context=client_tls, timeouts=ROOMY)
        assert (await executor.send(Question())).body == b"[]"
        await executor.aclose()
    assert len(server.requests) == 1
    assert TOKEN.encode() not in b"".join(proxy.requests)


@pytest.mark.parametrize("options", [{"http_client": httpx.AsyncClient()}, {"transport": httpx.AsyncHTTPTransport()}])
def test_what_the_environment_does_not_reach(options: dict[str, Any]) -> None:
    """What the caller made looks at the environment, or not, by itself."""
    with pytest.raises(ConfigError, match="and trust_env cannot be combined"):
        AsyncIndivd(TOKEN, trust_env=True, **options)


def socks(peer: Peer) -> None:
    """Do as a SOCKS5 proxy does for one who needs no password."""
    assert peer.sock.recv(3)[:1] == b"\5"
    peer.send(b"\5\0")
    asked = peer.sock.recv(300)
    peer.server.requests.append(asked)
    with socket.create_connection(("127.0.0.1", int.from_bytes(asked[-2:], "big"))) as far:
        peer.send(b"\5\0\0\1" + bytes(6))
        back = threading.Thread(target=pump, args=(far, peer.sock))
        back.start()
        pump(peer.sock, far)
        back.join()


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_a_socks_proxy(is_secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """It carries requests as they are, and no second answer is served to the next."""
    tls = server_tls if is_secure else None
    with RawServer(lambda peer: peer.serve(answer(b"[1]") + EVIL), tls=tls) as server, RawServer(socks) as proxy:
        executor = make_executor(
            server.url,
            proxy=proxy.url.replace("http:", "socks5:"),
            ssl_context=client_tls,
            timeouts=ROOMY,
            limits=Limits(concurrency=1),
        )
        for _ in range(3):
            reply = await executor.send(Question())
            assert (reply.body, reply.attempts) == (b"[1]", 1)
        await executor.aclose()
    assert len(server.requests) == 3
    assert TOKEN.encode() not in b"".join(proxy.requests)
