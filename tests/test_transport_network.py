"""The sockets of a lane, below HTTP."""

from __future__ import annotations

import ssl
import threading
import time

import anyio
import httpcore
import pytest
from raw_server import Peer, RawServer

from indivd_async.transport import is_on_trio
from indivd_async.transport.network import LaneNetwork

pytestmark = pytest.mark.anyio


async def connect(server: RawServer) -> tuple[LaneNetwork, httpcore.AsyncNetworkStream]:
    network = LaneNetwork(on_trio=is_on_trio())
    return network, await network.connect_tcp("127.0.0.1", server.port, timeout=20)


async def until(condition: threading.Event) -> None:
    await anyio.to_thread.run_sync(condition.wait, 20)
    assert condition.is_set()


async def test_what_is_not_read_is_held_back() -> None:
    """A server that sends faster than anyone reads is held up by the network, and nothing of it is lost."""
    sent = threading.Event()
    size = 32 * 2**20

    def flood(peer: Peer) -> None:
        peer.send(bytes(size))
        sent.set()

    with RawServer(flood) as server:
        network, stream = await connect(server)
        # Many turns of the loop: it takes what it may hold, and then no more.
        for _ in range(100):
            await anyio.sleep(0.001)
        assert not sent.is_set()
        assert network.received < 2 * 2**20
        total = 0
        while chunk := await stream.read(65536, timeout=20):
            assert len(chunk) <= 65536
            total += len(chunk)
        assert total == size
        await stream.aclose()


async def test_bytes_before_a_request_end_the_connection() -> None:
    """Between the last look at an idle connection and the request no byte may come; with one, nothing is sent."""
    came = threading.Event()

    def handle(peer: Peer) -> None:
        peer.sock.recv(5)
        peer.send(b"first")
        asked.wait(20)
        peer.send(b"unasked")
        came.set()
        assert peer.sock.recv(65536) == b""

    asked = threading.Event()
    with RawServer(handle) as server:
        _, stream = await connect(server)
        await stream.write(b"first")
        assert await stream.read(65536, timeout=20) == b"first"
        asked.set()
        await until(came)
        while not stream.get_extra_info("is_readable"):  # noqa: ASYNC110  # the system tells nobody
            await anyio.sleep(0.001)
        await anyio.sleep(0.001)
        with pytest.raises(httpcore.NetworkError, match="before the request"):
            await stream.write(b"second")
        await stream.aclose()


async def test_waits_end_with_the_attempt() -> None:
    """No wait begins after the end of the attempt, nor goes beyond it; its own bound counts where it is shorter."""
    with RawServer(Peer.wait_for_close) as server:
        network, stream = await connect(server)
        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(1, timeout=0.01)
        assert not network.bound_by_end
        network.ends = time.monotonic() + 0.01
        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(1, timeout=20)
        assert network.bound_by_end
        network.ends = time.monotonic()
        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(1)
        with pytest.raises(httpcore.ConnectTimeout):
            await network.connect_tcp("127.0.0.1", server.port, timeout=20)
        await stream.aclose()


async def test_a_closed_network_sends_nothing() -> None:
    """After the end neither an open connection nor a new one carries anything."""
    with RawServer(Peer.wait_for_close) as server:
        network, stream = await connect(server)
        network.close()
        with pytest.raises(httpcore.NetworkError, match="was closed"):
            await stream.write(b"x")
        await stream.aclose()


async def test_addresses_of_both_ends_are_known() -> None:
    """httpcore asks for them by names of its own."""
    with RawServer(Peer.wait_for_close) as server:
        _, stream = await connect(server)
        assert stream.get_extra_info("server_addr")[:2] == ("127.0.0.1", server.port)
        assert stream.get_extra_info("client_addr")[0] == "127.0.0.1"
        assert stream.get_extra_info("ssl_object") is None
        assert stream.get_extra_info("nothing") is None
        await stream.aclose()


async def test_plain_bytes_before_a_handshake_are_never_read_as_encrypted() -> None:
    """Anybody on the way can send them: an answer must come through TLS."""
    came = threading.Event()

    def handle(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nevil")
        came.set()
        peer.wait_for_close()

    with RawServer(handle) as server:
        _, stream = await connect(server)
        await until(came)
        await anyio.wait_all_tasks_blocked()
        await anyio.sleep(0.005)  # the loop takes what came
        with pytest.raises(httpcore.ConnectError):
            await stream.start_tls(ssl.create_default_context(), "127.0.0.1", timeout=20)
        await stream.aclose()
