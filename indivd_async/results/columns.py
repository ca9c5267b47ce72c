"""The columns of a flat table, and how their values are held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import attrs

#: Rows of one batch. It is read once a column: small enough to stay in the processor's cache, large enough for each
#: step to cost nothing.
BATCH_ROWS = 4_096


@attrs.frozen
class Column:
    """One column: `kind` is int64, float64, string or timestamp (microseconds; `tz` where aware)."""

    name: str
    kind: str
    tz: str | None = None


@attrs.frozen
class Same:
    """The values of a column that has one for all its rows."""

    value: Any
    rows: int

    def __iter__(self) -> Iterator[Any]:
        return repeat(self.value, self.rows)


@attrs.frozen
class Runs:
    """The values of a column that stay the same for some rows each: the values, and for how many rows."""

    values: Sequence[Any]
    lengths: Sequence[int]

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(map(repeat, self.values, self.lengths))


Values = Sequence[Any] | Same | Runs


@attrs.frozen(kw_only=True)
class Batch:
    """Some rows, column by column, in the order of the schema."""

    rows: int
    columns: Sequence[Values]
