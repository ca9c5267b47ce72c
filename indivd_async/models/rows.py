"""The rows of the three data endpoints."""

from __future__ import annotations

import attrs

from ..fielded import Fielded
from ..wording import counted
from .values import NOTHING_EXTRA, Bucket, FrozenMap


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class LineCrossesRow(Fielded):
    """
    Crossings of lines in one bucket.

    The API's rows carry time only; the other fields are filled in from the request that brought the row, when it
    asked for a single value (`per=`, or one location or organisation given). No clock is documented for this endpoint
    (one page says UTC), so buckets are naive labels.
    """

    bucket: Bucket
    """When, as naive labels."""
    count: int
    """
    Crossings, one for each line crossed. Adds up over time and locations exactly; over zones only where no line is
    counted twice.
    """
    location: int | None = None
    """Location that was asked for."""
    organization: int | None = None
    """Organisation that was asked for."""
    floor: int | None = None
    """Floor that was asked for, basements below 0."""
    zone_to: int | None = None
    """Zone that the crossing enters, as asked for."""
    zone_from: int | None = None
    """Zone that the crossing leaves, as asked for."""
    category: int | None = None
    """Category of lines that was asked for."""
    line: int | None = None
    """Line that was asked for."""
    loc_name: str | None = None
    """The name of `location`, where it was looked up."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class DwellTimeStats(Fielded):
    """Dwell times of the visits in one row, in seconds."""

    mean: float | None = None
    """Adds up over rows weighted by `n`, and only so."""
    min: float | None = None
    """The smallest of several rows is the smallest of all, skipping rows with n = 0; likewise `max`."""
    max: float | None = None
    """The largest, in seconds; likewise."""
    quantiles: tuple[float | None, ...] | None = None
    """
    25th, 50th and 75th percentile, null where no visit is left. Never adds up: averages of quantiles err by up to half.
    """
    n: int | None = None
    """Visits in the calculation, those beyond `min_dwell` and `max_dwell` left out. Adds up."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class Exclude(Fielded):
    """Visits beyond the thresholds of the request; they stay in `visits`. Both add up under equal thresholds."""

    min_dwell_time: int | None = None
    """Visits shorter than `min_dwell` of the question."""
    max_dwell_time: int | None = None
    """Visits longer than `max_dwell` of the question."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class Aggregation(Fielded):
    """What a row of zone_visitors covers: a zone (a camera area), a bucket, the bounce threshold in force (seconds)."""

    zone_id: int
    """The zone."""
    bucket: Bucket
    """When, on the clock `tz` of the row."""
    zone_name: str | None = None
    """Its name, where the answer or the list of zones has it."""
    bounce_threshold: int | None = None
    """Seconds in force for this row, the zone's own or the one asked for."""
    loc_id: int | None = None
    """As labelled (`aggregate_by` names `loc_id`), asked for (one location), or listed; None where nothing tells."""
    loc_name: str | None = None
    """Its name, where it was looked up."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class ZoneVisitorsRow(Fielded):
    """One zone in one bucket."""

    visits: int
    """Entries. Adds up exactly, over time, zones and locations."""
    unique_visits: int | None = None
    """
    People seen in this zone and bucket. Does not add up: someone seen on Monday and on Tuesday is in both rows but is
    one person. None where the plan does not measure it.
    """
    bounce: int | None = None
    """
    Visits shorter than `aggregation.bounce_threshold`. Adds up under equal thresholds. None where the plan does not
    measure it.
    """
    dwell_time: float | None = None
    """Mean time in the zone, in seconds; equals `dwell_time_stats.mean`. None where the plan does not measure it."""
    dwell_time_stats: DwellTimeStats | None = None
    """Dwell times in seconds; None where the answer has none, as in comparison rows."""
    exclude: Exclude | None = None
    """Visits beyond the thresholds asked for; None where the answer has none."""
    aggregation: Aggregation
    """Zone, bucket and threshold of the row."""
    tz: str | None = None
    """The clock of the bucket, an IANA name: what the request sent as `tz`."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class DropInRow(Fielded):
    """Passers-by and entries of all zones asked for together, in one bucket."""

    bucket: Bucket
    """When, on the clock of the location or of `tz`."""
    passing_by: int
    """Adds up over time and locations; over zones a passing line that two zones share counts for both."""
    enter: int
    """Adds up exactly."""
    drop_in_rate: float | None
    """
    Percent, 100 · enter / passing_by; above 100 the lines are not set up well. Never averaged: recomputed from the
    counts. None where nobody passed.
    """
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class ZoneDropInRow(Fielded):
    """Passers-by and entries of one zone in one bucket."""

    bucket: Bucket
    """When, on the clock `tz` of its zone."""
    visits: int
    """Entries. Adds up exactly."""
    passing_by: int
    """Adds up over time."""
    drop_in_rate: float | None
    """Percent, as in `DropInRow`."""
    zone_id: int | None = None
    """The zone it belongs to, repeated from the `ZoneDropIn` that holds it."""
    loc_id: int | None = None
    """The location, likewise."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class ZoneDropIn(Fielded):
    """One zone over the whole period, with its rows by bucket."""

    zone_id: int
    """The zone."""
    zone_name: str | None = None
    """Its name."""
    loc_id: int | None = None
    """Its location."""
    loc_name: str | None = None
    """The location's name."""
    location_custom_id: str | None = None
    """The customer's own id of the location."""
    total_visits: int
    """Entries of the whole period. Adds up."""
    total_passing_by: int
    """Passers-by of the whole period. Adds up over time."""
    drop_in_rate: float | None
    """Percent, as in `DropInRow`."""
    details: tuple[ZoneDropInRow, ...] = attrs.field(default=(), repr=counted)
    """Its rows by bucket."""
    tz: str | None = None
    """The clock of the buckets, an IANA name, where it is known."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class DropInTotals(Fielded):
    """All zones asked for together, over the whole period (`summary` in the API)."""

    startdate: str
    """First day, `yyyy-mm-dd`."""
    enddate: str
    """Last day, included."""
    passing_by: int
    """Adds up over time and locations."""
    enter: int
    """Entries. Adds up."""
    enter_percentage: float | None
    """Percent, as in `DropInRow.drop_in_rate`."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""
