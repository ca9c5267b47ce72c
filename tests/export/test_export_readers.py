"""Whoever reads the folder of an export as it lies there: at any moment, while it is written and after kills."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import duckdb
import export_victim
import pandas
import polars
import pyarrow.dataset
import pytest

from indivd_async import AsyncIndivd, ZoneVisitors, sandbox
from indivd_async.export import Progress, export

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

KEY = ["loc_id", "zone_id", "year", "month", "dayofmonth", "hour"]


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


def keys_of(table: Any) -> list[tuple[int, ...]]:
    """Return the key of each row that was read; a folder without a part has no columns for some readers."""
    if not len(table.columns):
        return []
    if isinstance(table, pandas.DataFrame):
        return list(table[KEY].itertuples(index=False, name=None))
    return polars.DataFrame(table).select(KEY).rows()


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
                        with passing_over_what_is_gone():
                            seen[name].append(keys_of(await anyio.to_thread.run_sync(read, out)))
                await anyio.sleep(0.01)
    for name, read in READERS.items():
        assert seen[name], name
        assert all(set(found) <= set(expected) for found in seen[name]), name
        assert sorted(keys_of(read(out))) == expected, name


@contextmanager
def passing_over_what_is_gone() -> Iterator[None]:
    """Let a reader miss a part that was joined with others after it had listed it; nothing else may fail."""
    try:
        yield
    except Exception as error:
        if "No such file" not in str(error) and "No files found" not in str(error):
            raise


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
