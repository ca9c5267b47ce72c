"""Jobs of many requests: failures that stay, kills, fairness."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import polars
import pyarrow
import pytest
from scripted import Params, Script, counts_by_day, days_of, visits_by_day

from indivd_async import (
    AsyncIndivd,
    InvalidQueryError,
    Limits,
    LineCrosses,
    RetryPolicy,
    ZoneVisitors,
    ZoneVisitorsRow,
    sandbox,
)
from indivd_async.cache import SQLiteCache

pytestmark = pytest.mark.anyio
NO_WAIT = RetryPolicy(base=0, base_overloaded=0)


async def test_a_twentieth_of_a_batch_failing_for_good_is_completed_later() -> None:
    """The others arrive, the failed are listed with their errors, and retry_failed gives what a clean run gives."""
    broken = {f"2025-{month:02}-{day:02}" for month, day in ((1, 4), (2, 11), (3, 19), (5, 2), (6, 30))}
    application = sandbox.app()
    application.faults.hook = lambda number, path, params: 502 if params.get("start_date") in broken else None
    days = LineCrosses("2025-01-01", "2025-06-30", location=[124, 125], category=1, split=1, on_error="collect")
    visits = ZoneVisitors("2025-01-01", "2025-06-30", location=125, aggregate_by="dayofmonth", split=1)
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport(application), retry=NO_WAIT) as client:
        results = await client.fetch_all([days, visits], on_error="collect")
        failed = [item for result in results for item in result.coverage if item.status == "failed"]
        assert {item.request.params["start_date"] for item in failed} <= broken
        assert {getattr(item.error, "status", None) for item in failed} == {502}
        assert not results[1].complete
        application.faults.hook = None
        application.requests.clear()
        completed = [await client.retry_failed(result) for result in results]
        assert len(application.requests) == len(failed)
        assert completed == await client.fetch_all([days, visits])


_KILLED_JOB = """
import os, sys
import anyio
from indivd_async import AsyncIndivd, Limits, ZoneVisitors
from indivd_async.cache import SQLiteCache
from scripted import Script, visits_by_day

asked = 0

def answer(path, params):
    global asked
    asked += 1
    if asked == 4:
        os._exit(9)
    return visits_by_day(path, params)

async def main():
    options = {"cache": SQLiteCache(sys.argv[1]), "limits": Limits(concurrency=1)}
    async with AsyncIndivd(token="a-token", transport=Script(answer), **options) as client:
        await client.fetch(ZoneVisitors("2025-01-01", "2025-02-28", tz="UTC", aggregate_by="dayofmonth", split=7))

anyio.run(main)
"""


async def test_a_killed_job_goes_on_where_it_was(tmp_path: Path) -> None:
    """Closed days that had arrived are not asked for twice."""
    file = tmp_path / "answers.db"
    killed = await anyio.run_process(
        [sys.executable, "-c", _KILLED_JOB, str(file)], cwd=Path(__file__).parent.parent, check=False, stderr=None
    )
    assert killed.returncode == 9
    script = Script(visits_by_day)
    cache = SQLiteCache(file)
    query = ZoneVisitors("2025-01-01", "2025-02-28", tz="UTC", aggregate_by="dayofmonth", split=7)
    async with AsyncIndivd(token="a-token", transport=script, cache=cache) as client:
        result = await client.fetch(query)
    cache.close()
    assert len(result) == 59
    assert min(day for params in script.data for day in days_of(params)).isoformat() == "2025-01-22"
    assert [item.attempts for item in result.coverage[:4]] == [0, 0, 0, 1]


async def test_batches_and_a_single_call_share_one_client_fairly() -> None:
    """A call behind two batches is answered long before they end."""
    release: list[anyio.Event] = []

    async def step(path: str, params: Params) -> Any:
        turn = anyio.Event()
        release.append(turn)
        await turn.wait()
        return counts_by_day(path, params)

    script = Script(step)
    done: list[str] = []

    async def batch(name: str, client: AsyncIndivd, year: int) -> None:
        query = LineCrosses(f"{year}-01-01", f"{year}-01-31", aggregate_by="dayofmonth", location=124, split=1)
        await client.fetch(query)
        done.append(name)

    async def single(client: AsyncIndivd) -> None:
        await client.line_crosses("2022-01-01", "2022-01-01", aggregate_by="dayofmonth", location=124)
        done.append("single")

    limits = Limits(concurrency=2)
    async with AsyncIndivd(token="a-token", transport=script, limits=limits) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(batch, "one", client, 2023)
            tasks.start_soon(batch, "two", client, 2024)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(single, client)
            while len(done) < 3:
                await anyio.wait_all_tasks_blocked()
                waiting, release[:] = release[:], []
                for turn in waiting:
                    turn.set()
        years = [params["start_date"][:4] for params in script.data]
    assert done[0] == "single"
    assert years.index("2022") <= 6
    assert script.peak == 2
    assert {"2023", "2024"} <= set(years[:8])


@pytest.mark.parametrize("turns", range(24))
def test_a_program_may_end_at_any_turn_of_a_call(turns: int) -> None:
    """asyncio then cancels all tasks at once, also workers that have not begun: none is waited for for ever."""
    question = ZoneVisitors("2025-03-01", "2025-03-07", location=124, split=1, aggregate_by="dayofmonth")

    async def main() -> None:
        client = AsyncIndivd("sandbox", transport=Script(visits_by_day))
        tasks.append(asyncio.create_task(client.fetch(question)))
        for _ in range(turns):
            await asyncio.sleep(0)

    tasks: list[asyncio.Task[Any]] = []
    program = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    program.start()
    program.join(60)
    assert not program.is_alive()
    assert tasks[0].done()


async def test_a_stream_is_one_frame_in_one_line() -> None:
    """Of a query, a plan or many; all must have the same columns, and nothing is asked where they have not."""
    question = ZoneVisitors("2025-03-01", "2025-03-07", location=124, split=2, aggregate_by="dayofmonth")
    async with AsyncIndivd("sandbox", transport=sandbox.transport()) as client:
        frame = polars.DataFrame(await client.stream(question, ordered=True).table())
        assert frame.to_dicts() == (await client.fetch(question)).to_dicts()
        table = await client.stream(iter([await client.plan(question)])).table()
        assert pyarrow.table(table).num_rows == pyarrow.table(table).num_rows == len(frame)
        assert repr(table).startswith("<ArrowStream of zone_visitors 2025-03-01")
        stream = client.stream(question)  # which gives rows after it gave a table
        assert pyarrow.table(await stream.table()).num_rows == len(frame)
        async with stream as chunks:
            assert {type(row) for row in [row async for chunk in chunks for row in chunk.rows]} == {ZoneVisitorsRow}
        asked = client.stats.requests
        for others in ([question, LineCrosses("2025-03-01", "2025-03-02")], [], [question, "visits"]):
            with pytest.raises(InvalidQueryError, match="queries"):
                await client.stream(others).table()  # type: ignore[arg-type]
        assert client.stats.requests == asked


async def test_a_table_keeps_the_notes_of_its_pieces() -> None:
    """And as a frame loses them, what somebody should look at is warned of; what follows from the question is not."""
    question = ZoneVisitors("2025-03-03", "2025-03-09", location=125, split=2, aggregate_by="dayofmonth")
    weeks = ZoneVisitors("2025-03-03", "2025-03-09", location=125, aggregate_by="week")
    async with AsyncIndivd("sandbox", transport=sandbox.transport()) as client:
        assert (await client.stream(question).table()).notes == ()
        (note,) = (await client.stream(weeks).table()).notes
        assert (note.kind, note.doubtful) == ("numbering_unknown", False)
    transport = sandbox.transport(deviations=["doubled_rows"])
    async with AsyncIndivd("sandbox", transport=transport) as client:
        with pytest.warns(UserWarning, match="repeated_key: 8 keys stand more than once"):
            table = await client.stream(question, ordered=True).table()
        assert [note.kind for note in table.notes] == ["repeated_key"]
        assert "repeated_key" in repr(table)
