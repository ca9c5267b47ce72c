"""The demo through a pipe."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from indivd_async.cli.demo import failing_once


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_demo_ends_well_in_a_pipe(encoding: str) -> None:
    """It needs no token, no terminal and no letters but ASCII, and tells what it cost: more than its plan."""
    argv = (sys.executable, "-W", "error", "-m", "indivd_async.cli", "demo")
    done = subprocess.run(
        argv, env={"PYTHONIOENCODING": encoding}, capture_output=True, encoding=encoding, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    planned = re.search(r"line_crosses: (\d+) requests", done.stdout)
    sent = re.search(r"^(\d+) requests, at most \d+ at once", done.stdout, re.MULTILINE)
    assert planned is not None
    assert sent is not None
    assert int(sent[1]) > int(planned[1]) > 1


def test_what_fails_on_purpose_is_asked_again_once() -> None:
    """Whichever numbers its attempts have: a request that failed three times would end the demo."""
    fail = failing_once()
    statuses = [fail(number, "/zones/", {"day": "1"}) for number in range(1, 101)]
    assert sum(status is not None for status in statuses) == 1
    assert fail(120, "/zones/", {"day": "2"}) is not None


def test_the_demo_for_a_reader_that_has_seen_enough() -> None:
    """A pipe that closes ends it quietly."""
    argv = (sys.executable, "-m", "indivd_async.cli", "demo")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("Indivd")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0
