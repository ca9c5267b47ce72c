"""The flat table of a result: the same in dictionaries, polars, pandas, pyarrow and DuckDB."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import duckdb
import pandas
import polars
import pyarrow
import pytest

from indivd_async import AsyncIndivd, DropInRate, InvalidQueryError, LineCrosses, ServerError, ZoneVisitors, sandbox
from indivd_async.planning import PlannedRequest
from indivd_async.queries import Query
from indivd_async.results import Answer, Block, Chunk, tables
from indivd_async.results.arrow import _nanoarrow_stream, pack, record_batches, scalar
from indivd_async.results.columns import Column
from indivd_async.structuring import place_rows, read_answer

pytestmark = pytest.mark.anyio

QUERIES: dict[str, Query] = {
    "visits of hours, each on its own clock": ZoneVisitors(
        "2025-10-04", "2025-10-05", location=[124, 129, 130], aggregate_by="hour"
    ),
    "visits of hours on one clock, over the end of summer time": ZoneVisitors(
        "2025-10-26", "2025-10-26", location=[125], tz="Europe/Stockholm", aggregate_by="hour"
    ),
    "visits compared": ZoneVisitors(
        "2025-03-03",
        "2025-03-05",
        comparison_start_date="2024-02-28",
        comparison_end_date="2024-03-01",
        location=124,
        min_dwell=20,
        max_dwell=900,
    ),
    "visits of weeks": ZoneVisitors("2025-01-01", "2025-03-31", location=[124, 127], aggregate_by="week"),
    "visits, one total a zone": ZoneVisitors("2025-01-01", "2025-01-07", location=131, aggregate_by="zone"),
    "visits by location": ZoneVisitors(
        "2025-01-06", "2025-01-07", location=[124, 126], aggregate_by="dayofmonth,loc_id"
    ),
    "visits by date and weekday": ZoneVisitors(
        "2025-02-28", "2025-03-02", location=125, aggregate_by="year,month,dayofmonth,dayofweek"
    ),
    "crossings of lines": LineCrosses("2025-06-02", "2025-06-04", location=124, line_ids=[2010, 2012], per="line"),
    "crossings of floors": LineCrosses("2025-06-02", "2025-06-02", location=[124, 127], floor=[-1, 0], per="floor"),
    "drop-in over time zones, compared": DropInRate(
        "2025-05-15",
        "2025-05-16",
        location=[124, 127],
        comparison_start_date="2025-05-08",
        comparison_end_date="2025-05-09",
        interval="hour",
    ),
    "drop-in on one clock": DropInRate("2025-03-08", "2025-03-10", location=127, tz="America/New_York"),
    "no rows": LineCrosses("2025-06-02", "2025-06-04", location=124, line_ids=[1]),
}


@pytest.fixture(params=QUERIES, ids=list(QUERIES))
def query(request: pytest.FixtureRequest) -> Query:
    return QUERIES[request.param]


async def fetch(query: Query, *, token: str = "sandbox") -> Any:
    async with AsyncIndivd(token=token, transport=sandbox.transport()) as client:
        return await client.fetch(query)


def from_polars(result: Any) -> tuple[list[str], list[dict[str, Any]]]:
    frame = polars.DataFrame(result)
    return frame.columns, frame.to_dicts()


def from_pandas(result: Any) -> tuple[list[str], list[dict[str, Any]]]:
    frame = pandas.DataFrame.from_arrow(result)
    rows = [
        {name: None if pandas.isna(cell) else cell for name, cell in row.items()} for row in frame.to_dict("records")
    ]
    return list(frame.columns), rows


def from_pyarrow(result: Any) -> tuple[list[str], list[dict[str, Any]]]:
    table = pyarrow.table(result)
    table.validate(full=True)
    return table.column_names, table.to_pylist()


def from_duckdb(result: Any) -> tuple[list[str], list[dict[str, Any]]]:
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = '{getattr(result.plan.query, 'tz', None) or 'UTC'}'")
        table = connection.from_arrow(result).to_arrow_table()
    # DuckDB shows all moments in one zone, in which an hour may come twice; Python finds such moments equal to nothing.
    utc = table.column("bucket_start_utc").cast(pyarrow.timestamp("us", "UTC"))
    table = table.set_column(table.column_names.index("bucket_start_utc"), "bucket_start_utc", utc)
    return table.column_names, table.to_pylist()


READERS = {"polars": from_polars, "pandas": from_pandas, "pyarrow": from_pyarrow, "duckdb": from_duckdb}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("read", READERS.values(), ids=list(READERS))
async def test_each_reader_sees_every_cell(read: Callable[[Any], Any], query: Query) -> None:
    """A reader of Arrow has the names and the cells that `to_dicts` has."""
    result = await fetch(query)
    expected = result.to_dicts()
    assert bool(expected) == (query is not QUERIES["no rows"])
    columns, rows = read(result)
    assert columns == [column.name for column in tables.schema_of(query)]
    assert rows == expected
    assert all(list(row) == columns for row in expected)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_both_makers_of_arrow_agree(query: Query) -> None:
    """Nanoarrow and pyarrow are handed equal tables, of the schema that the query alone tells."""
    result = await fetch(query)
    columns = tables.schema_of(query)
    packed = list(pack(columns, tables.batches_of(result)))
    one = pyarrow.table(_nanoarrow_stream(columns, packed))
    other = pyarrow.Table.from_batches(record_batches(columns, packed), tables.arrow_schema(query))
    other.validate(full=True)
    assert one.schema == other.schema == tables.arrow_schema(query)
    assert one == other
    assert pyarrow.Table.from_batches(tables.record_batches(result), one.schema) == one


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_chunks_of_a_stream_are_the_same_table(query: Query) -> None:
    """Chunks collected from a stream read as one table, row for row as the merged result where nothing was added up."""
    result = await fetch(query)
    async with (
        AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client,
        client.stream(query, ordered=True) as chunks,
    ):
        collected = [chunk async for chunk in chunks]
    table = tables.ArrowStream(query, collected)
    rows = pyarrow.table(table).to_pylist()
    assert pyarrow.table(table).to_pylist() == rows  # once more
    assert rows == [row for chunk in collected for row in chunk.to_dicts()]
    batches = [batch for chunk in collected for batch in tables.record_batches(chunk)]
    assert pyarrow.Table.from_batches(batches, tables.arrow_schema(query)).to_pylist() == rows

    def order(row: dict[str, Any]) -> list[str]:
        return [repr(cell) for cell in row.values()]

    assert sorted(rows, key=order) == sorted(result.to_dicts(), key=order)


def test_a_failed_chunk_is_not_an_empty_one() -> None:
    """Reading a failed chunk as Arrow raises its error."""
    query = LineCrosses("2025-06-02", "2025-06-04")
    request = PlannedRequest(index=0, endpoint="line_crosses", path="/line_crosses/")
    failed = Chunk(query=query, request=request, error=ServerError("500", status=500))
    assert failed.to_dicts() == []
    for read in (
        lambda: pyarrow.table(tables.ArrowStream(query, [failed])),
        lambda: list(tables.record_batches(failed)),
    ):
        with pytest.raises(ServerError, match="500"):
            read()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_one_clock_makes_moments_aware() -> None:
    """With a clock named, `bucket_start` is aware: the hour that summer time's end repeats begins the first time."""
    query = QUERIES["visits of hours on one clock, over the end of summer time"]
    result = await fetch(query)
    assert polars.DataFrame(result).schema["bucket_start"] == polars.Datetime("us", "Europe/Stockholm")
    starts = {row["hour"]: row["bucket_start"] for row in result.to_dicts()}
    assert starts[2].isoformat() == "2025-10-26T02:00:00+02:00"
    assert starts[3].isoformat() == "2025-10-26T03:00:00+01:00"
    read = {row["hour"]: row["bucket_start"] for row in pyarrow.table(result).to_pylist()}
    assert {hour: start.timestamp() for hour, start in read.items()} == {
        hour: start.timestamp() for hour, start in starts.items()
    }


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_several_clocks_leave_moments_naive() -> None:
    """Where each location has its own clock, `bucket_start` is local time and `tz` says whose."""
    result = await fetch(QUERIES["visits of hours, each on its own clock"])
    frame = polars.DataFrame(result)
    assert frame.schema["bucket_start"] == polars.Datetime("us", None)
    assert set(frame["tz"]) == {"Europe/Stockholm", "Asia/Kathmandu", "Australia/Lord_Howe"}
    row = result.to_dicts()[0]
    assert row["bucket_start"] == datetime(row["year"], row["month"], row["dayofmonth"], row["hour"])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_weeks_have_no_start() -> None:
    """The numbering of weeks is not documented, so nothing is computed from it."""
    rows = (await fetch(QUERIES["visits of weeks"])).to_dicts()
    assert rows
    assert {row["bucket_start"] for row in rows} == {None}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_plan_does_not_measure_is_null() -> None:
    """Of a Basic plan only visits have figures."""
    result = await fetch(ZoneVisitors("2025-03-03", "2025-03-05", location=140), token="sandbox-basic")
    frame = polars.DataFrame(result)
    assert frame["visits"].sum() > 0
    for name in (
        "unique_visits",
        "bounce",
        "dwell_mean_s",
        "dwell_min_s",
        "dwell_max_s",
        "dwell_q25_s",
        "dwell_q50_s",
        "dwell_q75_s",
        "dwell_n",
    ):
        assert frame[name].null_count() == len(frame), name
    assert frame.to_dicts() == result.to_dicts()


def chunk_of(query: Query, body: object, *, period: str = "current", tz: str | None = None) -> Chunk:
    name = query.endpoint.name
    locations = getattr(query, "location", None)
    request = PlannedRequest(
        index=0, endpoint=name, path=query.endpoint.path, period=period, tz=tz, locations=locations
    )
    answer = read_answer(request, json.dumps(body).encode())
    place_rows(answer, request, {}, {})
    return Chunk(query=query, request=request, answer=answer)


def visits(zone_id: int, **fields: object) -> dict[str, object]:
    place = {"year": 2025, "month": 3, "dayofmonth": 1, "zone_id": zone_id}
    return {"visits": 5, "aggregation": place | fields.pop("place", {}), **fields}  # type: ignore[operator]


def test_rows_without_statistics_stand_beside_those_with() -> None:
    """Whatever a row lacks is null in its row only; quantiles that are not three have no names."""
    stats = {"mean": 2.5, "min": 1.0, "max": 9.0, "quantiles": [2.0, 3.0, 4.0], "n": 7}
    insights = [
        visits(1, dwell_time_stats=stats, place={"zone_name": "Café", "loc_id": 9}),
        visits(2, place={"zone_name": ""}),
        visits(3, dwell_time_stats=stats | {"quantiles": [2.0, 4.0]}, exclude={"min_dwell_time": 3}),
        visits(4, place={"year": None, "week": 9}),
    ]
    query = ZoneVisitors("2025-03-01", "2025-03-01")
    chunk = chunk_of(query, {"current": {"insights": insights}, "comparison": {}})
    rows = chunk.to_dicts()
    assert pyarrow.table(tables.ArrowStream(query, [chunk])).to_pylist() == rows
    assert polars.DataFrame(tables.ArrowStream(query, [chunk])).to_dicts() == rows

    def column(name: str) -> list[Any]:
        return [row[name] for row in rows]

    assert column("zone_name") == ["Café", "", None, None]
    assert column("loc_id") == [9, None, None, None]
    assert column("dwell_q25_s") == [2.0, None, None, None]
    assert column("dwell_mean_s") == [2.5, None, 2.5, None]
    assert column("visits_below_min_dwell") == [None, None, 3, None]
    assert column("bucket_start") == [datetime(2025, 3, 1)] * 3 + [None]
    assert column("week") == [None, None, None, 9]


@pytest.mark.parametrize(
    ("location", "expected"), [(124, [9, 124]), (None, [9, None])], ids=["a row tells its own", "nobody tells"]
)
def test_a_row_that_tells_its_location_is_believed(location: int | None, expected: list[int | None]) -> None:
    """The query's location fills in only where no row tells one."""
    insights = [visits(1, place={"loc_id": 9}), visits(2)]
    chunk = chunk_of(
        ZoneVisitors("2025-03-01", "2025-03-01", location=location),
        {"current": {"insights": insights}, "comparison": {}},
    )
    assert [row["loc_id"] for row in chunk.to_dicts()] == expected


def test_a_single_location_is_told() -> None:
    """Rows that came of a question for one location belong to it."""
    query = ZoneVisitors("2025-03-01", "2025-03-01", location=124)
    chunk = chunk_of(query, {"current": {"insights": [visits(1), visits(2)]}, "comparison": {}})
    assert [row["loc_id"] for row in chunk.to_dicts()] == [124, 124]


def test_a_request_of_the_comparison_period_brings_comparison_rows() -> None:
    """A request for the second period alone answers in the block `current`; its rows are of the comparison."""
    query = ZoneVisitors(
        "2025-03-01", "2025-03-01", comparison_start_date="2025-02-01", comparison_end_date="2025-02-28"
    )
    body = {"current": {"insights": [visits(1)]}, "comparison": {}}
    assert [row["period"] for row in chunk_of(query, body, period="comparison").to_dicts()] == ["comparison"]
    body = {"current": {"insights": [visits(1)]}, "comparison": {"insights": [visits(1), visits(2)]}}
    periods = [row["period"] for row in chunk_of(query, body, period="both").to_dicts()]
    assert periods == ["current", "comparison", "comparison"]


@pytest.mark.parametrize("zones", [1, 200], ids=["one zone", "many zones"])
def test_more_rows_than_a_batch_holds(zones: int) -> None:
    """Rows beyond a batch go into the next."""
    insights = [
        visits(zone, place={"year": 1 + n // 12, "month": 1 + n % 12}) for n in range(9000) for zone in range(1)
    ]
    query = ZoneVisitors("2025-03-01", "2025-03-01", tz="Asia/Kathmandu")
    chunk = chunk_of(query, {"current": {"insights": insights}, "comparison": {}}, tz="Asia/Kathmandu")
    table = pyarrow.table(tables.ArrowStream(query, [chunk]))
    assert len(table) == 9000 > tables.BATCH_ROWS
    assert table.column("tz").unique().to_pylist() == ["Asia/Kathmandu"]
    assert table.column("bucket_start")[-1].as_py() == datetime(750, 12, 1, tzinfo=ZoneInfo("Asia/Kathmandu"))


def test_a_number_that_fits_no_column_is_not_cut() -> None:
    """A label may be as large as a week with its year; a number too large for its column is refused by name."""
    query = LineCrosses("2025-03-01", "2025-03-01")
    chunk = chunk_of(query, [{"_id": {"year": 2025, "week": 202_510}, "count": 1}])
    assert pyarrow.table(tables.ArrowStream(query, [chunk])).column("week").to_pylist() == [202_510]
    (row,) = chunk.rows
    too_large = attrs.evolve(row, bucket=attrs.evolve(row.bucket, week=2**63))
    chunk = attrs.evolve(chunk, answer=Answer(current=Block(rows=(too_large,))))
    table = tables.ArrowStream(query, [chunk])
    for _ in range(2):  # whoever reads it again must not get what is left
        with pytest.raises(OverflowError, match="week: a value does not fit int64"):
            pyarrow.table(table)


@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        (("nanoarrow",), ""),
        (("nanoarrow", "pyarrow"), "the extra `arrow`"),
    ],
    ids=["pyarrow serves", "neither"],
)
def test_what_is_not_installed(hidden: tuple[str, ...], message: str) -> None:
    """Arrow works with either library; without both the error names the extra, and dictionaries need none."""
    code = f"""
import sys
for name in {hidden!r}:
    sys.modules[name] = None
from indivd_async import LineCrosses
from indivd_async.results import tables
empty = tables.ArrowStream(LineCrosses("2025-03-01", "2025-03-01"), [])
try:
    print(type(empty.__arrow_c_stream__()).__name__)
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (message or "PyCapsule") in done.stdout


def test_parquet_without_pyarrow_names_the_extra() -> None:
    """Files need pyarrow; the error says where to get it."""
    code = """
import sys
sys.modules["pyarrow"] = None
from indivd_async import LineCrosses
from indivd_async.results import tables
tables.arrow_schema(LineCrosses("2025-03-01", "2025-03-01"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "indivd-async[parquet]" in done.stderr


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_order_of_rows_does_not_depend_on_answers() -> None:
    """Rows of drop-in zones stand in the order of buckets, then zones."""
    result = await fetch(QUERIES["drop-in over time zones, compared"])
    keys = [(row["period"] == "comparison", row["bucket_start"], row["zone_id"]) for row in result.to_dicts()]
    assert keys == sorted(keys)


def test_columns_are_values() -> None:
    """A column's name and kind can be compared and hashed."""
    column = tables.schema_of(LineCrosses("2025-03-01", "2025-03-01"))[-1]
    assert column == tables.Column("count", "int64")
    assert attrs.evolve(column, name="other") != column


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_all_tables_begin_alike(query: Query) -> None:
    """When, and where, whatever was asked; and every column says what it is."""
    names = [column.name for column in tables.schema_of(query)]
    assert names[:8] == [
        *("period", "bucket_start", "bucket_start_utc", "tz"),
        *("loc_id", "loc_name", "zone_id", "zone_name"),
    ]
    assert all(column.meaning for column in tables.schema_of(query))
    for row in (await fetch(query)).to_dicts():
        start, utc = row["bucket_start"], row["bucket_start_utc"]
        assert start is not None or row["dayofmonth"] is None or row["year"] is None
        if row["tz"] is None or start is None:
            assert utc is None
        else:
            local = utc.astimezone(ZoneInfo(row["tz"]))
            assert local.replace(tzinfo=None) == start.replace(tzinfo=None)
            if row["dayofmonth"] is not None:
                assert row["weekday"] == local.isoweekday()


@pytest.mark.parametrize(
    ("kind", "value"),
    [("string", "Drottninggatan"), ("string", None), ("int64", 124), ("float64", 46.8), ("int64", None)],
)
def test_one_value_of_a_column_has_its_type(kind: Any, value: Any) -> None:
    """As exports compare with it; null stays null."""
    made = scalar(Column("some", kind), value)
    assert made.as_py() == value
    assert str(made.type) in {kind, {"float64": "double"}.get(kind)}


def test_one_table_is_of_queries() -> None:
    """Anything else among them is named."""
    with pytest.raises(InvalidQueryError, match=r"must be of LineCrosses, ZoneVisitors, DropInRate.*'zone_visitors'"):
        tables.check_same_columns([ZoneVisitors("2025-03-01", "2025-03-02"), "zone_visitors"])  # type: ignore[list-item]


def test_one_table_has_one_schema() -> None:
    """Of queries whose answers have other columns, or other clocks, none is made; nor of none."""
    first = ZoneVisitors("2025-03-01", "2025-03-02", tz="UTC")
    assert tables.check_same_columns([first, ZoneVisitors("2024-03-01", "2024-03-02", tz="UTC", location=124)]) is first
    for other in (LineCrosses("2025-03-01", "2025-03-02", location=124), ZoneVisitors("2025-03-01", "2025-03-02")):
        with pytest.raises(InvalidQueryError, match="must all be of one endpoint, and on the same clock"):
            tables.check_same_columns([first, other])
    with pytest.raises(InvalidQueryError, match="must be at least one"):
        tables.check_same_columns([])


def test_a_chunk_is_batches_under_the_schema_of_its_query() -> None:
    """As exports write it, each batch with all columns; and it shows itself as its question."""
    query = ZoneVisitors("2025-03-01", "2025-03-02", location=124, tz="Europe/Stockholm")
    chunk = chunk_of(query, {"current": {"startdate": "a", "enddate": "b", "insights": [visits(201)]}})
    (batch,) = tables.record_batches(chunk)
    assert batch.schema == tables.arrow_schema(query)
    assert (batch.num_rows, batch.column("zone_id").to_pylist()) == (1, [201])
    assert repr(tables.ArrowStream(query, [chunk])).startswith("<ArrowStream of zone_visitors 2025-03-01 to 2025-03-02")
