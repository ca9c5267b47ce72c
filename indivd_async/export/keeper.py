"""
Rows on their way into a store: held until there are enough of them, or long enough; compared with what is there;
committed.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import time
from datetime import date

import anyio
import attrs
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import DecodeError
from ..planning import Window
from ..results import Note
from ..results.notes import word_note
from .asks import Answered
from .columns import (
    days_of,
    filter_regions,
    find_zeros,
    has_repeated_keys,
    key_columns,
    key_texts,
    learn_unmeasured,
    without_zeros,
)
from .comparison import Comparison
from .coverage import Holding, subtract
from .manifest import Manifest, Subject
from .report import Fate
from .store import Change, Region, Store, Turns
from .zones import Zones

#: A commit that took long is not followed by another at once: so many times as long is held at least.
_PACE = 3.0


@attrs.define(kw_only=True)
class Keeper:
    """What a run has got and not yet kept, and what it found out when it kept."""

    store: Store
    comparison: Comparison
    ended: date
    commit_every: float
    accept_empty: bool
    zones: Zones
    unmeasured: set[int]
    emptied: list[Fate] = attrs.field(factory=list)
    notes: dict[str, Note] = attrs.field(factory=dict)
    _kept: dict[Subject, list[Window]] = attrs.field(factory=dict)
    _doubted: set[int] = attrs.field(factory=set)
    turns: Turns
    _held: list[Answered] = attrs.field(factory=list)
    _bytes: int = 0
    _since: float | None = None
    _took: float = 0.0

    async def add(self, answered: Answered) -> None:
        """Take the rows of an answer. DecodeError where they cannot stand beside others."""
        learn_unmeasured(answered.batches, self.unmeasured)
        self._check_copies(answered)
        if answered.strays or self._has_strays(_subject(answered)):
            await self.flush()
            await self.turns.run(self._check_edges, answered)
        self._held.append(answered)
        self._bytes += answered.size
        if self._since is None:
            self._since = time.monotonic()

    def _has_strays(self, subject: Subject) -> bool:
        held = self._manifest.held.get(subject, Holding())
        return held.kind == "edges" or any(unit.strays and _subject(unit) == subject for unit in self._held)

    @property
    def _manifest(self) -> Manifest:
        assert self.store.manifest is not None
        return self.store.manifest

    def due_in(self) -> float | None:
        """Return for how many seconds what is held may be held; None if nothing is."""
        if self._since is None:
            return None
        return max(0.0, self._since + max(self.commit_every, _PACE * self._took) - time.monotonic())

    def is_due(self) -> bool:
        """Tell whether to flush."""
        return self._bytes >= self.store.held_bytes or self.due_in() == 0

    async def flush(self) -> None:
        """Keep what is held."""
        if self._held:
            began = time.monotonic()
            with anyio.CancelScope(shield=True):  # it is quick, and whoever is interrupted wants to keep what there is
                await self.turns.run(self._commit)
            pa.default_memory_pool().release_unused()
            self._took = time.monotonic() - began

    def _commit(self) -> None:
        # Taken here, so that whoever is cancelled before this has begun still has them, and nobody afterwards.
        units, self._held, self._bytes, self._since = self._held, [], 0, None
        if learned := self.unmeasured - self._manifest.unmeasured:
            self._hide_kept(learned)
        manifest = self._manifest
        held = self._doubt_moved(dict(manifest.held))
        asked_again = [unit.region for unit in units if unit.ask.again]
        there = self._table(self.store.read(asked_again) if asked_again else ())
        changes = []
        for unit in units:
            hidden = [without_zeros(batch, self.unmeasured) for batch in unit.batches]
            unit = attrs.evolve(unit, batches=hidden)
            holding = held.get(_subject(unit), Holding())
            change = self._change(unit, there, holding)
            if change is None:
                continue
            if change.rows or change.replaces:
                changes.append(change)
            held[_subject(unit)] = holding.add(unit.window, clock=unit.ask.clock, ended=self.ended, kind=unit.kind)
            self._kept.setdefault(_subject(unit), []).append(unit.window)
        zones, unmeasured = dict(self.zones.owners), frozenset(self.unmeasured)
        self.store.commit(changes, attrs.evolve(manifest, held=held, zones=zones, unmeasured=unmeasured))

    def _hide_kept(self, learned: set[int]) -> None:
        """Take away zeros that were kept before an answer told that nobody measures them."""
        places: dict[int | None, set[int]] = {}
        for zone in learned:
            places.setdefault(self.zones.owners.get(zone), set()).add(zone)
        changes = []
        for place, some in places.items():
            held = {period: one for (period, location), one in self._manifest.held.items() if location == place}
            zones, zeros = find_zeros(self.store.read([Region(period=one, location=place) for one in held]), some)
            days = days_of(zeros)
            for period, holding in held.items() if zeros else ():
                window = Window(*days) if days is not None and holding.kind == "days" else None
                region = Region(period=period, location=place, window=window)
                batches = [without_zeros(batch, zones) for batch in self.store.read([region])]
                changes.append(Change(region=region, batches=[batch for batch in batches if batch.num_rows]))
        if changes:
            self.store.commit(changes, self._manifest)

    def _doubt_moved(self, held: dict[Subject, Holding]) -> dict[Subject, Holding]:
        """
        Note that locations whose zones have moved are to be asked again, but for what was asked in this run.

        It is kept together with the new owner of the zone: whoever is killed now asks in the next run.
        """
        for zone, ends in self.zones.moved.items():
            if zone in self._doubted:
                continue
            self._doubted.add(zone)
            for subject, holding in held.items():
                if subject[1] in ends:
                    held[subject] = holding.doubt(subtract(holding.windows, self._kept.get(subject, ())))
        return held

    def _change(self, unit: Answered, there: pa.Table, holding: Holding) -> Change | None:
        """Say what becomes of the rows of a region; None where they stay though the answer is empty."""
        if not unit.ask.again:
            return Change(region=unit.region, batches=unit.batches, replaces=False)
        old = self._table(batch.filter(filter_regions(batch, [unit.region])) for batch in there.to_batches())
        if old.num_rows and not unit.rows and not (self.accept_empty or unit.ask.accept_empty):
            self.emptied.append(_say_emptied(unit, old.num_rows))
            return None
        differs = self.comparison.add(unit.window.start, old, self._table(unit.batches))
        # Rows of a whole period are few, and another profile may tell their days otherwise.
        tells_otherwise = unit.kind == "whole" or any(one.clock != unit.ask.clock for one in holding.stretches)
        if not differs and not tells_otherwise:
            return Change(region=unit.region, replaces=False)
        return Change(region=unit.region, batches=unit.batches, replaces=old.num_rows > 0)

    def _table(self, batches: object) -> pa.Table:
        return pa.Table.from_batches(batches, self._manifest.schema)

    def _check_copies(self, answered: Answered) -> None:
        table = self._table(answered.batches)
        if has_repeated_keys(table):
            if self.store.needs_keys:
                problem = (
                    "expected each row once, got some of one zone and bucket twice, which a table with keys refuses"
                )
                raise DecodeError([f"{problem} @ $"], request=answered.request)
            self.notes["repeated_key"] = word_note(
                "repeated_key", count="Some", example="two rows of one zone and bucket"
            )

    def _check_edges(self, answered: Answered) -> None:
        """Refuse rows that another answer has brought too: labels that lie outside of their days may meet."""
        region = answered.region
        near = Region(period=region.period, location=region.location)
        batches = self.store.read([near])
        if answered.ask.again:
            batches = (batch.filter(pc.invert(filter_regions(batch, [region]))) for batch in batches)
        table = self._table(batches)
        new = self._table(answered.batches)
        names = key_columns(new.schema)
        if set(key_texts(table, names)) & set(key_texts(new, names)):
            problem = f"expected rows of {answered.window}, got one that another answer has brought too @ $"
            raise DecodeError([problem], request=answered.request)
        if answered.strays:
            self.notes["labels_elsewhere"] = word_note(
                "labels_elsewhere", count="Some", example="no key comes twice", window=answered.window
            )


def _subject(answered: Answered) -> tuple[str, int | None]:
    return answered.ask.period, answered.ask.location


def _say_emptied(unit: Answered, rows: int) -> Fate:
    whose = "" if unit.ask.location is None else f" of location {unit.ask.location}"
    return Fate(
        location=unit.ask.location,
        became="emptied",
        message=f"{unit.window}{whose}: the answer is empty now; {rows:,} rows were there and stay. To let them go, "
        "ask again with accept_empty (--accept-empty)",
    )
