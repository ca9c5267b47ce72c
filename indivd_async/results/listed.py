"""Lists that a person can look at, and whatever reads tables can read: catalogues, coverage, notes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, Self, SupportsIndex, TypeVar

from ..wording import plural
from .columns import Batch, Column, Table
from .shown import MOST_SENTENCE, ShownAsTable, Sight, Tabular, told

T = TypeVar("T")

if TYPE_CHECKING:
    # To a checker, and to whoever counts, compares, slices or unpacks it, it is a tuple.
    class _Entries(tuple[T, ...]):
        _entries: tuple[T, ...]

        def __new__(cls, entries: Iterable[T] = (), entry_class: type = object) -> Self: ...

else:

    class _Entries(Generic[T]):
        """What a tuple does. It is none, since polars, pyarrow and DuckDB take a tuple for columns of objects."""

        __slots__ = ("_entries",)

        def __len__(self) -> int:
            return len(self._entries)

        def __iter__(self) -> Iterator[T]:
            return iter(self._entries)

        def __getitem__(self, index: SupportsIndex | slice) -> Any:
            found = self._entries[index]
            return type(self)(found, self.entry_class) if isinstance(index, slice) else found

        def __eq__(self, other: object) -> bool:
            return self._entries == (other._entries if isinstance(other, _Entries) else other)

        def __hash__(self) -> int:
            return hash(self._entries)

        def __add__(self, other: Iterable[Any]) -> tuple[Any, ...]:
            return (*self._entries, *other)

        def __radd__(self, other: Iterable[Any]) -> tuple[Any, ...]:
            return (*other, *self._entries)

        index, count = Sequence.index, Sequence.count


class Listed(ShownAsTable, Tabular, _Entries[T]):
    """
    Values of one class, in order, that show themselves in a few lines and are a table, also where there are none.

    It equals the tuple of its values and is used as one. `polars.DataFrame(listed)`, `pyarrow.table(listed)` and
    `pandas.DataFrame.from_arrow(listed)` have a column for each key of `to_dicts()`, where what has no flat form is
    JSON; DuckDB reads it by its name.
    """

    __slots__ = ("entry_class",)

    def __init__(self, entries: Iterable[T] = (), entry_class: type = object) -> None:
        self._entries = tuple(entries)
        #: What all of them are.
        self.entry_class = entry_class

    def __reduce__(self) -> Any:
        return Listed, (self._entries, self.entry_class)

    def _table(self) -> Table:
        columns = columns_of(self.entry_class)
        values = [list(map(read, self)) for read in columns.values()]
        return list(columns), [Batch(rows=len(self), columns=values)] if self else []

    def _sight(self) -> Sight:
        """Show the first, or the first of those that failed."""
        failed = [entry for entry in self if getattr(entry, "error", None) is not None]
        first = Listed((failed or self)[:_MOST_ENTRIES], self.entry_class)
        rows = first.to_dicts()
        names = [name for name in told(rows) if name not in _WIDE]
        hidden = len(failed or self) - len(first)
        counted_as = plural(len(self), _NOUNS.get(self.entry_class.__name__, self.entry_class.__name__.lower()))
        return Sight(
            head=[f"{counted_as}, {len(failed):,} failed:" if failed else counted_as],
            rows=rows,
            names=names,
            below=[f"and {hidden:,} more"] if hidden else [],
            most_cell=MOST_SENTENCE if {"message", "reason"}.intersection(names) else _MOST_NAME,
        )


#: Of entries, so many are shown, and so many characters of a name.
_MOST_ENTRIES, _MOST_NAME = 12, 40
#: Columns that are too wide to be looked at.
_WIDE = ("opening_hours", "asked")
#: What a person calls one of a class.
_NOUNS = {"Coverage": "request"}


@cache
def columns_of(entry_class: type) -> Mapping[Column, Callable[[Any], Any]]:
    """Return the columns of a table of *entry_class*, each with what reads it from a value."""
    found: dict[Column, Callable[[Any], Any]] = {}
    for word in _COLUMNS[entry_class.__name__].split():
        name, kind, path, *_ = f"{word}::".split(":")
        read, write = attrgetter(path or name), _WRITERS.get(kind)
        column = Column(name, "int64" if kind == "int" else "string")
        found[column] = read if write is None else partial(_write, read, write)
    return found


def _write(read: Callable[[Any], Any], write: Callable[[Any], str], entry: Any) -> str | None:
    value = read(entry)
    return None if value is None else write(value)


_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "json": partial(json.dumps, ensure_ascii=False),
    "text": str,
}
#: By class: NAME:KIND:WHERE IT STANDS, of which the last two may be left out.
_COLUMNS = {
    "Location": "id:int name city country timezone organization:int opening_hours:json",
    "Zone": "id:int name location:int floor:int bounce_threshold:int",
    "Category": "id:int name",
    "Line": "id:int name location:int floor:int zone_to:int zone_from:int category:json",
    "Organization": "id:int name",
    "Coverage": "period::request.period start_date:text:request.window.start end_date:text:request.window.end status "
    "rows:int attempts:int reason::request.reason asked:text:request problem:text:error",
    "Note": "kind message",
}
