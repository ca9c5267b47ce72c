"""What is shown of results: enough to know what one holds, never all of it."""

from __future__ import annotations

import html
import pickle
from typing import Any
from unicodedata import combining, east_asian_width

import attrs
import duckdb
import pandas
import polars
import pyarrow
import pytest

from indivd_async import (
    AsyncIndivd,
    DropInRate,
    LineCrosses,
    Listed,
    Location,
    Note,
    Query,
    ServerError,
    Stats,
    Zone,
    ZoneVisitors,
    sandbox,
)
from indivd_async.models import FrozenMap

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

QUERIES = [
    pytest.param(LineCrosses("2025-01-01", "2025-03-31", aggregate_by="hour", per="location", category=1), id="lines"),
    pytest.param(ZoneVisitors("2025-01-01", "2025-02-28", aggregate_by="hour"), id="visits"),
    pytest.param(DropInRate("2025-05-01", "2025-05-31", interval="hour"), id="rates"),
    pytest.param(LineCrosses("2025-06-02", "2025-06-04", location=124, line_ids=[1]), id="nothing"),
]


async def fetch(query: Query) -> tuple[Any, list[Any]]:
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
        result = await client.fetch(query)
        async with client.stream(query) as chunks:
            return result, [chunk async for chunk in chunks]


def values_of(result: Any, chunks: list[Any]) -> list[Any]:
    parts = [getattr(result, name, None) for name in ("current", "summary", "details", "zone_details")]
    answers = [chunk.answer for chunk in chunks]
    return [result, result.plan, result.coverage, result.notes, *parts, *chunks, *answers]


@pytest.mark.parametrize("query", QUERIES)
async def test_nothing_shown_is_long(query: Query) -> None:
    """However many rows there are; and none of it, in text or HTML, has the token."""
    result, chunks = await fetch(query)
    for value in values_of(result, chunks):
        for text in (repr(value), str(value)):
            assert text.count("\n") < 40
            assert len(text) < 4_000 + 400 * len(result.coverage)
            assert "Token" not in text
    assert repr(result).count("\n") < 20


async def test_a_result_shows_question_rows_and_notes() -> None:
    """The class, what was asked, some rows with names and moments, and what there is to know."""
    result, _ = await fetch(ZoneVisitors("2025-03-01", "2025-03-07", location=[124, 127]))
    lines = repr(result).splitlines()
    assert lines[0] == "ZoneVisitorsResult: 52 rows, requests: 2"
    assert lines[1] == "zone_visitors 2025-03-01 to 2025-03-07, location=(124, 127)"
    assert lines[2].split()[:4] == ["bucket_start", "loc_id", "loc_name", "zone_id"]
    assert "Fifth Avenue" in repr(result)
    assert lines[9] == "…"
    shown = result._repr_html_()
    assert shown.count("<tr>") == 7
    rates, _ = await fetch(DropInRate("2025-03-01", "2025-03-07", location=124))
    assert "note: Some drop-in rates are above 100 %" in str(rates)
    assert repr(rates).startswith(
        "DropInRateResult: 6 rows of all zones together (below: of 3 zones each), requests: 1\n"
    )
    note = next(note for note in rates.notes if note.kind == "drop_in_over_100")
    assert note.message in str(rates)
    assert html.escape(note.message) in rates._repr_html_()
    hours, _ = await fetch(LineCrosses("2025-03-01", "2025-03-01", location=124, aggregate_by="hour"))
    assert repr(hours).splitlines()[2].split()[-2:] == ["weekday", "count"]
    assert "dayofmonth" not in repr(hours)


async def test_text_from_elsewhere_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of zones cannot steer a terminal, or write into a page."""
    result, _ = await fetch(ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="zone"))
    row = result[0]
    object.__setattr__(row.aggregation, "zone_name", "\x1b[2J<b>")
    assert "\\x1b[2J<b>" in repr(result)
    assert "&lt;b&gt;" in result._repr_html_()


async def test_wide_letters_stand_in_line() -> None:
    """Letters that take two columns of a terminal, or none, move nothing; long names are cut."""
    result, _ = await fetch(ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="zone"))
    names = ["\u6771\u4eac\u99c5", "Caf\u0065\u0301", "x" * 500, None]
    for row, name in zip(result, names, strict=True):
        object.__setattr__(row.aggregation, "zone_name", name)
    head, *rows = repr(result).splitlines()[2:7]
    columns = [sum({"W": 2}.get(east_asian_width(one), not combining(one)) for one in row) for row in rows]
    assert columns == [len(head)] * 4
    assert rows[2].count("x") == 23
    listed = Listed([Zone(id=1, name="x" * 500)], Zone)
    assert max(map(len, repr(listed).splitlines())) < 80


async def test_moments_tell_their_clock() -> None:
    """One line names the clocks of all answers, or says that nobody knows them; a period's those of all its rows."""
    several, _ = await fetch(ZoneVisitors("2025-03-01", "2025-03-07", location=[124, 127]))
    assert "clock of bucket_start: America/New_York, Europe/Stockholm" in repr(several).splitlines()
    assert repr(several.current).splitlines()[-1] == "clock of bucket_start: America/New_York, Europe/Stockholm"
    everywhere, _ = await fetch(ZoneVisitors("2025-03-01", "2025-03-07"))
    assert repr(everywhere).splitlines()[-1].endswith("Europe/Berlin, Europe/London, Europe/Stockholm")
    lines, _ = await fetch(LineCrosses("2025-03-01", "2025-03-01", location=124))
    assert "clock of bucket_start: not documented" in repr(lines)
    whole, _ = await fetch(ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="zone"))
    assert "clock" not in repr(whole)


async def test_a_period_is_a_table_too() -> None:
    """With names, dates and units; what is few words shows them in a notebook, too."""
    query = ZoneVisitors(
        "2025-03-01", "2025-03-07", comparison_start_date="2025-02-01", comparison_end_date="2025-02-07"
    )
    result, (chunk, *_) = await fetch(query)
    for period, first in ((result.current, "2025-03-01"), (result.comparison, "2025-02-01")):
        lines = repr(period).splitlines()
        assert lines[0] == f"ZoneVisitorsPeriod {first} to {period.enddate}: {len(period.insights)} rows"
        assert lines[1].split()[:5] == ["bucket_start", "loc_id", "loc_name", "zone_id", "zone_name"]
        assert lines[1].split()[5:] == ["visits", "unique_visits", "bounce", "dwell_mean_s"]
        assert period._repr_html_().count("<tr>") == 7
    assert "comparison_start_date=2025-02-01" in repr(result)
    rates, _ = await fetch(DropInRate("2025-03-01", "2025-03-02", location=124))
    assert "drop_in_rate %" in repr(rates)
    assert "drop_in_rate %" in rates._repr_html_()
    values = (chunk, *result.coverage, *rates.notes, rates.summary, rates.details, rates.zone_details, Stats())
    for value in values:
        assert value._repr_html_() == f"<pre>{html.escape(repr(value))}</pre>"


async def test_a_mapping_of_many_is_cut() -> None:
    """Of ten thousand zones nobody reads the end."""
    many = FrozenMap(dict.fromkeys(range(10_000), "x" * 100))
    assert len(repr(many)) < 5_000


async def test_many_notes_are_cut() -> None:
    """The first few, and how many more there are."""
    result, _ = await fetch(ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="zone"))
    notes = tuple(Note(kind=f"kind {n}", message=f"message {n}") for n in range(8))
    lines = repr(attrs.evolve(result, notes=notes)).splitlines()
    assert lines[-1] == "and 3 more notes"
    assert lines[-2] == "note: message 4"


async def test_a_frame_of_objects_is_refused() -> None:
    """Whoever hands a result to pandas as it is, is told what to write; polars takes it as columns, chunks too."""
    result, (chunk,) = await fetch(ZoneVisitors("2025-03-01", "2025-03-07", location=124))
    with pytest.raises(TypeError, match=r"pandas\.DataFrame\.from_arrow\(it\)"):
        pandas.DataFrame(result)
    with pytest.raises(TypeError, match=r"plan\.explain\(\)"):
        pandas.DataFrame(result.plan)
    assert polars.DataFrame(chunk).to_dicts() == chunk.to_dicts() == result.to_dicts()


LISTS = ("locations", "zones", "categories", "lines", "organizations")


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_is_a_tuple_that_shows_itself_and_is_a_table(name: str) -> None:
    """It counts, compares, slices, unpacks and pickles as a tuple does; frames have a column a field, never objects."""
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
        listed = await getattr(client, name)()
    entries = tuple(listed)
    assert (listed, entries, len(listed), hash(listed)) == (entries, listed, len(entries), hash(entries))
    assert (listed[0], listed[-1], listed[:1], list(reversed(listed))[-1]) == (
        entries[0],
        entries[-1],
        entries[:1],
        entries[0],
    )
    assert (listed.index(entries[1]), listed.count(entries[1]), entries[1] in listed) == (1, 1, True)
    assert (*listed, 1) == listed + (1,) == entries + (1,)  # noqa: RUF005  that is what is tried
    assert (1,) + listed == (1, *entries)  # noqa: RUF005
    assert listed != entries[1:]
    again = pickle.loads(pickle.dumps(listed))
    assert (again, repr(again)) == (listed, repr(listed))
    lines = repr(listed[:5]).splitlines()
    assert lines[0] == f"{len(entries[:5])} {name}"
    assert lines[1].split()[:2] == ["id", "name"]
    assert len(repr(listed).splitlines()) <= 20
    assert listed._repr_html_().count("<tr>") <= 13
    dicts = listed.to_dicts()
    assert [one["id"] for one in dicts] == [entry.id for entry in entries]
    assert polars.DataFrame(listed).to_dicts() == pyarrow.table(listed).to_pylist() == dicts
    assert duckdb.sql("SELECT max(id) FROM listed").fetchall() == [(max(one["id"] for one in dicts),)]
    assert list(pandas.DataFrame.from_arrow(listed).columns) == list(dicts[0])
    with pytest.raises(TypeError, match=r"pandas\.DataFrame\(it\.to_dicts\(\)\)"):
        pandas.DataFrame(listed)


async def test_an_empty_list_has_the_columns_of_a_full_one() -> None:
    """Whoever joins frames meets no missing column."""
    nothing: Listed[Location] = Listed((), Location)
    assert (repr(nothing), nothing, bool(nothing)) == ("0 locations", (), False)
    assert polars.DataFrame(nothing).schema["timezone"] == polars.String
    hours = Location(id=1, opening_hours=FrozenMap.freeze({"monday": ["10:00", "19:00"]}))
    assert Listed([hours], Location).to_dicts()[0]["opening_hours"] == '{"monday": ["10:00", "19:00"]}'


async def test_coverage_and_notes_are_tables() -> None:
    """Which days were asked for and what became of them, what failed first; kinds and messages of notes."""
    result, (chunk,) = await fetch(DropInRate("2025-03-01", "2025-03-07", location=124))
    (row,) = polars.DataFrame(result.coverage).to_dicts()
    assert [row[name] for name in ("period", "start_date", "end_date", "status", "rows", "attempts", "problem")] == [
        *("current", "2025-03-01", "2025-03-07", "ok", len(chunk.rows), 1, None)
    ]
    assert row["asked"].startswith("GET /")
    assert row["reason"] == result.coverage[0].request.reason
    assert repr(result.coverage).splitlines()[0] == "1 request"
    assert polars.DataFrame(result.notes)["kind"].to_list() == [note.kind for note in result.notes]
    assert repr(chunk.notes).startswith(f"{len(chunk.notes)} note")
    ok = result.coverage[0]
    failed = attrs.evolve(ok, status="failed", rows=0, error=ServerError("503 for it.", status=503))
    lines = repr(attrs.evolve(result, coverage=[ok] * 20 + [failed]).coverage).splitlines()
    assert lines[0] == "21 requests, 1 failed:"
    assert len(lines) == 3
    assert "503 for it." in lines[2]
    assert len(repr(attrs.evolve(result, coverage=[failed] * 50).coverage).splitlines()) <= 20
