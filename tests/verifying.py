"""Runs of `verify` against the sandbox: a place that opens every day, far from UTC, and a period over a New Year."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from typing import Any

from remembering import RememberingWorld

from indivd_async import AsyncIndivd, sandbox
from indivd_async.verify import MOST_REQUESTS, Report, verify
from indivd_async.verify.questions import Asker
from indivd_async.verify.run import make_report, measure

#: Twenty days after a New Year: weeks can be fitted, and 45 days reach back into the old year.
NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
WORLD = RememberingWorld(now=NOW)
MALL = 127
DAYS = 45


_reports: dict[Hashable, Report] = {}


async def judge(
    *deviations: str,
    world: sandbox.World = WORLD,
    token: str = "sandbox",
    location: int | str | None = MALL,
    **options: Any,
) -> Report:
    """Verify the sandbox with these deviations; what has the same answers and is not recorded is verified once."""
    key = deviations, token, location, repr(sorted(options.items()))
    if world is WORLD and "record" not in options and key in _reports:
        return _reports[key]
    transport = sandbox.transport(world, deviations=deviations)
    options = {"now": world.now, "days": DAYS} | options
    async with AsyncIndivd(token, transport=transport, base_url="https://sandbox.test") as client:
        report = await verify(client, location=location, **options)
    if world is WORLD and "record" not in options:
        _reports[key] = report
    return report


async def judge_both(*deviations: str, location: int | str | None = MALL) -> tuple[Report, Report]:
    """
    Verify the sandbox deeply, once; return the report that a usual run had given, and the deep one.

    A deep run asks all that a usual one asks, in the same order, before anything else.
    """
    transport = sandbox.transport(WORLD, deviations=deviations)
    async with AsyncIndivd("sandbox", transport=transport, base_url="https://sandbox.test") as client:
        asker = Asker(client, most=MOST_REQUESTS)
        seen = await measure(asker, location=location, days=DAYS, deep=True, now=NOW)
    return make_report(seen.until("categories"), deep=False), make_report(seen, deep=True)


def names(report: Report, verdict: Any = "fails") -> list[str]:
    """Name the assumptions of one verdict."""
    return [finding.name for finding in report.of(verdict)]
