"""Answers that are not what was asked, through the client: fetch, batch and stream say so, and agree."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import anyio
import httpx
import pytest
from scripted import Script

from indivd_async import (
    AnswerMismatchError,
    ApiError,
    AsyncIndivd,
    DropInRate,
    InvalidQueryError,
    Limits,
    LineCrosses,
    MergeConflictError,
    NotMergeableError,
    ZoneVisitors,
    merge_results,
    sandbox,
)
from indivd_async.cache import MemoryCache
from indivd_async.planning import PlannedRequest
from indivd_async.profile import MostDays, Profile

pytestmark = pytest.mark.anyio

Params = dict[str, str]
STOCKHOLM = [{"id": 1, "timezone": "Europe/Stockholm"}]
CLOCKS = [*STOCKHOLM, {"id": 2, "timezone": "America/New_York"}]


def client_of(answer: Callable[[Params], Any], locations: Any = STOCKHOLM, **options: Any) -> AsyncIndivd:
    def handle(request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        found = locations if "filters" in request.url.path else answer(params)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    return AsyncIndivd(token="t", transport=httpx.MockTransport(handle), **options)


def visits(*rows: Any) -> dict[str, Any]:
    return {"current": {"insights": list(rows)}}


def row(visits: int, day: int = 1, zone: int = 7, **fields: Any) -> dict[str, Any]:
    return {"visits": visits, "aggregation": {"year": 2025, "month": 3, "dayofmonth": day, "zone_id": zone}, **fields}


MEASURED = {"unique_visits": 4, "bounce": 0, "dwell_time": 90.0}
MARCH = ("2025-03-01", "2025-03-03")
QUERY = ZoneVisitors(*MARCH, aggregate_by="dayofmonth", location=1, zones=7)


async def test_a_mismatch_is_a_failure_like_any_other() -> None:
    """Raised by a fetch, listed by a batch that collects, yielded by a stream, and asked again by `retry_failed`."""
    broken = [True]

    def answer(params: Params) -> Any:
        return visits(row(5, zone=8 if broken[0] else 7))

    async with client_of(answer) as client:
        with pytest.raises(AnswerMismatchError, match="expected zones 7, got zones 8"):
            await client.fetch(QUERY)
        (result,) = await client.fetch_all([QUERY], on_error="collect")
        assert [(item.status, type(item.error)) for item in result.coverage] == [("failed", AnswerMismatchError)]
        async with client.stream(QUERY) as chunks:
            assert [type(chunk.error) async for chunk in chunks] == [AnswerMismatchError]
        broken[0] = False
        completed = await client.retry_failed(result)
    assert completed.complete
    assert [item.visits for item in completed] == [5]


async def test_notes_travel_with_the_chunk_and_are_united() -> None:
    """A stream's chunk has those of its answer; a result has one of a kind for all."""

    def answer(params: Params) -> Any:
        day = int(params["start_date"][-2:])
        return visits(row(5, day, **MEASURED), row(5, day, **MEASURED), row(-1, day, zone=9, **MEASURED))

    query = ZoneVisitors(*MARCH, aggregate_by="dayofmonth", location=1, split=1)
    async with client_of(answer) as client:
        result = await client.fetch(query)
        async with client.stream(query) as chunks:
            streamed = [[note.kind for note in chunk.notes] async for chunk in chunks]
    assert [note.kind for note in result.notes] == ["repeated_key", "implausible_figures"]
    assert streamed == [["repeated_key", "implausible_figures"]] * 3
    assert "So it is in 2 more answers" in result.notes[0].message


async def test_a_cached_answer_is_held_against_its_question_too() -> None:
    """Its notes are those of the answer when it came."""
    asked = []

    def answer(params: Params) -> Any:
        asked.append(params)
        return visits(row(5, **MEASURED), row(5, **MEASURED)) | {"warning": "late"}

    async with client_of(answer, cache=MemoryCache()) as client:
        first, again = await client.fetch(QUERY), await client.fetch(QUERY)
    assert len(asked) == 1
    assert [note.kind for note in first.notes] == ["answer_says", "repeated_key"]
    assert again.notes == first.notes


@pytest.mark.parametrize(("headers", "times"), [({"X-Degraded": "2 of 3 shards"}, 2), ({"X-Total-Count": "1"}, 1)])
async def test_what_headers_say_is_told_each_time(headers: dict[str, str], times: int) -> None:
    """A cache keeps bodies only: an answer that headers cast doubt on is asked for again."""
    asked = []

    def answer(params: Params) -> Any:
        asked.append(params)
        return httpx.Response(200, json=visits(row(5, **MEASURED)), headers=headers)

    async with client_of(answer, cache=MemoryCache()) as client:
        first, again = await client.fetch(QUERY), await client.fetch(QUERY)
    assert len(asked) == times
    assert first.notes == again.notes
    assert [note.kind for note in first.notes] == ["answer_says"] * (times - 1)


async def test_a_page_of_a_list_is_no_list() -> None:
    """What says that there is more, in the body or in a header, is no basis for "all"."""
    page = {"results": STOCKHOLM, "next": "https://stolen"}
    header = httpx.Response(200, json=STOCKHOLM, headers={"Link": '<https://x?page=2>; rel="next"'})
    for locations in (page, header, {"results": STOCKHOLM, "total": 3}):
        async with client_of(lambda params: visits(), locations) as client:
            with pytest.raises(AnswerMismatchError, match="expected the whole list, got a part"):
                await client.locations()
    async with client_of(lambda params: visits(), {"results": STOCKHOLM, "next": None, "count": 1}) as client:
        assert len(await client.locations()) == 1


async def test_a_header_of_data_is_seen() -> None:
    """Through httpx's transports as over connections of our own."""
    async with client_of(lambda params: httpx.Response(200, json=visits(), headers={"X-Total-Count": "9"})) as client:
        with pytest.raises(AnswerMismatchError, match="header x-total-count: 9"):
            await client.fetch(QUERY)


async def test_the_list_of_zones_is_used_where_it_is_known() -> None:
    """It costs no request; once it was looked up, zones of other locations are an error."""

    def handle(request: httpx.Request) -> httpx.Response:
        zones = [{"id": 7, "location": 2}]
        lists = {"/filters/zones": zones, "/filters/locations": STOCKHOLM}
        return httpx.Response(200, json=lists.get(request.url.path) or visits(row(5)))

    async with AsyncIndivd(token="t", transport=httpx.MockTransport(handle)) as client:
        assert (await client.fetch(QUERY)).complete
        await client.zones()
        with pytest.raises(AnswerMismatchError, match="expected locations 1, got zone 7, which the list of zones"):
            await client.fetch(QUERY)


# Nothing is added up under labels that do not tell all they should.


async def test_weeks_without_their_year_are_never_added() -> None:
    """Week 10 of 2024 and of 2025 are two weeks; other labels that tell the year keep them apart."""

    def weeks(labels: Callable[[str], dict[str, int]]) -> Callable[[Params], Any]:
        return lambda params: [{"_id": labels(params["start_date"][:4]), "count": 5 if "2024" in str(params) else 7}]

    query = LineCrosses("2024-03-01", "2025-03-31", aggregate_by="week", location=1, category=1)
    async with client_of(weeks(lambda year: {"week": 10})) as client:
        with pytest.raises(MergeConflictError, match=r"week 10: the label does not tell the year.*ask year by year"):
            await client.fetch(query)
    async with client_of(weeks(lambda year: {"week": 10, "isoWeekYear": int(year)})) as client:
        result = await client.fetch(query)
    assert [item.count for item in result] == [5, 7]
    assert "odd_labels" in {note.kind for note in result.notes}


async def test_a_key_that_stands_twice_is_not_added_to_others() -> None:
    """Lines in parts are added up; which of two rows counts nobody knows."""

    def answer(params: Params) -> Any:
        return [{"_id": {"year": 2025, "month": 3, "dayofmonth": 1}, "count": 5}] * 2

    ids = range(10**6, 10**6 + 1_000)
    query = LineCrosses(*MARCH, aggregate_by="dayofmonth", location=1, line_ids=ids)
    async with client_of(answer) as client:
        with pytest.raises(MergeConflictError, match=r"1 keys stand more than once.*cannot be added"):
            await client.fetch(query)
        single = await client.fetch(LineCrosses(*MARCH, aggregate_by="dayofmonth", location=1, category=1))
    assert [note.kind for note in single.notes] == ["repeated_key"]
    assert single.total() == 10


async def test_days_under_another_name_stay_apart_over_two_clocks() -> None:
    """`date` is no label that is known, and still tells rows apart."""

    def answer(params: Params) -> Any:
        rows = [
            {"date": f"2025-03-0{day}", "passing_by": 10 * day, "enter": day, "drop_in_rate": 10.0} for day in (1, 2)
        ]
        totals = {"startdate": MARCH[0], "enddate": MARCH[1], "passing_by": 30, "enter": 3, "enter_percentage": 10.0}
        return {
            "summary": {"current": totals, "comparison": {}},
            "details": {"interval": "day", "current": rows, "comparison": []},
            "zone_details": {"current": {}, "comparison": {}},
        }

    async with client_of(answer, CLOCKS) as client:
        result = await client.fetch(DropInRate(*MARCH, location=[1, 2]))
    assert [(item.extra["date"], item.enter) for item in result] == [("2025-03-01", 2), ("2025-03-02", 4)]
    assert {"grouped_otherwise", "odd_labels"} <= {note.kind for note in result.notes}


# Licences.

ZEROS = {"unique_visits": 0, "bounce": 0, "dwell_time": 0.0, "dwell_time_stats": {}}


async def test_a_licence_is_judged_by_zone_in_fetch_and_stream() -> None:
    """Zones without one stand beside others on one clock; bounds refuse what is not measured."""
    async with AsyncIndivd(token="sandbox-mixed", transport=sandbox.transport()) as client:
        query = ZoneVisitors("2025-03-01", "2025-03-07", location=[124, 140], aggregate_by="zone")
        result = await client.fetch(query)
        async with client.stream(query) as chunks:
            (chunk,) = [chunk async for chunk in chunks]
    hidden = {item.aggregation.zone_id for item in result if item.unique_visits is None}
    assert {item.aggregation.zone_id for item in result} - hidden
    assert hidden
    assert hidden == {zone for zone in hidden if zone >= 361}  # those of location 140
    assert chunk.rows == result.current.insights
    assert [note.kind for note in result.notes] == [note.kind for note in chunk.notes] == ["unlicensed_metrics"]
    with pytest.raises(NotMergeableError, match="do not tell it"):
        result.unique_visits_bounds()
    with pytest.raises(NotMergeableError):
        result.cross_visitation(min(hidden), max(hidden))


async def test_zeros_that_were_measured_stay() -> None:
    """Of quiet hours, of quiet zones beside busy ones, and those that a filter of dwell times left."""
    rows = [
        row(5, 1, 7, **MEASURED),
        row(3, 2, 7, **ZEROS),
        row(0, 1, 8, **ZEROS),
        row(4, 1, 9, **ZEROS, exclude={"min_dwell_time": 4, "max_dwell_time": 0}),
    ]
    query = ZoneVisitors(*MARCH, aggregate_by="dayofmonth", location=1, min_dwell=60)
    async with client_of(lambda params: visits(*rows)) as client:
        result = await client.fetch(query)
        async with client.stream(query) as chunks:
            (chunk,) = [chunk async for chunk in chunks]
    assert sorted((item.aggregation.zone_id, item.unique_visits) for item in result) == [(7, 0), (7, 4), (8, 0), (9, 0)]
    assert [item.unique_visits for item in chunk.rows] == [4, 0, 0, 0]
    assert [note.kind for note in result.notes] == ["rows_of_zeros"]


async def test_a_stream_judges_by_all_that_has_come() -> None:
    """A zone that an earlier chunk showed as measured stays so; a later one cannot be known."""

    def answer(params: Params) -> Any:
        day = int(params["start_date"][-2:])
        return visits(row(5, day, 7, **(MEASURED if day == 2 else ZEROS)), row(5, day, 8, **ZEROS))

    query = ZoneVisitors(*MARCH, aggregate_by="dayofmonth", location=1, split=1)
    async with client_of(answer, limits=Limits(concurrency=1)) as client:
        async with client.stream(query) as chunks:
            streamed = [([item.unique_visits for item in chunk.rows], chunk.notes) async for chunk in chunks]
        result = await client.fetch(query)
    assert [uniques for uniques, _ in streamed][1:] == [[4, None], [0, None]]
    assert all("a stream cannot look ahead" in notes[0].message for _, notes in streamed)
    measured = [item for item in result if item.unique_visits is not None]
    assert sorted((item.aggregation.zone_id, item.unique_visits) for item in measured) == [(7, 0), (7, 0), (7, 4)]


async def test_bounces_that_are_not_tracked_are_none_everywhere() -> None:
    """Fetch, stream and totals; the sandbox counts none under a threshold of 0."""
    query = ZoneVisitors("2025-03-01", "2025-03-02", location=124, aggregate_by="zone", bounce_threshold=0)
    async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
        result = await client.fetch(query)
        async with client.stream(query) as chunks:
            (chunk,) = [chunk async for chunk in chunks]
    assert {item.bounce for item in result} == {item.bounce for item in chunk.rows} == {None}
    assert all(item.unique_visits for item in result)
    with pytest.raises(NotMergeableError):
        result.total("bounce")


async def test_a_zone_that_comes_for_two_locations_fails_its_chunk() -> None:
    """A fetch is a conflict; a stream, which merges nothing, remembers whose zones came."""
    query = ZoneVisitors(*MARCH, aggregate_by="dayofmonth", location=[1, 2])
    async with client_of(lambda params: visits(row(5, **MEASURED)), CLOCKS) as client:
        with pytest.raises(MergeConflictError):
            await client.fetch(query)
        async with client.stream(query) as chunks:
            errors = [chunk.error async for chunk in chunks]
    assert sorted(str(type(error)) for error in errors) == sorted([str(AnswerMismatchError), str(type(None))])


async def test_a_zone_that_comes_for_two_locations_at_other_hours_is_a_conflict() -> None:
    """Shops of two clocks are open at other hours: no row of one stands where the other has one."""

    def answer(params: Params) -> Any:
        opens = 10 if params["tz"] == "Europe/Stockholm" else 4
        place = {"year": 2025, "month": 3, "dayofmonth": 1, "hour": opens, "zone_id": 7}
        return visits({"visits": 5, "aggregation": place, **MEASURED})

    query = ZoneVisitors("2025-03-01", "2025-03-01", aggregate_by="hour", per="location", location=[1, 2])
    async with client_of(answer, CLOCKS) as client:
        with pytest.raises(MergeConflictError, match="expected zone 7 in the answers for locations 1 only, got it for"):
            await client.fetch(query)
        (result,) = await client.fetch_all([query], on_error="collect")
    assert {str(type(item.error)) for item in result.coverage} == {str(MergeConflictError)}


async def test_whose_zones_came_is_remembered_until_the_last_answer() -> None:
    """However many other queries of a stream are answered between two answers to one."""
    others = [ZoneVisitors(*MARCH, aggregate_by="dayofmonth", location=1, zones=zone) for zone in range(11, 41)]
    answered = anyio.Event()

    async def answer(path: str, params: Params) -> Any:
        if "zones" in params:
            if params["zones"] == "40":
                answered.set()
            return visits(row(5, zone=int(params["zones"])))
        if params["location"] == "2":
            await answered.wait()
        return visits(row(5))

    both = ZoneVisitors(*MARCH, aggregate_by="dayofmonth", location=[1, 2])
    async with (
        AsyncIndivd(token="t", transport=Script(answer, locations=CLOCKS), limits=Limits(concurrency=2)) as client,
        client.stream([both, *others]) as chunks,
    ):
        failed = [(chunk.query, type(chunk.error)) async for chunk in chunks if chunk.error is not None]
    assert failed == [(both, AnswerMismatchError)]


async def test_ids_that_no_list_has_are_told_where_the_list_is_there() -> None:
    """They cost no request; without the list nobody knows."""

    def handle(request: httpx.Request) -> httpx.Response:
        lists = {"/filters/zones": [{"id": 9, "location": 1}], "/filters/locations": STOCKHOLM}
        return httpx.Response(200, json=lists.get(request.url.path) or visits())

    async with AsyncIndivd(token="t", transport=httpx.MockTransport(handle)) as client:
        assert (await client.fetch(QUERY)).notes == ()
        await client.zones()
        (note,) = (await client.fetch(QUERY)).notes
        joined = merge_results([await client.run(shard) for shard in (await client.plan(QUERY)).shards(1)])
    assert joined.notes == (note,)
    assert (note.kind, note.message) == ("unlisted_ids", "zones 7: the list of zones has no such id.")


# Limits that no page tells.


@pytest.mark.parametrize(
    ("status", "query", "words"),
    [
        (400, ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="dayofmonth", tz="UTC", split=None), "split=45"),
        (400, ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="zone", tz="UTC"), "sums by zone cannot be cut"),
        (413, ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="dayofmonth", tz="UTC", split=None), "split=45"),
        (414, DropInRate("2025-01-01", "2025-03-31", interval="hour", tz="UTC", split=None), 'unit="hour", days=45'),
        (413, ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="week", tz="UTC"), "sums by week cannot be cut"),
        (414, LineCrosses(*MARCH, aggregate_by="dayofmonth", line_ids=range(900)), "profile=Profile(longest_url="),
        (413, LineCrosses(*MARCH, aggregate_by="dayofmonth", line_ids=range(900)), "profile=Profile(longest_url="),
        (400, LineCrosses("2025-03-01", "2025-03-01", aggregate_by="hour", category=1), "please report it"),
    ],
)
async def test_a_refusal_names_the_limit_that_may_have_been_met(status: int, query: Any, words: str) -> None:
    """And what to pass; only what could not be cut by anything is a fault of the client's."""
    async with client_of(lambda params: httpx.Response(status)) as client:
        with pytest.raises(ApiError) as caught:
            await client.fetch(query)
    assert words in caught.value.advice
    assert ("please report" in caught.value.advice) == (words == "please report it")


async def test_the_limit_that_an_error_names_can_be_told_to_the_planner() -> None:
    """What it says to pass is taken as it stands, and the question is cut so that it is answered."""

    def answer(params: Params) -> Any:
        days = date.fromisoformat(params["end_date"]) - date.fromisoformat(params["start_date"])
        return visits() if days.days < 45 else httpx.Response(413)

    query = ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="dayofmonth", tz="UTC", split=None)
    async with client_of(answer) as client:
        with pytest.raises(ApiError) as caught:
            await client.fetch(query)
    profile = eval(caught.value.advice.split("profile=")[1].split(";")[0])
    assert profile == Profile(most_days=(MostDays(endpoint="zone_visitors", unit="day", days=45),))
    async with client_of(answer, profile=profile) as client:
        assert [item.request.window.days for item in (await client.fetch(query)).coverage] == [45, 45]


COUNTS = [1_310 + 17 * day for day in range(1, 15)]
FOUR = [{"id": id, "timezone": "Europe/Stockholm"} for id in (1, 2, 3, 4)]


def counts(figures: list[int]) -> Any:
    days = enumerate(figures, 1)
    return [{"_id": {"year": 2025, "month": 3, "dayofmonth": day}, "count": count} for day, count in days]


@pytest.mark.parametrize("ways", [("location",), ("floor",), ("zone_to",)], ids=str)
async def test_counts_of_one_place_that_are_those_of_another_are_told(ways: tuple[str]) -> None:
    """The filter is not heeded, or an answer was kept for another question; in a fetch and in a stream."""
    (per,) = ways
    query = LineCrosses("2025-03-01", "2025-03-14", aggregate_by="dayofmonth", category=1, per=per, **{per: [1, 2]})
    async with client_of(lambda params: counts(COUNTS), FOUR) as client:
        (note,) = (await client.fetch(query)).notes
        assert note.kind == "repeated_counts"
        assert {f"{per} 1", f"{per} 2"} <= set(re.findall(r"\w+ \d", note.message))
        async with client.stream(query) as chunks:
            assert [note.kind async for chunk in chunks for note in chunk.notes] == ["repeated_counts"]


async def test_counts_are_held_against_those_of_other_shards_and_of_a_call_before() -> None:
    """What comes by itself may repeat what came before."""
    refused = ["2"]

    def answer(params: Params) -> Any:
        return httpx.Response(403) if params["location"] in refused else counts(COUNTS)

    query = LineCrosses("2025-03-01", "2025-03-14", aggregate_by="dayofmonth", category=1, location=[1, 2])
    async with client_of(answer, FOUR) as client:
        (result,) = await client.fetch_all([query], on_error="collect")
        refused.clear()
        completed = await client.retry_failed(result)
        whole = await client.fetch(query)
        joined = merge_results([await client.run(shard) for shard in (await client.plan(query)).shards(2)])
    assert result.notes == ()
    assert completed == joined == whole
    assert [note.kind for note in whole.notes] == ["repeated_counts"]


@pytest.mark.parametrize(
    ("figures", "asked"),
    [
        ([1, 0, 2, 0, 0, 1, 0], {"location": [1, 2]}),
        ([31, 12, 40], {"location": [1, 2]}),
        (COUNTS, {"per": "category", "category": [1, 4]}),
        (COUNTS, {"per": "line", "line_ids": [2010, 2012]}),
    ],
    ids=["few", "few days", "lines of two categories", "who enters leaves"],
)
async def test_counts_that_may_be_alike_are_no_surprise(figures: list[int], asked: Any) -> None:
    """By chance, or since the lines are the same."""
    query = LineCrosses(
        "2025-03-01", f"2025-03-{len(figures):02}", aggregate_by="dayofmonth", **{"category": 1} | asked
    )
    async with client_of(lambda params: counts(figures), FOUR) as client:
        assert not [note for note in (await client.fetch(query)).notes if note.kind == "repeated_counts"]


@pytest.mark.parametrize(("count", "others", "told"), [(115_069, 0, 1), (115_069, 1, 0), (1, 0, 0), (0, 0, 0)])
async def test_one_count_for_all_places_is_told(count: int, others: int, told: int) -> None:
    """Two may have it by chance, and not five; small ones may be that of many."""
    places = [{"id": id, "timezone": "Europe/Stockholm"} for id in (1, 2, 3, 4, 5)]
    query = LineCrosses("2025-03-01", "2025-03-31", aggregate_by="month", category=1, location=[1, 2, 3, 4, 5])

    def answer(params: Params) -> Any:
        return [{"_id": {"year": 2025, "month": 3}, "count": count + others * (params["location"] == "2")}]

    async with client_of(answer, places) as client:
        fetched = [note.kind for note in (await client.fetch(query)).notes]
        async with client.stream(query) as chunks:
            streamed = [note.kind async for chunk in chunks for note in chunk.notes]
    assert fetched.count("repeated_counts") == streamed.count("repeated_counts") == told


async def test_a_week_is_enough_to_tell_two_places_apart() -> None:
    """Six days of a shop's door."""
    week = [131, 140, 122, 150, 171, 98, 0]
    query = LineCrosses("2025-03-01", "2025-03-07", aggregate_by="dayofmonth", category=1, location=[1, 2])
    async with client_of(lambda params: counts(week), FOUR) as client:
        assert "repeated_counts" in [note.kind for note in (await client.fetch(query)).notes]


async def test_equal_counts_of_other_hours_are_those_of_another_place() -> None:
    """A hundred each, at other times: nothing is repeated."""

    def sparse(params: Params) -> Any:
        hours = range(int(params["location"]), 24, 2)
        return [{"_id": {"year": 2025, "month": 3, "dayofmonth": 1, "hour": hour}, "count": 100} for hour in hours]

    query = LineCrosses("2025-03-01", "2025-03-01", aggregate_by="hour", category=1, location=[2, 3])
    async with client_of(sparse, FOUR) as client:
        assert not (await client.fetch(query)).notes


async def test_counts_of_some_lines_that_are_those_of_others_are_told() -> None:
    """A long list of lines is asked for in parts, whose counts are added: all of them, time and again."""
    lines = list(range(1_000_000, 1_001_000))
    query = LineCrosses("2025-03-01", "2025-03-14", aggregate_by="dayofmonth", location=1, line_ids=lines)
    async with client_of(lambda params: counts(COUNTS), FOUR) as client:
        result = await client.fetch(query)
    assert len(result.plan) > 1
    (note,) = (note for note in result.notes if note.kind == "repeated_counts")
    assert len(note.message) < 400


async def test_a_stream_remembers_so_many_answers_and_no_more() -> None:
    """What is held against what came before takes no memory without end."""
    query = LineCrosses("2021-01-01", "2025-03-14", aggregate_by="hour", category=1, location=1, split=1)
    came = kept = 0
    before = [each for each in gc.get_objects() if isinstance(each, PlannedRequest)]  # which other tests hold

    def count(params: Any) -> Any:
        day = date.fromisoformat(params["start_date"])
        labels = {"year": day.year, "month": day.month, "dayofmonth": day.day}
        return [{"_id": {**labels, "hour": hour}, "count": 500 + hour} for hour in range(8, 20)]

    async with client_of(count, FOUR) as client, client.stream(query) as chunks:
        async for _ in chunks:
            came += 1
            if came == 1_500:
                kept = sum(isinstance(each, PlannedRequest) for each in gc.get_objects()) - len(before)
    assert 0 < kept < 1_200


async def test_a_location_that_is_listed_on_two_clocks_has_none() -> None:
    """Whichever came last would decide on what is asked; nor has a zone of two locations one."""
    twice = [*FOUR, {"id": 2, "timezone": "Asia/Tokyo"}]
    async with client_of(lambda params: visits(), twice) as client:
        with pytest.raises(InvalidQueryError, match="location 2 has no time zone that is known"):
            await client.zone_visitors("2025-03-01", "2025-03-03", location=[1, 2])
        await client.zone_visitors("2025-03-01", "2025-03-03", location=[1, 3])
    async with client_of(
        lambda params: visits(row(5)), [{"id": 7, "location": id, "timezone": "UTC"} for id in (1, 2)]
    ) as client:
        await client.zones()
        result = await client.zone_visitors("2025-03-01", "2025-03-03", aggregate_by="dayofmonth", tz="UTC")
    assert [row.aggregation.loc_id for row in result] == [None]
    assert "location_unknown" in [note.kind for note in result.notes]


async def test_rates_of_zones_without_a_location_are_told() -> None:
    """Of several locations nothing tells whose they are."""
    async with AsyncIndivd("sandbox", transport=httpx.MockTransport(unplaced)) as client:
        result = await client.drop_in_rate(
            "2025-03-01", "2025-03-01", location=[1, 2], zone=7, interval="day", tz="UTC"
        )
    assert [note.kind for note in result.notes] == ["location_unknown"]


def unplaced(_: httpx.Request) -> httpx.Response:
    day, rate = {"year": 2025, "month": 3, "passing_by": 4}, {"drop_in_rate": 75.0}
    zone = {
        "zone_id": 7,
        "total_visits": 3,
        "total_passing_by": 4,
        "details": [day | rate | {"dayofmonth": 1, "visits": 3}],
    }
    document = {
        "summary": {"current": {}},
        "details": {"interval": "day", "current": [day | rate | {"day": 1, "enter": 3}]},
        "zone_details": {"current": {"7": zone | rate}},
    }
    return httpx.Response(200, json=document)
