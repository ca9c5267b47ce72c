"""Every row tells its location: from the question, the label, or the lists; or a note says that nothing tells."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from scripted import Script, visits_by_day

from indivd_async import AsyncIndivd, DropInRate, LineCrosses, Plan, ZoneVisitors, sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]
DAYS = ("2025-03-03", "2025-03-05")
ZONES = {201: 124, 202: 124, 203: 124, 204: 124}


async def fetch(query: Any) -> Any:
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
        return await client.fetch(query)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(ZoneVisitors(*DAYS, location=124, tz="Europe/Stockholm"), id="the one that was asked for"),
        pytest.param(ZoneVisitors(*DAYS, location=[124, 127]), id="the lists"),
        pytest.param(ZoneVisitors(*DAYS, location=[124, 127], per="location"), id="each asked apart"),
        pytest.param(ZoneVisitors(*DAYS, location=[124, 127], per="location", tz="UTC"), id="apart, on one clock"),
        pytest.param(ZoneVisitors(*DAYS, aggregate_by="day,loc_id", location=[124, 127]), id="the label"),
        pytest.param(
            ZoneVisitors(
                *DAYS,
                location=[124, 127],
                tz="UTC",
                aggregate_by="loc_id",
                comparison_aggregate_by="day",
                comparison_start_date="2024-03-04",
                comparison_end_date="2024-03-06",
            ),
            id="the label here, the lists in the comparison",
        ),
        pytest.param(DropInRate(*DAYS, location=[124, 127], per="location", tz="UTC"), id="rates, each apart"),
        pytest.param(LineCrosses(*DAYS, per="location", category=1), id="lines of each"),
    ],
)
async def test_every_row_tells_where_it_is(query: Any) -> None:
    """In rows and tables alike; names come with the list of locations."""
    rows = (await fetch(query)).to_dicts()
    assert rows
    places = {(row["loc_id"], row["loc_name"]) for row in rows}
    known = {(124, "Drottninggatan"), (127, "Fifth Avenue")}
    if query.location == (124,):
        assert {loc_id for loc_id, _ in places} == {124}
    else:
        assert known <= places
    for row in rows:
        if row["zone_id"] in ZONES:
            assert row["loc_id"] == ZONES[row["zone_id"]]


async def test_asking_apart_gives_the_rows_of_asking_together() -> None:
    """One request for each location, and no other figure."""
    together = await fetch(ZoneVisitors(*DAYS, location=[124, 127]))
    apart = await fetch(ZoneVisitors(*DAYS, location=[124, 127], per="location"))
    assert list(apart) == list(together)
    assert [item.request.reason for item in apart.coverage] == ["location 124", "location 127"]


async def test_all_locations_apart_need_the_list() -> None:
    """Each that there is, with its clock, or the one that was given."""
    listed = ((124, "Europe/Stockholm"), (127, "America/New_York"))
    own = Plan(ZoneVisitors(*DAYS, per="location"), locations=listed)
    assert [request.tz for request in own] == ["Europe/Stockholm", "America/New_York"]
    one = Plan(DropInRate(*DAYS, per="location", tz="UTC"), locations=((124, "UTC"), (127, "UTC")))
    assert [dict(request.params)["location"] for request in one] == ["124", "127"]


async def test_a_note_says_where_nothing_tells() -> None:
    """No list of zones is no fault: the figures are there, and the note says what they lack."""
    script = Script(visits_by_day, zones=503)
    async with AsyncIndivd(token="t", transport=script) as client:
        result = await client.fetch(ZoneVisitors("2025-03-01", "2025-03-02", location=[124, 125]))
    assert {row.aggregation.loc_id for row in result} == {None}
    assert [note.kind for note in result.notes] == ["location_unknown"]
    assert 'per="location"' in str(result.notes[0])
    assert len(result) > 0


@pytest.mark.parametrize(
    "query", [ZoneVisitors(*DAYS, location=[124, 127]), LineCrosses(*DAYS, location=[124, 127], category=1)], ids=repr
)
async def test_what_another_client_completes_tells_where_it_is(query: Any) -> None:
    """As in a process that was started anew, which has looked up nothing yet."""

    def refuse(number: int, path: str, params: dict[str, str]) -> int | None:
        return 403 if "external" in path and "127" in params["location"] else None

    faulty = sandbox.transport(faults=sandbox.Faults(hook=refuse))
    async with AsyncIndivd(token="sandbox", transport=faulty) as client:
        (result,) = await client.fetch_all([query], on_error="collect")
    assert not result.complete
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as other:
        completed = await other.retry_failed(result)
    assert completed == await fetch(query)
    assert {row["loc_name"] for row in completed.to_dicts()} == {"Drottninggatan", "Fifth Avenue"}


async def test_lists_that_fail_are_not_asked_for_with_every_call() -> None:
    """Rows come without names, and the next calls do not wait for look-ups that have just failed."""

    def refuse(number: int, path: str, params: dict[str, str]) -> int | None:
        return 403 if "/filters/" in path else None

    application = sandbox.app(faults=sandbox.Faults(hook=refuse))
    async with AsyncIndivd(token="sandbox", transport=httpx.ASGITransport(application)) as client:
        for _ in range(3):
            rows = await client.line_crosses(*DAYS, location=[124, 127])
            assert {row.location for row in rows} == {124, 127}
            assert {row.loc_name for row in rows} == {None}
            await client.zone_visitors(*DAYS, location=[124, 127], tz="UTC")
    asked = [item.path for item in application.requests if "/filters/" in item.path]
    assert sorted(asked) == ["/filters/locations", "/filters/zones"]
