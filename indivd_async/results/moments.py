"""What all tables begin with: when, by every clock that is known, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from itertools import compress, count
from operator import is_not
from typing import Any

import attrs

from ..fielded import Fielded
from ..models import Bucket
from ..models.values import instant_of, labels_of
from ..profile import Numbering, Profile
from .columns import Runs, Same, Values

MOMENTS = ("bucket_start", "bucket_start_utc")
PLACE = ("loc_id", "loc_name", "zone_id", "zone_name")


def when_and_where(
    buckets: Sequence[Bucket], clock: str | None, clocks: Values, place: Sequence[Values], known: Known
) -> list[Values]:
    """
    Return the columns from `bucket_start` to `weekday`; *clock* is that of all rows, *clocks* are their own.

    Neighbours share bucket objects, and each object is read once.
    """
    ends = list(compress(count(1), map(is_not, buckets[1:], buckets)))
    starts = [0, *ends]
    lengths = tuple([end - start for start, end in zip(starts, (*ends, len(buckets)), strict=True)])
    firsts = tuple([buckets[start] for start in starts])
    numbering = known.profile.numbering
    read_all = _read_all if len(firsts) <= _MOST_REMEMBERED else _read_all.__wrapped__
    one_clock = clocks.value if isinstance(clocks, Same) else None
    start, utc, *labels = read_all(firsts, lengths, clock, one_clock, numbering)
    if not isinstance(clocks, Same):
        pairs = [(id(bucket), tz) for bucket, tz in zip(buckets, clocks, strict=True)]
        distinct = {id(one): one for one in firsts}
        found = {(key, tz): _read(distinct[key], clock, tz, numbering)[1] for key, tz in set(pairs)}
        utc = Runs([found[pair] for pair in pairs], [1] * len(pairs))
    return [start, utc, clocks, *place, *labels]


#: Buckets of a window that are remembered, a month of hours: more would take more memory than they are worth.
_MOST_REMEMBERED = 31 * 24


@lru_cache(maxsize=32)  # answers for one location after the other have the same buckets
def _read_all(
    buckets: tuple[Bucket, ...], lengths: tuple[int, ...], clock: str | None, tz: str | None, numbering: Numbering
) -> Sequence[Values]:
    distinct = {id(one): one for one in buckets}
    read = {key: _read(bucket, clock, tz, numbering) for key, bucket in distinct.items()}
    columns = zip(*[read[id(bucket)] for bucket in buckets], strict=True)
    return [_in_runs(values, lengths) for values in columns]


@lru_cache(maxsize=16_384)  # for windows that are cut otherwise: a year of hours on one clock
def _read(bucket: Bucket, clock: str | None, tz: str | None, numbering: Numbering) -> tuple[Any, ...]:
    """Return `bucket_start` on *clock*, the same in UTC by *tz*, the labels, and the weekday."""
    shown = bucket.start(numbering=numbering)
    own = instant_of(shown, tz)
    try:
        utc = None if tz is None or own is None else own.astimezone(UTC)
    except OverflowError:  # the first day that there is
        utc = None
    start = own if clock == tz else instant_of(shown, clock)
    weekday = None if bucket.dayofweek is None else numbering.weekday(bucket.dayofweek)
    if shown is not None and bucket.dayofmonth is not None:
        weekday = shown.isoweekday()
    return start, utc, *labels_of(bucket), weekday


def _in_runs(values: Sequence[Any], lengths: Sequence[int]) -> Values:
    return Same(values[0], sum(lengths)) if values.count(values[0]) == len(values) else Runs(values, lengths)


def alike(values: list[Any]) -> Values:
    return Same(values[0], len(values)) if values.count(values[0]) == len(values) else values


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Known(Fielded):
    """What is known of the service that answered, and of the clocks of locations in line_crosses."""

    profile: Profile
    line_clocks: Mapping[int, str | None]

    def line_clock(self, location: int | None) -> str | None:
        one_for_all = self.profile.clock_of("line_crosses", None)
        return one_for_all or (None if location is None else self.line_clocks.get(location))
