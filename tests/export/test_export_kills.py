"""An exchange of parts killed at any of its steps: what readers find then, and what the next run makes of it."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import polars
import pytest
from killing import KilledError, killed_within
from town import Town

from indivd_async import AsyncIndivd, ConfigError, RetryPolicy, ZoneVisitors, sandbox
from indivd_async.export import DestinationError, Report, export, folder, parts, sql

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

#: Two months of two locations, so that a commit exchanges several parts.
DAYS = ZoneVisitors("2025-03-20", "2025-04-10", location=[124, 127], aggregate_by="dayofmonth")
KEY = ["loc_id", "zone_id", "year", "month", "dayofmonth"]
#: All that a commit does to names, and its writing and syncing.
STEPS: tuple[tuple[Any, str], ...] = (
    (folder, "write_durably"),
    (parts, "write_durably"),
    (folder, "sync_directory"),
    (Path, "mkdir"),
    (Path, "replace"),
    (Path, "unlink"),
)


def make_client(town: Town) -> AsyncIndivd:
    transport = sandbox.transport(sandbox.app(town))
    return AsyncIndivd(token="sandbox", transport=transport, retry=RetryPolicy(attempts=1))


def read(out: Path) -> polars.DataFrame:
    return polars.scan_parquet(out).collect().sort(KEY)


def count_twice(frame: polars.DataFrame) -> int:
    return len(frame) - len(frame.select(KEY).unique())


async def refresh(town: Town, out: Path, query: ZoneVisitors = DAYS, *, prune: bool = False) -> Report:
    async with make_client(town) as client:
        return await export(client, query, out, partition="location,month", refresh=22, prune=prune)


@pytest.mark.long
async def test_a_refresh_that_is_killed_at_any_step_is_gone_on_with(tmp_path: Path) -> None:
    """Readers find each row once, as before or as after; the next run goes on with it."""
    steps = 0
    while True:
        town, out = Town(), tmp_path / f"out{steps}"
        await refresh(town, out)
        before = read(out)
        town.late = {(place, date(2025, month, 5 + 20 * (month == 3))): 7 for place in (124, 127) for month in (3, 4)}
        try:
            with killed_within(*STEPS)(steps):
                await refresh(town, out)
        except KilledError:
            left = read(out)
            assert set(left["visits"] - before["visits"]) <= {0, 7}
            assert left.select(KEY).equals(before.select(KEY))
            report = await refresh(town, out)
            assert report.complete
            assert not (tmp_path / f".{out.name}.unfinished").exists()
            steps += 1
        else:
            break
        after = read(out)
        assert len(after) == len(before)
        assert count_twice(after) == 0
        assert after["visits"].sum() == before["visits"].sum() + 4 * 7
    assert steps > 20


@pytest.mark.parametrize("step", ["write_part", "write_manifest", "sync_directory", "update_manifest"])
async def test_a_commit_that_asyncio_cancels_is_gone_through_with(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt, SIGTERM or a timeout leaves its thread alone: what is open is closed only when that has ended."""
    holder: Any = sql if step == "update_manifest" else folder
    where: dict[str, Any] = {"out": tmp_path / "out"}
    if holder is sql:
        where = {"to": f"duckdb:///{tmp_path}/out.duckdb?table=visits"}
    work, loop, ended, calls = getattr(holder, step), asyncio.get_running_loop(), threading.Event(), 0

    def cancel_and_go_on(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            loop.call_soon_threadsafe(running.cancel)
            ended.wait(0.2)  # which it does not
        return work(*args, **options)

    async with make_client(Town()) as client:
        with monkeypatch.context() as patch:
            patch.setattr(holder, step, cancel_and_go_on)
            running = asyncio.ensure_future(export(client, DAYS, **where, commit_every=0))
            running.add_done_callback(lambda _: ended.set())
            with pytest.raises(asyncio.CancelledError):
                await running
        report = await export(client, DAYS, **where)
        assert report.complete
        assert report.rows == len(await client.fetch(DAYS))


@pytest.mark.parametrize("room", [2**9, 2**12, 2**13, 2**15])
async def test_a_disk_without_room_is_told(room: int, tmp_path: Path) -> None:
    """By the file that could not be written; what was committed is gone on with."""
    out, (soft, hard) = tmp_path / "out", resource.getrlimit(resource.RLIMIT_FSIZE)
    async with make_client(Town()) as client:
        first = await export(client, attrs.evolve(DAYS, location=[124]), out)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            with pytest.raises(DestinationError, match=r"unfinished.* cannot be written \(File too large\); what was"):
                await export(client, DAYS, out)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len(read(out)) == first.rows
        assert not (tmp_path / ".out.unfinished").exists()
        report = await export(client, DAYS, out)
        assert report.rows == len(await client.fetch(DAYS)) > first.rows


async def test_nothing_slow_happens_while_parts_are_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the first part that is moved in and the last that goes, names change and nothing else."""
    town, out = Town(), tmp_path / "out"
    await refresh(town, out)
    town.late = {(place, date(2025, 4, 5)): 7 for place in (124, 127)}
    seen: list[tuple[str, Path]] = []
    monkeypatch.setattr(folder, "_EMPTY", 1)  # so that one of the two that are emptied goes

    def watch(name: str, work: Callable[..., Any], path: Any, *rest: Any, **options: Any) -> Any:
        seen.append((name, Path(path)))
        return work(path, *rest, **options)

    for holder, name in STEPS:
        work = getattr(holder, name)

        def watched(*args: Any, name: str = name, work: Any = work, **options: Any) -> Any:
            return watch(name, work, *args, **options)

        monkeypatch.setattr(holder, name, watched)
    await refresh(town, out, attrs.evolve(DAYS, start_date="2025-04-01"), prune=True)
    names = [name for name, _ in seen]
    gone = [at for at, (name, path) in enumerate(seen) if name == "unlink" and path.match("out/*/*/part-*")]
    assert gone
    assert set(names[names.index("replace") : gone[-1] + 1]) == {"replace", "unlink"}


async def test_an_exchange_that_the_system_stops_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file cannot take the place of one, such as where a reader's system does not let it, the next run does."""
    work, at = Path.replace, 0
    while True:
        town, out, left = Town(), tmp_path / f"out{at}", [at]
        await refresh(town, out)
        town.late = {(place, date(2025, month, 5 + 20 * (month == 3))): 7 for place in (124, 127) for month in (3, 4)}

        def refuse(file: Path, path: Path, left: list[int] = left) -> Path:
            left[0] -= 1
            if left[0] == -1:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return work(file, path)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse)
            with suppress(PermissionError):
                await refresh(town, out)
        if left[0] >= 0:
            break
        at += 1
        assert (await refresh(town, out)).complete
        await refresh(town, tmp_path / f"clean{at}")
        assert read(out).equals(read(tmp_path / f"clean{at}"))
        assert not (tmp_path / f".{out.name}.unfinished").exists()
    assert at >= 5  # four parts and the manifest


@pytest.mark.parametrize("moved", [0, 1])
async def test_a_folder_that_is_put_back_after_a_kill_is_not_spoilt(moved: int, tmp_path: Path) -> None:
    """What lies beside it belongs to the folder that was there before: it takes no effect, and the folder goes on."""
    town, out = Town(), tmp_path / "out"
    await refresh(town, out)
    shutil.copytree(out, tmp_path / "saved")
    for place, moves in ((124, 9), (127, moved)):
        town.late |= {(place, date(2025, month, 3 + 20 * (month == 3))): 7 for month in (3, 4)}
        with killed_within((Path, "replace"))(moves), suppress(KilledError):
            await refresh(town, out)
        assert (tmp_path / ".out.unfinished").exists() == (place == 127)
    shutil.rmtree(out)
    (tmp_path / "saved").rename(out)
    assert (await refresh(town, out)).complete
    await refresh(town, tmp_path / "clean")
    assert read(out).equals(read(tmp_path / "clean"))
    assert not (tmp_path / ".out.unfinished").exists()


@pytest.mark.parametrize("left", ["half a manifest", "another export's", "nothing but a part"])
async def test_what_lies_beside_the_folder_and_is_not_of_a_commit_goes(left: str, tmp_path: Path) -> None:
    """It changes nothing."""
    town, out = Town(), tmp_path / "out"
    await refresh(town, out)
    before, beside = read(out), tmp_path / ".out.unfinished"
    beside.mkdir()
    if left == "half a manifest":
        (beside / "_manifest.parquet").write_bytes((out / "_manifest.parquet").read_bytes()[:-100])
    elif left == "another export's":
        await refresh(town, tmp_path / "other")
        (beside / "_manifest.parquet").write_bytes((tmp_path / "other" / "_manifest.parquet").read_bytes())
    (beside / next(out.rglob("part-*")).stem).write_bytes(b"PAR1")
    await refresh(town, out)
    assert read(out).equals(before)
    assert not beside.exists()


async def test_what_others_have_beside_the_folder_stays(tmp_path: Path) -> None:
    """Also where the name of a folder of theirs is that of ours."""
    theirs = tmp_path / ".out.unfinished" / "notes.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    (theirs.parent / "sub").mkdir()
    report = await refresh(Town(), tmp_path / "out")
    assert (await refresh(Town(), tmp_path / "out")).rows == report.rows
    assert theirs.read_text() == "mine"
    assert {path.name for path in theirs.parent.iterdir()} == {"notes.txt", "sub"}


@pytest.mark.parametrize("was_there", [True, False])
async def test_a_folder_that_was_there_stays_where_nothing_begins(was_there: bool, tmp_path: Path) -> None:
    """Only what was made for an export that never began goes again."""
    out = tmp_path / "out"
    if was_there:
        out.mkdir()
    async with make_client(Town()) as client:
        with pytest.raises(ConfigError, match="partition"):
            await export(client, DAYS, out, partition="weekday")
    assert os.listdir(tmp_path) == (["out"] if was_there else [])
    assert not was_there or os.listdir(out) == []


SHARED = Path("/dev/shm")


@pytest.mark.skipif(not (SHARED.is_mount() and os.access(SHARED, os.W_OK)), reason="there is no /dev/shm to write to")
async def test_a_folder_that_files_cannot_be_moved_into_is_refused(tmp_path: Path) -> None:
    """A mount, such as a volume of a container: the message says where to export to instead."""
    async with make_client(Town()) as client:
        with pytest.raises(ConfigError, match=r"out: .* export to a folder inside of /dev/shm"):
            await export(client, DAYS, SHARED)
        assert "_manifest.parquet" not in os.listdir(SHARED)
        assert not (SHARED.parent / ".shm.lock").exists()
