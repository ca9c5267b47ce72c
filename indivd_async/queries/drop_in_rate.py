"""The question for the share of passers-by who went in."""

from __future__ import annotations

from datetime import date
from typing import Literal

import attrs
from attrs.validators import optional

from ..models.endpoints import DROP_IN_RATE, DataEndpoint
from .fields import Groupings as Groupings  # its signature names it: for the reference
from .fields import Ids as Ids
from .fields import (
    OnError,
    Split,
    check_comparison,
    check_date,
    check_grouping,
    check_ids,
    check_on_error,
    check_order,
    check_per,
    check_split,
    check_tz,
    to_date,
    to_ids,
    to_interval,
    to_optional_date,
    to_split,
)


@attrs.frozen
class DropInRate:
    """
    Ask which share of the people passing a zone's entrance went in.

    `per="location"` asks for each location apart. `tz` is sent only if given; without it, locations are asked in groups
    of one time zone, as the article demands.

    >>> DropInRate("2025-05-15", "2025-05-20", location=124, zone=1121).zone
    (1121,)
    """

    start_date: date = attrs.field(converter=to_date, validator=check_date)
    end_date: date = attrs.field(converter=to_date, validator=check_date)
    comparison_start_date: date | None = attrs.field(
        default=None, converter=to_optional_date, validator=optional(check_date), kw_only=True
    )
    comparison_end_date: date | None = attrs.field(
        default=None, converter=to_optional_date, validator=optional(check_date), kw_only=True
    )
    interval: str | None = attrs.field(
        default=None, converter=to_interval, validator=check_grouping(DROP_IN_RATE), kw_only=True
    )
    comparison_interval: str | None = attrs.field(
        default=None, converter=to_interval, validator=check_grouping(DROP_IN_RATE), kw_only=True
    )
    location: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    zone: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    tz: str | None = attrs.field(default=None, validator=check_tz, kw_only=True)
    per: Literal["location"] | None = attrs.field(default=None, validator=check_per, kw_only=True)
    split: Split = attrs.field(default="auto", converter=to_split, validator=check_split, kw_only=True)
    on_error: OnError = attrs.field(default="raise", validator=check_on_error, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_order(self.start_date, self.end_date, "end_date")
        check_comparison(self, "comparison_interval")

    @property
    def endpoint(self) -> DataEndpoint:
        """The endpoint's entry in the table."""
        return DROP_IN_RATE
