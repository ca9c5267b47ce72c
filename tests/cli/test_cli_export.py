"""`indivd export` as a nightly job: what it says, where it writes, how it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars
import pytest
from test_cli_processes import YEAR, start, wait_for_requests

WEEK = ("--start-date", "2025-03-03", "--end-date", "2025-03-09", "--location", "124,127", "--aggregate-by", "hour")
Indivd = Callable[..., Any]


def test_a_table_of_a_database(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """--to takes the address of a table; the rows are those of a folder."""
    to = f"duckdb:///{tmp_path}/shop.duckdb?table=visits"
    said = indivd("export", "zone_visitors", *WEEK, "--to", to)
    assert (said.code, said.out) == (0, "")
    assert indivd("export", "zone_visitors", *WEEK, "--out", str(tmp_path / "out")).code == 0
    with duckdb.connect(tmp_path / "shop.duckdb") as connection:
        (counted,) = connection.sql("SELECT count(*), sum(visits) FROM visits").fetchall()
    frame = polars.scan_parquet(tmp_path / "out").collect()
    assert counted == (len(frame), frame["visits"].sum())
    assert said.err.endswith(
        f"?table=visits: {len(frame)} rows, 2 requests, 0 retries, {seconds_of(said)} s, 0 failures, 0 notes\n"
    )


def seconds_of(said: Any) -> str:
    return said.err.split(" retries, ")[1].split(" s,")[0]


def test_a_folder_or_a_table(indivd: Indivd) -> None:
    """One of the two must be named."""
    for more in ((), ("--out", "x", "--to", "duckdb:///x?table=y")):
        assert indivd("export", "zone_visitors", *WEEK, *more).code == 2


def test_quiet_says_nothing_where_all_is_well(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """And all there is to say where not; with JSON on stdout either way."""
    argv = ("export", "zone_visitors", *WEEK, "--out", str(tmp_path / "out"), "--quiet")
    said = indivd(*argv)
    assert (said.code, said.out, said.err) == (0, "", "")
    report = json.loads(indivd(*argv, "--json").out)
    assert (report["requests"], report["retries"], report["complete"], report["needs_look"]) == (0, 0, True, False)
    assert report["seconds"] >= 0
    site.application.faults.hook = lambda _, path, params: 400 if params.get("location") == "127" else None
    said = indivd(*argv, "--refresh", "2d")
    assert said.code == 1
    assert "missing: 400 for GET " in said.err
    assert "1 failure, 0 notes" in said.err.splitlines()[-1]


def test_what_needs_a_look_ends_with_3(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """All is there, and an answer has been emptied: exit 3 until that is accepted."""
    argv = ("export", "zone_visitors", *WEEK, "--out", str(tmp_path / "out"))
    assert indivd(*argv).code == 0
    told = site.application.world.zone_visitors
    try:
        site.application.world.zone_visitors = lambda *args, **asked: {"current": {"insights": []}, "comparison": {}}
        said = indivd(*argv, "--refresh", "2d", "--quiet")
        assert said.code == 3
        assert "2025-03-08 to 2025-03-09 of location 124: the answer is empty now;" in said.err
        said = indivd(*argv, "--refresh", "2d", "--json")
        report = json.loads(said.out)
        assert (said.code, report["complete"], report["needs_look"]) == (3, True, True)
        assert {fate["became"] for fate in report["locations"]} == {"emptied"}
        assert indivd(*argv, "--refresh", "2d", "--accept-empty").code == 0
    finally:
        site.application.world.zone_visitors = told


@pytest.mark.parametrize(
    "question",
    [
        *(
            ("zone_visitors", "--aggregate-by", grouping)
            for grouping in ("hour", "week", "dayofweek", "dayofweek,hour")
        ),
        *(
            ("line_crosses", "--category", "1", "--aggregate-by", grouping)
            for grouping in ("hour", "week", "dayofweek")
        ),
        *(("drop_in_rate", "--interval", interval) for interval in ("hour", "week")),
    ],
    ids=" ".join,
)
def test_a_healthy_job_ends_with_0(question: tuple[str, ...], site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """Also where weeks have the API's own numbers, nobody comes at night, and it is asked again."""
    town = site.application.world
    told = {name: getattr(town, name) for name in ("zone_visitors", "line_crosses", "drop_in_rate")}
    town.zone_visitors = lambda *args, **asked: close_one(told["zone_visitors"](*args, **asked))
    town.line_crosses = lambda *args, **asked: close_one(told["line_crosses"](*args, **asked))
    try:
        argv = ("export", *question, "--start-date", "2025-02-24", "--out", str(tmp_path / "out"), "--location", "124")
        for more in ((), ("--refresh", "3d"), ()):
            said = indivd(*argv, "--end-date", "2025-03-09", "--json", *more)
            report = json.loads(said.out)
            assert (said.code, report["needs_look"], report["failures"]) == (0, False, []), report["notes"]
        assert report["rows"] > 0
        if question[0] != "drop_in_rate":
            assert "rows_of_zeros" in {
                note["kind"] for note in json.loads(indivd(*argv, "--end-date", "2025-03-23", "--json").out)["notes"]
            }
    finally:
        vars(town).update(told)


def close_one(said: Any) -> Any:
    """Let nobody come in the first bucket."""
    if isinstance(said, list):
        said[0]["count"] = 0
    else:
        said["current"]["insights"][0].update(
            visits=0, unique_visits=0, bounce=0, dwell_time=0.0, dwell_time_stats={}, exclude={}
        )
    return said


def test_a_start_that_moves_on_needs_a_word(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """The message spells the options of the command."""
    out = ("--out", str(tmp_path / "out"))
    assert indivd("export", "zone_visitors", *WEEK, *out).code == 0
    later = ("--start-date", "2025-03-05", *WEEK[2:])
    said = indivd("export", "zone_visitors", *later, *out)
    assert said.code == 2
    assert "can stay (--keep) or go (--prune)" in said.err
    assert indivd("export", "zone_visitors", *later, *out, "--keep", "--prune").code == 2
    assert indivd("export", "zone_visitors", *later, *out, "--prune").code == 0
    assert polars.scan_parquet(tmp_path / "out").collect()["dayofmonth"].min() == 5


def test_changes_are_told_by_location_and_month(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """A line each, under the sum of all."""
    argv = ("export", "zone_visitors", *WEEK, "--out", str(tmp_path / "out"))
    assert indivd(*argv).code == 0
    told = site.application.world.zone_visitors

    def more(*args: Any, **asked: Any) -> Any:
        said = told(*args, **asked)
        if asked["location"] == (127,):
            said["current"]["insights"][0]["visits"] += 10
        return said

    try:
        site.application.world.zone_visitors = more
        said = indivd(*argv, "--refresh", "3d")
    finally:
        site.application.world.zone_visitors = told
    assert said.code == 0
    assert "location 127 2025-03: 1 changed, 0 new, 0 gone; visits " in said.err
    assert "location 124" not in said.err


@pytest.mark.parametrize("in_background", [False, True], ids=["in the foreground", "in the background of a shell"])
def test_sigterm_keeps_what_there_is(site: Any, in_background: bool, tmp_path: Path) -> None:
    """Ended by whoever runs the job, it keeps what it has and ends with 143; a log gets no progress."""
    argv = ("export", "line_crosses", *YEAR, "--out", str(tmp_path / "out"))
    site.application.latency_s = 0.1
    before = signal.getsignal(signal.SIGINT)
    if in_background:  # shells let such commands ignore interrupts, and what they start inherits that
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(*argv, "--concurrency", "2")
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for_requests(site, 6)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (143, ""), err
    assert err == "indivd: terminated; what is written stays. Run the same command again to go on\n"
    assert len(polars.scan_parquet(tmp_path / "out").collect()) > 0
