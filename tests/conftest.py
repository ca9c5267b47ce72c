"""Fixtures shared by every test."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis.strategies import none

# Tests start a hundred programs, and several processes of tests may run. Where Python is told to leave no compiled
# modules behind, as in images of containers, each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """
    Run all tests in three processes, but those named on the command line in this one, which starts at once.

    A sixth of the time tests wait for sockets and programs: on two cores the third process works meanwhile.
    """
    return 0 if config.args_source is pytest.Config.ArgsSource.ARGS else 3


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """
    Keep what stays to the end, modules and some seven thousand tests, out of the collector's sight.

    What tests make is collected as ever. Only it is no longer looked for among half a million other things each time,
    which took a fifth of the suite, and most of the tests that collect by themselves.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        # It looks where the collector can see for who holds its chance and trio's, at the first example.
        given(none())(lambda _: None)()
        gc.collect()
        gc.freeze()
        gc.set_threshold(5_000, *gc.get_threshold()[1:])  # answers are thousands of objects, which are in no circle
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with long tests; all others keep their order."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run a test marked `anyio` once on each event loop."""
    return str(request.param)
