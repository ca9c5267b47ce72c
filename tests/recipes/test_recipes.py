"""Jobs, as people run them: against a service over HTTP, in processes and folders of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.from_thread
import duckdb
import pytest

from indivd_async import sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[sandbox.Sandbox, str]]:
    application = sandbox.app()
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(sandbox.serving(application)) as url,
    ):
        yield application, url


@pytest.fixture
def run(service: tuple[sandbox.Sandbox, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a folder of its own, with token and address in the environment, and expect that it ends well."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "INDIVD_TOKEN": "sandbox",
        "INDIVD_BASE_URL": service[1],
        "PATH": path,
        "MPLBACKEND": "Agg",
    }

    def run(*command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stderr
        return done

    return run


def test_a_nightly_job(run: Callable[..., Any], service: tuple[sandbox.Sandbox, str], tmp_path: Path) -> None:
    """The second night asks for the days that are new, and for the last three."""
    job = (sys.executable, str(HERE / "nightly_job.py"), "visits", "2025-03-01")
    first = run(*job, "2025-03-10").stdout
    (found,) = duckdb.sql(f"SELECT count(*) FROM '{tmp_path}/visits/**/*.parquet'").fetchall()
    assert int(first.split()[0].replace(",", "")) == found[0]
    asked = len(service[0].requests)
    second = run(*job, "2025-03-11").stdout
    assert int(second.split()[0].replace(",", "")) > int(first.split()[0].replace(",", ""))
    # Locations and zones are looked up anew; the days asked for are the new one and three that were there.
    days = [ask.params for ask in list(service[0].requests)[asked:] if "start_date" in ask.params]
    assert days
    assert min(params["start_date"] for params in days) >= "2025-03-08"


def test_a_night_that_fails_says_so(run: Callable[..., Any], service: tuple[sandbox.Sandbox, str]) -> None:
    """Exit code 1, one line on stderr, no traceback."""
    service[0].faults = sandbox.Faults(rate=1.0, statuses=(401,))
    try:
        done = run(sys.executable, str(HERE / "nightly_job.py"), "visits", "2025-03-01", "2025-03-10", code=1)
    finally:
        service[0].faults = sandbox.Faults()
    assert done.stderr.startswith("visits: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("job", [("nightly_job.py", "visits"), ("database.py", "duckdb:///shop.duckdb?table=visits")])
def test_a_night_that_needs_a_look_says_so(
    run: Callable[..., Any],
    service: tuple[sandbox.Sandbox, str],
    monkeypatch: pytest.MonkeyPatch,
    job: tuple[str, str],
) -> None:
    """Exit code 3 where answers are empty now and rows stay, with the places and days."""
    night = (sys.executable, str(HERE / job[0]), job[1], "2025-03-01", "2025-03-10")
    run(*night)
    monkeypatch.setattr(service[0], "world", sandbox.World(scale=0))
    assert "of location 124: the answer is empty now" in run(*night, code=3).stderr


def test_high_volume(run: Callable[..., Any], tmp_path: Path) -> None:
    """The table holds what it says, place by place."""
    done = run(sys.executable, str(HERE / "high_volume.py"), "2025-03-01", "2025-03-14", "crossings.duckdb")
    first = int(re.search(r"(\d+) crossings at the first place", done.stdout)[1])
    with duckdb.connect(str(tmp_path / "crossings.duckdb")) as database:
        counts = dict(database.sql("SELECT loc_id, sum(count) FROM crossings GROUP BY ALL").fetchall())
    assert len(counts) > 1
    assert first in counts.values()
    assert "requests" in done.stderr, "a bar"


def test_a_shell_script(run: Callable[..., Any]) -> None:
    """It prints what the file begins with: a head, and rows of the first store."""
    said = run("sh", str(HERE / "shell_script.sh")).stdout.splitlines()
    assert said[0].endswith("stores")
    assert said[1].startswith("period,bucket_start,")
    assert len(said) == 7
    assert re.fullmatch(r"(Drottninggatan|Central Station) \d{3,}", said[6]), "the store with the most visits"


def test_frames(run: Callable[..., Any]) -> None:
    """Three libraries read one answer, with equal sums; a month of all places comes through SQL."""
    said = run(sys.executable, str(HERE / "frames.py")).stdout
    sums = re.findall(r"(?m)^Entrance +(\d+)$", said)
    assert len(sums) == 1, said
    assert f" {sums[0]} " in said.partition("Entrance")[2].partition("Entrance")[0], "as polars has it"
    assert sums[0] in said.partition("pyarrow.Table")[2]
    assert "loc_name" in said.partition("pyarrow.Table")[2]


def test_a_database(run: Callable[..., Any], tmp_path: Path) -> None:
    """The table holds as many rows as the line says; the second night asks for three days."""
    first = run(sys.executable, str(HERE / "database.py")).stdout
    with duckdb.connect(str(tmp_path / "shop.duckdb"), read_only=True) as database:
        (rows,) = database.sql("SELECT count(*) FROM visits").fetchall()[0]
    assert f"{rows:,} rows" in first
    assert rows > 1_000
    assert f"{rows:,} rows" in run(sys.executable, str(HERE / "database.py")).stdout


def test_a_cluster(run: Callable[..., Any]) -> None:
    """Sums of each place, from the shards of two processes."""
    said = run(sys.executable, str(HERE / "cluster.py")).stdout
    assert re.search(r"(?m)^124 +\d{3,}$", said), said


def test_a_measured_service(run: Callable[..., Any], tmp_path: Path) -> None:
    """What it turned out to be is a file, a report and a recording; weeks have first days then."""
    said = run("sh", str(HERE / "verify.sh")).stdout
    assert "sandbox" not in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "answers").is_dir()
    assert re.search(r"(?m)^current,2025-03-0[23]", said), said


def test_a_backend(run: Callable[..., Any]) -> None:
    """Each route under uvicorn's own application; what is wrong with a question is the visitor's to know."""
    asked = """
        import json, backend
        from starlette.testclient import TestClient
        with TestClient(backend.app) as visitor:
            days = {"start_date": "2025-03-03", "end_date": "2025-03-09"}
            table = visitor.get("/stores/124/table", params=days)
            print(json.dumps({
                "nested": visitor.get("/stores/124/visits", params=days).json()["complete"],
                "rows": len(table.json()), "columns": sorted(table.json()[0]),
                "now": visitor.get("/stores/124/now", params={"day": "2025-03-03"}).json(),
                "wrong": visitor.get("/stores/124/table", params=dict(zip(days, reversed(days.values())))).status_code,
                "no year": [visitor.get(f"/years/{year}").status_code for year in (-1, 0, 12345)],
                "year": len(visitor.get("/years/2024").text.splitlines()),
            }))
    """
    script = "\n".join(line[8:] for line in asked.splitlines())
    said = json.loads(run(sys.executable, "-c", f"import sys; sys.path.insert(0, {str(HERE)!r})\n{script}").stdout)
    assert said["nested"] is True
    assert said["rows"] > 7
    assert {"bucket_start", "loc_id", "zone_name", "visits"} <= set(said["columns"])
    assert said["now"]["passed_by"] > said["now"]["entered"] > 0
    assert said["wrong"] == 422
    assert said["no year"] == [422] * 3
    assert said["year"] > 5_000


CELLS = [
    cell.partition("\n")[2]
    for cell in re.split(r"^# %%", (HERE / "notebook.py").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
]


def test_a_notebook(run: Callable[..., Any]) -> None:
    """Through a kernel, with `await` at the top level: each cell ends well, and three show a chart, with true axes."""
    axes = "[[int(tick.get_text()) for tick in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)]"
    said = f"print({axes} == [sorted({{row[name] for row in march.to_dicts()}}) for name in ('hour', 'weekday')])"
    cells = [part for cell in CELLS for part in ([cell, said] if "weekday" in cell else [cell])]
    script = """
import json, sys, nbclient, nbformat
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in json.loads(sys.argv[1])])
nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
kinds = [[kind for output in cell.outputs for kind in output.get("data", {})] for cell in notebook.cells]
print(json.dumps([kinds, [output.get("text", "") for cell in notebook.cells for output in cell.outputs]]))
    """
    shown, texts = json.loads(run(sys.executable, "-c", script, json.dumps(["%matplotlib inline", *cells])).stdout)
    assert sum("image/png" in kinds for kinds in shown) == 3
    assert "True\n" in texts, "each weekday and hour stands at its own place"
    assert "Warning" not in "".join(texts)
    assert "text/plain" in shown[2], "a result shows itself"


@pytest.mark.parametrize("title", ["A line by day", "A heat map", "A funnel"])
def test_a_chart_takes_eight_lines(title: str) -> None:
    """From the result to the picture."""
    (cell,) = [
        cell
        for cell in re.split(r"^# %%", (HERE / "notebook.py").read_text(encoding="utf-8"), flags=re.MULTILINE)
        if cell.startswith(f" {title}")
    ]
    assert len([line for line in cell.splitlines()[1:] if line.strip()]) <= 8
