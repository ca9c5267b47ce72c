"""The rows of the three data endpoints."""

from __future__ import annotations

import attrs

from .values import NOTHING_EXTRA, Bucket, FrozenMap


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
    #: The name of `location`, where it was looked up.
    loc_name: str | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class DwellTimeStats:
    """Dwell times of the visits in one row, in seconds."""

    #: Adds up over rows weighted by `n`, and only so.
    mean: float | None = None
    #: The smallest of several rows is the smallest of all, skipping rows with n = 0; likewise `max`.
    min: float | None = None
    max: float | None = None
    #: 25th, 50th and 75th percentile, null where no visit is left. Never adds up: averages of quantiles err by up to
    #: half.
    quantiles: tuple[float | None, ...] | None = None
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
    #: As labelled (`aggregate_by` names `loc_id`), asked for (one location), or listed; None where nothing tells.
    loc_id: int | None = None
    #: Its name, where it was looked up.
    loc_name: str | None = None
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
