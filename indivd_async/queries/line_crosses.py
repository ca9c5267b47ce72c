"""The question for crossings of lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, get_args

import attrs

from ..models.endpoints import LINE_CROSSES, DataEndpoint
from ..refusals import InvalidQueryError
from .fields import BaseQuery, PerLine, arrange, check_grouping, check_ids, to_grouping, to_ids

#: What `per` fans out, with the parameter that holds its values. The row's field has the name on the left.
PER: Mapping[str, str] = {name: name for name in get_args(PerLine)} | {"line": "line_ids"}


@attrs.frozen(field_transformer=arrange, eq=False, repr=False)
class LineCrosses(BaseQuery):
    """
    Ask for crossings of lines.

    `per` asks for one series per value, which the API's rows cannot tell apart: ``"location"``, ``"organization"``,
    ``"floor"``, ``"zone_to"``, ``"zone_from"``, ``"category"`` or ``"line"``; the values must be given, except
    locations, which then means all of them. Several locations or organisations imply it. The API counts a visitor once
    for each line crossed, so ask for certain zones, categories or lines.

    >>> LineCrosses("2025-03-01", "2025-03-02", location=124, zone_to=[201, 202]).zone_to
    (201, 202)
    """

    endpoint: ClassVar[DataEndpoint] = LINE_CROSSES
    aggregate_by: str | None = attrs.field(default=None, converter=to_grouping, validator=check_grouping, kw_only=True)
    """Names of the API with commas, or a list; None: hours for 1 day, days to 31, months beyond (the article)."""
    organization: tuple[int, ...] | None = attrs.field(
        default=None, converter=to_ids, validator=check_ids, kw_only=True
    )
    """Ids; several make a series each."""
    location: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids; several make a series each. None means all of the token."""
    floor: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Floors, basements below 0."""
    zone_to: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids of zones that crossings enter."""
    zone_from: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids of zones that crossings leave."""
    category: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids of categories of lines."""
    line_ids: tuple[int, ...] | None = attrs.field(default=None, converter=to_ids, validator=check_ids, kw_only=True)
    """Ids of lines."""
    per: PerLine | None = attrs.field(default=None, kw_only=True)
    """A series for each value of this parameter; its rows carry it."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.per is None:
            return
        if not isinstance(self.per, str) or self.per not in PER:
            raise InvalidQueryError("per", f"must be one of {', '.join(PER)}", self.per)
        if self.per != "location" and getattr(self, PER[self.per]) is None:
            rule = f"needs its values: one series per {self.per} of which?"
            raise InvalidQueryError("per", rule, self.per, f"Pass {{{PER[self.per]}:[…]}}.")
