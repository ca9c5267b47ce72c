"""Cancellation at every point, closing at every moment, and the places where a client cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio
from asking import AT_ONCE, ONCE, ROOMY, SENDERS, Question, each_sender, make_executor, send_each
from attrs import evolve
from interrupting import ENVIRONMENT, by_scope, by_task, ends_by_closing
from raw_server import Peer, RawServer, answer

from indivd_async.errors import ClientClosedError, IndivdError, ResponseTooLargeError, ServerError
from indivd_async.execution import Executor
from indivd_async.settings import Limits, RetryPolicy

pytestmark = pytest.mark.anyio
anyio_backend = pytest.fixture(each_sender, params=SENDERS)

LANES = 3


def open_files() -> int | None:
    """Count the file descriptors of this process, where the system tells."""
    listing = Path("/proc/self/fd")
    return len(list(listing.iterdir())) if listing.exists() else None


async def assert_serves(executor: Executor, server: RawServer) -> None:
    """Every lane serves, nothing is in the air, and no connection is open beyond those of the lanes."""
    assert executor.stats.in_flight == 0
    served = 0

    async def handle(question: Question) -> None:
        nonlocal served
        await executor.send(question)
        served += 1

    await send_each(executor, [Question("/serves")] * LANES * 4, handle, workers=LANES * 2)
    assert served == LANES * 4
    assert len(executor.lanes._idle) == len(executor.lanes._made) <= LANES
    assert not executor.lanes._waiters


def serving(peer: Peer) -> None:
    """Answer by the path: in pieces, packed, failing once a connection, or too large."""
    failed = False
    while (head := peer.request()) is not None:
        if b"/retry" in head and not failed:
            failed = True
            peer.send(answer(status=503))
        elif b"/large" in head:
            peer.send(answer(b"x" * 300_000))
        else:
            whole = answer(b"[1, 2, 3]")
            peer.send(whole[:20])
            peer.send(whole[20:-3])
            peer.send(whole[-3:])


SCENES = ["/fresh", "/used", "/waiting", "/retry", "/large", "/close"]


@pytest.mark.parametrize("scene", SCENES)
async def test_cancel_at_every_await(scene: str, anyio_backend: str) -> None:
    """Wherever a call is cancelled, its lane serves again, and no task, connection or waiter is left."""
    limits = Limits(concurrency=LANES, max_response_bytes=100_000)
    tasks = asyncio.all_tasks() if anyio_backend == "asyncio" else None
    with RawServer(serving) as server:
        for cancel in [by_scope] + [by_task] * (anyio_backend == "asyncio"):
            for at in range(1, 200):
                executor = make_executor(server.url, timeouts=ROOMY, limits=limits)
                finished = await cancel_in_scene(executor, scene, cancel, at)
                if scene == "/close":
                    with pytest.raises(ClientClosedError):
                        await executor.send(Question())
                else:
                    await assert_serves(executor, server)
                await executor.aclose()
                if tasks is not None:
                    assert asyncio.all_tasks() == tasks
                if finished:
                    break
            assert finished
            assert at > 1 or scene == "/close"
        await anyio.to_thread.run_sync(server.wait_until_idle)


async def cancel_in_scene(
    executor: Executor, scene: str, cancel: Callable[[Coroutine[Any, Any, object], int], Awaitable[bool]], at: int
) -> bool:
    if scene in {"/used", "/close"}:
        await executor.send(Question())
    if scene == "/close":
        return await cancel(executor.aclose(), at)

    async def call() -> None:
        with contextlib.suppress(ResponseTooLargeError):
            await executor.send(Question(scene))

    if scene != "/waiting":
        return await cancel(call(), at)
    async with anyio.create_task_group() as tasks:
        for _ in range(LANES):
            tasks.start_soon(executor.send, Question("/others"))
        await anyio.lowlevel.checkpoint()
        return await cancel(call(), at)


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_cancels(seed: int) -> None:
    """Hundreds of calls cancelled at random lose no lane."""
    dice = random.Random(seed)
    before = open_files()
    with RawServer(serving) as server:
        # A call may meet new connections only, each of which fails once.
        retry = evolve(AT_ONCE, attempts=50)
        executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=LANES), retry=retry)

        async def call() -> None:
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                await executor.send(Question(dice.choice(["/fresh", "/retry"])))

        for _ in range(12):
            scopes: list[anyio.CancelScope] = []
            async with anyio.create_task_group() as tasks:
                for _ in range(25):
                    tasks.start_soon(call)
                while len(scopes) < 25:
                    await anyio.lowlevel.checkpoint()
                for scope in dice.sample(scopes, 20):
                    scope.cancel()
                    for _ in range(dice.randrange(12)):
                        await anyio.lowlevel.checkpoint()
        await assert_serves(executor, server)
        await executor.aclose()
    gc.collect()
    assert open_files() == before


# Closing.


async def test_closing_ends_what_is_in_the_air_and_what_waits() -> None:
    """Requests that are being answered, and those that wait for a lane, end at once."""
    with RawServer(Peer.wait_for_close) as server:
        executor = make_executor(server.url, timeouts=ROOMY, limits=Limits(concurrency=2))
        await ends_by_closing(executor, count=6)


async def test_closing_ends_what_connects() -> None:
    """A handshake under way is given up, and nothing is sent on it later."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            await ends_by_closing(make_executor(f"http://127.0.0.1:{port}", timeouts=ROOMY))


async def test_closing_ends_what_sleeps() -> None:
    """A request between two attempts, or held back by a pause, does not sleep on."""
    patient = RetryPolicy(base_overloaded=10, cap=10)
    busy = answer(status=503, headers=["Retry-After: 30"])
    with RawServer(lambda peer: peer.serve(busy)) as server:
        executor = make_executor(server.url, timeouts=ROOMY, retry=patient)
        await ends_by_closing(executor, count=3)


async def test_closing_ends_what_an_injected_transport_does() -> None:
    """The request ends; the transport is the caller's and stays open."""

    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    await ends_by_closing(make_executor(transport=httpx.MockTransport(hang), timeouts=ROOMY), count=3)


async def test_closing_a_proxy_lane() -> None:
    """Connections to a proxy are ours, and closed."""
    with RawServer(Peer.wait_for_close) as proxy:
        await ends_by_closing(make_executor("http://127.0.0.1:9", proxy=proxy.url, timeouts=ROOMY))


async def test_closing_leaves_no_descriptor() -> None:
    """After use and close there are as many open files as before."""
    with RawServer(Peer.serve) as server:
        before = open_files()
        executor = make_executor(server.url, limits=Limits(concurrency=10))
        await send_each(executor, [Question()] * 50, executor.send, workers=10)
        await executor.aclose()
        await anyio.to_thread.run_sync(server.wait_until_idle)
        assert open_files() == before


async def test_use_after_close() -> None:
    """It is refused at once; closing again does nothing."""
    executor = make_executor(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
    view = executor.with_options(retry=ONCE)
    await executor.aclose()
    for closed in (executor, view):
        with pytest.raises(ClientClosedError, match="was closed"):
            await closed.send(Question())
        with pytest.raises(ClientClosedError, match="was closed"):
            closed.check()
        await closed.aclose()
    assert executor.stats.requests == 0


async def test_closing_from_another_task() -> None:
    """A client may be opened, used and closed by different tasks, as fixtures do."""
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url)
        for step in (executor.send(Question()), executor.send(Question()), executor.aclose()):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda step=step: step)
        assert server.connections == 1


async def test_who_gets_a_lane_as_the_client_closes_sends_nothing() -> None:
    """The lane was on its way when the end came."""
    gate, asked = anyio.Event(), 0

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        await gate.wait()
        return httpx.Response(200, content=b"[]")

    executor = make_executor(transport=httpx.MockTransport(handle), limits=Limits(concurrency=1))

    async def first() -> None:
        await executor.send(Question())
        await executor.aclose()

    async def second() -> None:
        with pytest.raises(ClientClosedError):
            await executor.send(Question())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert asked == 1


async def test_an_interrupted_close_closes_every_lane(anyio_backend: str) -> None:
    """A task that is cancelled while it closes leaves no connection behind; asyncio's own cancel minds no shield."""
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url)
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(executor.send, Question())
        assert server.connections == 4

        if anyio_backend == "asyncio":
            closing = asyncio.create_task(executor.aclose())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
        else:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await executor.aclose()
        await anyio.to_thread.run_sync(server.wait_until_idle)


# Places where it cannot be used.


def test_made_outside_a_loop() -> None:
    """A client needs a loop when it is used, not when it is made."""
    with RawServer(Peer.serve) as server:
        for run in (asyncio.run, lambda coroutine: trio.run(lambda: coroutine)):
            executor = make_executor(server.url)

            async def use(executor: Executor = executor) -> None:
                await executor.send(Question())
                await executor.aclose()

            run(use())


@pytest.mark.parametrize("second", ["asyncio", "trio"])
@pytest.mark.parametrize("first", ["asyncio", "trio"])
def test_another_loop(first: str, second: str) -> None:
    """Connections belong to the loop they were made on; elsewhere the client says so at once, and closes quietly."""
    executor = make_executor(transport=httpx.MockTransport(lambda request: httpx.Response(200, content=b"[]")))

    async def use() -> None:
        await executor.send(Question())

    async def refused() -> None:
        with pytest.raises(ClientClosedError, match="another event loop"):
            await executor.send(Question())
        for _ in range(2):
            await executor.aclose()
        with pytest.raises(ClientClosedError, match="was closed"):
            await executor.send(Question())

    anyio.run(use, backend=first)
    anyio.run(refused, backend=second)


@pytest.mark.parametrize("there", ["asyncio", "trio"])
@pytest.mark.parametrize("here", ["asyncio", "trio"])
def test_closing_from_another_thread(here: str, there: str) -> None:
    """What is in the air on the other loop ends there, as if it had been closed there; its connections do, too."""
    asked = threading.Event()
    ended: list[BaseException] = []

    def handle(peer: Peer) -> None:
        peer.request()
        asked.set()
        peer.wait_for_close()

    with RawServer(handle) as server:
        executor = make_executor(server.url, timeouts=ROOMY)

        async def use() -> None:
            with pytest.raises(ClientClosedError) as caught:
                await executor.send(Question())
            ended.append(caught.value)
            await anyio.to_thread.run_sync(server.wait_until_idle)

        thread = threading.Thread(target=anyio.run, args=(use,), kwargs={"backend": there})
        thread.start()
        assert asked.wait(120)
        for _ in range(2):
            anyio.run(executor.aclose, backend=here)
        thread.join(60)
    assert len(ended) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # by the loop that ended without closing
def test_closing_after_the_loop_has_ended(backend: str) -> None:
    """It is too late to say goodbye, and no error."""
    with RawServer(Peer.serve) as server:
        executor = make_executor(server.url)
        anyio.run(executor.send, Question(), backend=backend)
        anyio.run(executor.aclose, backend="asyncio")
        anyio.run(executor.aclose, backend="trio")
        del executor
        gc.collect()


def test_a_client_that_was_never_used_closes_anywhere() -> None:
    """It has no connections that could belong to a loop."""
    anyio.run(make_executor().aclose)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork() -> None:
    """In a forked process the client says so at once, instead of sharing connections."""
    script = """
        import anyio, httpx, os, sys
        from asking import Question, make_executor, send_each
        from indivd_async import ClientClosedError

        executor = make_executor(transport=httpx.MockTransport(lambda request: httpx.Response(200, content=b"[]")))
        child = os.fork()
        if child:
            anyio.run(executor.send, Question())
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        for word in ("fork", "closed"):
            try:
                anyio.run(executor.send, Question())
            except ClientClosedError as error:
                assert word in str(error)
            else:
                os._exit(1)
            anyio.run(executor.aclose)
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=ENVIRONMENT, check=True, timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_interrupt_ends_a_batch(backend: str) -> None:
    """Ctrl-C in the middle of a batch comes out as KeyboardInterrupt."""
    script = """
        import anyio, sys
        from asking import ROOMY, Question, make_executor, send_each

        executor = make_executor(sys.argv[1], timeouts=ROOMY)
        try:
            anyio.run(lambda: send_each(executor, [Question()] * 100, executor.send, workers=8), backend=sys.argv[2])
        except KeyboardInterrupt:
            sys.exit(0)
        sys.exit(1)
    """
    asked = threading.Event()

    def handle(peer: Peer) -> None:
        peer.request()
        asked.set()
        peer.wait_for_close()

    with RawServer(handle) as server:
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), server.url, backend], env=ENVIRONMENT)
        assert asked.wait(120)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0


def test_a_client_is_never_pickled() -> None:
    """It says why."""
    with pytest.raises(TypeError, match="plans and results are"):
        pickle.dumps(make_executor())


async def test_errors_pickle_and_clients_in_them_do_not() -> None:
    """An error raised by a client can cross a process, whatever it was raised from."""
    executor = make_executor(transport=httpx.MockTransport(lambda request: httpx.Response(500)), retry=AT_ONCE)
    with pytest.raises(ServerError) as caught:
        await executor.send(Question())
    twin = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(twin, IndivdError)
    assert str(twin) == str(caught.value)
    assert twin.__dict__ == caught.value.__dict__
