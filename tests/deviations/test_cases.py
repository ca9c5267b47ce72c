"""Small answers that were once taken for what was asked: each is read rightly, refused, or noted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow.dataset
import pytest

from indivd_async import (
    AnswerMismatchError,
    AsyncIndivd,
    DropInRate,
    LineCrosses,
    MergeConflictError,
    NotMergeableError,
    ZoneVisitors,
    sandbox,
)
from indivd_async.export import export
from indivd_async.queries import Query

pytestmark = pytest.mark.anyio

PLACES = [
    {"id": 124, "name": "Drottninggatan", "timezone": "Europe/Stockholm"},
    {"id": 301, "name": "Fifth Avenue", "timezone": "America/New_York"},
]
MARCH = {"startdate": "2025-03-01", "enddate": "2025-03-03"}


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: nothing here waits."""
    return "asyncio"


class Service(httpx.AsyncBaseTransport):
    """Answers data endpoints with one document, and the list of locations with another, whatever is asked."""

    def __init__(self, document: Any, places: Any = PLACES, headers: Mapping[str, str] | None = None) -> None:
        self.document, self.places, self.headers = document, places, headers or {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/filters/"):
            return httpx.Response(200, content=orjson.dumps(self.places), headers=self.headers)
        document = self.document(dict(request.url.params)) if callable(self.document) else self.document
        return httpx.Response(200, content=orjson.dumps(document))


async def fetch(query: Query, document: Any, **options: Any) -> Any:
    """Fetch *query* from a service that answers *document*."""
    async with AsyncIndivd("token", transport=Service(document, **options)) as client:
        return await client.fetch(query)


def kinds(result: Any) -> set[str]:
    """Name the kinds of its notes."""
    return {note.kind for note in result.notes}


def visits(*rows: dict[str, Any], comparison: Any = None, **period: Any) -> dict[str, Any]:
    """Write an answer of zone_visitors."""
    return {
        "current": MARCH | period | {"insights": list(rows)},
        "comparison": {} if comparison is None else comparison,
    }


def row(count: Any = 5, *, zone: int = 201, threshold: int = 120, label: Any = None, **fields: Any) -> dict[str, Any]:
    """Write a row of zone_visitors, of 1 March unless it is labelled otherwise."""
    label = {"year": 2025, "month": 3, "dayofmonth": 1} if label is None else label
    aggregation = {**label, "zone_id": zone, "zone_name": "Entrance", "bounce_threshold": threshold}
    return {"visits": count, "unique_visits": 4, "bounce": 1, "dwell_time": 61.5, "aggregation": aggregation} | fields


def rates(day: Any = None, *, details: Any = None, **changes: Any) -> dict[str, Any]:
    """Write an answer of drop_in_rate: one zone, one day, 33 of 50 entered."""
    label = {"year": 2025, "month": 3, "day": 1} if day is None else day
    in_zone = {"dayofmonth" if name == "day" else name: value for name, value in label.items()}
    figures = {"passing_by": 50, "enter": 33, "drop_in_rate": 66.0}
    zone = {
        "zone_id": 201,
        "zone_name": "Entrance",
        "loc_id": 124,
        "loc_name": "Drottninggatan",
        "location_custom_id": "",
        "total_visits": 33,
        "total_passing_by": 50,
        "drop_in_rate": 66.0,
        "details": [in_zone | {"visits": 33, "passing_by": 50, "drop_in_rate": 66.0}],
    }
    summary = MARCH | {"passing_by": 50, "enter": 33, "enter_percentage": 66.0}
    zone |= {name: value for name, value in changes.items() if name in zone}
    summary |= {name: value for name, value in changes.items() if name in summary}
    return {
        "summary": {"current": summary, "comparison": {}},
        "details": {"interval": "day", "current": [label | figures] if details is None else details, "comparison": []},
        "zone_details": {"current": {str(zone["zone_id"]): zone}, "comparison": {}},
    }


DAYS = ZoneVisitors("2025-03-01", "2025-03-03", aggregate_by="dayofmonth", location=124)
RATES = DropInRate("2025-03-01", "2025-03-03", interval="day", location=124)


def asking(**changes: Any) -> ZoneVisitors:
    """Ask for the days of DAYS otherwise."""
    wanted: dict[str, Any] = {"aggregate_by": "dayofmonth", "location": 124} | changes
    return ZoneVisitors(wanted.pop("start_date", "2025-03-01"), "2025-03-03", **wanted)


_AT = {"124": {}, "301": {"zone_id": 901, "loc_id": 301}}

# What is certainly not the answer. Each message has what was asked and what the answer says.

OTHER: dict[str, tuple[Query, Any, str]] = {
    "a period that begins later": (
        ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="zone", location=124),
        visits(row(620, label={}), startdate="2025-03-01", enddate="2025-03-31"),
        "2025-01-01.*2025-03-01|2025-03-01.*2025-01-01",
    ),
    "a timestamp of another day": (
        DAYS,
        visits(row(), startdate="2025-02-28T00:00:00Z"),
        "2025-03-01.*2025-02-28|2025-02-28.*2025-03-01",
    ),
    "a row of another day": (
        DAYS,
        visits(row(label={"year": 2025, "month": 3, "dayofmonth": 9})),
        "2025-03-01.*dayofmonth 9",
    ),
    "zones that were not asked for": (asking(zones=[201]), visits(row(), row(zone=202)), "202"),
    "another location": (RATES, rates(loc_id=125), "125"),
    "another bounce threshold": (asking(bounce_threshold=30), visits(row(threshold=120)), "120"),
    "days for hours": (asking(aggregate_by="hour"), visits(row()), "hour"),
    "an interval of another name": (
        DropInRate("2025-03-01", "2025-03-03", interval="hour", location=124),
        rates(),
        "hour",
    ),
    "no comparison": (
        asking(comparison_start_date="2025-02-01", comparison_end_date="2025-02-03"),
        visits(row()),
        "comparison",
    ),
    "a comparison with other days": (
        asking(comparison_start_date="2025-02-01", comparison_end_date="2025-02-03"),
        visits(row(), comparison={"startdate": "2025-02-26", "enddate": "2025-02-28", "insights": []}),
        "2025-02-26",
    ),
    "truncated": (DAYS, visits(row()) | {"truncated": True, "count": 744}, "truncated"),
    "more behind a link": (DAYS, visits(row()) | {"next": "https://api.indivd.com/?page=2"}, "next"),
    "more inside the period": (DAYS, visits(row(), has_more=True), "has_more"),
    "more than came": (DAYS, visits(row()) | {"total": 744}, "744"),
    "days as dates, over two clocks": (
        DropInRate("2025-03-01", "2025-03-03", interval="day", location=[124, 301]),
        lambda params: rates({"date": "2025-03-01"}, **_AT[params["location"]]),
        "date|loc",
    ),
    "weeks under other names": (
        LineCrosses("2025-01-06", "2025-03-23", aggregate_by="week", location=124, category=1),
        [{"_id": {"isoWeekYear": 2025, "isoWeek": week}, "count": week} for week in range(2, 13)],
        "week",
    ),
}


@pytest.mark.parametrize("name", OTHER)
async def test_what_is_not_the_answer_is_refused(name: str) -> None:
    """With both values, so that a user sees at once which of the two is odd."""
    query, document, said = OTHER[name]
    with pytest.raises(AnswerMismatchError, match=f"(?s){said}"):
        await fetch(query, document)


@pytest.mark.parametrize("name", OTHER)
async def test_a_stream_and_an_export_refuse_it_too(name: str, tmp_path: Path) -> None:
    """As a piece that failed, in the way each of them tells of one."""
    query, document, _ = OTHER[name]
    async with AsyncIndivd("token", transport=Service(document)) as client:
        async with client.stream([query]) as chunks:
            errors = [chunk.error async for chunk in chunks]
        assert any(isinstance(error, AnswerMismatchError) for error in errors)
        report = await export(client, query, tmp_path / "folder")
        assert not report.complete
        assert any(isinstance(failure.error, AnswerMismatchError) for failure in report.failures)


@pytest.mark.parametrize(
    ("places", "headers"),
    [
        ({"results": PLACES, "next": "https://api.indivd.com/filters/locations?page=2"}, {}),
        ({"locations": PLACES, "total": 40}, {}),
        (PLACES, {"Link": '<https://api.indivd.com/filters/locations?page=2>; rel="next"'}),
        (PLACES, {"X-Total-Count": "40"}),
        (PLACES, {"Content-Range": "items 0-1/40"}),
    ],
    ids=["next", "total", "Link", "X-Total-Count", "Content-Range"],
)
async def test_a_page_of_locations_is_not_all_of_them(places: Any, headers: dict[str, str]) -> None:
    """Nor is what is asked of them."""
    everything = ZoneVisitors("2025-03-01", "2025-03-03", aggregate_by="dayofmonth")
    with pytest.raises(AnswerMismatchError):
        await fetch(everything, visits(row()), places=places, headers=headers)


# What may not be the answer.


async def test_weeks_under_other_names_stay_apart() -> None:
    """Where the grouping was left to the API they are eleven rows, with a note; never one."""
    query = ZoneVisitors("2025-01-06", "2025-03-23", location=124)
    rows = [row(week, label={"isoWeekYear": 2025, "isoWeek": week}) for week in range(2, 13)]
    result = await fetch(query, visits(*rows, startdate="2025-01-06", enddate="2025-03-23"))
    assert sorted(found.visits for found in result) == list(range(2, 13))
    assert result.notes


async def test_weeks_without_their_year_are_never_added() -> None:
    """Two years are two requests, and week 10 of one is not that of the other."""
    query = LineCrosses("2024-03-01", "2025-03-31", aggregate_by="week", location=124, category=1)

    def answer(params: dict[str, str]) -> Any:
        return [{"_id": {"week": 10}, "count": 5 if params["start_date"] < "2025" else 7}]

    try:
        result = await fetch(query, answer)
    except MergeConflictError as error:
        assert "week 10" in str(error)  # noqa: PT017  either is right
    else:
        assert sorted(found.count for found in result) == [5, 7]
        assert result.notes


async def test_rows_that_come_twice_are_told() -> None:
    """As a note where they stand for themselves, as an error where they are kept."""
    document = visits(row(10), row(7), row(10), row(7))
    try:
        result = await fetch(DAYS, document)
    except AnswerMismatchError:
        return
    assert result.notes


async def test_a_rate_that_is_a_fraction_is_told() -> None:
    """66 of 100 is 66.0 per cent and not 0.66."""
    result = await fetch(RATES, rates(drop_in_rate=0.66, enter_percentage=0.66))
    assert result.notes


async def test_a_summary_that_is_not_the_sum_is_told() -> None:
    """And stays as it came."""
    result = await fetch(RATES, rates(enter=40, enter_percentage=80.0))
    assert result.summary.current.enter == 40
    assert result.notes


async def test_a_warning_is_told() -> None:
    """On top and in a period."""
    for document in (visits(row()) | {"warning": "two cameras were offline"}, visits(row(), message="preliminary")):
        result = await fetch(DAYS, document)
        assert [found.visits for found in result] == [5]
        assert result.notes


# What means the same.


async def test_whole_floats_and_ids_that_are_numbers_are_read() -> None:
    """284.0 is 284, and a customer's own id for a location may look like a number."""
    result = await fetch(DAYS, visits(row(284.0)))
    assert result[0].visits == 284
    assert type(result[0].visits) is int
    document = rates()
    document["zone_details"]["current"]["201"]["location_custom_id"] = 1042
    found = await fetch(RATES, document)
    assert found.zone_details.current[201].location_custom_id == "1042"
    assert not found.notes


async def test_quartiles_of_nobody_are_null() -> None:
    """A row that counts nobody has statistics without numbers."""
    nobody = {"mean": None, "min": None, "max": None, "quantiles": [None, None, None], "n": 0}
    result = await fetch(
        DAYS, visits(row(), row(0, label={"year": 2025, "month": 3, "dayofmonth": 2}, dwell_time_stats=nobody))
    )
    assert [found.visits for found in result] == [5, 0]
    stats = result[1].dwell_time_stats
    assert stats is None or (stats.n, stats.mean) == (0, None)


@pytest.mark.parametrize("form", ["{}T00:00:00Z", "{} 00:00:00", "{}T00:00:00.000+01:00"])
async def test_timestamps_are_dates(form: str) -> None:
    """However they are written."""
    document = visits(row(), startdate=form.format("2025-03-01"), enddate=form.format("2025-03-03"))
    result = await fetch(DAYS, document)
    assert [found.visits for found in result] == [5]


async def test_a_label_wider_than_16_bits_is_kept(tmp_path: Path) -> None:
    """A week of 202510 stands in tables and folders as it came, or is refused before: it overflows nowhere."""
    query = ZoneVisitors("2025-03-01", "2025-04-15", location=124)
    document = visits(row(label={"week": 202510}), startdate="2025-03-01", enddate="2025-04-15")
    async with AsyncIndivd("token", transport=Service(document)) as client:
        result = await client.fetch(query)
        assert result.to_dicts()[0]["week"] == 202510
        report = await export(client, query, tmp_path / "folder")
        assert report.complete
        table = pyarrow.dataset.dataset(str(tmp_path / "folder"), format="parquet").to_table()
        assert table["week"].to_pylist() == [202510]


async def test_a_basic_place_beside_a_pro_one_on_the_same_clock(tmp_path: Path) -> None:
    """Its uniques are None in a fetch, in a stream and in a folder alike; the other's are counted."""
    world = sandbox.World(scale=0.5)
    query = ZoneVisitors("2025-03-01", "2025-03-07", location=[124, 140], aggregate_by="zone")
    async with AsyncIndivd("sandbox-mixed", transport=sandbox.transport(world)) as client:
        result = await client.fetch(query)
        async with client.stream([query]) as chunks:
            streamed = [found async for chunk in chunks for found in chunk.rows]
        await export(client, query, tmp_path / "folder")
    exported = pyarrow.dataset.dataset(str(tmp_path / "folder"), format="parquet").to_table().to_pylist()
    told = {
        "fetch": {found.aggregation.zone_id: found.unique_visits for found in result},
        "stream": {found.aggregation.zone_id: found.unique_visits for found in streamed},
        "export": {found["zone_id"]: found["unique_visits"] for found in exported},
    }
    assert told["fetch"] == told["stream"] == told["export"]
    assert {zone for zone, unique in told["fetch"].items() if unique is None} == {361, 362, 363, 364}
    assert all(told["fetch"][zone] for zone in (201, 202, 203, 204))
    assert "unlicensed_metrics" in kinds(result)
    with pytest.raises(NotMergeableError, match="unique_visits"):
        result.unique_visits_bounds()
