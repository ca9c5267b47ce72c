"""The commands, in this process against a sandbox over HTTP: data to stdout, the rest to stderr, exit codes."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import nanoarrow.ipc
import polars
import pyarrow
import pyarrow.parquet
import pytest

from indivd_async import AsyncIndivd, LineCrosses, Plan, ZoneVisitors

Indivd = Callable[..., Any]

WEEK = ("--start-date", "2025-03-03", "--end-date", "2025-03-09")
VISITS = ("zone_visitors", *WEEK, "--location", "124,127")
QUERY = ZoneVisitors("2025-03-03", "2025-03-09", location=[124, 127])


def fetch_rows(url: str) -> list[dict[str, Any]]:
    async def fetch() -> list[dict[str, Any]]:
        async with AsyncIndivd("sandbox", base_url=url) as client:
            return (await client.fetch(QUERY)).to_dicts()

    return anyio.run(fetch)


def as_text(row: dict[str, Any]) -> dict[str, Any]:
    return {name: cell.isoformat() if hasattr(cell, "isoformat") else cell for name, cell in row.items()}


# Lists.


@pytest.mark.parametrize("name", ["locations", "zones", "categories", "lines", "organizations"])
def test_lists_are_printed(name: str, site: Any, indivd: Indivd) -> None:
    """Each list of the token's scope, in each format, with the same entries."""
    listed = site.application.world.listing(name)
    said = indivd(name, "--json")
    assert (said.code, said.err) == (0, "")
    assert [entry["id"] for entry in json.loads(said.out)] == [entry["id"] for entry in listed]
    lines = indivd(name, "--format", "ndjson").out.splitlines()
    assert list(map(json.loads, lines)) == json.loads(said.out)
    rows = list(csv.DictReader(io.StringIO(indivd(name, "--format", "csv").out)))
    assert [int(row["id"]) for row in rows] == [entry["id"] for entry in listed]
    table = indivd(name).out.splitlines()
    assert len(table) == len(listed) + 2
    assert all(len(line) <= 80 for line in table)


def test_a_table_shows_lists_and_says_what_it_does_not_show(site: Any, indivd: Indivd) -> None:
    """The categories of a line are what --category takes; opening hours are too deep for a cell."""
    said = indivd("lines", "--limit", "1")
    assert said.out.splitlines()[0].split()[-1] == "category"
    assert said.out.splitlines()[2].endswith("1, 4")
    assert "not shown" not in said.err
    assert "not shown: opening_hours, which --json has" in indivd("locations").err


@pytest.mark.parametrize(
    ("command", "choices"), [("export", "line_crosses, zone_visitors"), ("completion", "bash, zsh")]
)
def test_what_is_missing_is_told_with_its_choices(command: str, choices: str, indivd: Indivd) -> None:
    """Nobody has to open the help for three words."""
    said = indivd(command)
    assert said.code == 2
    assert f", one of {choices}" in said.err


def test_what_the_library_does_not_know_is_listed_too(site: Any, indivd: Indivd) -> None:
    """Nested values are JSON in CSV."""
    rows = list(csv.DictReader(io.StringIO(indivd("locations", "--format", "csv").out)))
    assert json.loads(rows[0]["opening_hours"])


# Fetch.


def test_fetched_rows_in_every_format(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """The rows are those of the library, whatever the format; the name of a file tells it."""
    rows = fetch_rows(site.url)
    assert len(rows) > 50
    texts = list(map(as_text, rows))
    assert json.loads(indivd("fetch", *VISITS, "--format", "json").out) == texts
    lines = indivd("fetch", *VISITS, "--format", "ndjson").out.splitlines()
    assert list(map(json.loads, lines)) == texts
    cells = list(csv.DictReader(io.StringIO(indivd("fetch", *VISITS, "--format", "csv").out)))
    assert cells == [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in texts]
    for name in ("a.parquet", "a.arrow", "a.arrows", "a.json", "a.jsonl", "a.csv"):
        said = indivd("fetch", *VISITS, "--out", str(tmp_path / name))
        assert (said.code, said.out) == (0, "")
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist() == rows
    assert polars.read_ipc(tmp_path / "a.arrow").to_dicts() == rows
    assert polars.read_ipc_stream(tmp_path / "a.arrows").to_dicts() == rows
    assert json.loads((tmp_path / "a.json").read_text()) == texts
    assert list(map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())) == texts
    assert (tmp_path / "a.csv").read_text() == indivd("fetch", *VISITS, "--format", "csv").out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.arrow", "a.arrows", "a.csv", "a.json", "a.jsonl", "a.parquet",
    ]  # fmt: skip


def test_arrow_to_a_pipe(site: Any, tmp_path: Path) -> None:
    """Binary formats go to stdout where it is no terminal: a pipe gets Arrow's stream form, a file the file form."""
    command = (sys.executable, "-m", "indivd_async.cli", "fetch", *VISITS, "--format")
    piped = subprocess.run((*command, "arrow"), capture_output=True, check=True).stdout
    stream = nanoarrow.ipc.InputStream.from_readable(piped)
    assert pyarrow.table(nanoarrow.c_array_stream(stream)).to_pylist() == fetch_rows(site.url)
    for form, read in (("arrow", polars.read_ipc), ("arrows", polars.read_ipc_stream)):
        with (tmp_path / form).open("wb") as file:
            subprocess.run((*command, form), stdout=file, stderr=subprocess.DEVNULL, check=True)
        assert read(tmp_path / form).to_dicts() == fetch_rows(site.url)
    out = subprocess.run((*command, "parquet"), capture_output=True, check=True).stdout
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(out)).to_pylist() == fetch_rows(site.url)


def test_a_table_fits_the_terminal(site: Any, indivd: Indivd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that have no room are named on stderr; a pipe gets every row."""
    monkeypatch.setenv("COLUMNS", "60")
    said = indivd("fetch", *VISITS)
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["when", "loc", "zone", "visits"]
    assert lines[2].startswith("2025-03-03  124 Drottninggatan  201 Entrance")
    assert "not shown for lack of room: " in said.err
    assert "unique_visits, bounce, dwell_mean_s" in said.err
    assert "q50" in said.err
    monkeypatch.setenv("COLUMNS", "200")
    assert "q25" in indivd("fetch", *VISITS).out.splitlines()[0]


def test_notes_go_to_stderr(site: Any, indivd: Indivd) -> None:
    """What there is to know about the figures is not among them."""
    said = indivd("fetch", "line_crosses", *WEEK, "--location", "124", "--format", "csv")
    assert "note: No zones, categories or lines were given" in said.err
    assert "note" not in said.out


def test_an_empty_answer_has_its_columns(site: Any, indivd: Indivd) -> None:
    """Nothing found is no failure."""
    argv = ("fetch", "line_crosses", *WEEK, "--line-ids", "1")
    assert indivd(*argv, "--format", "csv").out.startswith("period,bucket_start,")
    assert json.loads(indivd(*argv, "--json").out)["rows"] == json.loads(indivd(*argv, "--format", "json").out) == []
    said = indivd(*argv)
    assert (said.code, said.out.split()) == (0, ["when", "────"])


def test_what_is_missing_is_told(site: Any, indivd: Indivd) -> None:
    """With --on-error collect the rest is written, the missing requests are named, and the code is 1."""
    argv = (
        "fetch",
        "line_crosses",
        *WEEK,
        "--line-ids",
        "2010,2012",
        "--per",
        "line",
        "--on-error",
        "collect",
        "--json",
    )
    site.application.faults.hook = lambda _, __, params: 400 if params.get("line_ids") == "2012" else None
    said = indivd(*argv)
    assert said.code == 1
    assert {row["line"] for row in json.loads(said.out)["rows"]} == {2010}
    assert "missing: 400 for GET /api/v1/rnd/insights/external/line_crosses/?" in said.err
    assert "line_ids=2012" in said.err


def test_of_many_failures_the_first_are_told(site: Any, indivd: Indivd) -> None:
    """And how many more there are."""
    site.application.faults.hook = lambda _, __, params: 400 if "line_ids" in params else None
    lines = ",".join(map(str, range(2000, 2012)))
    said = indivd("fetch", "line_crosses", *WEEK, "--line-ids", lines, "--per", "line", "--on-error", "collect")
    assert (said.code, said.err.count("missing: 400 for GET ")) == (1, 10)
    assert said.err.endswith("\nmissing: and 2 more\n")


def test_a_failure_writes_nothing(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """The file that was there stays; the message tells what was asked and what to do."""
    (tmp_path / "a.csv").write_text("before")
    site.application.faults.hook = lambda number, path, params: 403 if "zone_visitors" in path else None
    said = indivd("fetch", *VISITS, "--out", str(tmp_path / "a.csv"))
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("indivd: 403 for GET ")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
    said = indivd("fetch", *VISITS, "--out", str(tmp_path / "no such folder/a.csv"))
    assert said.code == 1


def test_a_file_that_cannot_be_finished_is_not_there(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """Where the file is to go is a folder: nothing is left behind."""
    (tmp_path / "a.csv").mkdir()
    assert indivd("fetch", *VISITS, "--out", str(tmp_path / "a.csv")).code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("fetch", "zone_visitors", *WEEK, "--zone", "1"), "indivd: --zone is not a parameter of zone_visitors"),
        (("fetch", "zone_visitors", *WEEK, "--max-dwell", "10801"), "indivd: --max-dwell: must be a whole number"),
        (("fetch", "zone_visitors", *WEEK, "--out", "x.xls"), "--format is needed: the name of 'x.xls' does not tell"),
        (("fetch", "line_crosses", *WEEK, "--concurrency", "0"), "--concurrency must be a whole number"),
        (("fetch", "line_crosses", *WEEK, "--timeout", "-1"), "--timeout must be a finite number above 0; got -1"),
        (("fetch", "line_crosses", *WEEK, "--base-url", "http://example.com"), "--allow-http allows it"),
        (("fetch", "zone_visitors", "--start-date", "-99999d", "--end-date", "today"), "is not a day from 2000-01-01"),
        (("fetch", "zone_visitors", "--start-date", "2025", "--end-date", "2100"), "2100-12-31 is not a day from"),
        (
            ("fetch", "zone_visitors", "--start-date", "2025-03-02", "--end-date", "2025-03-01"),
            "indivd: --end-date: must not be before --start-date (2025-03-02)",
        ),
        (
            ("fetch", "zone_visitors", *WEEK, "--comparison-start-date", "2024"),
            "indivd: --comparison-end-date: is required when --comparison-start-date is given.\n",
        ),
        (("plan", "line_crosses", *WEEK, "--per", "line"), "indivd: --per: needs its values"),
        (("plan", "line_crosses", *WEEK, "--per", "line"), "Pass --line-ids …."),
        (
            ("fetch", "zone_visitors", *WEEK, "--split", "some"),
            "indivd: --split: must be auto, none, or a whole number",
        ),
        (("fetch", "visits"), "invalid choice: 'visits'"),
        (("fetch", "line_crosses", "--floor", "a"), "'a' is not a list of whole numbers such as 124,125"),
        (("fetch", "zone_visitors", "--min-dwell", "a"), "'a' is not a whole number"),
        (
            ("fetch", "zone_visitors", *WEEK, "--split", "\u00b2"),
            "--split: must be auto, none, or a whole number of days",
        ),
        (("locations", "--timeout", "inf"), "--timeout must be a finite number above 0; got inf"),
        (("fetch", "line_crosses", *WEEK, "--format", "xls"), "invalid choice: 'xls'"),
        (("sandbox", "--fault-rate", "2"), "--fault-rate must be from 0 to 1; got 2"),
        (("sandbox", "--latency", "-1"), "--latency must be a number of seconds, at least 0; got -1"),
        (("sandbox", "--latency", "nan"), "--latency must be a number of seconds, at least 0; got nan"),
        (("sandbox", "--deviate", "ignored_zone"), "--deviate: no deviation is called 'ignored_zone'; did you mean"),
        (("export", "line_crosses", *WEEK, "--out", "x", "--refresh", "3"), "--refresh: '3' is not a number of days"),
        ((), "the following arguments are required: COMMAND"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_2(argv: tuple[str, ...], message: str, site: Any, indivd: Indivd) -> None:
    """Nothing is sent; the message says what is wrong."""
    said = indivd(*argv)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert not site.application.requests


def test_the_ways_to_deviate_are_listed(indivd: Indivd) -> None:
    """Each with what a client is to make of it and why a service may; no line is wider than a terminal."""
    said = indivd("sandbox", "--list-deviations")
    assert (said.code, said.err) == (0, "")
    assert (
        "ignored_zones  [error]\n    A gateway passes on parameters it knows, and knows no list of zones.\n" in said.out
    )
    assert max(map(len, said.out.splitlines())) <= 80


def test_a_location_that_is_not_listed_is_2(site: Any, indivd: Indivd) -> None:
    """It takes the look-up to know, and nothing else is sent."""
    said = indivd("fetch", "zone_visitors", *WEEK, "--location", "999")
    assert (said.code, said.out) == (2, "")
    assert "Pass --tz … to ask on one clock" in said.err
    assert [request.path for request in site.application.requests] == ["/filters/locations"]


def test_without_a_token(indivd: Indivd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where one goes, and what works without."""
    monkeypatch.delenv("INDIVD_TOKEN", raising=False)
    said = indivd("locations")
    assert said.code == 2
    assert "set INDIVD_TOKEN" in said.err


def test_a_service_that_is_not_there(indivd: Indivd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names host and port."""
    monkeypatch.setenv("INDIVD_TOKEN", "sandbox")
    said = indivd("locations", "--base-url", "http://127.0.0.1:9", "--timeout", "1")
    assert said.code == 1
    assert "127.0.0.1:9" in said.err
    assert "sandbox" not in said.err


@pytest.mark.parametrize(
    "command",
    [
        "demo", "locations", "zones", "categories", "lines", "organizations", "fetch", "plan", "export", "doctor",
        "dashboard", "sandbox", "completion", "help", "verify",
    ],
)  # fmt: skip
def test_help_has_an_example(command: str, indivd: Indivd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command shows how it is used, in 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    said = indivd(command, "--help")
    assert (said.code, said.err) == (0, "")
    assert f"example:\n  indivd {command}" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


@pytest.mark.parametrize("command", ["locations", "lines", "fetch", "plan", "export", "doctor"])
def test_the_example_works(command: str, site: Any, indivd: Indivd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pasted as it stands; of the export, which takes a while, the plan."""
    example = indivd(command, "--help").out.partition("example:\n")[2].replace("\\\n", " ")
    _, *argv = shlex.split(example)
    if command == "export":
        argv = ["plan", *argv[1 : argv.index("--out")]]
    said = indivd(*argv)
    assert said.code == 0
    assert said.out.count("\n") > 1


# Plan.


def test_a_plan_sends_nothing_but_a_look_up(site: Any, indivd: Indivd) -> None:
    """Locations are looked up where their clocks matter."""
    said = indivd("plan", *VISITS, "--aggregate-by", "hour")
    assert said.code == 0
    assert said.out.startswith("zone_visitors: 2 requests")
    assert [request.path for request in site.application.requests] == ["/filters/locations"]


def test_a_plan_that_needs_no_look_up_needs_no_token(indivd: Indivd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its JSON is that of `Plan.to_json`."""
    monkeypatch.delenv("INDIVD_TOKEN", raising=False)
    said = indivd(
        "plan", "line_crosses", "--start-date", "2025", "--end-date", "2025", "--aggregate-by", "hour", "--json"
    )
    plan = Plan.from_json(said.out)
    assert plan.query == LineCrosses("2025-01-01", "2025-12-31", aggregate_by="hour")
    assert len(plan) == 53


# Export.


def test_an_export_goes_on_where_it_was(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """What failed is named, and asked again by the same command; data stays off stdout unless JSON is wanted."""
    argv = ("export", "zone_visitors", "--start-date", "2025-01", "--end-date", "2025-03", "--location", "124,127",
            "--aggregate-by", "hour", "--out", str(tmp_path / "visits"))  # fmt: skip
    site.application.faults.hook = lambda _, __, params: 400 if params.get("start_date") == "2025-02-01" else None
    said = indivd(*argv)
    assert (said.code, said.out) == (1, "")
    assert said.err.count("missing: 400 for GET ") == 2
    assert "2 requests failed; run the same command again to ask them again" in said.err
    site.application.faults.hook = None
    said = indivd(*argv)
    assert (said.code, said.out) == (0, "")
    assert "as one table: " in said.err
    assert re.search(
        r"visits: [0-9,]+ rows in 3 parts, 2 requests, 0 retries, [0-9.]+ s, 0 failures, 0 notes\n$", said.err
    )
    said = indivd(*argv, "--refresh", "3d", "--json")
    assert said.code == 0
    report = json.loads(said.out)
    changes = report["changes"]
    (before, after) = changes["totals"]["visits"]
    assert (report["complete"], report["requests"], before) == (True, 2, after)
    rows = f"0 rows changed, 0 new, 0 gone, {changes['unchanged']} as they were; visits {before} → {before}"
    assert f"since 2025-03-29: {rows}" in said.err
    frame = polars.scan_parquet(tmp_path / "visits").collect()
    assert len(frame) == report["rows"]
    said = indivd(*argv, "--zones", "201")
    assert said.code == 2
    assert said.err.startswith("indivd: --zones: ")
    assert "holds the export of another question (none there, 201 here)" in said.err


# Demo.


def test_the_demo_shows_the_main_job(indivd: Indivd) -> None:
    """Every line fits 80 columns; the three endpoints, the plan and the cost are there."""
    said = indivd("demo")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in said.out
    for part in (
        "8 locations",
        "becomes a plan",
        "line_crosses",
        "zone_visitors: visits by hour",
        "drop_in_rate",
        "asked again",
    ):
        assert part in said.out
    assert [line[:3] for line in lines if line[:3] in ("Mon", "Sun")] == ["Mon", "Sun"]


@pytest.mark.parametrize("token", ["sandbox", "sandbox-basic", "sandbox-mixed", "sandbox-narrow"])
def test_the_demo_of_a_live_service(token: str, site: Any, indivd: Indivd) -> None:
    """With --live the same is asked of the service, whatever the token may see."""
    said = indivd("demo", "--live", "--token", token)
    assert (said.code, said.err) == (0, "")
    assert "the real service" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    assert any(request.path.endswith("/drop_in_rate/") for request in site.application.requests)
