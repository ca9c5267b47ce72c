"""Shards that are joined, and what is not shards of one plan."""

from __future__ import annotations

import attrs
import pytest

from indivd_async import AnswerMismatchError, LineCrosses, Location, Plan, ZoneVisitors, merge_results
from indivd_async.merging import Known, merge_chunks
from indivd_async.planning import make_plan
from indivd_async.results import Answer, Block, Chunk
from indivd_async.witnessing import witness_answer

QUERY = LineCrosses("2025-03-01", "2025-03-02", location=[124, 125], category=1)


def merged(plan: Plan, *, fails: bool = False) -> object:
    answer = None if fails else Answer(current=Block())
    chunks = [Chunk(query=plan.query, request=request, answer=answer, attempts=2) for request in plan]
    return merge_chunks(plan, chunks, Known())


def test_what_failed_in_a_shard_has_failed_in_the_whole() -> None:
    """With the attempts that were made for it."""
    one, other = Plan(QUERY).shards(2)
    whole = merge_results([merged(one), merged(other, fails=True)])  # type: ignore[type-var]
    assert [(item.status, item.attempts) for item in whole.coverage] == [("empty", 2), ("failed", 2)]  # type: ignore[attr-defined]


def test_shards_of_different_plans_are_not_joined() -> None:
    """Their rows may overlap."""
    (one, _), (other, _) = Plan(QUERY).shards(2), Plan(attrs.evolve(QUERY, category=2)).shards(2)
    with pytest.raises(ValueError, match="different plans"):
        merge_results([merged(one), merged(other)])  # type: ignore[type-var]


def test_all_locations_apart_on_one_clock() -> None:
    """The list says which there are; their own clocks do not matter then, nor whether they have one."""
    listed = {124: Location(id=124, timezone="Europe/Stockholm"), 9: Location(id=9)}
    plan = make_plan(ZoneVisitors("2025-03-01", "2025-03-02", per="location", tz="UTC"), listed)
    assert [(request.locations, request.tz) for request in plan] == [((124,), "UTC"), ((9,), "UTC")]
    assert "location 9" in plan._repr_html_()


def test_one_date_of_two_is_held_against_the_question() -> None:
    """Where an answer repeats the end alone, the end alone can tell."""
    (request,) = Plan(ZoneVisitors("2025-03-01", "2025-03-07", location=124, tz="UTC"), locations=((124, "UTC"),))
    answer = Answer(current=Block(dates=(None, "2025-03-07T23:59:59")))
    assert witness_answer(request, answer).notes == ()
    with pytest.raises(AnswerMismatchError):
        witness_answer(request, Answer(current=Block(dates=(None, "2025-03-09"))))


def test_nothing_is_no_result() -> None:
    """A whole that nothing is known of has no plan."""
    with pytest.raises(ValueError, match="at least one result"):
        merge_results([])


def test_the_whole_is_joined_with_nothing() -> None:
    """Alone it is what it was."""
    whole, (one, _) = merged(Plan(QUERY)), Plan(QUERY).shards(2)
    assert merge_results([whole]) is whole  # type: ignore[type-var]
    with pytest.raises(ValueError, match="the whole plan already"):
        merge_results([whole, merged(one)])  # type: ignore[type-var]
