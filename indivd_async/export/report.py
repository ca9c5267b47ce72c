"""What a run of an export tells: how far it is, what became of each location, what changed, what wants a look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import attrs

from ..errors import IndivdError
from ..results import Note
from ..results.notes import EXPECTED
from ..wording import counted


class DestinationError(IndivdError):
    """Where an export goes cannot be reached or written; what was committed stays. It holds no credentials."""


@attrs.frozen(kw_only=True)
class Failure:
    """A request that failed for good; the next run asks it again."""

    request: str
    """Path and query."""
    error: IndivdError
    """Why."""


@attrs.frozen(kw_only=True)
class PlaceChanges:
    """What changed at one location in one month (``yyyy-mm``); None where the rows do not tell which."""

    location: int | None
    """Its id; None where the rows do not tell."""
    month: str | None
    """``yyyy-mm``, by the clock of the location; None where the rows do not tell."""
    added: int
    """Rows that were not there before."""
    removed: int
    """Rows that are gone."""
    changed: int
    """Rows with other figures than before."""
    totals: Mapping[str, tuple[int, int]]
    """Sums of the counts, before and after, by column."""


@attrs.frozen(kw_only=True)
class Changes:
    """
    What asking again for the days from `since` on has changed: rows, and the sums of counts, before and after.

    Days that were not asked for before count only where they had to be asked for together with those. Of a key that
    comes twice in an answer, each copy counts.
    """

    since: date
    """First day that was asked for again."""
    added: int
    """Rows that were not there before."""
    removed: int
    """Rows that are gone."""
    changed: int
    """Rows with other figures than before."""
    unchanged: int
    """Rows with the same figures."""
    totals: Mapping[str, tuple[int, int]]
    """Sums of the counts, before and after, by column."""
    places: tuple[PlaceChanges, ...] = attrs.field(default=(), repr=counted)
    """Where the differences are: each location and month that has some."""

    def __str__(self) -> str:
        return (
            f"since {self.since}: {self.changed:,} rows changed, {self.added:,} new, {self.removed:,} gone, "
            f"{self.unchanged:,} as they were; {word_totals(self.totals)}"
        )


@attrs.frozen(kw_only=True)
class Fate:
    """
    What became of a location since the run before.

    `became` is "new" (its whole history was asked for), "moved" (to another clock: asked for again), "regrouped" (a
    zone is its own now, or another's: asked for again), "left" (no longer listed: what is there stays), or "emptied"
    (the answer has nothing where rows are: they stay).
    """

    location: int | None
    """Its id; None where what became of it concerns no single one."""
    became: str
    """One of the words above."""
    message: str
    """The same for a person."""


@attrs.frozen(kw_only=True)
class Report:
    """What a run of `export` did, and what the folder or the table holds now."""

    path: Path | str
    """Where to: the folder, or the address of the table without its credentials."""
    requests: int
    """Requests that were answered in this run."""
    retries: int = 0
    """Attempts beyond the first, of all its requests."""
    seconds: float = attrs.field(default=0.0, eq=False)
    """How long the run took."""
    rows: int
    """Rows that are there now."""
    parts: int
    """Files of the folder that are there now; 0 for a table."""
    failures: tuple[Failure, ...] = attrs.field(default=(), repr=counted)
    """Requests that failed for good: what they asked for is missing."""
    changes: Changes | None = None
    """What asking again has changed; None where nothing was asked again."""
    locations: tuple[Fate, ...] = attrs.field(default=(), repr=counted)
    """What became of locations that are not as they were."""
    notes: tuple[Note, ...] = attrs.field(default=(), repr=counted)
    """What there is to know about the figures, each once."""
    provisional_from: date | None = None
    """The first day that had perhaps not ended when it was asked for; a run that comes when it has asks again."""

    @property
    def complete(self) -> bool:
        """Whether all that was asked for is there."""
        return not self.failures

    @property
    def needs_look(self) -> bool:
        """Whether something is there that a person should look at, though nothing is missing."""
        return any(note.kind not in EXPECTED for note in self.notes) or any(
            fate.became == "emptied" for fate in self.locations
        )

    def __str__(self) -> str:
        """Say all of it in one line."""
        counts = (
            (self.requests, "request"),
            (self.retries, "retry"),
            (len(self.failures), "failure"),
            (len(self.notes), "note"),
        )
        told = [_count(number, noun) for number, noun in counts]
        rows = _count(self.rows, "row") + (f" in {_count(self.parts, 'part')}" if self.parts else "")
        return f"{self.path}: {', '.join((rows, *told[:2], f'{self.seconds:.1f} s', *told[2:]))}"


def _count(number: int, noun: str) -> str:
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


def word_totals(totals: Mapping[str, tuple[int, int]]) -> str:
    """Write sums as ``visits 20 → 27``."""
    return ", ".join(f"{name} {before:,} → {after:,}" for name, (before, after) in totals.items())
