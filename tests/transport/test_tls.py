"""TLS, tunnels through a proxy, and names with several addresses."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
from typing import Any

import anyio
import pytest
import trustme
from asking import ONCE, ROOMY, SENDERS, TOKEN, Question, each_sender, make_executor, send_each
from attrs import evolve
from interrupting import by_scope, by_task, ends_by_closing
from raw_server import Peer, RawServer, answer

from indivd_async.errors import ClientClosedError, ConnectionFailedError, RequestTimeoutError
from indivd_async.settings import Limits

pytestmark = pytest.mark.anyio
anyio_backend = pytest.fixture(each_sender, params=SENDERS)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture(scope="module")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_private_authority(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """ssl_context= names whom to trust; HTTP/1.1 is spoken though the server knows another, on a kept connection."""
    with RawServer(Peer.serve, tls=server_tls) as server:
        executor = make_executor(server.url, ssl_context=client_tls, timeouts=ROOMY, limits=Limits(concurrency=3))
        await send_each(executor, [Question()] * 30, executor.send, workers=3)
        await executor.aclose()
    assert server.connections <= 3
    assert all(head.startswith(b"GET /path/?start_date=2025-03-01 HTTP/1.1\r\n") for head in server.requests)


async def test_the_protocol_that_is_offered(authority: trustme.CA, server_tls: ssl.SSLContext) -> None:
    """HTTP/1.1, whatever the caller's context offered before."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2"])
    spoken: list[str | None] = []

    def handle(peer: Peer) -> None:
        assert isinstance(peer.sock, ssl.SSLSocket)
        spoken.append(peer.sock.selected_alpn_protocol())
        peer.serve()

    with RawServer(handle, tls=server_tls) as server:
        executor = make_executor(server.url, ssl_context=context, timeouts=ROOMY)
        await executor.send(Question())
        await executor.aclose()
    assert spoken == ["http/1.1"]


async def test_large_answers_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """Bodies of many records arrive whole."""
    body = b"[" + b'"x",' * 2**18 + b"1]"
    with RawServer(lambda peer: peer.serve(answer(body)), tls=server_tls) as server:
        executor = make_executor(server.url, ssl_context=client_tls, timeouts=ROOMY)
        for _ in range(3):
            assert (await executor.send(Question())).body == body
        await executor.aclose()


async def test_unknown_authority(server_tls: ssl.SSLContext) -> None:
    """A certificate that nobody vouches for receives no request."""
    with RawServer(Peer.serve, tls=server_tls) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=ONCE)
        with pytest.raises(ConnectionFailedError, match="certificate verify failed"):
            await executor.send(Question())
        await executor.aclose()
    assert server.requests == []


async def test_another_name(authority: trustme.CA, client_tls: ssl.SSLContext) -> None:
    """A certificate for another host receives no request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    with RawServer(Peer.serve, tls=context) as server:
        executor = make_executor(server.url, ssl_context=client_tls, timeouts=ROOMY, retry=ONCE)
        with pytest.raises(ConnectionFailedError, match="certificate verify failed"):
            await executor.send(Question())
        await executor.aclose()
    assert server.requests == []


async def test_no_tls_at_all(client_tls: ssl.SSLContext) -> None:
    """A server that does not speak TLS is a failed connection."""
    with RawServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        url = server.url.replace("http:", "https:")
        executor = make_executor(url, ssl_context=client_tls, timeouts=ROOMY, retry=ONCE)
        with pytest.raises(ConnectionFailedError):
            await executor.send(Question())
        await executor.aclose()


async def test_a_handshake_that_is_never_answered(client_tls: ssl.SSLContext) -> None:
    """It is bounded like connecting."""
    with RawServer(Peer.wait_for_close) as server:
        url = server.url.replace("http:", "https:")
        executor = make_executor(url, ssl_context=client_tls, timeouts=evolve(ROOMY, connect=0.05), retry=ONCE)
        with pytest.raises(RequestTimeoutError, match=r"no connection after 0\.05 s"):
            await executor.send(Question())
        await executor.aclose()
        await anyio.to_thread.run_sync(server.wait_until_idle)
        await ends_by_closing(make_executor(url, ssl_context=client_tls, timeouts=ROOMY))


async def test_closing_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """What waits for its answer ends, and the connection with it."""
    with RawServer(Peer.wait_for_close, tls=server_tls) as server:
        await ends_by_closing(make_executor(server.url, ssl_context=client_tls, timeouts=ROOMY), count=2)
        await anyio.to_thread.run_sync(server.wait_until_idle)


async def test_a_stale_connection_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """A connection that the server closed is replaced unnoticed."""

    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(answer())

    with RawServer(handle, tls=server_tls) as server:
        executor = make_executor(server.url, ssl_context=client_tls, timeouts=ROOMY, limits=Limits(concurrency=1))
        for _ in range(5):
            await executor.send(Question())
        await executor.aclose()


async def test_cancel_at_every_await_over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, anyio_backend: str
) -> None:
    """A handshake may be cancelled anywhere, too."""
    with RawServer(Peer.serve, tls=server_tls) as server:
        for cancel in [by_scope] + [by_task] * (anyio_backend == "asyncio"):
            for at in range(1, 200):
                executor = make_executor(
                    server.url, ssl_context=client_tls, timeouts=ROOMY, limits=Limits(concurrency=1)
                )
                finished = await cancel(executor.send(Question()), at)
                await executor.send(Question())
                await executor.aclose()
                if finished:
                    break
            assert finished
        await anyio.to_thread.run_sync(server.wait_until_idle)


EVIL = answer(b'["evil"]')


class Records:
    """TLS at the server's end of a connection, record by record: several can be put into one segment."""

    def __init__(self, peer: Peer, context: ssl.SSLContext, *, shakes_hands: bool = True) -> None:
        self.sock = peer.sock
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.coming, self.going, server_side=True)
        if shakes_hands:
            self.run(self.tls.do_handshake)

    def run(self, step: Any, *arguments: object) -> Any:
        """Do *step*, with as many segments of the client's as it takes."""
        while True:
            try:
                done = step(*arguments)
            except ssl.SSLWantReadError:
                self.flush()
                segment = self.sock.recv(65536)
                if not segment:
                    return b""
                self.coming.write(segment)
            else:
                self.flush()
                return done

    def flush(self) -> None:
        if self.going.pending:
            self.sock.sendall(self.going.read())


@pytest.mark.parametrize("more", ["an answer", "a goodbye", "part of an answer"])
async def test_a_record_behind_an_answer(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, more: str, request: pytest.FixtureRequest
) -> None:
    """What came with an answer, though TLS has read it already, is never the next one's, and costs no attempt."""

    def handle(peer: Peer) -> None:
        records = Records(peer, server_tls)
        while records.run(records.tls.read, 65536):
            # Both go in one segment: nothing is sent between them.
            records.tls.write(answer(b"[]"))
            if more == "a goodbye":
                with contextlib.suppress(ssl.SSLWantReadError):
                    records.tls.unwrap()
            else:
                records.tls.write(EVIL if more == "an answer" else EVIL[:20])
            records.flush()

    with RawServer(handle) as server:
        url = server.url.replace("http:", "https:")
        executor = make_executor(url, ssl_context=client_tls, timeouts=ROOMY, limits=Limits(concurrency=1))
        for _ in range(10):
            reply = await executor.send(Question())
            assert (reply.body, reply.attempts) == (b"[]", 1)
        await executor.aclose()
    # aiohttp reads each answer with a parser of its own: what is not whole goes with the one that it came to.
    is_dropped = more == "part of an answer" and "aiohttp" in request.node.name
    assert server.connections == 10 or is_dropped


# Tunnels.


def tunnel(peer: Peer) -> None:
    """Do as a proxy does with CONNECT."""
    head = peer.request()
    assert head is not None
    method, target, _ = head.split(b" ", 2)
    assert method == b"CONNECT"
    host, _, port = target.decode().rpartition(":")
    with socket.create_connection((host, int(port))) as far:
        peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        carry(peer.sock, far)


def carry(one: socket.socket, other: socket.socket) -> None:
    """Carry both ways what comes, until a side ends; in one thread, since two may not share a TLS connection."""
    with contextlib.suppress(OSError, ValueError):
        while True:
            waiting = [side for side in (one, other) if isinstance(side, ssl.SSLSocket) and side.pending()]
            for source in waiting or select.select([one, other], [], [])[0]:
                chunk = source.recv(65536)
                if not chunk:
                    return
                (other if source is one else one).sendall(chunk)


@pytest.mark.parametrize("fault", ["closed", "silent"])
async def test_a_tunnel_that_failed_is_made_anew(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, fault: str
) -> None:
    """A handshake that fails behind a proxy costs an attempt, never the lane."""

    def open_second(peer: Peer) -> None:
        if peer.number > 1:
            tunnel(peer)
            return
        peer.request()
        peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
        if fault == "silent":
            peer.wait_for_close()

    with RawServer(Peer.serve, tls=server_tls) as server, RawServer(open_second) as proxy:
        executor = make_executor(
            server.url,
            proxy=proxy.url,
            ssl_context=client_tls,
            timeouts=evolve(ROOMY, connect=0.2),
            limits=Limits(concurrency=1),
        )
        for _ in range(3):
            await executor.send(Question())
        await executor.aclose()
    assert proxy.connections == 2
    assert executor.stats.attempts == 4


async def test_a_tunnel_through_a_proxy(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """Over https a proxy sees the host, its own password, and nothing else."""
    with RawServer(Peer.serve, tls=server_tls) as server, RawServer(tunnel) as proxy:
        executor = make_executor(
            server.url,
            proxy=proxy.url.replace("//", "//user:pass@"),
            ssl_context=client_tls,
            timeouts=ROOMY,
            limits=Limits(concurrency=2),
        )
        await send_each(executor, [Question()] * 10, executor.send, workers=2)
        await executor.aclose()
    assert len(server.requests) == 10
    assert 1 <= proxy.connections <= 2
    seen = b"".join(proxy.requests)
    assert b"Proxy-Authorization: Basic" in seen
    assert TOKEN.encode() not in seen
    assert b"Proxy-Authorization" not in b"".join(server.requests)


# Names with several addresses.


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let names resolve as a test says, on asyncio."""

    def say(*addresses: str) -> None:
        async def getaddrinfo(host: str, port: int, **options: object) -> list[Any]:
            if not addresses:
                raise socket.gaierror("no such name")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

    return say


needs_many_loopbacks = pytest.mark.skipif(
    not hasattr(socket, "SO_BINDTODEVICE"), reason="only Linux has 127.0.0.0/8 for loopback"
)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@needs_many_loopbacks
async def test_an_address_that_refuses_is_passed_over(resolve: Any) -> None:
    """The next address of the name is tried at once."""
    with RawServer(Peer.serve) as server:
        resolve("127.0.0.2", "127.0.0.1", "127.0.0.3")
        executor = make_executor(f"http://many.localhost:{server.port}", timeouts=ROOMY, retry=ONCE)
        await executor.send(Question())
        await executor.aclose()
        await anyio.to_thread.run_sync(server.wait_until_idle)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@needs_many_loopbacks
async def test_an_address_that_is_silent_is_overtaken(resolve: Any) -> None:
    """The next address is tried beside it; the one that answers first wins, and the other is let go."""
    with RawServer(Peer.serve) as server, socket.socket() as deaf:
        deaf.bind(("127.0.0.2", server.port))
        deaf.listen(0)
        with socket.create_connection(("127.0.0.2", server.port)):
            resolve("127.0.0.2", "127.0.0.1")
            tasks = asyncio.all_tasks()
            executor = make_executor(f"http://many.localhost:{server.port}", timeouts=ROOMY, retry=ONCE)
            await executor.send(Question())
            assert asyncio.all_tasks() == tasks
            await executor.aclose()
        assert server.connections == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@needs_many_loopbacks
async def test_no_address_answers(resolve: Any) -> None:
    """The first refusal is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    resolve("127.0.0.2", "127.0.0.3")
    executor = make_executor(f"http://many.localhost:{port}", timeouts=ROOMY, retry=ONCE)
    with pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.2"):
        await executor.send(Question())
    resolve()
    with pytest.raises(ConnectionFailedError, match="no such name"):
        await executor.send(Question())
    await executor.aclose()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@needs_many_loopbacks
async def test_cancel_at_every_await_among_addresses(resolve: Any) -> None:
    """A race between addresses may be cancelled anywhere, and leaves no task and no connection."""
    with RawServer(Peer.serve) as server:
        resolve("127.0.0.2", "127.0.0.1")
        tasks = asyncio.all_tasks()
        for cancel in (by_scope, by_task):
            for at in range(1, 200):
                executor = make_executor(f"http://many.localhost:{server.port}", timeouts=ROOMY)
                finished = await cancel(executor.send(Question()), at)
                await executor.aclose()
                assert asyncio.all_tasks() == tasks
                if finished:
                    break
            assert finished
        await anyio.to_thread.run_sync(server.wait_until_idle)


async def test_closed_before_it_connected(client_tls: ssl.SSLContext) -> None:
    """Nothing is sent after the end, whatever was under way."""
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url, ssl_context=client_tls, timeouts=ROOMY)
        await executor.aclose()
        with pytest.raises(ClientClosedError):
            await executor.send(Question())
    assert server.connections == 0
