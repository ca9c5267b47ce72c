"""
A part of a folder: a Parquet file, and what the manifest says of it.

A part keeps its name, and only grows. A file that takes the place of one begins with all its bytes; the rows that are
new follow, and then a footer that says which rows count now. So whoever has looked up the size of the one before, or
read its footer, and then opens the file anew by its name, finds there the rows that he looks for, as they were:
polars opens every file twice, and DuckDB remembers what it has read.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import IO

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .columns import days_of, location_column, row_groups
from .files import write_durably
from .manifest import Part
from .partitions import Folders

#: Rows of a row group: of all that is written, so many are held at once.
_GROUP_ROWS = 25_000
#: Row groups beyond those of full size with which a part is written anew, for the sake of who reads it.
_MORE_GROUPS = 32
#: How worn, and how large, a part must be to be written anew: one that may still grow every night, and one at rest.
_WORN, _LARGE = 16, 2**22
_WORN_AT_REST, _LARGE_AT_REST = 2, 2**16
#: Seconds by which a part at rest is older than the youngest.
_REST_S = 7 * 86_400
#: Locations that a part's entry names; parts of more may hold any.
_NAMED_LOCATIONS = 32
_MAGIC = 4  # bytes with which every Parquet file begins


@attrs.frozen
class Grown:
    """A part's file as it is, and what is known of its rows."""

    file: Path
    part: Part

    @cached_property
    def footer(self) -> pq.FileMetaData:
        """What the file says of itself."""
        return pq.read_metadata(self.file)

    def can_add(self, schema: pa.Schema) -> bool:
        """Tell whether rows of *schema* can follow those there: they are of its types, and in few row groups."""
        if not self.footer.schema.to_arrow_schema().equals(schema):
            return False
        groups: int = self.footer.num_row_groups
        return groups < _MORE_GROUPS + 2 * (self.part.rows // _GROUP_ROWS)

    def is_worn(self, times: float = _WORN, large: int = _LARGE) -> bool:
        """Tell whether the file is *large*, and so many *times* as large as what counts in it."""
        if self.part.size <= large:
            return False
        groups = [self.footer.row_group(n) for n in range(self.footer.num_row_groups)]
        rows: int = sum(group.column(n).total_compressed_size for group in groups for n in range(group.num_columns))
        footer: int = self.footer.serialized_size
        return self.part.size > times * (rows + footer)


def worn_at_rest(parts: Sequence[Grown]) -> Iterator[Part]:
    """Yield those of *parts* that have not changed for days, and hold much that counts no longer."""
    written = [grown.file.stat().st_mtime for grown in parts]
    for grown, when in zip(parts, written, strict=True):
        if when < max(written) - _REST_S and grown.is_worn(_WORN_AT_REST, _LARGE_AT_REST):
            yield grown.part


def write_part(
    file: Path,
    folders: Folders,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    after: Grown | None = None,
    adds: bool = False,
) -> Part:
    """
    Write *batches* to *file*, whole, for the place that *folders* say.

    It begins with what is in the file *after*, if any; whose rows count on where *batches* are to be added to them.
    """
    said = after.part if after is not None and adds and after.part.rows else None
    days: list[date | None] = [] if said is None else [said.first, said.last]
    locations: set[int | None] = set() if said is None else set(said.locations or (None,))
    rows = 0 if said is None else said.rows

    def write(opened: IO[bytes]) -> None:
        nonlocal rows
        added: list[pq.FileMetaData] = []
        sink = pa.PythonFile(opened, mode="w")  # counts what goes through it: footers tell places in the file
        with pq.ParquetWriter(
            sink, schema, compression="zstd", memory_pool=pa.system_memory_pool(), metadata_collector=added
        ) as writer:
            if after is not None:
                with after.file.open("rb") as before:
                    before.seek(_MAGIC)  # which the writer has written
                    while some := before.read(2**20):
                        sink.write(some)
            for table in row_groups(batches, schema, _GROUP_ROWS):
                writer.write_table(table, row_group_size=_GROUP_ROWS)
                rows += len(table)
                pa.default_memory_pool().release_unused()  # else each thread that wrote keeps much of it
                days.extend(days_of(table.to_batches()) or (None,))
                locations.update(pc.unique(table[location_column(schema)]).to_pylist())
        if said is not None and after is not None:
            after.footer.append_row_groups(added[0])  # which is not asked again
            after.footer.write_metadata_file(sink)

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
