"""
What the folders of an export are made of: location, month, both or neither.

The folders are not named ``column=value``: location and bucket are columns of every part, and a reader that made
columns of folders would have them twice, in another type.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from .columns import location_column

Folders = tuple[str, ...]  # below the export's, such as ("location-124", "2025-03")
_Split = Callable[[pa.RecordBatch], Iterator[tuple[str, pa.RecordBatch]]]


def split_rows(partition: Sequence[str], batch: pa.RecordBatch) -> Iterator[tuple[Folders, pa.RecordBatch]]:
    """Put the rows of *batch* into their folders."""
    placed: list[tuple[Folders, pa.RecordBatch]] = [((), batch)] if batch.num_rows else []
    for name in partition:
        placed = [((*folders, folder), rows) for folders, some in placed for folder, rows in _SPLITS[name](some)]
    yield from placed


def _split_by_location(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    for id, rows in _split_by(location_column(batch.schema), batch):
        yield f"location-{'unknown' if id is None else id}", rows


def _split_by_month(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    for year, of_year in _split_by("year", batch):
        for month, rows in _split_by("month", of_year):
            yield "month-unknown" if year is None or month is None else f"{year:04}-{month:02}", rows


_SPLITS: Mapping[str, _Split] = {"location": _split_by_location, "month": _split_by_month}


def _split_by(column: str, batch: pa.RecordBatch) -> Iterator[tuple[int | None, pa.RecordBatch]]:
    keys = batch[column]
    distinct = pc.unique(keys)
    if len(distinct) == 1:
        yield distinct[0].as_py(), batch
        return
    for key in distinct:  # pyarrow's own scalars: for those of Python it would import pandas
        yield key.as_py(), batch.filter(pc.equal(keys, key) if key.is_valid else pc.is_null(keys))
