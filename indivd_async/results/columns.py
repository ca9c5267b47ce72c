"""The columns of a flat table, and how their values are held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import attrs

from ..fielded import Fielded

#: Rows of one batch. It is read once a column: small enough to stay in the processor's cache, large enough for each
#: step to cost nothing.
BATCH_ROWS = 4_096


@attrs.frozen(eq=False, repr=False)
class Column(Fielded):
    """One column: `kind` is int64, float64, string or timestamp (microseconds; `tz` where aware)."""

    name: str
    kind: str
    tz: str | None = None

    @property
    def meaning(self) -> str:
        """What its values are, and in what unit."""
        return MEANINGS[self.name][1]


#: Every column of every table: its kind and what it says. Source of units: the vendor's article.
MEANINGS = {
    "period": ("string", '"current" or "comparison"'),
    "bucket_start": ("timestamp", "first instant of the bucket: aware with one clock for all rows, else local time"),
    "bucket_start_utc": ("timestamp", "the same instant in UTC; null where the clock of the row is not known"),
    "tz": ("string", "clock of the row, an IANA name; null where it is not known"),
    "loc_id": ("int64", "location"),
    "loc_name": ("string", "its name"),
    "zone_id": ("int64", "zone, a camera area"),
    "zone_name": ("string", "its name"),
    "year": ("int64", "label of the bucket, as the API sent it, like those that follow"),
    "month": ("int64", "1 to 12"),
    "week": ("int64", "the API's own number: its numbering is not documented, but a profile may know it"),
    "dayofmonth": ("int64", "1 to 31"),
    "dayofweek": ("int64", "the API's own number: its numbering is not documented"),
    "hour": ("int64", "0 to 23, by the clock of the row"),
    "minute": ("int64", "0 to 59"),
    "weekday": ("int64", "1 is Monday (ISO 8601), of the date, or of dayofweek where a profile knows it; else null"),
    "organization": ("int64", "organisation that was asked for"),
    "floor": ("int64", "floor that was asked for, basements below 0"),
    "zone_to": ("int64", "zone that the crossing enters, as asked for"),
    "zone_from": ("int64", "zone that the crossing leaves, as asked for"),
    "category": ("int64", "category of lines that was asked for"),
    "line": ("int64", "line that was asked for"),
    "count": ("int64", "crossings of lines; adds up"),
    "visits": ("int64", "entries; adds up"),
    "unique_visits": ("int64", "people; does not add up over time or zones; null where it is not measured"),
    "bounce": ("int64", "visits shorter than the threshold; adds up under equal thresholds"),
    "bounce_threshold_s": ("int64", "that threshold, in seconds"),
    "dwell_mean_s": ("float64", "mean time in the zone, in seconds"),
    "dwell_min_s": ("float64", "shortest"),
    "dwell_max_s": ("float64", "longest"),
    "dwell_q25_s": ("float64", "a quarter stayed shorter; never averaged"),
    "dwell_q50_s": ("float64", "half stayed shorter"),
    "dwell_q75_s": ("float64", "three quarters stayed shorter"),
    "dwell_n": ("int64", "visits behind the dwell times; adds up"),
    "visits_below_min_dwell": ("int64", "visits shorter than min_dwell; they are in visits; adds up"),
    "visits_above_max_dwell": ("int64", "visits longer than max_dwell; they are in visits; adds up"),
    "passing_by": ("int64", "people who passed the zone's entrance; adds up over time"),
    "enter": ("int64", "people who went in; adds up"),
    "drop_in_rate": ("float64", "percent: 100 * enter / passing_by; null where nobody passed"),
}


@attrs.frozen(eq=False, repr=False)
class Same(Fielded):
    """The values of a column that has one for all its rows."""

    value: Any
    rows: int

    def __iter__(self) -> Iterator[Any]:
        return repeat(self.value, self.rows)


@attrs.define(eq=False)
class Runs:
    """The values of a column that stay the same for some rows each: the values, and for how many rows."""

    values: Sequence[Any]
    lengths: Sequence[int]
    #: What Arrow has made of them: answers with the same buckets share their runs.
    packed: list[bytes | None] | None = attrs.field(default=None, init=False, repr=False)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(map(repeat, self.values, self.lengths))


Values = Sequence[Any] | Same | Runs


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Batch(Fielded):
    """Some rows, column by column, in the order of the schema."""

    rows: int
    columns: Sequence[Values]


#: The columns of a table, and the rows in them.
Table = tuple[Sequence[Column], Iterable[Batch]]


def dicts_of(columns: Sequence[Column], batches: Iterable[Batch]) -> Iterator[dict[str, Any]]:
    """Return the rows of a table, one after the other, as dictionaries with a key a column."""
    names = [column.name for column in columns]
    for batch in batches:
        for values in zip(*batch.columns, strict=True):
            yield dict(zip(names, values, strict=True))
