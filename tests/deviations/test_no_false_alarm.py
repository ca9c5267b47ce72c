"""A service that answers as documented is believed: no error, and no note but those on what was asked."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import anyio
from questions import questions

from indivd_async import AsyncIndivd, sandbox

#: All of them with HYPOTHESIS_PROFILE=thorough, else those of a few seconds.
COUNT = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 300
#: What notes may say of sound answers: of the question, of the plan, and of how the place is set up. Not that an
#: answer contradicts its question or itself.
SOUND = frozenset(
    {
        "asked_unsplit",
        "drop_in_over_100",
        "location_unknown",
        "numbering_unknown",
        "unlicensed_metrics",
        "unscoped_drop_in",
        "unscoped_lines",
    }
)


async def _alarms(count: int) -> tuple[int, list[str]]:
    world = sandbox.World(scale=0.1, now=datetime(2026, 6, 1, tzinfo=UTC))
    alarms = []
    requests = 0
    async with AsyncIndivd("sandbox-mixed", transport=sandbox.transport(world)) as client:
        for number, query in enumerate(questions(19, count)):
            result = await client.fetch(query)
            requests += len(result.plan)
            alarms += [
                f"{number}: {note.kind}: {note.message}\n   {query}" for note in result.notes if note.kind not in SOUND
            ]
    return requests, alarms


def test_a_sound_service_raises_no_alarm() -> None:
    """Every grouping, clock, filter, threshold, comparison and split, Basic and Pro; errors would be raised."""
    requests, alarms = anyio.run(_alarms, COUNT)
    assert not alarms, "\n".join(alarms[:20])
    assert requests > 2 * COUNT
