"""A query becomes the requests that answer it: as few as the limits allow, each with its reason."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from indivd_async import (
    DropInRate,
    InvalidQueryError,
    LineCrosses,
    Location,
    NotMergeableError,
    PlannedRequest,
    ZoneVisitors,
)
from indivd_async.planning import make_plan, needs_locations
from indivd_async.planning.request import MAX_URL_BYTES
from indivd_async.planning.windows import bucket_unit
from indivd_async.queries import Query

STOCKHOLM, NEW_YORK = "Europe/Stockholm", "America/New_York"
LOCATIONS = {
    id: Location(id=id, timezone=tz)
    for id, tz in [(124, STOCKHOLM), (301, NEW_YORK), (125, STOCKHOLM), (126, "Europe/Berlin")]
}
ORIGIN = "https://api.indivd.com"


def plan(query: Query, cutoff: str | None = None) -> tuple[PlannedRequest, ...]:
    return make_plan(query, LOCATIONS, cutoff=None if cutoff is None else date.fromisoformat(cutoff)).requests


def windows(query: Query, cutoff: str | None = None) -> list[str]:
    return [str(request.window) for request in plan(query, cutoff)]


def sizes(query: Query) -> list[int]:
    return [request.window.days for request in plan(query) if request.window is not None]


# What a grouping fixes.


@pytest.mark.parametrize(
    ("grouping", "unit"),
    [
        ("minute", "minute"),
        ("hour", "hour"),
        ("dayofmonth", "day"),
        ("day", "day"),
        ("month", "month"),
        ("year", "year"),
        ("week", None),
        ("dayofweek", None),
        ("zone", None),
        ("loc_id", None),
        ("hour,loc_id", "hour"),
        ("loc_id,dayofmonth", "day"),
        ("year,month,dayofmonth", "day"),
        ("dayofmonth,month,year", "day"),
        ("year,month,dayofmonth,hour", "hour"),
        ("year,month,dayofmonth,hour,minute,loc_id", "minute"),
        ("year,month,dayofmonth,minute", "minute"),
        ("year,month", "month"),
        ("month,dayofmonth", None),
        ("dayofmonth,hour", None),
        ("hour,minute", None),
        ("year,hour", None),
        ("year,week", None),
        ("year,month,dayofmonth,dayofweek", None),
    ],
)
def test_a_grouping_fixes_a_unit_of_time_or_none(grouping: str, unit: str | None) -> None:
    """Labels that repeat from window to window fix none; several labels mean just what they say."""
    assert bucket_unit(grouping) == unit


# Windows.


@pytest.mark.parametrize(
    ("grouping", "days", "expected"),
    [
        ("minute", 3, [3]),
        ("minute", 4, [3, 1]),
        ("minute", 9, [3, 3, 3]),
        ("hour", 7, [7]),
        ("hour", 8, [7, 1]),
        ("dayofmonth", 62, [62]),
        ("dayofmonth", 63, [62, 1]),
        ("month", 63, [63]),
        ("week", 90, [90]),
        ("dayofweek", 365, [365]),
        ("year", 365, [365]),
    ],
)
@pytest.mark.parametrize("split", ["auto", None], ids=["auto", "only limits"])
def test_line_crosses_is_cut_where_the_api_says(grouping: str, days: int, expected: list[int], split: Any) -> None:
    """Three days of minutes, seven of hours; beyond that only long periods of days, and only with auto."""
    end = date.fromordinal(date(2025, 1, 1).toordinal() + days - 1)
    query = LineCrosses("2025-01-01", end, aggregate_by=grouping, location=124, split=split)
    assert sizes(query) == ([days] if split is None and grouping == "dayofmonth" else expected)
    requests = plan(query)
    assert {request.params["aggregate_by"] for request in requests} == {grouping}


def test_weeks_of_line_crosses_are_cut_at_new_year() -> None:
    """The API takes weeks within one calendar year; nothing else cuts them."""
    query = LineCrosses("2023-12-30", "2025-01-02", aggregate_by="week", location=124, split=7)
    assert windows(query) == ["2023-12-30 to 2023-12-31", "2024-01-01 to 2024-12-31", "2025-01-01 to 2025-01-02"]


@pytest.mark.parametrize("kind", [ZoneVisitors, DropInRate])
@pytest.mark.parametrize(
    ("grouping", "days", "expected"),
    [
        ("hour", 31, [31]),
        ("hour", 32, [31, 1]),
        ("day", 62, [62]),
        ("day", 63, [62, 1]),
        ("day", 130, [62, 62, 6]),
        ("week", 1_000, [1_000]),
        ("month", 1_000, [1_000]),
        ("year", 1_000, [1_000]),
    ],
)
def test_long_periods_of_hours_and_days_are_cut_for_parallelism(
    kind: Any, grouping: str, days: int, expected: list[int]
) -> None:
    """Over 31 days of hours and 62 of days; months, years and weeks are not cut."""
    end = date.fromordinal(date(2022, 1, 1).toordinal() + days - 1)
    name = "interval" if kind is DropInRate else "aggregate_by"
    grouping = grouping if kind is DropInRate else grouping.replace("day", "dayofmonth")
    assert sizes(kind("2022-01-01", end, location=124, **{name: grouping})) == expected
    assert sizes(kind("2022-01-01", end, location=124, split=None, **{name: grouping})) == [days]


@pytest.mark.parametrize(
    ("grouping", "split", "expected"),
    [
        ("minute", 40, ["2025-01-15 to 2025-02-23", "2025-02-24 to 2025-03-31"]),
        ("dayofmonth", 40, ["2025-01-15 to 2025-02-23", "2025-02-24 to 2025-03-31"]),
        ("dayofmonth", 76, ["2025-01-15 to 2025-03-31"]),
        ("month", 1, ["2025-01-15 to 2025-01-31", "2025-02-01 to 2025-02-28", "2025-03-01 to 2025-03-31"]),
        ("month", 30, ["2025-01-15 to 2025-01-31", "2025-02-01 to 2025-02-28", "2025-03-01 to 2025-03-31"]),
        ("month", 45, ["2025-01-15 to 2025-02-28", "2025-03-01 to 2025-03-31"]),
        ("year,month", 45, ["2025-01-15 to 2025-02-28", "2025-03-01 to 2025-03-31"]),
        ("year", 7, ["2025-01-15 to 2025-03-31"]),
        ("week", 7, ["2025-01-15 to 2025-03-31"]),
        ("dayofmonth,hour", 7, ["2025-01-15 to 2025-03-31"]),
        ("zone", 7, ["2025-01-15 to 2025-03-31"]),
        ("loc_id", 7, ["2025-01-15 to 2025-03-31"]),
        (None, 7, ["2025-01-15 to 2025-03-31"]),  # by week
    ],
)
def test_a_number_of_days_is_rounded_up_to_whole_buckets(grouping: str | None, split: int, expected: list[str]) -> None:
    """A bucket is never cut, so a window is as long as one at least; what cannot be cut is not, and no error."""
    query = ZoneVisitors("2025-01-15", "2025-03-31", aggregate_by=grouping, location=124, split=split)
    assert windows(query) == expected


def test_a_number_of_days_does_not_lift_a_limit() -> None:
    """Hours of line_crosses stay at seven days, and may be cut finer."""
    assert sizes(LineCrosses("2025-01-01", "2025-01-15", aggregate_by="hour", location=1, split=30)) == [7, 7, 1]
    assert sizes(LineCrosses("2025-01-01", "2025-01-15", aggregate_by="hour", location=1, split=5)) == [5, 5, 5]


# Default groupings.


@pytest.mark.parametrize(
    ("kind", "days", "split", "sent"),
    [
        (LineCrosses, 1, 1, None),
        (LineCrosses, 2, 1, "dayofmonth"),
        (LineCrosses, 31, 10, "dayofmonth"),
        (LineCrosses, 32, 10, "month"),
        (LineCrosses, 1_000, "auto", None),
        (ZoneVisitors, 1, 1, None),
        (ZoneVisitors, 31, 1, "dayofmonth"),
        (ZoneVisitors, 31, "auto", None),
        (ZoneVisitors, 32, 1, None),  # weeks are not cut
        (ZoneVisitors, 364, 1, None),
        (ZoneVisitors, 365, 1, "month"),
        (DropInRate, 31, 1, "day"),
        (DropInRate, 32, 1, None),
        (DropInRate, 365, 31, "month"),
    ],
)
def test_a_default_grouping_is_sent_only_where_the_period_is_cut(
    kind: Any, days: int, split: Any, sent: str | None
) -> None:
    """Then it is that of the whole period; a period in one piece leaves it to the API."""
    end = date.fromordinal(date(2024, 1, 1).toordinal() + days - 1)
    requests = plan(kind("2024-01-01", end, location=124, split=split))
    name = "interval" if kind is DropInRate else "aggregate_by"
    assert (len(requests) > 1) == (sent is not None)
    assert {request.params.get(name) for request in requests} == {sent}


# Comparisons.

OTHER = {"comparison_start_date": "2024-03-01", "comparison_end_date": "2024-03-07"}


def asked(query: Query) -> list[tuple[str, dict[str, str]]]:
    return [(request.period, dict(request.params)) for request in plan(query)]


def test_a_comparison_by_the_same_grouping_is_one_request() -> None:
    """Dates of both, and the default left to the API."""
    query = ZoneVisitors("2025-03-01", "2025-03-07", location=124, **OTHER)
    dates = {"start_date": "2025-03-01", "end_date": "2025-03-07", **OTHER}
    assert asked(query) == [("both", {**dates, "location": "124", "tz": STOCKHOLM})]
    named = ZoneVisitors(
        "2025-03-01", "2025-03-07", aggregate_by="hour", comparison_aggregate_by="hour", location=124, **OTHER
    )
    assert asked(named) == [("both", {**dates, "aggregate_by": "hour", "location": "124", "tz": STOCKHOLM})]


def test_a_comparison_by_another_grouping_is_a_request_of_its_own() -> None:
    """It is told its grouping; that of the current period, asked for in one piece, is left to the API."""
    query = DropInRate("2025-03-01", "2025-03-07", location=124, comparison_interval="hour", **OTHER)
    assert asked(query) == [
        ("current", {"start_date": "2025-03-01", "end_date": "2025-03-07", "location": "124"}),
        ("comparison", {"start_date": "2024-03-01", "end_date": "2024-03-07", "interval": "hour", "location": "124"}),
    ]


def test_a_comparison_takes_the_grouping_of_the_current_period_where_either_is_cut() -> None:
    """Forty days are not asked by week where the other twenty are asked by day: two periods, cut apart."""
    query = ZoneVisitors(
        "2025-03-01",
        "2025-03-20",
        location=124,
        split=14,
        comparison_start_date="2024-01-01",
        comparison_end_date="2024-02-09",
    )
    found = [(request.period, str(request.window), request.params["aggregate_by"]) for request in plan(query)]
    assert found == [
        ("current", "2025-03-01 to 2025-03-14", "dayofmonth"),
        ("current", "2025-03-15 to 2025-03-20", "dayofmonth"),
        ("comparison", "2024-01-01 to 2024-01-14", "dayofmonth"),
        ("comparison", "2024-01-15 to 2024-01-28", "dayofmonth"),
        ("comparison", "2024-01-29 to 2024-02-09", "dayofmonth"),
    ]
    assert all("comparison_start_date" not in request.params for request in plan(query))


# Cut-offs.


@pytest.mark.parametrize(
    ("grouping", "cutoff", "expected"),
    [
        ("dayofmonth", "2025-02-10", ["2025-01-15 to 2025-02-10", "2025-02-11 to 2025-03-10"]),
        ("dayofmonth", "2025-01-15", ["2025-01-15", "2025-01-16 to 2025-03-10"]),
        ("dayofmonth", "2025-01-14", ["2025-01-15 to 2025-03-10"]),
        ("dayofmonth", "2025-03-10", ["2025-01-15 to 2025-03-10"]),
        ("month", "2025-02-10", ["2025-01-15 to 2025-01-31", "2025-02-01 to 2025-03-10"]),
        ("month", "2025-01-20", ["2025-01-15 to 2025-03-10"]),
        ("year", "2025-02-10", ["2025-01-15 to 2025-03-10"]),
        ("week", "2025-02-10", ["2025-01-15 to 2025-03-10"]),
    ],
)
def test_windows_begin_anew_after_a_cutoff(grouping: str, cutoff: str, expected: list[str]) -> None:
    """With the last whole bucket before it; where the grouping does not allow that, not at all."""
    query = ZoneVisitors("2025-01-15", "2025-03-10", aggregate_by=grouping, location=124, split=None)
    assert windows(query, cutoff) == expected


def test_a_cutoff_keeps_to_the_limits() -> None:
    """Seven days of hours, counted anew behind it."""
    query = LineCrosses("2025-01-01", "2025-01-20", aggregate_by="hour", location=124)
    assert windows(query, "2025-01-09") == [
        "2025-01-01 to 2025-01-07",
        "2025-01-08 to 2025-01-09",
        "2025-01-10 to 2025-01-16",
        "2025-01-17 to 2025-01-20",
    ]


# Time zones.

DAYS = ("2025-03-01", "2025-03-07")


def test_locations_are_asked_by_time_zone() -> None:
    """One group a name, in order of first appearance; tz is always sent, and known to drop_in_rate's requests too."""
    groups = [("124,125", STOCKHOLM), ("301", NEW_YORK), ("126", "Europe/Berlin")]
    visits = plan(ZoneVisitors(*DAYS))
    assert [(request.params["location"], request.params["tz"]) for request in visits] == groups
    assert [request.reason for request in visits] == [f"time zone {tz}" for _, tz in groups]
    rates = plan(DropInRate(*DAYS, location=[124, 301, 125, 126]))
    assert [(request.params["location"], request.tz) for request in rates] == groups
    assert all("tz" not in request.params for request in rates)


@pytest.mark.parametrize(
    ("query", "params"),
    [
        (ZoneVisitors(*DAYS, location=301), {"location": "301", "tz": NEW_YORK}),
        (ZoneVisitors(*DAYS, location=[125, 124]), {"location": "125,124", "tz": STOCKHOLM}),
        (ZoneVisitors(*DAYS, tz="UTC"), {"tz": "UTC"}),
        (ZoneVisitors(*DAYS, tz="UTC", location=[301, 124]), {"location": "301,124", "tz": "UTC"}),
        (ZoneVisitors(*DAYS, tz="UTC", location=[999]), {"location": "999", "tz": "UTC"}),
        (DropInRate(*DAYS, tz="UTC", zone=[7, 5]), {"zone": "7,5", "tz": "UTC"}),
        (DropInRate(*DAYS, location=999), {"location": "999"}),
        (
            ZoneVisitors(*DAYS, tz="UTC", bounce_threshold=0, min_dwell=1, max_dwell=2, zones=3),
            {"zones": "3", "bounce_threshold": "0", "min_dwell": "1", "max_dwell": "2", "tz": "UTC"},
        ),
    ],
    ids=lambda part: "" if isinstance(part, dict) else repr(part)[:60],
)
def test_one_clock_is_one_request(query: Query, params: dict[str, str]) -> None:
    """What was given is sent as it was given."""
    (request,) = plan(query)
    assert request.params == {"start_date": DAYS[0], "end_date": DAYS[1], **params}


def test_one_time_zone_among_all_locations_needs_no_list() -> None:
    """A location that comes to be meanwhile is counted too."""
    one = {id: location for id, location in LOCATIONS.items() if location.timezone == STOCKHOLM}
    (request,) = make_plan(ZoneVisitors(*DAYS), one).requests
    assert "location" not in request.params
    assert request.locations is None
    assert request.tz == STOCKHOLM


@pytest.mark.parametrize(
    ("query", "needed"),
    [
        (ZoneVisitors(*DAYS), True),
        (ZoneVisitors(*DAYS, location=124), True),
        (ZoneVisitors(*DAYS, tz="UTC"), False),
        (DropInRate(*DAYS), True),
        (DropInRate(*DAYS, location=[124, 125]), True),
        (DropInRate(*DAYS, location=124), False),
        (DropInRate(*DAYS, tz="UTC"), False),
        (LineCrosses(*DAYS), False),
        (LineCrosses(*DAYS, location=[124, 125]), False),
        (LineCrosses(*DAYS, per="location"), True),
        (LineCrosses(*DAYS, per="location", location=124), False),
    ],
    ids=repr,
)
def test_locations_are_looked_up_only_where_they_matter(query: Query, needed: bool) -> None:
    """For time zones, and to list them; without them such a query is not planned."""
    assert needs_locations(query) is needed
    if needed:
        with pytest.raises(InvalidQueryError, match="locations: their time zones must be known"):
            make_plan(query, None)
    else:
        assert len(make_plan(query, None)) >= 1


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        (ZoneVisitors(*DAYS, location=[124, 999]), None, r"location: is not among.*got 999.*tz="),
        (DropInRate(*DAYS, location=[999, 124]), None, r"location: is not among.*got 999.*tz="),
        (ZoneVisitors(*DAYS), None, r"location 127 has no time zone.*got None.*tz="),
        (ZoneVisitors(*DAYS), "", r"location 127 has no time zone.*got ''.*tz="),
        (ZoneVisitors(*DAYS), "CEST", r"location 127 has no time zone.*got 'CEST'.*tz="),
    ],
)
def test_a_clock_that_is_not_known_is_refused(query: Query, name: str | None, message: str) -> None:
    """The error names the location and says to pass tz."""
    with pytest.raises(InvalidQueryError, match=message):
        make_plan(query, {**LOCATIONS, 127: Location(id=127, timezone=name)})


def test_a_location_without_a_clock_matters_only_where_it_is_asked_for() -> None:
    """Other queries are planned all the same."""
    listed = {**LOCATIONS, 127: Location(id=127)}
    assert len(make_plan(ZoneVisitors(*DAYS, location=124), listed)) == 1
    assert len(make_plan(LineCrosses(*DAYS, per="location"), listed)) == 5


# Fan-out.


def carried(query: LineCrosses) -> list[tuple[dict[str, int], dict[str, str]]]:
    dates = {"start_date", "end_date"}
    return [
        (dict(request.carried), {name: text for name, text in request.params.items() if name not in dates})
        for request in plan(query)
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [({}, {})]),
        ({"location": 124}, [({"location": 124}, {"location": "124"})]),
        ({"organization": 1}, [({"organization": 1}, {"organization": "1"})]),
        (
            {"location": [125, 124]},
            [({"location": 125}, {"location": "125"}), ({"location": 124}, {"location": "124"})],
        ),
        (
            {"location": [124], "organization": [1, 2], "floor": [-1, 0]},
            [
                ({"location": 124, "organization": 1}, {"location": "124", "organization": "1", "floor": "-1,0"}),
                ({"location": 124, "organization": 2}, {"location": "124", "organization": "2", "floor": "-1,0"}),
            ],
        ),
        (
            {"per": "floor", "floor": [-1, 0], "category": 3},
            [({"floor": -1}, {"floor": "-1", "category": "3"}), ({"floor": 0}, {"floor": "0", "category": "3"})],
        ),
        (
            {"per": "line", "line_ids": [7, 8]},
            [({"line": 7}, {"line_ids": "7"}), ({"line": 8}, {"line_ids": "8"})],
        ),
        (
            {"per": "zone_to", "zone_to": [1, 2], "zone_from": [3, 4], "location": 124},
            [
                ({"location": 124, "zone_to": 1}, {"location": "124", "zone_to": "1", "zone_from": "3,4"}),
                ({"location": 124, "zone_to": 2}, {"location": "124", "zone_to": "2", "zone_from": "3,4"}),
            ],
        ),
        (
            {"zone_to": 1, "zone_from": [3, 4], "category": [5]},
            [({}, {"zone_to": "1", "zone_from": "3,4", "category": "5"})],
        ),
        (
            {"per": "location"},
            [({"location": id}, {"location": str(id)}) for id in (124, 301, 125, 126)],
        ),
        (
            {"per": "category", "category": 9},
            [({"category": 9}, {"category": "9"})],
        ),
    ],
    ids=repr,
)
def test_what_the_api_does_not_take_together_is_asked_one_by_one(
    options: dict[str, Any], expected: list[tuple[dict[str, int], dict[str, str]]]
) -> None:
    """Rows carry the value they belong to, a single location or organisation too; the rest stays a list."""
    assert carried(LineCrosses(*DAYS, **options)) == expected


def test_a_fan_out_over_windows_goes_window_by_window() -> None:
    """Days first, then values; the reason says both."""
    query = LineCrosses("2025-01-01", "2025-01-08", aggregate_by="hour", location=[124, 125])
    assert [request.reason for request in plan(query)] == [
        "days 2025-01-01 to 2025-01-07; location 124",
        "days 2025-01-01 to 2025-01-07; location 125",
        "days 2025-01-08; location 124",
        "days 2025-01-08; location 125",
    ]


# Long lists.

MANY = range(10**6, 10**6 + 2_000)  # 8 bytes each with the comma


def lists(query: Query, name: str) -> list[list[int]]:
    for request in plan(query):
        assert len(ORIGIN) + len(request.target) <= MAX_URL_BYTES
    return [[int(id) for id in request.params[name].split(",")] for request in plan(query)]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (LineCrosses(*DAYS, line_ids=MANY), "line_ids"),
        (LineCrosses(*DAYS, line_ids=MANY, category=range(300), floor=[-1, 0]), "line_ids"),
        (ZoneVisitors(*DAYS, tz="UTC", zones=MANY), "zones"),
        (ZoneVisitors(*DAYS, tz="America/Argentina/ComodRivadavia", zones=MANY, location=124, **OTHER), "zones"),
        (ZoneVisitors(*DAYS, tz="UTC", location=MANY), "location"),
        (DropInRate(*DAYS, tz="UTC", zone=MANY), "zone"),
        (DropInRate(*DAYS, tz="UTC", location=MANY), "location"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_a_list_too_long_for_a_url_is_asked_in_parts(query: Query, name: str) -> None:
    """Each id once, in order, in as few requests as fit."""
    parts = lists(query, name)
    assert [id for part in parts for id in part] == list(MANY)
    assert 3 <= len(parts) <= 4
    assert "part 1 of" in plan(query)[0].reason
    assert f"{name} 1000000 … " in plan(query)[0].reason


def test_two_long_lists_are_asked_in_every_combination() -> None:
    """A short one stays whole as long as it takes less than half; the parts of both cover all pairs."""
    short = ZoneVisitors(*DAYS, tz="UTC", zones=MANY, location=range(100, 200))
    assert {tuple(part) for part in lists(short, "location")} == {tuple(range(100, 200))}
    both = ZoneVisitors(*DAYS, tz="UTC", zones=MANY, location=range(2 * 10**6, 2 * 10**6 + 2_000))
    pairs = list(zip(lists(both, "zones"), lists(both, "location"), strict=True))
    assert sum(len(zones) * len(locations) for zones, locations in pairs) == 2_000 * 2_000


def test_a_list_that_just_fits_is_one_request() -> None:
    """The limit is that of the whole URL, not of a number of ids."""
    fits = LineCrosses(*DAYS, line_ids=range(10**6, 10**6 + 700))
    (request,) = plan(fits)
    assert 5_600 < len(request.target) <= MAX_URL_BYTES
    assert len(plan(LineCrosses(*DAYS, line_ids=range(10**6, 10**6 + 740)))) == 2


@pytest.mark.parametrize("name", ["floor", "zone_to", "zone_from", "category"])
def test_another_list_that_long_is_refused(name: str) -> None:
    """A line may belong to two of its values, so counts of parts do not add up."""
    with pytest.raises(NotMergeableError, match=rf"{name} has 2,000 values.*fewer values of {name}") as caught:
        len(make_plan(LineCrosses(*DAYS, line_ids=[1, 2], **{name: MANY}), None))
    assert caught.value.metric == "count"
    with pytest.raises(NotMergeableError, match=f"{name} has 2,000 values"):
        len(make_plan(LineCrosses(*DAYS, **{name: MANY}), None))


def test_a_long_list_that_is_fanned_out_is_not_too_long() -> None:
    """Each value is a request of its own."""
    query = LineCrosses(*DAYS, per="category", category=MANY)
    assert len(make_plan(query, None)) == 2_000


def test_no_locations_is_nothing_to_ask() -> None:
    """Where the token's list is empty there is no request."""
    for query in (ZoneVisitors(*DAYS), DropInRate(*DAYS), LineCrosses(*DAYS, per="location")):
        assert make_plan(query, {}).requests == ()
