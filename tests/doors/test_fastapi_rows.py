"""Flat rows as FastAPI answers: the columns of the table, as models and in OpenAPI."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from scripted import Params, Script, visits_by_day
from visiting import TestClient

from indivd_async import (
    AsyncIndivd,
    DropInRate,
    DropInRateResult,
    LineCrosses,
    LineCrossesResult,
    RetryPolicy,
    ZoneVisitors,
    ZoneVisitorsResult,
    sandbox,
)
from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, response_model, rows_model
from indivd_async.results.tables import schema_of

QUESTIONS = [
    pytest.param(LineCrosses, LineCrossesResult, {"location": 124, "aggregate_by": "hour"}, id="line_crosses"),
    pytest.param(ZoneVisitors, ZoneVisitorsResult, {"location": 124, "aggregate_by": "hour"}, id="zone_visitors"),
    pytest.param(DropInRate, DropInRateResult, {"location": 124, "interval": "day"}, id="drop_in_rate"),
]


@pytest.mark.parametrize(("query", "result", "params"), QUESTIONS)
def test_an_answer_is_the_table(query: Any, result: Any, params: dict[str, Any]) -> None:
    """A route returns the result as it is; each row is as in to_dicts(), and OpenAPI has every column."""
    app = FastAPI(lifespan=lifespan(token="sandbox", transport=sandbox.transport()))
    question = query("2025-03-01", "2025-03-03", **params)

    @app.get("/rows", response_model=rows_model(result))
    async def rows(client: IndivdDep) -> Any:
        return await client.fetch(question)

    async def fetch() -> Any:
        async with AsyncIndivd("sandbox", transport=sandbox.transport()) as client:
            return await client.fetch(question)

    with TestClient(app) as visitor:
        answer = visitor.get("/rows").json()
        schemas = visitor.get("/openapi.json").json()["components"]["schemas"]
    expected = anyio.run(fetch).to_dicts()
    plain = json.loads(rows_model(query).model_validate(expected).model_dump_json())
    assert answer == plain
    assert [[*row] for row in answer] == [[*row] for row in expected]
    assert len(answer) >= 3
    for told, row in zip(answer, expected, strict=True):
        assert {name: told[name] for name, value in row.items() if not hasattr(value, "isoformat")} == {
            name: value for name, value in row.items() if not hasattr(value, "isoformat")
        }
    columns = [column.name for column in schema_of(question)]
    assert [*schemas[f"{query.__name__}TableRow"]["properties"]] == columns
    assert schemas[f"{query.__name__}TableRow"]["required"] == columns
    described = schemas[f"{query.__name__}TableRow"]["properties"]
    assert {name: described[name]["description"] for name in columns} == {
        column.name: column.meaning for column in schema_of(question)
    }


def test_the_nested_model_and_the_flat_one_stand_beside_each_other() -> None:
    """One application has both, and OpenAPI calls them by names of their own."""
    app = FastAPI()

    @app.get("/nested", response_model=response_model(ZoneVisitorsResult))
    async def nested() -> None: ...

    @app.get("/flat", response_model=rows_model(ZoneVisitors))
    async def flat() -> None: ...

    @app.get("/debug", response_model=response_model(ZoneVisitorsResult, upstream=True))
    async def debug() -> None: ...

    schemas = app.openapi()["components"]["schemas"]
    assert {"ZoneVisitorsResult", "ZoneVisitorsResultUpstream", "ZoneVisitorsTable", "ZoneVisitorsTableRow"} <= set(
        schemas
    )


def test_rows_fit_into_a_model_of_the_users() -> None:
    """A page of rows with whatever else it has."""

    class Page(BaseModel):
        rows: rows_model(ZoneVisitors)  # type: ignore[valid-type]
        complete: bool

    async def fetch() -> Any:
        async with AsyncIndivd("t", transport=Script(visits_by_day)) as client:
            return await client.zone_visitors("2025-03-01", "2025-03-02", location=124, aggregate_by="dayofmonth")

    result = anyio.run(fetch)
    page = Page(rows=result, complete=result.complete).model_dump(mode="json")
    assert [row["visits"] for row in page["rows"]] == [1, 2]


def test_a_table_does_not_hide_what_is_missing() -> None:
    """A result in part is an error, since a table has no place to say so."""

    def answer(path: str, params: Params) -> Any:
        return 500 if params["start_date"] == "2025-03-02" else visits_by_day(path, params)

    app = FastAPI(lifespan=lifespan(token="t", transport=Script(answer), retry=RetryPolicy(attempts=1)))
    install_error_handlers(app)

    @app.get("/rows", response_model=rows_model(ZoneVisitors))
    async def rows(client: IndivdDep) -> Any:
        return await client.zone_visitors(
            "2025-03-01", "2025-03-03", location=124, aggregate_by="dayofmonth", split=1, on_error="collect"
        )

    with TestClient(app) as visitor:
        answer_ = visitor.get("/rows")
    assert (answer_.status_code, answer_.json()["error"]) == (502, "PartialResultError")


def test_a_table_leaves_no_doubt_untold() -> None:
    """It has no notes either."""

    def doubled(path: str, params: Params) -> Any:
        document = visits_by_day(path, params)
        document["current"]["insights"] *= 2
        return document

    app = FastAPI(lifespan=lifespan(token="t", transport=Script(doubled)))

    @app.get("/rows", response_model=rows_model(ZoneVisitors))
    async def rows(client: IndivdDep) -> Any:
        return await client.zone_visitors("2025-03-01", "2025-03-02", location=124, aggregate_by="dayofmonth")

    with TestClient(app) as visitor, pytest.warns(UserWarning, match="^repeated_key: "):
        assert len(visitor.get("/rows").json()) == 4


def test_models_are_made_once_from_queries_and_results() -> None:
    """Both classes name the same table; anything else is refused by name, and rows of another shape are too."""
    assert rows_model(ZoneVisitors) is rows_model(ZoneVisitorsResult)
    with pytest.raises(TypeError, match="class of a query or a result"):
        rows_model(dict)
    with pytest.raises(ValidationError, match="bucket_start"):
        rows_model(ZoneVisitors).model_validate([{"visits": 1}])
