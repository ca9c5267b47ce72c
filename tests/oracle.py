"""
What one unsplit request would have said, from the sandbox's own aggregation, which knows no limits.

Nothing here uses the planner or the merge: groups, defaults, licences and limits are worked out again, from the
vendor's article.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import attrs
import orjson
from hypothesis import HealthCheck, settings

from indivd_async import Bucket, Chunk, DropInRate, LineCrosses, Location, PlannedRequest, ZoneVisitors, ZoneVisitorsRow
from indivd_async.merging import Known
from indivd_async.models import FrozenMap
from indivd_async.queries import Query
from indivd_async.results import Answer
from indivd_async.sandbox import World
from indivd_async.structuring import place_rows, structure_answer
from indivd_async.witnessing import witness_answer

TOKEN = "sandbox-mixed"  # Pro and Basic organisations
NOW = datetime(2026, 6, 1, tzinfo=UTC)
KNOWN = Known(now=NOW)
WORLD = World(scale=0.1, now=NOW)
#: Leaves out the fields that a single grouping does not name.
BARE_WORLD = WORLD.changed(parents=False)
LISTED = {row["id"]: row for row in WORLD.listing("locations", token=TOKEN)}
ZONES = {row["id"]: row["location"] for row in WORLD.listing("zones", token=TOKEN)}
NAMES = {id: row["name"] for id, row in LISTED.items()}
LOCATIONS = {id: Location(id=id, timezone=row["timezone"]) for id, row in LISTED.items()}
BASIC = frozenset({140, 141})
PER = {"line": "line_ids"}
LINE_FIELDS = ("location", "organization", "floor", "zone_to", "zone_from", "category", "line")

T = TypeVar("T")
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE")
_TIMES = {"thorough": 40, "few": 0.1}


def examples(count: int) -> settings:
    """
    Say how many examples a property gets: always the same ones, forty times as many with the profile `thorough`,
    a tenth with `few`, for another Python that repeats what one has tried.
    """
    return settings(
        max_examples=max(5, round(count * _TIMES.get(_PROFILE or "", 1))),
        derandomize=_PROFILE != "thorough",
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


# Asking the world.


def ask(world: World, endpoint: str, params: Mapping[str, str], token: str = TOKEN) -> bytes:
    """Answer a request with *params* as they are on the wire."""
    asked: dict[str, Any] = {}
    for name, text in params.items():
        if name.endswith("_date"):
            asked[name] = date.fromisoformat(text)
        elif name in ("aggregate_by", "interval", "tz"):
            asked[name] = text
        elif name in ("bounce_threshold", "min_dwell", "max_dwell"):
            asked[name] = int(text)
        else:
            asked[name] = tuple(map(int, text.split(",")))
    return orjson.dumps(getattr(world, endpoint)(**asked, token=token))


def answer(world: World, query: Query, request: PlannedRequest) -> Chunk:
    """Answer a planned request."""
    body = ask(world, request.endpoint, request.params)
    structured = structure_answer(request.endpoint, body, tz=request.tz, carried=request.carried)
    witnessed = witness_answer(request, structured)
    place_rows(witnessed, request, ZONES, NAMES)
    return Chunk(query=query, request=request, answer=witnessed, attempts=1)


def _given(query: Query, *names: str) -> dict[str, str]:
    found = {}
    for name in names:
        value = getattr(query, name)
        if value is not None:
            found[name] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return found


def _order(bucket: Bucket) -> tuple[int, ...]:
    labels = attrs.astuple(bucket)
    return tuple(-1 if label is None else label for label in labels)


def _by_clock(query: ZoneVisitors | DropInRate) -> dict[str, tuple[int, ...]]:
    """Part the locations asked for by the clock they are asked on."""
    groups: dict[str, tuple[int, ...]] = {}
    for id in query.location or LISTED:
        name = query.tz or LISTED[id]["timezone"]
        groups[name] = (*groups.get(name, ()), id)
    return groups


# What the result must be.


def expected_lines(world: World, query: LineCrosses) -> list[Any]:
    """Return the rows of a query of line_crosses, one unsplit answer for each value of its fan-out."""
    values: dict[str, Sequence[int]] = {}
    together: dict[str, str] = {}
    for field in LINE_FIELDS:
        name = PER.get(field, field)
        given = getattr(query, name)
        if query.per == field and given is None:
            values[field] = list(LISTED)
        elif given is not None and (field in ("location", "organization") or query.per == field):
            values[field] = given
        elif given is not None:
            together[name] = ",".join(map(str, given))
    rows: list[tuple[tuple[int, ...], int, Any]] = []
    for number, combination in enumerate(product(*values.values())):
        carried = dict(zip(values, combination, strict=True))
        params = _given(query, "start_date", "end_date", "aggregate_by") | together
        params |= {PER.get(field, field): str(value) for field, value in carried.items()}
        body = ask(world, "line_crosses", params)
        found = structure_answer("line_crosses", body, tz=None, carried=FrozenMap(carried))
        rows += [(_order(row.bucket), number, row) for row in found.current.rows]
    return [row for _, _, row in sorted(rows, key=lambda item: item[:2])]


def expected_visits(world: World, query: ZoneVisitors) -> tuple[list[ZoneVisitorsRow], list[ZoneVisitorsRow] | None]:
    """Return the rows of both periods, one unsplit answer for each clock."""
    current: list[ZoneVisitorsRow] = []
    comparison: list[ZoneVisitorsRow] = []
    for tz, ids in _by_clock(query).items():
        one, other = _visits_on_clock(world, query, tz, ids)
        hide = _licence_of([*one, *other])
        current += map(_bounces_of(query), map(hide, one))
        comparison += map(_bounces_of(query), map(hide, other))
    for rows in (current, comparison):
        rows.sort(key=lambda row: (_order(row.aggregation.bucket), row.aggregation.zone_id))
    return current, comparison if query.comparison_start_date is not None else None


def _visits_on_clock(world: World, query: ZoneVisitors, tz: str, ids: tuple[int, ...]) -> tuple[Any, Any]:
    params = _given(query, "zones", "bounce_threshold", "min_dwell", "max_dwell")
    params |= {"location": ",".join(map(str, ids)), "tz": tz}

    def ask_for(extra: dict[str, str]) -> Answer:
        body = ask(world, "zone_visitors", params | extra)
        return structure_answer("zone_visitors", body, tz=tz, carried=FrozenMap())

    dates = _given(query, "start_date", "end_date", "aggregate_by")
    own = query.comparison_aggregate_by
    # One request serves both where they are grouped alike, be it because the API would choose so.
    if own is None or (query.aggregate_by is None and own == _default_of_visits(query)):
        both = ask_for(dates | _given(query, "comparison_start_date", "comparison_end_date"))
        return both.current.rows, () if both.comparison is None else both.comparison.rows
    other = {
        "start_date": str(query.comparison_start_date),
        "end_date": str(query.comparison_end_date),
        "aggregate_by": query.comparison_aggregate_by,
    }
    return ask_for(dates).current.rows, ask_for(other).current.rows


def _default_of_visits(query: ZoneVisitors) -> str:
    days = (query.end_date - query.start_date).days + 1
    return "hour" if days == 1 else "dayofmonth" if days <= 31 else "week" if days <= 364 else "month"


def _licence_of(rows: Sequence[ZoneVisitorsRow]) -> Any:
    """Hide what a Basic plan does not measure, by the location of a row's zone."""

    def hide(row: ZoneVisitorsRow) -> ZoneVisitorsRow:
        if ZONES[row.aggregation.zone_id] not in BASIC:
            return row
        return attrs.evolve(row, unique_visits=None, bounce=None, dwell_time=None, dwell_time_stats=None)

    return hide


def _bounces_of(query: ZoneVisitors) -> Any:
    """Hide bounces where their tracking was turned off."""
    return lambda row: attrs.evolve(row, bounce=None) if query.bounce_threshold == 0 else row


def expected_rates(world: World, query: DropInRate) -> dict[str, Any]:
    """Return summary, details and zones of both periods: one unsplit answer a clock, put together."""
    periods: dict[str, list[Any]] = {"current": [], "comparison": []}
    interval = None
    for tz, ids in _by_clock(query).items():
        params = _given(query, "zone", "tz") | {"location": ",".join(map(str, ids))}
        dates = _given(query, "start_date", "end_date", "interval")
        other = _given(query, "comparison_start_date", "comparison_end_date")
        if query.comparison_interval is not None:
            second = {"start_date": other["comparison_start_date"], "end_date": other["comparison_end_date"]}
            second["interval"] = query.comparison_interval
            block = _rates(world, params | second, tz).current
            periods["comparison"].append(block)
            other = {}
        found = _rates(world, params | dates | other, tz)
        interval = found.interval
        periods["current"].append(found.current)
        if other:
            periods["comparison"].append(found.comparison)
    return {"interval": interval} | {name: _together(blocks) if blocks else None for name, blocks in periods.items()}


def _rates(world: World, params: dict[str, str], tz: str) -> Answer:
    return structure_answer("drop_in_rate", ask(world, "drop_in_rate", params), tz=tz, carried=FrozenMap())


def _together(blocks: Sequence[Any]) -> tuple[tuple[int, int, float | None], list[tuple[Any, ...]], dict[int, Any]]:
    """Add up the summaries and details of several clocks, and unite their zones."""
    passing_by = sum(block.summary.passing_by for block in blocks)
    enter = sum(block.summary.enter for block in blocks)
    details: dict[Bucket, tuple[int, int]] = {}
    for block in blocks:
        for row in block.details:
            before = details.get(row.bucket, (0, 0))
            details[row.bucket] = before[0] + row.passing_by, before[1] + row.enter
    rows = [
        (bucket, passed, entered, _percent(entered, passed))
        for bucket, (passed, entered) in sorted(details.items(), key=lambda item: _order(item[0]))
    ]
    zones = {zone.zone_id: zone for block in blocks for zone in block.zones}
    return (passing_by, enter, _percent(enter, passing_by)), rows, zones


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


# The API's limits, from the article.


def check_limits(requests: Iterable[PlannedRequest]) -> None:
    """Fail if a request is not one that the API would take."""
    for request in requests:
        assert len("https://api.indivd.com" + request.target) <= 6_000
        params = dict(parse_qsl(urlsplit(request.target).query, strict_parsing=True))
        assert params == dict(request.params)
        start, end = (date.fromisoformat(params[name]) for name in ("start_date", "end_date"))
        days = (end - start).days + 1
        assert days >= 1
        locations = params["location"].split(",") if "location" in params else list(map(str, LISTED))
        if request.endpoint == "line_crosses":
            grouping = params.get("aggregate_by")
            assert days <= {"minute": 3, "hour": 7}.get(grouping or "", days)
            assert grouping != "week" or start.year == end.year
            for name in ("location", "organization"):
                assert "," not in params.get(name, "")
        else:
            clocks = {LISTED[int(id)]["timezone"] for id in locations if int(id) in LISTED}
            assert len(clocks) <= 1 or "tz" in params
            if request.endpoint == "zone_visitors":
                assert "tz" in params
        assert ("comparison_start_date" in params) == ("comparison_end_date" in params)


def check_tiling(query: Query, requests: Iterable[PlannedRequest]) -> None:
    """Fail unless the days of each series of requests, put end to end, are the period, each day once."""
    series: dict[tuple[Any, ...], list[tuple[date, date]]] = {}
    for request in requests:
        params = dict(request.params)
        days = tuple(date.fromisoformat(params.pop(name)) for name in ("start_date", "end_date"))
        params.pop("aggregate_by", None)
        params.pop("interval", None)
        other = [params.pop(name) for name in ("comparison_start_date", "comparison_end_date") if name in params]
        key = tuple(sorted(params.items()))
        series.setdefault((request.period.replace("both", "current"), key), []).append((days[0], days[1]))
        if other:
            pair = (date.fromisoformat(other[0]), date.fromisoformat(other[1]))
            series.setdefault(("comparison", key), []).append(pair)
    wanted = {"current": (query.start_date, query.end_date)}
    if not isinstance(query, LineCrosses) and query.comparison_start_date and query.comparison_end_date:
        wanted["comparison"] = (query.comparison_start_date, query.comparison_end_date)
    assert {period for period, _ in series} == set(wanted)
    for (period, _), windows in series.items():
        start, end = wanted[period]
        for first, last in sorted(windows):
            assert first == start
            assert first <= last
            start = last + timedelta(days=1)
        assert start == end + timedelta(days=1)


def repeated(cases: Sequence[T]) -> Sequence[T]:
    """Return *cases*, or a tenth of them with the profile `few`."""
    return cases[:: 10 if _PROFILE == "few" else 1]
