"""The connections of a lane, below HTTP."""

from __future__ import annotations

import contextlib
import errno
import random
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import trio
from asking import ONCE, ROOMY, TOKEN, Question, make_executor
from attrs import evolve
from interrupting import ENVIRONMENT
from raw_server import Peer, RawServer

from indivd_async.errors import ConnectionFailedError, RequestTimeoutError
from indivd_async.settings import Limits
from indivd_async.transport import Failure, Token, parse_base_url, plan_lanes
from indivd_async.transport.address import Way
from indivd_async.transport.network import Connection, connect

pytestmark = pytest.mark.anyio


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, whose limits it may change."""
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)


async def connect_to(server: RawServer) -> Connection:
    way = Way(
        base_url=parse_base_url(server.url), token=Token("t"), max_bytes=2**20, ssl_context=ssl.create_default_context()
    )
    return await connect(way)


async def until(condition: threading.Event) -> None:
    await anyio.to_thread.run_sync(condition.wait, 20)
    assert condition.is_set()


async def test_what_is_not_read_is_held_back() -> None:
    """A server that sends faster than anyone reads is held up by the network, and nothing of it is lost."""
    sent = threading.Event()
    size = 32 * 2**20
    flood = bytes(size)

    def handle(peer: Peer) -> None:
        peer.send(flood)
        sent.set()

    with RawServer(handle) as server:
        connection = await connect_to(server)
        tracemalloc.start()
        try:
            # Many turns of the loop: it takes what it may hold, and then no more.
            for _ in range(100):
                await anyio.sleep(0.001)
            assert not sent.is_set()
            assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
        finally:
            tracemalloc.stop()
        total = 0
        with contextlib.suppress(anyio.EndOfStream):
            while True:
                total += len(await connection.receive())
        assert total == size
        await connection.aclose()


async def test_what_does_not_fit_at_once_is_sent_whole() -> None:
    """The system takes a part of it; the rest follows when there is room, in order, and nothing twice."""
    sent = random.Random(1).randbytes(16 * 2**20)
    got = bytearray()

    def handle(peer: Peer) -> None:
        while len(got) < len(sent) and (chunk := peer.sock.recv(2**16)):
            got.extend(chunk)
        peer.send(b"thanks")
        peer.wait_for_close()

    with RawServer(handle) as server:
        connection = await connect_to(server)
        await connection.send(sent)
        assert await connection.receive() == b"thanks"
        await connection.aclose()
    assert got == sent


async def test_who_sends_into_a_connection_that_ended_is_told() -> None:
    """By the sending, or by the wait for an answer that follows it; never by a wait for ever."""

    def handle(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.reset()

    async def ask() -> None:
        await connection.send(b"more")
        await connection.receive()

    with RawServer(handle) as server:
        connection = await connect_to(server)
        await connection.send(b"1")
        await anyio.to_thread.run_sync(server.wait_until_idle)
        with anyio.fail_after(29), pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await ask()
        await connection.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await connection.send(b"more")


async def test_bytes_that_nobody_asked_for_are_seen() -> None:
    """Between two requests no byte may come, nor the end of the connection."""
    came, asked = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        peer.sock.recv(5)
        peer.send(b"first")
        asked.wait(60)
        peer.send(b"unasked")
        came.set()
        peer.wait_for_close()

    with RawServer(handle) as server:
        connection = await connect_to(server)
        assert not connection.has_more()
        await connection.send(b"first")
        assert await connection.receive() == b"first"
        assert not connection.has_more()
        asked.set()
        await until(came)
        assert connection.has_more()
        await connection.aclose()
        assert connection.has_more()

    accepted = threading.Event()  # the system connects before the server looks
    with RawServer(lambda peer: accepted.set()) as server:
        connection = await connect_to(server)
        await until(accepted)
        await anyio.to_thread.run_sync(server.wait_until_idle)
        assert connection.has_more()
        await connection.aclose()


async def test_waits_end_with_the_attempt() -> None:
    """No wait goes beyond the end of the attempt; its own bound counts where it is shorter, also for connecting."""
    with RawServer(Peer.wait_for_close) as server:
        for timeouts, words in (
            (evolve(ROOMY, read=0.02), r"nothing was received for 0\.02 s \(Timeouts\.read\)"),
            (evolve(ROOMY, attempt=0.02), r"not whole after 0\.02 s"),
            (evolve(ROOMY, read=0.02, attempt=0.01), r"not whole after 0\.01 s"),
            (evolve(ROOMY, read=None, attempt=0.02), r"not whole after 0\.02 s"),
            (evolve(ROOMY, read=0.02, attempt=None, deadline=None), r"nothing was received for 0\.02 s"),
        ):
            executor = make_executor(server.url, timeouts=timeouts, retry=ONCE)
            with pytest.raises(RequestTimeoutError, match=words):
                await executor.send(Question())
            await executor.aclose()


async def test_a_closed_lane_sends_nothing() -> None:
    """After the end neither an open connection nor a new one carries anything."""
    with RawServer(Peer.serve) as server:
        lane = plan_lanes(parse_base_url(server.url), Token(TOKEN), Limits()).make()
        assert (await lane.get(b"/", ROOMY, 20)).body == b"[]"
        await lane.aclose()
        with pytest.raises(Failure, match="was closed"):
            await lane.get(b"/", ROOMY, 20)
        assert len(server.requests) == 1


async def test_what_is_asked_for_is_one_line() -> None:
    """A target that would be two requests is refused before anything is connected."""
    lane = plan_lanes(parse_base_url("https://api.invalid"), Token(TOKEN), Limits()).make()
    for target in (b"/ HTTP/1.1\r\nX: y", b"/a b", b"/\xe5", b""):
        with pytest.raises(Failure, match="visible ASCII") as caught:
            await lane.get(target, ROOMY, 20)
        assert not caught.value.is_retried
    await lane.aclose()


async def test_plain_bytes_before_a_handshake_are_never_read_as_encrypted() -> None:
    """Anybody on the way can send them: an answer must come through TLS."""

    def handle(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        peer.wait_for_close()

    with RawServer(handle) as server:
        executor = make_executor(server.url.replace("http:", "https:"), timeouts=ROOMY, retry=ONCE)
        with pytest.raises(ConnectionFailedError):
            await executor.send(Question())
        await executor.aclose()
        await anyio.to_thread.run_sync(server.wait_until_idle)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_few_file_descriptors(anyio_backend: str) -> None:
    """A process that may open no more goes on over the connections it has, tries nothing in vain, and says so once."""
    script = """
        import anyio, logging, os, resource, sys
        from asking import ROOMY, Question, make_executor
        from indivd_async.settings import Limits

        logging.basicConfig(level=logging.WARNING, format="%(message)s")

        async def main():
            executor = make_executor(sys.argv[1], timeouts=ROOMY, limits=Limits(concurrency=100))
            async with anyio.create_task_group() as tasks:
                await anyio.lowlevel.checkpoint()
                open_ = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 40
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_ + 10, open_ + 10))
                for _ in range(300):
                    tasks.start_soon(executor.send, Question())
            assert executor.stats.attempts == executor.stats.requests == 300, executor.stats
            assert executor.stats.in_flight == 0
            await executor.aclose()

        anyio.run(main, backend=sys.argv[2])
    """
    with RawServer(Peer.serve) as server:
        done = run_script(script, server.url, anyio_backend)
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 300
    assert server.connections <= 12
    assert done.stderr.count("ulimit -n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize("how", ["asyncio", "trio", "aiohttp"])
def test_connections_leave_file_descriptors_to_all_else(how: str) -> None:
    """The first answer of a process is read by modules that are opened then, when many requests are in the air."""
    script = """
        import anyio, os, resource, sys
        from indivd_async import AsyncIndivd, Limits

        async def main():
            over = "aiohttp" if sys.argv[2] == "aiohttp" else None
            async with AsyncIndivd("t", base_url=sys.argv[1], limits=Limits(concurrency=100), transport=over) as client:
                async with anyio.create_task_group() as tasks:
                    open_ = len(os.listdir("/dev/fd"))
                    resource.setrlimit(resource.RLIMIT_NOFILE, (open_ + 30, open_ + 30))
                    for _ in range(100):
                        tasks.start_soon(client.with_options().categories)

        anyio.run(main, backend="trio" if sys.argv[2] == "trio" else "asyncio")
    """
    with RawServer(Peer.serve) as server:
        done = run_script(script, server.url, how)
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 100


@pytest.mark.parametrize(
    ("anyio_backend", "transport"),
    [
        ("asyncio", None),
        ("trio", None),
        ("asyncio", "aiohttp"),
        ("asyncio", httpx.AsyncHTTPTransport),
        ("asyncio", httpx2.AsyncHTTPTransport),
    ],
    ids=["asyncio", "trio", "aiohttp", "httpx", "httpx2"],
)
@pytest.mark.parametrize("allowed", [0, 1])
async def test_few_threads(transport: Any, allowed: int, monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> None:
    """Names are looked up in threads: where a process may start no more it goes on with the connections there are."""
    begin, started = threading.Thread.start, 0

    def start(thread: threading.Thread) -> None:
        nonlocal started
        started += 1
        if started > allowed:
            raise RuntimeError("can't start new thread")
        begin(thread)

    async def look_up(*arguments: Any, **options: Any) -> Any:
        # trio has threads of its own.
        start(threading.Thread(target=int))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

    with RawServer(Peer.serve) as server, monkeypatch.context() as patch:
        patch.setattr(trio.socket, "getaddrinfo", look_up)
        own = transport() if callable(transport) else None
        options = {"transport": own or transport}
        limits = Limits(concurrency=8)
        executor = make_executor(f"http://localhost:{server.port}", timeouts=ROOMY, limits=limits, **options)
        of_asyncio = lambda thread: thread.name.startswith("asyncio_")  # noqa: E731
        patch.setattr(threading.Thread, "start", lambda thread: (start if of_asyncio(thread) else begin)(thread))
        failures: list[ConnectionFailedError] = []

        async def ask() -> None:
            try:
                await executor.send(Question())
            except ConnectionFailedError as error:
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(ask)
        await executor.aclose()
        if own:
            await own.aclose()
    if allowed:
        assert failures == []
        assert len(server.requests) == executor.stats.attempts == 30
    else:
        assert len(failures) == 30
        assert all("can't start new thread; " in str(error) and "-u for threads" in str(error) for error in failures)


async def test_no_file_descriptor_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even one connection can be opened, the error names the limit."""

    def refuse(*arguments: object, **options: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url, timeouts=ROOMY)
        with monkeypatch.context() as patch:
            patch.setattr("trio.socket.socket", refuse)
            patch.setattr("asyncio.base_events.socket.socket", refuse)
            with pytest.raises(ConnectionFailedError, match=r"Too many open files; .*`ulimit -n`"):
                await executor.send(Question())
        await executor.aclose()
    assert server.connections == 0
