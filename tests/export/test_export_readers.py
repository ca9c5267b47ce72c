"""Whoever reads the folder of an export as it lies there: at any moment, while it is written and after kills."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
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
from killing import KilledError, killed_within
from town import Town

from indivd_async import AsyncIndivd, ZoneVisitors, sandbox, wall_clock
from indivd_async.export import Progress, export, folder, parts
from indivd_async.export.files import write_manifest
from indivd_async.export.manifest import Manifest, columns_of

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


@attrs.define
class Clock:
    """The wall clock of exports, set by hours."""

    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)

    def move(self, hours: float) -> None:
        self.now += timedelta(hours=hours)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(wall_clock, "utc_now", lambda: clock.now)
    return clock


def space_of(part: Path) -> int:
    """Return how many bytes of the disk a file takes."""
    return part.stat().st_blocks * 512


def copy_without_holes(part: Path) -> None:
    """Do what a file system does that knows no holes."""
    content = part.read_bytes()
    part.unlink()
    part.write_bytes(content)


async def test_rows_that_have_not_counted_for_half_a_day_take_no_space(tmp_path: Path, clock: Clock) -> None:
    """No file ever gets shorter; whoever has read a footer within half a day finds its rows, and all are given back."""
    out, town = tmp_path / "out", Town()
    states: list[tuple[datetime, Path, Any, Any]] = []
    sizes: dict[Path, int] = {}
    for night in range(24):
        town.late = make_late(night)
        clock.move((1, 5, 24, 11)[night % 4])
        await refresh(town, out, "month")
        held = [state for state in states if state[0] > clock.now - timedelta(hours=12)]
        for _, part, footer, table in held:
            with pyarrow.parquet.ParquetFile(part, metadata=footer) as file:
                assert file.read().equals(table)
        states = [(clock.now, *state[1:]) if state in states[-2:] else state for state in held]
        for part in out.rglob("part-*.parquet"):
            with pyarrow.parquet.ParquetFile(part) as file:
                states.append((clock.now, part, file.metadata, file.read()))
            assert part.stat().st_size >= sizes.get(part, 0)
            sizes[part] = part.stat().st_size
    (first, whole), *_ = sorted(sizes.items())
    assert whole > 2**17
    assert space_of(first) < whole / 2
    before = READERS["polars"](out).sort(DAY)
    for _ in range(3):
        clock.move(24)
        await refresh(town, out, "month")
    assert max(map(space_of, sizes)) < 2**16 + 2**13, [space_of(part) for part in sizes]
    assert all(part.stat().st_size >= size for part, size in sizes.items())
    for name, read in READERS.items():
        assert sorted(keys_of(read(out), DAY)) == before.select(DAY).rows(), name
    assert READERS["polars"](out).sort(DAY).equals(before)
    written = {part: part.stat().st_mtime_ns for part in sizes}
    clock.move(24)
    await refresh(town, out, "month")
    assert written == {part: part.stat().st_mtime_ns for part in sizes}


async def test_who_refreshes_every_hour_keeps_no_more_than_a_day(tmp_path: Path, clock: Clock) -> None:
    """What ceases to count within half a day is given back together."""
    out, town = tmp_path / "out", Town()
    for hour in range(40):
        town.late = make_late(hour)
        clock.move(1)
        await refresh(town, out, "none")
    (part,) = out.rglob("part-*.parquet")
    assert part.stat().st_size / 8 < space_of(part) < part.stat().st_size * 3 / 4


async def test_a_part_that_a_day_is_added_to_each_night_is_not_full_of_footers(tmp_path: Path, clock: Clock) -> None:
    """Each footer tells of all row groups: those of a month of nights would be a hundred times its rows."""
    out, town = tmp_path / "out", Town()
    for night in range(36):
        clock.move(24)
        end = date(2025, 3, 1) + timedelta(days=night)
        await refresh(town, out, "month", attrs.evolve(DAYS, start_date=date(2025, 3, 1), end_date=end), days=1)
    march, _ = sorted(out.rglob("part-*.parquet"))
    assert pyarrow.parquet.read_metadata(march).num_row_groups < 8
    assert space_of(march) < 2**17


async def test_a_file_system_without_holes_does_not_run_full(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part whose hole takes space is written anew where that has become much; figures are the same."""
    monkeypatch.setattr(parts, "_SWOLLEN", 2**17)
    out, town = tmp_path / "out", Town()
    largest = 0
    for night in range(40):
        town.late = make_late(night)
        clock.move(24)
        await refresh(town, out, "none")
        (part,) = out.rglob("part-*.parquet")
        copy_without_holes(part)
        largest = max(largest, space_of(part))
    (part,) = out.rglob("part-*.parquet")
    assert part.stat().st_size < largest
    assert 2**17 < largest < 2**19
    await refresh(town, tmp_path / "clean", "none")
    read = READERS["polars"]
    assert read(out).sort(DAY).equals(read(tmp_path / "clean").sort(DAY))


@pytest.mark.parametrize("how", ["prune", "accept_empty"])
async def test_a_part_stays_when_its_last_row_goes(how: str, tmp_path: Path, clock: Clock) -> None:
    """Whoever has listed it opens it; and rows that come back are in it again."""
    out, town = tmp_path / "out", Town()
    await refresh(town, out, "location,month")
    listed = sorted(out.rglob("part-*.parquet"))
    later, options = attrs.evolve(DAYS, start_date=date(2025, 4, 1)), {"refresh": 22, how: True}
    if how == "accept_empty":
        town.silent, later = {124, 127}, DAYS
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport(sandbox.app(town))) as client:
        report = await export(client, later, out, partition="location,month", **options)
    assert report.parts == len(listed)
    assert sorted(out.rglob("part-*.parquet")) == listed
    left = 10 if how == "prune" else 0
    assert {row[4] for read in READERS.values() for row in keys_of(read(out), DAY)} == set(range(1, 1 + left))
    rows = [pyarrow.parquet.read_metadata(part).num_rows for part in listed]
    assert [rows.count(0), report.rows] == [2 if left else 4, sum(rows)]
    if left:
        return
    town.silent = set()
    await refresh(town, out, "location,month")
    assert sorted(out.rglob("part-*.parquet")) == listed
    await refresh(town, tmp_path / "clean", "location,month")
    read = READERS["polars"]
    assert read(out).sort(DAY).equals(read(tmp_path / "clean").sort(DAY))


async def test_of_very_many_parts_without_rows_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export whose start moves on for years does not fill its folder with them."""
    monkeypatch.setattr(folder, "_EMPTY", 3)
    out, query = tmp_path / "out", attrs.evolve(DAYS, start_date=date(2025, 1, 1))
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport(sandbox.app(Town()))) as client:
        for month in (1, 2, 3):
            later = attrs.evolve(query, start_date=date(2025, month, 1))
            assert (await export(client, later, out, partition="location,month", prune=month > 1)).complete
    rows = [pyarrow.parquet.read_metadata(part).num_rows for part in out.rglob("part-*.parquet")]
    assert [rows.count(0), len(rows)] == [3, 7]


@pytest.mark.parametrize("idle", [False, True])
async def test_an_exchange_that_is_gone_on_with_days_later_keeps_what_counted_until_then(
    idle: bool, tmp_path: Path, clock: Clock
) -> None:
    """Half a day begins when rows cease to count, not when that is prepared; however little is done next."""
    out, town = tmp_path / "out", Town()
    await refresh(town, out, "none")
    clock.move(24)
    town.late = make_late(1)
    with pytest.raises(KilledError), killed_within((Path, "replace"))(0):
        await refresh(town, out, "none")
    (part,) = out.rglob("part-*.parquet")
    with pyarrow.parquet.ParquetFile(part) as file:
        footer, table = file.metadata, file.read()
    clock.move(24)
    if idle:
        async with AsyncIndivd(token="sandbox", transport=sandbox.transport(sandbox.app(town))) as client:
            assert (await export(client, DAYS, out)).requests == 0
    for night in (2, 3):
        town.late = make_late(night)
        await refresh(town, out, "none")
    with pyarrow.parquet.ParquetFile(part, metadata=footer) as file:
        assert file.read().equals(table)


async def test_a_clock_that_was_ahead_does_not_make_rows_wait_for_years(tmp_path: Path, clock: Clock) -> None:
    """Half a day after it has been set right they take no more space."""
    out, town = tmp_path / "out", Town()
    for night, hours in enumerate((0, 87_600, -87_600, *[24] * 9)):
        clock.move(hours)
        town.late = make_late(night)
        await refresh(town, out, "none")
    (part,) = out.rglob("part-*.parquet")
    assert space_of(part) < part.stat().st_size / 2


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


async def test_a_manifest_that_grows_has_the_ends_of_all_smaller_ones(tmp_path: Path) -> None:
    """Whatever size a reader has looked up, it finds a table without rows; and no manifest is smaller than another."""
    manifest = Manifest(id="0", query=DAYS, columns=columns_of(DAYS))
    sizes = []
    for members in (1, 20_000, 40_000, 90_000):
        with (tmp_path / "manifest").open("wb") as file:
            write_manifest(attrs.evolve(manifest, members=tuple(range(members))), file)
            sizes.append(file.tell())
    assert len(set(sizes)) == 4
    content = (tmp_path / "manifest").read_bytes()
    for size in sizes:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(content[:size]))
        assert (table.num_rows, table.column_names) == (0, manifest.schema.names)
    with (tmp_path / "manifest").open("wb") as file:
        write_manifest(manifest, file, least=sizes[2])
        assert file.tell() == sizes[2]
