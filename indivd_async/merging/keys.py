"""What tells rows apart, and the errors for rows that two requests brought. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import MergeConflictError
from ..models import FrozenMap
from ..models.values import odd_labels, word_bucket
from ..planning import Plan, PlannedRequest
from ..results import Block, Chunk, Coverage

Covered = tuple[Coverage, ...]


class OwnCutConflictError(MergeConflictError):
    """Two windows of our own choosing brought the same row: the API groups otherwise than assumed; ask unsplit."""


def check_defaults(plan: Plan, arrived: Iterable[Chunk]) -> None:
    """
    Refuse labels without a year where a default grouping was named to the API only because the period is cut.

    Left to itself the API may name more in its labels, and so it must be asked.
    """
    query, endpoint = plan.query, plan.query.endpoint
    if getattr(query, endpoint.grouping) is not None:
        return
    named = {part.period for part in plan.layout.parts if part.is_own_cut}
    if getattr(query, endpoint.comparison_grouping or "", None) is not None:
        named.discard("comparison")
    for chunk in arrived:
        if chunk.request.period in named and chunk.answer and (row := chunk.answer.first_row) is not None:
            bucket = getattr(row, "aggregation", row).bucket
            if bucket.year is None:
                key = word_bucket(bucket)
                raise OwnCutConflictError(key, (chunk.request,), "the label does not tell the year it belongs to")


def conflict(plan: Plan, key: str, one: PlannedRequest, other: PlannedRequest) -> MergeConflictError:
    """Make the error for a key that two requests brought."""
    own_cuts = {part.period for part in plan.layout.parts if part.is_own_cut}
    ours = one.period in own_cuts and one.window != other.window
    return (OwnCutConflictError if ours else MergeConflictError)(key, (one, other))


def check_addable(chunks: Sequence[Chunk]) -> None:
    """Refuse to add up the rows of an answer in which a key stands more than once, as its notes tell."""
    for chunk in chunks:
        if told := [note for note in chunk.notes if note.kind == "repeated_key"]:
            problem = f"{told[0].message.rstrip('.')}, so its rows cannot be added to those of others"
            raise MergeConflictError("a row", (chunk.request,), problem)


def check_years(chunks: Sequence[Chunk]) -> None:
    """Refuse to add up weeks of several years that do not tell their year: week 10 is another week each year."""
    years = {chunk.request.window.start.year for chunk in chunks if chunk.request.window is not None}
    for chunk in chunks if len(years) > 1 else ():
        row = chunk.answer.first_row if chunk.answer else None
        bucket = None if row is None else row.bucket
        if bucket is not None and bucket.year is None and bucket.week is not None and odd_labels([row]) is None:
            problem = "the label does not tell the year that it belongs to; ask year by year"
            raise MergeConflictError(word_bucket(bucket), [each.request for each in chunks], problem)


def common(one: FrozenMap, other: FrozenMap) -> FrozenMap:
    """Keep the unknown fields that two rows agree on: nobody knows how the others add up."""
    if one == other:
        return one
    return FrozenMap({name: value for name, value in one.items() if name in other and other[name] == value})


def part_of(chunk: Chunk, period: str) -> Block | None:
    """Return what the answer of *chunk* says of one period of the query; None where nothing."""
    if chunk.answer is None or chunk.request.period not in ("both", period):
        return None
    is_own = chunk.request.period == period or period == "current"
    return chunk.answer.current if is_own else chunk.answer.comparison
