"""The question for the share of passers-by who went in."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

import attrs
from attrs.validators import optional

from ..models.endpoints import DROP_IN_RATE, DataEndpoint
from .fields import (
    BaseQuery,
    arrange,
    check_comparison,
    check_date,
    check_grouping,
    check_ids,
    check_per,
    check_tz,
    to_ids,
    to_interval,
    to_optional_date,
)


@attrs.frozen(field_transformer=arrange, eq=False, repr=False)
class DropInRate(BaseQuery):
    """
    Ask which share of the people passing a zone's entrance went in.

    `per="location"` asks for each location apart. `tz` is sent only if given; without it, locations are asked in groups
    of one time zone, as the article demands.

    >>> DropInRate("2025-05-15", "2025-05-20", location=124, zone=1121).zone
    (1121,)
    """

    endpoint: ClassVar[DataEndpoint] = DROP_IN_RATE
    comparison_start_date: date | None = attrs.field(
        default=None, converter=to_optional_date, validator=optional(check_date), kw_only=True
    )
    """First day of the period to compare with; needs `comparison_end_date`."""
    comparison_end_date: date | None = attrs.field(
        default=None, converter=to_optional_date, validator=optional(check_date), kw_only=True
    )
    """Last day of the period to compare with, included."""
    interval: str | None = attrs.field(
        default=None, converter=to_interval, validator=check_grouping(DROP_IN_RATE), kw_only=True
    )
    """
    Names of the API with commas, or a list; None: hours for 1 day, days to 31, weeks to 364, months beyond (the
    article).
    """
    comparison_interval: str | None = attrs.field(
        default=None, converter=to_interval, validator=check_grouping(DROP_IN_RATE), kw_only=True
    )
    """Its grouping; None takes that of the period."""
    location: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids; None means all of the token."""
    zone: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids; None means all of the locations."""
    tz: str | None = attrs.field(default=None, validator=check_tz, kw_only=True)
    """The clock of all rows, an IANA name; None: each location's own, and nothing is sent."""
    per: Literal["location"] | None = attrs.field(default=None, validator=check_per, kw_only=True)
    """"location" asks for each location apart; None together, as the API takes lists."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_comparison(self, "comparison_interval")
