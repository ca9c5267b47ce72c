"""The client's own work: chaining the stages, looking up locations, batches, streams, and what becomes of failures."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import httpx
import pytest
import respx
from scripted import LOCATIONS, Params, Script, counts_by_day, days_of, visits_by_day

from indivd_async import (
    AsyncIndivd,
    AuthenticationError,
    ClientClosedError,
    ConfigError,
    DeadlineExceededError,
    DecodeError,
    IndivdError,
    InvalidQueryError,
    Limits,
    LineCrosses,
    MergeConflictError,
    NotFoundError,
    PartialResultError,
    Plan,
    RetryPolicy,
    ServerError,
    Timeouts,
    ZoneVisitors,
    merge_results,
)
from indivd_async.cache import MemoryCache, SQLiteCache

pytestmark = pytest.mark.anyio

NO_WAIT = RetryPolicy(base=0, base_overloaded=0)
JANUARY = ZoneVisitors(
    "2025-01-01", "2025-01-31", location=124, tz="Europe/Stockholm", aggregate_by="dayofmonth", split=7
)


def client_of(script: httpx.AsyncBaseTransport, **options: Any) -> AsyncIndivd:
    options.setdefault("retry", NO_WAIT)
    return AsyncIndivd(token="a-token", transport=script, **options)


async def test_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without token= and INDIVD_TOKEN there is no client."""
    monkeypatch.delenv("INDIVD_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="INDIVD_TOKEN"):
        AsyncIndivd()
    monkeypatch.setenv("INDIVD_TOKEN", "from-the-environment")
    monkeypatch.setenv("INDIVD_BASE_URL", "https://gateway.example/indivd")
    assert "gateway.example/indivd" in repr(AsyncIndivd())


async def test_each_location_is_asked_on_its_own_clock() -> None:
    """Without tz there is one request a time zone, the zone is sent, and rows carry it."""

    def answer(path: str, params: Params) -> Any:
        document = visits_by_day(path, params)
        for row in document["current"]["insights"]:
            row["aggregation"]["zone_id"] = 900 if params["tz"] == "America/New_York" else 201
        return document

    script = Script(answer)
    async with client_of(script) as client:
        result = await client.zone_visitors("2025-03-01", "2025-03-02", location=[301, 124, 125])
        asked = {(params["location"], params["tz"]) for params in script.data}
        assert asked == {("301", "America/New_York"), ("124,125", "Europe/Stockholm")}
        assert [(r.aggregation.zone_id, r.aggregation.bucket.dayofmonth, r.tz) for r in result] == [
            (201, 1, "Europe/Stockholm"),
            (900, 1, "America/New_York"),
            (201, 2, "Europe/Stockholm"),
            (900, 2, "America/New_York"),
        ]
        await client.zone_visitors("2025-03-01", "2025-03-02", location=125)
    assert [path for path, _ in script.asked].count("/filters/locations") == 1


async def test_a_location_that_is_not_listed_is_refused_unless_a_clock_is_given() -> None:
    """Its time zone cannot be known; tz= does without."""
    script = Script(visits_by_day)
    async with client_of(script) as client:
        with pytest.raises(InvalidQueryError, match=r"location: .*999.*tz="):
            await client.zone_visitors("2025-03-01", "2025-03-02", location=999)
        assert script.data == []
        assert len(await client.zone_visitors("2025-03-01", "2025-03-02", location=999, tz="UTC")) == 2


async def test_a_failed_look_up_says_what_to_pass_instead() -> None:
    """The error of the look-up is raised with a note on how to do without."""
    script = Script(visits_by_day, locations=500)
    async with client_of(script) as client:
        with pytest.raises(ServerError) as caught:
            await client.zone_visitors("2025-03-01", "2025-03-02")
    assert "tz=" in caught.value.__notes__[0]


async def test_a_look_up_that_a_wrong_token_fails_advises_nothing_that_would_not_help() -> None:
    """Without it the next request would be refused, too."""
    async with client_of(Script(visits_by_day, locations=401)) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.zone_visitors("2025-03-01", "2025-03-02")
    assert "tz=" not in "".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


async def test_organizations_are_found_under_either_spelling() -> None:
    """A 404 of the first path leads to the second; both failing is the error."""
    script = Script(lambda path, params: [{"id": 7}] if path == "/filters/organisations" else 404)
    async with client_of(script) as client:
        assert [organization.id for organization in await client.organizations()] == [7]
    async with client_of(Script(lambda path, params: 404)) as client:
        with pytest.raises(NotFoundError):
            await client.organizations()


async def test_a_plan_run_is_the_query_fetched() -> None:
    """Planning sends nothing where no time zone matters, and its JSON runs as well."""
    script = Script(visits_by_day)
    async with client_of(script) as client:
        plan = await client.plan(JANUARY)
        assert script.asked == []
        run = await client.run(Plan.from_json(plan.to_json()))
        assert run == await client.fetch(JANUARY)
        assert len(plan) == 5
        assert sorted(len(days_of(params)) for params in script.data[:5]) == [3, 7, 7, 7, 7]


async def test_shards_joined_are_the_whole() -> None:
    """What shards gave is merged into what the whole plan gives; a missing shard is a failure."""
    async with client_of(Script(visits_by_day)) as client:
        plan = await client.plan(JANUARY)
        parts = [pickle.loads(pickle.dumps(await client.run(shard))) for shard in plan.shards(3)]
        whole = await client.run(plan)
        assert merge_results(parts) == whole
        partial = merge_results(parts[1:])
    assert not partial.complete
    assert [item.status for item in partial.coverage] == ["failed", "ok", "ok", "ok", "ok"]
    assert merge_results([whole]) is whole
    with pytest.raises(ValueError, match="at least one"):
        merge_results([])
    with pytest.raises(ValueError, match="whole plan already"):
        merge_results([whole, *parts])


async def test_results_come_in_the_order_of_the_queries() -> None:
    """A batch of many queries gives each its own answer."""
    queries = [
        LineCrosses(f"2025-01-{d:02}", f"2025-01-{d:02}", location=124, aggregate_by="dayofmonth") for d in range(1, 29)
    ]
    async with client_of(Script(counts_by_day)) as client:
        results = await client.fetch_all(queries)
    assert [result.plan.query for result in results] == queries
    assert [result.rows[0].bucket.dayofmonth for result in results] == list(range(1, 29))


async def test_a_failure_ends_the_batch_as_one_plain_exception() -> None:
    """The first failure cancels the rest; no exception group comes out."""
    script = Script(lambda path, params: 500 if params["start_date"] == "2025-01-08" else visits_by_day(path, params))
    async with client_of(script) as client:
        with pytest.raises(ServerError, match="500"):
            await client.fetch(JANUARY)
        with pytest.raises(ServerError, match="500"):
            await client.fetch_all([JANUARY])


async def test_what_failed_is_listed_and_fetched_later() -> None:
    """With on_error="collect" the rest arrives, and retry_failed completes the result to equal an undisturbed one."""
    broken = True

    def answer(path: str, params: Params) -> Any:
        return 503 if broken and params["start_date"] in ("2025-01-08", "2025-01-29") else visits_by_day(path, params)

    script = Script(answer)
    query = ZoneVisitors(**{**_fields(JANUARY), "on_error": "collect"})
    async with client_of(script) as client:
        result = await client.fetch(query)
        assert not result.complete
        assert [item.status for item in result.coverage] == ["ok", "failed", "ok", "ok", "failed"]
        assert len(result) == 21
        with pytest.raises(PartialResultError, match="2 of 5 requests failed") as caught:
            result.raise_for_failures()
        assert caught.value.result is result
        broken = False
        script.asked.clear()
        completed = await client.retry_failed(pickle.loads(pickle.dumps(result)))
        assert sorted(params["start_date"] for params in script.data) == ["2025-01-08", "2025-01-29"]
        clean = await client.fetch(query)
        assert completed.current == clean.current
        assert completed.complete
        assert await client.retry_failed(completed) is completed


async def test_a_refused_token_ends_a_collecting_call_too() -> None:
    """401 will not get better with the next request."""
    script = Script(lambda path, params: 401)
    async with client_of(script, limits=Limits(concurrency=1)) as client:
        with pytest.raises(AuthenticationError):
            await client.fetch_all([JANUARY], on_error="collect")
    assert len(script.data) == 1


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_stream_yields_failures_and_never_raises_them(ordered: bool) -> None:
    """Each planned request is one chunk, with rows or an error; in order if wanted."""
    script = Script(lambda path, params: 500 if params["start_date"] == "2025-01-08" else visits_by_day(path, params))
    async with client_of(script) as client, client.stream(JANUARY, ordered=ordered) as chunks:
        seen = [chunk async for chunk in chunks]
    assert sorted(chunk.request.index for chunk in seen) == [0, 1, 2, 3, 4]
    if ordered:
        assert [chunk.request.index for chunk in seen] == [0, 1, 2, 3, 4]
    assert [(len(chunk.rows), type(chunk.error)) for chunk in seen if chunk.error] == [(0, ServerError)]


async def test_a_stream_after_a_refused_token_sends_nothing_more() -> None:
    """The rest is yielded with the same error."""
    script = Script(lambda path, params: 401)
    async with client_of(script, limits=Limits(concurrency=1)) as client, client.stream([JANUARY, JANUARY]) as chunks:
        errors = [chunk.error async for chunk in chunks]
    assert len(errors) == 10
    assert {type(error) for error in errors} == {AuthenticationError}
    assert len(script.data) == 1


async def test_a_slow_consumer_holds_the_requests_back() -> None:
    """No more than twice the concurrency is asked ahead of what was consumed."""
    script = Script(counts_by_day)
    start = date(2020, 1, 1)
    queries = (LineCrosses(start + timedelta(days=k), start + timedelta(days=k), location=124) for k in range(500))
    consumed = 0
    async with client_of(script, limits=Limits(concurrency=4)) as client, client.stream(queries) as chunks:
        async for _ in chunks:
            consumed += 1
            await anyio.lowlevel.checkpoint()
            assert len(script.data) <= consumed + 8
    assert consumed == 500


async def test_a_stream_starts_workers_as_they_are_needed() -> None:
    """All of them where answers are waited for; and it ends when there is no more to ask, however many may start."""
    everybody = anyio.Event()

    async def wait_for_everybody(path: str, params: Params) -> Any:
        if script.in_air == 100:
            everybody.set()
        await everybody.wait()
        return counts_by_day(path, params)

    script = Script(wait_for_everybody)
    queries = [LineCrosses("2025-01-01", "2025-01-01", location=number) for number in range(1, 151)]
    async with client_of(script, limits=Limits(concurrency=100)) as client:
        for asked in (queries, queries[:5], queries[:40]):
            async with client.stream(asked) as chunks:
                with anyio.fail_after(29):
                    assert len([chunk async for chunk in chunks if chunk.error is None]) == len(asked)
    assert client.stats.peak_in_flight == 100


async def _ask_for_ever(client: AsyncIndivd, *locations: int) -> None:
    while True:
        for location in locations:
            await client.line_crosses("2025-01-01", "2025-01-01", location=location)
            await anyio.lowlevel.checkpoint()


async def test_a_stream_ends_with_its_last_chunk_though_the_client_is_busy() -> None:
    """What others ask of the same client may hold back its workers, never its end."""

    async def answer(path: str, params: Params) -> Any:
        await anyio.lowlevel.checkpoint()
        return counts_by_day(path, params)

    queries = [LineCrosses("2025-01-01", "2025-01-01", location=number) for number in range(1, 6)]
    with anyio.fail_after(29):
        async with (
            client_of(Script(answer), limits=Limits(concurrency=200)) as client,
            anyio.create_task_group() as tasks,
        ):
            for number in range(10, 18):
                tasks.start_soon(_ask_for_ever, client, number)
            async with client.stream(queries) as chunks:
                assert len([chunk async for chunk in chunks]) == 5
            tasks.cancel_scope.cancel()


async def test_what_a_cache_answers_does_not_hold_requests_back() -> None:
    """The network is idle then, and all that may be in the air is."""
    everybody = anyio.Event()

    async def wait_for_everybody(path: str, params: Params) -> Any:
        if script.in_air == 100:
            everybody.set()
        if params["location"] != "500":
            await everybody.wait()
        return counts_by_day(path, params)

    script = Script(wait_for_everybody)
    queries = [LineCrosses("2025-01-01", "2025-01-01", location=number) for number in range(1, 101)]
    with anyio.fail_after(29):
        async with (
            client_of(script, limits=Limits(concurrency=100), cache=MemoryCache()) as client,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(3):
                tasks.start_soon(_ask_for_ever, client, 500)
            await client.fetch_all(queries)
            tasks.cancel_scope.cancel()
    assert client.stats.peak_in_flight == 100


async def _fail_at_first_chunk(client: AsyncIndivd) -> None:
    async with client.stream(JANUARY) as chunks:
        async for _ in chunks:
            raise LookupError("mine")


async def test_leaving_a_stream_early_cancels_what_runs() -> None:
    """The block ends at once, its own exception comes out as it is, and the client works on."""
    never = anyio.Event()

    async def hang(path: str, params: Params) -> Any:
        if params["start_date"] != "2025-01-01":
            await never.wait()
        return visits_by_day(path, params)

    script = Script(hang)
    async with client_of(script, limits=Limits(concurrency=4)) as client:
        with pytest.raises(LookupError, match="mine"):
            await _fail_at_first_chunk(client)
        assert script.in_air == 0
        assert client.stats.in_flight == 0
        assert len(await client.zone_visitors("2025-01-01", "2025-01-01", tz="UTC")) == 1


async def test_a_bad_query_in_a_stream_is_told_to_the_consumer() -> None:
    """A location whose clock is unknown cannot be planned."""
    queries = [ZoneVisitors("2025-01-01", "2025-01-02", location=999)]
    async with client_of(Script(visits_by_day)) as client, client.stream(queries) as chunks:
        with pytest.raises(InvalidQueryError, match="999"):
            async for _ in chunks:
                pass


async def test_identical_questions_in_the_air_are_asked_once() -> None:
    """Five hundred callers, one request; each gets the answer."""
    gate = anyio.Event()

    async def held(path: str, params: Params) -> Any:
        await gate.wait()
        return visits_by_day(path, params)

    script = Script(held)
    results = []

    async def call(client: AsyncIndivd) -> None:
        results.append(await client.zone_visitors("2025-01-01", "2025-01-07", tz="UTC"))

    async with client_of(script) as client, anyio.create_task_group() as tasks:
        for _ in range(500):
            tasks.start_soon(call, client)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert len(script.data) == 1
    assert len(results) == 500
    assert all(result == results[0] for result in results)


async def test_a_cancelled_leader_does_not_end_its_followers() -> None:
    """One of them asks once more, for all."""
    gate = anyio.Event()

    async def held(path: str, params: Params) -> Any:
        await gate.wait()
        return visits_by_day(path, params)

    script = Script(held)
    results = []
    leader = anyio.CancelScope()

    async def lead(client: AsyncIndivd) -> None:
        with leader:
            await client.zone_visitors("2025-01-01", "2025-01-07", tz="UTC")

    async def follow(client: AsyncIndivd) -> None:
        results.append(await client.zone_visitors("2025-01-01", "2025-01-07", tz="UTC"))

    async with client_of(script) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(lead, client)
        await anyio.wait_all_tasks_blocked()
        for _ in range(20):
            tasks.start_soon(follow, client)
        await anyio.wait_all_tasks_blocked()
        leader.cancel()
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert len(results) == 20
    assert len(script.data) == 2


async def test_a_failure_is_shared_and_a_follower_has_its_own_deadline() -> None:
    """Followers get the leader's error as an exception of their own, or give up in their own time."""
    gate = anyio.Event()

    async def held(path: str, params: Params) -> Any:
        await gate.wait()
        return 500

    script = Script(held)
    caught: list[BaseException] = []

    async def call(client: AsyncIndivd) -> None:
        with pytest.raises((ServerError, TimeoutError)) as info:
            await client.zone_visitors("2025-01-01", "2025-01-07", tz="UTC")
        caught.append(info.value)

    async with client_of(script, retry=RetryPolicy(attempts=1)) as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call, client)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert len(script.data) == 1
    assert [type(error) for error in caught] == [ServerError] * 3
    assert len({id(error) for error in caught}) == 3

    gate = anyio.Event()
    async with client_of(script, timeouts=Timeouts(deadline=0.05)) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(call, client)
        tasks.start_soon(call, client)
    assert [isinstance(error, TimeoutError) for error in caught[3:]] == [True, True]


async def test_options_do_not_share_answers_in_the_air_but_share_the_rest() -> None:
    """with_options counts in the same stats and uses the same lanes."""
    script = Script(visits_by_day)
    async with client_of(script) as client:
        other = client.with_options(timeouts=Timeouts(deadline=5), retry=RetryPolicy(attempts=1))
        await client.zone_visitors("2025-01-01", "2025-01-01", tz="UTC")
        await other.zone_visitors("2025-01-01", "2025-01-01", tz="UTC")
        assert other.stats is client.stats
        assert client.stats.requests == 4  # and the lists of locations and zones, once
    with pytest.raises(ClientClosedError):
        await other.locations()
    with pytest.raises(ClientClosedError):
        async with client:
            pass
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(client)


def _visits_at_nine(path: str, params: Params) -> Any:
    """Answer as if hours were grouped without their day."""
    document = visits_by_day(path, params)
    rows = document["current"]["insights"][:1]
    rows[0]["aggregation"] = {"hour": 9, "zone_id": 201, "zone_name": "Entrance", "bounce_threshold": 120}
    rows[0]["visits"] = len(days_of(params))
    document["current"]["insights"] = rows
    return document


async def test_rows_that_repeat_from_window_to_window_are_asked_for_unsplit() -> None:
    """Hours without their day: pieces of our own choosing do not fit together; one request does, and a note says so."""
    script = Script(_visits_at_nine)
    query = ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="hour", tz="UTC")
    async with client_of(script) as client:
        result = await client.fetch(query)
        batch = await client.fetch_all([query])
    assert [row.visits for row in result] == [90]
    assert [note.kind for note in result.notes] == ["asked_unsplit", "location_unknown"]
    assert batch[0].current == result.current
    assert result.plan.query.split is None


async def test_labels_that_do_not_tell_their_year_are_asked_for_unsplit() -> None:
    """The API may name more where it chooses the grouping itself; pieces had to name it, and got less."""

    def days(path: str, params: Params) -> Any:
        document = visits_by_day(path, params)
        if "aggregate_by" in params:
            for row in document["current"]["insights"]:
                del row["aggregation"]["year"], row["aggregation"]["month"]
        return document

    async with client_of(Script(days)) as client:
        result = await client.zone_visitors("2025-02-27", "2025-03-02", tz="UTC", split=1)
        named = await client.zone_visitors("2025-02-27", "2025-03-02", tz="UTC", split=1, aggregate_by="dayofmonth")
    assert [row.aggregation.bucket.dayofmonth for row in result] == [27, 28, 1, 2]
    assert [note.kind for note in result.notes] == ["asked_unsplit", "location_unknown"]
    assert [row.aggregation.bucket.dayofmonth for row in named] == [1, 2, 27, 28]


async def test_rows_that_repeat_where_a_limit_forced_the_cut_are_a_conflict() -> None:
    """Hours of line_crosses can only be asked seven days at a time, so there is nothing to fall back on."""
    script = Script(lambda path, params: [{"_id": {"hour": 9}, "count": 1}])
    async with client_of(script) as client:
        with pytest.raises(MergeConflictError, match="hour 9") as caught:
            await client.line_crosses("2025-01-01", "2025-01-14", aggregate_by="hour", location=124)
    assert len(caught.value.requests) == 2


async def test_a_conflict_fails_its_own_query_of_a_collecting_batch() -> None:
    """Which of its answers is right nobody knows; the other queries arrive."""

    def repeat(path: str, params: Params) -> Any:
        hour = {"hour": 9}
        return [{"_id": hour, "count": 1}] if params["aggregate_by"] == "hour" else counts_by_day(path, params)

    hours = LineCrosses("2025-01-01", "2025-01-14", aggregate_by="hour", location=124)
    days = LineCrosses("2025-01-01", "2025-01-14", aggregate_by="dayofmonth", location=124)
    async with client_of(Script(repeat)) as client:
        broken, whole = await client.fetch_all([hours, days], on_error="collect")
        with pytest.raises(MergeConflictError):
            await client.fetch_all([hours, days])
    assert [(item.status, type(item.error)) for item in broken.coverage] == [("failed", MergeConflictError)] * 2
    assert len(broken) == 0
    assert whole.complete
    assert len(whole) == 14


async def test_what_is_asked_again_unsplit_is_collected_too() -> None:
    """A batch that collects lists what failed, also of a plan that had to be asked again in one piece."""
    script = Script(lambda path, params: 502 if len(days_of(params)) > 60 else _visits_at_nine(path, params))
    query = ZoneVisitors("2025-01-01", "2025-03-31", tz="UTC", aggregate_by="hour")
    async with client_of(script) as client:
        (result,) = await client.fetch_all([query], on_error="collect")
    assert [item.status for item in result.coverage] == ["failed"]
    assert "asked_unsplit" in {note.kind for note in result.notes}


async def test_what_fails_again_is_listed_again() -> None:
    """Asking for the rest gets nearer to the whole each time, though the query by itself would raise."""
    broken = {"2025-01-08", "2025-01-15"}
    script = Script(lambda path, params: 500 if params["start_date"] in broken else visits_by_day(path, params))
    async with client_of(script) as client:
        (result,) = await client.fetch_all([JANUARY], on_error="collect")
        for left in (1, 0):
            broken.pop()
            result = await client.retry_failed(result)
            assert [item.status for item in result.coverage].count("failed") == left
    assert len(result) == 31


@pytest.mark.parametrize("ask", ["fetch", "stream"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancellation_that_a_transport_lets_out_loses_nothing_in_silence(ask: str) -> None:
    """asyncio takes it for the end of one task; the call must not take it for the end of its requests."""

    async def answer(path: str, params: Params) -> Any:
        await anyio.lowlevel.checkpoint()
        if params["start_date"] == "2025-01-15":
            task = asyncio.ensure_future(asyncio.sleep(1))
            task.cancel()
            await task
        return visits_by_day(path, params)

    async def stream() -> None:
        async with client.stream(JANUARY) as chunks:
            [chunk async for chunk in chunks]

    async with client_of(Script(answer), limits=Limits(concurrency=2)) as client:
        with pytest.raises(asyncio.CancelledError):
            await (stream() if ask == "stream" else client.fetch(JANUARY))


@pytest.mark.parametrize("ask", ["fetch", "fetch_all", "stream"])
async def test_closing_ends_a_call_that_collects(ask: str) -> None:
    """The end of the client is no piece's failure."""
    asked = anyio.Event()

    async def hang(request: httpx.Request) -> httpx.Response:
        asked.set()
        return await _hang(request)

    client = client_of(httpx.MockTransport(hang), limits=Limits(concurrency=2))

    async def stream() -> None:
        async with client.stream(JANUARY) as chunks:
            [chunk async for chunk in chunks]

    calls = {
        "fetch": lambda: client.fetch(attrs.evolve(JANUARY, on_error="collect")),
        "fetch_all": lambda: client.fetch_all([JANUARY], on_error="collect"),
        "stream": stream,
    }

    async def call() -> None:
        with pytest.raises(ClientClosedError):
            await calls[ask]()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await asked.wait()
        await client.aclose()


async def test_a_strange_answer_names_the_request_and_the_place() -> None:
    """DecodeError says which answer, what was expected and where; it is not retried, and the request has failed."""
    script = Script(lambda path, params: [{"_id": {"year": "2025"}, "count": 1}])
    events: list[Any] = []
    async with client_of(script, on_event=events.append) as client:
        with pytest.raises(DecodeError, match=r"expected int, got str @ \$\[0\]\._id\.year.*line_crosses") as caught:
            await client.line_crosses("2025-01-01", "2025-01-02", location=124)
    assert caught.value.request is not None
    assert len(script.data) == 1
    assert [(event.kind, event.status) for event in events] == [("planned", None), ("started", None), ("failed", 200)]
    assert (events[-1].counts.finished, events[-1].counts.failed) == (0, 1)


def _fields(query: ZoneVisitors) -> dict[str, Any]:
    return {field.name: getattr(query, field.name) for field in attrs.fields(type(query))}


@pytest.fixture(params=["memory", "sqlite"])
def cache(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    if request.param == "memory":
        yield MemoryCache()
        return
    kept = SQLiteCache(tmp_path / "answers.db")
    yield kept
    kept.close()


async def test_closed_days_are_asked_for_once(cache: Any) -> None:
    """A job run again asks only for days that may still change, and gets the same rows."""
    today = datetime.now(UTC).date()
    query = ZoneVisitors(today - timedelta(days=40), today, tz="UTC", aggregate_by="dayofmonth", split=10)
    first, second = Script(visits_by_day), Script(visits_by_day)
    async with client_of(first, cache=cache) as client:
        one = await client.fetch(query)
    async with client_of(second, cache=cache) as client:
        again = await client.fetch(query)
    assert again.current == one.current
    assert len(again) == 41
    assert len(first.data) > 4
    asked = {day for params in second.data for day in days_of(params)}
    assert today in asked
    assert min(asked) > today - timedelta(days=5)


async def test_an_interrupted_job_goes_on_from_its_cache(cache: Any) -> None:
    """What arrived before the failure is not asked for again; another account's answers are nobody else's."""
    broken = Script(lambda path, params: 500 if params["start_date"] == "2025-01-22" else visits_by_day(path, params))
    async with client_of(broken, cache=cache, limits=Limits(concurrency=1)) as client:
        with pytest.raises(ServerError):
            await client.fetch(JANUARY)
    whole = Script(visits_by_day)
    async with client_of(whole, cache=cache) as client:
        assert len(await client.fetch(JANUARY)) == 31
    assert sorted(params["start_date"] for params in whole.data) == ["2025-01-22", "2025-01-29"]
    other = Script(visits_by_day)
    async with AsyncIndivd(token="another", transport=other, cache=cache) as client:
        await client.fetch(JANUARY)
    assert len(other.data) == 5


async def test_empty_answers_are_not_kept_and_a_broken_cache_is_done_without(tmp_path: Any) -> None:
    """Nothing today may be something tomorrow, and a cache never fails a call."""
    empty = Script(lambda path, params: [])
    memory = MemoryCache()
    async with client_of(empty, cache=memory) as client:
        for _ in range(2):
            await client.line_crosses("2025-01-01", "2025-01-02", location=124)
    assert len(empty.data) == 2
    closed = SQLiteCache(tmp_path / "closed.db")
    closed.close()
    async with client_of(Script(counts_by_day), cache=closed) as client:
        assert len(await client.line_crosses("2025-01-01", "2025-01-02", location=124)) == 2


async def test_a_cache_that_hangs_or_is_spoilt_is_done_without() -> None:
    """It is waited for within the deadline, and what it holds must be an answer."""

    class Slow(MemoryCache):
        async def put(self, key: str, body: bytes) -> None:
            await anyio.sleep_forever()

    class Spoilt(MemoryCache):
        async def get(self, key: str) -> bytes | None:
            return b"{"

    for cache, timeouts in ((Slow(), Timeouts(deadline=0.5)), (Spoilt(), None)):
        async with client_of(Script(counts_by_day), cache=cache, timeouts=timeouts) as client:
            assert len(await client.line_crosses("2025-01-01", "2025-01-02", location=124)) == 2


@pytest.mark.parametrize("body", [b'[{"_id": {"year": 2025}, "count": 1}]', b"["])
async def test_a_request_has_ended_before_its_cache_keeps_the_answer(body: bytes) -> None:
    """What is told of it, and so its duration, is not of the cache, and holds where a call ends meanwhile."""
    told: list[str] = []

    class Telling(MemoryCache):
        async def put(self, key: str, body: bytes) -> None:
            told.append("kept")

    service = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    async with client_of(service, cache=Telling(), on_event=lambda event: told.append(event.kind)) as client:
        for _ in range(2):
            with suppress(DecodeError):
                await client.line_crosses("2025-01-01", "2025-12-31", location=124, aggregate_by="year")
    end = ["finished", "kept"] if body.endswith(b"]") else ["failed"]
    assert told == ["planned", "started", *end] * 2


async def test_a_locked_file_does_not_outlast_the_deadline(tmp_path: Any) -> None:
    """Another process may hold the file; the answer is there all the same, and so is a cancellation."""
    cache = SQLiteCache(tmp_path / "answers.db")
    other = sqlite3.connect(tmp_path / "answers.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with client_of(Script(counts_by_day), cache=cache, timeouts=Timeouts(deadline=0.5)) as client:
        assert len(await client.line_crosses("2025-01-01", "2025-01-02", location=124)) == 2
    other.close()
    cache.close()


async def test_a_closed_client_does_not_answer_from_its_cache() -> None:
    """It cannot be used, whatever it might still know."""
    client = client_of(Script(counts_by_day), cache=MemoryCache())
    await client.line_crosses("2025-01-01", "2025-01-02", location=124)
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await client.line_crosses("2025-01-01", "2025-01-02", location=124)


async def test_a_memory_cache_keeps_to_its_size() -> None:
    """The longest unused leaves first."""
    cache = MemoryCache(max_bytes=10)
    for key in ("a", "b"):
        await cache.put(key, b"12345")
    assert await cache.get("a") == b"12345"
    await cache.put("c", b"12345")
    assert [await cache.get(key) for key in ("a", "b", "c")] == [b"12345", None, b"12345"]
    await cache.put("d", bytes(100))
    assert [await cache.get(key) for key in ("a", "c", "d")] == [b"12345", b"12345", None]


async def test_events_count_what_is_planned_retried_and_done() -> None:
    """A progress bar knows its total from the first event on."""
    events = []
    failing = iter([500])
    script = Script(lambda path, params: next(failing, None) or visits_by_day(path, params))
    async with client_of(script, on_event=events.append, limits=Limits(concurrency=1)) as client:
        await client.fetch(JANUARY)
    assert [event.kind for event in events[:5]] == ["planned", "started", "retry", "started", "finished"]
    assert events[0].counts.planned == 5
    assert (events[-1].counts.finished, events[-1].counts.failed, events[-1].counts.retried) == (5, 0, 1)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@respx.mock
async def test_respx_sees_the_default_lanes() -> None:
    """Users mock what they know."""
    respx.get("https://api.indivd.com/filters/locations").mock(return_value=httpx.Response(200, json=LOCATIONS))
    route = respx.get("https://api.indivd.com/api/v1/rnd/insights/external/drop_in_rate/", params={"location": "301"})
    route.mock(return_value=httpx.Response(200, json={"summary": {"current": {}}, "details": {}, "zone_details": {}}))
    async with AsyncIndivd(token="a-token") as client:
        assert [location.id for location in await client.locations()] == [124, 125, 301]
        assert len(await client.drop_in_rate("2025-03-01", "2025-03-02", location=301)) == 0
    assert route.calls.last.request.headers["authorization"] == "Token a-token"


async def _hang(request: httpx.Request) -> httpx.Response:
    await anyio.Event().wait()
    raise AssertionError("nothing sets it")


async def test_total_bounds_the_look_up_of_locations() -> None:
    """It is part of the call, alone and before a query."""
    async with client_of(httpx.MockTransport(_hang), timeouts=Timeouts(total=0.02, deadline=30)) as client:
        with pytest.raises(DeadlineExceededError):
            await client.locations()
        with pytest.raises(DeadlineExceededError):
            await client.zone_visitors("2025-01-01", "2025-01-02")
        with pytest.raises(DeadlineExceededError):
            await client.fetch_all([ZoneVisitors("2025-01-01", "2025-01-02")])


async def test_a_follower_that_leads_has_no_new_deadline() -> None:
    """The time that it waited for another caller counts."""
    ends: list[float] = []

    async def hang(request: httpx.Request) -> httpx.Response:
        ends.append(anyio.current_effective_deadline())
        return await _hang(request)

    async def call(scope: anyio.CancelScope) -> None:
        with scope:
            await client.line_crosses("2025-01-01", "2025-01-02", location=124)

    scopes = anyio.CancelScope(), anyio.CancelScope()
    timeouts = Timeouts(attempt=None, deadline=30)
    async with client_of(httpx.MockTransport(hang), timeouts=timeouts) as client, anyio.create_task_group() as tasks:
        for scope in scopes:
            tasks.start_soon(call, scope)
            await anyio.wait_all_tasks_blocked()
        await anyio.sleep(0.05)
        leads_from = anyio.current_time()
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        scopes[1].cancel()
    assert len(ends) == 2
    assert ends[1] < leads_from + 30


async def test_an_answer_that_several_share_is_refused_to_each() -> None:
    """It is read once; each gets an error of his own, with all that it says."""
    gate = anyio.Event()
    errors: list[DecodeError] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return httpx.Response(200, content=b'{"current": {"insights": [{"visits": "many"}]}}')

    async def call() -> None:
        with pytest.raises(DecodeError) as info:
            await client.zone_visitors("2025-01-01", "2025-01-02", tz="UTC", location=124)
        errors.append(info.value)

    async with client_of(httpx.MockTransport(answer)) as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert client.stats.requests == 1
    assert len({id(error) for error in errors}) == 3
    assert len({str(error) for error in errors}) == 1
    assert "visits" in str(errors[0])


async def test_notes_of_a_shared_failure_are_each_callers_own() -> None:
    """Nobody's error tells the advice of all the others."""
    gate = anyio.Event()
    notes: list[list[str]] = []

    async def refuse(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return httpx.Response(403)

    async def call() -> None:
        with pytest.raises(IndivdError) as info:
            await client.zone_visitors("2025-01-01", "2025-01-02")
        notes.append(info.value.__notes__)

    async with client_of(httpx.MockTransport(refuse)) as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert [len(each) for each in notes] == [1, 1, 1]


@pytest.mark.parametrize(
    "mine", [LookupError("mine"), ExceptionGroup("mine", [LookupError(), KeyError()])], ids=["plain", "group"]
)
async def test_the_consumers_exception_is_left_as_it_is(mine: Exception) -> None:
    """A group of its own stays one, and its cause stays chained."""
    cause = OSError()
    async with client_of(Script(counts_by_day)) as client:
        with pytest.raises(type(mine)) as info:
            async with client.stream(LineCrosses("2025-01-01", "2025-01-02", location=124)):
                raise mine from cause
    assert info.value is mine
    assert info.value.__cause__ is cause


async def test_several_tasks_may_consume_one_stream() -> None:
    """Each chunk goes to one of them, and all come to the end."""
    queries = [LineCrosses("2025-01-01", "2025-01-02", location=number) for number in range(1, 5)]
    seen: list[Any] = []

    async def consume() -> None:
        seen.extend([chunk.query async for chunk in chunks])

    with anyio.fail_after(29):
        async with (
            client_of(Script(counts_by_day)) as client,
            client.stream(queries) as chunks,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(consume)
            tasks.start_soon(consume)
    assert sorted(query.location for query in seen) == [(1,), (2,), (3,), (4,)]


async def test_what_is_no_query_does_not_end_a_stream_in_silence() -> None:
    """None is refused like anything else that cannot be planned."""
    query: Any = LineCrosses("2025-01-01", "2025-01-02", location=124)
    nothing: Any = None
    async with client_of(Script(counts_by_day)) as client, client.stream([query, nothing, query]) as chunks:
        with pytest.raises(InvalidQueryError, match="queries: must be a query or a plan, or a list of them; got None"):
            [chunk async for chunk in chunks]
        with pytest.raises(InvalidQueryError, match="`fetch` takes a query"):
            await client.run(query)


async def test_what_is_not_sent_after_a_refused_token_counts_as_failed() -> None:
    """Progress comes to its end."""
    events: list[Any] = []
    script = Script(lambda path, params: 401)
    client = client_of(script, limits=Limits(concurrency=1), on_event=events.append)
    async with client, client.stream([JANUARY, JANUARY]) as chunks:
        assert len([chunk async for chunk in chunks]) == 10
    counts = events[-1].counts
    assert (counts.planned, counts.failed) == (10, 10)
