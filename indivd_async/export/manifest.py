"""What an export holds: a value, and the document that a store keeps of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, TypeVar

import attrs
import orjson
import pyarrow as pa

from ..errors import ConfigError, InvalidQueryError
from ..planning import Window
from ..queries import QUERIES, Query
from ..results.tables import arrow_schema
from .coverage import Holding, Stretch
from .question import Place

VERSION = 3
#: How many bytes every Parquet file begins with.
MAGIC = 4
T = TypeVar("T", bound=attrs.AttrsInstance)
#: Period and location; None where a row is a sum over all locations.
Subject = tuple[str, int | None]


@attrs.frozen(kw_only=True)
class Part:
    """
    A file that counts: `path` below the folder, first and last day and the locations in it; None: not known.

    Of its bytes those before `kept` are a hole, and the rows that count begin at `begin`, or later; what comes before
    `spare` has not counted since `since` (seconds, 1970, UTC).
    """

    path: str
    rows: int
    size: int
    first: date | None = None
    last: date | None = None
    locations: frozenset[int] | None = None
    begin: int = MAGIC
    kept: int = MAGIC
    spare: int = MAGIC
    since: float = 0.0

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that it lies in."""
        return tuple(self.path.split("/")[:-1])

    @property
    def name(self) -> str:
        """What no other part is called."""
        return self.path.split("/")[-1].removesuffix(".parquet")

    def may_hold(self, location: int | None, window: Window | None) -> bool:
        """Tell whether rows of *location* (None: of any) and of *window* (None: of any days) may be in it."""
        if not self.rows:
            return False
        if location is not None and self.locations is not None and location not in self.locations:
            return False
        if window is None or self.first is None or self.last is None:
            return True
        return self.first <= window.end and window.start <= self.last


@attrs.frozen(kw_only=True)
class Manifest:
    """The state of an export."""

    #: A word drawn for it, which tells what is its own from anything else.
    id: str
    #: What it is to hold: of all its days, also those that the last question did not ask for.
    query: Query
    #: By what folders are made; which may make it ask for each location.
    partition: tuple[str, ...] = ()
    held: Mapping[Subject, Holding] = attrs.field(factory=dict)
    #: The location in whose answers each zone was last: one in the answers for two would be there twice.
    zones: Mapping[int, int] = attrs.field(factory=dict)
    #: Zones of a Basic plan.
    unmeasured: frozenset[int] = frozenset()
    #: All locations known so far; where rows are sums over them, those whose sums they are.
    members: tuple[int, ...] = ()
    #: The files of a folder.
    parts: Mapping[str, Part] = attrs.field(factory=dict)
    #: How many rows a table has of each period and location; None where a version that did not count has written it.
    counts: Mapping[Subject, int] | None = None
    #: Name and type of each column.
    columns: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(part.rows for part in self.parts.values()) + sum((self.counts or {}).values())

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows."""
        return arrow_schema(self.query)


def columns_of(query: Query) -> tuple[tuple[str, str], ...]:
    """Return name and type of each column of the answer to *query*."""
    return tuple((field.name, str(field.type)) for field in arrow_schema(query))


#: Types that were another one's before, and can be read as it.
_WIDER = {("int16", "int64"), ("int32", "int64"), ("float", "double")}


def needs_migration(manifest: Manifest, place: Place) -> bool:
    """Tell whether rows must be written anew in wider types; ConfigError where their columns are others."""
    wanted = columns_of(manifest.query)
    if manifest.columns == wanted:
        return False
    there, here = dict(manifest.columns), dict(wanted)
    if list(there) != list(here):
        gone, new = ([name for name in one if name not in other] for one, other in ((there, here), (here, there)))
        told = [f"{word} {', '.join(names)}" for word, names in (("without", gone), ("with", new)) if names]
        raise ConfigError(
            f"{{{place.option}}}: {place.name} was written by another version of this library; this one has tables "
            f"{' and '.join(told) or 'whose columns stand in another order'}. Export to another {place.noun}"
        )
    for name, kind in here.items():
        if there[name] != kind and (there[name], kind) not in _WIDER:
            raise ConfigError(
                f"{{{place.option}}}: {place.name} was written by another version of this library ({name} is "
                f"{there[name]} there, {kind} here). Export to another {place.noun}"
            )
    return True


def to_json(manifest: Manifest) -> bytes:
    """Write *manifest* as JSON."""
    query = manifest.query
    document = {
        "version": VERSION,
        "id": manifest.id,
        "endpoint": query.endpoint.name,
        "query": {field.name: getattr(query, field.name) for field in attrs.fields(type(query))},
        "partition": manifest.partition,
        "held": [
            [period, location, holding.kind, [_plain(stretch) for stretch in holding.stretches]]
            for (period, location), holding in manifest.held.items()
        ],
        "zones": list(manifest.zones.items()),
        "unmeasured": sorted(manifest.unmeasured),
        "members": manifest.members,
        "parts": [_plain(part) for part in manifest.parts.values()],
        "counts": None if manifest.counts is None else [[*place, rows] for place, rows in manifest.counts.items()],
        "columns": manifest.columns,
    }
    return orjson.dumps(document)


def from_json(text: bytes | str, place: Place) -> Manifest:
    """Read what `to_json` wrote; ConfigError where it is of another version, ValueError and its like where not."""
    document = orjson.loads(text)
    counts = document.get("counts")
    query, known = None, f"format {document['version']}, this one knows {VERSION}"
    if document["version"] == VERSION:
        try:
            query = QUERIES[document["endpoint"]](**document["query"])
        except (KeyError, TypeError, InvalidQueryError):
            known = "this one does not know its question"
    if query is None:
        raise ConfigError(
            f"{{{place.option}}}: {place.name} was written by another version of this library ({known}); export to "
            f"another {place.noun}"
        )
    return Manifest(
        id=document["id"],
        query=query,
        partition=tuple(document["partition"]),
        held={
            (period, location): Holding(kind=kind, stretches=tuple(_read(Stretch, fields) for fields in stretches))
            for period, location, kind, stretches in document["held"]
        },
        zones={int(zone): int(location) for zone, location in document["zones"]},
        unmeasured=frozenset(document.get("unmeasured", ())),
        members=tuple(document["members"]),
        parts={fields[0]: _read(Part, fields) for fields in document["parts"]},
        counts=None if counts is None else {(period, location): rows for period, location, rows in counts},
        columns=tuple((name, kind) for name, kind in document["columns"]),
    )


def _plain(value: Stretch | Part) -> tuple[Any, ...]:
    fields = (getattr(value, field.name) for field in attrs.fields(type(value)))
    return tuple(sorted(field) if isinstance(field, frozenset) else field for field in fields)


#: How JSON's values become those of a field, where they are not the same.
_READ: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("start", "end", "ended", "first", "last"), date.fromisoformat),
    "locations": frozenset,
}


def _read(kind: type[T], values: Iterable[Any]) -> T:
    """Read what `_plain` wrote, or an earlier version, which may have told less."""
    named = zip((field.name for field in attrs.fields(kind)), values, strict=False)
    return kind(**{name: value if value is None else _READ.get(name, _same)(value) for name, value in named})


def _same(value: Any) -> Any:
    return value
