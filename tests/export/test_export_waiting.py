"""Databases that are not there yet are waited for, and it is told; what is refused is refused at once."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import duckdb
import postgres
import pytest

from indivd_async import AsyncIndivd, ZoneVisitors, sandbox
from indivd_async.export import DestinationError, database, export
from indivd_async.export.folder import Folder

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

DAYS = ZoneVisitors("2025-03-01", "2025-03-10", location=[124, 127], aggregate_by="dayofmonth")


@contextmanager
def hearing(do: Callable[[str], object]) -> Iterator[list[str]]:
    """Do something with each warning, when it is told."""
    heard: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())
            do(heard[-1])

    handler, logger = Handler(logging.WARNING), logging.getLogger("indivd_async")
    logger.addHandler(handler)
    try:
        yield heard
    finally:
        logger.removeHandler(handler)


def make_client() -> AsyncIndivd:
    return AsyncIndivd(token="sandbox", transport=sandbox.transport())


async def test_a_database_that_is_late_is_waited_for(server: postgres.Server) -> None:
    """It starts only when somebody has said that it is waited for; that is said once, without credentials."""
    to = server.address(f"late_{uuid4().hex[:8]}")
    server.stop()
    starting = threading.Thread(target=server.start)
    with hearing(lambda _: starting.start()) as heard:
        async with make_client() as client:
            report = await export(client, DAYS, to=to)
            assert report.rows == len(await client.fetch(DAYS))
    starting.join()
    (told,) = heard
    assert "127.0.0.1" in told
    assert "waiting for it, for up to 60 s" in told
    assert postgres.PASSWORD not in told
    assert postgres.USER not in told


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"user": "nobody-known"}, "authentication failed"),
    ],
)
async def test_what_is_refused_is_not_waited_for(wrong: dict[str, str], said: str, server: postgres.Server) -> None:
    """Wrong credentials do not become right."""
    to = server.address("refused", **wrong)
    with hearing(print) as heard:
        async with make_client() as client:
            with pytest.raises(DestinationError, match=said):
                await export(client, DAYS, to=to)
            with pytest.raises(DestinationError, match="does not exist"):
                await export(client, DAYS, to=server.address("refused").replace("/postgres?", "/nowhere?"))
    assert heard == []


async def test_whoever_waits_can_be_interrupted() -> None:
    """Within the pause between two attempts, not after a minute."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with anyio.CancelScope() as scope, hearing(lambda _: anyio.from_thread.run_sync(scope.cancel)) as heard:
        async with make_client() as client:
            await export(client, DAYS, to=f"postgresql://127.0.0.1:{port}/db?table=visits")
    assert scope.cancelled_caught
    assert len(heard) == 1


async def test_an_interrupt_ends_the_waiting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio's own cancelling, which a thread does not hear of: nothing waits any more when the export has ended."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pauses: list[str] = []
    sleep = time.sleep

    def pause(seconds: float) -> None:
        pauses.append("began")
        sleep(seconds)
        pauses.append("ended")

    monkeypatch.setattr(time, "sleep", pause)
    loop = asyncio.get_running_loop()
    async with make_client() as client:
        task = asyncio.create_task(export(client, DAYS, to=f"postgresql://127.0.0.1:{port}/db?table=visits"))
        with hearing(lambda _: loop.call_soon_threadsafe(task.cancel)), pytest.raises(asyncio.CancelledError):
            await task
    assert pauses == ["began", "ended"]


@pytest.mark.parametrize("step", ["open", "close"])
async def test_an_interrupt_leaves_nothing_open(step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whenever it comes, another export can begin at once, and no lock stays beside the folder."""
    done = getattr(Folder, step)

    def interrupted(folder: Folder) -> None:
        loop.call_soon_threadsafe(task.cancel)
        done(folder)

    monkeypatch.setattr(Folder, step, interrupted)
    loop = asyncio.get_running_loop()
    async with make_client() as client:
        task = asyncio.create_task(export(client, DAYS, tmp_path / "visits"))
        with pytest.raises(asyncio.CancelledError):
            await task
        monkeypatch.undo()
        assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
        assert (await export(client, DAYS, tmp_path / "visits")).complete


async def test_a_database_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute, here after none."""
    monkeypatch.setattr(database, "PATIENCE_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with make_client() as client:
        with pytest.raises(DestinationError, match="refused"):
            await export(client, DAYS, to=f"postgresql://127.0.0.1:{port}/db?table=visits")
        assert client.stats.requests == 0


async def test_a_file_that_cannot_be_opened_is_not_waited_for(tmp_path: Path) -> None:
    """DuckDB's file is there or not."""
    (tmp_path / "text.duckdb").write_text("not a database" * 1000)
    with hearing(print) as heard:
        async with make_client() as client:
            with pytest.raises(DestinationError):
                await export(client, DAYS, to=f"duckdb:///{tmp_path}/text.duckdb?table=visits")
            with pytest.raises(DestinationError):
                await export(client, DAYS, to=f"duckdb:///{tmp_path}/nowhere/x.duckdb?table=visits")
    assert heard == []


async def test_a_file_that_this_process_has_open_is_written_all_the_same(tmp_path: Path) -> None:
    """As in a notebook that looks at the table; DuckDB refuses a second connection with settings of its own."""
    file = tmp_path / "town.duckdb"
    with duckdb.connect(file) as looking:
        async with make_client() as client:
            report = await export(client, DAYS, to=f"duckdb:///{file}?table=visits")
        assert looking.sql("SELECT count(*) FROM visits").fetchall() == [(report.rows,)]


async def test_a_file_that_this_process_has_attached_is_another(tmp_path: Path) -> None:
    """What a notebook reads beside the table, such as that of last year, has tables of the same names."""
    to = "duckdb:///{}?table=visits"
    async with make_client() as client:
        report = await export(client, DAYS, to=to.format(tmp_path / "old.duckdb"))
        with duckdb.connect(tmp_path / "new.duckdb") as looking:
            looking.execute(f"ATTACH '{tmp_path}/old.duckdb'")
            assert (await export(client, DAYS, to=to.format(tmp_path / "new.duckdb"))).rows == report.rows
            assert looking.sql("SELECT count(*) FROM new.visits").fetchall() == [(report.rows,)]
