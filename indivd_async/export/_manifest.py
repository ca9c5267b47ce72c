"""
What is in an export's folder and what is still to be asked: a value, and the file that keeps it.

The file is a Parquet table of the export's columns without a row, and what it tells stands in its footer. So whoever
reads all Parquet files of the folder reads it too and gets nothing from it; polars, which refuses a folder that holds
any other kind of file, takes the folder as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import IO, Any

import attrs
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ConfigError
from ..planning import Plan
from ..queries import QUERIES, Query
from ..results.tables import arrow_schema

_KEY = b"indivd.export"
_VERSION = 2
Document = dict[str, Any]


@attrs.frozen(kw_only=True)
class Part:
    """A file that counts: `path` below the folder, `until` the last day in it, where its rows tell days."""

    path: str
    rows: int
    size: int
    until: str | None


@attrs.frozen(kw_only=True)
class Manifest:
    """The state of an export."""

    #: Is in the names of its parts, and tells them from files of anything else.
    id: str
    query: Query
    partition: tuple[str, ...]
    #: Those of `query`; before them, where the period has grown, those of earlier ends that still miss something.
    plans: tuple[Plan, ...]
    #: For each plan, the units whose rows are there.
    done: tuple[frozenset[int], ...]
    #: Later days may have been asked for before they ended.
    closed: date
    parts: Mapping[str, Part] = attrs.field(factory=dict)
    #: Which question each zone was an answer to: one that answers two would be in the folder twice.
    owners: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def schema(self) -> pa.Schema:
        """The schema of every part."""
        return arrow_schema(self.query)

    @property
    def current_plans(self) -> tuple[Plan, ...]:
        """The plans of `query` itself."""
        return tuple(plan for plan in self.plans if plan.query.end_date == self.query.end_date)

    def add_done(self, units: Iterable[tuple[int, int]]) -> tuple[frozenset[int], ...]:
        """Return `done` with *units* (plan, unit) in it."""
        more: dict[int, set[int]] = {}
        for plan, unit in units:
            more.setdefault(plan, set()).add(unit)
        return tuple(known | more.get(number, set()) for number, known in enumerate(self.done))


def damaged(folder: Path, what: str) -> ConfigError:
    """Say that *folder* cannot be relied on."""
    return ConfigError(f"{{out}}: {folder} is damaged: {what}. Remove the folder to begin anew")


def write_manifest(manifest: Manifest, file: IO[bytes]) -> None:
    """Write *manifest* as a Parquet file."""
    with pq.ParquetWriter(file, manifest.schema) as writer:
        writer.add_key_value_metadata({_KEY: orjson.dumps(_to_document(manifest))})


def read_manifest(path: Path) -> Manifest:
    """Read what `write_manifest` wrote; ConfigError where it cannot be read."""
    try:
        document = orjson.loads(pq.read_metadata(path).metadata[_KEY])
        version = document["version"]
        if version == _VERSION:
            return _from_document(document)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:  # pyarrow's own are ValueErrors
        raise damaged(path.parent, f"{path.name} cannot be read") from error
    raise ConfigError(
        f"{{out}}: {path.parent} was written by another version of this library (format {version}, this one knows "
        f"{_VERSION}); export to another folder"
    )


def _to_document(manifest: Manifest) -> Document:
    query = manifest.query
    return {
        "version": _VERSION,
        "id": manifest.id,
        "endpoint": query.endpoint.name,
        "query": {field.name: getattr(query, field.name) for field in attrs.fields(type(query))},
        "partition": manifest.partition,
        "plans": [plan.to_json() for plan in manifest.plans],
        "done": [_to_ranges(units) for units in manifest.done],
        "closed": manifest.closed,
        "parts": [attrs.astuple(part) for part in manifest.parts.values()],
        "owners": manifest.owners,
    }


def _from_document(document: Document) -> Manifest:
    parts = [Part(path=path, rows=rows, size=size, until=until) for path, rows, size, until in document["parts"]]
    return Manifest(
        id=document["id"],
        query=QUERIES[document["endpoint"]](**document["query"]),
        partition=tuple(document["partition"]),
        plans=tuple(map(Plan.from_json, document["plans"])),
        done=tuple(map(_from_ranges, document["done"])),
        closed=date.fromisoformat(document["closed"]),
        parts={part.path: part for part in parts},
        owners=document["owners"],
    )


def _to_ranges(units: Iterable[int]) -> list[list[int]]:
    """Write units as [first, one past the last]."""
    ranges: list[list[int]] = []
    for unit in sorted(units):
        if ranges and ranges[-1][1] == unit:
            ranges[-1][1] += 1
        else:
            ranges.append([unit, unit + 1])
    return ranges


def _from_ranges(ranges: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(unit for first, end in ranges for unit in range(first, end))
