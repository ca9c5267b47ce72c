"""The client for code that does not await: the same methods, anywhere, until an interrupt."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from raw_server import Peer, RawServer
from scripted import Params, Script, visits_by_day

from indivd_async import (
    AsyncIndivd,
    ClientClosedError,
    ConfigError,
    DeadlineExceededError,
    Event,
    InvalidQueryError,
    LineCrosses,
    RetryPolicy,
    ServerError,
    Timeouts,
    ZoneVisitors,
    sandbox,
)
from indivd_async.blocking import Indivd
from indivd_async.otel import TracedIndivd

TESTS = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(TESTS)}
WEEK = ZoneVisitors("2025-03-01", "2025-03-07", location=124, aggregate_by="dayofmonth", split=1)


@pytest.fixture
def script() -> Script:
    """Answer zone_visitors by day."""
    return Script(visits_by_day)


@pytest.fixture
def client(script: Script) -> Iterator[Indivd]:
    """Give a client of *script*."""
    with Indivd("a-token", transport=script, retry=RetryPolicy(attempts=1)) as client:
        yield client


# The same methods.

#: What blocks is named without the a; what only makes sense here has no counterpart.
NAMES = {"aclose": "close", "__aenter__": "__enter__", "__aexit__": "__exit__"}


def public(cls: type) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(cls) if not name.startswith("_")}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    return [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", [*public(AsyncIndivd), "__init__", "__aenter__", "__aexit__"])
def test_every_public_method_is_there_with_the_same_parameters(name: str) -> None:
    """Names, order, kinds and defaults; properties are properties; none of them is a coroutine, all are documented."""
    twin = getattr(AsyncIndivd, name)
    own = inspect.getattr_static(Indivd, NAMES.get(name, name))
    if isinstance(inspect.getattr_static(AsyncIndivd, name), property):
        assert isinstance(own, property)
        return
    assert parameters(own) == parameters(twin)
    assert not inspect.iscoroutinefunction(own)
    if not name.startswith("__"):
        assert own.__doc__


def test_there_is_nothing_more_but_the_reader() -> None:
    """What one can do with one client one can do with the other."""
    names = {NAMES.get(name, name) for name in public(AsyncIndivd)}
    assert set(public(Indivd)) - names == {"client_class", "profile", "reader"}
    assert Indivd("t").profile is AsyncIndivd("t").profile is None


def test_each_endpoint_answers_as_the_other_client_does() -> None:
    """The results are equal, whatever is asked."""
    questions: list[Callable[[Any], Any]] = [
        lambda client: client.locations(),
        lambda client: client.zones(),
        lambda client: client.categories(),
        lambda client: client.lines(),
        lambda client: client.organizations(),
        lambda client: client.line_crosses("2025-03-01", "2025-03-07", location=124, aggregate_by="hour"),
        lambda client: client.zone_visitors("2025-03-01", "2025-03-07", location=124, aggregate_by="zone"),
        lambda client: client.drop_in_rate("2025-03-01", "2025-03-07", location=124),
        lambda client: client.plan(WEEK),
        lambda client: client.fetch(WEEK),
        lambda client: client.fetch_all([WEEK, LineCrosses("2025-03-01", "2025-03-02", location=124)]),
    ]

    async def ask() -> list[Any]:
        async with AsyncIndivd("sandbox", transport=sandbox.transport()) as client:
            return [await question(client) for question in questions]

    with Indivd("sandbox", transport=sandbox.transport()) as client:
        assert [question(client) for question in questions] == anyio.run(ask)


def test_a_plan_is_run_and_what_failed_is_asked_again(script: Script) -> None:
    """`run` and `retry_failed` do as they do there."""
    failing = True

    def answer(path: str, params: Params) -> Any:
        return 500 if failing and params["start_date"] == "2025-03-03" else visits_by_day(path, params)

    with Indivd("t", transport=Script(answer), retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ServerError):
            client.run(client.plan(WEEK))
        (result,) = client.fetch_all([WEEK], on_error="collect")
        assert not result.complete
        failing = False
        assert client.retry_failed(result).complete
        assert client.stats.requests >= 8


def test_other_options_share_the_thread_and_what_a_subclass_has(client: Indivd) -> None:
    """A client made from another is of its kind and closes with it."""

    class Mine(Indivd):
        colour = "red"

    mine = Mine("t", transport=Script(visits_by_day))
    mine.colour = "blue"
    twin = mine.with_options(timeouts=Timeouts(read=1))
    assert (type(twin), twin.colour, twin.stats) == (Mine, "blue", mine.stats)
    assert len(twin.locations()) == len(mine.locations()) == 3
    twin.close()
    with pytest.raises(ClientClosedError):
        mine.locations()


def test_a_traced_client_may_stand_behind(script: Script) -> None:
    """A subclass names the class of the client behind."""

    class Traced(Indivd):
        client_class = TracedIndivd

    with Traced("t", transport=script) as client:
        assert len(client.fetch(WEEK)) == 7
        assert repr(client).startswith("<Traced ")


# Streams.


def test_a_stream_is_an_iterator_within_a_context(client: Indivd, script: Script) -> None:
    """Chunks come in the order of the plan where that is asked for; a failed one is yielded."""
    with client.stream(iter([WEEK]), ordered=True) as chunks:
        assert iter(chunks) is chunks
        assert [chunk.rows[0].visits for chunk in chunks] == [1, 2, 3, 4, 5, 6, 7]
        assert next(chunks, None) is None
    assert client.stats.in_flight == 0


def test_leaving_a_stream_ends_what_is_under_way(client: Indivd) -> None:
    """By break, and by an error, which comes out as it is."""
    year = ZoneVisitors("2025-01-01", "2025-12-31", location=124, aggregate_by="dayofmonth", split=1)
    with client.stream(year) as chunks:
        for _ in chunks:
            break
    assert client.stats.in_flight == 0
    asked = client.stats.requests
    assert asked < 365
    with pytest.raises(ZeroDivisionError), client.stream(year) as chunks:  # noqa: PT012
        next(chunks)
        raise ZeroDivisionError
    assert client.stats.in_flight == 0
    assert client.stats.requests < 730


def test_a_generator_around_a_stream_that_is_dropped_ends_it(client: Indivd) -> None:
    """Whoever takes the first of a generator's rows and goes leaves nothing running."""

    def visits() -> Iterator[int]:
        with client.stream(WEEK) as chunks:
            for chunk in chunks:
                yield chunk.rows[0].visits

    rows = visits()
    assert next(rows) >= 1
    del rows
    assert client.stats.in_flight == 0


def test_a_stream_that_cannot_begin_raises(client: Indivd) -> None:
    """What is no query is refused where it is pulled, and a closed client where the stream is opened."""
    with pytest.raises(InvalidQueryError), client.stream(["no query"]) as chunks:  # type: ignore[list-item]
        next(chunks)
    client.close()
    with pytest.raises(ClientClosedError), client.stream(WEEK):
        pass


def test_a_client_closed_within_a_stream_ends_it(client: Indivd) -> None:
    """Leaving the context then is no error of its own."""
    with client.stream(WEEK) as chunks:
        next(chunks)
        client.close()
        with pytest.raises(ClientClosedError):
            next(chunks)


# Errors and closing.


def test_errors_are_those_of_the_other_client(client: Indivd) -> None:
    """Nothing is wrapped, and a timeout of the client's is not taken for one of the wait."""
    with pytest.raises(InvalidQueryError, match="end_date"):
        client.zone_visitors("2025-03-02", "2025-03-01")
    with pytest.raises(TypeError, match="unexpected keyword"):
        client.zone_visitors("2025-03-01", "2025-03-02", zone=1)  # type: ignore[call-arg]

    async def hang(path: str, params: Params) -> Any:
        await anyio.sleep_forever()

    with (
        Indivd("t", transport=Script(hang), timeouts=Timeouts(deadline=0.05)) as slow,
        pytest.raises(DeadlineExceededError),
    ):
        slow.fetch(WEEK)


def test_after_closing_it_says_so(client: Indivd) -> None:
    """At once, for every call; closing again does nothing, and neither does closing what was never used."""
    assert len(client.locations()) == 3
    client.close()
    client.close()
    with pytest.raises(ClientClosedError, match="was closed"):
        client.locations()
    with Indivd("t"):
        pass


def test_closing_ends_calls_of_other_threads() -> None:
    """They end with the error that says why, and no thread is left."""
    waiting = threading.Event()

    async def hang(path: str, params: Params) -> Any:
        waiting.set()
        await anyio.sleep_forever()

    before = threading.active_count()
    client = Indivd("t", transport=Script(hang), timeouts=Timeouts(attempt=None, deadline=None))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.fetch, WEEK)
        assert waiting.wait(60)
        client.close()
        with pytest.raises(ClientClosedError):
            call.result(30)
    while threading.active_count() > before:
        time.sleep(0.01)


def test_calls_that_begin_while_it_closes_end() -> None:
    """Whichever thread comes first: each call answers, or says that the client was closed; none waits for ever."""

    def call_until_closed(client: Indivd, begun: threading.Event) -> int:
        for answered in range(1_000_000):
            try:
                client.fetch(WEEK)
            except ClientClosedError:
                return answered
            begun.set()
        return 0

    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            begun = threading.Event()
            client = Indivd("t", transport=Script(visits_by_day))
            calls = [pool.submit(call_until_closed, client, begun) for _ in range(4)]
            assert begun.wait(60)
            client.close()
            assert sum(call.result(60) for call in calls) >= 1


def test_calls_from_its_own_thread_are_refused() -> None:
    """`on_event` is called by the loop: a call from there would wait for itself."""
    refused: list[BaseException] = []

    def on_event(event: object) -> None:
        try:
            client.locations()
        except ClientClosedError as error:
            refused.append(error)

    with Indivd("t", transport=Script(visits_by_day), on_event=on_event) as client:
        assert len(client.fetch(WEEK)) == 7
    assert refused


def test_it_may_be_closed_from_its_own_thread() -> None:
    """`on_event` may decide that enough was asked; the call that is under way ends with the error that says so."""

    async def hang(path: str, params: Params) -> Any:
        await anyio.sleep_forever()

    def on_event(event: Event) -> None:
        if event.kind == "started" and event.request.endpoint == "zone_visitors":
            client.close()

    client = Indivd("t", transport=Script(hang), on_event=on_event)
    with pytest.raises(ClientClosedError):
        client.fetch(WEEK)
    client.close()
    with pytest.raises(ClientClosedError, match="was closed"):
        client.fetch(WEEK)


def test_a_faulty_option_is_told_without_the_token() -> None:
    """Also in a traceback with locals."""
    secret = "a-token-to-be-kept"
    with pytest.raises(ConfigError) as caught:
        Indivd(secret, base_url="nonsense")
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__) if "blocking" in str(frame)]
    assert any(frame.f_code.co_name == "__init__" for frame in frames)
    assert secret not in str([frame.f_locals for frame in frames if frame.f_code.co_name == "__init__"])
    with Indivd(secret) as client:
        assert secret not in repr(client)
        with pytest.raises(TypeError, match="does not pickle"):
            client.__reduce__()


# Anywhere.


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_it_works_where_an_event_loop_runs(client: Indivd) -> None:
    """As in a notebook: it blocks, and answers; whichever library runs the loop."""
    assert len(client.fetch(WEEK)) == 7
    with client.stream(WEEK) as chunks:
        assert len(list(chunks)) == 7


def test_many_threads_share_one_client() -> None:
    """The first call while another is under way starts the thread once, whoever makes it."""
    together = threading.Event()

    async def answer_two(path: str, params: Params) -> Any:
        if script.in_air > 7:  # of two calls
            together.set()
        while not together.is_set():  # noqa: ASYNC110
            await anyio.sleep(0.001)
        return visits_by_day(path, params)

    script = Script(answer_two)
    with Indivd("t", transport=script) as client, ThreadPoolExecutor(16) as pool:
        # Other questions, since equal ones in the air are asked once.
        days = [date(2024, 1, 1) + timedelta(days=7 * number) for number in range(64)]
        weeks = [attrs.evolve(WEEK, start_date=day, end_date=day + timedelta(days=6)) for day in days]
        lengths = list(pool.map(lambda week: len(client.fetch(week)), weeks))
        assert lengths == [7] * 64
        assert sum(thread.name == "indivd-async" for thread in threading.enumerate()) == 1


def test_what_fetch_all_is_given_is_pulled_in_the_thread_of_the_caller(client: Indivd) -> None:
    """A database's cursor may be read by the thread only that made it."""
    pulled_in: set[int] = set()

    def queries() -> Iterator[ZoneVisitors]:
        for _ in range(2):
            pulled_in.add(threading.get_ident())
            yield WEEK

    assert len(client.fetch_all(queries())) == 2
    assert pulled_in == {threading.get_ident()}


def test_context_variables_of_the_caller_are_there(client: Indivd) -> None:
    """So that a span around the call is the parent of what it asks."""
    from contextvars import ContextVar

    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []
    with Indivd("t", transport=Script(visits_by_day), on_event=lambda event: seen.append(variable.get())) as client:
        token = variable.set("mine")
        client.fetch(WEEK)
        variable.reset(token)
    assert set(seen) == {"mine"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork_it_says_so() -> None:
    """The thread is not in the fork: a call there would wait for ever. Closing there does nothing."""
    script = """
        import os, sys
        from scripted import Script, visits_by_day
        from indivd_async import ClientClosedError
        from indivd_async.blocking import Indivd

        client = Indivd("t", transport=Script(visits_by_day))
        client.locations()
        child = os.fork()
        if child:
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert len(client.locations()) == 3
            sys.exit(ended)
        try:
            client.locations()
        except ClientClosedError as error:
            assert error.reason == "forked"
            client.close()
            client.close()
            sys.exit(0)
        sys.exit(1)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    subprocess.run(command, env=ENVIRONMENT, check=True, timeout=60)


def test_a_client_that_is_never_closed_holds_no_process() -> None:
    """A script that forgets to close ends all the same."""
    script = """
        from scripted import Script, visits_by_day
        from indivd_async.blocking import Indivd

        client = Indivd("t", transport=Script(visits_by_day))
        print(len(client.locations()))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, timeout=60, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("3\n", "")


INTERRUPTED = {
    "fetch": "client.fetch(query)",
    "stream": """
    with client.stream(query) as chunks:
        list(chunks)
""",
    "batch": "client.fetch_all([query] * 3)",
}


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
@pytest.mark.parametrize("what", INTERRUPTED)
def test_an_interrupt_ends_a_call(what: str) -> None:
    """Ctrl-C comes out as KeyboardInterrupt, closes every connection, and nothing is asked afterwards."""
    script = f"""
import sys
from indivd_async import Timeouts, ZoneVisitors
from indivd_async.blocking import Indivd

query = ZoneVisitors("2025-01-01", "2025-12-31", aggregate_by="dayofmonth", split=1, tz="UTC")
timeouts = Timeouts(read=None, attempt=None, deadline=None)
try:
  with Indivd("t", base_url=sys.argv[1], timeouts=timeouts) as client:
    {INTERRUPTED[what]}
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
        child = subprocess.Popen([sys.executable, "-c", script, server.url], env=ENVIRONMENT)
        assert asked.wait(120)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0
        server.wait_until_idle()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_an_interrupt_ends_a_reading() -> None:
    """What reads Arrow tells it in words of its own; nothing is asked afterwards."""
    script = """
        import sys
        import pyarrow
        from indivd_async import Timeouts, ZoneVisitors
        from indivd_async.blocking import Indivd

        query = ZoneVisitors("2025-01-01", "2025-12-31", aggregate_by="dayofmonth", split=1, tz="UTC")
        with Indivd("t", base_url=sys.argv[1], timeouts=Timeouts(read=None, attempt=None, deadline=None)) as client:
            try:
                pyarrow.table(client.reader(query))
            except (KeyboardInterrupt, pyarrow.ArrowException) as error:
                print(client.stats.in_flight, "KeyboardInterrupt" in repr(error) + str(error))
    """
    asked = threading.Event()

    def handle(peer: Peer) -> None:
        peer.request()
        asked.set()
        peer.wait_for_close()

    with RawServer(handle) as server:
        command = [sys.executable, "-c", textwrap.dedent(script), server.url]
        child = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        assert asked.wait(120)
        child.send_signal(signal.SIGINT)
        told, _ = child.communicate(timeout=60)
        assert told.split()[1] == "True"
        server.wait_until_idle()


# Arrow.

pa = pytest.importorskip("pyarrow")


def test_a_reader_has_the_rows_of_fetch(client: Indivd) -> None:
    """Query after query, merged, in the types of the schema, also where a query is cut into many pieces."""
    year = ZoneVisitors("2025-01-01", "2025-12-31", location=124, aggregate_by="dayofmonth", split=1)
    months = ZoneVisitors("2024-01-01", "2024-12-31", location=124, aggregate_by="dayofmonth", tz=None)
    expected = [row for query in (year, months) for row in client.fetch(query).to_dicts()]
    reader = client.reader([year, months])
    assert pa.table(reader).to_pylist() == expected
    assert pa.table(reader).num_rows == len(expected) == 731  # read again: asked again
    assert pa.table(client.reader(client.plan(year))).num_rows == 365


def test_rows_that_are_added_up_come_whole() -> None:
    """Where a total spans several requests the reader gives the total."""
    query = LineCrosses("2020-01-01", "2024-12-31", location=124, aggregate_by="month", split=31)
    with Indivd("sandbox", transport=sandbox.transport()) as client:
        result = client.fetch(query)
        assert len(result.plan) > 40
        assert pa.table(client.reader([query])).to_pylist() == result.to_dicts()


def test_databases_and_frames_read_it(client: Indivd) -> None:
    """By the name of a variable, or as an argument."""
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    reader = client.reader(WEEK)
    assert duckdb.sql("SELECT sum(visits) FROM reader").fetchall() == [(28,)]
    assert duckdb.sql("SELECT count(*) FROM reader WHERE visits > 5").fetchall() == [(2,)]
    assert polars.DataFrame(reader)["visits"].to_list() == [1, 2, 3, 4, 5, 6, 7]


def test_a_reader_asks_for_nothing_before_it_is_read_and_stays_little_ahead(client: Indivd, script: Script) -> None:
    """However many queries there are; and who stops reading ends what is under way."""
    pulled = 0

    def queries() -> Iterator[ZoneVisitors]:
        nonlocal pulled
        for _ in range(1_000):
            pulled += 1
            yield ZoneVisitors("2025-03-01", "2025-03-07", location=124, aggregate_by="dayofmonth")

    stream = pa.RecordBatchReader.from_stream(client.reader(queries()))
    assert "visits" in stream.schema.names
    assert (pulled, script.asked) == (1, [])
    for _ in range(3):
        stream.read_next_batch()
    assert pulled <= 5
    assert len(script.data) <= 5
    stream.close()
    del stream
    until = time.monotonic() + 60
    while client.stats.in_flight and time.monotonic() < until:  # nobody waits for what is cancelled
        time.sleep(0.001)
    assert client.stats.in_flight == 0


def test_what_can_be_pulled_once_is_read_once(client: Indivd) -> None:
    """The second reading says so, instead of being empty."""
    reader = client.reader(iter([WEEK]))
    assert pa.table(reader).num_rows == 7
    with pytest.raises((OSError, ValueError), match="were read already"):
        pa.table(reader)


def test_a_reader_has_one_schema(client: Indivd) -> None:
    """Other endpoints, or another clock, are refused by name; no query at all has no columns."""
    lines = LineCrosses("2025-03-01", "2025-03-02", location=124)
    with pytest.raises((OSError, ValueError), match="must all be of one endpoint"):
        pa.table(client.reader([WEEK, lines]))
    with pytest.raises(InvalidQueryError, match="at least one"):
        client.reader([])


def test_a_failed_piece_ends_the_reading_with_its_error() -> None:
    """What is missing must not look like nothing."""

    def answer(path: str, params: Params) -> Any:
        return 500 if params["start_date"] == "2025-03-03" else visits_by_day(path, params)

    collecting = ZoneVisitors(
        "2025-03-01", "2025-03-07", location=124, aggregate_by="dayofmonth", split=1, on_error="collect"
    )
    with Indivd("t", transport=Script(answer), retry=RetryPolicy(attempts=1)) as client:
        for query in (WEEK, collecting):
            with pytest.raises((OSError, ServerError, Exception), match="500 for"):
                pa.table(client.reader(query))


@pytest.mark.parametrize(
    "give", [Indivd.with_options, lambda client: client.stream(WEEK), lambda client: client.reader(WEEK)]
)
def test_neither_a_client_nor_what_it_gives_is_pickled(client: Indivd, give: Callable[[Indivd], object]) -> None:
    for carry in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="does not pickle; plans, queries and results do"):
            carry(give(client))


def test_who_pulls_on_after_an_error_is_not_told_of_an_end() -> None:
    """Two of four days were read; a loop that outlives the error must not take them for all."""

    def answer(path: str, params: Params) -> Any:
        return 500 if params["start_date"] == "2025-03-03" else visits_by_day(path, params)

    days = [
        ZoneVisitors(f"2025-03-0{day}", f"2025-03-0{day}", location=124, aggregate_by="dayofmonth")
        for day in (1, 2, 3, 4)
    ]
    with Indivd("t", transport=Script(answer), retry=RetryPolicy(attempts=1)) as client:
        reader = pa.RecordBatchReader.from_stream(client.reader(days))
        assert [reader.read_next_batch().num_rows for _ in (1, 2)] == [1, 1]
        for _ in range(3):
            with pytest.raises((OSError, pa.ArrowInvalid), match="500 for"):
                reader.read_next_batch()


def test_a_reader_warns_of_what_somebody_should_look_at() -> None:
    """Arrow's stream carries no notes."""
    question = ZoneVisitors("2025-03-03", "2025-03-09", location=125, split=2, aggregate_by="dayofmonth")
    transport = sandbox.transport(deviations=["negative_counts"])
    with Indivd("sandbox", transport=transport) as client, pytest.warns(UserWarning, match="^implausible_figures: "):
        assert pa.table(client.reader(question)).num_rows


def test_a_stream_is_one_frame_in_one_line(client: Indivd) -> None:
    """The rows of all queries; a piece that fails is an error, never a gap."""
    polars = pytest.importorskip("polars")
    later = ZoneVisitors("2025-03-08", "2025-03-10", location=124, aggregate_by="dayofmonth")
    frame = polars.DataFrame(client.stream([WEEK, later], ordered=True).table())
    assert frame["visits"].to_list() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    with pytest.raises(InvalidQueryError, match="at least one"):
        client.stream([]).table()

    def fail(path: str, params: Params) -> Any:
        return 500 if params["start_date"] == "2025-03-03" else visits_by_day(path, params)

    with Indivd("t", transport=Script(fail), retry=RetryPolicy(attempts=1)) as failing:
        with pytest.raises(ServerError):
            failing.stream(WEEK).table()
        assert failing.stats.in_flight == 0


@pytest.mark.parametrize(
    ("last", "told"),
    [("client.close", ""), ("lambda: print(len(client.locations()))", "ClientClosedError")],
)
def test_a_client_whose_thread_has_ended_with_the_program(last: str, told: str) -> None:
    """What runs after that closes it quietly, any number of times; and is told where it asks for more."""
    script = f"""
        import atexit
        from indivd_async import sandbox
        from indivd_async.blocking import Indivd

        client = Indivd("sandbox", transport=sandbox.transport())
        for _ in range(2):
            atexit.register({last})  # before the client's own, so it is called after that
        client.locations()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == ""
    assert ("ClientClosedError" in done.stderr) if told else not done.stderr
