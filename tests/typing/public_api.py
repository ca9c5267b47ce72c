"""What a caller's type checker sees; checked by mypy strict and pyright, never run."""

from __future__ import annotations

from datetime import date
from typing import assert_type

from indivd_async import (
    AsyncIndivd,
    Bucket,
    Chunk,
    DropInRate,
    DropInRateResult,
    DwellTimeStats,
    LineCrosses,
    LineCrossesResult,
    LineCrossesRow,
    Listed,
    Location,
    Plan,
    PlannedRequest,
    Query,
    Timeouts,
    ZoneDropIn,
    ZoneVisitors,
    ZoneVisitorsResult,
    ZoneVisitorsRow,
    merge_results,
)
from indivd_async.blocking import Indivd


async def use(client: AsyncIndivd) -> None:
    assert_type(await client.locations(), Listed[Location])
    places: tuple[Location, ...] = await client.locations()
    assert_type(places[0], Location)

    lines = await client.line_crosses("2025-03-01", date(2025, 3, 2), location=[124, 125], floor=-1, per="location")
    assert_type(lines, LineCrossesResult)
    assert_type(lines.rows, tuple[LineCrossesRow, ...])
    assert_type(lines[0], LineCrossesRow)
    assert_type(lines[0].bucket, Bucket)
    assert_type(lines[0].count, int)

    visits = await client.zone_visitors("2025-03-01", "2025-03-07", zones=range(3), split=7, on_error="collect")
    assert_type(visits, ZoneVisitorsResult)
    assert_type(visits[:2], tuple[ZoneVisitorsRow, ...])
    assert_type(visits.current.insights[0].unique_visits, int | None)
    assert_type(visits.current.insights[0].dwell_time_stats, DwellTimeStats | None)
    assert_type(visits.unique_visits_bounds(), tuple[int, int])
    assert_type(visits.complete, bool)
    for row in visits:
        assert_type(row, ZoneVisitorsRow)

    rates = await client.drop_in_rate("2025-03-01", "2025-03-07", zone=1121)
    assert_type(rates, DropInRateResult)
    assert_type(rates.zone_details.current[1121], ZoneDropIn)
    assert_type(rates.summary.current.enter_percentage, float | None)

    query = ZoneVisitors("2025-01-01", "2025-12-31", aggregate_by="hour", location=(i for i in (124, 125)))
    plan = await client.plan(query)
    assert_type(plan, Plan)
    assert_type(plan.requests, tuple[PlannedRequest, ...])
    assert_type(await client.fetch(query), ZoneVisitorsResult)
    assert_type(await client.fetch(LineCrosses("2025-01-01", "2025-01-02")), LineCrossesResult)
    assert_type(await client.fetch(DropInRate("2025-01-01", "2025-01-02")), DropInRateResult)
    assert_type(await client.retry_failed(visits), ZoneVisitorsResult)
    assert_type(merge_results([lines]), LineCrossesResult)
    shards = [await client.run(shard) for shard in plan.shards(2)]
    assert_type(merge_results(shards), LineCrossesResult | ZoneVisitorsResult | DropInRateResult)
    questions: list[Query] = [query, LineCrosses("2025-01-01", "2025-01-02")]
    for result in await client.fetch_all(questions):
        assert_type(await client.retry_failed(result), LineCrossesResult | ZoneVisitorsResult | DropInRateResult)

    async with client.stream([query], ordered=True) as chunks:
        async for chunk in chunks:
            assert_type(chunk, Chunk)

    patient = client.with_options(timeouts=Timeouts(deadline=None))
    assert_type(patient, AsyncIndivd)


def block(client: Indivd) -> None:
    assert_type(client.locations(), Listed[Location])
    places: tuple[Location, ...] = client.locations()
    assert_type(places[0].timezone, str | None)
    assert_type(client.zone_visitors("2025-03-01", date(2025, 3, 7), zones=range(3), split=7), ZoneVisitorsResult)
    assert_type(client.plan(ZoneVisitors("2025-01-01", "2025-12-31")), Plan)
    assert_type(client.fetch(LineCrosses("2025-01-01", "2025-01-02")), LineCrossesResult)
    assert_type(client.retry_failed(client.drop_in_rate("2025-03-01", "2025-03-07")), DropInRateResult)
    for result in client.fetch_all([ZoneVisitors("2025-01-01", "2025-01-02")]):
        assert_type(result, LineCrossesResult | ZoneVisitorsResult | DropInRateResult)
        client.retry_failed(result)
    assert_type(client.retry_failed([client.drop_in_rate("2025-03-01", "2025-03-07")]), list[DropInRateResult])
    assert_type(client.with_options(timeouts=Timeouts(read=1)), Indivd)
    with client.stream([DropInRate("2025-01-01", "2025-01-02")]) as chunks:
        for chunk in chunks:
            assert_type(chunk, Chunk)
    with Indivd("token", timeouts=Timeouts(read=1)) as other:
        assert_type(other, Indivd)
    Indivd("token", timeout=Timeouts())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.zone_visitors("2025-03-01", "2025-03-07", zone=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
