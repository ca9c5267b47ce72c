"""A user's code: what their team calls a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indivd_async import IndivdError, ZoneVisitors

if TYPE_CHECKING:
    from indivd_async import AsyncIndivd


@dataclass
class Report:
    """Visits of a week by location."""

    visits: dict[str, int | None]


async def weekly_report(client: AsyncIndivd, start_date: str, end_date: str) -> Report:
    """Ask for each location; one that cannot be had is None, and the rest is there."""
    report = Report(visits={})
    for location in await client.locations():
        query = ZoneVisitors(start_date, end_date, location=location.id, aggregate_by="zone")
        try:
            total = (await client.fetch(query)).total("visits")
        except IndivdError:
            total = None
        report.visits[location.name or str(location.id)] = None if total is None else int(total)
    return report
