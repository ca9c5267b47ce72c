"""Whoever reads the folder of an export as it lies there: at any moment, while it is written and after kills."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import attrs
import duckdb
import export_victim
import pandas
import polars
import pyarrow.dataset
import pyarrow.parquet
import pytest
from town import Town

from indivd_async import AsyncIndivd, ZoneVisitors, sandbox
from indivd_async.export import Progress, export

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

DAY = ["loc_id", "zone_id", "year", "month", "dayofmonth"]
KEY = [*DAY, "hour"]


def by_dask(out: Path) -> Any:
    frames = pytest.importorskip("dask.dataframe")
    with warnings.catch_warnings():  # dask's own, of pandas
        warnings.simplefilter("ignore")
        return frames.read_parquet(out).compute(scheduler="synchronous")


def by_duckdb(out: Path) -> Any:
    with duckdb.connect() as connection:  # older ones close what nobody holds, though it is read
        return connection.sql(f"FROM '{out}/**/*.parquet'").to_arrow_table()


READERS: dict[str, Callable[[Path], Any]] = {
    "polars": lambda out: polars.scan_parquet(out).collect(),
    "duckdb": by_duckdb,
    "pandas": lambda out: pandas.read_parquet(out),
    "pyarrow": lambda out: pyarrow.dataset.dataset(out, format="parquet").to_table(),
    "dask": by_dask,
}


def keys_of(table: Any, names: list[str] = KEY) -> list[tuple[int, ...]]:
    """Return the key of each row that was read; a folder without a part has no columns for some readers."""
    if not len(table.columns):
        return []
    if isinstance(table, pandas.DataFrame):
        return list(table[names].itertuples(index=False, name=None))
    return polars.DataFrame(table).select(names).rows()


async def test_a_folder_is_read_while_it_is_written_and_after_kills(tmp_path: Path) -> None:
    """Every reader takes the bare folder all the time, and finds no row that is not of the answer."""
    query, options = export_victim.JOBS["visits"]
    out = tmp_path / "out"
    application = sandbox.app()
    seen: dict[str, list[list[tuple[int, ...]]]] = {name: [] for name in READERS}
    done = anyio.Event()

    async def write(url: str) -> None:
        for job, kills in (("visits", 5), ("refresh", 2)):
            command = [sys.executable, export_victim.__file__, url, str(out), job, str(kills)]
            assert int((await anyio.run_process(command)).stdout) == kills
        done.set()

    async with sandbox.serving(application) as url, AsyncIndivd(token="sandbox", base_url=url) as client:
        await export(client, query, tmp_path / "clean", **options)
        expected = sorted(keys_of(READERS["polars"](tmp_path / "clean")))
        application.latency_s = 0.02
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, url)
            while not done.is_set():
                for name, read in READERS.items():
                    if any(out.rglob("part-*.parquet")):
                        seen[name].append(keys_of(await anyio.to_thread.run_sync(read, out)))
                await anyio.sleep(0.01)
    for name, read in READERS.items():
        assert seen[name], name
        assert all(set(found) <= set(expected) and len(found) == len(set(found)) for found in seen[name]), name
        assert sorted(keys_of(read(out))) == expected, name


DAYS = ZoneVisitors("2025-03-20", "2025-04-10", location=[124, 127], aggregate_by="dayofmonth")


async def refresh(town: Town, out: Path, partition: str, query: ZoneVisitors = DAYS, days: int = 22) -> None:
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport(sandbox.app(town))) as client:
        assert (await export(client, query, out, partition=partition, refresh=days)).complete


def make_late(night: int) -> dict[tuple[int, date], int]:
    """Return visits that come late, to four days that change with the *night*."""
    return {
        (place, date(2025, 3, 20) + timedelta(days=(7 * night + 11 * some) % 22)): night + 1
        for place in (124, 127)
        for some in range(2)
    }


@pytest.mark.parametrize("reader", list(READERS))
async def test_each_row_is_there_once_while_nights_change_it(reader: str, tmp_path: Path) -> None:
    """No refresh is seen as a row that is missing, or there twice, or as an error."""
    read, out, town, done = READERS[reader], tmp_path / "out", Town(), threading.Event()
    await refresh(town, out, "location,month")
    expected = sorted(keys_of(read(out), DAY))
    reads = 0

    def read_on() -> None:
        nonlocal reads
        while not done.is_set():
            assert all(name.endswith(".parquet") for _, _, names in os.walk(out) for name in names)
            assert sorted(keys_of(read(out), DAY)) == expected
            reads += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, read_on)
        try:
            for night in range(6):
                town.late = make_late(night)
                await refresh(town, out, "location,month")
        finally:
            done.set()
    assert reads > 1


async def test_who_has_read_a_former_footer_finds_its_rows(tmp_path: Path) -> None:
    """A reader that has looked up the size of a part, or read its footer, reads on in the file of today."""
    out, town = tmp_path / "out", Town()
    states: list[tuple[bytes, Any, Any]] = []
    for night in range(12):
        town.late = make_late(night)
        await refresh(town, out, "none", attrs.evolve(DAYS, end_date=DAYS.end_date + timedelta(days=night // 2)))
        (part,) = out.rglob("part-*.parquet")
        with pyarrow.parquet.ParquetFile(part) as file:
            states.append((part.read_bytes(), file.metadata, file.read()))
        for former, footer, table in states:
            assert part.read_bytes().startswith(former)
            with pyarrow.parquet.ParquetFile(part, metadata=footer) as file:
                assert file.read().equals(table)
    assert len({table.num_rows for _, _, table in states}) == 6


async def test_what_counts_no_longer_goes_when_a_part_rests(tmp_path: Path) -> None:
    """A part that has not changed for days is written anew where most of it is worn; others are left alone."""
    out, town = tmp_path / "out", Town()
    for night in range(12):
        town.late = make_late(night)
        await refresh(town, out, "month")
    before = READERS["polars"](out).sort(DAY)
    worn = {part.name: part.stat().st_size for part in out.rglob("part-*.parquet")}
    assert min(worn.values()) > 2**16
    resting = next(out.rglob("2025-03/part-*.parquet"))
    os.utime(resting, (0, 0))
    town.late |= {(124, date(2025, 4, 9)): 100}
    await refresh(town, out, "month", days=3)
    sizes = {part.name: part.stat().st_size for part in out.rglob("part-*.parquet")}
    assert sizes[resting.name] < worn[resting.name] / 4
    assert all(sizes[name] > size for name, size in worn.items() if name != resting.name)
    after = READERS["polars"](out).sort(DAY)
    assert after.select(DAY).equals(before.select(DAY))


async def test_a_manifest_keeps_its_size(tmp_path: Path) -> None:
    """A reader that has looked up its size may open the next one: they are of one size, but for every doubling."""
    query = ZoneVisitors("2025-03-01", "2025-03-31", location=[124, 127], aggregate_by="dayofmonth", split=1)
    sizes = set()

    def look(progress: Progress) -> None:
        sizes.add((tmp_path / "_manifest.parquet").stat().st_size)

    async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
        report = await export(client, query, tmp_path, partition="none", commit_every=0, on_progress=look)
    look(Progress(done=0, total=0, rows=0, failed=0))
    assert report.requests == 62
    assert len(sizes) == 1
