"""No repr of anything public is longer than a screen or two, or shows the token."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import attrs
import httpx
import pytest

import indivd_async
from indivd_async import (
    AsyncIndivd,
    DropInRate,
    LineCrosses,
    Listed,
    MostDays,
    Numbering,
    PlannedRequest,
    Profile,
    RetryPolicy,
    ZoneVisitors,
    errors,
    merge_results,
    sandbox,
)
from indivd_async.blocking import Indivd
from indivd_async.models import FrozenMap
from indivd_async.otel import TracedIndivd

SECRET = "sandbox-token-never-to-be-shown"
MOST_LINES, WIDTH = 40, 120
LISTS = ("locations", "zones", "categories", "lines", "organizations")
ZONES = list(range(201, 275))
#: Much of everything: a year of hours, every place, many minutes, a comparison, long lists.
QUERIES = [
    ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="hour", zones=ZONES, min_dwell=20, max_dwell=4_000),
    LineCrosses("2025-01-01", "2025-12-31", aggregate_by="dayofmonth", per="location", location=range(124, 132)),
    LineCrosses("2025-03-01", "2025-03-01", location=124, line_ids=range(3_000)),
    DropInRate(
        "2025-03-01",
        "2025-03-31",
        interval="hour",
        comparison_start_date="2025-02-01",
        comparison_end_date="2025-02-28",
    ),
]
PROFILE = Profile(numbering=Numbering(), most_days=(MostDays(endpoint="line_crosses", unit="hour", days=7),))


REQUEST = PlannedRequest(index=0, endpoint="zone_visitors", path="/a/", params=FrozenMap({"zones": "1," * 2_000}))


class Renamed(httpx.AsyncBaseTransport):
    """Shows the sandbox a token that it knows."""

    def __init__(self, application: sandbox.Sandbox) -> None:
        self._inner = sandbox.transport(application)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand the request on."""
        assert request.headers["Authorization"] == f"Token {SECRET}"
        request.headers["Authorization"] = "Token sandbox"
        return await self._inner.handle_async_request(request)


def within(value: Any, seen: dict[int, Any], depth: int = 0) -> Iterator[Any]:
    """Yield *value* and what it has that is of this library, each once; of many of a kind the first."""
    if id(value) in seen or depth > 9:
        return
    seen[id(value)] = value
    if type(value).__module__.startswith("indivd_async"):
        yield value
        names = {name for name in dir(type(value)) if isinstance(getattr(type(value), name, None), property)}
        if attrs.has(type(value)):
            names |= {field.name for field in attrs.fields(type(value))}
        for name in sorted(names - {"layout"}):
            if not name.startswith("_"):
                yield from within(getattr(value, name), seen, depth + 1)
        if isinstance(value, Exception):
            yield from within(vars(value), seen, depth + 1)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (tuple, list, Listed)):
        for item in (*value[:3], *value[-1:]):
            yield from within(item, seen, depth + 1)


def make_error(name: str) -> Exception:
    """Make the error *name* with all that it may hold."""
    cls: Any = getattr(errors, name)
    several: dict[str, tuple[Any, ...]] = {
        "InvalidQueryError": ("location", "must be an int", ZONES * 100),
        "NotMergeableError": ("unique_visits", "people are seen twice", "Ask for one bucket"),
        "AnswerMismatchError": ("zones", str(ZONES), "others"),
        "DecodeError": ([f"expected int, got str @ $[{n}]" for n in range(5_000)],),
        "MergeConflictError": ("hour 9", [REQUEST] * 500),
    }
    if issubclass(cls, errors.ApiError):
        return cls("It failed.", status=500, request=REQUEST, attempts=3)  # type: ignore[no-any-return]
    if issubclass(cls, errors.TransportError):
        return cls("It failed.", host="api.example", port=443, request=REQUEST)  # type: ignore[no-any-return]
    return cls(*several.get(name, ("It failed.",)))  # type: ignore[no-any-return]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_repr_is_long_or_shows_the_token() -> None:
    """Of every class that is exported, with much in it; each is met, so that a new one is tried, too."""
    told: list[Any] = []
    application = sandbox.app()
    application.faults.hook = lambda number, path, params: 503 if params.get("start_date") == "2025-02-01" else None
    client = AsyncIndivd(
        SECRET,
        transport=Renamed(application),
        retry=RetryPolicy(base=0, base_overloaded=0, attempts=2),
        on_event=told.append,
        progress=told.append,
    )
    async with client:
        lists = [
            await getattr(client, name)() for name in ("locations", "zones", "categories", "lines", "organizations")
        ]
        results = await client.fetch_all(QUERIES, on_error="collect")
        chunks = []
        async with client.stream(QUERIES[:1]) as stream:
            chunks = [chunk async for chunk in stream]
        table = client.stream(QUERIES[2])
        plans = [await client.plan(query) for query in QUERIES]
        with pytest.raises(errors.ServerError) as failure:
            await client.line_crosses("2025-02-01", "2025-02-03", location=124)
        with pytest.raises(errors.PartialResultError) as partial:
            next(result for result in results if not result.complete).raise_for_failures()
        assert merge_results([await client.run(shard) for shard in plans[2].shards(2)])
    assert any(not result.complete for result in results)
    met: dict[int, Any] = {}
    settings = [indivd_async.Limits(), indivd_async.Timeouts(), RetryPolicy(), PROFILE, client, client.stats, table]
    clients = [Indivd(SECRET), TracedIndivd(SECRET), client.with_options()]
    raised = [failure.value, partial.value]
    values = [
        lists,
        results,
        chunks,
        plans,
        told[:20],
        told[-20:],
        settings,
        clients,
        raised,
        [p.shards(3) for p in plans],
    ]
    seen = [one for value in values for item in value for one in within(item, met)]
    exported = {name for name in indivd_async.__all__ if isinstance(getattr(indivd_async, name), type)}
    made = [
        make_error(name)
        for name in exported
        if issubclass(getattr(indivd_async, name), Exception) and name != "PartialResultError"
    ]
    seen += [one for error in made for one in within(error, met)]
    names = {base.__name__ for one in seen for base in type(one).__mro__}
    assert exported - names == set()
    for one in seen:
        if isinstance(one, FrozenMap):  # not exported; those who hold it show its beginning
            continue
        for text in (repr(one), str(one), getattr(one, "_repr_html_", str)()):
            lines = sum(math.ceil(max(len(line), 1) / WIDTH) for line in text.splitlines())
            assert SECRET not in text, type(one)
            if not text.startswith("<p"):
                assert lines <= MOST_LINES, f"{type(one).__name__}: {lines} lines: {text[:300]}"


def test_days_are_shown_as_days() -> None:
    """A query is written so that it can be pasted."""
    assert repr(ZoneVisitors(date(2025, 3, 1), "2025-03-07", location=124)).startswith("ZoneVisitors(")
