"""Executors for tests: small budgets of time, requests of two words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import attrs

from indivd_async.execution import NEVER, ChunkStream, Deadline, Executor
from indivd_async.settings import Limits, RetryPolicy, Timeouts
from indivd_async.transport import Token, parse_base_url, plan_lanes

TOKEN = "s3cr3t-t0ken-for-tests"
#: No backoff to sleep through, so that a test may retry.
AT_ONCE = RetryPolicy(base=0, base_overloaded=0)
ONCE = RetryPolicy(attempts=1)
#: For what ends by itself: only a client that hangs would notice it.
ROOMY = Timeouts(connect=20, read=20, attempt=20, deadline=40)
#: Event loops to try, and the other sender, which has but one: parameters of `each_sender`.
SENDERS = ("asyncio", "trio", "aiohttp")
_transport: Any = None


def each_sender(request: Any) -> Iterator[str]:
    """Name the event loop of one of `SENDERS` and let executors send through it: a fixture for `anyio_backend`."""
    global _transport
    _transport = "aiohttp" if request.param == "aiohttp" else None
    yield "asyncio" if _transport else request.param
    _transport = None


@attrs.frozen
class Question:
    """All that an executor needs of a request."""

    target: str = "/path/?start_date=2025-03-01"

    def __str__(self) -> str:
        return f"GET {self.target}"


def make_executor(url: str = "https://api.invalid", **options: Any) -> Executor:
    """Make an executor that gives up within two seconds, unless *options* say otherwise."""
    options.setdefault("timeouts", Timeouts(connect=1, read=1, attempt=1.5, deadline=2))
    options.setdefault("retry", AT_ONCE)
    options.setdefault("limits", Limits(concurrency=4))
    if "http_client" not in options:
        options.setdefault("transport", _transport)
    address, limits = parse_base_url(url), options["limits"]
    names = ("http_client", "transport", "proxy", "ssl_context", "trust_env")
    sends = {name: options.pop(name) for name in names if name in options}
    return Executor(lanes=plan_lanes(address, Token(TOKEN), limits, **sends), base_url=address, **options)


async def send_each(
    executor: Executor,
    items: Iterable[Any],
    handle: Callable[[Any], Awaitable[object]],
    *,
    workers: int,
    deadline: Deadline = NEVER,
) -> None:
    """Handle each of *items* as a call does: pulled by workers as they are needed, the first failure raised."""
    source = iter(items)

    async def pull() -> Any:
        return next(source, None)

    async def ask(item: Any) -> object:
        await executor.ready(deadline)
        return await handle(item)

    async with ChunkStream(pull, ask, lambda answer: answer, workers=workers) as handled:
        async for _ in handled:
            pass


class FakeTime:
    """A clock that moves only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
