"""Results are sequences of their rows, and say whether all of them are there."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from oracle import KNOWN, LOCATIONS, WORLD, answer

from indivd_async import (
    Chunk,
    DropInRate,
    LineCrosses,
    Note,
    PartialResultError,
    ServerError,
    ZoneVisitors,
    merge_results,
)
from indivd_async.merging import merge_chunks
from indivd_async.planning import make_plan
from indivd_async.queries import Query
from indivd_async.results import Result
from indivd_async.results.notes import warn_of, word_note

DAYS = ("2025-03-03", "2025-03-05")
OTHER = {"comparison_start_date": "2025-02-03", "comparison_end_date": "2025-02-05"}
QUERIES = [
    LineCrosses(*DAYS, location=[124, 125], line_ids=2010),
    ZoneVisitors(*DAYS, location=[124, 127], **OTHER),
    DropInRate(*DAYS, location=[124, 127], **OTHER),
]
ERROR = ServerError("no", status=500)
PLAIN = word_note("provisional_period", clocks="Europe/Stockholm")


def fetched(query: Query, *, failing: int | None = None) -> Any:
    plan = make_plan(query, LOCATIONS)
    chunks = [
        Chunk(query=query, request=request, error=ERROR, attempts=3)
        if request.index == failing
        else answer(WORLD, query, request)
        for request in plan
    ]
    return merge_chunks(plan, chunks, KNOWN)


def rows_of(result: Any) -> tuple[Any, ...]:
    return {  # type: ignore[no-any-return]
        LineCrosses: lambda: result.rows,
        ZoneVisitors: lambda: result.current.insights,
        DropInRate: lambda: result.details.current,
    }[type(result.plan.query)]()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.endpoint.name)
def test_a_result_is_a_sequence_of_its_rows(query: Query) -> None:
    """It iterates, counts and indexes, is true when empty, and is no `Sequence` to polars."""
    result = fetched(query)
    rows = rows_of(result)
    assert len(rows) > 2
    assert (tuple(result), len(result)) == (rows, len(rows))
    assert (result[0], result[-1], result[1:3]) == (rows[0], rows[-1], rows[1:3])
    assert result
    with pytest.raises(IndexError):
        result[len(rows)]
    assert bool(fetched(LineCrosses(*DAYS, location=124, line_ids=1)))
    for again in (pickle.loads(pickle.dumps(result)), copy.copy(result)):
        assert again == result
    assert result.complete
    assert result.raise_for_failures() is None
    assert len(result.to_dicts()) >= len(rows)
    assert result.__arrow_c_stream__() is not None


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.endpoint.name)
def test_a_result_with_failures_raises_them_when_asked(query: Query) -> None:
    """As one error that holds what did arrive."""
    result = fetched(query, failing=1)
    assert not result.complete
    with pytest.raises(PartialResultError, match=r"1 of 2 requests failed: no. What arrived") as caught:
        result.raise_for_failures()
    assert caught.value.result is result
    assert caught.value.failures == (ERROR,)


def test_how_an_answer_was_had_does_not_make_it_another_one() -> None:
    """Attempts are told and not compared."""
    query = QUERIES[0]
    plan = make_plan(query, LOCATIONS)
    first, *rest = [answer(WORLD, query, request) for request in plan]
    again = Chunk(query=query, request=first.request, answer=first.answer, attempts=3)
    one, other = (merge_chunks(plan, [chunk, *rest], KNOWN) for chunk in (first, again))
    assert one == other
    assert [item.coverage[0].attempts for item in (one, other)] == [1, 3]


def test_a_note_reads_as_its_message() -> None:
    """And is told apart by its kind."""
    assert str(Note(kind="provisional_period", message="It still grows.")) == "It still grows."


def test_a_note_says_whether_somebody_should_look_at_it() -> None:
    """Its advice is spelled as whoever reads it writes; kinds that nobody knows are doubtful, and give none."""
    note, unknown = word_note("partial_sum"), Note(kind="invented", message="look!")
    said = note.to_dict(lambda name, value: "run it again")
    assert said["message"].endswith("To have it: run it again.")
    assert (said["kind"], said["doubtful"]) == ("partial_sum", True)
    assert unknown.to_dict(lambda name, value: "") == {"kind": "invented", "message": "look!", "doubtful": True}


def test_only_the_three_results_have_rows() -> None:
    """What they share has none of its own."""
    with pytest.raises(NotImplementedError):
        len(Result(plan=make_plan(QUERIES[0], None), coverage=()))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.endpoint.name)
def test_shards_joined_equal_the_whole(query: Query) -> None:
    """Also where one of them lacks a piece."""
    plan = make_plan(query, LOCATIONS)
    chunks = {request.index: answer(WORLD, query, request) for request in plan}
    shards = [merge_chunks(shard, [chunks[request.index] for request in shard], KNOWN) for shard in plan.shards(2)]
    assert merge_results(shards).coverage == fetched(query).coverage
    assert rows_of(merge_results(shards)) == rows_of(fetched(query))
    if len(shards) > 1:
        assert not merge_results(shards[:1]).complete


def test_who_takes_rows_without_their_notes_is_warned_of_the_doubtful_ones() -> None:
    """Of each kind once, with how many more there are; what is only to be known says nothing."""
    doubts = [word_note("filter_unasked", name=name) for name in ("min_dwell", "max_dwell")]
    with pytest.warns(UserWarning, match="^filter_unasked: ") as warned:
        warn_of([PLAIN, *doubts])
    assert len(warned) == 1
    assert "1 more" in str(warned[0].message)
    warn_of([PLAIN])
