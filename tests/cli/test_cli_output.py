"""Rows in files and pipes are the library's, whatever the endpoint and the format."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import polars
import pyarrow.parquet
import pytest

from indivd_async import AsyncIndivd, DropInRate, LineCrosses
from indivd_async.profile import Profile
from indivd_async.queries import Query

Indivd = Callable[..., Any]

DAYS = ("--start-date", "2025-03-03", "--end-date", "2025-03-04")
BEFORE = ("--comparison-start-date", "2025-02-24", "--comparison-end-date", "2025-02-25")


def fetch_rows(url: str, query: Query) -> list[dict[str, Any]]:
    async def fetch() -> list[dict[str, Any]]:
        async with AsyncIndivd("sandbox", base_url=url) as client:
            return (await client.fetch(query)).to_dicts()

    return anyio.run(fetch)


@pytest.mark.parametrize(
    ("argv", "query"),
    [
        (
            ("line_crosses", *DAYS, "--floor", "-1,0", "--per", "floor", "--aggregate-by", "hour"),
            LineCrosses("2025-03-03", "2025-03-04", floor=[-1, 0], per="floor", aggregate_by="hour"),
        ),
        (
            ("drop_in_rate", *DAYS, *BEFORE, "--location", "124,127", "--tz", "UTC"),
            DropInRate(
                "2025-03-03",
                "2025-03-04",
                comparison_start_date="2025-02-24",
                comparison_end_date="2025-02-25",
                location=[124, 127],
                tz="UTC",
            ),
        ),
        (("line_crosses", *DAYS, "--line-ids", "1"), LineCrosses("2025-03-03", "2025-03-04", line_ids=1)),
    ],
    ids=["series of basements", "two periods on one clock", "nothing found"],
)
def test_every_format_reads_back(
    argv: tuple[str, ...], query: Query, site: Any, indivd: Indivd, tmp_path: Path
) -> None:
    """Types, nulls and the order of rows survive."""
    rows = fetch_rows(site.url, query)
    written = {}
    for suffix in ("json", "ndjson", "csv", "parquet", "arrow", "arrows"):
        written[suffix] = tmp_path / f"a.{suffix}"
        said = indivd("fetch", *argv, "--out", str(written[suffix]))
        assert (said.code, said.out) == (0, "")
    texts = [
        {name: cell.isoformat() if hasattr(cell, "isoformat") else cell for name, cell in row.items()} for row in rows
    ]
    assert json.loads(written["json"].read_bytes()) == texts
    assert [json.loads(line) for line in written["ndjson"].read_bytes().splitlines()] == texts
    cells = list(csv.DictReader(io.StringIO(written["csv"].read_text(encoding="utf-8"))))
    assert cells == [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in texts]
    assert pyarrow.parquet.read_table(written["parquet"]).to_pylist() == rows
    assert polars.read_ipc(written["arrow"]).to_dicts() == rows
    assert polars.read_ipc_stream(written["arrows"]).to_dicts() == rows


def test_a_table_of_nothing_says_so(site: Any, indivd: Indivd) -> None:
    """To the person, not among the rows."""
    said = indivd("fetch", "line_crosses", *DAYS, "--line-ids", "1")
    assert (said.code, said.err) == (0, "no rows\n")
    assert indivd("fetch", "line_crosses", *DAYS, "--line-ids", "1", "--format", "csv").err == ""


def test_hours_of_several_clocks_say_so(site: Any, indivd: Indivd) -> None:
    """Hours stand below each other, and those of one place are not those of another."""
    asked = ("fetch", "zone_visitors", "--start-date", "2025-03-01", "--end-date", "2025-03-01", "--location")
    words = "hours are by each location's own clock: America/New_York, Europe/Stockholm\n"
    assert words in indivd(*asked, "124,127").err
    for others in (("124,125",), ("124,127", "--tz", "UTC"), ("124,127", "--aggregate-by", "dayofmonth")):
        assert "clock" not in indivd(*asked, *others).err
    assert "clock" not in indivd(*asked, "124,127", "--format", "csv").err


def test_a_link_stays_a_link(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """The file it leads to is written."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "a.csv"
    link.symlink_to(tmp_path / "there/b.csv")
    assert indivd("zones", "--out", str(link)).code == 0
    assert link.is_symlink()
    assert (tmp_path / "there/b.csv").read_text().startswith("id,name,")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["b.csv"]


def test_a_named_pipe_is_written_to(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """What is no file, such as /dev/null, is not replaced by one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert indivd("zones", "--format", "csv", "--out", str(pipe)).code == 0
    reader.join(60)
    assert read == [indivd("zones", "--format", "csv").out]
    assert pipe.is_fifo()


def test_a_device_needs_no_folder_that_can_be_written_to(
    site: Any, indivd: Indivd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but root makes files in /dev."""
    monkeypatch.setattr(os, "access", lambda path, _: str(path) != "/dev")
    assert indivd("zones", "--format", "csv", "--out", "/dev/null").code == 0


def test_a_profile_is_written_to_a_named_pipe(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """It is not replaced either."""
    os.mkfifo(pipe := tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert indivd("verify", "--days", "40", "--profile", str(pipe)).code == 0
    reader.join(60)
    assert Profile.from_json(read[0])
    assert pipe.is_fifo()


@pytest.mark.parametrize("out", ["/dev/stdout", "/dev/fd/1", "zones.csv", "-"])
def test_stdout_by_a_name_keeps_what_it_holds(out: str, site: Any, tmp_path: Path) -> None:
    """A shell that appends to a file loses nothing of it."""
    file = tmp_path / "zones.csv"
    file.write_text("before\n")
    with file.open("a") as stdout:
        argv = (sys.executable, "-m", "indivd_async.cli", "zones", "--format", "csv", "--out", out)
        subprocess.run(argv, stdout=stdout, check=True, cwd=tmp_path)
    assert file.read_text().startswith("before\nid,name,")


#: What a stranger may have typed as the name of a zone.
EVIL = "\x1b[2J\x1b]0;owned\x07\r\nindivd: all is well\x9b1m\u202e7"
SHOWN = r"\x1b[2J\x1b]0;owned\x07\r\nindivd: all is well\x9b1m\u202e7"


@pytest.mark.parametrize("form", ["table", "csv", "json", "ndjson"])
def test_names_control_nothing(form: str, site: Any, indivd: Indivd) -> None:
    """Neither values nor the names of fields, in no format that a person may look at; JSON says the same as ever."""
    site.lists["zones"] = [{"id": id, "name": EVIL, EVIL: EVIL} for id in (1, 2)]
    said = indivd("zones", "--format", form)
    assert said.code == 0
    assert not [letter for letter in said.out + said.err if not letter.isprintable() and letter != "\n"]
    if form == "json":
        assert {row["name"] for row in json.loads(said.out)} == {EVIL}
        assert all(row[EVIL] == EVIL for row in json.loads(said.out))
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(said.out)))
        assert {row["name"] for row in rows} == {row[SHOWN] for row in rows} == {SHOWN}
        assert said.out.count("\n") == len(rows) + 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_spreadsheet_computes_no_name(start: str, site: Any, indivd: Indivd) -> None:
    """An apostrophe tells it that a cell is text; numbers have none."""
    site.lists["zones"] = [{"id": id, "name": f"{start}HYPERLINK(1)"} for id in (1, 2)]
    rows = list(csv.DictReader(io.StringIO(indivd("zones", "--format", "csv").out)))
    assert {row["name"] for row in rows} == {f"'{start}HYPERLINK(1)"}
    assert all(row["id"].isdigit() for row in rows)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
def test_a_list_is_not_written_in_formats_of_rows(name: str, site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """The message says in which it is; nothing is asked, and nothing written."""
    said = indivd("zones", "--out", str(tmp_path / name))
    assert (said.code, said.out) == (2, "")
    assert "which this is not written as; use table, json, ndjson, csv" in said.err
    assert not site.application.requests
    assert not list(tmp_path.iterdir())
