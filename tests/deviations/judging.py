"""What a client makes of a service that deviates: the right figures, an error of the tree, a note, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pyarrow.dataset
from deviating import question_for, world

from indivd_async import AsyncIndivd, DropInRate, LineCrosses, RetryPolicy, ZoneVisitors, sandbox
from indivd_async.export import export
from indivd_async.queries import Query

WORLD = world()
QUERIES: Mapping[str, type[Query]] = {
    "line_crosses": LineCrosses,
    "zone_visitors": ZoneVisitors,
    "drop_in_rate": DropInRate,
}
#: What the notes of a sound service say already, and what makes other numbers no surprise.
STANDING = frozenset({"numbering_unknown"})
#: What says how a row is called, or goes with it, and not what it is of or counts.
_BESIDE = frozenset({"zone_name", "loc_name", "location_name", "location_custom_id", "extra"})
#: How many dwell times there are: 0 says no more than None, that there are none.
_SIZES = frozenset({"n", "dwell_n"})
_COUNTS = ("count", "visits", "passing_by", "total_visits", "total_passing_by")
#: Parts of the names of what a plan may not measure.
_LICENSED = ("unique", "bounce", "dwell")
#: What is no mapping, and is asked first whether it is one: the question takes its time.
_PLAIN = frozenset({int, float, str, bool})
_STATISTICS = frozenset({"mean", "min", "max", "q25", "q50", "q75", "n"})

#: A row as what it says: (field, value), fields that are None left out.
Row = frozenset[tuple[str, Any]]


@attrs.frozen(kw_only=True)
class Heard:
    """What came of a question: rows and the kinds of notes beside them, or an error."""

    #: How often each row came.
    rows: Counter[Row] = attrs.field(factory=Counter)
    notes: frozenset[str] = frozenset()
    error: str | None = None

    def judge(self, sound: Heard) -> str:
        """
        Say what a client was told, beside what it is told by a *sound* service.

        error; same: equal figures; same+note; less: equal figures, but that some are None for the plan does not measure
        them; note: other figures, and that they may not be the answer; SILENT: other figures, and nothing else.
        """
        if self.error is not None:
            return f"error ({self.error})"
        new = self.notes - sound.notes
        said = f" ({', '.join(sorted(new | self.notes & STANDING))})"
        if self.rows == sound.rows:
            return f"same+note{said}" if new else "same"
        if new or self.notes & STANDING:
            return f"note{said}"
        return "less" if self._says_less_than(sound) else "SILENT"

    def _says_less_than(self, sound: Heard) -> bool:
        if self.rows.total() != sound.rows.total():
            return False
        pairs = zip(_in_order(self.rows.elements()), _in_order(sound.rows.elements()), strict=True)
        return all(mine <= other and not _unlicensed(other - mine) for mine, other in pairs)


def _in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: repr(sorted(_unlicensed(row))))


def _unlicensed(row: Row) -> Row:
    """Leave out what a plan may not measure."""
    return frozenset(
        item for item in row if item[0] not in _STATISTICS and not any(part in item[0] for part in _LICENSED)
    )


def is_fine(verdict: str, expect: str) -> bool:
    """Tell whether a client that was asked for whole results met what a deviation expects of it."""
    if expect == "unseen":
        return True
    kinds = {"error", "note", "same"} if expect == "any" else set(expect.split("_or_"))
    word = verdict.split(" ")[0]
    return word in kinds or (word == "same+note" and not kinds.isdisjoint({"same", "note"}))


def client_of(*deviations: str) -> AsyncIndivd:
    """Make a client of a service with these deviations."""
    transport = sandbox.transport(WORLD, deviations=deviations)
    return AsyncIndivd("sandbox", transport=transport, retry=RetryPolicy(attempts=1))


def query_for(name: str, endpoint: str) -> Query:
    """Return the question that shows the deviation *name* at *endpoint*."""
    question = question_for(name, endpoint)
    return QUERIES[endpoint](question.pop("start_date"), question.pop("end_date"), **question)


async def by_fetch(client: AsyncIndivd, query: Query, _folder: Path) -> Heard:
    """Ask for the whole result, all sections of it."""
    result = await client.fetch(query)
    rows = _rows_of(result.to_dicts())
    if isinstance(query, DropInRate):
        for section, name in ((result.summary, "summary"), (result.details, "details"), (result.zone_details, "zones")):
            for period in ("current", "comparison"):
                rows += _rows_of(attrs.asdict(part) | {"of": f"{name}.{period}"} for part in _parts(section, period))
    return Heard(rows=Counter(rows), notes=_kinds(result))


async def by_stream(client: AsyncIndivd, query: Query, _folder: Path) -> Heard:
    """Ask for it piece by piece."""
    rows: list[Row] = []
    notes: set[str] = set()
    async with client.stream([query]) as chunks:
        async for chunk in chunks:
            if chunk.error is not None:
                raise chunk.error
            rows += _rows_of(attrs.asdict(row) for row in chunk.rows)
            notes |= _kinds(chunk)
    return Heard(rows=Counter(rows), notes=frozenset(notes))


async def by_export(client: AsyncIndivd, query: Query, folder: Path) -> Heard:
    """Ask for it as a folder, and read that."""
    report = await export(client, query, folder)
    if report.failures:
        raise report.failures[0].error
    table = pyarrow.dataset.dataset(str(folder), format="parquet").to_table()
    return Heard(rows=Counter(_rows_of(table.to_pylist())), notes=_kinds(report))


async def by_list(client: AsyncIndivd, name: str) -> Heard:
    """Ask for a list: which entries it has. What an entry says of itself is shown as it came."""
    entries = await getattr(client, name)()
    return Heard(rows=Counter({frozenset({("id", entry.id)}) for entry in entries}))


WAYS = {"fetch": by_fetch, "stream": by_stream, "export": by_export}


def _parts(section: Any, period: str) -> Iterable[Any]:
    found = getattr(section, period)
    if found is None:
        return ()
    if isinstance(found, Mapping):
        return [attrs.evolve(zone, details=()) for zone in found.values()]
    return found if isinstance(found, tuple) else (found,)


def _kinds(told: Any) -> frozenset[str]:
    return frozenset(note.kind for note in getattr(told, "notes", ()))


def _rows_of(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Take rows as what they say; those that count nobody say nothing."""
    return [frozenset(_items(row)) for row in rows if any(row.get(name) for name in _COUNTS)]


def _items(row: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if value is None or name in _BESIDE:
            continue
        if type(value) not in _PLAIN and isinstance(value, Mapping):
            yield from _items(value, f"{prefix}{name}.")
        elif value not in ((), (None, None, None)) and (name not in _SIZES or value):
            yield f"{prefix}{name}", tuple(value) if isinstance(value, list) else value
