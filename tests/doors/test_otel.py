"""Spans and metrics: what is told of calls, requests, retries and cancellation, and what never is."""

from __future__ import annotations

import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import anyio
import attrs
import pyarrow
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from scripted import Params, Script, counts_by_day, visits_by_day

from indivd_async import DecodeError, Event, LineCrosses, RetryPolicy, ServerError, Timeouts, ZoneVisitors
from indivd_async.cache import MemoryCache
from indivd_async.export import export
from indivd_async.otel import TracedIndivd

pytestmark = pytest.mark.anyio

TOKEN = "a-token-to-be-kept"
PATH = "/api/v1/rnd/insights/external/zone_visitors/"
MARCH = ZoneVisitors("2025-03-01", "2025-03-04", location=124, tz="UTC", aggregate_by="dayofmonth", split=2)


@attrs.define
class Telemetry:
    """What an exporter would have got."""

    spans: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    tracer_provider: TracerProvider = attrs.field(factory=lambda: TracerProvider(shutdown_on_exit=False))
    meter_provider: MeterProvider = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def client(self, script: Script, **options: Any) -> TracedIndivd:
        options.setdefault("retry", RetryPolicy(base=0, base_overloaded=0))
        return TracedIndivd(
            TOKEN,
            transport=script,
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
            **options,
        )

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    @property
    def requests(self) -> list[ReadableSpan]:
        return self.named(f"GET {PATH}")

    def metrics(self) -> dict[str, list[Any]]:
        """Return the points of each instrument by its name."""
        found = self.reader.get_metrics_data()
        if found is None:
            return {}
        instruments = [m for r in found.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return {instrument.name: list(instrument.data.data_points) for instrument in instruments}

    def __str__(self) -> str:
        return "".join(span.to_json() for span in self.spans.get_finished_spans()) + str(self.metrics())


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


async def test_a_call_has_a_span_around_those_of_its_requests(telemetry: Telemetry) -> None:
    """The requests are children of the call, with the attributes of the HTTP conventions."""
    async with telemetry.client(Script(visits_by_day)) as client:
        await client.fetch(MARCH)
    (call,) = telemetry.named("indivd zone_visitors")
    assert call.kind is SpanKind.INTERNAL
    assert [span.parent.span_id for span in telemetry.requests if span.parent] == [call.context.span_id] * 2
    first = min(telemetry.requests, key=lambda span: str((span.attributes or {})["url.full"]))
    assert first.kind is SpanKind.CLIENT
    attributes = dict(first.attributes or {})
    assert attributes.pop("indivd.reason")
    assert attributes == {
        "http.request.method": "GET",
        "server.address": "api.indivd.com",
        "server.port": 443,
        "url.template": PATH,
        "url.path": PATH,
        "url.full": f"https://api.indivd.com{PATH}"
        "?start_date=2025-03-01&end_date=2025-03-02&aggregate_by=dayofmonth&location=124&tz=UTC",
        "http.response.status_code": 200,
        "indivd.endpoint": "zone_visitors",
        "indivd.attempts": 1,
        "indivd.outcome": "finished",
    }
    assert first.status.status_code is StatusCode.UNSET


async def test_retries_are_events_and_counted(telemetry: Telemetry) -> None:
    """Each attempt that is followed by another is an event of the span; the last one's status is the span's."""
    statuses = iter([503, 500])

    def answer(path: str, params: Params) -> Any:
        return next(statuses, None) or visits_by_day(path, params)

    async with telemetry.client(Script(answer)) as client:
        await client.fetch(attrs.evolve(MARCH, split=None))
    (span,) = telemetry.requests
    told = [(event.name, dict(event.attributes or {})["http.response.status_code"]) for event in span.events]
    assert told == [("retry", 503), ("retry", 500)]
    assert (span.attributes or {})["http.request.resend_count"] == 2
    metrics = telemetry.metrics()
    assert sum(point.value for point in metrics["indivd.client.retries"]) == 2
    durations = {
        (point.attributes["http.response.status_code"], point.attributes.get("error.type")): point.count
        for point in metrics["http.client.request.duration"]
    }
    assert durations == {(503, "503"): 1, (500, "500"): 1, (200, None): 1}
    assert metrics["http.client.request.duration"][0].explicit_bounds[:2] == (0.005, 0.01)


async def test_a_failure_marks_the_request_and_the_call(telemetry: Telemetry) -> None:
    """Both have a type of error; nothing stays in the air."""
    async with telemetry.client(Script(lambda path, params: 500), retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ServerError):
            await client.fetch(attrs.evolve(MARCH, split=None))
    (span,) = telemetry.requests
    (call,) = telemetry.named("indivd zone_visitors")
    assert (span.attributes or {})["error.type"] == "500"
    assert (call.attributes or {})["error.type"] == "ServerError"
    assert span.status.status_code is call.status.status_code is StatusCode.ERROR
    metrics = telemetry.metrics()
    assert [point.value for point in metrics["http.client.active_requests"]] == [0]
    (ended,) = metrics["indivd.client.requests"]
    assert (ended.value, ended.attributes["indivd.outcome"]) == (1, "failed")


async def test_an_answer_that_cannot_be_read_is_a_failure(telemetry: Telemetry) -> None:
    """Its status was 200, so the type of the error says what was wrong."""
    async with telemetry.client(Script(lambda path, params: [1])) as client:
        with pytest.raises(DecodeError):
            await client.fetch(attrs.evolve(MARCH, split=None))
    (span,) = telemetry.requests
    told = span.attributes or {}
    assert (told["http.response.status_code"], told["error.type"], told["indivd.outcome"]) == (
        200,
        "DecodeError",
        "failed",
    )


async def test_a_fault_without_a_status_has_the_name_of_its_error(telemetry: Telemetry) -> None:
    """A timeout is told as the error that the caller gets."""

    async def never(path: str, params: Params) -> Any:
        await anyio.sleep_forever()

    options = {"timeouts": Timeouts(attempt=0.01), "retry": RetryPolicy(attempts=1)}
    async with telemetry.client(Script(never), **options) as client:
        with pytest.raises(TimeoutError):
            await client.fetch(attrs.evolve(MARCH, split=None))
    (span,) = telemetry.requests
    assert (span.attributes or {})["error.type"] == "RequestTimeoutError"


async def test_what_is_cancelled_is_ended_and_in_the_air_no_more(telemetry: Telemetry) -> None:
    """A call that is cancelled leaves no open span and no request counted as active."""
    waiting = anyio.Event()

    async def never(path: str, params: Params) -> Any:
        waiting.set()
        await anyio.sleep_forever()

    async with telemetry.client(Script(never)) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.fetch, attrs.evolve(MARCH, split=None))
        await waiting.wait()
        tasks.cancel_scope.cancel()
    (span,) = telemetry.requests
    (call,) = telemetry.named("indivd zone_visitors")
    assert (span.attributes or {})["indivd.outcome"] == "cancelled"
    assert call.status.status_code is StatusCode.UNSET
    assert [point.value for point in telemetry.metrics()["http.client.active_requests"]] == [0]


async def test_a_stream_and_a_batch_are_calls_too(telemetry: Telemetry) -> None:
    """Requests of a stream are its children; what the caller does between chunks is not inside it."""
    tracer = telemetry.tracer_provider.get_tracer("test")
    async with telemetry.client(Script(visits_by_day)) as client:
        async with client.stream(MARCH) as chunks:
            async for _ in chunks:
                with tracer.start_as_current_span("mine"):
                    pass
        await client.fetch_all([MARCH])
        result = await client.run(await client.plan(MARCH))
        assert await client.retry_failed(result) == result
        await client.locations()
    (stream,) = telemetry.named("indivd stream")
    (batch,) = telemetry.named("indivd fetch_all")
    parents = [span.parent.span_id for span in telemetry.requests if span.parent]
    assert parents.count(stream.context.span_id) == parents.count(batch.context.span_id) == 2
    assert [span.parent for span in telemetry.named("mine")] == [None, None]
    names = {span.name for span in telemetry.spans.get_finished_spans()}
    assert {"indivd zone_visitors", "indivd retry_failed", "indivd locations", "GET /filters/locations"} <= names


async def test_a_stream_of_a_traced_client_is_what_another_is(telemetry: Telemetry, tmp_path: Path) -> None:
    """It is read to a table, and an export asks through it: each a call with a span."""
    async with telemetry.client(Script(visits_by_day)) as client:
        table = await client.stream(MARCH).table()
        assert pyarrow.table(table).num_rows == len(await client.fetch(MARCH))
        report = await export(client, attrs.evolve(MARCH, split=None), tmp_path / "visits")
    assert report.rows == pyarrow.table(table).num_rows
    assert len(telemetry.named("indivd stream")) == 2


async def test_a_stream_that_is_left_early_ends_its_spans(telemetry: Telemetry) -> None:
    """Leaving the context cancels what is under way, and the spans say so."""

    async def answer(path: str, params: Params) -> Any:
        if params["start_date"] != "2025-03-01":
            await anyio.sleep_forever()
        return visits_by_day(path, params)

    async with telemetry.client(Script(answer)) as client, client.stream(MARCH) as chunks:
        await anext(chunks)
    outcomes = sorted(str((span.attributes or {})["indivd.outcome"]) for span in telemetry.requests)
    assert outcomes == ["cancelled", "finished"]


async def test_a_request_that_was_cancelled_is_held_until_its_span_ends(telemetry: Telemetry) -> None:
    """Spans are known by the identity of their requests: no other may take it before."""
    asked: list[weakref.ref[Any]] = []
    alive: list[list[bool]] = []

    async def answer(path: str, params: Params) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            alive.append([request() is not None for request in asked])

    def hear(event: Event) -> None:
        if event.kind == "started":
            asked.append(weakref.ref(event.request))

    async with telemetry.client(Script(answer), on_event=hear) as client, client.stream(MARCH):
        await anyio.wait_all_tasks_blocked()
    assert alive == [[True, True]] * 2


async def test_an_answer_without_an_attempt_is_told_as_such(telemetry: Telemetry) -> None:
    """From the cache, or with the answer to another caller: a span, zero attempts, no duration."""

    async def answer(path: str, params: Params) -> Any:
        await anyio.sleep(0.001)  # long enough for the second caller to find the first in the air
        return (counts_by_day if "line_crosses" in path else visits_by_day)(path, params)

    async with telemetry.client(Script(answer), cache=MemoryCache()) as client:
        for _ in range(2):
            await client.fetch(attrs.evolve(MARCH, split=None))
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(client.fetch, LineCrosses("2025-03-01", "2025-03-02", line_ids=[1]))
    attempts = [(span.attributes or {})["indivd.attempts"] for span in telemetry.requests]
    assert attempts == [1, 0]
    crosses = telemetry.named("GET /api/v1/rnd/insights/external/line_crosses/")
    assert sorted(int((span.attributes or {})["indivd.attempts"]) for span in crosses) == [0, 1]  # type: ignore[arg-type]
    assert sum(point.count for point in telemetry.metrics()["http.client.request.duration"]) == 2


async def test_a_clients_twin_is_traced_as_well(telemetry: Telemetry) -> None:
    """`with_options` keeps the telemetry, and the caller's own `on_event` hears everything."""
    heard: list[Event] = []
    async with telemetry.client(Script(visits_by_day), on_event=heard.append) as client:
        await client.with_options(retry=RetryPolicy(attempts=1)).fetch(attrs.evolve(MARCH, split=None))
    assert [event.kind for event in heard] == ["planned", "started", "finished"]
    assert len(telemetry.requests) == 1


async def test_the_token_is_nowhere(telemetry: Telemetry) -> None:
    """In no span and no metric, whatever happens."""
    script = Script(lambda path, params: 401)
    async with telemetry.client(script) as client:
        with pytest.raises(Exception, match="401"):
            await client.fetch(MARCH)
    assert "401" in str(telemetry)
    assert TOKEN not in str(telemetry)


def test_without_opentelemetry_it_is_a_plain_client() -> None:
    """Nothing is recorded and nothing fails; the package itself never loads it."""
    program = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
import anyio, httpx
from indivd_async.otel import TracedIndivd

async def main():
    heard = []
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[{"id": 1}]))
    async with TracedIndivd("t", transport=transport, on_event=lambda event: heard.append(event.kind)) as client:
        found = await client.locations()
        async with client.stream([]) as chunks:
            assert [chunk async for chunk in chunks] == []
        return [location.id for location in found], heard

print(anyio.run(main))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "([1], ['planned', 'started', 'finished'])"
