"""The shortcut past the table of witnesses: it says yes only where none of them has anything to say."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from typing import Any

import attrs
import httpx
import pytest
from deviating import question_for, world
from hypothesis import given, strategies as st
from oracle import examples, repeated

from indivd_async import IndivdError, LineCrosses, ZoneVisitors, sandbox
from indivd_async.models import FrozenMap
from indivd_async.planning import Plan, PlannedRequest
from indivd_async.results import Answer, Note
from indivd_async.sandbox import catalogue
from indivd_async.structuring import read_answer
from indivd_async.witnessing.case import take_apart
from indivd_async.witnessing.witnesses import glance, glance_at_lines, hear_witnesses

STOCKHOLM = "Europe/Stockholm"
WORLD = world()
PLACES = tuple((place.id, place.timezone) for place in catalogue.PLACES)
LINES = [name for name, each in sandbox.DEVIATIONS.items() if "line_crosses" in each.endpoints]
VISITS = [name for name, each in sandbox.DEVIATIONS.items() if "zone_visitors" in each.endpoints]


def hear(request: PlannedRequest, answer: Answer, **beside: Any) -> tuple[Note, ...] | str:
    """Return what the table says."""
    try:
        return tuple(hear_witnesses(take_apart(request, answer, **beside)))
    except IndivdError as error:
        return str(error)


async def ask(plans: list[Plan], *deviations: str) -> list[tuple[PlannedRequest, bytes]]:
    """Ask all requests of *plans* of a service that deviates, and return what it answered to each."""
    service = sandbox.transport(WORLD, deviations=deviations)
    answered = []
    for request in (request for plan in plans for request in plan):
        asked = httpx.Request("GET", f"https://sandbox{request.target}", headers={"Authorization": "Token sandbox"})
        answered.append((request, await (await service.handle_async_request(asked)).aread()))
    return answered


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: nothing here waits."""
    return "asyncio"


@pytest.mark.parametrize("name", [None, *repeated(VISITS)])
@pytest.mark.anyio
async def test_what_is_plain_is_what_the_table_is_silent_on(name: str | None) -> None:
    """Of every deviation, by its own question, by days and hours, of one location and several."""
    asked: list[Any] = [
        {"start_date": "2025-03-01", "end_date": "2025-03-09", "aggregate_by": grouping, "location": location}
        for grouping in (None, "dayofmonth", "hour", "dayofmonth,loc_id")
        for location in (124, [124, 125])
    ]
    asked += [question_for(name, "zone_visitors")] if name else []
    queries = [ZoneVisitors(**question) for question in asked]
    plans = [Plan(query, locations=[place for place in PLACES if place[0] in query.location]) for query in queries]
    plain = [_is_plain(request, body) for request, body in await ask(plans, *([name] if name else []))]
    assert any(plain) or name is not None


@cache  # most deviations leave most answers as they are
def _is_plain(request: PlannedRequest, body: bytes) -> bool:
    """Tell whether a glance suffices, with zones unknown or listed; then it says what the table says."""
    try:
        answer = read_answer(request, body)
    except IndivdError:
        return False
    plain = False
    for zones in (None, dict.fromkeys(range(201, 211), 124)):
        if (said := glance(request, answer, zones)) is not None:
            plain = True
            assert said == hear(request, answer, zones=zones), (request, zones)
    return plain


@pytest.mark.parametrize("name", [None, *repeated(LINES)])
@pytest.mark.anyio
async def test_the_table_is_silent_on_plain_crossings(name: str | None) -> None:
    """Of every deviation, by its own question, by days, hours and weeks."""
    asked: list[Any] = [
        {"start_date": "2025-03-01", "end_date": "2025-03-09", "aggregate_by": grouping, "location": 124}
        for grouping in (None, "dayofmonth", "hour", "week", "month")
    ]
    asked += [question_for(name, "line_crosses")] if name else []
    plans = [Plan(LineCrosses(**question), locations=PLACES) for question in asked]
    plain = 0
    for request, body in await ask(plans, *([name] if name else [])):
        with suppress(IndivdError):
            answer = read_answer(request, body)
            if (said := glance_at_lines(request, answer)) is not None:
                plain += 1
                assert said == hear(request, answer), request
    assert plain or name is not None


_LABEL = st.none() | st.sampled_from([0, 1, 2, 3, 24, 2025])
_CROSSINGS = st.fixed_dictionaries(
    {"count": st.integers(-1, 3)},
    optional={"date": st.just("2025-03-01"), "next": st.just(1)},
).flatmap(
    lambda row: st.dictionaries(
        st.sampled_from(["year", "month", "dayofmonth", "hour", "week", "isoWeek"]), _LABEL
    ).map(lambda labels: {**row, "_id": {"year": 2025, "month": 3, "dayofmonth": 1, **labels}})
)


@examples(100)
@given(st.lists(_CROSSINGS, max_size=3), st.sampled_from(["hour", "dayofmonth", "week", None]), st.booleans())
def test_crossings_of_any_kind_are_judged_alike(rows: list[Any], grouping: Any, for_table: bool) -> None:
    """By a glance and by the table; as rows, and as they were decoded."""
    (request,) = Plan(LineCrosses("2025-03-01", "2025-03-02", location=124, aggregate_by=grouping))
    try:
        answer = read_answer(request, json.dumps(rows).encode(), for_table=for_table)
    except IndivdError:
        return
    if (said := glance_at_lines(request, answer)) is not None:
        assert said == hear(request, answer)


def test_sound_crossings_are_plain() -> None:
    """Else the shortcut would lead nowhere; rows of zeros are told."""
    (request,) = Plan(LineCrosses("2025-03-01", "2025-03-01", location=124, aggregate_by="hour"))
    labels = {"year": 2025, "month": 3, "dayofmonth": 1}
    for counts, kinds in (([3, 4], []), ([3, 0], ["rows_of_zeros"])):
        rows = [{"_id": {**labels, "hour": hour}, "count": count} for hour, count in enumerate(counts)]
        answer = read_answer(request, json.dumps(rows).encode())
        said = glance_at_lines(request, answer)
        assert said is not None
        assert [note.kind for note in said] == kinds


ROW: dict[str, Any] = {
    "visits": 284,
    "unique_visits": 251,
    "bounce": 43,
    "dwell_time": 187.5,
    "dwell_time_stats": {"mean": 187.5, "min": 12.0, "max": 1843.0, "quantiles": [95.0, 148.0, 231.0], "n": 251},
    "aggregation": {"year": 2025, "month": 3, "dayofmonth": 1, "zone_id": 201, "bounce_threshold": 120},
}
PERIOD = {"startdate": "2025-03-01", "enddate": "2025-03-02"}
#: One thing changed at a time: where it stands, and what comes there.
CHANGES: list[tuple[tuple[str, ...], Any]] = [
    *(((name,), value) for name in ("visits", "unique_visits", "bounce") for value in (-1, 0, 285, 10_000)),
    *(((name,), None) for name in ("unique_visits", "bounce", "dwell_time_stats", "dwell_time")),
    *(
        (("dwell_time_stats", name), value)
        for name in ("mean", "min", "max")
        for value in (-1.0, 94.0, 100.0, 200.0, 300.0, 2000.0, None)
    ),
    *((("dwell_time_stats", "n"), value) for value in (0, 284, 285, None)),
    *(
        (("dwell_time_stats", "quantiles"), value)
        for value in ([], [1.0, 2.0], [95.0, 94.0, 231.0], [11.0, 20.0, 30.0], [95.0, 100.0, 1900.0], [None] * 3)
    ),
    (("dwell_time_stats",), {}),
    *((("aggregation", "year"), value) for value in (2024, 0, None)),
    *((("aggregation", "month"), value) for value in (2, 13, None)),
    *((("aggregation", "dayofmonth"), value) for value in (0, 2, 3, 31, None)),
    *((("aggregation", name), 1) for name in ("hour", "minute", "week", "dayofweek", "isoWeek", "date")),
    *((("aggregation", "zone_id"), value) for value in (202, 203, 999)),
    *((("aggregation", "loc_id"), value) for value in (124, 125, None)),
    (("aggregation", "bounce_threshold"), 60),
    (("period", "startdate"), "2025-03-02"),
    (("period", "enddate"), "2025-03-02T00:00:00Z"),
    *((("dwell_time_stats", name), -5) for name in ("min", "n")),
    (("period", "next"), "x"),
    (("period", "warning"), "late"),
]


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=[f"{'.'.join(path)} {value}" for path, value in CHANGES])
def test_one_change_is_seen_by_both_or_by_the_table_alone(path: tuple[str, ...], value: Any) -> None:
    """In the first row and in the last; with zones asked for or listed, a grouping named or left out."""
    for number in (0, 1):
        rows = [json.loads(json.dumps(ROW)) for _ in range(2)]
        rows[1]["aggregation"]["zone_id"] = 202
        period = {**PERIOD, "insights": rows}
        holder: Any = {"period": period, **rows[number]} if path[0] == "period" else rows[number]
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value
        body = json.dumps({"current": period, "comparison": {}}).encode()
        for options in ({"zones": [201, 202]}, {}, {"aggregate_by": None}, {"aggregate_by": "dayofmonth,loc_id"}):
            query = ZoneVisitors("2025-03-01", "2025-03-02", location=124, **{"aggregate_by": "dayofmonth", **options})
            (request,) = Plan(query, locations=((124, STOCKHOLM),))
            answer = read_answer(request, body)
            for zones in (None, {201: 124, 202: 124}, {201: 124}, {201: 124, 202: 125}, {201: 124, 202: None}):
                if (said := glance(request, answer, zones)) is not None:
                    assert said == hear(request, answer, zones=zones), (options, zones)
                looked_at = attrs.evolve(answer, is_plain=False)  # row by row, whatever was seen while it was read
                assert hear(request, answer, zones=zones) == hear(request, looked_at, zones=zones)


def test_a_sound_answer_is_plain() -> None:
    """Else the shortcut would lead nowhere."""
    query = ZoneVisitors("2025-03-01", "2025-03-02", aggregate_by="dayofmonth", location=124, zones=[201, 202])
    (request,) = Plan(query, locations=((124, STOCKHOLM),))
    body = json.dumps({"current": {**PERIOD, "insights": [ROW]}, "comparison": {}}).encode()
    answer = read_answer(request, body)
    assert glance(request, answer, None) == ()
    assert glance(request, answer, {201: 124}) == ()


def test_what_a_glance_does_not_know_is_the_table_s() -> None:
    """A parameter that the API learns has a witness in the table; it is heard without a word of the shortcuts."""
    question = {"start_date": "2025-03-01", "end_date": "2025-03-02", "aggregate_by": "dayofmonth", "location": 124}
    (request,) = Plan(ZoneVisitors(**question), locations=((124, STOCKHOLM),))
    body = json.dumps({"current": {**PERIOD, "insights": [ROW]}, "comparison": {}}).encode()
    visits = read_answer(request, body)
    (crossed,) = Plan(LineCrosses(**question))
    label = {"year": 2025, "month": 3, "dayofmonth": 1}
    crossings = read_answer(crossed, json.dumps([{"_id": label, "count": 3}]).encode())
    for params, is_plain in (({}, True), ({"min_group": "20"}, False)):
        asked, of_lines = (
            attrs.evolve(each, params=FrozenMap({**each.params, **params})) for each in (request, crossed)
        )
        assert (glance(asked, visits, None) is not None) is is_plain
        assert (glance_at_lines(of_lines, crossings) is not None) is is_plain


_COUNT = st.integers(-2, 6)
_SECONDS = st.none() | st.sampled_from([-1.0, 0.0, 1.0, 2.0, 2.04, 3.0, 900.0])
_STATS = st.none() | st.just({}) | st.fixed_dictionaries(
    {"mean": _SECONDS, "min": _SECONDS, "max": _SECONDS, "n": st.none() | _COUNT}
    | {"quantiles": st.none() | st.lists(_SECONDS, min_size=2, max_size=4) | st.just([])}
)  # fmt: skip
_VISITS = st.fixed_dictionaries(
    {"visits": _COUNT, "unique_visits": st.none() | _COUNT, "bounce": st.none() | _COUNT}
    | {"dwell_time": _SECONDS, "dwell_time_stats": _STATS}
)


@examples(100)
@given(st.lists(_VISITS, min_size=1, max_size=3))
def test_figures_of_any_kind_are_judged_alike(figures: list[dict[str, Any]]) -> None:
    """By what was seen while they were read, and row by row; as rows, and as they were decoded."""
    (request,) = Plan(ZoneVisitors("2025-03-01", "2025-03-01", location=124, aggregate_by="zone", tz=STOCKHOLM))
    rows = [{**row, "aggregation": {"zone_id": 201 + number}} for number, row in enumerate(figures)]
    period = {"startdate": "2025-03-01", "enddate": "2025-03-01", "insights": rows}
    body = json.dumps({"current": period, "comparison": {}}).encode()
    said = set()
    for for_table in (False, True):
        answer = read_answer(request, body, for_table=for_table)
        said |= {hear(request, each) for each in (answer, attrs.evolve(answer, is_plain=False))}
        if (glanced := glance(request, answer, None)) is not None:
            said.add(glanced)
    assert len(said) == 1
