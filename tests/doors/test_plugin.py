"""The pytest plugin as a user gets it: installed, in a run of pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """
import pytest

{mark}
async def test_it(indivd_client, indivd_sandbox):
    indivd_sandbox.fail(500)
    assert len(await indivd_client.locations()) > 1
    assert [request.status for request in indivd_sandbox.requests] == [500, 200]

{mark}
async def test_each_test_has_a_sandbox_of_its_own(indivd_sandbox):
    assert indivd_sandbox.requests == ()
"""


def run_pytest(folder: Path, *options: str) -> str:
    """Run pytest on a folder with the plugin, warnings being errors, and return what it says."""
    scope = "asyncio_default_fixture_loop_scope=function"  # pytest-asyncio warns where it is not set
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "-o", scope, *options]
    # The options of whoever runs this suite are not those of a user's.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("mark", "options", "passed"),
    [
        pytest.param("@pytest.mark.anyio", (), 4, id="anyio"),
        pytest.param("@pytest.mark.asyncio", ("-o", "asyncio_mode=strict"), 2, id="pytest-asyncio-strict"),
        pytest.param("", ("-o", "asyncio_mode=auto"), 2, id="pytest-asyncio-auto"),
    ],
)
def test_the_fixtures_serve_every_runner(mark: str, options: tuple[str, ...], passed: int, tmp_path: Path) -> None:
    """No warning, no leak: each test starts afresh."""
    (tmp_path / "test_mine.py").write_text(SUITE.format(mark=mark))
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(params=['asyncio', 'trio'])\ndef anyio_backend(request): return request.param\n"
    )
    assert f"{passed} passed" in run_pytest(tmp_path, *options)


def test_the_fixtures_are_listed_with_what_they_do(tmp_path: Path) -> None:
    """`pytest --fixtures` is where a user looks."""
    listed = run_pytest(tmp_path, "--fixtures")
    assert "indivd_client -- " in listed
    assert "Return a client of the sandbox" in listed
