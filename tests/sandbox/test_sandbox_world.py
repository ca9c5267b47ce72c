"""What the sandbox's world answers where the API's limits, its scope and the calendar end."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from indivd_async.sandbox import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORLD = World(scale=0.2, now=NOW)


def aggregations(*args: Any, world: World = WORLD, **options: Any) -> list[dict[str, Any]]:
    rows = world.zone_visitors(*args, **options)["current"]["insights"]
    return [row["aggregation"] | {"visits": row["visits"]} for row in rows]


def test_an_id_asked_for_twice_counts_once() -> None:
    """Values of one parameter are united."""
    day = date(2025, 3, 3)
    assert WORLD.zone_visitors(day, day, location=(124, 124)) == WORLD.zone_visitors(day, day, location=124)
    assert WORLD.line_crosses(day, day, location=(124, 124)) == WORLD.line_crosses(day, day, location=124)
    assert WORLD.drop_in_rate(day, day, location=(124, 124)) == WORLD.drop_in_rate(day, day, location=124)


def test_the_day_has_two_names_in_drop_in_rate() -> None:
    """`day` in the details, `dayofmonth` in those of a zone, as in the article's sample."""
    answer = WORLD.drop_in_rate(date(2025, 5, 15), date(2025, 5, 20), location=124)
    assert answer["details"]["interval"] == "day"
    assert {"year", "month", "day"} < set(answer["details"]["current"][0])
    block = answer["zone_details"]["current"]["201"]
    assert {"year", "month", "dayofmonth"} < set(block["details"][0])
    assert (block["loc_name"], block["location_custom_id"]) == ("Drottninggatan", "")


def test_without_parents_a_grouping_is_its_field_alone() -> None:
    """With `parents=False` days of different months share a row; a default grouping keeps the fields of the sample."""
    bare = World(scale=0.2, now=NOW, parents=False)
    period = date(2025, 2, 27), date(2025, 3, 28)
    rows = aggregations(*period, world=bare, location=124, zones=201, aggregate_by="dayofmonth")
    assert "month" not in rows[0]
    full = aggregations(*period, location=124, zones=201, aggregate_by="dayofmonth")
    apart = Counter(row["dayofmonth"] for row in full)
    assert apart[27] == apart[28] == 2  # in February and in March
    for row in rows:
        assert row["visits"] == sum(other["visits"] for other in full if other["dayofmonth"] == row["dayofmonth"])
    assert aggregations(*period, world=bare, location=124, zones=201) == full
    assert bare.line_crosses(*period, location=124) == WORLD.line_crosses(*period, location=124)


def test_limits_do_not_hold_for_the_world() -> None:
    """Days asked for one by one are those asked for at once, far beyond the limits of line_crosses."""
    start = date(2025, 2, 20)
    at_once = WORLD.line_crosses(start, start + timedelta(days=39), location=(124, 125), aggregate_by="minute")
    days = [start + timedelta(days=number) for number in range(40)]
    alone = [WORLD.line_crosses(day, day, location=(124, 125), aggregate_by="minute") for day in days]
    assert [row for rows in alone for row in rows] == at_once


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(date.min, date(2014, 12, 30), id="before everything"),
        pytest.param(date(2026, 1, 3), date.max, id="after everything"),
        pytest.param(date.max, date.max, id="the last day there is"),
        pytest.param(date.min, date.min, id="the first day there is"),
    ],
)
def test_the_calendar_ends_without_events(start: date, end: date) -> None:
    """Whatever the clock, nothing overflows."""
    for tz in ("Pacific/Kiritimati", "Pacific/Pago_Pago", None):
        assert WORLD.zone_visitors(start, end, tz=tz)["current"]["insights"] == []
        assert WORLD.drop_in_rate(start, end, tz=tz)["details"]["current"] == []
    assert WORLD.line_crosses(start, end) == []


def test_every_event_lies_between_the_ends_of_the_calendar() -> None:
    """The widest range there is holds what narrower ones do, whatever the grouping."""
    asked: dict[str, Any] = {"location": 124, "zones": 203}
    (widest,) = WORLD.zone_visitors(date.min, date.max, aggregate_by="zone", **asked)["current"]["insights"]
    years = WORLD.zone_visitors(date(2015, 1, 1), date(2025, 12, 31), aggregate_by="year", **asked)["current"][
        "insights"
    ]
    assert [row["aggregation"]["year"] for row in years] == list(range(2015, 2026))
    assert widest["visits"] == sum(row["visits"] for row in years)
