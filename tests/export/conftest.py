"""A PostgreSQL server for all tests of this folder, where one can be had."""

from __future__ import annotations

from collections.abc import Iterator

import postgres
import pytest


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """Run a server; skip where there is none."""
    pytest.importorskip("adbc_driver_postgresql")
    try:
        running = postgres.running()
        found = running.__enter__()
    except (RuntimeError, OSError) as error:
        pytest.skip(f"no PostgreSQL: {error}")
    try:
        yield found
    finally:
        running.__exit__(None, None, None)
