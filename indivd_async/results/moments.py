"""What all tables begin with: when, by every clock that is known, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import compress, count
from operator import attrgetter, is_not
from typing import Any

import attrs

from ..models import Bucket
from ..profile import Numbering, Profile
from .columns import Runs, Same, Values

MOMENTS = ("bucket_start", "bucket_start_utc")
PLACE = ("loc_id", "loc_name", "zone_id", "zone_name")
LABEL_NAMES = tuple(field.name for field in attrs.fields(Bucket))
read_labels = attrgetter(*LABEL_NAMES)


def when_and_where(
    buckets: Sequence[Bucket], clock: str | None, clocks: Values, place: Sequence[Values], known: Known
) -> list[Values]:
    """
    Return the columns from `bucket_start` to `weekday`; *clock* is that of all rows, *clocks* are their own.

    Neighbours share bucket objects, and each object is read once.
    """
    ends = list(compress(count(1), map(is_not, buckets[1:], buckets)))
    starts = [0, *ends]
    lengths = [end - start for start, end in zip(starts, (*ends, len(buckets)), strict=True)]
    firsts = [buckets[start] for start in starts]
    distinct = {id(one): one for one in firsts}
    numbering = known.profile.numbering
    read = {
        key: (_start_of(bucket, clock, numbering), *read_labels(bucket), _weekday_of(bucket, numbering))
        for key, bucket in distinct.items()
    }
    columns = zip(*[read[id(bucket)] for bucket in firsts], strict=True)
    start, *labels = [_in_runs(values, lengths, len(buckets)) for values in columns]
    if isinstance(clocks, Same):
        moments = {key: _in_utc(bucket, clocks.value, numbering) for key, bucket in distinct.items()}
        utc = _in_runs([moments[id(bucket)] for bucket in firsts], lengths, len(buckets))
    else:
        pairs = [(id(bucket), tz) for bucket, tz in zip(buckets, clocks, strict=True)]
        found = {(key, tz): _in_utc(distinct[key], tz, numbering) for key, tz in set(pairs)}
        utc = Runs([found[pair] for pair in pairs], [1] * len(pairs))
    return [start, utc, clocks, *place, *labels]


#: Of answer after answer the buckets are the same, one location after the other: a year of hours on one clock.
_remember = lru_cache(maxsize=16_384)


@_remember
def _start_of(bucket: Bucket, tz: str | None, numbering: Numbering) -> datetime | None:
    return bucket.start(tz, numbering=numbering)


@_remember
def _in_utc(bucket: Bucket, tz: str | None, numbering: Numbering) -> datetime | None:
    start = None if tz is None else _start_of(bucket, tz, numbering)
    try:
        return None if start is None else start.astimezone(UTC)
    except OverflowError:  # the first day that there is
        return None


@_remember
def _weekday_of(bucket: Bucket, numbering: Numbering) -> int | None:
    if bucket.dayofweek is not None:
        return numbering.weekday(bucket.dayofweek)
    start = None if bucket.dayofmonth is None else bucket.start()
    return None if start is None else start.isoweekday()


def _in_runs(values: Sequence[Any], lengths: Sequence[int], rows: int) -> Values:
    return Same(values[0], rows) if values.count(values[0]) == len(values) else Runs(values, lengths)


def alike(values: list[Any]) -> Values:
    return Same(values[0], len(values)) if values.count(values[0]) == len(values) else values


@attrs.frozen(kw_only=True)
class Known:
    """What is known of the service that answered, and of the clocks of locations in line_crosses."""

    profile: Profile
    line_clocks: Mapping[int, str | None]

    def line_clock(self, location: int | None) -> str | None:
        """Return the clock of a row of line_crosses."""
        one_for_all = self.profile.clock_of("line_crosses", None)
        return one_for_all or (None if location is None else self.line_clocks.get(location))
