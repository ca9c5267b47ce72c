"""Fixtures shared by every test."""

from __future__ import annotations

import os
import sys

import pytest

# Tests start a hundred programs, and several processes of tests may run. Where Python is told to leave no compiled
# modules behind, as in images of containers, each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run all tests in two processes, but those named on the command line in this one, which starts at once."""
    return 0 if config.args_source is pytest.Config.ArgsSource.ARGS else 2


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run a test marked `anyio` once on each event loop."""
    return str(request.param)
