"""
Chunks become one result: put in order, keys checked, what adds up added, the rest refused. Pure.

Rules. Chunks are ordered by plan, never by arrival, and each must answer a request of the plan, once. A row is known
by its key: zone, location and all bucket fields, and what a fan-out filled in. The plan says which requests may bring
the same key (parts of `line_ids`, the zones and time-zone groups behind a drop-in summary, weeks cut by the API's
limit); their counts are added. Any other key that two requests bring is a conflict, never a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import attrs

from ..errors import AnswerMismatchError, MergeConflictError
from ..planning import Plan, PlannedRequest
from ..queries import DropInRate, LineCrosses, ZoneVisitors, one_by_one
from ..results import AnyResult, Chunk, Coverage, Note
from ..results.notes import unite_notes
from .apart import Owners
from .drop_in_rate import merge_drop_in
from .keys import Covered, check_defaults
from .line_crosses import merge_lines
from .notes import Known, notes_on
from .zone_visitors import merge_visits

R = TypeVar("R", bound=AnyResult)


def merge_chunks(
    plan: Plan, chunks: Iterable[Chunk], known: Known, *, notes: Sequence[Note] = (), is_own: bool = False
) -> AnyResult:
    """
    Merge *chunks*, in any order, into what one unsplit answer to the plan's query would have said.

    A request without a chunk counts as failed. Raises `MergeConflictError` where two answers hold a row that only one
    may hold, and for a chunk that comes twice or that the plan did not ask for; *is_own* says that there is one chunk
    for each request that the plan itself built, and nothing to check.
    """
    by_request = _match(plan, chunks, is_own)
    coverage = tuple(_cover(request, chunk) for request, chunk in by_request)
    arrived = tuple(chunk for _, chunk in by_request if chunk is not None and chunk.answer is not None)
    check_defaults(plan, arrived)
    result: AnyResult = _MERGES[type(plan.query)](plan, arrived, coverage)
    said = unite_notes(note for chunk in _hold(arrived) for note in chunk.notes)
    told = {note.kind for note in said}
    judged = (*result.notes, *notes, *notes_on(plan, result, known))
    noted = dict.fromkeys((*said, *(note for note in judged if note.kind not in told)))
    kept = arrived if plan.selection is not None or not result.complete else ()
    return attrs.evolve(result, notes=tuple(noted), arrived=kept)


_MERGES: Mapping[type, Callable[[Plan, Sequence[Chunk], Covered], Any]] = {
    LineCrosses: merge_lines,
    ZoneVisitors: merge_visits,
    DropInRate: merge_drop_in,
}


def _hold(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Hold *chunks* against one another, in the order of the plan."""
    owners = Owners()
    for chunk in map(owners.hold, chunks):
        if isinstance(chunk.error, AnswerMismatchError):
            raise MergeConflictError(
                "a zone", (chunk.request,), f"expected {chunk.error.asked}, got {chunk.error.said}"
            )
        yield chunk


def _match(plan: Plan, chunks: Iterable[Chunk], is_own: bool) -> Sequence[tuple[PlannedRequest, Chunk | None]]:
    """Pair each request of *plan* with its chunk; *is_own* as in `merge_chunks`."""
    if is_own:  # to build the requests again would take a fiftieth of what it took to ask them
        return [(chunk.request, chunk) for chunk in sorted(chunks, key=lambda chunk: chunk.request.index)]
    by_index: dict[int, Chunk] = {}
    for chunk in chunks:
        index = chunk.request.index
        if index in by_index:
            both = (by_index[index].request, chunk.request)
            raise MergeConflictError(f"request {index}", both, "its answer was given twice; join every answer once")
        by_index[index] = chunk
    matched = [(request, by_index.pop(request.index, None)) for request in plan]
    strangers = [chunk for request, chunk in matched if chunk is not None and chunk.request != request]
    for chunk in (*strangers, *by_index.values()):
        asked = f"request {chunk.request.index}"
        raise MergeConflictError(asked, (chunk.request,), "it is not of this plan, so its rows may overlap with others")
    return matched


def _cover(request: PlannedRequest, chunk: Chunk | None) -> Coverage:
    if chunk is None or chunk.answer is None:
        error, attempts = (chunk.error, chunk.attempts) if chunk is not None else (None, 0)
        return Coverage(request=request, status="failed", rows=0, attempts=attempts, error=error)
    rows = chunk.row_count
    return Coverage(request=request, status="ok" if rows else "empty", rows=rows, attempts=chunk.attempts)


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
_NOTES_OF_SHARDS = frozenset({"provisional_period", "possibly_out_of_scope", "location_unknown", "unlisted_ids"})
