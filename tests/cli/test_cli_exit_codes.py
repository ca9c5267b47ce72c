"""What goes wrong before anything is asked: told in two lines, with the code that belongs to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indivd_async import __version__

Indivd = Callable[..., Any]

DAY = ("zone_visitors", "--start-date", "2025-03-03", "--end-date", "2025-03-03", "--location", "124")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("fetch", *DAY, "--locations", "3"), "there is no --locations; did you mean --location?"),
        (("fetch", *DAY, "--end_date=2025"), "there is no --end_date; did you mean --end-date?"),
        (("fetch", *DAY, "--fromat", "csv"), "there is no --fromat; did you mean --format?"),
        (("plan", *DAY, "--qqqq"), "there is no --qqqq"),
        (("zones", "stray"), "'stray' is more than this takes"),
        (("sandbox", "--port", "65536"), "argument --port: 65536 is not a port; they go from 0 to 65535"),
        (
            ("dashboard", "--host", ""),
            "argument --host: it is empty, as a variable that is not set; 0.0.0.0 listens on all addresses",
        ),
        (("dashboard", "--port", "-1"), "argument --port: -1 is not a port; they go from 0 to 65535"),
    ],
    ids=["nearly", "underscore", "transposed", "like nothing", "no option", "high port", "empty host", "negative port"],
)
def test_what_cannot_be_read_is_told_in_two_lines(argv: tuple[str, ...], said: str, site: Any, indivd: Indivd) -> None:
    """The message is not lost below a page of usage, and the second line says where more is."""
    result = indivd(*argv)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"indivd: {said}\ntry: indivd {argv[0]} --help\n"
    assert not site.application.requests


def test_a_misspelt_token_option_does_not_show_the_token(indivd: Indivd) -> None:
    """What follows an option that is not known may be a secret."""
    given = (("--tokn", "s3cret-4321"), ("--tokn=s3cret-4321",))
    for argv in [part for one in given for part in (("locations", *one), (*one, "locations"), ("fetch", *one, DAY[0]))]:
        said = indivd(*argv)
        assert (said.code, said.out) == (2, "")
        assert "did you mean --token?" in said.err
        assert "s3cret" not in said.err


#: As `python -m` and as the installed script, whose import of *module* is interrupted.
INTERRUPTED = """
import importlib.abc, runpy, sys

class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
sys.argv = ["indivd", "locations"]
{run}
"""


@pytest.mark.parametrize(
    ("run", "module"),
    [
        ("runpy.run_module('indivd_async.cli', run_name='__main__')", "attrs"),
        ("from indivd_async.cli import main; sys.exit(main())", "attrs"),
        ("from indivd_async.cli import main; sys.exit(main())", "httptools"),
    ],
    ids=["module", "script", "later"],
)
def test_ctrl_c_while_it_is_imported(run: str, module: str) -> None:
    """One line, and the code that belongs to it, from the first library on."""
    argv = (sys.executable, "-c", INTERRUPTED.format(module=module, run=run))
    done = subprocess.run(argv, env={**os.environ, "INDIVD_TOKEN": "t"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "indivd: interrupted\n")


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        ("locations >&-", 1, "indivd: stdout is closed, so there is nowhere to write to\n"),
        ("locations >/dev/full", 1, "indivd: [Errno 28] No space left on device\n"),
        (
            "plan line_crosses --start-date 2025 --end-date 2025 >/dev/full",
            1,
            "indivd: [Errno 28] No space left on device\n",
        ),
        (
            f"fetch line_crosses {' '.join(DAY[1:])} --format arrow >/dev/full",
            1,
            "indivd: [Errno 28] No space left on device\n",
        ),
        ("locations 2>&-", 0, ""),
        ("locations --limit 1 2>/dev/full", 0, ""),
        ("export line_crosses --start-date -2d --end-date today --out a 2>/dev/full", 0, ""),
        ("locations --format xls 2>/dev/full", 2, ""),
        ("locations --format xls 2>&-", 2, ""),
        ("locations >&- 2>&-", 1, ""),
        ("zones --out zones.csv >&-", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full(words: str, code: int, err: str, site: Any, tmp_path: Path) -> None:
    """What cannot be said is not said elsewhere, and what cannot be written is a failure."""
    shell = ("sh", "-c", f'exec "$0" -m indivd_async.cli {words}', sys.executable)
    done = subprocess.run(shell, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (code, err)
    assert bool(done.stdout) is (code == 0 and words.startswith("locations"))


@pytest.mark.parametrize("argv", [("--help",), ("--version",)], ids=str)
def test_what_is_asked_of_the_command_itself(argv: tuple[str, ...], indivd: Indivd) -> None:
    """Help and version go to stdout, and are no failure."""
    said = indivd(*argv)
    assert (said.code, said.err) == (0, "")
    assert "indivd demo" in said.out if argv == ("--help",) else said.out == f"indivd {__version__}\n"


@pytest.mark.parametrize("command", ["sandbox", "dashboard"])
def test_a_port_that_is_taken(command: str) -> None:
    """A failure, and no wrong usage: the message tells the reason."""
    # As a process: uvicorn leaves the socket that it could not bind to the interpreter's end.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        argv = (sys.executable, "-m", "indivd_async.cli", command, "--port", str(taken.getsockname()[1]))
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "already in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "argv", [("fetch", *DAY, "--out"), ("locations", "--out"), ("verify", "--profile")], ids=lambda argv: argv[0]
)
@pytest.mark.parametrize(
    ("out", "message"),
    [("missing/a.csv", "is no folder that can be written to"), ("folder.csv", "is a folder")],
    ids=["no folder", "a folder"],
)
def test_where_nothing_can_be_written_nothing_is_asked(
    out: str, message: str, argv: tuple[str, ...], site: Any, indivd: Indivd, tmp_path: Path
) -> None:
    """Hours of fetching are not lost to a wrong name."""
    (tmp_path / "folder.csv").mkdir()
    said = indivd(*argv, str(tmp_path / out))
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"indivd: {argv[-1]}: ")
    assert message in said.err
    assert not site.application.requests
