"""Exports into tables: the rows of a fetch, whatever is killed or restarted, and no credentials anywhere."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import adbc_driver_postgresql.dbapi
import anyio
import anyio.to_thread
import attrs
import duckdb
import export_victim
import polars
import postgres
import pyarrow as pa
import pytest
from remembering import RememberingWorld
from town import Town, day_after

from indivd_async import AsyncIndivd, ConfigError, DropInRate, LineCrosses, RetryPolicy, ZoneVisitors, sandbox
from indivd_async.export import DestinationError, database, export
from indivd_async.export.target import parse_target
from indivd_async.queries import Query

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

WORLD = RememberingWorld()
HOURS = ZoneVisitors("2025-01-20", "2025-03-10", location=[124, 127], aggregate_by="hour")


@attrs.define
class Place:
    """A table to export to, and a way to look at it that is not ours."""

    kind: str
    to: str
    run: Callable[[str], pa.Table]

    def read(self) -> polars.DataFrame:
        frame = polars.DataFrame(self.run("SELECT * FROM visits"))
        return frame.sort(frame.columns, nulls_last=True)


@pytest.fixture(params=["duckdb", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "duckdb":
        file = tmp_path / "shop.duckdb"

        def look(sql: str) -> pa.Table:
            with duckdb.connect(file) as connection:
                found = connection.sql(sql)
                return pa.table({}) if found is None else found.to_arrow_table()

        return Place("duckdb", f"duckdb:///{file}?table=visits", look)
    server: postgres.Server = request.getfixturevalue("server")
    schema = f"s{uuid4().hex[:8]}"

    def ask(sql: str) -> pa.Table:
        address = server.address("x").partition("?")[0]
        with adbc_driver_postgresql.dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET search_path = {schema}")
            cursor.execute(sql)
            found = cursor.fetch_arrow_table() if sql.startswith("SELECT") else pa.table({})
            connection.commit()
            return found

    with adbc_driver_postgresql.dbapi.connect(server.address("x").partition("?")[0]) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}")
        connection.commit()
    return Place("postgresql", server.address(f"{schema}.visits"), ask)


def make_client(transport: Any = None, **options: Any) -> AsyncIndivd:
    return AsyncIndivd(
        token="sandbox", transport=transport or sandbox.transport(WORLD), retry=RetryPolicy(attempts=1), **options
    )


def same_types(frame: polars.DataFrame) -> polars.DataFrame:
    """Tell moments in UTC: databases keep moments, not the clock that told them."""
    moments = [name for name, kind in frame.schema.items() if getattr(kind, "time_zone", None)]
    frame = frame.with_columns(polars.col(moments).dt.convert_time_zone("UTC"))
    return frame.sort(frame.columns, nulls_last=True)


CASES: dict[str, Query] = {
    "hours of zones": HOURS,
    "one clock, two periods": attrs.evolve(
        HOURS, tz="Europe/Stockholm", comparison_start_date="2024-02-20", comparison_end_date="2024-03-03"
    ),
    "days of the week": ZoneVisitors("2025-03-01", "2025-03-31", location=[124, 127], aggregate_by="dayofweek"),
    "months": DropInRate("2025-01-15", "2025-04-10", location=[124, 127], interval="month"),
    "lines": LineCrosses("2025-03-01", "2025-03-10", location=[124, 127], line_ids=[2010, 2012], per="line"),
    "sums": LineCrosses("2025-03-01", "2025-03-10", category=1, aggregate_by="hour"),
    "nothing": LineCrosses("2025-03-01", "2025-03-10", location=124, line_ids=[1]),
}


@pytest.mark.parametrize("query", CASES.values(), ids=list(CASES))
async def test_the_rows_are_those_of_a_folder(query: Query, place: Place, tmp_path: Path) -> None:
    """Types and all; a second run asks nothing, and asking again changes nothing."""
    async with make_client() as client:
        report = await export(client, query, to=place.to)
        await export(client, query, tmp_path / "folder")
        assert report.complete
        assert (await export(client, query, to=place.to)).requests == 0
        again = await export(client, query, to=place.to, refresh=5)
        assert again.changes is not None
        assert (again.changes.added, again.changes.removed, again.changes.changed) == (0, 0, 0)
    expected = same_types(polars.scan_parquet(tmp_path / "folder").collect())
    found = same_types(place.read())
    assert found.schema == expected.schema
    assert found.equals(expected)
    assert report.rows == len(found)


async def test_no_two_rows_have_one_key(place: Place) -> None:
    """The table has a key, which a row that is there already breaks; the manifest stands beside it."""
    async with make_client() as client:
        report = await export(client, HOURS, to=place.to)
    with pytest.raises(Exception, match=r"(?i)duplicate key"):
        place.run("INSERT INTO visits SELECT * FROM visits LIMIT 1")
    (kept,) = place.run("SELECT * FROM indivd_exports").to_pylist()
    assert kept["name"] == "visits"
    assert len(place.read()) == report.rows


async def test_a_table_follows_a_world_that_changes(place: Place, tmp_path: Path) -> None:
    """As a folder does: a location opens, another moves, figures come late, the period moves on."""
    town = Town(listed=(124, 127))
    query = ZoneVisitors("2025-03-03", "2025-03-09", aggregate_by="hour")
    async with make_client(sandbox.transport(sandbox.app(town))) as client:
        await export(client, query, to=place.to)
        town.listed.append(129)
        town.clocks[127] = "Asia/Kathmandu"
        town.late = {(124, date(2025, 3, 8)): 3}
        moved = attrs.evolve(query, start_date=day_after(query.start_date, 2), end_date=day_after(query.end_date, 3))
        report = await export(client, moved, to=place.to, refresh=4, prune=True)
        assert {(fate.location, fate.became) for fate in report.locations} == {(129, "new"), (127, "moved")}
        await export(client, moved, tmp_path / "clean")
        town.silent = {124}
        assert (await export(client, moved, to=place.to, refresh=2)).locations[0].became == "emptied"
    assert same_types(place.read()).equals(same_types(polars.scan_parquet(tmp_path / "clean").collect()))


async def test_a_table_that_was_renamed_is_made_anew(place: Place) -> None:
    """What was in it is missed, and asked again; the old one stays, with its key."""
    async with make_client() as client:
        report = await export(client, HOURS, to=place.to)
        if place.kind == "duckdb":  # which renames no table that has one
            place.run("DROP INDEX visits_key")
        place.run("ALTER TABLE visits RENAME TO kept")
        again = await export(client, HOURS, to=place.to)
        assert [note.kind for note in again.notes] == ["rows_gone"]
        assert len(place.read()) == again.rows == report.rows


@pytest.mark.parametrize("schema", ["shop", "main"])
async def test_a_schema_may_be_called_as_the_file_is(schema: str, tmp_path: Path) -> None:
    """Whether there is such a schema, or DuckDB takes the name for its main one."""
    to = f"duckdb:///{tmp_path}/shop.duckdb?table=shop.visits"
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    async with make_client() as client:
        report = await export(client, HOURS, to=to)
        assert (await export(client, HOURS, to=to)).rows == report.rows > 0


@pytest.mark.parametrize(
    "gone",
    ["DELETE FROM visits WHERE loc_id = 124 AND hour < 12", "DELETE FROM visits", "DROP TABLE visits"],
    ids=["some", "all", "the table"],
)
async def test_rows_that_somebody_deletes_are_asked_again(gone: str, place: Place) -> None:
    """It is told once, what is whole is not asked, and a location that cannot be asked any more is told, too."""
    town = Town(listed=(124, 127))
    query = attrs.evolve(HOURS, location=None)
    async with make_client(sandbox.transport(sandbox.app(town))) as client:
        await export(client, query, to=place.to)
        before = place.read()
        place.run(gone)
        left = 0 if "DROP" in gone else len(place.read())
        report = await export(client, query, to=place.to)
        assert place.read().equals(before)
        (note,) = [note for note in report.notes if note.kind == "rows_gone"]
        assert "location 124" in str(note)
        assert ("location 127" in str(note)) is ("WHERE" not in gone)
        assert report.needs_look
        assert report.changes is not None
        assert report.changes.added == len(before) - left > 0
        assert report.changes.removed == report.changes.changed == 0
        again = await export(client, query, to=place.to)
        assert (again.requests, again.rows, again.needs_look) == (0, len(before), False)
        town.listed.remove(124)
        place.run("DELETE FROM visits WHERE loc_id = 124")
        report = await export(client, query, to=place.to)
        assert report.requests == 0
        assert any("location 124" in note.message for note in report.notes if note.kind == "rows_gone")


async def test_a_table_of_a_version_that_did_not_count_goes_on(place: Place) -> None:
    """Its rows are taken to be all; from the next commit on they are counted."""
    async with make_client() as client:
        first = await export(client, HOURS, to=place.to)
        place.run("""UPDATE indivd_exports SET document = replace(document, '"counts":', '"other":')""")
        place.run("DELETE FROM visits WHERE loc_id = 124")
        second = await export(client, HOURS, to=place.to, refresh=1)
        assert not [note for note in second.notes if note.kind == "rows_gone"]
        assert second.rows == len(place.read()) < first.rows
        place.run("DELETE FROM visits")
        third = await export(client, HOURS, to=place.to)
    assert [note.kind for note in third.notes if note.kind == "rows_gone"] == ["rows_gone"]
    assert third.rows == first.rows


async def test_a_transaction_that_needs_much_memory_is_given_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """DuckDB begins with little; rows and report are the same, and no wait is told."""
    monkeypatch.setattr("indivd_async.export.duckdb._LEAST_MIB", 2)
    to = f"duckdb:///{tmp_path}/shop.duckdb?table=visits"
    async with make_client() as client:
        report = await export(client, HOURS, to=to)
        later = attrs.evolve(HOURS, start_date=day_after(HOURS.start_date, 40))
        pruned = await export(client, later, to=to, prune=True)
        assert report.rows == len(await client.fetch(HOURS))
        assert pruned.rows == len(await client.fetch(later))
    assert not caplog.records


# Killed, restarted.


@pytest.mark.parametrize(("job", "kills"), [("visits", 5), ("lines", 4)])
async def test_an_export_that_is_killed_goes_on(job: str, kills: int, place: Place, tmp_path: Path) -> None:
    """Killed at random moments and started again, it ends with the rows of one that was left alone."""
    query, options = export_victim.JOBS[job]
    application = sandbox.app(WORLD)
    async with sandbox.serving(application) as url, make_client(base_url=url) as client:
        application.latency_s = 0.03
        assert await run_victim(url, place.to, job, kills) == kills
        application.latency_s = 0
        assert (await export(client, query, to=place.to, **options)).requests == 0
        await export(client, query, tmp_path / "clean", **options)
    assert same_types(place.read()).equals(same_types(polars.scan_parquet(tmp_path / "clean").collect()))


async def run_victim(url: str, to: str, job: str, kills: int) -> int:
    done = await anyio.run_process([sys.executable, export_victim.__file__, url, to, job, str(kills)], check=False)
    assert done.returncode == 0, done.stderr.decode()
    return int(done.stdout)


@pytest.mark.parametrize("kill", [False, True], ids=["restarted", "killed"])
async def test_a_database_that_restarts_is_waited_for(kill: bool, server: postgres.Server, tmp_path: Path) -> None:
    """Whenever it does, also in the middle of a commit: nothing is lost and nothing comes twice."""
    query = attrs.evolve(HOURS, location=[124, 126, 127, 129], split=2)
    chance = Random(kill)
    to = server.address(f"restarts_{uuid4().hex[:8]}")
    begun, done = threading.Event(), threading.Event()
    restarts = 0

    def disturb() -> None:
        nonlocal restarts
        begun.wait()  # only a database that was there before is waited for
        while restarts < 3 and not done.wait(chance.uniform(0.2, 0.6) if restarts else 0):  # the first at once
            server.restart(kill=kill)
            restarts += 1

    async with make_client(sandbox.transport(WORLD, latency_s=0.15)) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, disturb)
        try:
            report = await export(client, query, to=to, commit_every=0.01, on_progress=lambda _: begun.set())
        finally:
            done.set()
            begun.set()
    assert restarts > 0
    assert report.complete
    async with make_client() as client:
        again = await export(client, query, to=to)
        assert (again.requests, again.rows) == (0, report.rows)
        clean = await export(client, query, tmp_path / "clean")
    assert clean.rows == report.rows


def test_a_run_that_is_killed_leaves_no_server(server: postgres.Server, anyio_backend: str) -> None:
    """A server ends with whoever started it, also where that is killed and can clean up nothing."""
    code = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import postgres
with postgres.running() as server:
    print(server.pid, server.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    here = str(Path(postgres.__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, here], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, folder = done.stdout.split()
    until = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() or Path(folder).exists():
        assert time.monotonic() < until
        time.sleep(0.05)


# Who else is there.


async def test_a_table_of_something_else_is_refused(place: Place) -> None:
    """It is not touched."""
    place.run("CREATE TABLE visits (a INTEGER)")
    async with make_client() as client:
        with pytest.raises(ConfigError, match="it is not one of an export: name another"):
            await export(client, HOURS, to=place.to)
    assert place.read().columns == ["a"]


async def test_what_a_database_says_can_be_read(place: Place) -> None:
    """Why it refuses, at the end, and not all of the statement that it refuses."""
    columns = "name TEXT, version BIGINT, writer TEXT, document TEXT, CONSTRAINT nothing_long CHECK (version < 0)"
    place.run(f"CREATE TABLE indivd_exports ({columns})")
    async with make_client() as client:
        with pytest.raises(DestinationError, match=r"(?i)check constraint") as caught:
            await export(client, attrs.evolve(HOURS, location=[124, *range(1_000, 2_000)], tz="UTC"), to=place.to)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(("name", "text"), [("shop.csv", "a,b\n1,2\n"), ("shop.json", '[{"a": 1}]')])
async def test_a_file_of_another_form_is_refused(name: str, text: str, tmp_path: Path) -> None:
    """DuckDB reads it into memory, where an export would be complete, and lost."""
    file = tmp_path / name
    file.write_text(text)
    async with make_client() as client:
        with pytest.raises(ConfigError, match=f"{name}.* is no database"):
            await export(client, HOURS, to=f"duckdb:///{file}?table=visits")
    assert file.read_text() == text


async def test_two_writers_are_one_too_many(place: Place) -> None:
    """While one writes, another is refused, or ends when it finds that the other has written: by any name of it."""
    schema, _, table = place.to.partition("?table=")[2].partition(".")
    path = f"table={table}&options=-csearch_path%3D{schema}"
    same = place.to if place.kind == "duckdb" else place.to.replace(f"table={schema}.{table}", path)
    first_has_begun, second_has_ended = anyio.Event(), anyio.Event()
    problems: list[Exception] = []

    async def write(client: AsyncIndivd) -> None:
        await export(client, HOURS, to=place.to, on_progress=lambda _: first_has_begun.set(), commit_every=0)
        second_has_ended.set()

    async with make_client(sandbox.transport(WORLD, latency_s=0.2)) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(write, client)
        await first_has_begun.wait()
        try:
            await export(client, HOURS, to=same, commit_every=0)
        except ConfigError as error:
            problems.append(error)
    if place.kind == "postgresql" and not second_has_ended.is_set():
        assert problems
    async with make_client() as client:
        expected = len(await client.fetch(HOURS))
        assert (await export(client, HOURS, to=place.to)).rows == expected


async def test_a_table_can_be_changed_while_its_export_waits(server: postgres.Server) -> None:
    """Between its commits it holds nothing of the table: a column is added without waiting for it."""
    to = server.address(f"changed_{uuid4().hex[:8]}")
    add = f"ALTER TABLE {parse_target(to).table} ADD COLUMN IF NOT EXISTS mine INTEGER"

    def change(_: object) -> None:
        address = to.partition("?")[0]
        with adbc_driver_postgresql.dbapi.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
            cursor.execute(add)
            connection.commit()

    async with make_client() as client:
        await export(client, HOURS, to=to)
        report = await export(client, HOURS, to=to, refresh=2, on_progress=change)
    assert report.complete


async def test_tables_of_one_database_can_begin_at_once(place: Place) -> None:
    """Neither waits for the other's table of manifests in vain."""
    async with make_client() as client, anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(partial(export, client, HOURS, to=f"{place.to}_{number}"))
    async with make_client() as client:
        for number in range(3):
            assert (await export(client, HOURS, to=f"{place.to}_{number}")).requests == 0


async def test_another_question_names_another_table(place: Place) -> None:
    """As with folders."""
    async with make_client() as client:
        await export(client, HOURS, to=place.to)
        with pytest.raises(
            ConfigError, match=r"aggregate_by: .*\(hour there, dayofmonth here\).*another table"
        ) as caught:
            await export(client, attrs.evolve(HOURS, aggregate_by="dayofmonth"), to=place.to)
        assert parse_target(str(caught.value).split()[-1]).table == "visits_dayofmonth"
        with pytest.raises(ConfigError, match="start_date: ") as caught:
            await export(client, attrs.evolve(HOURS, start_date="2025-02-01"), to=place.to)
        assert parse_target(str(caught.value).split()[-1]).table == "visits_from_2025_02_01"


# Addresses and what they hide.


async def test_a_short_user_is_no_part_of_a_word() -> None:
    """What a driver says stays as it is, but for the user where it stands as one."""
    target = parse_target("postgresql://me@nosuch.example/shop?table=visits")
    said = 'could not translate host name "nosuch.example" to address: Name or service not known'
    assert target.redact(said) == said
    for told in ('role "me" does not exist', "postgresql://me@nosuch.example/shop", "me@nosuch.example: refused"):
        assert "me" not in target.redact(told).replace("nosuch.example", "")


async def test_credentials_appear_nowhere(
    server: postgres.Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in reports, errors, logs, addresses that are shown, nor in what the database keeps of the export."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(database, "PATIENCE_S", 0.2)  # one of them is not there
    table = f"secret_{uuid4().hex[:8]}"
    address = server.address(table)
    seen: list[str] = [repr(parse_target(address)), str(parse_target(address))]
    wrong = server.address(table, password="wr@ng/w%rd")
    away = f"postgresql://someone:wr%40ng%2Fw%25rd@127.0.0.1:1/db?table={table}&password=also-secret"
    async with make_client() as client:
        report = await export(client, HOURS, to=address)
        seen += [repr(report), str(report)]
        for bad in (wrong, away):
            with pytest.raises(DestinationError) as caught:
                await export(client, HOURS, to=bad)
            seen += [str(caught.value), repr(caught.value.__cause__), repr(caught.value.__context__)]
    with adbc_driver_postgresql.dbapi.connect(address.partition("?")[0]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, version, writer, document FROM indivd_exports")
        seen.append(str(cursor.fetchall()))
    text = "\n".join([*seen, caplog.text])
    for secret in (
        postgres.PASSWORD,
        "wr@ng",
        "wr%40ng",
        "also-secret",
        "se%2Fcr",
        "@127.0.0.1",
        '"keeper"',
        "someone",
    ):
        assert secret not in text, secret


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("mysql://root:secret@host/db?table=visits", "to: must be duckdb:///FILE"),
        ("duckdb:///x.db", "to: .*must name the table"),
        ("duckdb:///x.db?table=a;drop", "to: .*must name the table"),
        ("duckdb:///x.db?table=a&mode=fast", "no other options"),
        ("duckdb:///?table=a", "must name a file"),
        ("postgresql://u:secret@[::1/db?table=visits", "to: cannot be read"),
        ("postgresql://u:secret@host/db", "to: .*must name the table"),
        ("visits", "to: must be duckdb:///FILE"),
        ("postgresql://u:12/secret@host/db?table=visits", "in a password are written as %2F"),
        ("postgresql://u:12#secret@host/db?table=visits", "in a password are written as %2F|must name the table"),
        ("postgresql://host/db?table=visits#secret", "in a password are written as %2F"),
        ("duckdb:///x.db?table=Indivd_Exports", "is the table of what exports hold"),
        (f"postgresql://host/db?table={'a' * 64}", "63 at most"),
    ],
)
async def test_addresses_that_cannot_be_used(to: str, message: str) -> None:
    """They are refused before anything is asked, and what may be a password is not repeated."""
    async with make_client() as client:
        with pytest.raises(ConfigError, match=message) as caught:
            await export(client, HOURS, to=to)
        assert "secret" not in str(caught.value)
        assert client.stats.requests == 0


@pytest.mark.parametrize(
    ("to", "driver_gets", "shown"),
    [
        (
            "postgresql:///shop?table=v&host=/run/pg",
            "postgresql:///shop?host=%2Frun%2Fpg",
            "postgresql:///shop?table=v",
        ),
        ("postgresql://me:w%40rd@[::1]:5433/shop?table=s.v", "postgresql://me:w%40rd@[::1]:5433/shop", None),
        ("postgres://host/db?table=v&sslmode=require", "postgresql://host/db?sslmode=require", None),
    ],
)
def test_what_a_driver_is_given(to: str, driver_gets: str, shown: str | None, anyio_backend: str) -> None:
    """The address as it was written, without the table; also where it names no host."""
    target = parse_target(to)
    assert target.reveal() == driver_gets
    assert shown in (None, target.shown)
    assert "w%40rd" not in target.shown


async def test_a_name_may_be_as_long_as_can_be(place: Place) -> None:
    """Its key, whose name is longer, is not cut to the same."""
    name = "v" * 63
    async with make_client() as client:
        report = await export(client, HOURS, to=place.to.replace("visits", name))
        assert (await export(client, HOURS, to=place.to.replace("visits", name))).rows == report.rows > 0


async def test_a_folder_or_a_table(tmp_path: Path) -> None:
    """One of the two; an address is no folder."""
    async with make_client() as client:
        for options in ({}, {"out": tmp_path / "out", "to": "duckdb:///x?table=y"}):
            with pytest.raises(ConfigError, match="one of the two"):
                await export(client, HOURS, **options)
        with pytest.raises(ConfigError, match="pass the address of a table"):
            await export(client, HOURS, "duckdb:///x?table=y")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("hidden", "to"), [("duckdb", "duckdb:///x"), ("adbc_driver_postgresql", "postgresql://h/d")])
def test_without_a_driver_the_error_names_the_extra(hidden: str, to: str, anyio_backend: str) -> None:
    """It says what to install."""
    code = f"""
import sys
sys.modules[{hidden!r}] = None
import anyio
from indivd_async import AsyncIndivd, ZoneVisitors
from indivd_async.export import export
async def main():
    await export(AsyncIndivd("t"), ZoneVisitors("2025-03-01", "2025-03-01"), to={to + "?table=visits"!r})
anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "indivd-async[database]" in done.stderr
