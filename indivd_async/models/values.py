"""The small values that rows are made of: buckets, and what is kept of fields that are not known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from datetime import datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NoReturn, TypeVar

import attrs

from ..profile import Numbering
from ..refusals import InvalidQueryError
from ..time_zones import is_time_zone
from ..wording import brief
from .clocks import first_instant

R = TypeVar("R")
#: Characters of a mapping that is shown: those of hundreds of zones have millions.
_MOST_TEXT = 4_000


class FrozenMap(dict[Any, Any]):
    """
    A mapping that hashes, pickles and refuses changes; its values are made of the same stuff, tuples and plain scalars.

    >>> FrozenMap.freeze({"tags": ["a", {"b": 1}]})
    FrozenMap({'tags': ('a', FrozenMap({'b': 1}))})
    """

    __slots__ = ()

    @classmethod
    def freeze(cls, value: Any) -> Any:
        """Turn decoded JSON into values that cannot change: objects to `FrozenMap`, arrays to tuples."""
        if isinstance(value, dict):
            return cls({key: cls.freeze(item) for key, item in value.items()})
        if isinstance(value, list):
            return tuple(map(cls.freeze, value))
        return value

    def _refuse(self: Any, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a FrozenMap does not change")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))  # equal mappings have equal keys, and keys always hash

    def __repr__(self) -> str:
        return f"FrozenMap({brief(dict(self), _MOST_TEXT)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMap, (dict(self),)


NOTHING_EXTRA = FrozenMap()


@attrs.frozen(kw_only=True, weakref_slot=False, cache_hash=True)
class Bucket:
    """
    The interval of one row, as labels: the fields the API sent, on the clock of the row; `None` for the others.

    `dayofmonth` is the API's name for the day (drop_in_rate calls it `day` in one place). The numbering of `week` and
    `dayofweek` is not documented: they are labels, and nothing is computed from them unless a profile knows it.
    """

    year: int | None = None
    """Calendar year, or the year that `week` belongs to."""
    month: int | None = None
    """1 to 12."""
    week: int | None = None
    """The API's own number; its numbering is not documented."""
    dayofmonth: int | None = None
    """1 to 31."""
    dayofweek: int | None = None
    """The API's own number; its numbering is not documented."""
    hour: int | None = None
    """0 to 23."""
    minute: int | None = None
    """0 to 59."""

    def start(self, tz: str | None = None, *, numbering: Numbering | None = None) -> datetime | None:
        """
        Return the first instant of the bucket: aware when *tz* (an IANA name) is given, else the naive local label.

        None where the labels do not fix it: weeks whose *numbering* is not given, days of the week without their date,
        months without a year. An hour repeated by a clock change is one bucket that begins at its first occurrence;
        where a change skips the beginning of a bucket, or all of it, the first instant is the first moment after the
        gap.

        >>> Bucket(year=2025, month=3, dayofmonth=1, hour=9).start("Europe/Stockholm").isoformat()
        '2025-03-01T09:00:00+01:00'
        >>> Bucket(year=2025, week=10).start() is None
        True
        """
        return instant_of(self._start_of_week(numbering) if self.week is not None else self._start(), tz)

    def _start(self) -> datetime | None:
        if self.year is None or (self.dayofweek is not None and self.dayofmonth is None):
            return None
        label = (self.month, self.dayofmonth, self.hour, self.minute)
        known = [part for part in label if part is not None]
        if list(label[: len(known)]) != known:  # a gap, such as an hour without its day
            return None
        month, day, hour, minute = (*known, *(1, 1, 0, 0)[len(known) :])
        try:
            return datetime(self.year, month, day, hour, minute)
        except (ValueError, OverflowError):  # labels that no clock shows
            return None

    def _start_of_week(self, numbering: Numbering | None) -> datetime | None:
        finer = (self.month, self.dayofmonth, self.dayofweek, self.hour, self.minute)
        if numbering is None or self.week is None or any(label is not None for label in finer):
            return None
        day = numbering.week_start(self.year, self.week)
        return None if day is None else datetime(day.year, day.month, day.day)


def instant_of(local: datetime | None, tz: str | None) -> datetime | None:
    """Return the first instant at *tz* of what begins when its wall clock shows *local*; without *tz*, that itself."""
    if tz is None:
        return local
    if not is_time_zone(tz):
        raise InvalidQueryError("tz", "must be an IANA time zone name, such as Europe/Stockholm", tz)
    return None if local is None else first_instant(local, tz)


#: Beyond it counts are what is left of -1 or of an overflow, not of people.
MOST_PEOPLE = 2**31 - 2
#: Seconds; a stay that is longer is looked at closely. A float, as stays are: against an integer it takes longer.
A_DAY_S = 86_400.0
MOST_INT = 2**63 - 1  # what an Arrow column or a database holds; orjson reads integers beyond 64 bits as floats

# Building frozen values.

LABELS = tuple(attrs.fields_dict(Bucket))
#: All labels of a bucket, as a tuple.
labels_of = attrgetter(*LABELS)


@lru_cache(maxsize=16384)
def bucket_of(*labels: int | None) -> Bucket:
    """
    Return the one bucket of these labels, in the order of its fields.

    Only for labels whose types were checked: 1, 1.0 and True are one key.
    """
    return Bucket(**dict(zip(LABELS, labels, strict=True)))


@cache
def draft_of(cls: type) -> type:
    """
    Return a mutable subclass of the frozen attrs class *cls*: an instance becomes a row when its class is set to *cls*.

    Half the cost of `cls(...)`, which sets each slot through `object.__setattr__`. Setting the class of a subclass that
    adds no slots is cheap: there are no layouts to compare.
    """
    plain = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(f"{cls.__name__}Draft", (cls,), {"__slots__": (), **plain})


def with_changes(row: R, **changes: Any) -> R:
    """Return *row* with *changes*: a frozen row, or one that is as it was decoded."""
    if attrs.has(type(row)):
        return attrs.evolve(row, **changes)  # type: ignore[misc]
    row = copy(row)
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def word_bucket(bucket: Bucket) -> str:
    """Word the labels of a bucket for a message."""
    named = [f"{name} {label}" for name, label in zip(LABELS, labels_of(bucket), strict=True) if label is not None]
    return ", ".join(named) or "the whole period"


def place_of(zone: int | None, bucket: Bucket) -> str:
    """Word a zone, where there is one, and a bucket for a message."""
    words = word_bucket(bucket)
    return words if zone is None else f"zone {zone}, {words}"


#: Names of unknown fields that say which bucket a row is of, where labels lie among the figures.
_LABEL = (
    r"(?i).*(?:year|month|week|day|(?<!up)date|hour|minute|quarter|period|bucket|interval|slot|moment|stamp).*"
    r"|(?:.*_)?(?:start|end)(?:_.*)?"
)
OddLabels = tuple[tuple[str, str], ...]


def odd_labels(rows: Sequence[Any]) -> list[OddLabels] | None:
    """
    Return the labels of each row, or aggregation, that a `Bucket` has no field for, written out; None: none has any.

    They tell rows apart as the known ones do: weeks of two years under ``isoWeekYear``, days under ``date``.
    """
    extras = [row.extra for row in rows]
    if extras.count(NOTHING_EXTRA) == len(extras):  # by identity, in C
        return None
    found = [_odd_labels(extra) for extra in extras]
    return found if any(found) else None


def _odd_labels(extra: FrozenMap) -> OddLabels:
    inside = extra.get("_id")
    labels = inside if isinstance(inside, FrozenMap) else {k: v for k, v in extra.items() if re.fullmatch(_LABEL, k)}
    return tuple(sorted([(name, repr(value)) for name, value in labels.items()]))
