"""
A backend: visits for a page of one's own. INDIVD_TOKEN=… uvicorn backend:app

One client an application; what goes wrong upstream is answered as problem+json; a year is sent row by row.
"""

from __future__ import annotations

from datetime import date

from fastapi import FastAPI
from fastapi.responses import Response

from indivd_async import ZoneVisitors, ZoneVisitorsResult
from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, response_model, rows_model, stream_ndjson

app = FastAPI(title="Visits", lifespan=lifespan())
install_error_handlers(app)


@app.get("/stores/{store}/visits", response_model=response_model(ZoneVisitorsResult))
async def visits(client: IndivdDep, store: int, start_date: date, end_date: date) -> object:
    """Everything that is known, nested as in the API."""
    return await client.zone_visitors(start_date, end_date, location=store)


@app.get("/stores/{store}/table", response_model=rows_model(ZoneVisitors))
async def table(client: IndivdDep, store: int, start_date: date, end_date: date) -> object:
    """The same as flat rows."""
    return await client.zone_visitors(start_date, end_date, location=store)


@app.get("/stores/{store}/now")
async def now(client: IndivdDep, store: int, day: date) -> dict[str, object]:
    """One number for a screen at the door."""
    result = await client.drop_in_rate(day, day, location=store)
    totals = result.summary.current
    return {"entered": totals.enter, "passed_by": totals.passing_by, "percent": totals.enter_percentage}


@app.get("/years/{year}")
async def whole_year(client: IndivdDep, year: int) -> Response:
    """Hundreds of requests, in bounded memory; when the visitor leaves, no more are sent."""
    days = (f"{year:04}-01-01", f"{year:04}-12-31")
    return stream_ndjson(
        client, [ZoneVisitors(*days, aggregate_by="year,month,dayofmonth,hour", location=124, split=31)]
    )
