"""Runs of `verify` against the sandbox: a place that opens every day, far from UTC, and a period over a New Year."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from indivd_async import AsyncIndivd, sandbox
from indivd_async.verify import Report, verify

#: Twenty days after a New Year: weeks can be fitted, and 45 days reach back into the old year.
NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
WORLD = sandbox.World(now=NOW)
MALL = 127
DAYS = 45


async def judge(
    *deviations: str,
    world: sandbox.World = WORLD,
    token: str = "sandbox",
    location: int | str | None = MALL,
    **options: Any,
) -> Report:
    """Verify the sandbox with these deviations."""
    transport = sandbox.transport(world, deviations=deviations)
    async with AsyncIndivd(token, transport=transport, base_url="https://sandbox.test") as client:
        return await verify(client, location=location, now=options.pop("now", world.now), **{"days": DAYS} | options)


def names(report: Report, verdict: Any = "fails") -> list[str]:
    """Name the assumptions of one verdict."""
    return [finding.name for finding in report.of(verdict)]
