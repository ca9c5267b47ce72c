"""
Columns into Arrow, by nanoarrow or, for files and where that is missing, by pyarrow: both take the buffers made here.

Source for their layout: the Arrow columnar format, "Fixed-size Primitive Layout" and "Variable-size Binary Layout".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

from .columns import Batch, Column, Runs, Same, Values

if TYPE_CHECKING:
    import pyarrow


_CODES = {"int64": "q", "float64": "d", "timestamp": "q"}
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: Rows that a run must have on average for repeating bytes to cost less than packing each number.
_WORTHWHILE_RUN = 4

#: Validity (None: no nulls), then the layout's own buffers.
Buffers = list[bytes | None]
#: How many rows, and the buffers of each column: a quarter of the memory of rows.
Packed = tuple[int, list[Buffers]]


def pack(columns: Sequence[Column], batches: Iterable[Batch]) -> Iterator[Packed]:
    """Make of columns what both libraries take."""
    for batch in batches:
        yield batch.rows, [_buffers(*each, batch.rows) for each in zip(columns, batch.columns, strict=True)]


def stream(columns: Sequence[Column], batches: Iterable[Packed], requested_schema: object = None) -> object:
    """Return a capsule with an Arrow C stream; ImportError where neither library is there."""
    try:
        import nanoarrow  # noqa: F401
    except ImportError:
        try:
            import pyarrow
        except ImportError:
            raise ImportError(
                "Arrow needs nanoarrow (the extra `arrow`) or pyarrow (`parquet`): pip install 'indivd-async[arrow]'"
            ) from None
        reader = pyarrow.RecordBatchReader.from_batches(pyarrow_schema(columns), record_batches(columns, batches))
        return reader.__arrow_c_stream__(requested_schema)
    return _nanoarrow_stream(columns, batches).__arrow_c_stream__()  # it refuses any requested schema


@lru_cache(maxsize=32)
def _nanoarrow_schemas(columns: tuple[Column, ...]) -> tuple[Any, list[Any]]:
    import nanoarrow

    fields = {column.name: _type_of(cast("Any", nanoarrow), column) for column in columns}
    return nanoarrow.c_schema(nanoarrow.struct(fields, nullable=False)), list(map(nanoarrow.c_schema, fields.values()))


def _nanoarrow_stream(columns: Sequence[Column], batches: Iterable[Packed]) -> Any:
    import nanoarrow
    from nanoarrow.c_array_stream import CArrayStream

    schema, schemas = _nanoarrow_schemas(tuple(columns))
    arrays = []
    for rows, packed in batches:
        children = [
            nanoarrow.c_array_from_buffers(kind, rows, buffers, move=True)
            for kind, buffers in zip(schemas, packed, strict=True)
        ]
        arrays.append(nanoarrow.c_array_from_buffers(schema, rows, [None], children=children, move=True))
    return CArrayStream.from_c_arrays(arrays, deepcopy(schema), move=True, validate=False)


def pyarrow_schema(columns: Sequence[Column]) -> pyarrow.Schema:
    pyarrow = _pyarrow()
    return pyarrow.schema([(column.name, _type_of(pyarrow, column)) for column in columns])


def record_batches(columns: Sequence[Column], batches: Iterable[Packed]) -> Iterator[pyarrow.RecordBatch]:
    pyarrow = _pyarrow()
    schema = pyarrow_schema(columns)
    for rows, packed in batches:
        arrays = [_pyarrow_array(column, rows, buffers) for column, buffers in zip(columns, packed, strict=True)]
        yield pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def scalar(column: Column, value: Any) -> pyarrow.Scalar:
    """Make one value of *column*; to convert it by itself, pyarrow would import pandas."""
    return _pyarrow_array(column, 1, _buffers(column, Same(value, 1), 1))[0]


def _pyarrow_array(column: Column, rows: int, buffers: Buffers) -> pyarrow.Array:
    pyarrow = _pyarrow()
    own = [buffer if buffer is None else pyarrow.py_buffer(buffer) for buffer in buffers]
    return pyarrow.Array.from_buffers(_type_of(pyarrow, column), rows, own)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ImportError("this needs pyarrow: pip install 'indivd-async[parquet]'") from None
    return pyarrow


@lru_cache(maxsize=128)
def _type_of(library: Any, column: Column) -> Any:
    return library.timestamp("us", column.tz) if column.kind == "timestamp" else getattr(library, column.kind)()


def _buffers(column: Column, values: Values, rows: int) -> Buffers:
    if isinstance(values, Runs):
        if values.packed is None:
            values.packed = _numbers_in_runs(column, values, rows)
        return values.packed
    if column.kind == "timestamp":
        values = Same(_since_epoch(cast("Same", values).value), rows)  # moments belong to buckets
    if isinstance(values, Same):
        return (_strings_alike if column.kind == "string" else partial(_numbers_alike, column))(values.value, rows)
    return _strings(values, rows) if column.kind == "string" else _numbers(column, values, rows)


def _since_epoch(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return (moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)) // _MICROSECOND


def _numbers(column: Column, values: Sequence[Any], rows: int) -> Buffers:
    layout = f"={rows}{_CODES[column.kind]}"
    try:
        return [None, struct.pack(layout, *values)]
    except struct.error:  # trying is cheaper than looking for None first
        valid = [value is not None for value in values]
    try:
        return [_bitmap(valid), struct.pack(layout, *[0 if value is None else value for value in values])]
    except struct.error as error:
        raise OverflowError(f"{column.name}: a value does not fit {column.kind}") from error


def _numbers_alike(column: Column, value: Any, rows: int) -> Buffers:
    validity, number = _numbers(column, (value,), 1)
    assert number is not None
    return [validity and bytes(-(-rows // 8)), number * rows]


def _numbers_in_runs(column: Column, runs: Runs, rows: int) -> Buffers:
    if column.kind == "timestamp":
        runs = Runs([_since_epoch(moment) for moment in runs.values], runs.lengths)
    if rows < _WORTHWHILE_RUN * len(runs.values) or None in runs.values:
        return _numbers(column, list(runs), rows)
    _, packed = _numbers(column, runs.values, len(runs.values))
    assert packed is not None
    size = len(packed) // len(runs.values)
    ends = range(size, len(packed) + 1, size)
    return [None, b"".join([packed[end - size : end] * run for end, run in zip(ends, runs.lengths, strict=True)])]


def _strings(values: Sequence[str | None], rows: int) -> Buffers:
    if values.count(values[0]) == rows:
        return _strings_alike(values[0], rows)
    validity, texts = None, cast("Sequence[str]", values)
    try:
        content = "".join(texts)
    except TypeError:  # trying is cheaper than looking for None first
        validity = _bitmap([text is not None for text in values])
        texts = [text or "" for text in values]
        content = "".join(texts)
    sizes = map(len, texts) if content.isascii() else [len(text.encode()) for text in texts]
    return [validity, struct.pack(f"={rows + 1}i", *accumulate(sizes, initial=0)), content.encode()]


def _strings_alike(text: str | None, rows: int) -> Buffers:
    content = (text or "").encode()
    validity = bytes(-(-rows // 8)) if text is None else None
    return [validity, _even_ends(len(content), rows), content * rows]


@lru_cache(maxsize=32)  # batches are of one size but for the last
def _even_ends(size: int, rows: int) -> bytes:
    return struct.pack(f"={rows + 1}i", *[size * row for row in range(rows + 1)])


def _bitmap(valid: Sequence[bool]) -> bytes:
    """Pack truth values into bits, the first into the lowest."""
    digits = "".join(["1" if one else "0" for one in reversed(valid)])
    # A base that is a power of two is read in linear time.
    return int(digits, 2).to_bytes(-(-len(valid) // 8), "little")
