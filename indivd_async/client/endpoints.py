"""The endpoints as methods: the five lists, and the three questions with their parameters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Literal, TypeVar

import attrs

from ..models import Category, Line, Location, Organization, Zone
from ..progress import Wanted
from ..queries import (
    DropInRate,
    Ids,
    Interval,
    LineCrosses,
    LineGrouping,
    OnError,
    PerLine,
    Query,
    Split,
    ZoneGrouping,
    ZoneVisitors,
)
from ..results import DropInRateResult, LineCrossesResult, Listed, ZoneVisitorsResult

Dates = date | str
Q = TypeVar("Q", bound=Query)


class Endpoints:
    """
    The methods of the client that are the API's endpoints: five lists, and three questions with their parameters.

    A parameter that breaks a rule raises `InvalidQueryError` before anything is sent. Everything else of
    `indivd_async.errors` may follow.
    """

    async def fetch(self, query: Any, *, progress: Wanted = None) -> Any:
        """Fetch *query*, of whichever endpoint."""
        raise NotImplementedError

    async def _list(self, name: str) -> Listed[Any]:
        raise NotImplementedError

    async def locations(self) -> Listed[Location]:
        """List the locations that the token may see, with their time zones."""
        return await self._list("locations")

    async def zones(self) -> Listed[Zone]:
        """List the zones (camera areas) that the token may see."""
        return await self._list("zones")

    async def categories(self) -> Listed[Category]:
        """List the categories of lines that the token may see."""
        return await self._list("categories")

    async def lines(self) -> Listed[Line]:
        """List the counting lines that the token may see."""
        return await self._list("lines")

    async def organizations(self) -> Listed[Organization]:
        """List the organisations that the token spans."""
        return await self._list("organizations")

    async def line_crosses(
        self,
        start_date: Dates,
        end_date: Dates,
        *,
        aggregate_by: LineGrouping | None = None,
        organization: Ids = None,
        location: Ids = None,
        floor: Ids = None,
        zone_to: Ids = None,
        zone_from: Ids = None,
        category: Ids = None,
        line_ids: Ids = None,
        per: PerLine | None = None,
        split: Split = "auto",
        on_error: OnError = "raise",
        progress: Wanted = None,
    ) -> LineCrossesResult:
        """
        Count crossings of lines; see `LineCrosses` for the parameters.

        Buckets are naive labels: the article gives this endpoint no time zone parameter, and another page says that
        times are UTC.
        """
        result: LineCrossesResult = await self.fetch(_question(LineCrosses, locals()), progress=progress)
        return result

    async def zone_visitors(
        self,
        start_date: Dates,
        end_date: Dates,
        *,
        comparison_start_date: Dates | None = None,
        comparison_end_date: Dates | None = None,
        aggregate_by: ZoneGrouping | str | Iterable[ZoneGrouping] | None = None,
        comparison_aggregate_by: ZoneGrouping | str | Iterable[ZoneGrouping] | None = None,
        location: Ids = None,
        zones: Ids = None,
        bounce_threshold: int | None = None,
        min_dwell: int | None = None,
        max_dwell: int | None = None,
        tz: str | None = None,
        per: Literal["location"] | None = None,
        split: Split = "auto",
        on_error: OnError = "raise",
        progress: Wanted = None,
    ) -> ZoneVisitorsResult:
        """
        Ask for visits, unique visitors, bounces and dwell times (seconds); see `ZoneVisitors` for the parameters.

        Without *tz* each location is asked on its own clock, which its rows carry as `tz`; this looks up the
        locations, once an hour.
        """
        result: ZoneVisitorsResult = await self.fetch(_question(ZoneVisitors, locals()), progress=progress)
        return result

    async def drop_in_rate(
        self,
        start_date: Dates,
        end_date: Dates,
        *,
        comparison_start_date: Dates | None = None,
        comparison_end_date: Dates | None = None,
        interval: Interval | None = None,
        comparison_interval: Interval | None = None,
        location: Ids = None,
        zone: Ids = None,
        tz: str | None = None,
        per: Literal["location"] | None = None,
        split: Split = "auto",
        on_error: OnError = "raise",
        progress: Wanted = None,
    ) -> DropInRateResult:
        """
        Ask which share of the people passing went in, in percent; see `DropInRate` for the parameters.

        Rates of merged answers are computed from the counts, never averaged. *tz* is sent only if given; without it
        locations are asked in groups of one time zone.
        """
        result: DropInRateResult = await self.fetch(_question(DropInRate, locals()), progress=progress)
        return result


def _question(kind: type[Q], given: dict[str, Any]) -> Q:
    """Make the query that a method was *given*, whose parameters have the names of its fields."""
    return kind(**{field.name: given[field.name] for field in attrs.fields(kind)})
