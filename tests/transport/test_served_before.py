"""What bounds an attempt on a connection that served before: a timer on asyncio's loops, a cancel scope on trio."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest
import sniffio
import trustme
from asking import ONCE, ROOMY, Question, make_executor
from attrs import evolve
from interrupting import ends_by_closing
from raw_server import Peer, RawServer, answer

from indivd_async.errors import RequestTimeoutError, ServerError
from indivd_async.settings import Limits
from indivd_async.transport.http11 import Answer
from indivd_async.transport.replies import Draft

pytestmark = pytest.mark.anyio
LOOPS = [("asyncio", {}), ("asyncio", {"use_uvloop": True}), ("trio", {})]
_UNTIL_CLOSED = b"HTTP/1.1 200 Said\r\n\r\n"
_ONE = Limits(concurrency=1)
#: Nearly as many bytes as are read at once, records of TLS included.
_AT_ONCE = 258_000


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server and of its client."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def secured(
    request: pytest.FixtureRequest, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """Contexts of a server and of its client."""
    return contexts if request.param else (None, None)


@pytest.fixture(params=["roomy", "crowded"])
def room(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let this process open many more files, or few: then connections are watched as anyio does."""
    if request.param == "roomy":
        yield
        return
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(2) for _ in range(60)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 50, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    for number in taken:
        os.close(number)


def then(second: Callable[[Peer], object]) -> Callable[[Peer], None]:
    """Answer the first request, and do *second* with the next of the first connection; serve all others."""

    def handle(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        if peer.number == 1 and peer.request() is not None:
            second(peer)
            peer.wait_for_close()
        else:
            peer.serve()

    return handle


def silent(_: Peer) -> None:
    """Say nothing more."""


def dribble(head: bytes) -> Callable[[Peer], None]:
    """Send *head*, and then a byte now and then, until nobody listens."""

    def send(peer: Peer) -> None:
        peer.send(head)
        while True:
            peer.send(b"1")
            threading.Event().wait(0.01)

    return send


Secured = tuple[ssl.SSLContext | None, ssl.SSLContext | None]


@pytest.mark.parametrize(
    ("second", "bound", "words"),
    [
        pytest.param(silent, "read", "nothing was received", id="silent"),
        pytest.param(lambda peer: peer.send(answer(length=9)), "read", "nothing was received", id="breaks off"),
        pytest.param(dribble(answer(b"[", length=10**6)), "attempt", "was not whole", id="dribbles"),
        pytest.param(dribble(_UNTIL_CLOSED), "attempt", "was not whole", id="until closed"),
    ],
)
@pytest.mark.usefixtures("room")
async def test_it_ends_by_its_bound(second: Callable[[Peer], object], bound: str, words: str, secured: Secured) -> None:
    """Silent or never whole: the bound is named, what came is taken for no answer, and the next request is served."""
    with RawServer(then(second), tls=secured[0]) as server:
        executor = make_executor(
            server.url, timeouts=evolve(ROOMY, **{bound: 0.2}), retry=ONCE, limits=_ONE, ssl_context=secured[1]
        )
        await executor.send(Question())
        with pytest.raises(RequestTimeoutError, match=words):
            await executor.send(Question())
        assert (await executor.with_options(timeouts=ROOMY).send(Question())).body == b"[]"
        await executor.aclose()
        server.wait_until_idle()
    assert server.connections == 2


async def test_a_request_that_is_not_taken_ends_too() -> None:
    """A server that reads nothing holds no request beyond its bound."""
    with RawServer(then(lambda peer: threading.Event().wait(3))) as server:
        executor = make_executor(server.url, timeouts=evolve(ROOMY, attempt=0.3), retry=ONCE, limits=_ONE)
        await executor.send(Question())
        with pytest.raises(RequestTimeoutError, match="was not whole"):
            await executor.send(Question(f"/{'x' * 2**25}"))
        await executor.aclose()


async def test_a_status_holds_where_its_body_takes_too_long() -> None:
    """A 500 is a 500, whatever becomes of its body."""
    with RawServer(then(lambda peer: peer.send(answer(b"[", status=500, length=9)))) as server:
        executor = make_executor(server.url, timeouts=evolve(ROOMY, read=0.1), retry=ONCE, limits=_ONE)
        await executor.send(Question())
        with pytest.raises(ServerError):
            await executor.send(Question())
        await executor.aclose()


@pytest.mark.usefixtures("room")
async def test_closing_ends_it(secured: Secured) -> None:
    """Whoever waits while the client is closed hears of it at once."""
    with RawServer(then(silent), tls=secured[0]) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=_ONE, ssl_context=secured[1])
        await executor.send(Question())
        await ends_by_closing(executor)
        server.wait_until_idle()


async def test_an_outer_scope_ends_it(secured: Secured) -> None:
    """A caller's own bound is the caller's, and the connection is not used again."""
    with RawServer(then(silent), tls=secured[0]) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=_ONE, ssl_context=secured[1])
        await executor.send(Question())
        with anyio.move_on_after(0.1) as scope:
            await executor.send(Question())
        assert scope.cancelled_caught
        assert (await executor.send(Question())).body == b"[]"
        await executor.aclose()
        server.wait_until_idle()
    assert server.connections == 2


@pytest.mark.usefixtures("room")
async def test_what_nobody_asked_for_is_not_read_on(secured: Secured) -> None:
    """A flood between two requests fills no memory, and its connection is given up."""
    flooded: list[int] = []

    def flood(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        if peer.number == 1:
            peer.send(b"x" * 2**26)
            flooded.append(peer.number)
        peer.serve()

    with RawServer(flood, tls=secured[0]) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=_ONE, ssl_context=secured[1])
        await executor.send(Question())
        await anyio.sleep(0.1)
        assert (await executor.send(Question())).body == b"[]"
        await executor.aclose()
        server.wait_until_idle()
    assert flooded == []
    assert server.connections == 2


@pytest.mark.usefixtures("room")
async def test_large_answers_arrive_whole_again_and_again(secured: Secured) -> None:
    """Many pieces, faster than they are taken, on one connection."""
    body = b"[" + b'"x",' * 2**20 + b"1]"

    def handle(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(answer(body)[:-100])
            time.sleep(0.1)  # a last piece that is large may hide what follows, and costs the connection
            peer.send(body[-100:])

    with RawServer(handle, tls=secured[0]) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=_ONE, ssl_context=secured[1])
        for _ in range(3):
            assert (await executor.send(Question())).body == body
        await executor.aclose()
    assert server.connections == 1


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_last_piece_of_any_size_keeps_the_connection(secured: Secured) -> None:
    """Trio reads nothing that nobody asked for: a piece as large as may be read at once hides nothing behind it."""
    sizes = [4 * 2**20, _AT_ONCE, 2]

    def handle(peer: Peer) -> None:
        for size in sizes:
            if peer.request() is None:
                return
            time.sleep(0.1)
            peer.send(answer(b"7" * size))

    with RawServer(handle, tls=secured[0]) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=_ONE, ssl_context=secured[1])
        for size in sizes:
            async with anyio.create_task_group() as group:
                group.start_soon(_busy)  # until all of it has arrived
                assert len((await executor.send(Question())).body) == size
        await executor.aclose()
    assert server.connections == 1


async def _busy() -> None:
    await anyio.sleep(0.05)
    time.sleep(0.3)  # noqa: ASYNC251


async def test_what_read_an_answer_goes_with_it(secured: Secured) -> None:
    """Its parser, its body: nothing is left for the collector, which would come more often, and later hold more."""
    with RawServer(Peer.serve, tls=secured[0]) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=_ONE, ssl_context=secured[1])
        await executor.send(Question())
        gc.collect()
        gc.disable()
        try:
            await executor.send(Question())
            assert not [each for each in gc.get_objects() if isinstance(each, (Answer, Draft))]
        finally:
            gc.enable()
        await executor.aclose()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_a_client_that_nobody_closed_leaves_nothing_open(secured: Secured) -> None:
    """Its connection ends when it is gone, while the loop goes on, and the number may be another's."""
    if sniffio.current_async_library() == "trio":
        pytest.skip("trio says so itself, and closes")
    counts = []
    with RawServer(Peer.serve, tls=secured[0]) as server:
        for _ in range(4):
            executor = make_executor(server.url, timeouts=ROOMY, limits=_ONE, ssl_context=secured[1])
            await executor.send(Question())
            del executor
            gc.collect()
            await anyio.to_thread.run_sync(server.wait_until_idle)
            await anyio.sleep(0.01)
            counts.append(_open_files())
    assert counts[-1] <= counts[0]  # the first has the loop open what it keeps


def _open_files() -> int:
    """Count the numbers below a hundred that are taken."""
    taken = 0
    for number in range(100):
        with contextlib.suppress(OSError):
            os.fstat(number)
            taken += 1
    return taken


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:unclosed:ResourceWarning")
async def test_a_fork_that_lets_go_ends_no_connection_of_its_parent() -> None:
    """What is collected there is its own numbers only."""
    with RawServer(Peer.serve) as server:
        executors = [make_executor(server.url, timeouts=ROOMY, limits=_ONE)]
        await executors[0].send(Question())
        if not (child := os.fork()):
            executors.clear()
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)  # noqa: ASYNC222  it is gone at once
        await executors[0].send(Question())
        await executors[0].aclose()
    assert server.connections == 1
