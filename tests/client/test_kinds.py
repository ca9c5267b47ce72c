"""Every public method given a thing of another kind: refused in words that name it, with nothing sent."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from indivd_async import (
    AsyncIndivd,
    Bucket,
    IndivdError,
    InvalidQueryError,
    Limits,
    MostDays,
    Numbering,
    Plan,
    Profile,
    RetryPolicy,
    Timeouts,
    ZoneVisitors,
    ZoneVisitorsResult,
    fastapi as door,
    merge_results,
    sandbox,
)
from indivd_async.blocking import Indivd
from indivd_async.cache import MemoryCache, SQLiteCache
from indivd_async.dask import read_indivd, share_limits
from indivd_async.export import export
from indivd_async.testing import IndivdSandbox, replay
from indivd_async.verify import Replay, read_recording, verify

QUERY = ZoneVisitors("2025-03-01", "2025-03-02", location=124, aggregate_by="zone")
APP = sandbox.app()


def blocking() -> Indivd:
    return Indivd("sandbox", transport=sandbox.transport(APP))


def some() -> Iterator[Any]:
    yield QUERY


async def later() -> Any:
    return QUERY


async def several() -> Any:
    yield QUERY


class Odd:
    """Nothing that anybody asks for, and cannot even show itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


with blocking() as _client:
    PLAN = _client.plan(QUERY)
    RESULT = _client.run(PLAN)
ZONE = RESULT[0].aggregation.zone_id

#: Things of every kind, made anew for each try.
THINGS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "an int": lambda: -1,
    "a float": lambda: -1.5,
    "no number": lambda: float("nan"),
    "True": lambda: True,
    "text": lambda: "\0x",
    "a surrogate": lambda: "\ud800",
    "bytes": lambda: b"x",
    "a list of ints": lambda: [-1],
    "a list of nothing": lambda: [None],
    "lists in a list": lambda: [[QUERY], [QUERY]],
    "a mapping": lambda: {"x": 1},
    "an object": Odd,
    "a class": lambda: Odd,
    "a module": lambda: os,
    "a coroutine function": lambda: later,
    "an asynchronous generator": several,
    "an error": lambda: ValueError("x"),
    "a moment": lambda: datetime(2025, 1, 1, tzinfo=UTC),
    "timeouts": Timeouts,
    "a query": lambda: QUERY,
    "a plan": lambda: PLAN,
    "a result": lambda: RESULT,
    "a list of queries": lambda: [QUERY],
    "a list of results": lambda: [RESULT],
    "a generator": some,
}
NOTHING = frozenset({"nothing"})
SWITCH = frozenset({"nothing", "True"})
TEXT = frozenset({"nothing", "text", "a surrogate"})
TIMEOUTS = frozenset({"nothing", "timeouts"})
RESULTS = frozenset({"a result", "a list of results"})
CALLED = frozenset({"nothing", "a class"})
#: What is iterable is looked at as it is pulled.
PULLED = frozenset({"a list of queries", "a generator", "a query", "a plan"})
LATE = PULLED | {"a list of ints", "a list of nothing", "lists in a list", "a mapping", "a result", "a list of results"}


async def stream(client: AsyncIndivd, /, **options: Any) -> Any:
    async with client.stream(**{"queries": QUERY, **options}) as chunks:
        return [chunk async for chunk in chunks]


async def answer(client: AsyncIndivd, /, **options: Any) -> Any:
    return door.stream_ndjson(**{"client": client, "queries": [QUERY], **options})


async def serving(**options: Any) -> None:
    async with sandbox.serving(APP, **options):
        raise AssertionError("it serves")


def fail(**options: Any) -> None:
    IndivdSandbox(sandbox.app()).fail(**options)


#: Of each function its parameters, with what fits them; the client is one of the sandbox.
CALLS: dict[str, tuple[Callable[..., Any], dict[str, frozenset[str]]]] = {
    "plan": (
        lambda c, **given: c.plan(**{"query": QUERY, **given}),
        {"query": frozenset({"a query"}), "cutoff": NOTHING},
    ),
    "fetch": (
        lambda c, **given: c.fetch(**{"query": QUERY, **given}),
        {"query": frozenset({"a query"}), "progress": SWITCH | CALLED},
    ),
    "run": (lambda c, **given: c.run(**given), {"plan": frozenset({"a plan"})}),
    "fetch_all": (
        lambda c, **given: c.fetch_all(**{"queries": [QUERY], **given}),
        {"queries": frozenset({"a list of queries", "a generator"}), "on_error": frozenset()},
    ),
    "stream": (stream, {"queries": PULLED, "ordered": SWITCH, "progress": SWITCH | CALLED}),
    "stream.table": (lambda c, **given: c.stream(**given).table(), {"queries": PULLED}),
    "retry_failed": (
        lambda c, **given: c.retry_failed(**given),
        {"result": frozenset({"a result", "a list of results"})},
    ),
    "with_options": (
        lambda c, **given: c.with_options(**given),
        {"timeouts": TIMEOUTS, "retry": NOTHING},
    ),
    "export": (
        lambda c, **given: export(**{"client": c, "query": QUERY, "out": None if "to" in given else "out", **given}),
        {
            "client": frozenset(),
            "query": frozenset({"a query"}),
            "out": frozenset(),
            "to": frozenset(),
            "partition": NOTHING,
            "refresh": NOTHING,
            "keep": SWITCH,
            "prune": SWITCH,
            "accept_empty": SWITCH,
            "on_progress": CALLED,
            "commit_every": NOTHING,
        },
    ),
    "verify": (
        lambda c, **given: verify(**{"client": c, **given}),
        {
            "client": frozenset(),
            "location": frozenset({"nothing", "an int", "text", "a surrogate"}),  # the lists tell
            "days": frozenset(),
            "deep": SWITCH,
            "record": NOTHING,
            "anonymous": SWITCH,
            "now": NOTHING | {"a moment"},
        },
    ),
    "read_recording": (lambda c, **given: read_recording(**given), {"source": frozenset()}),
    "Replay": (lambda c, **given: Replay(**given), {"source": frozenset()}),
    "replay": (lambda c, source: replay(source), {"source": frozenset()}),
    "merge_results": (lambda c, **given: merge_results(**given), {"results": frozenset({"a list of results"})}),
    "shards": (lambda c, **given: PLAN.shards(**given), {"n": frozenset()}),
    "Plan.from_json": (lambda c, **given: Plan.from_json(**given), {"text": frozenset()}),
    "Plan": (
        lambda c, **given: Plan(**{"query": QUERY, "locations": (), **given}),
        {"query": frozenset({"a query"}), "profile": NOTHING},
    ),
    "total": (
        lambda c, **given: RESULT.total(**{"metric": "visits", **given}),
        {"metric": frozenset(), "period": frozenset()},
    ),
    "unique_visits_bounds": (
        lambda c, **given: RESULT.unique_visits_bounds(**given),
        {"by": NOTHING, "period": frozenset()},
    ),
    "cross_visitation": (
        lambda c, **given: RESULT.cross_visitation(**{"zone_a": ZONE, "zone_b": ZONE, **given}),
        {"zone_a": frozenset(), "zone_b": frozenset(), "location_uniques": NOTHING | {"True"}, "period": frozenset()},
    ),
    "Bucket.start": (lambda c, **given: Bucket(year=2025).start(**given), {"tz": NOTHING}),
    "Numbering": (lambda c, **given: Numbering(**given), {"weeks": NOTHING, "weekdays": NOTHING}),
    "MostDays": (
        lambda c, **given: MostDays(**{"endpoint": "line_crosses", "unit": "hour", "days": 7, **given}),
        {"endpoint": frozenset(), "unit": frozenset(), "days": frozenset(), "rows": NOTHING},
    ),
    "Profile": (
        lambda c, **given: Profile(**given),
        {
            "numbering": frozenset(),
            "line_crosses_tz": NOTHING,
            "most_days": frozenset(),
            "longest_url": NOTHING,
            "hours_carry_dates": SWITCH,
            "quiet_hours": TEXT,
        },
    ),
    "MemoryCache": (lambda c, **given: MemoryCache(**given), {"margin_days": frozenset(), "max_bytes": frozenset()}),
    "SQLiteCache": (lambda c, **given: SQLiteCache(**given), {"path": frozenset()}),
    "Timeouts": (lambda c, **given: Timeouts(**given), {"read": NOTHING}),
    "RetryPolicy": (lambda c, **given: RetryPolicy(**given), {"attempts": frozenset(), "cap": frozenset()}),
    "Limits": (lambda c, **given: Limits(**given), {"concurrency": frozenset(), "requests_per_second": NOTHING}),
    "Sandbox": (
        lambda c, **given: sandbox.app(**given),
        {"world": NOTHING, "latency_s": NOTHING, "faults": NOTHING, "deviations": NOTHING},
    ),
    "World": (
        lambda c, **given: sandbox.World(**given),
        {"scale": frozenset(), "now": NOTHING | {"a moment"}, "parents": SWITCH, "lines_tz": NOTHING},
    ),
    "Faults": (
        lambda c, **given: sandbox.Faults(**given),
        {
            "rate": frozenset(),
            "statuses": frozenset(),
            "retry_after": frozenset({"nothing", "text", "a surrogate"}),
            "hook": CALLED,
        },
    ),
    "serving": (lambda c, **given: serving(**given), {"host": frozenset(), "port": frozenset()}),
    "IndivdSandbox": (lambda c, **given: IndivdSandbox(**given), {"app": frozenset()}),
    "fail": (
        lambda c, **given: fail(**given),
        {"outcome": frozenset({"an error"}), "times": NOTHING, "endpoint": NOTHING},
    ),
    "install_error_handlers": (lambda c, **given: door.install_error_handlers(**given), {"app": frozenset()}),
    "lifespan": (lambda c, **given: door.lifespan(**given), {"app": NOTHING, "also": CALLED, "client": CALLED}),
    "response_model": (
        lambda c, **given: door.response_model(ZoneVisitorsResult, **given),
        {"upstream": frozenset({"True"})},
    ),
    "stream_ndjson": (answer, {"client": frozenset(), "queries": LATE, "ordered": SWITCH}),
    "read_indivd": (
        lambda c, **given: read_indivd(**{"query": PLAN, "npartitions": 1, **given}),
        {
            "query": frozenset({"a query", "a plan"}),
            "npartitions": frozenset(),
            "limits": NOTHING,
            "timeouts": TIMEOUTS,
            "retry": NOTHING,
        },
    ),
    "share_limits": (
        lambda c, **given: share_limits(**{"limits": Limits(), "shares": 2, **given}),
        {"limits": frozenset(), "shares": frozenset()},
    ),
}
PARAMETERS = [(name, parameter) for name, (_, parameters) in CALLS.items() for parameter in parameters]
#: What tells of the value by a deviation's name, not by the parameter's.
TOLD_AS = {"deviations": "deviation", "text": "JSON"}


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(("name", "parameter"), PARAMETERS, ids=lambda part: part)
async def test_a_thing_of_another_kind_is_refused(
    name: str, parameter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an error that a caller can catch, which names the parameter; and nothing is sent."""
    monkeypatch.chdir(tmp_path)
    call, parameters = CALLS[name]
    async with AsyncIndivd("sandbox", transport=sandbox.transport(APP)) as client:
        for kind in THINGS.keys() - parameters[parameter]:
            sent = len(APP.requests)
            with pytest.raises(ValueError, match=TOLD_AS.get(parameter, parameter)) as refused:
                await _do(call, client, parameter, kind)
            assert isinstance(refused.value, IndivdError) or parameter in TOLD_AS, kind
            assert len(str(refused.value)) < 1000, kind
            assert len(APP.requests) == sent, kind
    assert not os.listdir()


async def _do(call: Callable[..., Any], client: AsyncIndivd, parameter: str, kind: str) -> None:
    done = call(client, **{parameter: THINGS[kind]()})
    if inspect.isawaitable(done):
        await done
    pytest.fail(f"{kind} is taken")


def _read(given: Any) -> None:
    if hasattr(given, "table"):
        with given as chunks:
            list(chunks)


METHODS = {
    "plan": frozenset({"a query"}),
    "fetch": frozenset({"a query"}),
    "run": frozenset({"a plan"}),
    "fetch_all": frozenset({"a list of queries", "a generator"}),
    "stream": PULLED,
    "reader": PULLED,
    "retry_failed": RESULTS,
}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("name", METHODS)
def test_a_client_that_blocks_refuses_the_same(name: str) -> None:
    """In the same words."""
    with blocking() as client:
        parameter = next(iter(inspect.signature(getattr(client, name)).parameters))
        for kind in THINGS.keys() - METHODS[name]:
            sent = len(APP.requests)
            with pytest.raises(InvalidQueryError, match=f"^{parameter}: must be"):
                _read(getattr(client, name)(THINGS[kind]()))
            assert len(APP.requests) == sent, kind


@pytest.mark.anyio
async def test_a_stream_that_is_not_opened_pulls_nothing() -> None:
    """Nor does one that is opened twice lose what it was given."""
    pulled: list[int] = []

    def asked() -> Iterator[Any]:
        pulled.append(1)
        yield QUERY

    async with AsyncIndivd("sandbox", transport=sandbox.transport(APP)) as client:
        client.stream(asked())
        assert pulled == []
        opened = client.stream([QUERY])
        for _ in range(2):
            async with opened as chunks:
                assert len([chunk async for chunk in chunks]) == 1
