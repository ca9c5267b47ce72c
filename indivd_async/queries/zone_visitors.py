"""The question for visits, unique visitors, bounces and dwell times."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ..models.endpoints import ZONE_VISITORS, DataEndpoint
from ..refusals import InvalidQueryError
from .fields import ZoneQuery, arrange, check_grouping, check_ids, check_seconds, to_grouping, to_ids, to_whole


@attrs.frozen(field_transformer=arrange, eq=False, repr=False)
class ZoneVisitors(ZoneQuery):
    """
    Ask for visits, unique visitors, bounces and dwell times, by zone and bucket.

    `aggregate_by` takes names with commas or a list; "day" is "dayofmonth". `per="location"` asks for each location
    apart, for certainty whose a row is. `tz` None means each location's own time zone. `bounce_threshold`, `min_dwell`
    and `max_dwell` are seconds; thresholds exclude no visit from `visits`.

    >>> ZoneVisitors("2025-03-01", "2025-03-07", location=124, max_dwell=10_801)
    Traceback (most recent call last):
        ...
    indivd_async.refusals.InvalidQueryError: max_dwell: must be a whole number of seconds, from 0 to 10800; got 10801.
    """

    endpoint: ClassVar[DataEndpoint] = ZONE_VISITORS
    aggregate_by: str | None = attrs.field(default=None, converter=to_grouping, validator=check_grouping, kw_only=True)
    """
    Names of the API with commas, or a list; None: hours for 1 day, days to 31, weeks to 364, months beyond (the
    article).
    """
    comparison_aggregate_by: str | None = attrs.field(
        default=None, converter=to_grouping, validator=check_grouping, kw_only=True
    )
    """Its grouping; None takes that of the period."""
    location: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids; None means all of the token."""
    zones: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids; None means all of the locations."""
    bounce_threshold: int | None = attrs.field(default=None, converter=to_whole, validator=check_seconds, kw_only=True)
    """Seconds; -1 or None the zone's own, 0 none: bounces are then not measured."""
    min_dwell: int | None = attrs.field(default=None, converter=to_whole, validator=check_seconds, kw_only=True)
    """Seconds; shorter visits are left out of dwell times and counted in `exclude`."""
    max_dwell: int | None = attrs.field(default=None, converter=to_whole, validator=check_seconds, kw_only=True)
    """Seconds, to 10,800; longer visits likewise."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.min_dwell is not None and self.max_dwell is not None and self.min_dwell > self.max_dwell:
            raise InvalidQueryError("min_dwell", f"must not be above {{max_dwell}} ({self.max_dwell})", self.min_dwell)
