"""Where the blocking client's event loop runs: in the caller's thread while that goes, then for good in its own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import pytest
import trustme
from raw_server import Peer, RawServer, answer
from scripted import Params, Script, visits_by_day

from indivd_async import ClientClosedError, Event, Limits, RetryPolicy, Timeouts, ZoneVisitors, sandbox
from indivd_async.blocking import Indivd

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there the loop has a thread from the beginning")

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
WEEK = ZoneVisitors("2025-03-01", "2025-03-07", location=124, aggregate_by="dayofmonth", split=1)
ENDLESS = Timeouts(read=None, attempt=None, deadline=None)


@pytest.fixture
def client() -> Iterator[Indivd]:
    """Give a client of a transport that answers at once."""
    with Indivd("t", transport=Script(visits_by_day)) as client:
        yield client


def own_threads() -> int:
    """Count the threads that run a loop of a client's."""
    return sum(thread.name == "indivd-async" for thread in threading.enumerate())


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what a thread does that runs no event loop."""
    while not holds():  # noqa: ASYNC110
        await anyio.sleep(0.001)


def run_script(script: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, which must be a good one."""
    command = [sys.executable, *options, "-c", textwrap.dedent(script), *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


# Where it runs.


def test_calls_are_driven_by_who_waits_for_them() -> None:
    """No thread is started, and `on_event` is called in the caller's; another thread may call when it has ended."""
    seen: list[int] = []
    with Indivd(
        "t", transport=Script(visits_by_day), on_event=lambda event: seen.append(threading.get_ident())
    ) as client:
        callers = {threading.get_ident()}
        assert len(client.fetch(WEEK)) == 7
        with ThreadPoolExecutor(1) as pool:
            callers.add(pool.submit(threading.get_ident).result())
            assert len(pool.submit(client.fetch, WEEK).result()) == 7
        assert len(client.fetch(WEEK)) == 7
        assert own_threads() == 0
    assert set(seen) == callers


def test_a_second_thread_makes_it_go_over() -> None:
    """The call under way goes on where it was, over the same connections, and both are answered."""
    first, second = threading.Event(), threading.Event()

    async def wait_for_both(path: str, params: Params) -> Any:
        (second if first.is_set() else first).set()
        await until(second.is_set)
        return visits_by_day(path, params)

    with Indivd("t", transport=Script(wait_for_both)) as client, ThreadPoolExecutor(1) as pool:
        one_day = ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="dayofmonth")
        other = pool.submit(client.fetch, one_day)
        assert first.wait(60)
        assert own_threads() == 0
        assert len(client.fetch(WEEK)) == 7
        assert len(other.result(60)) == 1
        assert own_threads() == 1
        assert len(client.fetch(WEEK)) == 7
        assert own_threads() == 1
    assert client.stats.in_flight == 0


def test_it_goes_over_under_load() -> None:
    """Eight threads begin while one drives: each call has its own answer, nothing is asked twice, one thread runs."""
    days = [
        ZoneVisitors(f"2025-03-{day:02}", f"2025-03-{day:02}", location=124, aggregate_by="dayofmonth")
        for day in range(1, 29)
    ]

    def ask(start: threading.Event) -> list[int]:
        start.wait(60)
        return [client.fetch(day).current.insights[0].visits for day in days]

    for _ in range(5):
        script, start = Script(visits_by_day), threading.Event()
        with Indivd("t", transport=script) as client, ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(ask, start) for _ in range(8)]
            for number in range(20):
                client.fetch(days[number])
                if number == 10:
                    start.set()
            for call in calls:
                assert call.result(60) == list(range(1, 29))
            assert own_threads() <= 1
        assert script.in_air == 0
        assert own_threads() == 0


def test_who_waits_slowly_is_told_once() -> None:
    """Wherever a thread is in its waiting when the loop's own thread ends its call."""
    application = sandbox.app()
    application.latency_s = 0.3  # so that it waits by then
    slow = {"wait": 0.02, "_end": 0.005}

    def dawdle(frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and frame.f_globals.get("__name__") == "indivd_async.blocking.work":
            time.sleep(slow.get(frame.f_code.co_name, 0))
        return dawdle

    threading.settrace(dawdle)
    try:
        with Indivd("sandbox", transport=sandbox.transport(application)) as client, ThreadPoolExecutor(1) as pool:
            asyncio.run(call_where_a_loop_runs(client))
            assert own_threads() == 1
            assert all(pool.submit(client.fetch, WEEK).result(60).complete for _ in range(2))
    finally:
        threading.settrace(None)  # type: ignore[arg-type]


async def call_where_a_loop_runs(client: Indivd) -> None:
    assert client.fetch(WEEK).complete


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_call_where_an_event_loop_runs_makes_it_go_over(library: str) -> None:
    """Before it and after it are plain calls; connections are kept."""
    with RawServer(Peer.serve) as server, Indivd("t", base_url=server.url) as client:
        assert client.locations() == ()

        async def call() -> None:
            assert client.lines() == ()

        anyio.run(call, backend=library)
        assert own_threads() == 1
        assert client.categories() == ()
        assert (server.connections, len(server.requests)) == (1, 3)


def test_a_stream_moves_while_its_consumer_does_other_things() -> None:
    """It reads ahead as far as it does elsewhere, though nobody asks for the next chunk."""
    asked = threading.Semaphore(0)

    def answer_day(path: str, params: Params) -> Any:
        asked.release()
        return visits_by_day(path, params)

    year = ZoneVisitors("2025-01-01", "2025-12-31", location=124, aggregate_by="dayofmonth", split=1)
    with Indivd("t", transport=Script(answer_day), limits=Limits(concurrency=3)) as client:
        client.locations()
        with client.stream(year) as chunks:
            next(chunks)
            for _ in range(6):
                assert asked.acquire(timeout=60)
        assert own_threads() == 1


def test_deep_in_a_recursion_it_has_a_stack_of_its_own(client: Indivd) -> None:
    """Where the caller's ends in the middle of an event loop, tasks are lost."""

    def descend(depth: int) -> int:
        return descend(depth - 1) if depth else len(client.fetch(WEEK))

    used = 0
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        used += 1
    assert descend(sys.getrecursionlimit() - used - 60) == 7


def test_another_kind_of_loop_has_a_thread() -> None:
    """Of a policy of the program's."""
    pytest.importorskip("uvloop")
    run_script(
        """
        import asyncio, threading, uvloop, warnings
        from scripted import Script, visits_by_day
        from indivd_async.blocking import Indivd

        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        with Indivd("t", transport=Script(visits_by_day)) as client:
            assert len(client.locations()) == 3
            assert [thread.name for thread in threading.enumerate()][1:] == ["indivd-async"]
        """
    )


def test_in_debug_mode_there_is_nothing_to_complain_of() -> None:
    """Nor of anything left open where it was closed."""
    script = """
        from scripted import Script, visits_by_day
        from indivd_async import ZoneVisitors
        from indivd_async.blocking import Indivd

        with Indivd("t", transport=Script(visits_by_day)) as client:
            client.locations()
            with client.stream(ZoneVisitors("2025-03-01", "2025-03-07", location=124, tz="UTC")) as chunks:
                list(chunks)
        with Indivd("t", transport=Script(visits_by_day)) as client:
            client.locations()
    """
    done = run_script(script, options=("-X", "dev", "-W", "error", "-X", "frozen_modules=off"))
    assert [line for line in done.stderr.splitlines() if not line.startswith("Executing <")] == []


# Between calls nobody runs it.


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("lane", [None, "aiohttp"])
def test_connections_that_were_closed_between_calls_cost_no_call(lane: Any, is_tls: bool) -> None:
    """The server closes each after its answer, and does not say so before: it is asked once a call, all the same."""
    authority = trustme.CA()
    server_tls, client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    authority.configure_trust(client_tls)

    def answer_once(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(answer())

    if lane is not None:
        pytest.importorskip("aiohttp")
    context = client_tls if is_tls else None
    with (
        RawServer(answer_once, tls=server_tls if is_tls else None) as server,
        Indivd(
            "t",
            base_url=server.url,
            transport=lane,
            ssl_context=context,
            retry=RetryPolicy(attempts=1),
            timeouts=ENDLESS,
        ) as client,
    ):
        for number in range(1, 11):
            assert client.categories() == ()
            server.wait_until_idle()
            assert len(server.requests) == server.connections == number
        assert own_threads() == 0


def test_descriptors_and_memory_do_not_grow_with_calls() -> None:
    """Nor do tasks or timers wait on the loop for somebody who drives it."""

    def kept() -> tuple[int, int]:
        gc.collect()
        objects = gc.get_objects()
        return len(os.listdir("/dev/fd")), sum(isinstance(one, asyncio.Task | asyncio.Handle) for one in objects)

    with RawServer(Peer.serve) as server, Indivd("t", base_url=server.url) as client:
        for _ in range(200):
            client.categories()
        descriptors, waiting = kept()
        for _ in range(400):
            client.categories()
        assert kept()[0] == descriptors
        assert kept()[1] <= waiting + 100  # asyncio keeps so many cancelled timers, and then forgets them
        assert server.connections == 1


# Signals.

STORM = """
    import gc, os, random, signal, sys, threading, time, warnings
    from indivd_async import ZoneVisitors
    from indivd_async.blocking import Indivd

    class TimeLimit(Exception):
        pass

    raised = 0
    kind, error = (signal.SIGALRM, TimeLimit) if sys.argv[2] == "alarm" else (signal.SIGINT, KeyboardInterrupt)

    def handle(number, frame):
        global raised
        raised += 1
        raise error(raised)

    def shoot(wait_s):
        if error is TimeLimit:
            signal.setitimer(signal.ITIMER_REAL, wait_s)
        else:
            threading.Thread(target=lambda: (time.sleep(wait_s), os.kill(os.getpid(), signal.SIGINT))).start()

    lost = []
    sys.unraisablehook = lost.append
    signal.signal(kind, handle)
    day = ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="dayofmonth", tz="UTC")
    calls = caught = 0
    with Indivd("t", base_url=sys.argv[1]) as client:
        client.fetch(day)
        handlers = [signal.getsignal(number) for number in signal.valid_signals()]
        descriptors = len(os.listdir("/dev/fd"))
        for turn in range(1, 201):
            try:
                shoot(random.uniform(1e-5, 4e-3))
                while True:
                    assert len(client.fetch(day)) == 1
                    calls += 1
            except error as limit:
                caught += 1
                assert limit.args == (raised,) == (turn,), (limit.args, raised, turn)
            assert [signal.getsignal(number) for number in signal.valid_signals()] == handlers
            assert client.stats.in_flight == 0
        assert len(client.fetch(day)) == 1
        assert len(os.listdir("/dev/fd")) <= descriptors + 1
        assert not any(thread.name == "indivd-async" for thread in threading.enumerate())
    assert (raised, caught, lost) == (200, 200, []), (raised, caught, lost)
"""


def serve_days(peer: Peer) -> None:
    """Answer what asks for visits, and lists that are empty."""
    body = (
        b'{"current": {"startdate": "2025-03-01", "enddate": "2025-03-01", "insights": [%s]}, "comparison": {}}'
        % INSIGHT
    )
    while (head := peer.request()) is not None:
        peer.send(answer(b"[]" if b"/filters/" in head else body))


INSIGHT = json.dumps(
    visits_by_day("", {"start_date": "2025-03-01", "end_date": "2025-03-01"})["current"]["insights"][0]
).encode()


@pytest.mark.parametrize("kind", ["alarm", "interrupt"])
def test_what_a_handler_raises_at_any_moment_comes_out_where_the_caller_is(kind: str) -> None:
    """Each once and at once, and nothing else does: the client goes on, and all is back in its place."""
    with RawServer(serve_days) as server:
        run_script(STORM, server.url, kind)
        server.wait_until_idle()


def test_what_a_handler_raises_at_any_moment_leaves_no_stream_open() -> None:
    """Nor a task that nobody ends, which asyncio would complain of. Python itself drops what a finaliser raises."""
    script = """
        import random, signal, sys
        from indivd_async import ZoneVisitors
        from indivd_async.blocking import Indivd

        class TimeLimit(Exception):
            pass

        def handle(number, frame):
            raise TimeLimit

        def lose(unraisable):
            own = getattr(unraisable.object, "__module__", "").startswith("indivd_async")
            if unraisable.exc_type is not TimeLimit or own:
                return sys.__unraisablehook__(unraisable)
            lost.append(unraisable.exc_type)

        lost = []
        sys.unraisablehook = lose
        signal.signal(signal.SIGALRM, handle)
        days = ZoneVisitors("2025-03-01", "2025-03-07", aggregate_by="dayofmonth", split=1, tz="UTC")
        caught = 0
        with Indivd("t", base_url=sys.argv[1]) as client:
            for turn in range(60):
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 2e-2))
                    while caught + len(lost) == turn:
                        with client.stream(days) as chunks:
                            for _ in chunks:
                                pass
                except TimeLimit:
                    caught += 1
        print(caught + len(lost))
    """
    with RawServer(serve_days) as server:
        done = run_script(script, server.url)
        server.wait_until_idle()
    assert (done.stdout, done.stderr) == ("60\n", "")


def test_a_stream_whose_end_was_interrupted_ends_with_its_object() -> None:
    """What a handler raises may come out before the first line of `__exit__`, which then never runs."""
    asked, closed = threading.Event(), threading.Event()

    def serve(peer: Peer) -> None:
        peer.request()
        asked.set()
        peer.wait_for_close()
        closed.set()

    with RawServer(serve) as server, Indivd("t", base_url=server.url, timeouts=ENDLESS) as client:
        stream = client.stream(WEEK)
        stream.__enter__()
        assert asked.wait(60)
        assert not closed.is_set()
        del stream
        assert closed.wait(60)


INTERRUPTING = """
    import os, signal, sys
    from indivd_async import ZoneVisitors
    from indivd_async.blocking import Indivd

    class TimeLimit(Exception):
        pass

    def handle(number, frame):
        raise TimeLimit

    def interrupt(frame, event, argument):
        global left
        if "blocking" not in frame.f_code.co_filename:
            return None
        left -= event == "line"
        if left == 0:
            signal.raise_signal(signal.SIGALRM)
        return interrupt

    def interrupted(function, at):
        "Call the handler at one of the lines that *function* goes through; tell whether it has as many."
        global left
        left = at
        sys.settrace(interrupt)
        try:
            function()
        except TimeLimit:
            pass
        sys.settrace(None)
        return left <= 0

    signal.signal(signal.SIGALRM, handle)
    at, more = 0, True
"""


def test_an_interrupt_at_any_line_of_closing_leaves_nothing_open() -> None:
    """A client that says it is closed has no connection."""
    script = """
    day = ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="dayofmonth", tz="UTC")
    clients = []  # none ends with its object
    descriptors = len(os.listdir("/dev/fd"))
    while more:
        at += 1
        client = Indivd("t", base_url=sys.argv[1])
        clients.append(client)
        client.fetch(day)
        more = interrupted(client.close, at)
        client.close()  # where it came before the first line of what closes
        assert len(os.listdir("/dev/fd")) == descriptors, at
    print(at > 50)
    """
    with RawServer(serve_days) as server:
        assert run_script(INTERRUPTING + script, server.url).stdout == "True\n"


def test_an_interrupt_at_any_line_of_reading_on_loses_no_chunk() -> None:
    """Who has handled it and goes on with the stream has all of it, each chunk once."""
    script = """
    days = ZoneVisitors("2025-03-01", "2025-03-03", aggregate_by="dayofmonth", split=1, tz="UTC")
    with Indivd("t", base_url=sys.argv[1]) as client:
        while more:
            at += 1
            with client.stream(days) as chunks:
                seen = []
                more = interrupted(lambda: seen.append(next(chunks)), at)
                seen += chunks
            assert sorted(chunk.request.index for chunk in seen) == [0, 1, 2], at
    print(at > 50)
    """
    with RawServer(serve_days) as server:
        assert run_script(INTERRUPTING + script, server.url).stdout == "True\n"


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put the handlers that a test sets back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGUSR1, signal.SIGINT)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


class Hanging(Script):
    """Answers when the test says so, and raises a signal where a request has come."""

    def __init__(self, number: int = signal.SIGALRM) -> None:
        self.may_answer = False

        async def wait(path: str, params: Params) -> Any:
            signal.raise_signal(number)
            await until(lambda: self.may_answer)
            return visits_by_day(path, params)

        super().__init__(wait)


DAY = ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="dayofmonth")


@pytest.mark.usefixtures("handlers")
def test_a_handler_that_returns_ends_nothing() -> None:
    """It is called once, outside of the loop, with the signal and where the program was."""
    transport, came = Hanging(), []

    def note(number: int, frame: Any) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        came.append((number, frame is not None))
        transport.may_answer = True

    signal.signal(signal.SIGALRM, note)
    with Indivd("t", transport=transport) as client:
        assert len(client.fetch(DAY)) == 1
    assert came == [(signal.SIGALRM, True)]
    assert signal.getsignal(signal.SIGALRM) is note


@pytest.mark.usefixtures("handlers")
def test_a_handler_may_put_another_in_its_place() -> None:
    """As programs do where the first Ctrl-C asks and the second ends."""
    transport = Hanging(signal.SIGINT)

    def ask_first(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGUSR1)

    def again(number: int, frame: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, ask_first)
    signal.signal(signal.SIGUSR1, again)
    with Indivd("t", transport=transport) as client:
        with pytest.raises(KeyboardInterrupt):
            client.fetch(DAY)
        assert client.stats.in_flight == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGUSR1) is again


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("how", ["call", "stream", "close"])
def test_a_handler_may_use_the_client(how: str) -> None:
    """It calls while a call waits, opens a stream, which makes the loop go over, or closes."""
    transport, got = Hanging(), []

    def use(number: int, frame: Any) -> None:
        if len(got):
            return
        got.append(0)
        if how == "call":
            got.append(len(client.locations()))
            transport.may_answer = True
        elif how == "close":
            client.close()
        else:
            transport.may_answer = True
            with client.stream(WEEK) as chunks:
                got.extend(len(chunk.rows) for chunk in chunks)

    signal.signal(signal.SIGALRM, use)
    with Indivd("t", transport=transport) as client:
        if how == "close":
            with pytest.raises(ClientClosedError):
                client.fetch(DAY)
        else:
            assert len(client.fetch(DAY)) == 1
            assert got == ([0, 3] if how == "call" else [0] + [1] * 7)
        assert own_threads() == (how == "stream")


@pytest.mark.usefixtures("handlers")
def test_what_no_handler_in_python_handles_is_left_alone(tmp_path: Path) -> None:
    """A handler of C's stays, and who listens on a descriptor hears of each signal."""
    import faulthandler

    transport, reading, writing = Hanging(), *os.pipe()
    signal.signal(signal.SIGALRM, lambda number, frame: setattr(transport, "may_answer", True))
    with (tmp_path / "told").open("w") as told, open(reading, "rb", 0) as heard, open(writing, "wb", 0) as end:
        os.set_blocking(writing, False)
        faulthandler.register(signal.SIGUSR1, file=told)
        signal.set_wakeup_fd(end.fileno())
        try:
            with Indivd(
                "t", transport=transport, on_event=lambda event: os.kill(os.getpid(), signal.SIGUSR1)
            ) as client:
                assert len(client.fetch(DAY)) == 1
        finally:
            assert signal.set_wakeup_fd(-1) == writing
            faulthandler.unregister(signal.SIGUSR1)
        assert heard.read(100) == bytes([signal.SIGALRM])
    assert "most recent call first" in (tmp_path / "told").read_text()


def test_who_is_stuck_in_a_callback_can_be_interrupted() -> None:
    """Where the loop does not come back, a second Ctrl-C is not held back."""
    script = """
        import threading
        from scripted import Script, visits_by_day
        from indivd_async.blocking import Indivd

        def wait(event):
            print("stuck", flush=True)
            threading.Event().wait()

        with Indivd("t", transport=Script(visits_by_day), on_event=wait) as client:
            client.locations()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "stuck\n"
        for _ in range(300):
            child.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.2)
            if child.returncode is not None:
                break
        else:
            child.kill()
        assert child.returncode == -signal.SIGINT


def test_what_another_thread_raises_in_the_callers_ends_the_call() -> None:
    """As runners of jobs stop a worker: it comes out, and the next call is answered."""
    import ctypes

    class Stop(BaseException):
        pass

    waiting, may_end = threading.Event(), threading.Event()

    async def wait(path: str, params: Params) -> Any:
        waiting.set()
        await until(may_end.is_set)
        return visits_by_day(path, params)

    gc.collect()
    with Indivd("t", transport=Script(wait)) as client, ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.get_ident).result()
        for _ in range(20):
            waiting.clear()
            may_end.clear()
            call = pool.submit(client.fetch, DAY)
            assert waiting.wait(60)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stop))
            with pytest.raises(Stop):
                call.result(60)
            may_end.set()
            assert len(pool.submit(client.fetch, DAY).result(60)) == 1
            assert client.stats.in_flight == 0
        assert own_threads() == 0


# Its end.


def test_the_garbage_collector_may_come_by_in_a_call() -> None:
    """It ends the loop of a client that nobody holds any more, and a twin may close what is under way."""
    dropped: list[Any] = []

    def collect(event: Event) -> None:
        dropped.clear()
        gc.collect()

    class Closing(Indivd):
        def __del__(self) -> None:
            self.close()

    with Indivd("t", transport=Script(visits_by_day), on_event=collect) as client:
        other = Indivd("t", transport=Script(visits_by_day))
        other.locations()
        dropped.append([other])
        dropped[0].append(dropped[0])
        del other
        assert len(client.fetch(WEEK)) == 7
    closing = Closing("t", transport=Script(visits_by_day), on_event=collect)
    twin = closing.with_options(timeouts=ENDLESS)
    dropped.append([twin])
    dropped[0].append(dropped[0])
    del twin
    with pytest.raises(ClientClosedError):
        closing.fetch(WEEK)
    for thread in threading.enumerate():
        if thread.name == "indivd-async":
            thread.join(60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_that_ends_takes_nothing_from_its_parent() -> None:
    """What the loop watches is shared with it: the parent's is still woken by another thread."""
    run_script(
        """
        import os, sys, threading
        import anyio
        from scripted import Script, visits_by_day
        from indivd_async import Timeouts, ZoneVisitors
        from indivd_async.blocking import Indivd

        query = ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="dayofmonth")
        waiting, events = threading.Event(), []

        async def wait_for_another(path, params):
            if waiting.is_set():
                events[0].set()
            else:
                events.append(anyio.Event())
                waiting.set()
            await events[0].wait()
            return visits_by_day(path, params)

        script = Script(wait_for_another)
        client = Indivd("t", transport=script, timeouts=Timeouts(attempt=None, deadline=None))
        client.locations()
        if not (child := os.fork()):
            del client
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        caller = threading.Thread(target=client.fetch, args=(query,))
        caller.start()
        waiting.wait()
        client.run(client.plan(ZoneVisitors("2025-03-02", "2025-03-02", location=124, aggregate_by="dayofmonth")))
        caller.join()
        client.close()
        """,
        options=("-W", "ignore"),
    )


EXITS = {
    "threads that work for it": """
        import tempfile
        from indivd_async.cache import SQLiteCache

        folder = tempfile.TemporaryDirectory()
        client = Indivd("t", transport=Script(visits_by_day), cache=SQLiteCache(folder.name + "/answers.db"))
        print(len(client.fetch(query)))
    """,
    "a daemon in a call": """
        import anyio, threading
        called = threading.Event()

        async def hang(path, params):
            called.set()
            await anyio.sleep_forever()

        client = Indivd("t", transport=Script(hang), timeouts=Timeouts(attempt=None, deadline=None))
        threading.Thread(target=lambda: client.fetch(query), daemon=True).start()
        called.wait()
        print(7)
    """,
    "another thread used it": """
        import threading
        client = Indivd("t", transport=Script(visits_by_day))
        thread = threading.Thread(target=lambda: print(len(client.fetch(query))))
        thread.start()
        thread.join()
    """,
    "a job's time limit": """
        import signal, sys
        signal.signal(signal.SIGALRM, lambda *_: sys.exit(print(7)))

        async def hang(path, params):
            signal.raise_signal(signal.SIGALRM)
            await __import__("anyio").sleep_forever()

        client = Indivd("t", transport=Script(hang), timeouts=Timeouts(attempt=None, deadline=None))
        client.fetch(ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="dayofmonth"))
    """,
}


@pytest.mark.parametrize("program", EXITS)
def test_a_program_ends_with_a_client_that_nobody_closed(program: str) -> None:
    """At once, and with nothing to say."""
    head = """
        from scripted import Script, visits_by_day
        from indivd_async import Timeouts, ZoneVisitors
        from indivd_async.blocking import Indivd

        query = ZoneVisitors("2025-03-01", "2025-03-07", location=124, aggregate_by="dayofmonth", split=1)
    """
    done = run_script(textwrap.dedent(head) + textwrap.dedent(EXITS[program]))
    errors = [] if program == "a daemon in a call" else [""]
    assert done.stdout == "7\n"
    assert not errors or done.stderr == ""
