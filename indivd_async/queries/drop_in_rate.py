"""The question for the share of passers-by who went in."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ..models.endpoints import DROP_IN_RATE, DataEndpoint
from .fields import ZoneQuery, arrange, check_grouping, check_ids, to_ids, to_interval


@attrs.frozen(field_transformer=arrange, eq=False, repr=False)
class DropInRate(ZoneQuery):
    """
    Ask which share of the people passing a zone's entrance went in.

    `per="location"` asks for each location apart. `tz` is sent only if given; without it, locations are asked in groups
    of one time zone, as the article demands.

    >>> DropInRate("2025-05-15", "2025-05-20", location=124, zone=1121).zone
    (1121,)
    """

    endpoint: ClassVar[DataEndpoint] = DROP_IN_RATE
    interval: str | None = attrs.field(default=None, converter=to_interval, validator=check_grouping, kw_only=True)
    """
    Names of the API with commas, or a list; None: hours for 1 day, days to 31, weeks to 364, months beyond (the
    article).
    """
    comparison_interval: str | None = attrs.field(
        default=None, converter=to_interval, validator=check_grouping, kw_only=True
    )
    """Its grouping; None takes that of the period."""
    location: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids; None means all of the token."""
    zone: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids; None means all of the locations."""
