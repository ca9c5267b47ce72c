"""Ways to the API: every form of a host, proxies, certificates, and what the environment says, on every sender."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import httpx2
import pytest
import trustme
from asking import AT_ONCE, ONCE, ROOMY, SENDERS, TOKEN, Question, each_sender, make_executor
from attrs import evolve
from raw_server import Peer, RawServer, answer
from test_tls import Records, carry, tunnel

from indivd_async import AsyncIndivd
from indivd_async.errors import ConfigError, ConnectionFailedError, RequestTimeoutError
from indivd_async.settings import Limits
from indivd_async.transport import parse_base_url

pytestmark = pytest.mark.anyio
anyio_backend = pytest.fixture(each_sender, params=SENDERS)
EVIL = answer(b'["evil"]')
#: For what is not about certificates: loading the authorities takes tens of milliseconds.
TRUST = ssl.create_default_context()
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
@pytest.mark.parametrize("make", [None, httpx.AsyncHTTPTransport, httpx2.AsyncHTTPTransport], ids=["own", *"12"])
@pytest.mark.parametrize("host", ["[::1]", "[0:0::1]", "[::1%251]"])
async def test_addresses_of_ipv6(host: str, make: Any) -> None:
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
            async with contextlib.AsyncExitStack() as stack:
                options = {} if make is None else {"transport": await stack.enter_async_context(make())}
                executor = make_executor(f"http://{host}:{port}", timeouts=ROOMY, retry=ONCE, **options)
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


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "%61.example",
        "a%2e",
        ".",
        "a..b",
        ".a",
        "a..",
        "*",
        "[fe80::1%25]",
        "[::1%25a b]",
        "127.0.0.1%eth0",
        "a\\b",
    ],
)
@pytest.mark.parametrize("option", ["base_url", "proxy"])
def test_what_is_no_host(option: str, host: str) -> None:
    """It is refused where the client is made: libraries encode it, or leave it to the resolver."""
    with pytest.raises(ConfigError, match=rf"^{option} (must|cannot)"):
        AsyncIndivd(TOKEN, **{option: f"https://{host}"})


@pytest.mark.parametrize("proxy", ["http://", "http://:80", "http://h:0", "http://h:65536", "socks5://h:99999"])
def test_a_proxy_that_is_nowhere(proxy: str) -> None:
    """Without a host, or at a port that there is not, in any form that a proxy is told in."""
    for form in (proxy, httpx.URL(proxy), httpx.Proxy(proxy)):
        with pytest.raises(ConfigError, match=r"^proxy must be a URL such as"):
            AsyncIndivd(TOKEN, proxy=form)


@pytest.mark.parametrize(("host", "is_here"), [("[::ffff:127.0.0.1]", True), ("[::ffff:10.0.0.1]", False)])
def test_an_address_of_this_machine_in_another_form(host: str, is_here: bool) -> None:
    """Whichever Python reads it: http is for this machine alone."""
    if is_here:
        assert parse_base_url(f"http://{host}").host == host.strip("[]")
    else:
        with pytest.raises(ConfigError, match="must be https"):
            parse_base_url(f"http://{host}")


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


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
async def test_a_certificate_of_ours_that_is_missed(
    version: ssl.TLSVersion, authority: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    """A server that wants one is not asked again, and `ssl_context` is where to load it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    authority.issue_cert(*NAMES).configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    def handle(peer: Peer) -> None:
        records = Records(peer, context, shakes_hands=False)
        with pytest.raises(ssl.SSLError):
            records.run(records.tls.do_handshake)
        records.flush()
        peer.wait_for_close()  # else what the client has sent resets the connection, and it never hears why

    with RawServer(handle) as server:
        url = server.url.replace("http:", "https:")
        executor = make_executor(url, timeouts=ROOMY, retry=AT_ONCE, ssl_context=client_tls)
        with pytest.raises(ConnectionFailedError, match=r"(?i)alert.*ssl_context=.*after 1 attempt"):
            await executor.send(Question())
        await executor.aclose()
    assert server.connections == 1


@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_authorities_of_the_environment_that_are_none(
    content: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are refused where the client is made; where they are not asked for, they are none of its business."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        AsyncIndivd(TOKEN, trust_env=True)
    AsyncIndivd(TOKEN, trust_env=True, ssl_context=ssl.create_default_context())
    AsyncIndivd(TOKEN)


# Proxies.


@pytest.mark.parametrize("form", ["{}", "{}/", "127.0.0.1:{port}"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_from_the_environment(variable: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used where trust_env says so, and NO_PROXY does not take the host out, by its name or with its port."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    with RawServer(Peer.serve) as proxy, RawServer(Peer.serve) as server:
        monkeypatch.setenv(variable, form.format(proxy.url, port=proxy.port))
        options: dict[str, Any] = {"timeouts": ROOMY, "ssl_context": TRUST}
        executor = make_executor("http://api.localhost:9", trust_env=True, retry=ONCE, **options)
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
            executor = make_executor(server.url, trust_env=trust_env, **options)
            await executor.send(Question())
            await executor.aclose()
    assert proxy.connections == 1
    assert len(server.requests) == 4


@pytest.mark.usefixtures("all_names_are_here")
@pytest.mark.parametrize(
    ("exception", "applies"),
    [
        ("api.localhost", True),
        (".localhost", True),
        ("localhost", True),
        ("*.localhost", True),
        ("API.LocalHost.", True),
        ("other, api.localhost", True),
        ("other api.localhost", True),
        ("http://api.localhost", True),
        ("all://api.localhost", True),
        ("*", True),
        ("api.localhost:{port}", True),
        ("api.localhost:9", False),
        ("https://api.localhost", False),
        ("pi.localhost", False),
        ("api.localhost.example", False),
        ("127.0.0.0/8", False),
        ("", False),
        (",", False),
        (":", False),
        pytest.param(f"api.localhost:{'9' * 5000}", False, id="a port of 5000 digits"),
    ],
)
async def test_names_that_need_no_proxy(exception: str, applies: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As users of httpx, curl and requests write them in NO_PROXY."""
    with RawServer(Peer.serve) as proxy, RawServer(Peer.serve) as server:
        monkeypatch.delenv("REQUEST_METHOD", raising=False)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", exception.format(port=server.port))
        url = f"http://api.localhost:{server.port}"
        executor = make_executor(url, trust_env=True, timeouts=ROOMY, retry=ONCE, ssl_context=TRUST)
        await executor.send(Question())
        await executor.aclose()
        assert (len(server.requests), len(proxy.requests)) == ((1, 0) if applies else (0, 1))


@pytest.mark.parametrize(
    ("host", "exception", "applies"),
    [
        ("127.0.0.1", "127.0.0.0/8", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.0/8", False),
        ("127.0.0.1", ".0.0.1", False),
        ("[::1]", "::1", True),
        ("[::1]", "[::1]", True),
        ("[::1]", "[::1]:9", True),
        ("[::1]", "[::1]:8", False),
        ("[0:0::1]", "::/64", True),
        ("[::1]", "127.0.0.1", False),
    ],
)
async def test_addresses_that_need_no_proxy(
    host: str, exception: str, applies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any form, and networks of them."""
    with RawServer(Peer.serve) as proxy:
        monkeypatch.delenv("REQUEST_METHOD", raising=False)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", exception)
        executor = make_executor(f"http://{host}:9", trust_env=True, timeouts=ROOMY, retry=ONCE, ssl_context=TRUST)
        with pytest.raises(ConnectionFailedError) if applies else contextlib.nullcontext():
            await executor.send(Question())
        await executor.aclose()
        assert len(proxy.requests) == (0 if applies else 1)


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


@pytest.mark.parametrize(("status", "times"), [(407, 1), (403, 1), (302, 1), (429, 3), (502, 3)])
async def test_a_proxy_that_refuses_is_asked_again_as_the_api_is(status: int, times: int) -> None:
    """A wrong password does not get better by asking, and the third time may lock the account."""

    def refuse(peer: Peer) -> None:
        peer.request()
        peer.send(answer(b"", status=status))

    with RawServer(refuse) as proxy:
        executor = make_executor("https://127.0.0.1:9", proxy=proxy.url, ssl_context=TRUST, retry=AT_ONCE)
        with pytest.raises(ConnectionFailedError, match=f"the proxy made no tunnel: {status} Said; GET"):
            await executor.send(Question())
        await executor.aclose()
    assert len(proxy.requests) == times


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


def relay(peer: Peer) -> None:
    """Do as a proxy of HTTP does: pass a plain request on, and make a tunnel for the others."""
    head = peer.request()
    if head is None:
        return
    method, target, _ = head.decode().split(" ", 2)
    is_tunnel = method == "CONNECT"
    host, _, port = (target if is_tunnel else urlsplit(target).netloc).rpartition(":")
    join(peer, host.strip("[]"), int(port), b"HTTP/1.1 200 Connected\r\n\r\n" if is_tunnel else b"", head)


def socks(peer: Peer) -> None:
    """Do as a SOCKS5 proxy does for one who needs no password."""
    greeting = peer.sock.recv(2)
    assert greeting[:1] == b"\5"
    peer.sock.recv(greeting[1])
    peer.send(b"\5\0")
    kind = peer.sock.recv(4)[3]
    size = {1: 4, 4: 16}.get(kind) or peer.sock.recv(1)[0]
    address = peer.sock.recv(size)
    host = address.decode() if kind == 3 else str(ip_address(address))
    peer.server.requests.append(address)
    join(peer, host, int.from_bytes(peer.sock.recv(2), "big"), b"\5\0\0\1" + bytes(6))


def join(peer: Peer, host: str, port: int, said: bytes, head: bytes = b"") -> None:
    """Connect, and carry both ways what comes; without a word of its own *head* goes first."""
    with socket.create_connection((host, port)) as far:
        if said:
            peer.send(said)
        else:
            far.sendall(head)
        carry(peer.sock, far)


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


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(b"\5\xff", "NO ACCEPTABLE METHODS", id="refused"),
        pytest.param(b"", r"no connection after 0\.2 s \(Timeouts\.connect\)", id="silent"),
        pytest.param(b"\5\0", r"no connection after 0\.2 s \(Timeouts\.connect\)", id="silent then"),
    ],
)
async def test_a_socks_proxy_that_carries_nothing(reply: bytes, told: str, anyio_backend: str) -> None:
    """It is waited for as for any connection, which ends with the attempt, whenever the garbage collector comes by."""

    def refuse(peer: Peer) -> None:
        peer.sock.recv(4096)
        peer.send(reply)
        peer.wait_for_close()

    gc.disable()
    try:
        with RawServer(refuse) as proxy:
            executor = make_executor(
                proxy=proxy.url.replace("http:", "socks5:"), timeouts=evolve(ROOMY, connect=0.2), retry=ONCE
            )
            with pytest.raises((ConnectionFailedError, RequestTimeoutError), match=told):
                await executor.send(Question())
            await anyio.to_thread.run_sync(proxy.wait_until_idle)
            await executor.aclose()
    finally:
        gc.enable()


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize("said", [[], [b"HTTP/1.1 400 Bad\r\n\r\n"], [b"\5\0"], [b"\5\0", b"\5\x09"]])
async def test_a_socks_proxy_that_is_none(said: list[bytes]) -> None:
    """Whether it goes or says what nobody knows, that is a connection that failed, and is tried again."""

    def answer_in_turn(peer: Peer) -> None:
        for reply in said:
            peer.sock.recv(4096)
            peer.send(reply)
        peer.sock.recv(4096)

    with RawServer(answer_in_turn) as proxy:
        executor = make_executor(proxy=proxy.url.replace("http:", "socks5:"), timeouts=ROOMY)
        with pytest.raises(ConnectionFailedError, match="the proxy's answer is not an answer in SOCKS5") as caught:
            await executor.send(Question())
        await executor.aclose()
    assert caught.value.attempts == proxy.connections == AT_ONCE.attempts


@pytest.mark.parametrize("transport", [None, "aiohttp"])
@pytest.mark.parametrize("options", [{}, {"proxy": "http://{}:9"}, {"proxy": "socks5://{}:9"}], ids=str)
async def test_a_name_that_no_resolver_takes(options: dict[str, str], transport: Any, anyio_backend: str) -> None:
    """A label that is too long cannot be told before: some resolvers say so, and others refuse to encode it."""
    long = "a" * 64
    if transport == "aiohttp" and (anyio_backend == "trio" or "socks5" in str(options)):
        pytest.skip("aiohttp has neither")
    given: dict[str, Any] = {name: text.format(long) for name, text in options.items()}
    executor = make_executor(
        "https://api.example" if options else f"https://{long}",
        transport=transport,
        timeouts=ROOMY,
        retry=ONCE,
        **given,
    )
    with pytest.raises(ConnectionFailedError):
        await executor.send(Question())
    await executor.aclose()


# All of it at once.

#: Who sends, and of which library it is.
MATRIX: dict[str, Any] = {
    "default on asyncio": None,
    "default on trio": None,
    "aiohttp": None,
    "httpx's transport": httpx.AsyncHTTPTransport,
    "httpx's client": httpx.AsyncClient,
    "httpx2's transport": httpx2.AsyncHTTPTransport,
    "httpx2's client": httpx2.AsyncClient,
}
WAYS: dict[str, Callable[[Peer], object] | None] = {"direct": None, "http": relay, "https": relay, "socks5": socks}
#: How a client is told of proxy and authorities.
TOLD = ("context", "file", "environment")


@contextlib.asynccontextmanager
async def sending(sender: str, told: str, proxy: str | None, context: ssl.SSLContext) -> AsyncIterator[dict[str, Any]]:
    """Give the options of a client that sends so; what is injected is told by its own options, and closed here."""
    make, way = MATRIX[sender], {"proxy": proxy} if proxy else {}
    if make is None:
        options: dict[str, Any] = {"transport": "aiohttp"} if sender == "aiohttp" else {}
        yield options | ({"trust_env": True} if told == "environment" else {**way, "ssl_context": context})
        return
    library = httpx2 if make.__module__.startswith("httpx2") else httpx
    if proxy is not None and told != "environment":
        way = {"proxy": library.Proxy(proxy, ssl_context=context if proxy.startswith("https:") else None)}
    if told == "environment":
        way = {"trust_env": True, "mounts": None} if make.__name__ == "AsyncClient" else {"trust_env": True, **way}
    else:
        way |= {"verify": context, "trust_env": False}
    async with make(**way) as own:
        yield {"http_client" if make.__name__ == "AsyncClient" else "transport": own}


def is_refused(sender: str, way: str, told: str) -> bool:
    """Tell what is not to be had, and said so: aiohttp knows no SOCKS."""
    return sender == "aiohttp" and way == "socks5"


@pytest.mark.usefixtures("all_names_are_here")
@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("anyio_backend", "sender"),
    [pytest.param("trio" if name == "default on trio" else "asyncio", name, id=name) for name in MATRIX],
)
async def test_every_sender_on_every_way(
    sender: str,
    way: str,
    scheme: str,
    told: str,
    server_tls: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To every form of a host, over http and https, directly and by proxies, whoever says whom to trust."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.create_default_context(cafile=file)
    if told == "context":
        context = ssl.create_default_context()
        authority.configure_trust(context)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(RawServer(Peer.serve, tls=server_tls if scheme == "https" else None))
        proxy = None
        if (handle := WAYS[way]) is not None:
            between = stack.enter_context(RawServer(handle, tls=server_tls if way == "https" else None))
            # Of a proxy with a dot at its end, httpx holds the certificate against the name as it stands.
            proxy = f"{way}://localhost{'.' if MATRIX[sender] is None else ''}:{between.port}"
            monkeypatch.setenv(f"{scheme}_proxy", proxy)
        hosts = HOSTS if told == "context" else HOSTS[2::4]
        for number, (host, name) in enumerate(form.values for form in hosts):
            url = f"{scheme}://{host}:{server.port}"
            async with sending(sender, told, proxy, context) as options:
                if is_refused(sender, way, told):
                    with pytest.raises(ConfigError, match=r"only with http and https.*leave transport out"):
                        make_executor(url, **options)
                    continue
                executor = make_executor(url, timeouts=ROOMY, retry=ONCE, **options)
                assert (await executor.send(Question())).body == b"[]"
                await executor.aclose()
            assert f"\r\nHost: {name}:{server.port}\r\n".encode() in server.requests[number]
        if proxy is not None and not is_refused(sender, way, told):
            assert between.connections == len(hosts)
            assert scheme == "http" or TOKEN.encode() not in b"".join(between.requests)
