"""The results of shards are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

import attrs

from ..queries import one_by_one
from ..results import AnyResult, Chunk, DropInRateResult, LineCrossesResult, ZoneVisitorsResult
from .notes import Known
from .result import merge_chunks

R = TypeVar("R", LineCrossesResult, ZoneVisitorsResult, DropInRateResult)


def merge_results(results: Sequence[R]) -> R:
    """
    Join what the shards of one plan gave (`Plan.shards`) into the result of the whole.

    A shard that is missing counts as failed requests. ValueError where the results are not shards of one plan.
    """
    results = list(one_by_one("results", results, AnyResult, "must be a list of results"))
    if not results:
        raise ValueError("merge_results needs at least one result")
    whole = {attrs.evolve(result.plan, selection=None) for result in results}
    if len(whole) > 1:
        raise ValueError("these results come from different plans; only shards of one plan can be joined")
    if any(result.plan.selection is None for result in results):
        if len(results) > 1:
            raise ValueError("one of these is the result of the whole plan already")
        return results[0]
    chunks = [chunk for result in results for chunk in result.arrived]
    for result in results:
        for item in result.coverage:
            if item.status == "failed":
                query, attempts = result.plan.query, item.attempts
                chunks.append(Chunk(query=query, request=item.request, error=item.error, attempts=attempts))
    notes = [note for result in results for note in result.notes if note.kind in _NOTES_OF_SHARDS]
    return cast("R", merge_chunks(whole.pop(), chunks, Known(), notes=notes))


#: Notes that need the time, or the locations a client has looked up; joining has neither.
_NOTES_OF_SHARDS = frozenset({"provisional_period", "possibly_out_of_scope", "location_unknown"})
