"""What is shown of results: enough to know what one holds, never all of it."""

from __future__ import annotations

from typing import Any

import attrs
import pandas
import polars
import pytest

from indivd_async import AsyncIndivd, DropInRate, LineCrosses, Note, Query, ZoneVisitors, sandbox

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


async def test_text_from_elsewhere_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of zones cannot steer a terminal, or write into a page."""
    result, _ = await fetch(ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="zone"))
    row = result[0]
    object.__setattr__(row.aggregation, "zone_name", "\x1b[2J<b>")
    assert "\\x1b[2J<b>" in repr(result)
    assert "&lt;b&gt;" in result._repr_html_()


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
    with pytest.raises(TypeError, match=r"pandas\.DataFrame\.from_arrow\(result\)"):
        pandas.DataFrame(result)
    assert polars.DataFrame(chunk).to_dicts() == chunk.to_dicts() == result.to_dicts()
