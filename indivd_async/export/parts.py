"""A part of a folder: a Parquet file, and what the manifest says of it."""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .columns import days_of, location_column, row_groups
from .files import write_durably
from .manifest import Part
from .partitions import Folders

#: Rows of a row group: of all that is written, so many are held at once.
_GROUP_ROWS = 25_000
#: Locations that a part's entry names; parts of more may hold any.
_NAMED_LOCATIONS = 32


def write_part(file: Path, folders: Folders, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Part:
    """Write *batches* to *file*, whole, for the place that *folders* say."""
    days: list[date | None] = []
    locations: set[int | None] = set()
    rows = 0

    def write(opened: IO[bytes]) -> None:
        nonlocal rows
        with pq.ParquetWriter(opened, schema, compression="zstd", memory_pool=pa.system_memory_pool()) as writer:
            for table in row_groups(batches, schema, _GROUP_ROWS):
                writer.write_table(table, row_group_size=_GROUP_ROWS)
                rows += len(table)
                pa.default_memory_pool().release_unused()  # else each thread that wrote keeps much of it
                days.extend(days_of(table.to_batches()) or (None,))
                locations.update(pc.unique(table[location_column(schema)]).to_pylist())

    size = write_durably(file, write)
    known = [day for day in days if day is not None]
    named = None not in locations and len(locations) <= _NAMED_LOCATIONS
    return Part(
        path="/".join((*folders, f"{file.name}.parquet")),
        rows=rows,
        size=size,
        first=min(known) if None not in days and known else None,
        last=max(known) if None not in days and known else None,
        locations=frozenset(place for place in locations if place is not None) if named else None,
    )
