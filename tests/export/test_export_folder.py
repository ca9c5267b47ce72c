"""Exports: the same rows as a fetch, whatever interrupts them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import duckdb
import export_victim
import pandas
import polars
import pyarrow.dataset
import pyarrow.parquet
import pytest
from scripted import Script, counts_by_day, days_of, visits_by_day

from indivd_async import (
    AsyncIndivd,
    AuthenticationError,
    ConfigError,
    DropInRate,
    InvalidQueryError,
    Limits,
    LineCrosses,
    RetryPolicy,
    ZoneVisitors,
    sandbox,
)
from indivd_async.export import Progress, Report, export
from indivd_async.export.files import take_lock
from indivd_async.export.folder import Folder
from indivd_async.export.manifest import Manifest, columns_of
from indivd_async.export.run import Options, run
from indivd_async.export.store import Change, Region
from indivd_async.queries import Query
from indivd_async.results import tables

pytestmark = pytest.mark.anyio
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])

MANIFEST = "_manifest.parquet"
FORMER_LOCK = "_lock"
HOURS = ZoneVisitors("2025-01-20", "2025-03-10", location=[124, 127], aggregate_by="hour")
DAYS = LineCrosses("2025-01-01", "2025-03-31", location=124, aggregate_by="dayofmonth", split=10)


def make_client(transport: Any = None, **options: Any) -> AsyncIndivd:
    return AsyncIndivd(
        token="sandbox", transport=transport or sandbox.transport(), retry=RetryPolicy(attempts=1), **options
    )


def read(out: Path) -> polars.DataFrame:
    """Read the folder as one table, in an order of its own."""
    frame = polars.scan_parquet(out).collect()
    return frame.sort(frame.columns, nulls_last=True)


def table_of(result: Any) -> polars.DataFrame:
    frame = polars.DataFrame(result)
    return frame.sort(frame.columns, nulls_last=True)


def as_told_by(expected: polars.DataFrame, found: polars.DataFrame) -> polars.DataFrame:
    """Leave out of *found* the locations that only an export tells, which asks for each; but they must be right."""
    if found["zone_id"].null_count() or expected["loc_id"].null_count() < len(expected):
        return found
    by_zone = polars.Series([124 + (zone - 201) // 10 for zone in found["zone_id"]], dtype=polars.Int64)
    assert (found["loc_id"] == by_zone).all()
    found = found.with_columns(loc_id=polars.lit(None, polars.Int64))
    return found.sort(found.columns, nulls_last=True)


def files(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def folders(out: Path) -> set[str]:
    return {path.relative_to(out).parent.as_posix() for path in out.rglob("part-*.parquet")}


CASES: dict[str, tuple[Query, Any, set[str] | None]] = {
    "hours of zones, by month": (HOURS, None, {"2025-01", "2025-02", "2025-03"}),
    "hours of zones, each location asked apart": (
        HOURS,
        "location,month",
        {f"location-{id}/2025-{month:02}" for id in (124, 127) for month in (1, 2, 3)},
    ),
    "one clock, both periods": (
        attrs.evolve(
            HOURS, tz="Europe/Stockholm", comparison_start_date="2024-02-20", comparison_end_date="2024-03-03"
        ),
        "none",
        {"."},
    ),
    "both periods in one request": (
        ZoneVisitors(
            "2025-03-01",
            "2025-03-07",
            comparison_start_date="2025-02-22",
            comparison_end_date="2025-02-28",
            location=124,
        ),
        None,
        {"location-124/2025-03", "location-124/2025-02"},
    ),
    "rows that tell their location": (
        attrs.evolve(HOURS, aggregate_by="dayofmonth,loc_id"),
        "location",
        {"location-124", "location-127"},
    ),
    "lines of all locations, each apart": (
        LineCrosses("2025-03-01", "2025-03-10", category=1, aggregate_by="hour"),
        "location",
        {f"location-{id}" for id in range(124, 132)},
    ),
    "lines of all locations together": (
        LineCrosses("2025-03-01", "2025-03-10", category=1, aggregate_by="hour"),
        None,
        {"2025-03"},
    ),
    "lines, a series each": (
        LineCrosses("2025-03-01", "2025-03-10", location=124, line_ids=[2010, 2012], per="line"),
        None,
        {"location-124/2025-03"},
    ),
    "a list too long for one URL, whose counts are added": (
        LineCrosses("2025-03-01", "2025-03-03", location=124, line_ids=range(1000, 4000), aggregate_by="dayofmonth"),
        None,
        {"location-124/2025-03"},
    ),
    "weeks cut by the turn of a year, whose counts are added": (
        LineCrosses("2024-12-20", "2025-01-20", location=124, category=1, aggregate_by="week"),
        None,
        {"location-124"},
    ),
    "days of the week": (
        ZoneVisitors("2025-03-01", "2025-03-31", location=[124, 127], aggregate_by="dayofweek"),
        None,
        {"."},
    ),
    "years": (LineCrosses("2024-07-01", "2025-06-30", location=124, category=1, aggregate_by="year"), "none", {"."}),
    "months": (
        DropInRate("2025-01-15", "2025-04-10", location=[124, 127], interval="month", split=20),
        None,
        {f"location-{id}/2025-{month:02}" for id in (124, 127) for month in (1, 2, 3, 4)},
    ),
    "drop-in of hours": (DropInRate("2025-03-01", "2025-03-03", location=[124, 127], interval="hour"), "none", {"."}),
    "nothing": (LineCrosses("2025-03-01", "2025-03-10", location=124, line_ids=[1]), None, {"."}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
async def test_the_rows_are_those_of_a_fetch(case: tuple[Query, Any, set[str] | None], tmp_path: Path) -> None:
    """The folder reads as one table, equal to the result of a fetch, in each reader; a second run asks nothing."""
    query, partition, expected_folders = case
    out = tmp_path / "out"
    async with make_client() as client:
        report = await export(client, query, out, partition=partition)
        asked = client.stats.requests
        expected = table_of(await client.fetch(query))
        assert report.complete
        assert report.rows == len(read(out))
        again = await export(client, query, out, partition=partition)
        # What the answers of a run say is told by that run; the second has no answers.
        standing = tuple(note for note in report.notes if note.kind != "drop_in_over_100")
        assert again == attrs.evolve(report, requests=0, notes=standing)
        assert (standing != report.notes) == isinstance(query, DropInRate)
        assert report.requests <= asked
    found = read(out)
    if isinstance(query, LineCrosses) and query.location is None and partition == "location":
        labels = [name for name in found.columns if name not in ("loc_id", "loc_name", "count")]
        found = found.group_by(labels).agg(polars.col("count").sum()).sort(labels, nulls_last=True)
        expected = expected.select(found.columns)
    elif partition == "location,month" and isinstance(query, ZoneVisitors):
        assert set(found["loc_id"]) == {124, 127}  # told here, since each location was asked apart
    found = as_told_by(expected, found)
    assert found.schema == expected.schema
    assert found.equals(expected)
    assert folders(out) == expected_folders
    whole = pyarrow.dataset.dataset(out).to_table()
    assert len(whole) == report.rows
    assert whole.schema.remove_metadata() == pyarrow.dataset.dataset(next(out.rglob("part-*.parquet"))).schema
    (count,) = duckdb.sql(f"SELECT count(*) FROM '{out}/**/*.parquet'").fetchall()
    assert count == (report.rows,)
    assert len(pandas.read_parquet(out)) == report.rows


# Killed.


@on_asyncio
@pytest.mark.parametrize(
    ("job", "begun_until", "kills"),
    [("lines", None, 7), ("visits", None, 7), ("drop-in", None, 6), ("visits", "2025-02-03", 5)],
    ids=["lines", "visits", "drop-in", "a period that grows"],
)
async def test_an_export_that_is_killed_goes_on(job: str, begun_until: str | None, kills: int, tmp_path: Path) -> None:
    """Killed at random moments and started again, an export ends with the rows of one that was left alone."""
    query, options = export_victim.JOBS[job]
    out, clean = tmp_path / "out", tmp_path / "clean"
    application = sandbox.app()
    async with sandbox.serving(application) as url, make_client(base_url=url) as client:
        if begun_until is not None:
            await export(client, attrs.evolve(query, end_date=begun_until), out, **options)
        application.latency_s = 0.03
        killed = await run_victim(url, out, job, kills)
        application.latency_s = 0
        application.requests.clear()
        report = await export(client, query, out, **options)
        assert report.requests == 0
        assert {request.path for request in application.requests} <= {"/filters/locations"}
        await export(client, query, clean, **options)
    assert killed == kills
    assert read(out).equals(read(clean))
    assert {path for path in files(out) if "part-" not in path} == {MANIFEST}


@on_asyncio
async def test_a_refresh_that_is_killed_changes_nothing_or_all(tmp_path: Path) -> None:
    """Killed while it exchanges the last days, a refresh leaves each row there once."""
    query, options = export_victim.JOBS["refresh"]
    out = tmp_path / "out"
    application = sandbox.app()
    async with sandbox.serving(application) as url, make_client(base_url=url) as client:
        await export(client, query, out, partition="month")
        clean = read(out)
        application.latency_s = 0.01
        assert await run_victim(url, out, "refresh", 6) == 6
        assert read(out).equals(clean)
        report = await export(client, query, out, **options)
    assert report.changes is not None
    assert (report.changes.added, report.changes.removed, report.changes.changed) == (0, 0, 0)
    assert read(out).equals(clean)


async def run_victim(url: str, out: Path, job: str, kills: int) -> int:
    done = await anyio.run_process(
        [sys.executable, export_victim.__file__, url, str(out), job, str(kills)], check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return int(done.stdout)


async def test_an_export_that_is_cancelled_keeps_what_it_has(tmp_path: Path) -> None:
    """Cancelled, an export writes what it holds, and the next run asks only for the rest."""
    released = anyio.Event()

    async def answer(path: str, params: dict[str, str]) -> Any:
        if params["start_date"] != "2025-01-01":
            await released.wait()
        return counts_by_day(path, params)

    script = Script(answer)
    out = tmp_path / "out"
    async with make_client(script) as client:
        with anyio.CancelScope() as scope:

            def stop(progress: Progress) -> None:
                scope.cancel()

            await export(client, DAYS, out, on_progress=stop)
        assert scope.cancelled_caught
        assert len(read(out)) == 10
        released.set()
        asked = len(script.data)
        report = await export(client, DAYS, out)
    assert report.complete
    assert min(params["start_date"] for params in script.data[asked:]) == "2025-01-11"
    assert len(script.data) - asked == 8
    assert read(out)["count"].sum() == 900


async def test_rows_are_kept_while_others_are_waited_for(tmp_path: Path) -> None:
    """What has been held long enough is written, also when no further answer comes."""
    out = tmp_path / "out"
    written = anyio.Event()

    async def answer(path: str, params: dict[str, str]) -> Any:
        if params["start_date"] != "2025-01-01":
            await written.wait()
        return counts_by_day(path, params)

    async def watch() -> None:
        while not folders(out):  # noqa: ASYNC110  a folder cannot be waited for
            await anyio.sleep(0.002)
        written.set()

    async with make_client(Script(answer)) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        with anyio.fail_after(14):
            report = await export(client, DAYS, out, commit_every=0.005)
    assert report.rows == 90


# Failures.


@on_asyncio
async def test_what_failed_is_listed_and_asked_again(tmp_path: Path) -> None:
    """Failed requests are listed, the others kept; the next run asks for those alone, and ends like a clean one."""
    faults = sandbox.Faults(hook=lambda _, __, params: 400 if params.get("start_date", "").endswith("1") else None)
    application = sandbox.app(faults=faults)
    out, clean = tmp_path / "out", tmp_path / "clean"
    async with make_client(sandbox.transport(application)) as client:
        told: list[Progress] = []
        first = await export(client, DAYS, out, on_progress=told.append)
        assert not first.complete
        bad = [failure.request for failure in first.failures]
        assert all("start_date=2025-" in request for request in bad)
        assert told[-1] == Progress(done=9, total=9, rows=first.rows, failed=len(bad))
        faults.hook = None
        application.requests.clear()
        second = await export(client, DAYS, out)
        assert second.complete
        data = [request for request in application.requests if not request.path.startswith("/filters/")]
        assert len(data) == second.requests == len(bad)
        await export(client, DAYS, clean)
    assert read(out).equals(read(clean))


@on_asyncio
async def test_a_token_that_is_refused_ends_it(tmp_path: Path) -> None:
    """After a 401 nothing more is asked; what was there before is kept."""
    application = sandbox.app()
    out = tmp_path / "out"
    async with make_client(sandbox.transport(application), limits=Limits(concurrency=1)) as client:
        application.faults.hook = lambda number, _, __: 401 if number > 4 else None
        with pytest.raises(AuthenticationError):
            await export(client, DAYS, out)
        assert len(application.requests) == 5  # the first is for the locations
        assert len(read(out)) > 0
        application.faults.hook = None
        assert (await export(client, DAYS, out)).requests == 6


@on_asyncio
async def test_rows_of_days_not_asked_for_are_refused(tmp_path: Path) -> None:
    """A window's rows must lie in it: else two windows might bring the same row, and nobody would see it."""

    def answer(path: str, params: dict[str, str]) -> Any:
        if params["start_date"] == "2025-01-11":
            return counts_by_day(path, params | {"end_date": "2025-01-21"})
        if params["start_date"] == "2025-02-10":
            return [{"_id": {"dayofmonth": 10}, "count": 1}]
        return counts_by_day(path, params)

    async with make_client(Script(answer)) as client:
        report = await export(client, DAYS, tmp_path / "out")
    assert sorted(str(failure.error)[:44] for failure in report.failures) == [
        "expected rows of 2025-01-11 to 2025-01-20, g",
        "expected rows of 2025-02-10 to 2025-02-19, g",
    ]


@on_asyncio
async def test_a_zone_that_answers_two_questions_is_refused(tmp_path: Path) -> None:
    """
    Where the service brings one zone for two locations, it is kept once, also when another run goes on: that asks the
    location that has it again, for the zone may have moved.
    """
    query = ZoneVisitors("2025-03-01", "2025-03-03", location=[124, 301], aggregate_by="dayofmonth")
    script = Script(visits_by_day)
    problem = "expected zone 201 in the answers for .* only, got it for .* too"
    async with make_client(script) as client:
        for asked in (2, 2):
            script.asked.clear()
            report = await export(client, query, tmp_path)
            assert len(script.data) == asked
            (failure,) = report.failures
            assert re.match(problem, str(failure.error))
            assert report.rows == 3


# Refreshed.


@attrs.define
class Changing:
    """Daily counts that can be changed."""

    counts: dict[date, int] = attrs.field(factory=dict)
    fail: bool = False

    def __call__(self, path: str, params: dict[str, str]) -> Any:
        if self.fail:
            return 400
        return [
            {"_id": {"year": day.year, "month": day.month, "dayofmonth": day.day}, "count": count}
            for day in days_of(params)
            if (count := self.counts.get(day, 10))
        ]


async def test_a_refresh_replaces_the_last_days_and_tells_what_changed(tmp_path: Path) -> None:
    """Only the last days are asked for; their rows replace the old ones, the others stay."""
    source = Changing(counts={date(2025, 3, 29): 0})
    script = Script(source)
    out = tmp_path / "out"
    async with make_client(script) as client:
        await export(client, DAYS, out, partition="month")
        source.counts = {date(2025, 3, 30): 17, date(2025, 3, 31): 0, date(2025, 1, 1): 99}
        asked = len(script.data)
        report = await export(client, DAYS, out, refresh=3)
        assert [(p["start_date"], p["end_date"]) for p in script.data[asked:]] == [("2025-03-29", "2025-03-31")]
        assert report.changes is not None
        assert str(report.changes) == ("since 2025-03-29: 1 rows changed, 1 new, 1 gone, 0 as they were; count 20 → 27")
        counts = dict(read(out).select(polars.col("bucket_start").dt.date(), "count").iter_rows())
        assert counts == {date(2025, 1, 1) + timedelta(days=k): 10 for k in range(89)} | {date(2025, 3, 30): 17}
        manifest = (out / MANIFEST).read_bytes()
        unchanged = await export(client, DAYS, out, refresh=3)
        assert unchanged.changes is not None
        assert (unchanged.changes.changed, unchanged.changes.unchanged) == (0, 2)
        assert (out / MANIFEST).read_bytes() == manifest


async def test_a_refresh_that_fails_leaves_the_old_rows(tmp_path: Path) -> None:
    """All of the last days are replaced, or none."""
    source = Changing()
    out = tmp_path / "out"
    async with make_client(Script(source)) as client:
        await export(client, DAYS, out)
        before = read(out)
        source.fail = True
        report = await export(client, DAYS, out, refresh=3)
        assert not report.complete
        assert report.changes is None
        assert read(out).equals(before)
        source.fail = False
        assert (await export(client, DAYS, out, refresh=3)).complete


# Growing.


async def test_a_period_may_grow(tmp_path: Path) -> None:
    """A question that ends later is asked for the new days alone, and from then on it is the folder's."""
    out = tmp_path / "out"
    script = Script(counts_by_day)
    longer = attrs.evolve(DAYS, end_date="2025-04-20")
    async with make_client(script) as client:
        await export(client, DAYS, out)
        script.asked.clear()
        report = await export(client, longer, out)
        assert sorted((p["start_date"], p["end_date"]) for p in script.data) == [
            ("2025-04-01", "2025-04-10"),
            ("2025-04-11", "2025-04-20"),
        ]
        assert (report.requests, report.rows, report.changes) == (2, 110, None)
        assert read(out).equals(table_of(await client.fetch(longer)))
        assert (await export(client, longer, out)).requests == 0
        before = read(out)
        shorter = await export(client, DAYS, out)  # takes nothing away
        assert (shorter.requests, shorter.rows) == (0, 110)
        assert read(out).equals(before)


async def test_a_refresh_while_the_period_grows(tmp_path: Path) -> None:
    """The last days that were there are asked again, and told apart from those that are new."""
    out = tmp_path / "out"
    source = Changing()
    async with make_client(Script(source)) as client:
        await export(client, DAYS, out)
        source.counts = {date(2025, 3, 31): 12}
        longer = attrs.evolve(DAYS, end_date="2025-04-20")
        report = await export(client, longer, out, refresh=2)
        assert str(report.changes) == "since 2025-03-30: 1 rows changed, 0 new, 0 gone, 1 as they were; count 20 → 22"
        assert read(out).equals(table_of(await client.fetch(longer)))


@on_asyncio
async def test_a_period_grows_though_something_is_missing(tmp_path: Path) -> None:
    """What failed stays listed, is asked once a run, and does not keep new days from coming."""
    faults = sandbox.Faults(hook=lambda _, __, params: 400 if params.get("start_date") == "2025-01-11" else None)
    application = sandbox.app(faults=faults)
    out, clean = tmp_path / "out", tmp_path / "clean"
    ends = ("2025-04-20", "2025-05-05")
    first, second = (attrs.evolve(DAYS, end_date=end) for end in ends)
    async with make_client(sandbox.transport(application)) as client:
        assert (await export(client, DAYS, out)).requests == 8
        for query, requests in ((first, 2), (second, 2)):
            report = await export(client, query, out)
            assert (report.requests, len(report.failures)) == (requests, 1)
        faults.hook = None
        report = await export(client, second, out)
        assert (report.requests, report.complete) == (1, True)
        await export(client, second, clean)
    assert read(out).equals(read(clean))


GROWING: dict[str, Query] = {
    "months, of which the last was not whole": LineCrosses(
        "2025-01-15", "2025-03-10", location=124, category=1, aggregate_by="month"
    ),
    "weeks are asked for as a whole": LineCrosses(
        "2024-12-20", "2025-01-20", location=124, category=1, aggregate_by="week"
    ),
    "two periods, of which one is over": attrs.evolve(
        HOURS, comparison_start_date="2024-02-20", comparison_end_date="2024-03-03"
    ),
    "two periods in one request": ZoneVisitors(
        "2025-03-01",
        "2025-03-03",
        comparison_start_date="2025-02-22",
        comparison_end_date="2025-02-24",
        aggregate_by="dayofmonth",
        location=124,
    ),
    "one location": attrs.evolve(HOURS, location=124),
    "drop-in": DropInRate("2025-03-01", "2025-03-20", location=[124, 127], interval="hour"),
}


@on_asyncio
@pytest.mark.parametrize("query", GROWING.values(), ids=list(GROWING))
@pytest.mark.parametrize("refresh", [None, 4], ids=["", "refreshed"])
async def test_a_period_that_has_grown_has_the_rows_of_the_longer_one(
    query: Query, refresh: int | None, tmp_path: Path
) -> None:
    """Whether the new days stand apart, or change rows that are there."""
    out = tmp_path / "out"
    longer = attrs.evolve(query, end_date=query.end_date + timedelta(days=25))
    async with make_client() as client:
        await export(client, query, out)
        report = await export(client, longer, out, refresh=refresh)
        assert report.complete
        expected = table_of(await client.fetch(longer))
        assert as_told_by(expected, read(out)).equals(expected)
        assert (await export(client, longer, out)).requests == 0


async def test_days_that_had_not_ended_are_asked_again(tmp_path: Path) -> None:
    """Once they have, and only they; what changed is told, and then they are settled."""
    source = Changing()
    script = Script(source)
    longer = attrs.evolve(DAYS, end_date="2025-04-02")

    async def run_when(ended: str, query: Query) -> tuple[list[str], Any, Any]:
        script.asked.clear()
        report = await run(
            client,
            query,
            Folder(tmp_path),
            Options(ended=date.fromisoformat(ended)),
        )
        return (
            [f"{params['start_date']}..{params['end_date']}" for params in script.data],
            report.changes,
            report.provisional_from,
        )

    async with make_client(script) as client:
        assert len((await run_when("2025-03-28", DAYS))[0]) == 9
        assert await run_when("2025-03-28", DAYS) == ([], None, date(2025, 3, 29))
        source.counts = {date(2025, 3, 29): 11, date(2025, 3, 30): 12, date(2025, 3, 31): 13}
        asked, changes, provisional = await run_when("2025-03-30", DAYS)
        assert provisional == date(2025, 3, 31)
        assert asked == ["2025-03-29..2025-03-31"]
        assert str(changes) == "since 2025-03-29: 3 rows changed, 0 new, 0 gone, 0 as they were; count 30 → 36"
        source.counts[date(2025, 3, 31)] = 14
        asked, changes, _ = await run_when("2025-04-01", longer)
        assert asked == ["2025-03-31..2025-03-31", "2025-04-01..2025-04-02"]
        assert str(changes) == "since 2025-03-31: 1 rows changed, 0 new, 0 gone, 0 as they were; count 13 → 14"
        assert (await run_when("2025-04-02", longer))[0] == ["2025-04-02..2025-04-02"]
        assert await run_when("2025-04-09", longer) == ([], None, None)
        assert read(tmp_path).equals(table_of(await client.fetch(longer)))


REFRESHED: dict[str, tuple[Query, Any]] = {
    "months are whole": (LineCrosses("2025-01-15", "2025-06-20", location=124, category=1, aggregate_by="month"), None),
    "the first month is not whole": (
        LineCrosses("2025-06-15", "2025-06-20", location=124, category=1, aggregate_by="month"),
        None,
    ),
    "weeks are asked for as a whole": (
        LineCrosses("2024-12-20", "2025-01-20", location=124, category=1, aggregate_by="week"),
        None,
    ),
    "one clock": (attrs.evolve(HOURS, tz="America/New_York"), "none"),
    "each location apart": (HOURS, "location"),
    "two periods, of which one is over": (
        attrs.evolve(HOURS, comparison_start_date="2024-02-20", comparison_end_date="2024-03-03"),
        "month",
    ),
    "two periods in one request, shorter than the refresh": (
        ZoneVisitors(
            "2025-03-01",
            "2025-03-03",
            comparison_start_date="2025-02-22",
            comparison_end_date="2025-02-24",
            location=124,
        ),
        None,
    ),
    "nothing": (LineCrosses("2025-03-01", "2025-03-10", location=124, line_ids=[1]), None),
    "drop-in": (DropInRate("2025-03-01", "2025-03-20", location=[124, 127], interval="hour"), "month"),
}


@on_asyncio
@pytest.mark.parametrize("case", REFRESHED.values(), ids=list(REFRESHED))
async def test_a_refresh_of_what_has_not_changed_changes_nothing(case: tuple[Query, Any], tmp_path: Path) -> None:
    """Where the service says the same as before, every row that is asked for again is found as it was."""
    query, partition = case
    out = tmp_path / "out"
    async with make_client() as client:
        report = await export(client, query, out, partition=partition)
        before = read(out)
        again = await export(client, query, out, refresh=5)
    changes = again.changes
    assert changes is not None
    assert (changes.added, changes.removed, changes.changed) == (0, 0, 0)
    assert bool(changes.unchanged) == bool(report.rows)
    assert read(out).equals(before)


@on_asyncio
async def test_a_longer_period_must_not_change_the_grouping(tmp_path: Path) -> None:
    """A default grouping that the longer period would change is refused."""
    query = LineCrosses("2025-03-01", "2025-03-20", location=124)
    async with make_client(Script(counts_by_day)) as client:
        await export(client, query, tmp_path)
        with pytest.raises(
            ConfigError, match="rows there are by dayofmonth; over the longer period the API would group by month"
        ):
            await export(client, attrs.evolve(query, end_date="2025-04-20"), tmp_path)


# One folder, one question.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start_date": "2025-01-02"}, r"start_date: .* \(2025-01-01 there, 2025-01-02 here"),
        ({"location": 125}, r"location: .* \(124 there, 125 here"),
        ({"category": 1}, r"category: .* \(none there, 1 here"),
        ({"aggregate_by": "week"}, r"aggregate_by: .* \(dayofmonth there"),
    ],
    ids=["start", "another location", "lines", "grouping"],
)
@on_asyncio
async def test_another_question_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    """A folder goes on only with its own question; nothing is asked and nothing touched."""
    script = Script(counts_by_day)
    async with make_client(script) as client:
        await export(client, DAYS, tmp_path)
        before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
        asked = len(script.asked)
        with pytest.raises(ConfigError, match=message):
            await export(client, attrs.evolve(DAYS, **changes), tmp_path, refresh=3)
        assert len(script.asked) == asked
        assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before
        assert (await export(client, attrs.evolve(DAYS, split=None, on_error="collect"), tmp_path)).complete


@on_asyncio
async def test_a_question_is_the_same_in_whichever_order_it_names_things(tmp_path: Path) -> None:
    """Zones, locations, and the labels of a grouping; all is there, so nothing is asked."""
    query = ZoneVisitors("2025-03-01", "2025-03-04", location=[124, 127], zones=[201, 231], aggregate_by="loc_id,hour")
    other = attrs.evolve(query, location=[127, 124], zones=[231, 201], aggregate_by="hour,loc_id")
    async with make_client() as client:
        report = await export(client, query, tmp_path)
        again = await export(client, other, tmp_path)
    assert (again.requests, again.rows) == (0, report.rows)


@on_asyncio
async def test_another_endpoint_or_partition_is_refused(tmp_path: Path) -> None:
    """What the folders are made of is settled by the first run."""
    async with make_client(Script(counts_by_day)) as client:
        await export(client, DAYS, tmp_path)
        with pytest.raises(ConfigError, match="holds an export of line_crosses"):
            await export(client, HOURS, tmp_path)
        with pytest.raises(ConfigError, match="is parted by location,month"):
            await export(client, DAYS, tmp_path, partition="none")


@pytest.mark.parametrize(
    ("query", "options", "error"),
    [
        (DAYS, {"partition": "year"}, "partition: must be location,month, one of them, or none; got 'year'"),
        (DAYS, {"partition": "month,month"}, "partition: must be"),
        (attrs.evolve(DAYS, aggregate_by="week"), {"partition": "month"}, "rows by week do not tell their month"),
        (DAYS, {"refresh": 0}, "refresh: must be a whole number of days of at least 1; got 0"),
        (DAYS, {"refresh": True}, "refresh: must be"),
    ],
    ids=["unknown", "twice", "months of weeks", "no days", "a truth"],
)
@on_asyncio
async def test_options_that_cannot_be_used(query: Query, options: dict[str, Any], error: str, tmp_path: Path) -> None:
    """They are refused by name, and leave no trace of a folder."""
    async with make_client() as client:
        with pytest.raises(ConfigError, match=error):
            await export(client, query, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@on_asyncio
async def test_a_question_that_cannot_be_planned_leaves_no_trace(tmp_path: Path) -> None:
    """A folder begins when its plan is there."""
    async with make_client() as client:
        with pytest.raises(InvalidQueryError, match="999"):
            await export(client, ZoneVisitors("2025-03-01", "2025-03-02", location=[124, 999]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    """While one writes, another is refused; it disturbs nothing."""
    asked, released = anyio.Event(), anyio.Event()

    async def answer(path: str, params: dict[str, str]) -> Any:
        asked.set()
        await released.wait()
        return counts_by_day(path, params)

    async def first() -> None:
        reports.append(await export(client, DAYS, tmp_path))

    reports: list[Report] = []
    async with make_client(Script(answer)) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await asked.wait()
        with pytest.raises(ConfigError, match="another export is writing to"):
            await export(client, DAYS, tmp_path)
        released.set()
    assert reports[0].complete


@on_asyncio
async def test_a_writer_of_an_earlier_version_is_one_too_many(tmp_path: Path) -> None:
    """Its lock lies in the folder; while it is held nothing is touched."""
    async with make_client(Script(counts_by_day)) as client:
        await export(client, DAYS, tmp_path)
        with take_lock(tmp_path / FORMER_LOCK, tmp_path):
            before = files(tmp_path)
            with pytest.raises(ConfigError, match="another export is writing to"):
                await export(client, DAYS, tmp_path, refresh=3)
            assert files(tmp_path) == before
        assert (await export(client, DAYS, tmp_path, refresh=3)).complete
    assert FORMER_LOCK not in files(tmp_path)


# What a folder may hold.


@on_asyncio
async def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    """Parts that the manifest does not name go, and what is half written; files of others stay."""
    async with make_client(Script(counts_by_day)) as client:
        await export(client, DAYS, tmp_path)
        before = read(tmp_path)
        part = tmp_path / next(name for name in files(tmp_path) if "part-" in name)
        (part.parent / f"{part.stem[:-6]}000099.parquet").write_bytes(part.read_bytes())
        (part.parent / ".part-000100.tmp").write_bytes(b"PAR1")
        beside = tmp_path.parent / f".{tmp_path.name}.unfinished"
        beside.mkdir()
        (beside / f"{part.stem[:-6]}000101").write_bytes(b"PAR1")
        (tmp_path / "notes.txt").write_text("mine")
        (tmp_path / ".manifest.tmp").write_bytes(b"PAR1")
        (tmp_path / FORMER_LOCK).touch()
        manifest = (tmp_path / MANIFEST).read_bytes()
        assert (await export(client, DAYS, tmp_path)).requests == 0
        assert (tmp_path / MANIFEST).read_bytes() == manifest
    assert (tmp_path / "notes.txt").exists()
    (tmp_path / "notes.txt").unlink()  # which polars does not take
    assert read(tmp_path).equals(before)
    assert not [name for name in files(tmp_path) if name.endswith(("99.parquet", ".tmp")) or name == FORMER_LOCK]
    assert not beside.exists()


@on_asyncio
async def test_an_export_that_never_began_begins(tmp_path: Path) -> None:
    """A first manifest that is half written is none."""
    (tmp_path / ".manifest.tmp").write_bytes(b"PAR1")
    async with make_client(Script(counts_by_day)) as client:
        assert (await export(client, DAYS, tmp_path)).rows == 90


def lose_a_part(out: Path) -> None:
    next(out.rglob("part-*.parquet")).unlink()


def cut_a_part(out: Path) -> None:
    part = next(out.rglob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])


def garble_a_part(out: Path) -> None:
    part = next(out.rglob("part-*.parquet"))
    content = part.read_bytes()
    part.write_bytes(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])


def garble_an_end(out: Path) -> None:
    part = next(out.rglob("part-*.parquet"))
    content = part.read_bytes()
    part.write_bytes(content[:-200] + bytes(190) + content[-10:])


def cut_the_manifest(out: Path) -> None:
    (out / MANIFEST).write_bytes((out / MANIFEST).read_bytes()[:-1])


def garble_the_manifest(out: Path) -> None:
    manifest = out / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b'[["2025-', b'[["x025-'))


def written_otherwise(old: bytes, new: bytes) -> Callable[[Path], None]:
    def write(out: Path) -> None:
        manifest = out / MANIFEST
        manifest.write_bytes(manifest.read_bytes().replace(old, new, 1))

    return write


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lose_a_part, "is damaged: .*is not there as it was written. Remove the folder to begin anew"),
        (cut_a_part, "is not there as it was written"),
        (garble_a_part, "is damaged: .*part-.* is not as it was written. Remove the folder to begin anew"),
        (garble_an_end, "is damaged: .*part-.* is not as it was written"),
        (cut_the_manifest, "is damaged: _manifest.parquet cannot be read"),
        (garble_the_manifest, "is damaged: _manifest.parquet cannot be read"),
        (written_otherwise(b'"version":3', b'"version":7'), r"another version .*\(format 7, this one knows 3\)"),
        (written_otherwise(b'"per":null', b'"new":null'), r"another version .*\(this one does not know its question\)"),
        (written_otherwise(b'"dayofmonth"', b'"quarterday"'), r"another version .*its question\)"),
    ],
    ids=[
        "a part is lost",
        "a part is cut",
        "a part is garbled",
        "the end of a part is garbled",
        "the manifest is cut",
        "the manifest is garbled",
        "another format",
        "another parameter",
        "another grouping",
    ],
)
@on_asyncio
async def test_a_damaged_folder_is_refused(harm: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    """What cannot be relied on is said, and left as it is."""
    async with make_client(Script(counts_by_day)) as client:
        await export(client, DAYS, tmp_path)
        harm(tmp_path)
        before = files(tmp_path)
        with pytest.raises(ConfigError, match=message):
            await export(client, DAYS, tmp_path, refresh=1000)
    assert files(tmp_path) == before


@on_asyncio
async def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """Parquet files that no manifest knows would be read as rows of the export."""
    (tmp_path / "sub").mkdir()
    polars.DataFrame({"a": [1]}).write_parquet(tmp_path / "sub/part-000001.parquet")
    async with make_client() as client:
        with pytest.raises(ConfigError, match="holds Parquet files of something else"):
            await export(client, DAYS, tmp_path)
    assert files(tmp_path) == ["sub/part-000001.parquet"]


@on_asyncio
async def test_an_export_inside_another_is_refused(tmp_path: Path) -> None:
    """Readers of the outer one would take its rows for theirs; also by way of a link."""
    out = tmp_path / "out"
    (tmp_path / "link").symlink_to(out)
    async with make_client(Script(counts_by_day)) as client:
        await export(client, DAYS, out)
        before = files(out)
        with pytest.raises(ConfigError, match=r"holds the export out, whose rows readers of both would take for one"):
            await export(client, DAYS, tmp_path)
        (tmp_path / "file").touch()
        for path in (tmp_path / "file", tmp_path / "file/out"):
            with pytest.raises(OSError, match=r"file(/out)? is a file, or lies in one; name a folder"):
                await export(client, DAYS, path)
        for inner in (out / "lines", out / "a/b/c", tmp_path / "link/lines"):
            with pytest.raises(ConfigError, match=r"lies in the export .*export to a folder outside of it"):
                await export(client, DAYS, inner)
        assert files(out) == before


@on_asyncio
async def test_what_is_not_of_the_export_is_left_alone(tmp_path: Path) -> None:
    """Whatever its name: parts of others, an export that an earlier version has let begin inside, a copy of a part."""
    out, other = tmp_path / "out", tmp_path / "other"
    async with make_client(Script(counts_by_day)) as client:
        for folder in (out, other):
            await export(client, DAYS, folder)
        mine = next(out.rglob("part-*.parquet"))
        other.rename(out / "lines")
        part = next((out / "lines").rglob("part-*.parquet"))
        theirs = {name for name in files(out) if name.startswith("lines/")}
        for name in (part.name, "part-000001.parquet", "part-1.parquet"):
            (out / "location-124" / name).write_bytes(part.read_bytes())
            theirs.add(f"location-124/{name}")
        (out / "backup").mkdir()
        shutil.copy(mine, out / "backup")
        theirs.add(f"backup/{mine.name}")
        longer = attrs.evolve(DAYS, end_date="2025-04-20")
        for options in ({}, {"refresh": 90}):
            assert (await export(client, longer, out, **options)).complete
            assert theirs <= set(files(out))
        shutil.move(out / "lines", other)
        assert (await export(client, DAYS, other)).requests == 0


@on_asyncio
async def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A file of that name is left alone."""
    (tmp_path / "out").write_text("mine")
    async with make_client() as client:
        with pytest.raises(FileExistsError):
            await export(client, DAYS, tmp_path / "out")


# Many rows.


def test_many_rows_become_large_row_groups_and_few_parts(tmp_path: Path) -> None:
    """Rows are added to a part until it has 200,000; row groups have up to 25,000: so many are held to write one."""
    query = LineCrosses("2025-01-01", "2025-07-31", location=124, aggregate_by="minute")
    schema = tables.arrow_schema(query)

    def make_batch(first: int, rows: int) -> pyarrow.RecordBatch:
        counts = pyarrow.array(range(first, first + rows), pyarrow.int64())
        nulls = [pyarrow.nulls(rows, field.type) for field in schema if field.name != "count"]
        return pyarrow.RecordBatch.from_arrays([*nulls, counts], schema=schema)

    folder = Folder(tmp_path)
    folder.open()
    manifest = Manifest(id="0a1b2c3d", query=query, columns=columns_of(query))
    folder.begin(manifest)
    for unit in range(15):
        change = Change(region=Region(period="current"), batches=[make_batch(unit * 90_000, 90_000)], replaces=False)
        folder.commit([change], manifest)
    folder.finish()
    folder.close()
    counts = polars.scan_parquet(tmp_path).select("count").collect()["count"]
    assert counts.equals(polars.int_range(15 * 90_000, eager=True).alias("count"))
    parts = [pyarrow.parquet.ParquetFile(path) for path in sorted(tmp_path.glob("part-*.parquet"))]
    assert [part.metadata.num_rows for part in parts] == [270_000] * 5
    groups = [[part.metadata.row_group(n).num_rows for n in range(part.num_row_groups)] for part in parts]
    assert groups == [([25_000] * 3 + [15_000]) * 3] * 5


@pytest.mark.parametrize(
    ("where", "extra"), [({"out": "out"}, "parquet"), ({"to": "duckdb:///shop.duckdb?table=visits"}, "database")]
)
def test_without_pyarrow_the_error_names_the_extra(where: dict[str, str], extra: str) -> None:
    """The module can be imported and described; using it needs the extra, of a database that which has its driver."""
    code = f"""
import sys
sys.modules["pyarrow"] = None
import functools, anyio
from indivd_async.export import export
anyio.run(functools.partial(export, None, None, **{where}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"indivd-async[{extra}]" in done.stderr


def test_an_export_does_not_import_pandas(tmp_path: Path) -> None:
    """A fifth of all that it may hold; pyarrow does so where it is given one of Python's own values to compare with."""
    code = """
import sys
import anyio
from indivd_async import AsyncIndivd, ZoneVisitors, sandbox
from indivd_async.export import export
async def main():
    async with AsyncIndivd("sandbox", transport=sandbox.transport()) as client:
        for day in ("2025-03-04", "2025-03-06"):
            query = ZoneVisitors("2025-03-03", day, aggregate_by="hour")
            report = await export(client, query, refresh=2, out="out")
            assert report.complete and report.rows, report
anyio.run(main)
print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "False\n"
