"""What the answers to one query say of each other: a zone has one location, and no two places count alike. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

import attrs

from ..errors import AnswerMismatchError
from ..planning import PlannedRequest
from ..results import Answer, Chunk
from ..results.notes import word_note
from ..wording import some_of

#: What is asked for apart, and has no line in common: other counts are to be expected of each.
_APART = frozenset({"location", "organization", "floor", "zone_to", "zone_from"})
#: Bits of the counts of an answer, and three for each that is not 0: with so many no other has the same by chance, nor
#: have several with fewer, if there is none that has others.
_SURELY_OWN = 64
#: Answers that are remembered: where a filter is not heeded, neighbours repeat one another, and streams have no end.
_REMEMBERED = 1_000


class Repeats:
    """Which counts of lines came for whom, by the answers to one query: those of two places are not the same."""

    def __init__(self) -> None:
        #: By days and counts, who had them first, and how many did.
        self._of: dict[tuple[Hashable, int], tuple[PlannedRequest, int]] = {}
        #: Answers by their days.
        self._came: Counter[Hashable] = Counter()

    def hold(self, chunk: Chunk, answer: Answer) -> Chunk:
        """Return *chunk*, with a note where all counts of its *answer* came for others before."""
        own, rows = chunk.request, answer.current.rows
        counts = [row.count for row in rows]
        told = hash((*counts, *[row.bucket for row in (*rows[:1], *rows[-1:])]))  # all of them take five times as long
        key = own.window, told
        other, times = self._of.get(key, (own, 0))
        self._of[key] = other, times + 1
        if len(self._of) > _REMEMBERED:
            del self._of[next(iter(self._of))]
        are_all = self._came[own.window] == times
        self._came[own.window] += 1
        bits = sum(map(int.bit_length, counts)) + 3 * (len(counts) - counts.count(0))
        if bits * (times if are_all else min(times, 1)) < _SURELY_OWN:
            return chunk
        apart = [name for name in own.params if own.params[name] != other.params.get(name)]
        # Who crosses one line may cross another; a list of lines that is asked for in parts has none twice.
        if not apart or not (_APART if "line" in own.carried else _APART | {"line_ids"}).issuperset(apart):
            return chunk
        one, another = (", ".join(f"{name} {_few(of.params.get(name))}" for name in apart) for of in (own, other))
        note = word_note("repeated_counts", one=one, other=another)
        return attrs.evolve(chunk, answer=attrs.evolve(answer, notes=(*answer.notes, note)))


def _few(text: str | None) -> str:
    return some_of((text or "").split(","))


class Owners:
    """Which locations a zone may belong to, by the answers to one query: a zone has one. Of lines: `Repeats`."""

    def __init__(self) -> None:
        self._of: dict[int, frozenset[int]] = {}
        self._repeats = Repeats()
        #: What came for the same locations tells nothing new.
        self._came: dict[tuple[int, ...], set[int]] = {}

    def hold(self, chunk: Chunk) -> Chunk:
        """Return *chunk*, or a failed one where its zones came for other locations before."""
        answer, request = chunk.answer, chunk.request
        if answer is not None and request.endpoint == "line_crosses":
            return self._repeats.hold(chunk, answer)
        if answer is None or request.locations is None:
            return chunk
        zones = {row.aggregation.zone_id for block in answer.blocks for row in block.rows}
        zones |= {zone.zone_id for block in answer.blocks for zone in block.zones}
        came = self._came.setdefault(request.locations, set())
        if zones <= came:
            return chunk
        asked = frozenset(request.locations)
        for zone in zones - came:
            before = self._of.get(zone, asked)
            if not before & asked:
                wanted = f"zone {zone} in the answers for locations {some_of(before)} only"
                said = f"it for locations {some_of(asked)}, too"
                advice = "One of the answers is wrong: ask for one location at a time."
                error = AnswerMismatchError("locations", wanted, said, request=request, advice=advice)
                return attrs.evolve(chunk, answer=None, error=error)
            self._of[zone] = before & asked
        came |= zones
        return chunk
