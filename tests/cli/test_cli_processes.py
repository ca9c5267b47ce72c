"""The command as a process: signals, pipes, terminals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import polars
import pytest

COMMAND = (sys.executable, "-m", "indivd_async.cli")
DAY = ("--start-date", "2025-03-03", "--end-date", "2025-03-03")
YEAR = ("--start-date", "2025", "--end-date", "2025", "--location", "124", "--aggregate-by", "hour")


def start(*argv: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def wait_for_requests(site: Any, number: int) -> None:
    while len(site.application.requests) < number:
        time.sleep(0.005)


@cache
def completion(shell: str) -> str:
    """Return the script that the command writes for a shell."""
    done = subprocess.run([*COMMAND, "completion", shell], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C, and return what was said."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=60)


def test_ctrl_c_ends_a_fetch(site: Any) -> None:
    """At once, with 130 and a word about exports."""
    site.application.latency_s = 0.2
    process = start("fetch", "line_crosses", *YEAR, "--concurrency", "2")
    wait_for_requests(site, 2)
    out, err = interrupt(process)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("indivd: interrupted; nothing was kept. `indivd export`")
    assert "Traceback" not in err


def test_ctrl_c_leaves_an_export_that_goes_on(site: Any, tmp_path: Path) -> None:
    """What was fetched is kept, the message says how to go on, and going on asks only for the rest."""
    argv = ("export", "line_crosses", *YEAR, "--out", str(tmp_path / "out"))
    site.application.latency_s = 0.1
    process = start(*argv, "--concurrency", "2")
    wait_for_requests(site, 6)
    out, err = interrupt(process)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "indivd: interrupted; what is written stays. Run the same command again to go on"
    kept = polars.scan_parquet(tmp_path / "out").collect()
    assert len(kept) > 0
    site.application.latency_s = 0
    site.application.requests.clear()
    process = start(*argv)
    process.communicate(timeout=60)
    assert process.returncode == 0
    data = [request for request in site.application.requests if not request.path.startswith("/filters/")]
    assert 0 < len(data) <= 53 - 2


@pytest.mark.parametrize("form", ["ndjson", "parquet", "arrow"])
def test_a_reader_that_has_seen_enough(form: str, site: Any) -> None:
    """Output into a pipe that closes ends quietly."""
    process = start("fetch", "line_crosses", *YEAR, "--format", form)
    assert process.stdout is not None
    assert process.stderr is not None
    assert os.read(process.stdout.fileno(), 1)
    process.stdout.close()
    assert "Error" not in (said := process.stderr.read()), said
    process.stderr.close()
    assert process.wait(timeout=60) == 0


def test_a_reader_that_left_before_changes_no_end(site: Any, tmp_path: Path) -> None:
    """What failed has failed, and what is kept beside the output is kept."""
    profile = tmp_path / "profile.json"
    for argv, code in (
        (("doctor", "--json", "--token", "wrong"), 1),
        (("verify", "--json", "--profile", str(profile)), 0),
    ):
        process = start(*argv, env=os.environ | {"PYTHONUNBUFFERED": ""})  # else it is told in the middle
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        assert process.wait(timeout=60) == code, err
        assert "Traceback" not in err
    assert profile.exists()


def test_the_sandbox_serves_until_interrupted() -> None:
    """It tells where, and how to ask it."""
    process = start("sandbox", "--port", "0")
    assert process.stdout is not None
    first, *rest = [process.stdout.readline() for _ in range(5)]
    assert first.startswith("the sandbox listens on http://127.0.0.1:")
    assert "indivd fetch zone_visitors" in rest[-1]
    url = first.split()[4]
    environment = {**os.environ, "INDIVD_BASE_URL": url, "INDIVD_TOKEN": "sandbox"}
    asked = subprocess.run([*COMMAND, "locations"], env=environment, capture_output=True, text=True, check=True)
    assert "Drottninggatan" in asked.stdout
    _, err = interrupt(process)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_the_sandbox_deviates_as_it_is_told() -> None:
    """It says how, and answers so."""
    process = start("sandbox", "--port", "0", "--deviate", "locations_without_time_zone", "--deviate", "list_by_id")
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(3)]
    assert said[-1] == "it deviates: locations_without_time_zone, list_by_id\n"
    environment = {**os.environ, "INDIVD_BASE_URL": said[0].split()[4], "INDIVD_TOKEN": "sandbox"}
    asked = subprocess.run([*COMMAND, "locations"], env=environment, capture_output=True, text=True, check=True)
    assert "Drottninggatan" in asked.stdout
    assert "Europe/Stockholm" not in asked.stdout
    interrupt(process)


@pytest.mark.parametrize("refused", ["", "1"], ids=["colours", "NO_COLOR"])
def test_on_a_terminal(refused: str, site: Any) -> None:
    """A terminal gets colours unless it wants none, and as much of a table as one reads, its head on each screen."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": refused, "COLUMNS": "80"}
    process = subprocess.Popen(
        [*COMMAND, "fetch", "line_crosses", *YEAR], stdout=theirs, stderr=subprocess.PIPE, env=environment, text=True
    )
    os.close(theirs)
    drawn = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not some:
            break
        drawn += some
    os.close(ours)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert (b"\x1b[" in drawn) is (not refused)
    assert drawn.count(b"\n") == 40 + 2 * 2
    assert drawn.count(b"when") == 2
    assert "the first 40 of " in err


def test_binary_formats_are_not_for_terminals(site: Any) -> None:
    """A terminal is spared."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "fetch", "line_crosses", *YEAR, "--format", "parquet"],
        stdout=theirs, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert "parquet is not for terminals" in done.stderr


@pytest.mark.parametrize("command", [("completion", "bash"), ("locations",)], ids=" ".join)
def test_an_interrupt_at_any_import_is_one(command: tuple[str, ...], site: Any) -> None:
    """Also in those that a library of native code makes while it is imported, which may not bear it."""
    code = f"""
import os, signal, sys
from indivd_async.cli import main

class Interrupts:
    def find_spec(self, name, *_):
        if name == "uuid":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
sys.exit(main({command!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "indivd: interrupted\n"


@pytest.mark.parametrize("hidden", ["rich", "pyarrow", "nanoarrow"])
def test_without_what_is_optional(hidden: str, site: Any, tmp_path: Path) -> None:
    """What needs something says what."""
    code = f"""
import sys
sys.modules[{hidden!r}] = None
from indivd_async.cli import main
period = ["--start-date", "2025-03-03", "--end-date", "2025-03-04", "--location", "124"]
print(main(["fetch", "line_crosses", *period]))
print(main(["fetch", "line_crosses", *period, "--out", {str(tmp_path / "a.arrows")!r}]))
print(main(["fetch", "line_crosses", *period, "--out", {str(tmp_path / "a.arrow")!r}]))
print(main(["fetch", "line_crosses", *period, "--out", {str(tmp_path / "a.parquet")!r}]))
print(main(["export", "line_crosses", *period, "--out", {str(tmp_path / "a")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    codes = [line for line in done.stdout.splitlines() if line in ("0", "1", "2")]
    assert codes == {"rich": ["1", *"0000"], "pyarrow": [*"00111"], "nanoarrow": [*"00000"]}[hidden]
    assert ("indivd-async[cli]" in done.stderr) is (hidden == "rich")
    assert ("indivd-async[parquet]" in done.stderr) is (hidden == "pyarrow")


@pytest.mark.parametrize(
    ("command", "instead"),
    [("locations", "; --json and CSV need nothing"), ("doctor", "; --json needs nothing"), ("demo", "")],
)
def test_without_tables_a_command_says_what_it_can(
    command: str, instead: str, site: Any, indivd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forms that it has, and no others."""
    monkeypatch.setitem(sys.modules, "rich", None)
    said = indivd(command)
    assert said.code == 1
    assert said.err == f"indivd: tables need rich: pip install 'indivd-async[cli]'{instead}\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("fetch", "line_crosses", *YEAR), "indivd: terminated; nothing was kept. `indivd export`"),
        (("export", "line_crosses", *YEAR, "--out"), "indivd: terminated; what is written stays. Run the same command"),
    ],
    ids=["fetch", "export"],
)
def test_sigterm_ends_a_command_as_an_interrupt_does(
    argv: tuple[str, ...], said: str, site: Any, tmp_path: Path
) -> None:
    """With 143, a word, and nothing half written."""
    site.application.latency_s = 0.2
    process = start(*argv, *([str(tmp_path / "out")] if argv[-1] == "--out" else []), "--concurrency", "2")
    wait_for_requests(site, 4)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (143, "")
    assert err.splitlines()[-1].startswith(said)
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("command", ["sandbox", "dashboard"])
def test_sigterm_ends_a_server(command: str) -> None:
    """With 143, as its process manager expects."""
    process = start(command, "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    assert "http://127.0.0.1:" in (process.stdout if command == "sandbox" else process.stderr).readline()
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (("fe",), {"fetch"}),
        (("loc",), {"locations"}),
        (("fetch", "zone"), {"zone_visitors"}),
        (("fetch", "zone_visitors", "--bounce"), {"--bounce-threshold"}),
        (("fetch", "zone_visitors", "--format", "arr"), {"arrow", "arrows"}),
        (("zones", "--out", "vis"), {"visits.csv"}),
        (("export", "zone_visitors", "--out", "vis"), {"visits"}),
        (("help", "exp"), {"export"}),
        (("fetch", "line_crosses", "--per", "cat"), {"category"}),
        (("sandbox", "--deviate", "clamped_without"), {"clamped_without_a_word"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bash_completes(typed: tuple[str, ...], expected: set[str], tmp_path: Path) -> None:
    """Commands, endpoints, options, formats, files and folders, from the script that the command writes."""
    (tmp_path / "visits.csv").touch()
    (tmp_path / "visits").mkdir()
    words = " ".join(map(repr, ("indivd", *typed)))
    program = f"""{completion("bash")}
COMP_WORDS=({words}); COMP_CWORD={len(typed)}
$(complete -p indivd | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert {line.rstrip("/ ") for line in done.stdout.split("\n")} - {""} >= expected
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["Café", "東京"])
def test_names_are_read_where_the_machine_knows_no_letters(name: str, site: Any) -> None:
    """A terminal sends UTF-8 whatever the locale says; what is not found is told as it was written."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    argv = [*COMMAND, "fetch", "zone_visitors", *DAY, "--location", "124", "--zones", name, "--json"]
    done = subprocess.run(argv, capture_output=True, env=environment)
    if name == "Café":
        assert {row["zone_id"] for row in json.loads(done.stdout)["rows"]} == {203}
    else:
        assert done.returncode == 2
        assert b"none of the zones is called '??'" in done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_other_shells_have_a_script_too(shell: str) -> None:
    """It knows every command."""
    script = completion(shell)
    assert all(command in script for command in ("indivd", "locations", "fetch", "export", "doctor"))


def test_a_live_dashboard_asks_as_it_is_told(site: Any) -> None:
    """The options of the service are its client's, and --verbose tells what it asks."""
    options = ("--live", "--base-url", site.url, "--token", "sandbox", "--verbose", "--timeout", "20")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INDIVD_")}
    process = start("dashboard", "--port", "0", *options, env=environment)
    assert process.stderr is not None
    url = process.stderr.readline().split()[1]
    assert len(httpx.get(f"{url}/api/locations", trust_env=False, timeout=20).json()) >= 8
    _, err = interrupt(process)
    assert "GET /filters/locations" in err
    assert [request.path for request in site.application.requests] == ["/filters/locations"]


def test_a_live_dashboard_that_cannot_be_is_wrong_usage(site: Any) -> None:
    """Told before anything listens."""
    process = start("dashboard", "--live", "--port", "0", "--timeout", "-1")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "--timeout must be a finite number above 0" in err
