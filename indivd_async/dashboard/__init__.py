"""
`indivd dashboard`: one page over the sandbox or the real service, made of the parts in `indivd_async.fastapi`.

The page is three files beside this one; it loads nothing from elsewhere.
"""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs

from ..client import AsyncIndivd
from ..errors import ConfigError, InvalidQueryError
from ..fastapi import IndivdDep, install_error_handlers, lifespan, response_model, stream_ndjson
from ..models import Location
from ..models.clocks import FIRST_DAY, LAST_DAY
from ..queries import ZoneVisitors
from ..results import Coverage, DropInRateResult, Note, ZoneVisitorsPeriod, ZoneVisitorsResult
from ..settings import DEFAULT_BASE_URL

from fastapi import APIRouter, Depends, FastAPI  # isort: skip  after ..fastapi, which says what to install
from starlette.middleware.trustedhost import TrustedHostMiddleware  # isort: skip
from starlette.responses import FileResponse, Response  # isort: skip

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import date

_HERE = Path(__file__).parent
_FILES = {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js"}
#: The page needs its own files and this application, and no browser shall let it have more.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_BY_HOUR = "year,month,dayofmonth,hour"


@attrs.frozen(kw_only=True)
class WeekProfile:
    """Visits to all zones asked for together, by weekday and hour, on the clock of the location."""

    startdate: str
    enddate: str
    #: Entries over the whole period.
    visits: int
    #: Seven weekdays from Monday, of 24 hours: mean entries on a day with figures; null where none was ever counted.
    mean: tuple[tuple[float | None, ...], ...]


@attrs.frozen(kw_only=True)
class VisitsByHour:
    """The week profiles of a period and of the one it is compared with."""

    current: WeekProfile
    #: Null if it was not asked for.
    comparison: WeekProfile | None
    coverage: tuple[Coverage, ...]
    notes: tuple[Note, ...]
    #: Whether every request was answered.
    complete: bool


def profile_week(period: ZoneVisitorsPeriod) -> WeekProfile:
    """Fold hourly rows into a week of hours; a day without any row, closed or failed, is not a day of zeros."""
    sums: dict[tuple[int, int], int] = {}
    days: dict[int, set[date]] = {weekday: set() for weekday in range(7)}
    for row in period.insights:
        start = row.aggregation.bucket.start()
        if start is not None:
            days[start.weekday()].add(start.date())
            cell = start.weekday(), start.hour
            sums[cell] = sums.get(cell, 0) + row.visits
    return WeekProfile(
        startdate=period.startdate,
        enddate=period.enddate,
        visits=sum(row.visits for row in period.insights),
        mean=tuple(
            tuple(round(sums[day, hour] / len(days[day]), 2) if (day, hour) in sums else None for hour in range(24))
            for day in range(7)
        ),
    )


def _check_days(**days: str) -> None:
    """Refuse a slip: a browser tells of each digit of a year that is typed, of 0002, 0020 and 0202, too."""
    for name, day in days.items():
        if day[:1].isdecimal() and not FIRST_DAY <= day <= LAST_DAY:
            raise InvalidQueryError(name, f"must be a day from {FIRST_DAY} to {LAST_DAY}", day)


def _asked(
    location: int,
    start_date: str,
    end_date: str,
    comparison_start_date: str | None = None,
    comparison_end_date: str | None = None,
) -> dict[str, Any]:
    _check_days(start_date=start_date, end_date=end_date)
    # Dates stay text: the query refuses bad ones in better words.
    return {
        "start_date": start_date,
        "end_date": end_date,
        "comparison_start_date": comparison_start_date or None,
        "comparison_end_date": comparison_end_date or None,
        "location": location,
        "on_error": "collect",
    }


Asked = Annotated[dict[str, Any], Depends(_asked)]
router = APIRouter(prefix="/api")


@router.get("/locations", response_model=list[response_model(Location)])  # type: ignore[misc]
async def list_locations(client: IndivdDep) -> Any:
    """List the locations that may be asked for."""
    return await client.locations()


@router.get("/visits", response_model=response_model(VisitsByHour, upstream=True))
async def count_visits_by_hour(client: IndivdDep, asked: Asked, zone: int | None = None) -> Any:
    """Count visits by weekday and hour."""
    result = await client.zone_visitors(**asked, zones=zone, aggregate_by=_BY_HOUR)
    return VisitsByHour(
        current=profile_week(result.current),
        comparison=None if result.comparison is None else profile_week(result.comparison),
        coverage=result.coverage,
        notes=result.notes,
        complete=result.complete,
    )


@router.get("/zones", response_model=response_model(ZoneVisitorsResult, upstream=True))
async def measure_zones(client: IndivdDep, asked: Asked) -> Any:
    """Measure each zone over the whole period: visits, unique visitors, bounces, dwell quartiles."""
    return await client.zone_visitors(**asked, aggregate_by="zone")


@router.get("/drop-in", response_model=response_model(DropInRateResult, upstream=True))
async def measure_drop_in(client: IndivdDep, asked: Asked) -> Any:
    """Tell how many of those who passed went in."""
    return await client.drop_in_rate(**asked)


@router.get("/rows.ndjson")
async def stream_rows(client: IndivdDep, location: int, start_date: str, end_date: str) -> Response:
    """Stream the hourly rows of all zones."""
    _check_days(start_date=start_date, end_date=end_date)
    query = ZoneVisitors(start_date, end_date, location=location, aggregate_by=_BY_HOUR)
    response = stream_ndjson(client, query, ordered=True)
    name = f"visits-{query.start_date}-{query.end_date}.ndjson"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def make_app(*, live: bool = False, host: str = "127.0.0.1", **options: Any) -> FastAPI:
    """
    Make the application; *options* go to `AsyncIndivd`.

    Without *live* it asks the sandbox, in this process. On a loopback *host* it answers only to names of this machine,
    so that no page of another site can read it through a name that it points here.
    """
    if not live:
        from .. import sandbox

        # The address is set too: one from the environment may have a path prefix, which the sandbox has not.
        options = {"token": "sandbox", "transport": sandbox.transport(), "base_url": DEFAULT_BASE_URL, **options}
    # The pages that FastAPI offers at /docs load scripts from elsewhere.
    app = FastAPI(title="indivd dashboard", lifespan=lifespan(**options), docs_url=None, redoc_url=None)
    install_error_handlers(app)
    app.include_router(router)
    if _is_loopback(host):
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", host])

    @app.get("/api/source", include_in_schema=False)
    async def tell_source() -> dict[str, bool]:
        return {"live": live}

    for path, name in _FILES.items():
        app.add_api_route(path, _sender(name), include_in_schema=False)
    return app


def main(args: argparse.Namespace, **options: Any) -> int:
    """
    Serve the dashboard on `args.host` and `args.port` until interrupted.

    `args.live` asks the real service, with a client of *options*.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ConfigError(
            "the dashboard needs the extra `sandbox`: pip install 'indivd-async[fastapi,sandbox]'"
        ) from error
    from .. import sandbox

    if args.live:
        AsyncIndivd(**options)  # what cannot be a client is told before anything listens
    app = make_app(live=args.live, host=args.host, **(options if args.live else {}))
    # Here, so that what is told next is true: this port, and it can be connected to.
    listening, url = sandbox.listen(args.host, args.port)
    with listening:
        print(f"dashboard: {url} (Ctrl-C ends it)", file=sys.stderr, flush=True)  # noqa: T201
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
    return 0


def _sender(name: str) -> Callable[[], Any]:
    async def send_file() -> FileResponse:
        return FileResponse(_HERE / name, headers=_HEADERS)

    return send_file


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
