"""A service over HTTP, and the command pointed at it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import anyio.from_thread
import attrs
import pytest

from indivd_async import sandbox
from indivd_async.cli import main


@attrs.frozen
class Said:
    """What a command said: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str


@attrs.frozen
class Service:
    """A sandbox, where it listens, and the lists that it answers with instead of its own."""

    application: sandbox.Sandbox
    url: str
    lists: dict[str, Any] = attrs.field(factory=dict)


@pytest.fixture(scope="session")
def serving() -> Iterator[Service]:
    application = sandbox.app()
    lists: dict[str, Any] = {}

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        name = scope.get("path", "").rpartition("/")[2]
        if name not in lists:
            await application(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(lists[name]).encode()})

    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(sandbox.serving(answer)) as url,
    ):
        yield Service(application, url, lists)


@pytest.fixture
def site(serving: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The service as users have it: in the environment, and sound again afterwards."""
    monkeypatch.setenv("INDIVD_TOKEN", "sandbox")
    monkeypatch.setenv("INDIVD_BASE_URL", serving.url)
    serving.application.requests.clear()
    yield serving
    serving.lists.clear()
    serving.application.faults = sandbox.Faults()
    serving.application.latency_s = 0.0


@pytest.fixture
def indivd(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run the command in this process."""

    def run(*argv: str) -> Said:
        capfd.readouterr()
        try:
            code = main(argv)
        except SystemExit as exit_:  # argparse
            code = int(exit_.code or 0)
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    return run
