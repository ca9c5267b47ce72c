"""Whatever is split, the merged answer is what one unsplit request would have said: in every field, for any query."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest
from asking_queries import line_queries, long_list_queries, rate_queries, visit_queries
from hypothesis import given, strategies as st
from oracle import (
    BARE_WORLD,
    KNOWN,
    LISTED,
    LOCATIONS,
    WORLD,
    ZONES,
    answer,
    check_limits,
    check_tiling,
    examples,
    expected_lines,
    expected_rates,
    expected_visits,
)

from indivd_async import (
    Chunk,
    DropInRate,
    DropInRateResult,
    LineCrosses,
    LineCrossesResult,
    MergeConflictError,
    Plan,
    PlannedRequest,
    ZoneVisitors,
    ZoneVisitorsResult,
    ZoneVisitorsRow,
    merge_results,
)
from indivd_async.merging import OwnCutConflictError, merge_chunks
from indivd_async.models import FrozenMap
from indivd_async.planning import make_plan
from indivd_async.queries import Query
from indivd_async.results import Block
from indivd_async.sandbox import World


def ask_all(plan: Plan, world: World = WORLD) -> list[Chunk]:
    """Answer every request of *plan*, each of which must be one that the API would take."""
    requests = plan.requests
    check_limits(requests)
    check_tiling(plan.query, requests)
    assert len(plan) == len(requests)
    assert [request.index for request in requests] == list(range(len(requests)))
    return [answer(world, plan.query, request) for request in requests]


def unplaced(rows: Sequence[ZoneVisitorsRow], labelled: bool) -> list[ZoneVisitorsRow]:
    """Take off what the client adds to what an answer says: where zones are, which must be right."""
    bare = []
    for row in rows:
        place = row.aggregation
        assert place.loc_id in (None, ZONES[place.zone_id])
        assert place.loc_name in (None, LISTED[ZONES[place.zone_id]]["name"])
        bare.append(
            attrs.evolve(row, aggregation=attrs.evolve(place, loc_name=None, loc_id=place.loc_id if labelled else None))
        )
    return bare


def check_result(result: Any, query: Query, world: World = WORLD) -> None:
    """Compare *result* with what one unsplit request, for each clock and each value of a fan-out, would have said."""
    assert result.complete
    if isinstance(query, LineCrosses):
        assert isinstance(result, LineCrossesResult)
        assert [attrs.evolve(row, loc_name=None) for row in result.rows] == expected_lines(world, query)
    elif isinstance(query, ZoneVisitors):
        assert isinstance(result, ZoneVisitorsResult)
        current, comparison = expected_visits(world, query)
        grouping = query.aggregate_by or ""
        assert unplaced(result.current.insights, "loc_id" in grouping) == current
        assert (result.current.startdate, result.current.enddate) == (str(query.start_date), str(query.end_date))
        if comparison is None:
            assert result.comparison is None
        else:
            assert result.comparison is not None
            own = "loc_id" in (query.comparison_aggregate_by or grouping)
            assert unplaced(result.comparison.insights, own) == comparison
    else:
        assert isinstance(result, DropInRateResult)
        _check_rates(result, query, world)


def _check_rates(result: DropInRateResult, query: DropInRate, world: World) -> None:
    expected = expected_rates(world, query)
    assert result.details.interval == expected["interval"]
    for period in ("current", "comparison"):
        totals, details, zones = (
            getattr(part, period) for part in (result.summary, result.details, result.zone_details)
        )
        if expected[period] is None:
            assert totals is details is zones is None
            continue
        wanted_totals, wanted_details, wanted_zones = expected[period]
        assert (totals.passing_by, totals.enter, totals.enter_percentage) == wanted_totals
        assert [(row.bucket, row.passing_by, row.enter, row.drop_in_rate) for row in details] == wanted_details
        # The clock of a single location is not looked up, for nothing needs it.
        assert {id: attrs.evolve(zone, tz=None) for id, zone in zones.items()} == {
            id: attrs.evolve(zone, tz=None) for id, zone in wanted_zones.items()
        }


def check_split(query: Query, seed: int) -> None:
    """Plan, ask, merge in any order, and compare; the same by shards."""
    plan = make_plan(query, LOCATIONS)
    chunks = ask_all(plan)
    random.Random(seed).shuffle(chunks)
    result = merge_chunks(plan, chunks, KNOWN)
    check_result(result, query)
    assert merge_chunks(plan, sorted(chunks, key=lambda chunk: chunk.request.index), KNOWN) == result
    by_index = {chunk.request.index: chunk for chunk in chunks}
    shards = [
        merge_chunks(shard, [by_index[request.index] for request in shard], KNOWN)
        for shard in plan.shards(seed % 4 + 1)
    ]
    joined = merge_results(shards)
    assert attrs.evolve(joined, notes=()) == attrs.evolve(result, notes=())


SEEDS = st.integers(0, 2**16)


@examples(120)
@given(query=line_queries(), seed=SEEDS)
def test_line_crosses_split_and_merged_equal_the_unsplit_answer(query: LineCrosses, seed: int) -> None:
    """Minutes, hours and weeks beyond their limits, locations, organisations and any fan-out."""
    check_split(query, seed)


@pytest.mark.long
@examples(150)
@given(query=visit_queries(), seed=SEEDS)
def test_zone_visitors_split_and_merged_equal_the_unsplit_answer(query: ZoneVisitors, seed: int) -> None:
    """Every grouping, clock, threshold and comparison; Basic and Pro locations together."""
    try:
        check_split(query, seed)
    except OwnCutConflictError:
        assert query.split is not None
        check_split(attrs.evolve(query, split=None), seed)


@pytest.mark.long
@examples(100)
@given(query=rate_queries(), seed=SEEDS)
def test_drop_in_rates_split_and_merged_equal_the_unsplit_answer(query: DropInRate, seed: int) -> None:
    """Rates are computed from the counts, and zones stay apart."""
    check_split(query, seed)


@examples(15)
@given(query=long_list_queries(), seed=SEEDS)
def test_lists_too_long_for_a_url_are_asked_in_parts(query: Query, seed: int) -> None:
    """Counts of parts add up, rows of zones stay apart, and no URL passes 6,000 bytes."""
    assert len(make_plan(query, LOCATIONS)) > 1
    check_split(query, seed)


@examples(40)
@given(query=visit_queries(), seed=SEEDS)
def test_labels_that_come_without_those_above_are_never_put_together_wrongly(query: ZoneVisitors, seed: int) -> None:
    """Where hours come without their day, pieces clash, are asked for unsplit, and equal the unsplit answer."""
    plan = make_plan(query, LOCATIONS)
    try:
        result = merge_chunks(plan, ask_all(plan, BARE_WORLD), KNOWN)
    except OwnCutConflictError:
        assert query.split is not None
        plan = make_plan(attrs.evolve(query, split=None), LOCATIONS)
        result = merge_chunks(plan, ask_all(plan, BARE_WORLD), KNOWN)
    check_result(result, query, BARE_WORLD)


ANY = st.one_of(line_queries(), visit_queries(), rate_queries())


def _merge_or_ask_unsplit(query: Query) -> tuple[Plan, list[Chunk]]:
    plan = make_plan(query, LOCATIONS)
    chunks = ask_all(plan)
    try:
        merge_chunks(plan, chunks, KNOWN)
    except OwnCutConflictError:
        plan = make_plan(attrs.evolve(query, split=None), LOCATIONS)
        chunks = ask_all(plan)
    return plan, chunks


@examples(40)
@given(query=ANY, seed=SEEDS)
def test_a_chunk_dropped_or_doubled_is_noticed(query: Query, seed: int) -> None:
    """What is missing is listed as failed, and what is there twice is refused."""
    plan, chunks = _merge_or_ask_unsplit(query)
    chance = random.Random(seed)
    lost = chance.randrange(len(chunks))
    partial = merge_chunks(plan, chunks[:lost] + chunks[lost + 1 :], KNOWN)
    assert not partial.complete
    assert [item.status == "failed" for item in partial.coverage] == [n == lost for n in range(len(chunks))]
    again = chance.choice(chunks)
    with pytest.raises(MergeConflictError, match="twice"):
        merge_chunks(plan, [*chunks, again], KNOWN)
    with pytest.raises(MergeConflictError, match="twice"):
        merge_chunks(plan, [*chunks, attrs.evolve(again, attempts=2)], KNOWN)


@examples(40)
@given(query=ANY, seed=SEEDS)
def test_a_chunk_that_overlaps_another_is_noticed(query: Query, seed: int) -> None:
    """A request with other days than planned is refused; so is an answer that holds rows of its neighbour too."""
    plan, chunks = _merge_or_ask_unsplit(query)
    chance = random.Random(seed)
    position = chance.randrange(len(chunks))
    chunk = chunks[position]
    request = chunk.request
    assert request.window is not None
    end = request.window.end + timedelta(days=1)
    wider = attrs.evolve(
        request,
        window=attrs.evolve(request.window, end=end),
        params=FrozenMap({**request.params, "end_date": end.isoformat()}),
    )
    with pytest.raises(MergeConflictError, match="not of this plan"):
        merge_chunks(plan, [*chunks[:position], attrs.evolve(chunk, request=wider), *chunks[position + 1 :]], KNOWN)
    others = [
        other
        for other in chunks
        if other.row_count
        and other is not chunk
        and other.request.period == request.period
        and not _adds_up(plan, other.request, request)
    ]
    if others:
        grown = attrs.evolve(chunk, answer=_joined(chunk.answer, chance.choice(others).answer))
        with pytest.raises(MergeConflictError, match="two requests"):
            merge_chunks(plan, [*chunks[:position], grown, *chunks[position + 1 :]], KNOWN)


def _adds_up(plan: Plan, one: PlannedRequest, other: PlannedRequest) -> bool:
    """Tell whether rows of the two requests are added up, or told apart by what a fan-out filled in."""
    if not isinstance(plan.query, LineCrosses):
        return False
    part = plan.layout.parts[0]
    return one.carried != other.carried or part.rows_repeat


def _joined(one: Any, other: Any) -> Any:
    """Put the rows of *other* behind those of *one*."""
    blocks = [
        None
        if block is None
        else attrs.evolve(
            block, rows=block.rows + more.rows, zones=block.zones + more.zones, details=block.details + more.details
        )
        for block, more in ((one.current, other.current), (one.comparison, other.comparison or Block()))
    ]
    return attrs.evolve(one, current=blocks[0], comparison=blocks[1])


@pytest.mark.parametrize(("grouping", "requests"), [("minute", 122), ("hour", 53)])
def test_a_year_of_one_location_takes_as_many_requests_as_the_limits_ask_for(grouping: str, requests: int) -> None:
    """Minutes three days at a time, hours seven; and the counts are those of the year asked in one."""
    query = LineCrosses("2025-01-01", "2025-12-31", aggregate_by=grouping, location=125)
    plan = make_plan(query, None)
    assert len(plan) == requests
    check_result(merge_chunks(plan, ask_all(plan), KNOWN), query)
