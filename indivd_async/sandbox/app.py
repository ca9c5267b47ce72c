"""The ASGI application: token, scope, parameters and limits as the article has them, errors without a body."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import anyio
import attrs
import orjson

from .aggregation import World, access_of, is_time_zone
from .catalogue import Access

Params = Mapping[str, str]
_DATA = "/api/v1/rnd/insights/external/"
_LISTINGS = ("locations", "zones", "lines", "categories", "organizations")
_TIMES = frozenset({"year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute"})
_GZIP_FROM = 1_000
_REMEMBERED = 10_000
_MAX_DWELL = 10_800


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@attrs.define(kw_only=True)
class Faults:
    """
    What goes wrong on purpose.

    `rate` of all data requests fail, evenly spread, with the `statuses` in turn and `retry_after` as a header; `hook` may decide for itself: it gets the number of the
    request (from 1), path and parameters, and returns a status or None.
    """

    rate: float = 0.0
    statuses: tuple[int, ...] = (500, 503, 502)
    retry_after: str | None = None
    hook: Callable[[int, str, dict[str, str]], int | None] | None = None
    _owed: float = attrs.field(default=0.0, init=False)
    _count: int = attrs.field(default=0, init=False)

    def next_status(self, number: int, path: str, params: dict[str, str]) -> int | None:
        """Return the status to fail with, or None."""
        if self.hook is not None and (status := self.hook(number, path, params)) is not None:
            return status
        self._owed += self.rate
        if self._owed < 1:
            return None
        self._owed -= 1
        self._count += 1
        return self.statuses[(self._count - 1) % len(self.statuses)]


@attrs.frozen(kw_only=True)
class Recorded:
    """A request that arrived, and how it was answered."""

    path: str
    params: dict[str, str]
    status: int


class Sandbox:
    """
    The application; `requests` are the last ones that arrived, `peak_in_flight` the most at any one moment.

    `latency_s` is waited before each answer. `faults` may be changed while it runs.
    """

    def __init__(self, world: World | None = None, *, latency_s: float = 0.0, faults: Faults | None = None) -> None:
        try:
            from starlette.applications import Starlette
            from starlette.routing import Mount, Route
        except ImportError as error:
            raise ImportError('the sandbox needs starlette: pip install "indivd-async[sandbox]"') from error
        self.world = world or World()
        self.latency_s = latency_s
        self.faults = faults or Faults()
        self.requests: deque[Recorded] = deque(maxlen=_REMEMBERED)
        self.in_flight = 0
        self.peak_in_flight = 0
        self._arrived = 0
        data = [Route(f"/{name}/", self._endpoint(handle)) for name, handle in _HANDLERS.items()]
        lists = [Route(f"/{name}", self._endpoint(_list_of(name))) for name in _LISTINGS]
        self._app = Starlette(
            routes=[Mount(_DATA.rstrip("/"), routes=data), Mount("/filters", routes=lists)],
            exception_handlers={404: _empty, 405: _empty},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    def _endpoint(self, handle: Callable[[World, Access, str, Params], Any]) -> Any:
        from starlette.responses import Response

        async def endpoint(request: Any) -> Response:
            self.in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
            try:
                if self.latency_s:
                    await anyio.sleep(self.latency_s)
                return self._answer(request, handle)
            finally:
                self.in_flight -= 1

        return endpoint

    def _answer(self, request: Any, handle: Callable[[World, Access, str, Params], Any]) -> Any:
        from starlette.responses import Response

        path = request.url.path
        params = dict(request.query_params)
        self._arrived += 1
        headers = {}
        body = b""
        fault = self.faults.next_status(self._arrived, path, params)
        if fault is not None:
            status = fault
            if self.faults.retry_after is not None:
                headers["Retry-After"] = self.faults.retry_after
        else:
            try:
                token, access = _authenticate(request.headers.get("authorization", ""))
                body = orjson.dumps(handle(self.world, access, token, params))
                status = 200
                headers["Content-Type"] = "application/json"
            except _Refused as refused:
                status = refused.status
        if len(body) >= _GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        self.requests.append(Recorded(path=path, params=params, status=status))
        return Response(body, status, headers)


async def _empty(request: Any, error: Any) -> Any:
    from starlette.responses import Response

    return Response(status_code=error.status_code)


def _authenticate(header: str) -> tuple[str, Access]:
    scheme, _, token = header.partition(" ")
    access = access_of(token) if scheme == "Token" else None
    if access is None:
        raise _Refused(401)
    return token, access


# Parameters.


def _check(truth: bool) -> None:
    if not truth:
        raise _Refused(400)


def _date(params: Params, name: str) -> date | None:
    text = params.get(name)
    if text is None:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise _Refused(400) from None
    _check(found.isoformat() == text)
    return found


def _range(params: Params, prefix: str = "") -> tuple[date | None, date | None]:
    start, end = _date(params, f"{prefix}start_date"), _date(params, f"{prefix}end_date")
    _check((start is None) == (end is None) and (bool(prefix) or start is not None))
    _check(start is None or end is None or start <= end)
    return start, end


def _ints(params: Params, name: str, *, single: bool = False) -> tuple[int, ...] | None:
    text = params.get(name)
    if text is None:
        return None
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise _Refused(400) from None
    _check(not single or len(found) == 1)
    return found


def _int(params: Params, name: str, minimum: int, maximum: float = float("inf")) -> int | None:
    found = _ints(params, name, single=True)
    _check(found is None or minimum <= found[0] <= maximum)
    return None if found is None else found[0]


def _allow(params: Params, *names: str) -> None:
    _check(set(params) <= {"start_date", "end_date", *names})


def _locations(params: Params, access: Access, *, single: bool = False) -> tuple[int, ...] | None:
    found = _ints(params, "location", single=single)
    scope = {place.id for place in access.places()}
    if found is not None and not scope.issuperset(found):
        raise _Refused(403)
    return found


def _time_zone(params: Params) -> str | None:
    tz = params.get("tz")
    _check(tz is None or is_time_zone(tz))
    return tz


# Endpoints.


def _list_of(name: str) -> Callable[[World, Access, str, Params], Any]:
    return lambda world, access, token, params: world.listing(name, token=token)


def _line_crosses(world: World, access: Access, token: str, params: Params) -> Any:
    filters = ("floor", "zone_to", "zone_from", "category", "line_ids")
    _allow(params, "aggregate_by", "organization", "location", *filters)
    start, end = _range(params)
    assert start is not None
    assert end is not None
    grouping = params.get("aggregate_by")
    days = (end - start).days + 1
    _check(grouping is None or grouping in _TIMES)
    _check(not (grouping == "minute" and days > 3) and not (grouping == "hour" and days > 7))
    _check(grouping != "week" or start.year == end.year)
    organization = _ints(params, "organization", single=True)
    if organization is not None and organization[0] not in access.organizations:
        raise _Refused(403)
    return world.line_crosses(
        start,
        end,
        token=token,
        aggregate_by=grouping,
        organization=organization,
        location=_locations(params, access, single=True),
        **{name: _ints(params, name) for name in filters},
    )


def _zone_visitors(world: World, access: Access, token: str, params: Params) -> Any:
    thresholds = ("bounce_threshold", "min_dwell", "max_dwell")
    _allow(
        params, "comparison_start_date", "comparison_end_date", "aggregate_by", "location", "zones", "tz", *thresholds
    )
    start, end = _range(params)
    assert start is not None
    assert end is not None
    comparison = _range(params, "comparison_")
    grouping = params.get("aggregate_by")
    names = grouping.split(",") if grouping is not None else []
    _check(names == ["zone"] or _TIMES.union({"loc_id"}).issuperset(names))
    min_dwell, max_dwell = _int(params, "min_dwell", 0), _int(params, "max_dwell", 0, _MAX_DWELL)
    _check(min_dwell is None or max_dwell is None or min_dwell <= max_dwell)
    return world.zone_visitors(
        start,
        end,
        token=token,
        comparison_start_date=comparison[0],
        comparison_end_date=comparison[1],
        aggregate_by=grouping,
        location=_locations(params, access),
        zones=_ints(params, "zones"),
        bounce_threshold=_int(params, "bounce_threshold", -1),
        min_dwell=min_dwell,
        max_dwell=max_dwell,
        tz=_time_zone(params),
    )


def _drop_in_rate(world: World, access: Access, token: str, params: Params) -> Any:
    _allow(params, "comparison_start_date", "comparison_end_date", "interval", "location", "zone", "tz")
    start, end = _range(params)
    assert start is not None
    assert end is not None
    comparison = _range(params, "comparison_")
    interval = params.get("interval")
    _check(interval in (None, "year", "month", "week", "day", "hour"))
    location, tz = _locations(params, access), _time_zone(params)
    clocks = {place.timezone for place in access.places() if location is None or place.id in location}
    _check(tz is not None or len(clocks) <= 1)  # separate requests per time zone, the article says
    return world.drop_in_rate(
        start,
        end,
        token=token,
        comparison_start_date=comparison[0],
        comparison_end_date=comparison[1],
        interval=interval,
        location=location,
        zone=_ints(params, "zone"),
        tz=tz,
    )


_HANDLERS: dict[str, Callable[[World, Access, str, Params], Any]] = {
    "line_crosses": _line_crosses,
    "zone_visitors": _zone_visitors,
    "drop_in_rate": _drop_in_rate,
}
