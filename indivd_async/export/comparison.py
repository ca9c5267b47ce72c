"""What asking again has changed: rows compared by key, copy by copy, and summed up by location and month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import attrs
import pyarrow as pa

from .columns import ZONE, count_columns, key_columns, key_texts, location_column, value_columns
from .report import Changes, PlaceChanges

_Place = tuple[int | None, str | None]


@attrs.define
class _Tally:
    """What is different at one location in one month, and what all its counts add up to."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    before: Counter[str] = attrs.field(factory=Counter)
    after: Counter[str] = attrs.field(factory=Counter)


@attrs.define
class Comparison:
    """Differences, gathered over the regions that a run has replaced."""

    schema: pa.Schema
    since: date | None = None
    unchanged: int = 0
    _places: defaultdict[_Place, _Tally] = attrs.field(factory=lambda: defaultdict(_Tally))

    def add(self, since: date, old: pa.Table, new: pa.Table) -> bool:
        """Compare the rows of a region, *since* being its first day; tell whether any figure or zone's name differs."""
        self.since = since if self.since is None else min(self.since, since)
        for table, side in ((old, "before"), (new, "after")):
            self._sum(table, side)
        before, after = (_rows_of(table) for table in (old, new))
        same = before & after
        self.unchanged += same.total()
        gone, come = before - same, after - same
        gone_keys, come_keys = (Counter(_by_key(rows)) for rows in (gone, come))
        changed = gone_keys & come_keys
        for name, counts in (("changed", changed), ("removed", gone_keys - changed), ("added", come_keys - changed)):
            for (place, _), number in counts.items():
                tally = self._places[place]
                setattr(tally, name, getattr(tally, name) + number)
        names = [set(key_texts(table, (ZONE, "zone_name"))) for table in (old, new)]
        return bool(gone or come) or names[0] != names[1]

    def _sum(self, table: pa.Table, side: str) -> None:
        names = count_columns(self.schema)
        for place, *counts in zip(_places_of(table), *[table[name].to_pylist() for name in names], strict=True):
            sums = getattr(self._places[place], side)
            for name, count in zip(names, counts, strict=True):
                sums[name] += count or 0

    def changes(self) -> Changes | None:
        """Return all differences; None where nothing was compared."""
        if self.since is None:
            return None
        names = count_columns(self.schema)
        tallies = list(self._places.values())
        return Changes(
            since=self.since,
            added=sum(tally.added for tally in tallies),
            removed=sum(tally.removed for tally in tallies),
            changed=sum(tally.changed for tally in tallies),
            unchanged=self.unchanged,
            totals={
                name: (sum(tally.before[name] for tally in tallies), sum(tally.after[name] for tally in tallies))
                for name in names
            },
            places=tuple(
                PlaceChanges(
                    location=location,
                    month=month,
                    added=tally.added,
                    removed=tally.removed,
                    changed=tally.changed,
                    totals={name: (tally.before[name], tally.after[name]) for name in names},
                )
                for (location, month), tally in sorted(self._places.items(), key=_order)
                if tally.added or tally.removed or tally.changed
            ),
        )


def _order(item: tuple[_Place, Any]) -> tuple[int, str]:
    (location, month), _ = item
    return (-1 if location is None else location, month or "")


def _rows_of(table: pa.Table) -> Counter[tuple[tuple[_Place, str], str]]:
    """Count the rows by place, key and values: a key may come twice."""
    keys, values = (key_texts(table, names(table.schema)) for names in (key_columns, value_columns))
    return Counter(zip(zip(_places_of(table), keys, strict=True), values, strict=True))


def _by_key(rows: Counter[tuple[tuple[_Place, str], str]]) -> list[tuple[_Place, str]]:
    return [key for (key, _), number in rows.items() for _ in range(number)]


def _places_of(table: pa.Table) -> Sequence[_Place]:
    """Return location and month of each row."""
    if not table.num_rows:
        return []
    columns = [table[name].to_pylist() for name in (location_column(table.schema), "year", "month")]
    return [
        (location, None if year is None or month is None else f"{year:04}-{month:02}")
        for location, year, month in zip(*columns, strict=True)
    ]
