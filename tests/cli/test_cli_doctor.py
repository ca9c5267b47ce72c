"""`indivd doctor` says what is wrong and what to do, and its exit code says whether anything is."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from typing import Any

import anyio.from_thread
import pytest

import indivd_async
from indivd_async import sandbox
from indivd_async.cli import main


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[sandbox.Sandbox, str]]:
    application = sandbox.app()
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(sandbox.serving(application)) as url,
    ):
        yield application, url


def _examine(capsys: pytest.CaptureFixture[str], url: str, token: str) -> tuple[int, dict[str, Any]]:
    code = main(["--token", token, "--base-url", url, "doctor", "--json"])
    return code, {finding["subject"]: finding for finding in json.loads(capsys.readouterr().out)}


def test_all_is_well(service: tuple[sandbox.Sandbox, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every check passes on a sound service, and each endpoint was asked."""
    code, found = _examine(capsys, service[1], "sandbox")
    assert code == 0
    assert {subject: finding["state"] for subject, finding in found.items()} == dict.fromkeys(
        ("versions", "token", "address", "service", "clock", "scope", "line_crosses", "zone_visitors", "drop_in_rate"),
        "ok",
    )
    assert "8 locations: 124 Drottninggatan" in found["scope"]["message"]
    for told in (f"indivd-async {indivd_async.__version__},", f" {platform.python_version()},", "httpx ", "anyio "):
        assert told in found["versions"]["message"]


def test_a_basic_plan_is_a_note(service: tuple[sandbox.Sandbox, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Visits without visitors are no failure."""
    code, found = _examine(capsys, service[1], "sandbox-basic")
    assert (code, found["zone_visitors"]["state"]) == (0, "warning")
    assert "visits only" in found["zone_visitors"]["message"]


def test_a_wrong_token_fails(service: tuple[sandbox.Sandbox, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing more is asked with it, and it is not printed."""
    code, found = _examine(capsys, service[1], "wrong-token-1234")
    assert (code, found["service"]["state"]) == (1, "failed")
    assert "401" in found["service"]["message"]
    assert "wrong-token-1234" not in json.dumps(found)
    assert "line_crosses" not in found
    assert found["not checked"]["state"] == "warning"
    for subject in ("clock", "scope", "line_crosses", "zone_visitors", "drop_in_rate"):
        assert subject in found["not checked"]["message"]


def test_a_failing_endpoint_is_told(service: tuple[sandbox.Sandbox, str], capsys: pytest.CaptureFixture[str]) -> None:
    """The others are checked all the same."""
    application, url = service
    application.faults.hook = lambda number, path, params: 500 if "drop_in_rate" in path else None
    try:
        code, found = _examine(capsys, url, "sandbox")
    finally:
        application.faults.hook = None
    assert code == 1
    assert {subject for subject, finding in found.items() if finding["state"] == "failed"} == {"drop_in_rate"}


def test_a_token_that_cannot_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    """What can be known beforehand is a finding too."""
    assert main(["--token", "a b", "doctor"]) == 1
    out = capsys.readouterr().out
    assert "configuration" in out
    assert "indivd-async 0." in out
    assert "not checked" in out
    assert "token, address, service, clock" in " ".join(out.split())
