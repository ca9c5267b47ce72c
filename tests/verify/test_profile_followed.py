"""A profile that was learned makes results right where the service is legal but otherwise: against unsplit truth."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from verifying import MALL, WORLD, judge

from indivd_async import AsyncIndivd, LineCrosses, NotMergeableError, Plan, ZoneVisitors, sandbox
from indivd_async.profile import MostDays, Numbering, Profile

pytestmark = pytest.mark.anyio
TZ = "America/New_York"
FIRST, LAST = date(2025, 12, 1), date(2026, 1, 15)
WEEKS = {
    "iso_weeks": "iso",
    "iso_weeks_of_calendar_years": "iso-calendar-year",
    "sunday_weeks_from_1": "sunday-1",
    "monday_weeks_from_0": "monday-0",
}
WEEKDAYS = ("weekdays_from_monday", "weekdays_from_0_on_sunday", "weekdays_from_0_on_monday")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def client_of(*deviations: str, profile: Profile | None) -> AsyncIndivd:
    transport = sandbox.transport(WORLD, deviations=deviations)
    return AsyncIndivd("sandbox", transport=transport, base_url="https://sandbox.test", profile=profile)


def visits_by_day(first: date = FIRST, last: date = LAST) -> Counter[date]:
    """What the world says, unsplit and past its limits."""
    answer = WORLD.zone_visitors(first, last, location=MALL, aggregate_by="dayofmonth")
    sums: Counter[date] = Counter()
    for row in answer["current"]["insights"]:
        label = row["aggregation"]
        sums[date(label["year"], label["month"], label["dayofmonth"])] += row["visits"]
    return sums


def kinds(result: Any) -> set[str]:
    return {note.kind for note in result.notes}


@pytest.mark.parametrize("deviation", [None, *WEEKS])
async def test_weeks_have_starts_under_the_numbering_that_was_learned(deviation: str | None) -> None:
    """Each week's visits are those of the days from its start to the next; without a profile there is a note."""
    deviations = (deviation,) if deviation else ()
    profile = (await judge(*deviations)).profile
    assert profile.numbering.weeks == WEEKS.get(deviation or "", "sunday-0")
    async with client_of(*deviations, profile=profile) as client:
        result = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="week", tz=TZ)
    assert not kinds(result) & {"numbering_unknown", "profile_contradicted"}
    told: Counter[Any] = Counter()
    for row in result.to_dicts():
        told[None if row["bucket_start"] is None else row["bucket_start"].date()] += row["visits"]
        assert row["bucket_start"] is None or row["bucket_start"].tzinfo is not None
    starts = sorted(start for start in told if start is not None)
    days = visits_by_day()
    for start, end in zip(starts, [*starts[1:], LAST + timedelta(days=1)], strict=True):
        length = min((end - start).days, 7)
        assert told[start] == sum(days[start + timedelta(days=number)] for number in range(length)), start
    # Under the odd numbering the label of 29 December is also that of 1 January, so it has no start.
    assert (None in told) == (deviation == "iso_weeks_of_calendar_years")
    async with client_of(*deviations, profile=None) as client:
        plain = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="week", tz=TZ)
    assert "numbering_unknown" in kinds(plain)
    assert {row["bucket_start"] for row in plain.to_dicts()} == {None}


@pytest.mark.parametrize("deviation", [None, *WEEKDAYS])
async def test_weekdays_are_told_as_iso_does(deviation: str | None) -> None:
    """1 is Monday, whatever the service calls it."""
    deviations = (deviation,) if deviation else ()
    profile = (await judge(*deviations)).profile
    async with client_of(*deviations, profile=profile) as client:
        result = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="dayofweek")
    told: Counter[int] = Counter()
    for row in result.to_dicts():
        told[row["weekday"]] += row["visits"]
    expected: Counter[int] = Counter()
    for day, visits in visits_by_day().items():
        expected[day.isoweekday()] += visits
    assert told == expected


@pytest.mark.parametrize("deviation", [None, "lines_counted_in_utc"])
async def test_line_crosses_becomes_aware_where_its_clock_is_known(deviation: str | None) -> None:
    """Each crossing is counted in the hour of UTC that it was in; without a profile no instant is told."""
    deviations = (deviation,) if deviation else ()
    profile = (await judge(*deviations)).profile
    assert profile.line_crosses_tz == ("UTC" if deviation else "location")
    days = ("2026-01-10", "2026-01-12")
    async with client_of(*deviations, profile=profile) as client:
        result = await client.line_crosses(*days, location=MALL, zone_to=231, aggregate_by="hour")
    rows = result.to_dicts()
    assert {row["tz"] for row in rows} == ({"UTC"} if deviation else {TZ})
    told = {row["bucket_start_utc"]: row["count"] for row in rows}
    truth: Counter[datetime] = Counter()
    clock = ZoneInfo("UTC" if deviation else TZ)
    three = date(2026, 1, 10), date(2026, 1, 12)
    answer = WORLD.zone_visitors(*three, location=MALL, zones=231, tz=clock.key, aggregate_by="hour")
    for row in answer["current"]["insights"]:
        label = row["aggregation"]
        moment = datetime(label["year"], label["month"], label["dayofmonth"], label["hour"], tzinfo=clock)
        truth[moment.astimezone(UTC)] += row["visits"]
    assert len(truth) > 30
    assert told == truth
    async with client_of(*deviations, profile=None) as client:
        plain = await client.line_crosses(*days, location=MALL, zone_to=231, aggregate_by="hour")
    assert {(row["tz"], row["bucket_start_utc"]) for row in plain.to_dicts()} == {(None, None)}


@pytest.mark.parametrize("deviation", [None, *WEEKS])
async def test_weeks_of_lines_are_whole_over_a_new_year(deviation: str | None) -> None:
    """Two requests, for the API asks for weeks within a year: a week that both bring is one, as in one answer."""
    deviations = (deviation,) if deviation else ()
    profile = (await judge(*deviations)).profile
    world = WORLD
    if deviation is not None:
        change = sandbox.DEVIATIONS[deviation].world
        assert change is not None
        world = change(WORLD)
    async with client_of(*deviations, profile=profile) as client:
        result = await client.line_crosses(FIRST, LAST, location=MALL, zone_to=231, aggregate_by="week")
    assert len(result.plan) == 2
    truth = world.line_crosses(FIRST, LAST, location=MALL, zone_to=231, aggregate_by="week")
    assert {(row.bucket.year, row.bucket.week): row.count for row in result} == {
        (row["_id"]["year"], row["_id"]["week"]): row["count"] for row in truth
    }


async def test_rows_of_zeros_change_no_sum() -> None:
    """They are measured zeros of closed hours; what the profile says of them is their shape."""
    profile = (await judge("rows_of_zeros")).profile
    assert profile.quiet_hours == "zeros"
    async with client_of("rows_of_zeros", profile=profile) as client:
        result = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="hour", tz=TZ)
    async with client_of(profile=None) as client:
        truth = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="hour", tz=TZ)
    zeros = [row for row in result if not row.visits]
    assert [row for row in result if row.visits] == list(truth)
    assert len(zeros) > 100
    assert all(not (row.unique_visits or row.bounce or row.dwell_time) for row in zeros)


async def test_a_clamp_that_was_learned_is_cut_around() -> None:
    """What is silently low without the profile is whole with it; what cannot be cut is refused, saying what to ask."""
    deviation = "clamped_without_a_word"
    profile = (await judge(deviation)).profile
    assert {limit.endpoint: limit.days for limit in profile.most_days} == {
        "zone_visitors": 31,
        "line_crosses": 31,
        "drop_in_rate": 31,
    }
    truth = sum(visits_by_day().values())
    async with client_of(deviation, profile=None) as client:
        low = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="dayofmonth", split=None)
        assert sum(row.visits for row in low) < truth
    async with client_of(deviation, profile=profile) as client:
        for grouping in ("dayofmonth", "month", "week"):
            result = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by=grouping, split=None)
            assert sum(row.visits for row in result) == truth, grouping
            assert result.complete
        plan = await client.plan(ZoneVisitors(FIRST, LAST, location=MALL, aggregate_by="dayofmonth", split=None))
        assert "this service, as its profile says, answers 31 days at most" in plan.explain()
        with pytest.raises(NotMergeableError, match="answers 31 days of zone_visitors by zone at most"):
            await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="zone")
        lines = await client.line_crosses(FIRST, LAST, location=MALL, zone_to=231, aggregate_by="dayofweek")
        answer = WORLD.zone_visitors(FIRST, LAST, location=MALL, zones=231, aggregate_by="zone")
        zone = sum(row["visits"] for row in answer["current"]["insights"])
        assert sum(row.count for row in lines) == zone
        rates = await client.drop_in_rate(FIRST, LAST, location=MALL, interval="day")
        truth_rates = WORLD.drop_in_rate(FIRST, LAST, location=MALL, interval="day")["summary"]["current"]
        assert rates.summary.current.enter == truth_rates["enter"]


@pytest.mark.parametrize(
    ("deviation", "grouping", "first"),
    [("at_most_150_rows_by_day", "dayofmonth", FIRST), ("at_most_500_rows_by_hour", "hour", date(2025, 12, 25))],
)
async def test_a_cap_of_rows_learned_at_one_location_holds_for_several(
    deviation: str, grouping: str, first: date
) -> None:
    """More locations have more rows a day, so their periods are cut sooner; what is full all the same is told."""
    profile = (await judge(deviation)).profile
    (limit,) = profile.most_days
    assert limit.rows == int("".join(filter(str.isdigit, deviation)))
    asked: dict[str, Any] = {"location": [MALL, 128], "aggregate_by": grouping, "split": None}
    truth = WORLD.zone_visitors(first, LAST, location=[MALL, 128], aggregate_by=grouping, tz=TZ)
    async with client_of(deviation, profile=profile) as client:
        result = await client.zone_visitors(first, LAST, **asked)
        assert len(result) == len(truth["current"]["insights"])
        assert sum(row.visits for row in result) == sum(row["visits"] for row in truth["current"]["insights"])
        assert "rows_at_limit" not in kinds(result)
        assert f"answers {max(1, limit.days // 2)} days at most" in result.plan.explain()
    believed = attrs.evolve(profile, most_days=(attrs.evolve(limit, days=400),))
    async with client_of(deviation, profile=believed) as client:
        low = await client.zone_visitors(first, LAST, **asked)
        assert len(low) < len(result)
        assert "rows_at_limit" in kinds(low)


@pytest.mark.parametrize("deviation", ["hours_without_dates_of_zone_visitors", "hours_over_all_days"])
async def test_hours_that_do_not_tell_their_dates_are_asked_for_by_all_labels(deviation: str) -> None:
    """Three days by hour are three days of hours again, and weeks have their years."""
    profile = (await judge(deviation)).profile
    assert False in (profile.hours_carry_dates, profile.labels_carry_parents)
    async with client_of(deviation, profile=profile) as client:
        weeks = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="week")
        days = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="dayofmonth")
    assert sum(row.visits for row in weeks) == sum(row.visits for row in days) == sum(visits_by_day().values())
    assert None not in {row["bucket_start"] for row in (*weeks.to_dicts(), *days.to_dicts())}
    first, last = date(2026, 1, 10), date(2026, 1, 12)
    async with client_of(deviation, profile=profile) as client:
        result = await client.zone_visitors(first, last, location=MALL, aggregate_by="hour", tz=TZ)
    told: Counter[datetime] = Counter()
    for row in result.to_dicts():
        told[row["bucket_start"].replace(tzinfo=None)] += row["visits"]
    truth: Counter[datetime] = Counter()
    for row in WORLD.zone_visitors(first, last, location=MALL, aggregate_by="hour")["current"]["insights"]:
        label = row["aggregation"]
        truth[datetime(label["year"], label["month"], label["dayofmonth"], label["hour"])] += row["visits"]
    assert told == truth


def test_urls_are_as_long_as_the_service_takes() -> None:
    """Lists are cut sooner."""
    query = LineCrosses(FIRST, LAST, line_ids=range(2_000, 3_500))
    longest = 2_000
    plain, learned = Plan(query), Plan(query, profile=attrs.evolve(Profile(), longest_url=longest))
    assert len(learned) > len(plain)
    assert max(len(request.target) for request in learned) <= longest


async def test_a_profile_that_an_answer_contradicts_is_told_and_not_followed() -> None:
    """Weeks of 0 to 53 under a profile that says ISO, weekday 7 under one that counts from 0."""
    wrong = Profile(numbering=Numbering(weeks="iso", weekdays="sunday-0"))
    async with client_of(profile=wrong) as client:
        weeks = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="week")
        days = await client.zone_visitors(FIRST, LAST, location=MALL, aggregate_by="dayofweek")
    for result in (weeks, days):
        assert "profile_contradicted" in kinds(result)
        assert {(row["bucket_start"], row["weekday"]) for row in result.to_dicts()} == {(None, None)}


def test_a_plan_carries_its_profile() -> None:
    """Through JSON, too; a plan without one is written as before."""
    query = ZoneVisitors(FIRST, LAST, tz=TZ, aggregate_by="dayofmonth", split=None)
    profile = Profile(most_days=(MostDays(endpoint="zone_visitors", unit="day", days=10),))
    plan = Plan(query, profile=profile)
    assert len(plan) == 5
    assert Plan.from_json(plan.to_json()) == plan
    assert "profile" not in Plan(query).to_json()
    assert Plan(query) != plan
