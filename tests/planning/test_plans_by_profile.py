"""What a profile of the service changes in a plan: limits, groupings spelled out, weeks of a known numbering."""

from __future__ import annotations

import json
from typing import Any

import pytest

from indivd_async import DropInRate, InvalidQueryError, LineCrosses, NotMergeableError, Plan, ZoneVisitors
from indivd_async.planning.plan import each_query
from indivd_async.profile import MostDays, Numbering, Profile

YEAR = ("2025-01-01", "2025-12-31")
CLOCKS = ((124, "Europe/Stockholm"),)


def days(endpoint: str, unit: str, most: int, **more: Any) -> Profile:
    return Profile(most_days=(MostDays(endpoint=endpoint, unit=unit, days=most),), **more)


def lengths(query: Any, profile: Profile) -> list[int]:
    return [request.window.days for request in Plan(query, locations=CLOCKS, profile=profile)]


def test_a_profile_is_one() -> None:
    """Not a path, a mapping, or what else may hold one."""
    with pytest.raises(InvalidQueryError, match="must be a Profile"):
        Plan(ZoneVisitors(*YEAR, location=124), locations=CLOCKS, profile="sandbox.json")  # type: ignore[arg-type]


def test_a_plan_with_a_profile_comes_back_from_json() -> None:
    """With all that the profile says."""
    plan = Plan(ZoneVisitors(*YEAR, location=124), locations=CLOCKS, profile=days("zone_visitors", "total", 400))
    assert json.loads(plan.to_json())["profile"]["most_days"] == [
        {"endpoint": "zone_visitors", "unit": "total", "days": 400, "rows": None}
    ]
    assert Plan.from_json(plan.to_json()) == plan


def test_days_are_cut_at_the_limit_of_the_service() -> None:
    """Each piece is as long as may be, or shorter; together they are the period."""
    found = lengths(ZoneVisitors(*YEAR, location=124, aggregate_by="dayofmonth"), days("zone_visitors", "day", 100))
    assert max(found) <= 100
    assert sum(found) == 365


@pytest.mark.parametrize(
    ("numbering", "first"), [("sunday-0", 4), ("monday-0", 5), ("from-1-january", 7)], ids=lambda value: str(value)
)
def test_weeks_are_cut_where_a_week_ends(numbering: str, first: int) -> None:
    """Where it is known how they are numbered: 1 January 2025 is a Wednesday."""
    query = ZoneVisitors(*YEAR, location=124, aggregate_by="week")
    found = lengths(query, days("zone_visitors", "week", 7, numbering=Numbering(weeks=numbering)))
    assert found[0] == first
    assert set(found[1:-1]) == {7}
    assert sum(found) == 365


def test_counts_that_share_a_label_are_cut_anywhere() -> None:
    """Weeks of line_crosses, whatever their numbers: what two pieces say of one week is added."""
    query = LineCrosses(*YEAR, location=124, zone_to=7, aggregate_by="week")
    assert lengths(query, days("line_crosses", "week", 100)) == [100, 100, 100, 65]


def test_what_no_pieces_can_be_put_together_for_is_refused() -> None:
    """Visitors of a week that no one knows the ends of."""
    query = ZoneVisitors(*YEAR, location=124, aggregate_by="week")
    with pytest.raises(NotMergeableError, match="this service answers 100 days of zone_visitors by week at most"):
        list(Plan(query, locations=CLOCKS, profile=days("zone_visitors", "week", 100)))


@pytest.mark.parametrize(
    ("grouping", "profile", "asked"),
    [
        ("hour", Profile(hours_carry_dates=False), "year,month,dayofmonth,hour"),
        ("dayofmonth", Profile(hours_carry_dates=False), "dayofmonth"),
        ("dayofmonth", Profile(labels_carry_parents=False), "year,month,dayofmonth"),
        ("hour", Profile(labels_carry_parents=False), "year,month,dayofmonth,hour"),
        ("hour,loc_id", Profile(hours_carry_dates=False), "year,month,dayofmonth,hour,loc_id"),
        ("loc_id,month", Profile(labels_carry_parents=False), "loc_id,year,month"),
        ("dayofweek,hour", Profile(labels_carry_parents=False), "dayofweek,hour"),
        ("hour", Profile(hours_carry_dates=True, labels_carry_parents=True), "hour"),
    ],
)
def test_labels_that_tell_no_others_are_asked_for_with_them(grouping: str, profile: Profile, asked: str) -> None:
    """By hour alone such a service tells neither day nor month; by all of them it does."""
    query = ZoneVisitors("2025-03-01", "2025-03-02", location=124, aggregate_by=grouping)
    plan = Plan(query, locations=CLOCKS, profile=profile)
    assert {dict(request.params)["aggregate_by"] for request in plan} == {asked}


def test_each_location_by_itself_on_a_clock_that_needs_no_list() -> None:
    """Where drop_in_rate runs on one clock, nobody has to know those of the locations."""
    query = DropInRate("2025-03-01", "2025-03-02", location=[124, 125], per="location", interval="day", tz="UTC")
    assert [(request.locations, request.tz) for request in Plan(query)] == [((124,), "UTC"), ((125,), "UTC")]


def test_a_plan_is_of_a_query() -> None:
    """Anything else is named, alone or in a list."""
    with pytest.raises(InvalidQueryError, match="must be a LineCrosses, ZoneVisitors or DropInRate"):
        Plan("zone_visitors")  # type: ignore[arg-type]
    query = LineCrosses(*YEAR, location=124, zone_to=7)
    assert list(each_query(query)) == list(each_query([query])) == [query]
    with pytest.raises(InvalidQueryError, match="must be a query or a plan"):
        list(each_query([query, 5]))
