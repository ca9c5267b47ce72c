"""A plan is a value: it hashes, pickles, goes through JSON, parts into shards, and says what it will do."""

from __future__ import annotations

import json
import pickle
import re
import tracemalloc
from datetime import date, datetime
from itertools import islice
from typing import Any

import pytest
from asking_queries import line_queries, rate_queries, visit_queries
from hypothesis import given, strategies as st
from oracle import LOCATIONS, examples

from indivd_async import DropInRate, InvalidQueryError, LineCrosses, Plan, PlannedRequest, ZoneVisitors
from indivd_async.models import FrozenMap
from indivd_async.planning import make_plan
from indivd_async.queries import Query

YEAR = ("2025-01-01", "2025-12-31")
DAYS = ("2025-03-01", "2025-03-07")
MARCH = ("2025-03-01", "2025-03-31")
TWO_CLOCKS = ((124, "Europe/Stockholm"), (125, "Europe/Stockholm"), (127, "America/New_York"))
HOURS = Plan(ZoneVisitors(*YEAR, aggregate_by="hour"), locations=TWO_CLOCKS)
OTHER = {"comparison_start_date": "2024-03-01", "comparison_end_date": "2024-03-07"}

ANY = st.one_of(line_queries(), visit_queries(), rate_queries())
CUTOFFS = st.none() | st.dates(date(2023, 1, 1), date(2025, 12, 31))


@examples(60)
@given(query=ANY, cutoff=CUTOFFS, n=st.integers(1, 9))
def test_a_plan_is_a_value(query: Query, cutoff: date | None, n: int) -> None:
    """What comes back from pickle or JSON is equal, hashes alike and builds the same requests; shards too."""
    plan = make_plan(query, LOCATIONS, cutoff=cutoff)
    before = hash(plan)
    for one in (plan, *plan.shards(n)):
        text = one.to_json()
        for again in (pickle.loads(pickle.dumps(one)), Plan.from_json(text)):
            assert again == one
            assert hash(again) == hash(one)
            assert again.requests == one.requests
            assert again.to_json() == text
    assert hash(plan) == before
    assert hash(plan.requests) == hash(pickle.loads(pickle.dumps(plan.requests)))


@examples(60)
@given(query=ANY, cutoff=CUTOFFS, n=st.integers(1, 40), m=st.integers(1, 5))
def test_shards_are_the_whole_and_divide_no_key(query: Query, cutoff: date | None, n: int, m: int) -> None:
    """Each request once, in order, also where shards are parted again; rows that are added up stay in one shard."""
    plan = make_plan(query, LOCATIONS, cutoff=cutoff)
    shards = plan.shards(n)
    assert 1 <= len(shards) <= n
    assert tuple(request for shard in shards for request in shard) == plan.requests
    assert sum(map(len, shards)) == len(plan)
    assert tuple(part for shard in shards for again in shard.shards(m) for part in again) == plan.requests
    assert max(map(len, shards)) - min(map(len, shards)) <= max(1, 2 * _largest_unit(plan))
    owners: dict[Any, int] = {}
    for number, shard in enumerate(shards):
        for request in shard:
            assert owners.setdefault(_what_is_added(query, request), number) == number


def _what_is_added(query: Query, request: PlannedRequest) -> Any:
    """Name the rows that the request may share with others."""
    if isinstance(query, ZoneVisitors):
        return request.index
    if isinstance(query, DropInRate):
        return request.period, request.window
    repeats = query.aggregate_by in ("week", "dayofweek")
    return request.carried, None if repeats else request.window


def _largest_unit(plan: Plan) -> int:
    layout = plan.layout
    largest = max(map(len, layout.families), default=0)
    return largest * max(len(part.windows) if part.rows_repeat else 1 for part in layout.parts)


def test_a_huge_plan_costs_nothing_until_it_is_read() -> None:
    """36,600 requests are counted and the first is had without building the others; a pickle holds none."""
    plan = Plan(LineCrosses(*YEAR, aggregate_by="minute", location=range(300)))
    tracemalloc.start()
    try:
        assert len(plan) == 36_600
        assert [request.index for request in islice(plan, 2)] == [0, 1]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert len(pickle.dumps(plan)) < 3_000
    last = plan.shards(36_600)[-1]
    assert (len(last), next(iter(last)).index) == (1, 36_599)


def test_a_plan_hashes_by_query_locations_cutoff_and_shard() -> None:
    """Equal questions over equal locations are equal plans."""
    same = Plan(ZoneVisitors(*YEAR, aggregate_by="hour"), locations=TWO_CLOCKS)
    assert same == HOURS
    assert len({same, HOURS, *HOURS.shards(2), Plan(HOURS.query, locations=TWO_CLOCKS[:1])}) == 4
    assert Plan(HOURS.query, locations=TWO_CLOCKS, cutoff=date(2025, 5, 1)) != HOURS


def test_a_plan_without_the_clocks_it_needs_is_none() -> None:
    """A plan is valid from birth as a query is."""
    with pytest.raises(InvalidQueryError, match="locations: their time zones must be known"):
        Plan(ZoneVisitors(*DAYS))


@pytest.mark.parametrize("cutoff", ["2025-03-04", datetime(2025, 3, 4), 4])
def test_a_cutoff_is_a_day(cutoff: Any) -> None:
    """Not a moment, and not a text."""
    with pytest.raises(InvalidQueryError, match=r"cutoff: must be a datetime\.date"):
        Plan(LineCrosses(*DAYS), cutoff=cutoff)


@pytest.mark.parametrize("n", [0, -1, True, 2.0, "2", None])
def test_a_number_of_shards_is_a_number(n: Any) -> None:
    """A whole one of at least one."""
    with pytest.raises(ValueError, match="n must be a whole number"):
        HOURS.shards(n)


def test_a_plan_without_requests_is_one_shard() -> None:
    """Nothing to ask, nothing to deal."""
    empty = make_plan(ZoneVisitors(*DAYS), {})
    (shard,) = empty.shards(5)
    assert (len(empty), len(shard), shard.requests) == (0, 0, ())
    assert Plan.from_json(shard.to_json()) == shard


def _changed(**changes: Any) -> str:
    return json.dumps({**json.loads(HOURS.to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[]", "not a plan's JSON"),
        ("{}", "not a plan's JSON"),
        (_changed(version=2), "a plan of version 2; this library reads 1"),
        (_changed(endpoint="visitors"), "not a plan's JSON"),
        (_changed(query=[]), "not a plan's JSON"),
        (_changed(query={"start_date": "2025-01-01"}), "not a plan's JSON"),
        (_changed(query={"start_date": "2025-01-01", "end_date": "2024-01-01"}), "end_date: must not be before"),
        (_changed(query={"start_date": "2025-01-01", "end_date": "2025-01-01", "colour": "red"}), "not a plan's JSON"),
        (_changed(locations=None), "locations: their time zones must be known"),
        (_changed(locations=[[1]]), "not enough values"),
        (_changed(locations=7), "not a plan's JSON"),
        (_changed(cutoff="yesterday"), "Invalid isoformat"),
        (_changed(selection=[0]), "not a plan's JSON"),
        (_changed(selection=[0, 25]), r"a shard of units \(0, 25\), of a plan that has 24"),
        (_changed(selection=[-1, 3]), "a shard of units"),
        (_changed(selection=[3, 1]), "a shard of units"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, message: str) -> None:
    """As a ValueError that says what is wrong."""
    with pytest.raises(ValueError, match=message):
        Plan.from_json(text)


def test_the_json_of_a_plan_is_stable() -> None:
    """It holds the question and what was known, only what differs from the defaults, in one order."""
    plan = Plan(LineCrosses(*DAYS, line_ids=[2, 1], per="line"), cutoff=date(2025, 3, 4), selection=(0, 1))
    assert plan.to_json() == (
        '{"cutoff":"2025-03-04","endpoint":"line_crosses","locations":null,'
        '"query":{"end_date":"2025-03-07","line_ids":[2,1],"per":"line","start_date":"2025-03-01"},'
        '"selection":[0,1],"version":1}'
    )


def test_a_request_knows_its_target_and_its_last_day() -> None:
    """Commas and slashes stay readable; a look-up has no days and so no last one."""
    (request,) = Plan(
        ZoneVisitors(*DAYS, aggregate_by="hour,loc_id", location=[1, 2], tz="Etc/GMT+5", **OTHER)
    ).requests
    assert request.target == (
        "/api/v1/rnd/insights/external/zone_visitors/?start_date=2025-03-01&end_date=2025-03-07"
        "&comparison_start_date=2024-03-01&comparison_end_date=2024-03-07"
        "&aggregate_by=hour,loc_id&location=1,2&tz=Etc/GMT%2B5"
    )
    assert str(request) == f"GET {request.target}"
    assert request.last_day == date(2025, 3, 7)
    later = {"comparison_start_date": "2025-04-01", "comparison_end_date": "2025-04-07"}
    (ahead,) = Plan(ZoneVisitors(*DAYS, tz="UTC", **later)).requests
    assert ahead.last_day == date(2025, 4, 7)
    look_up = PlannedRequest(index=0, endpoint="locations", path="/filters/locations")
    assert (look_up.target, look_up.last_day, look_up.params) == ("/filters/locations", date.max, FrozenMap())


# In words.

EXPLAINED: dict[str, tuple[Plan, str]] = {
    "one request": (
        Plan(ZoneVisitors(*DAYS, tz="UTC", location=124)),
        """
        zone_visitors: 1 request
          period: 2025-03-01 to 2025-03-07, 7 days, by dayofmonth (the API's default for so many days, not sent)
          asking for: location=124&tz=UTC
          merge: nothing to merge
          request: start_date=2025-03-01&end_date=2025-03-07&location=124&tz=UTC
        """,
    ),
    "everything": (
        Plan(LineCrosses("2025-03-01", "2025-03-01")),
        """
        line_crosses: 1 request
          period: 2025-03-01, 1 day, by hour (the API's default for so many days, not sent)
          asking for: everything the token may see
          merge: nothing to merge
          request: start_date=2025-03-01&end_date=2025-03-01
        """,
    ),
    "a comparison in the same request": (
        Plan(DropInRate(*DAYS, interval="day", location=124, **OTHER)),
        """
        drop_in_rate: 1 request
          period: 2025-03-01 to 2025-03-07, 7 days, by day
          comparison: 2024-03-01 to 2024-03-07, 7 days, in the same request
          asking for: location=124
          merge: nothing to merge
          request: start_date=2025-03-01&end_date=2025-03-07&comparison_start_date=2024-03-01&comparison_end_date=202 …
        """,
    ),
    "a comparison apart": (
        Plan(ZoneVisitors(*DAYS, tz="UTC", comparison_aggregate_by="hour", **OTHER)),
        """
        zone_visitors: 2 requests
          period: 2025-03-01 to 2025-03-07, 7 days, by dayofmonth (the API's default for so many days, not sent)
          comparison: 2024-03-01 to 2024-03-07, 7 days, by hour
          asking for: tz=UTC
          merge: rows are put in order of their buckets; nothing is added up
          check: no row may come from two requests
          first: start_date=2025-03-01&end_date=2025-03-07&tz=UTC
          last: start_date=2024-03-01&end_date=2024-03-07&aggregate_by=hour&tz=UTC
        """,
    ),
    "a year of hours on two clocks": (
        HOURS,
        """
        zone_visitors: 24 requests (12 windows x 2 series)
          period: 2025-01-01 to 2025-12-31, 365 days, by hour
            cut into 12 windows of at most 31 days:
              long answers are fetched in parts, side by side
          2 series, each for every window:
            time zone Europe/Stockholm: location=124,125&tz=Europe/Stockholm
            time zone America/New_York: location=127&tz=America/New_York
          merge: rows are put in order of their buckets; nothing is added up
          check: no row may come from two requests
          first: start_date=2025-01-01&end_date=2025-01-31&aggregate_by=hour&location=124,125&tz=Europe/Stockholm
          last: start_date=2025-12-08&end_date=2025-12-31&aggregate_by=hour&location=127&tz=America/New_York
        """,
    ),
    "a shard of it": (
        HOURS.shards(3)[1],
        """
        zone_visitors: 24 requests (12 windows x 2 series)
          this shard: 8 requests (units 9 to 16 of 24)
          period: 2025-01-01 to 2025-12-31, 365 days, by hour
            cut into 12 windows of at most 31 days:
              long answers are fetched in parts, side by side
          2 series, each for every window:
            time zone Europe/Stockholm: location=124,125&tz=Europe/Stockholm
            time zone America/New_York: location=127&tz=America/New_York
          merge: rows are put in order of their buckets; nothing is added up
          check: no row may come from two requests
          first: start_date=2025-05-05&end_date=2025-06-04&aggregate_by=hour&location=124,125&tz=Europe/Stockholm
          last: start_date=2025-08-06&end_date=2025-09-05&aggregate_by=hour&location=127&tz=America/New_York
        """,
    ),
    "a limit, a wish and a cut-off": (
        Plan(
            LineCrosses("2025-01-01", "2025-01-20", aggregate_by="hour", location=124, split=5), cutoff=date(2025, 1, 8)
        ),
        """
        line_crosses: 5 requests
          period: 2025-01-01 to 2025-01-20, 20 days, by hour
            cut into 5 windows of at most 5 days:
              by hour the API answers 7 days at most
              split=5
              what comes after 2025-01-08 is asked apart
          asking for: location=124
          merge: rows are put in order of their buckets; nothing is added up
          check: no row may come from two requests
          first: start_date=2025-01-01&end_date=2025-01-05&aggregate_by=hour&location=124
          last: start_date=2025-01-19&end_date=2025-01-20&aggregate_by=hour&location=124
        """,
    ),
    "a cut-off alone": (
        Plan(DropInRate(*DAYS, location=124), cutoff=date(2025, 3, 4)),
        """
        drop_in_rate: 2 requests
          period: 2025-03-01 to 2025-03-07, 7 days, by day
            cut into 2 windows of at most 4 days:
              what comes after 2025-03-04 is asked apart
          asking for: location=124
          merge: zones are put together by id, passers-by and entries added, rates computed from the sums
          check: no row of a zone may come from two requests
          first: start_date=2025-03-01&end_date=2025-03-04&interval=day&location=124
          last: start_date=2025-03-05&end_date=2025-03-07&interval=day&location=124
        """,
    ),
    "weeks of two years": (
        Plan(LineCrosses("2024-06-01", "2025-06-30", aggregate_by="week", location=124)),
        """
        line_crosses: 2 requests
          period: 2024-06-01 to 2025-06-30, 395 days, by week
            cut into 2 windows of at most 214 days:
              by week the API answers within one calendar year only
          asking for: location=124
          merge: counts of equal buckets are added over the windows; rows are put in order of their buckets
          check: no other row may come from two requests
          first: start_date=2024-06-01&end_date=2024-12-31&aggregate_by=week&location=124
          last: start_date=2025-01-01&end_date=2025-06-30&aggregate_by=week&location=124
        """,
    ),
    "a list too long": (
        Plan(LineCrosses(*DAYS, line_ids=range(10**6, 10**6 + 1_000))),
        """
        line_crosses: 2 requests
          period: 2025-03-01 to 2025-03-07, 7 days, by dayofmonth (the API's default for so many days, not sent)
          2 series:
            line_ids 1000000 … 1000715, part 1 of 2 (URL length): line_ids=1000000,1000001,1000002,1000003,1000004 …
            line_ids 1000716 … 1000999, part 2 of 2 (URL length): line_ids=1000716,1000717,1000718,1000719,1000720 …
          merge: counts of equal buckets are added over the parts of the list; rows are put in order of their buckets
          check: no other row may come from two requests
          first: start_date=2025-03-01&end_date=2025-03-07&line_ids=1000000,1000001,1000002,1000003,1000004,1000005 …
          last: start_date=2025-03-01&end_date=2025-03-07&line_ids=1000716,1000717,1000718,1000719,1000720,1000721 …
        """,
    ),
    "nothing": (
        make_plan(ZoneVisitors(*DAYS), {}),
        """
        zone_visitors: 0 requests
          period: 2025-03-01 to 2025-03-07, 7 days, by dayofmonth (the API's default for so many days, not sent)
          nothing to ask: the token's list of locations is empty
          merge: nothing to merge
        """,
    ),
}


@pytest.mark.parametrize(("plan", "words"), EXPLAINED.values(), ids=EXPLAINED.keys())
def test_a_plan_says_what_it_will_send_and_why(plan: Plan, words: str) -> None:
    """How many requests, why so many, for what, and how the answers become one."""
    assert plan.explain() == re.sub(r"\n {8}", "\n", words).strip()


def test_many_series_are_not_all_told() -> None:
    """Twelve of them, and how many more there are."""
    words = Plan(LineCrosses(*DAYS, location=range(1_500))).explain()
    assert "\n    location 11: location=11\n    and 1,488 more\n" in words
    assert words.startswith("line_crosses: 1,500 requests\n")
