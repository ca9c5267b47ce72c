"""
Rows of an export as Arrow tables: which columns tell a row from another, and which rows lie in a region.

The columns are those of `indivd_async.tables`; here stands only which part each plays.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import date, datetime, time
from functools import reduce
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from ..models import Bucket
from ..models.clocks import ONE_DAY, first_instant
from ..planning import Window
from ..queries import PER
from ..results.arrow import scalar
from ..results.columns import Column
from .store import Region

START = "bucket_start"
ZONE = "zone_id"
LABELS = tuple(field.name for field in attrs.fields(Bucket))
#: What tells a row from any other.
KEY = ("period", *LABELS, ZONE, "loc_id", *PER)
#: What follows from the key, and is no figure.
_DERIVED = frozenset({START, "bucket_start_utc", "tz", "loc_name", "zone_name", "weekday"})
#: Counts, whose sums are told when they change.
_COUNTS = ("count", "visits", "passing_by", "enter")


#: What a Basic plan does not measure.
_MEASURED = ("unique_visits", "bounce", *[f"dwell_{name}" for name in ("mean_s", "min_s", "max_s")])
_MEASURED += tuple(f"dwell_{name}" for name in ("q25_s", "q50_s", "q75_s", "n"))


def key_columns(schema: pa.Schema) -> list[str]:
    """Name the columns that tell a row from any other."""
    return [name for name in KEY if name in schema.names]


def value_columns(schema: pa.Schema) -> list[str]:
    """Name the columns that may change."""
    return [name for name in schema.names if name not in KEY and name not in _DERIVED]


def count_columns(schema: pa.Schema) -> list[str]:
    """Name the columns whose sums are told."""
    return [name for name in _COUNTS if name in schema.names]


def location_column(schema: pa.Schema) -> str:
    """Name the column with the id of the location."""
    return "loc_id" if "loc_id" in schema.names else "location"


def with_constant(batch: pa.RecordBatch, name: str, value: Any) -> pa.RecordBatch:
    """Put *value* into all rows of a column."""
    field = batch.schema.field(name)
    column = pa.repeat(_scalar(field, value), batch.num_rows)
    return batch.set_column(batch.schema.get_field_index(name), field, column)


def _scalar(field: pa.Field, value: Any) -> pa.Scalar:
    # Of Python's own values pyarrow would make them by importing pandas.
    kind = "timestamp" if pa.types.is_timestamp(field.type) else str(field.type).replace("double", "float64")
    return scalar(Column(field.name, kind, getattr(field.type, "tz", None)), value)


def key_texts(table: pa.Table, names: Sequence[str]) -> list[str]:
    """Write the columns *names* of each row as one text."""
    texts: list[str] = _joined(table, names).to_pylist() if table.num_rows else []
    return texts


def has_repeated_keys(table: pa.Table) -> bool:
    """Tell whether two rows have one key."""
    rows = table.num_rows
    if rows < 2:
        return False
    names = [name for name in key_columns(table.schema) if table[name].null_count < rows]
    return bool(len(pc.unique(_joined(table, names))) < rows)


def is_among(batch: pa.RecordBatch, table: pa.Table) -> pa.Array:
    """Tell, for each row of *batch*, whether *table* has a row of its key."""
    names = key_columns(table.schema)
    return pc.is_in(_joined(batch, names), value_set=_joined(table, names).combine_chunks())


def _joined(table: pa.Table | pa.RecordBatch, names: Sequence[str]) -> Any:
    columns = [pc.cast(table[name], pa.string()) for name in names]
    between = _scalar(pa.field("", pa.string()), "\x1f")
    return pc.binary_join_element_wise(*columns, between, null_handling="replace", null_replacement="∅")


def bounds_of(schema: pa.Schema, window: Window) -> tuple[Any, Any]:
    """Return the first instant of *window* and the first one after it, as the bucket starts of *schema* tell time."""
    tz = schema.field(START).type.tz
    return _midnight(tz, window.start), _midnight(tz, window.end + ONE_DAY)


def _midnight(tz: str | None, day: date) -> datetime:
    local = datetime.combine(day, time())
    return local if tz is None else first_instant(local, tz)


def learn_unmeasured(batches: Sequence[pa.RecordBatch], zones: set[int]) -> None:
    """
    Note which *zones* are not measured.

    An answer without visits cannot tell by itself what those of other nights have told.
    """
    if not batches or _MEASURED[0] not in batches[0].schema.names:
        return
    for batch in batches:
        if batch[_MEASURED[0]].null_count:
            zones.update(batch[ZONE].filter(batch[_MEASURED[0]].is_null()).to_pylist())
    for batch in batches if zones else ():
        zones.difference_update(_zones_above_zero(batch, _MEASURED[0]))


def find_zeros(batches: Iterable[pa.RecordBatch], zones: Set[int]) -> tuple[set[int], list[pa.RecordBatch]]:
    """Return which of *zones* have no figure in *batches* that somebody measured, and their zeros: zone and start."""
    left, valid = set(zones), []
    for batch in batches:
        for name in _MEASURED:
            left.difference_update(_zones_above_zero(batch, name))
        valid.append(batch.select([ZONE, START]).filter(batch[_MEASURED[0]].is_valid()))
    zeros = [batch.filter(_are_of(batch, left)) for batch in valid if left]
    return left, [batch for batch in zeros if batch.num_rows]


def _zones_above_zero(batch: pa.RecordBatch, name: str) -> Any:
    return batch[ZONE].filter(pc.greater(batch[name], _scalar(batch.schema.field(name), 0))).to_pylist()


def _are_of(batch: pa.RecordBatch, zones: Set[int]) -> pa.Array:
    return pc.is_in(batch[ZONE], value_set=_values(batch.schema.field(ZONE), zones))


def without_zeros(batch: pa.RecordBatch, zones: Set[int]) -> pa.RecordBatch:
    """Let no row of *zones* have a zero for what is not measured."""
    if not zones or _MEASURED[0] not in batch.schema.names or batch[_MEASURED[0]].null_count == batch.num_rows:
        return batch
    mask = _are_of(batch, zones)
    for name in _MEASURED:
        field = batch.schema.field(name)
        column = pc.if_else(mask, pa.nulls(batch.num_rows, field.type), batch[name])
        batch = batch.set_column(batch.schema.get_field_index(name), field, column)
    return batch


def _values(field: pa.Field, values: Iterable[Any]) -> pa.Array:
    return pa.concat_arrays([pa.repeat(_scalar(field, value), 1) for value in values])


def filter_regions(batch: pa.RecordBatch, regions: Sequence[Region]) -> pa.Array:
    """Tell, for each row of *batch*, whether it lies in one of *regions*; never null."""
    alike: dict[tuple[str, Window | None], list[int | None]] = {}
    for region in regions:
        alike.setdefault((region.period, region.window), []).append(region.location)
    masks = [_lies_in(batch, period, window, places) for (period, window), places in alike.items()]
    mask = reduce(pc.or_kleene, masks)
    return pc.and_kleene(pc.is_valid(mask), mask)  # null is not in it


def _lies_in(batch: pa.RecordBatch, period: str, window: Window | None, places: Sequence[int | None]) -> pa.Array:
    schema = batch.schema
    mask = pc.equal(batch["period"], _scalar(schema.field("period"), period))
    if None not in places:
        name = location_column(schema)
        mask = pc.and_kleene(mask, pc.is_in(batch[name], value_set=_values(schema.field(name), places)))
    if window is not None:
        starts, field = batch[START], schema.field(START)
        first, end = (_scalar(field, instant) for instant in bounds_of(schema, window))
        mask = reduce(pc.and_kleene, (mask, pc.greater_equal(starts, first), pc.less(starts, end)))
    return mask


def days_of(batches: Iterable[pa.RecordBatch]) -> tuple[date, date] | None:
    """Return the first and the last day in *batches*, on the clock of their rows; None if a row tells none."""
    ends: list[date] = []
    for batch in batches:
        starts = batch[START]
        if starts.null_count:
            return None
        found = pc.min_max(starts).as_py()
        ends += [moment.date() for moment in found.values() if moment is not None]
    return (min(ends), max(ends)) if ends else None


def row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema, at_most: int) -> Iterator[pa.Table]:
    """Join *batches* into tables of *at_most* rows."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + batch.num_rows >= at_most:
            room = at_most - rows
            yield pa.Table.from_batches([*held, batch.slice(0, room)], schema)
            held, rows, batch = [], 0, batch.slice(room)
        held.append(batch)
        rows += batch.num_rows
    if rows:
        yield pa.Table.from_batches(held, schema)
