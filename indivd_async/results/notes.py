"""What there is to know about figures: a kind for programs, a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable

import attrs


@attrs.frozen(kw_only=True)
class Note:
    """Something to know about the figures; `kind` is for programs, `message` for people."""

    kind: str
    message: str

    def __str__(self) -> str:
        return self.message


def unite_notes(notes: Iterable[Note]) -> tuple[Note, ...]:
    """
    Put the notes of many answers together: one of a kind and message, and of many messages of a kind the first.

    >>> [str(note) for note in unite_notes([Note(kind="a", message="One."), Note(kind="a", message="Two.")])]
    ['One. So it is in 1 more answer or place.']
    """
    by_kind: dict[str, dict[Note, None]] = {}
    for note in notes:
        by_kind.setdefault(note.kind, {})[note] = None
    return tuple(_unite(list(same)) for same in by_kind.values())


def _unite(same: list[Note]) -> Note:
    first, more = same[0], len(same) - 1
    if not more:
        return first
    return attrs.evolve(
        first, message=f"{first.message} So it is in {more} more answer{'s' * (more > 1)} or place{'s' * (more > 1)}."
    )
