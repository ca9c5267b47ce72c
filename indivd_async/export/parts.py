"""
A part of a folder: a Parquet file, and what the manifest says of it.

A part keeps its name, and only grows. A file that takes the place of one has the bytes of that, each at its place; the
rows that are new follow, and then a footer that says which rows count now. So whoever has looked up the size of the one
before, or read its footer, and then opens the file anew by its name, finds there the rows that he looks for, as they
were: polars opens every file twice, and DuckDB remembers what it has read.

Rows that have counted in no footer for half a day are left out: a hole is in their place, which keeps all others in
theirs, and takes no space where the file system knows holes.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import IO

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .. import wall_clock
from .columns import days_of, location_column, row_groups
from .files import reading, write_durably
from .manifest import MAGIC, Part
from .partitions import Folders

#: Rows of a row group: of all that is written, so many are held at once.
_GROUP_ROWS = 25_000
#: Row groups beyond those of full size with which a part is written anew, for the sake of who reads it.
_MORE_GROUPS = 32
#: Seconds for which rows are kept that no longer count, for the sake of who has read the footer of then.
_KEPT_S = 43_200
#: Bytes for whose sake a part is worth being written once more.
_LARGE = 2**15
#: Bytes that a part takes, and how many times what is in it, where its hole takes space, too.
_SWOLLEN, _SWOLLEN_TIMES = 2**22, 16
#: Locations that a part's entry names; parts of more may hold any.
_NAMED_LOCATIONS = 32
#: What stands in a hole.
_NOTHING = memoryview(bytes(2**20))


@attrs.frozen
class Grown:
    """A part's file as it is, and what is known of its rows."""

    file: Path
    part: Part

    @cached_property
    def footer(self) -> pq.FileMetaData:
        """What the file says of itself."""
        with reading(self.file.parents[len(self.part.folders)], self.part):
            return pq.read_metadata(self.file)

    def is_there(self) -> bool:
        """Tell whether the file is there, of the size that it was written in."""
        return self.file.is_file() and self.file.stat().st_size == self.part.size

    def can_add(self, schema: pa.Schema) -> bool:
        """Tell whether rows of *schema* can follow those there: of their types, in few row groups, and few footers."""
        if not self.footer.schema.to_arrow_schema().equals(schema):
            return False
        groups = [self.footer.row_group(n) for n in range(self.footer.num_row_groups)]
        rows: int = sum(group.column(n).total_compressed_size for group in groups for n in range(group.num_columns))
        counted = rows + self.footer.serialized_size
        footers = self.part.size - self.part.begin - counted  # of before, each longer by a row group
        return len(groups) < _MORE_GROUPS + 2 * (self.part.rows // _GROUP_ROWS) and footers <= max(_LARGE, counted)

    def needed_from(self, now: float) -> int:
        """Return where the bytes begin that the file in its place must have."""
        return self.part.spare if now - self.part.since >= _KEPT_S else self.part.kept

    def is_swollen(self) -> bool:
        """Tell whether the hole takes too much space: the file system knows none, or somebody has copied the file."""
        state = self.file.stat()
        taken = 512 * getattr(state, "st_blocks", state.st_size // 512)
        return taken > max(_SWOLLEN, _SWOLLEN_TIMES * (state.st_size - self.part.kept))

    def can_shrink(self) -> bool:
        """Tell whether it is worth writing it once more only to take less space."""
        is_large = self.part.size - self.part.kept > _LARGE
        return (is_large and self.needed_from(wall_clock.utc_now().timestamp()) > self.part.kept) or self.is_swollen()


class _Sparse(io.RawIOBase):
    """A file that is written to *opened*, but for what comes before *kept*: that becomes a hole."""

    def __init__(self, opened: IO[bytes], kept: int) -> None:
        self._opened, self._kept = opened, kept

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        begin = self._opened.tell()
        if begin >= MAGIC and begin + len(data) <= self._kept:
            self._opened.seek(begin + len(data))
        else:
            self._opened.write(data)
        return len(data)


@attrs.define
class _Rows:
    """What is known of the rows that count in a file: how many, of which days and locations; None: of any."""

    count: int = 0
    days: set[date | None] = attrs.field(factory=set)
    locations: set[int | None] = attrs.field(factory=set)

    def add(self, table: pa.Table) -> None:
        """Count in the rows of *table*."""
        self.count += len(table)
        self.days.update(days_of(table.to_batches()) or (None,))
        self.locations.update(pc.unique(table[location_column(table.schema)]).to_pylist())

    def describe(self, path: str, size: int) -> Part:
        """Return the part with these rows."""
        days = {day for day in self.days if day is not None}
        places = frozenset(place for place in self.locations if place is not None)
        is_named = None not in self.locations and len(places) <= _NAMED_LOCATIONS
        return Part(
            path=path,
            rows=self.count,
            size=size,
            first=min(days, default=None) if None not in self.days else None,
            last=max(days, default=None) if None not in self.days else None,
            locations=places if is_named else None,
        )


def write_part(
    file: Path,
    folders: Folders,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    after: Grown | None,
    *,
    adds: bool,
) -> Part:
    """
    Write *batches* to *file*, whole, for the place that *folders* say.

    What is in the file *after*, if any, stays in its place; its rows count on where *batches* are to be added to them.
    """
    now = wall_clock.utc_now().timestamp()
    kept = MAGIC if after is None else after.needed_from(now)
    said = after.part if after is not None and adds and after.part.rows else None
    rows = _Rows() if said is None else _Rows(said.rows, {said.first, said.last}, {*(said.locations or (None,))})

    def write(opened: IO[bytes]) -> None:
        added: list[pq.FileMetaData] = []
        # It counts what goes through: footers tell places in the file.
        sink = pa.PythonFile(_Sparse(opened, kept), mode="w")
        with pq.ParquetWriter(
            sink, schema, compression="zstd", memory_pool=pa.system_memory_pool(), metadata_collector=added
        ) as writer:
            if after is not None:
                _copy(after.file, sink, kept)
            for table in row_groups(batches, schema, _GROUP_ROWS):
                writer.write_table(table, row_group_size=_GROUP_ROWS)
                rows.add(table)
                pa.default_memory_pool().release_unused()  # else each thread that wrote keeps much of it
        if said is not None and after is not None:
            after.footer.append_row_groups(added[0])  # which is not asked again
            after.footer.write_metadata_file(sink)

    size = write_durably(file, write)
    part = rows.describe("/".join((*folders, f"{file.name}.parquet")), size)
    if after is None:
        return attrs.evolve(part, since=now)
    begin = after.part.size if said is None else after.part.begin
    waits = after.part.spare > kept
    # A clock that was ahead once must not make them wait for years.
    spare, since = (after.part.spare, min(after.part.since, now)) if waits else (begin, now)
    return attrs.evolve(part, begin=begin, kept=kept, spare=spare, since=since)


def _copy(file: Path, sink: pa.NativeFile, kept: int) -> None:
    """Write what *file* holds from *kept* on to *sink*, at the same place; the first bytes are there."""
    for begin in range(MAGIC, kept, len(_NOTHING)):
        sink.write(_NOTHING[: kept - begin])
    with file.open("rb") as before:
        before.seek(kept)
        while some := before.read(2**20):
            sink.write(some)
