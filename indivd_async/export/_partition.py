"""
What the folders of an export are made of: location, month, both or neither.

The folders are not named ``column=value``: location and bucket are columns of every part, and a reader that made
columns of folders would have them twice, in another type.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from ..client import AsyncIndivd
from ..errors import ConfigError
from ..planning import Plan
from ..planning.windows import bucket_unit
from ..queries import DropInRate, LineCrosses, Query
from ._folder import Place

PARTITIONS = ("location", "month")
Split = Callable[[pa.RecordBatch], Iterator[tuple[str, pa.RecordBatch]]]


def read_partition(partition: str | Sequence[str]) -> tuple[str, ...]:
    """Read "location,month", one of them, or "none"."""
    names = tuple(partition.split(",")) if isinstance(partition, str) else tuple(partition)
    if names in ((), ("none",)):
        return ()
    if len(set(names)) < len(names) or not set(names) <= set(PARTITIONS):
        raise ConfigError(f"{{partition}}: must be location,month, one of them, or none; got {','.join(names)!r}")
    return tuple(name for name in PARTITIONS if name in names)


async def plan_export(
    client: AsyncIndivd, query: Query, partition: str | Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[Plan, ...]]:
    """
    Plan *query* so that its rows can be put into folders.

    Without a *partition* it is what the rows tell anyway. A location that they do not tell is asked for: each apart.
    """
    plan = await client.plan(query)
    told = tuple(name for name, tells in (("location", _tells_location), ("month", _tells_month)) if tells(plan))
    names = told if partition is None else read_partition(partition)
    if "month" in names and "month" not in told:
        raise ConfigError(
            f"{{partition}}: rows by {plan.layout.parts[0].resolved} do not tell their month; take location or none"
        )
    if "location" not in names or "location" in told:
        return names, (plan,)
    ids = query.location or tuple(place.id for place in await client.locations())
    if isinstance(query, LineCrosses):
        return names, (await client.plan(attrs.evolve(query, location=ids)),)
    return names, tuple([await client.plan(attrs.evolve(query, location=(id,))) for id in ids])


def _tells_location(plan: Plan) -> bool:
    query = plan.query
    if isinstance(query, LineCrosses):
        return query.location is not None or query.per == "location"
    if isinstance(query, DropInRate):
        return True
    single = query.location is not None and len(query.location) == 1
    return single or all("loc_id" in part.resolved.split(",") for part in plan.layout.parts)


def _tells_month(plan: Plan) -> bool:
    return all(bucket_unit(part.resolved) not in (None, "year") for part in plan.layout.parts)


def split_rows(query: Query, partition: Sequence[str], batch: pa.RecordBatch) -> Iterator[tuple[Place, pa.RecordBatch]]:
    """Put the rows of *batch* into their places."""
    column = "location" if isinstance(query, LineCrosses) else "loc_id"
    splits: dict[str, Split] = {"location": partial(_split_by_location, column), "month": _split_by_month}
    placed: list[tuple[Place, pa.RecordBatch]] = [((), batch)]
    for name in partition:
        placed = [((*place, folder), rows) for place, some in placed for folder, rows in splits[name](some)]
    yield from placed


def _split_by_location(column: str, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    for id, rows in _split_by(column, batch):
        yield f"location-{'unknown' if id is None else id}", rows


def _split_by_month(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    for year, of_year in _split_by("year", batch):
        for month, rows in _split_by("month", of_year):
            yield "month-unknown" if year is None or month is None else f"{year:04}-{month:02}", rows


def _split_by(column: str, batch: pa.RecordBatch) -> Iterator[tuple[int | None, pa.RecordBatch]]:
    keys = batch[column]
    distinct = pc.unique(keys)
    if len(distinct) == 1:
        yield distinct[0].as_py(), batch
        return
    for key in distinct:  # pyarrow's own scalars: for those of Python it would import pandas
        yield key.as_py(), batch.filter(pc.equal(keys, key) if key.is_valid else pc.is_null(keys))
