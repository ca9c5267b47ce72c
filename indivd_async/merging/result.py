"""
Chunks become one result: put in order, keys checked, what adds up added, the rest refused. Pure.

Rules. Chunks are ordered by plan, never by arrival, and each must answer a request of the plan, once. A row is known
by its key: zone, location and all bucket fields, and what a fan-out filled in. The plan says which requests may bring
the same key (parts of `line_ids`, the zones and time-zone groups behind a drop-in summary, weeks cut by the API's
limit); their counts are added. Any other key that two requests bring is a conflict, never a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from ..planning import Plan
from ..queries import DropInRate, LineCrosses, ZoneVisitors
from ..results import AnyResult, Chunk, Note
from ..results.notes import unite_notes
from .coverage import Covered, cover, match
from .drop_in_rate import merge_drop_in
from .keys import check_defaults
from .line_crosses import merge_lines
from .notes import Known, notes_on
from .zone_visitors import merge_visits


def merge_chunks(
    plan: Plan, chunks: Iterable[Chunk], known: Known, *, notes: Sequence[Note] = (), is_own: bool = False
) -> AnyResult:
    """
    Merge *chunks*, in any order, into what one unsplit answer to the plan's query would have said.

    A request without a chunk counts as failed. Raises `MergeConflictError` where two answers hold a row that only one
    may hold, and for a chunk that comes twice or that the plan did not ask for; *is_own* says that there is one chunk
    for each request that the plan itself built, and nothing to check.
    """
    by_request = match(plan, chunks, is_own)
    coverage = tuple(cover(request, chunk) for request, chunk in by_request)
    arrived = tuple(chunk for _, chunk in by_request if chunk is not None and chunk.answer is not None)
    check_defaults(plan, arrived)
    result: AnyResult = _MERGES[type(plan.query)](plan, arrived, coverage)
    said = unite_notes(note for chunk in arrived for note in chunk.notes)
    told = {note.kind for note in said}
    others = (note for note in notes_on(plan, result, known) if note.kind not in told)
    noted = dict.fromkeys((*notes, *result.notes, *said, *others))
    kept = arrived if plan.selection is not None or not result.complete else ()
    return attrs.evolve(result, notes=tuple(noted), arrived=kept)


_MERGES: Mapping[type, Callable[[Plan, Sequence[Chunk], Covered], Any]] = {
    LineCrosses: merge_lines,
    ZoneVisitors: merge_visits,
    DropInRate: merge_drop_in,
}
