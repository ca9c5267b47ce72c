"""
A pytest plugin: a sandbox and a client of it for your own tests, with faults on demand and no waiting.

Installed with the package (extra `sandbox`); there is nothing to load or to configure. The fixtures are plain
functions, so they serve anyio's plugin, pytest-asyncio and trio alike.

    async def test_my_report(indivd_client, indivd_sandbox):
        indivd_sandbox.fail(503, times=2)
        assert (await my_report(indivd_client)).visits > 0
        assert [request.status for request in indivd_sandbox.requests] == [503, 503, 200]
"""

# pytest imports this module at every start, whatever is tested: what is needed beyond pytest is imported by the
# fixtures.

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from .client import AsyncIndivd
    from .sandbox import Recorded, Sandbox, World

_FOR_EVER = float("inf")

__docformat__ = "google"


def replay(folder: str | os.PathLike[str]) -> httpx.AsyncBaseTransport:
    """
    Answer from the last recording in *folder*, or from that file: what `indivd verify --record` kept.

    ``AsyncIndivd("any", transport=replay("tests/recorded"))``: a fault that was seen on the real service is a test on
    the next day. What was not asked then is answered with 404. `verify` asks what it asked then if it is told what
    ``indivd_async.verify.read_recording(folder)`` says: ``now=made_at``, ``location``, ``days``, ``deep``.

    Raises:
        ConfigError: where there is no recording.
    """
    import httpx

    from .verify.replay import Replay

    return httpx.ASGITransport(Replay(folder))


class _Fault:
    """One thing that goes wrong, so many times more."""

    def __init__(
        self, outcome: int | Exception, *, times: float, endpoint: str | None, retry_after: str | None
    ) -> None:
        self.outcome = outcome
        self.times = times
        self.retry_after = retry_after
        self._ending = "" if endpoint is None else f"/{endpoint}"

    def is_for(self, path: str) -> bool:
        return path.rstrip("/").endswith(self._ending)


class IndivdSandbox:
    """
    The sandbox of one test: what it serves, what goes wrong in it, what it was asked.

    `app` is the ASGI application (`indivd_async.sandbox.Sandbox`), `world` its visitors.
    """

    def __init__(self, app: Sandbox) -> None:
        from .sandbox import Sandbox
        from .settings import check, is_kind

        check("app", app, is_kind(Sandbox, "what `sandbox.app()` returns"))
        self.app = app
        self._faults: deque[_Fault] = deque()
        app.faults.hook = self._next_status

    @property
    def world(self) -> World:
        """The visitors; its methods answer without the limits of the API, as an oracle."""
        return self.app.world

    @property
    def requests(self) -> tuple[Recorded, ...]:
        """What arrived, in order: path, parameters, and the status of the answer."""
        return tuple(self.app.requests)

    @property
    def peak_in_flight(self) -> int:
        """The most requests at any one moment."""
        return self.app.peak_in_flight

    def client(self, token: str = "sandbox", **options: Any) -> AsyncIndivd:  # noqa: S107  no secret
        """Make a client of this sandbox with *options* of `AsyncIndivd`; without `retry` it retries without waiting."""
        from . import sandbox
        from .client import AsyncIndivd
        from .settings import DEFAULT_BASE_URL, RetryPolicy

        options.setdefault("retry", RetryPolicy(base=0, base_overloaded=0))
        options.setdefault("base_url", DEFAULT_BASE_URL)  # one from the environment may have a path prefix
        return AsyncIndivd(token, transport=sandbox.transport(self.app), **options)

    def fail(
        self,
        outcome: int | Exception = 500,
        *,
        times: int | None = 1,
        endpoint: str | None = None,
        retry_after: str | None = None,
    ) -> None:
        """
        Let the next requests fail: with a status, or with an exception of httpx, such as
        `httpx.ConnectError("refused")`.

        *times* None means for ever, *endpoint* ("zone_visitors", "locations", …) leaves the others alone. Faults asked
        for one after the other happen one after the other. A *retry_after* above 0 is waited for, as a client must. A
        request that fails with an exception did not arrive, and is not among `requests`.
        """
        from .models.endpoints import FILTER_ENDPOINTS
        from .queries import QUERIES
        from .sandbox.app import is_status
        from .settings import Rule, check, check_options, is_at_least, is_kind, is_one_of

        rules: dict[str, Rule] = {
            "times": is_at_least(0),
            "endpoint": is_one_of((*FILTER_ENDPOINTS, *QUERIES)),
            "retry_after": is_kind(str, 'a str, such as "30"'),
        }
        fits = isinstance(outcome, Exception) or is_status(outcome)
        check("outcome", outcome, (lambda _: fits, "a status, or an exception of httpx"))
        check_options(locals(), rules)
        fault = _Fault(outcome, times=_FOR_EVER if times is None else times, endpoint=endpoint, retry_after=retry_after)
        self._faults.append(fault)

    def recover(self) -> None:
        """Let nothing fail any more."""
        self._faults.clear()

    def _next_status(self, _number: int, path: str, _params: dict[str, str]) -> int | None:
        fault = next((fault for fault in self._faults if fault.times > 0 and fault.is_for(path)), None)
        self.app.faults.retry_after = None if fault is None else fault.retry_after
        if fault is None:
            return None
        fault.times -= 1
        if isinstance(fault.outcome, Exception):
            raise fault.outcome  # through the in-process transport, as if the network had
        return fault.outcome


@pytest.fixture
def indivd_world() -> World | None:
    """Override it to choose the visitors: ``return sandbox.World(seed="mine")``. None is the usual world."""
    return None


@pytest.fixture
def indivd_sandbox(indivd_world: World | None) -> IndivdSandbox:
    """Return a sandbox of this test's own, in process."""
    from . import sandbox

    return IndivdSandbox(sandbox.app(indivd_world))


@pytest.fixture
def indivd_client(indivd_sandbox: IndivdSandbox) -> AsyncIndivd:
    """
    Return a client of the sandbox that retries without waiting; ``indivd_sandbox.client(…)`` makes others.

    It need not be closed: there is no connection.
    """
    # Nothing is opened here and closed afterwards: a fixture and its test may run in different tasks, which task groups
    # do not survive.
    return indivd_sandbox.client()
