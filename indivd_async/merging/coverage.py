"""What became of each request of a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import MergeConflictError
from ..planning import Plan, PlannedRequest
from ..results import Chunk, Coverage

Covered = tuple[Coverage, ...]


def match(plan: Plan, chunks: Iterable[Chunk], is_own: bool) -> Sequence[tuple[PlannedRequest, Chunk | None]]:
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


def cover(request: PlannedRequest, chunk: Chunk | None) -> Coverage:
    if chunk is None or chunk.answer is None:
        error, attempts = (chunk.error, chunk.attempts) if chunk is not None else (None, 0)
        return Coverage(request=request, status="failed", rows=0, attempts=attempts, error=error)
    rows = chunk.row_count
    return Coverage(request=request, status="ok" if rows else "empty", rows=rows, attempts=chunk.attempts)


def has_failed(coverage: Covered) -> bool:
    return any(item.status == "failed" for item in coverage)


def part_of(chunk: Chunk, period: str) -> Any:
    """Return what the answer of *chunk* says of one period of the query; None where nothing."""
    answer: Any = chunk.answer
    if chunk.request.period == "both":
        return getattr(answer, period)
    return answer.current if chunk.request.period == period else None
