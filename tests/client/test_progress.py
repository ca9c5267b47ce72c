"""Progress of calls: counted request by request, told to a callable, or shown on what there is."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from scripted import Script, visits_by_day

from indivd_async import (
    AsyncIndivd,
    BadRequestError,
    ConfigError,
    InvalidQueryError,
    LineCrosses,
    Progress,
    RetryPolicy,
    ZoneVisitors,
)
from indivd_async.blocking import Indivd
from indivd_async.progress import Display

pytestmark = pytest.mark.anyio

QUARTER = ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="dayofmonth,month,year", location=124, split=31)
NO_WAIT = RetryPolicy(base=0, base_overloaded=0)


def failing(*starts: str, status: int = 400) -> Any:
    """Answer by day, but not for windows that begin on one of *starts*."""

    def answer(path: str, params: dict[str, str]) -> Any:
        return status if params["start_date"] in starts else visits_by_day(path, params)

    return answer


def make_client(answer: Any = visits_by_day, **options: Any) -> AsyncIndivd:
    return AsyncIndivd("t", transport=Script(answer), retry=NO_WAIT, **options)


# What is told.


async def test_a_call_tells_each_request_and_no_look_up() -> None:
    """The total is known before the first answer, and the rows are those that the answers brought."""
    told: list[Progress] = []
    async with make_client() as client:
        result = await client.fetch(QUARTER, progress=told.append)
        assert len(result.plan) == 3
        assert [(one.done, one.total) for one in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
        assert told[-1] == Progress(done=3, total=3, rows=len(result))
        await client.locations()
        assert len(told) == 4


async def test_the_clients_own_is_told_of_every_call() -> None:
    """Each call counts for itself, and may have another, or none."""
    told: list[Progress] = []
    other: list[Progress] = []
    async with make_client(progress=told.append) as client:
        await client.zone_visitors("2025-01-01", "2025-01-02", location=124)
        await client.run(await client.plan(QUARTER))
        assert [one.total for one in told if one.done == one.total] == [1, 3]
        del told[:]
        await client.fetch(QUARTER, progress=False)
        await client.fetch(QUARTER, progress=other.append)
        assert (told, other[-1].done) == ([], 3)
        await client.with_options(retry=NO_WAIT).fetch(QUARTER)
        assert told[-1].done == 3


async def test_every_way_to_ask_tells() -> None:
    """The endpoints' methods, batches and streams; a stream learns of its requests as it plans its queries."""
    queries = [QUARTER, ZoneVisitors("2025-01-01", "2025-01-02", location=124)]
    calls: dict[str, list[Progress]] = {name: [] for name in ("all", "stream", "lines", "drop_in")}
    async with make_client() as client:
        await client.fetch_all([*queries, QUARTER], progress=calls["all"].append)
        async with client.stream(queries, progress=calls["stream"].append) as chunks:
            assert len([chunk async for chunk in chunks]) == 4
    async with make_client(lambda path, params: []) as client:
        await client.line_crosses("2025-01-01", "2025-01-02", location=124, progress=calls["lines"].append)
    for name, total in (("all", 4), ("stream", 4), ("lines", 1)):
        assert (calls[name][-1].done, calls[name][-1].total) == (total, total), name
    rows = sum(len(visits_by_day("", {"start_date": "2025-01-01", "end_date": end})["current"]["insights"])
               for end in ("2025-03-31", "2025-01-02"))  # fmt: skip
    assert calls["all"][-1].rows == calls["stream"][-1].rows == rows


async def test_what_came_out_of_order_is_told_before_its_turn() -> None:
    """One slow answer holds back what a reader in order is given, not what he is told."""
    told: list[Progress] = []
    gate = anyio.Event()

    async def answer(path: str, params: dict[str, str]) -> Any:
        if params["start_date"] == "2025-01-01":
            await gate.wait()
        return visits_by_day(path, params)

    async def read() -> None:
        async with client.stream(QUARTER, ordered=True, progress=told.append) as chunks:
            assert len([chunk async for chunk in chunks]) == 3

    async with make_client(answer) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert told[-1].done == 2
        gate.set()
    assert told[-1].done == 3


async def test_failures_and_retries_are_told() -> None:
    """Of what is collected; and what is asked again is a call of its own."""
    told: list[Progress] = []
    async with make_client(failing("2025-02-01", status=503)) as client:
        query = ZoneVisitors(
            "2025-01-01", "2025-03-31", aggregate_by="dayofmonth,month,year", location=124, split=31, on_error="collect"
        )
        result = await client.fetch(query, progress=told.append)
        assert [item.status for item in result.coverage].count("failed") == 1
        last = told[-1]
        assert (last.done, last.failed, last.retried, last.rows) == (3, 1, NO_WAIT.attempts - 1, len(result))
        again: list[Progress] = []
        await client.retry_failed(result, progress=again.append)
        assert (again[-1].done, again[-1].total, again[-1].failed) == (1, 1, 1)


async def test_a_failure_ends_a_call_and_what_shows_it() -> None:
    """The error is the caller's; a bar does not stay."""
    stream = Terminal()
    async with make_client(failing("2025-02-01")) as client:
        client._display = Display(stream=stream)
        with pytest.raises(BadRequestError):
            await client.fetch(QUARTER, progress=True)
        shown = stream.getvalue()
        await client.zone_visitors("2025-01-01", "2025-01-02", location=124, progress=True)
    assert "requests" in stream.getvalue()[len(shown) :]


async def test_what_raises_ends_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged."""

    def fail(progress: Progress) -> None:
        raise RuntimeError("no room to draw in")

    with caplog.at_level(logging.ERROR, "indivd_async"):
        async with make_client() as client:
            assert len(await client.fetch(QUARTER, progress=fail)) > 0
    assert "progress raised" in caplog.text
    assert "no room to draw in" in caplog.text


@pytest.mark.parametrize("wanted", [1, "bar", object()], ids=["number", "text", "thing"])
async def test_what_cannot_be_told_is_refused(wanted: Any) -> None:
    """Before anything is sent, where the client is made and where a call is."""
    with pytest.raises(ConfigError, match="progress must be True, or a callable that takes a Progress"):
        AsyncIndivd("t", progress=wanted)
    script = Script(visits_by_day)
    async with AsyncIndivd("t", transport=script) as client:
        with pytest.raises(ConfigError, match="progress must be"):
            await client.fetch(QUARTER, progress=wanted)
    assert script.asked == []


async def test_a_bad_question_shows_nothing() -> None:
    """There was nothing to wait for."""
    told: list[Progress] = []
    async with make_client(progress=told.append) as client:
        with pytest.raises(InvalidQueryError):
            await client.line_crosses("2025-01-02", "2025-01-01")
    assert told == []


def test_calls_that_block_tell_too() -> None:
    """The same parameter."""
    told: list[Progress] = []
    with Indivd("t", transport=Script(visits_by_day)) as client:
        client.fetch(QUARTER, progress=told.append)
        with client.stream(QUARTER, progress=told.append) as chunks:
            assert len(list(chunks)) == 3
    assert [one.total for one in told if one.done == one.total] == [3, 3]


# What is shown.


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def make_display(stream: io.StringIO) -> tuple[Display, list[float]]:
    now = [0.0]
    return Display(stream=stream, clock=lambda: now[0]), now


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    """What is over soon needs no line."""
    stream = io.StringIO()
    display, now = make_display(stream)
    with display.showing() as hear:
        for second, done in enumerate(range(0, 60, 10)):
            now[0] = float(second)
            hear(Progress(done=done, total=50, rows=7 * done, retried=1))
    assert stream.getvalue().splitlines() == [
        "20 of 50 requests, 140 rows, 1 retried, 10/s, 3 s left",
        "40 of 50 requests, 280 rows, 1 retried, 10/s, 1 s left",
    ]


def test_what_has_not_begun_has_no_rate() -> None:
    """Nothing done has no time left."""
    stream = io.StringIO()
    display, now = make_display(stream)
    with display.showing() as hear:
        now[0] = 3.0
        hear(Progress(done=0, total=7))
    assert stream.getvalue() == "0 of 7 requests, 0/s\n"


def test_on_a_terminal_there_is_a_bar() -> None:
    """Rich draws it, with rate and troubles, and takes it away at the end."""
    stream = Terminal()
    display, now = make_display(stream)
    with display.showing() as hear:
        now[0] = 2.0
        hear(Progress(done=24, total=50, rows=1_200, failed=4, retried=1))
    drawn = stream.getvalue()
    assert "24/50" in drawn
    assert "12/s" in drawn
    assert "1,200 rows, 4 failed, 1 retried" in drawn


def test_calls_at_once_have_bars_below_each_other() -> None:
    """And neither hides the other; the last one takes the display with it."""
    stream = Terminal()
    display, _ = make_display(stream)
    with display.showing() as first:
        with display.showing() as second:
            first(Progress(done=1, total=111))
            second(Progress(done=2, total=222))
            display._bars.refresh()
            assert "1/111" in stream.getvalue()
            assert "2/222" in stream.getvalue()
        assert display._bars.live.is_started
    assert not display._bars.live.is_started


async def test_a_bar_is_drawn_where_stderr_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that was closed meanwhile ends no call."""
    async with make_client(progress=True) as client:
        for _ in range(2):
            stream = Terminal()
            monkeypatch.setattr("sys.stderr", stream)
            await client.fetch(QUARTER)
            assert "requests" in stream.getvalue()
            stream.close()


class Gone(io.StringIO):
    """A terminal whose window was closed."""

    def isatty(self) -> bool:
        return True

    def write(self, _: str) -> int:
        raise OSError(5, "Input/output error")


class Little:
    """What knows little of being a stream, as some put in the place of stderr."""

    def write(self, text: str) -> int:
        return len(text)


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("make", [lambda: None, Gone, Little, closed], ids=["none", "gone", "little", "closed"])
async def test_a_stream_that_shows_nothing_ends_no_call(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs without a terminal have no stderr, and a terminal may go while the program goes on."""
    async with make_client(progress=True) as client:
        monkeypatch.setattr("sys.stderr", make())
        assert await client.fetch(QUARTER)


async def test_the_bar_of_a_client_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Stdout is for data."""
    async with make_client(progress=True) as client:
        await client.fetch(QUARTER)
    assert capsys.readouterr().out == ""


async def test_http_events_and_progress_go_side_by_side() -> None:
    """One counts for the client, the other for a call."""
    told: list[Progress] = []
    kinds: list[str] = []
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[]))
    async with AsyncIndivd(
        "t", transport=transport, progress=told.append, on_event=lambda event: kinds.append(event.kind)
    ) as client:
        await client.fetch(LineCrosses("2025-01-01", "2025-01-02", location=124))
    assert (kinds.count("finished"), told[-1].done) == (1, 1)


NOTEBOOK = """
import json, sys
import nbclient, nbformat
source = '''
from indivd_async import AsyncIndivd, sandbox
client = AsyncIndivd("sandbox", transport=sandbox.transport(), progress=True)
await client.zones()
result = await client.zone_visitors("2025-01-01", "2025-03-31", aggregate_by="hour", location=124)
len(result)
'''
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
print(json.dumps([dict(output["data"]) for output in notebook.cells[0].outputs]))
"""


def test_in_a_notebook_there_is_a_bar_without_widgets() -> None:
    """One output of the call, none of the look-up, brought up to date in place; it says what it took for ever."""
    done = subprocess.run([sys.executable, "-c", NOTEBOOK], capture_output=True, text=True, check=True, timeout=150)
    bar, result = json.loads(done.stdout)
    assert set(bar) == {"text/plain", "text/html"}
    assert bar["text/html"].startswith('<progress value="3" max="3"></progress> 3 of 3 requests, ')
    assert f"{int(result['text/plain']):,} rows in " in bar["text/plain"]
