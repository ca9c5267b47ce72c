"""
The rows and catalogue entities, named as in the API's JSON: their units, their clock, and what of them may be added up.

All are frozen values that hash and pickle. `extra` holds the fields of the answer that this version does not know,
untouched.
Source: the vendor's article "How to query visitor data".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

from . import _calendar
from .errors import InvalidQueryError


class FrozenMap(Mapping[Any, Any]):
    """
    A mapping that hashes and pickles; its values are made of the same stuff, tuples and plain scalars.

    >>> FrozenMap.freeze({"tags": ["a", {"b": 1}]})
    FrozenMap({'tags': ('a', FrozenMap({'b': 1}))})
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[Any, Any] | None = None) -> None:
        self._items: dict[Any, Any] = dict(items) if items else {}

    @classmethod
    def freeze(cls, value: Any) -> Any:
        """Turn decoded JSON into values that cannot change: objects to `FrozenMap`, arrays to tuples."""
        if isinstance(value, dict):
            return cls({key: cls.freeze(item) for key, item in value.items()})
        if isinstance(value, list):
            return tuple(map(cls.freeze, value))
        return value

    @classmethod
    def adopt(cls, items: dict[Any, Any]) -> FrozenMap:
        """Wrap *items* without a copy; the caller gives it away."""
        self = cls.__new__(cls)
        self._items = items
        return self

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMap):
            return self._items == other._items
        return bool(self._items == other) if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._items))  # equal mappings have equal keys, and keys always hash

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMap, (self._items,)


NOTHING_EXTRA = FrozenMap()


@attrs.frozen(kw_only=True, weakref_slot=False)
class Bucket:
    """
    The interval of one row, as labels: the fields the API sent, on the clock of the row; `None` for the others.

    `dayofmonth` is the API's name for the day (drop_in_rate calls it `day` in one place). The numbering of `week` and
    `dayofweek` is not documented: they are labels, nothing is computed from them.
    """

    year: int | None = None
    month: int | None = None
    week: int | None = None
    dayofmonth: int | None = None
    dayofweek: int | None = None
    hour: int | None = None
    minute: int | None = None

    def start(self, tz: str | None = None) -> datetime | None:
        """
        Return the first instant of the bucket: aware when *tz* (an IANA name) is given, else the naive local label.

        None where the labels do not fix it: weeks, days of the week, months without a year. An hour repeated by a
        clock change is one bucket that begins at its first occurrence; where a change skips the beginning of a bucket,
        or all of it, the first instant is the first moment after the gap.

        >>> Bucket(year=2025, month=3, dayofmonth=1, hour=9).start("Europe/Stockholm").isoformat()
        '2025-03-01T09:00:00+01:00'
        >>> Bucket(year=2025, week=10).start() is None
        True
        """
        if tz is not None and not _calendar.is_time_zone(tz):
            raise InvalidQueryError("tz", "must be an IANA time zone name, such as Europe/Stockholm", tz)
        if self.week is not None or self.dayofweek is not None or self.year is None:
            return None
        label = (self.month, self.dayofmonth, self.hour, self.minute)
        known = [part for part in label if part is not None]
        if list(label[: len(known)]) != known:  # a gap, such as an hour without its day
            return None
        month, day, hour, minute = (*known, *(1, 1, 0, 0)[len(known) :])
        try:
            local = datetime(self.year, month, day, hour, minute)
        except (ValueError, OverflowError):  # labels that no clock shows
            return None
        return local if tz is None else _calendar.first_instant(local, tz)


@attrs.frozen(kw_only=True, weakref_slot=False)
class LineCrossesRow:
    """
    Crossings of lines in one bucket.

    The API's rows carry time only; the other fields are filled in from the request that brought the row, when it
    asked for a single value (`per=`, or one location or organisation given). No clock is documented for this endpoint
    (one page says UTC), so buckets are naive labels.
    """

    bucket: Bucket
    #: Crossings, one for each line crossed. Adds up over time and locations exactly; over zones only where no line is
    #: counted twice.
    count: int
    location: int | None = None
    organization: int | None = None
    floor: int | None = None
    zone_to: int | None = None
    zone_from: int | None = None
    category: int | None = None
    line: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class DwellTimeStats:
    """Dwell times of the visits in one row, in seconds."""

    #: Adds up over rows weighted by `n`, and only so.
    mean: float | None = None
    #: The smallest of several rows is the smallest of all, skipping rows with n = 0; likewise `max`.
    min: float | None = None
    max: float | None = None
    #: 25th, 50th and 75th percentile. Never adds up: averages of quantiles err by up to half.
    quantiles: tuple[float, ...] | None = None
    #: Visits in the calculation, those beyond `min_dwell` and `max_dwell` left out. Adds up.
    n: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Exclude:
    """Visits beyond the thresholds of the request; they stay in `visits`. Both add up under equal thresholds."""

    min_dwell_time: int | None = None
    max_dwell_time: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Aggregation:
    """What a row of zone_visitors covers: a zone (a camera area), a bucket, the bounce threshold in force (seconds)."""

    zone_id: int
    bucket: Bucket
    zone_name: str | None = None
    bounce_threshold: int | None = None
    #: Only where `aggregate_by` names `loc_id`.
    loc_id: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class ZoneVisitorsRow:
    """One zone in one bucket."""

    #: Entries. Adds up exactly, over time, zones and locations.
    visits: int
    #: People seen in this zone and bucket. Does not add up: someone seen on Monday and on Tuesday is in both rows but
    #: is one person. None where the plan does not measure it.
    unique_visits: int | None = None
    #: Visits shorter than `aggregation.bounce_threshold`. Adds up under equal thresholds. None where the plan does
    #: not measure it.
    bounce: int | None = None
    #: Mean time in the zone, in seconds; equals `dwell_time_stats.mean`. None where the plan does not measure it.
    dwell_time: float | None = None
    dwell_time_stats: DwellTimeStats | None = None
    exclude: Exclude | None = None
    aggregation: Aggregation
    #: The clock of the bucket, an IANA name: what the request sent as `tz`.
    tz: str | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class DropInRow:
    """Passers-by and entries of all zones asked for together, in one bucket."""

    bucket: Bucket
    #: Adds up over time and locations; over zones a passing line that two zones share counts for both.
    passing_by: int
    #: Adds up exactly.
    enter: int
    #: Percent, 100 · enter / passing_by; above 100 the lines are not set up well. Never averaged: recomputed from the
    #: counts. None where nobody passed.
    drop_in_rate: float | None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class ZoneDropInRow:
    """Passers-by and entries of one zone in one bucket."""

    bucket: Bucket
    #: Entries. Adds up exactly.
    visits: int
    #: Adds up over time.
    passing_by: int
    #: Percent, as in `DropInRow`.
    drop_in_rate: float | None
    #: The zone and location that the row belongs to, repeated from the `ZoneDropIn` that holds it.
    zone_id: int | None = None
    loc_id: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class ZoneDropIn:
    """One zone over the whole period, with its rows by bucket."""

    zone_id: int
    zone_name: str | None = None
    loc_id: int | None = None
    loc_name: str | None = None
    location_custom_id: str | None = None
    total_visits: int
    total_passing_by: int
    #: Percent, as in `DropInRow`.
    drop_in_rate: float | None
    details: tuple[ZoneDropInRow, ...] = ()
    #: The clock of the buckets, an IANA name, where it is known.
    tz: str | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class DropInTotals:
    """All zones asked for together, over the whole period (`summary` in the API)."""

    startdate: str
    enddate: str
    passing_by: int
    enter: int
    #: Percent, as in `DropInRow.drop_in_rate`.
    enter_percentage: float | None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Location:
    """A site. `timezone` is an IANA name; opening hours are as the API sends them, their form is not documented."""

    id: int
    name: str | None = None
    city: str | None = None
    country: str | None = None
    timezone: str | None = None
    opening_hours: Any = None
    organization: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Zone:
    """A camera area of one location. `bounce_threshold` in seconds."""

    id: int
    name: str | None = None
    location: int | None = None
    floor: int | None = None
    bounce_threshold: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Category:
    """A group of lines; a line may belong to several."""

    id: int
    name: str | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Line:
    """A virtual boundary. `zone_to` is the zone that a crossing enters, `zone_from` the one it leaves."""

    id: int
    name: str | None = None
    location: int | None = None
    floor: int | None = None
    zone_to: int | None = None
    zone_from: int | None = None
    category: Any = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Organization:
    """A customer of Indivd; a token may span several."""

    id: int
    name: str | None = None
    extra: FrozenMap = NOTHING_EXTRA
