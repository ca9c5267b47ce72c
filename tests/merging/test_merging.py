"""Chunks become one result: in order, each key once, sums where sums are right, and notes on what there is to know."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from indivd_async import (
    Aggregation,
    Bucket,
    Chunk,
    DropInRate,
    DropInRateResult,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    LineCrosses,
    LineCrossesResult,
    LineCrossesRow,
    Location,
    MergeConflictError,
    PartialResultError,
    Plan,
    ServerError,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitors,
    ZoneVisitorsResult,
    ZoneVisitorsRow,
)
from indivd_async.merging import Known, OwnCutConflictError, merge_chunks
from indivd_async.models import FrozenMap
from indivd_async.profile import Numbering, Profile
from indivd_async.results import Answer, Block
from indivd_async.results.licences import Licences

LATER = datetime(2030, 1, 1, tzinfo=UTC)
KNOWN = Known(now=LATER)
ERROR = ServerError("no", status=500)
DAYS = ("2025-03-01", "2025-03-10")
OTHER = {"comparison_start_date": "2024-03-01", "comparison_end_date": "2024-03-10"}
CLOCKS = ((124, "Europe/Stockholm"), (301, "America/New_York"))


def day(number: int, month: int = 3) -> Bucket:
    return Bucket(year=2025, month=month, dayofmonth=number)


def hour(number: int) -> Bucket:
    return Bucket(hour=number)


def merge(plan: Plan, answers: Sequence[Answer | None], known: Known = KNOWN) -> Any:
    """Merge one answer for each request of *plan*, the last first; None is a failure."""
    chunks = [
        Chunk(query=plan.query, request=request, answer=answer, error=None if answer else ERROR, attempts=2)
        for request, answer in zip(plan, answers, strict=True)
    ]
    return merge_chunks(plan, chunks[::-1], known)


def kinds(result: Any) -> list[str]:
    """Return the kinds of notes on the answers; that no zone was given is the question's affair."""
    return [note.kind for note in result.notes if note.kind != "unscoped_drop_in"]


def test_rates_of_all_zones_together_are_noted() -> None:
    """The article calls them rarely useful; one zone is itself, and zones that were given were meant."""
    two = rates(block({7: {1: (1, 3)}, 8: {1: (1, 3)}}))
    assert [note.kind for note in merge(RATES, [two]).notes] == ["unscoped_drop_in"]
    assert merge(RATES, [rates(block({7: {1: (1, 3)}}))]).notes == ()
    assert merge(Plan(DropInRate(*DAYS, tz="UTC", zone=[7, 8])), [two]).notes == ()


# Coverage.


def lines(*rows: tuple[Bucket, int], **carried: Any) -> Answer:
    return of_rows(*[LineCrossesRow(bucket=bucket, count=count, **carried) for bucket, count in rows])


def of_rows(*rows: LineCrossesRow) -> Answer:
    return Answer(current=Block(rows=rows))


FIVE = Plan(LineCrosses(*DAYS, aggregate_by="dayofmonth", location=124, zone_to=7, split=2))


def test_every_request_is_covered() -> None:
    """Ok, empty or failed, with rows, attempts and error; a missing piece makes the result incomplete."""
    result = merge(FIVE, [lines((day(1), 4), (day(2), 5)), lines(), None, lines(), lines((day(9), 1))])
    assert isinstance(result, LineCrossesResult)
    assert [(item.status, item.rows, item.attempts, item.error) for item in result.coverage] == [
        ("ok", 2, 2, None),
        ("empty", 0, 2, None),
        ("failed", 0, 2, ERROR),
        ("empty", 0, 2, None),
        ("ok", 1, 2, None),
    ]
    assert [item.request for item in result.coverage] == list(FIVE)
    assert [row.count for row in result] == [4, 5, 1]
    assert not result.complete
    with pytest.raises(PartialResultError, match="1 of 5"):
        result.raise_for_failures()
    assert len(result.arrived) == 4
    again = pickle.loads(pickle.dumps(result))
    assert (again.rows, again.plan, again.arrived) == (result.rows, result.plan, result.arrived)


def test_a_request_without_a_chunk_has_failed() -> None:
    """Nobody knows why, so there is no error; the whole result has no chunks left in it."""
    partial = merge_chunks(FIVE, [], KNOWN)
    assert {(item.status, item.attempts, item.error) for item in partial.coverage} == {("failed", 0, None)}
    whole = merge(FIVE, [lines()] * 5)
    assert whole.complete
    assert whole.arrived == ()
    whole.raise_for_failures()


def test_a_chunk_without_an_answer_has_failed() -> None:
    """Whether or not it says why."""
    nothing = Chunk(query=FIVE.query, request=FIVE.requests[1])
    result = merge_chunks(FIVE, [nothing], KNOWN)
    assert [item.status for item in result.coverage] == ["failed"] * 5
    assert result.arrived == ()


def test_a_shard_keeps_its_chunks() -> None:
    """They are merged again with those of the others."""
    shard = FIVE.shards(2)[1]
    assert [chunk.request.index for chunk in merge(shard, [lines()] * 3).arrived] == [2, 3, 4]


def test_a_chunk_of_another_plan_is_refused() -> None:
    """By its place, or by what was asked."""
    requests = FIVE.requests
    chunk = Chunk(query=FIVE.query, request=requests[4], answer=lines())
    with pytest.raises(MergeConflictError, match="request 4: it is not of this plan"):
        merge_chunks(FIVE.shards(5)[0], [chunk], KNOWN)
    moved = attrs.evolve(chunk, request=attrs.evolve(requests[4], index=3))
    with pytest.raises(MergeConflictError, match="request 3: it is not of this plan"):
        merge_chunks(FIVE, [moved], KNOWN)
    with pytest.raises(MergeConflictError, match="request 4: its answer was given twice"):
        merge_chunks(FIVE, [chunk, chunk], KNOWN)


# Line crosses.


def test_rows_are_in_order_of_bucket_then_of_the_fan_out() -> None:
    """Whatever arrived first."""
    plan = Plan(LineCrosses(*DAYS, aggregate_by="dayofmonth", location=[125, 124], zone_to=7))
    answers = [lines((day(2), 1), (day(1), 2), location=125), lines((day(1), 3), (day(2), 4), location=124)]
    result = merge(plan, answers)
    assert [(row.bucket.dayofmonth, row.location, row.count) for row in result.rows] == [
        (1, 125, 2),
        (1, 124, 3),
        (2, 125, 1),
        (2, 124, 4),
    ]


IN_PARTS = Plan(LineCrosses(*DAYS, location=124, line_ids=range(10**6, 10**6 + 1_000)))


def test_parts_of_a_list_of_lines_are_added() -> None:
    """Equal buckets become one row; an unknown field stays where the parts agree on it."""
    one, other = (
        of_rows(
            LineCrossesRow(bucket=day(1), count=3, location=124, extra=FrozenMap({"unit": "m", "of": part})),
            LineCrossesRow(bucket=day(1 + part), count=5, location=124),
        )
        for part in (1, 2)
    )
    result = merge(IN_PARTS, [one, other])
    assert result.rows == (
        LineCrossesRow(bucket=day(1), count=6, location=124, extra=FrozenMap({"unit": "m"})),
        LineCrossesRow(bucket=day(2), count=5, location=124),
        LineCrossesRow(bucket=day(3), count=5, location=124),
    )
    assert result.notes == ()


@pytest.mark.parametrize(
    ("one", "other", "summed"),
    [
        pytest.param([(1, 3), (2, 4)], [(1, 5), (2, 6)], [(1, 8), (2, 10)], id="the same buckets"),
        pytest.param([(1, 3), (2, 4)], [(2, 6), (1, 5)], [(1, 8), (2, 10)], id="in another order"),
        pytest.param([(2, 3), (1, 4)], [(2, 5), (1, 6)], [(1, 10), (2, 8)], id="neither in order"),
        pytest.param([(1, 3), (2, 4)], [(1, 5)], [(1, 8), (2, 4)], id="one has fewer"),
        pytest.param([(1, 3)], [(2, 5)], [(1, 3), (2, 5)], id="none in common"),
        pytest.param([(1, 3)], [], [(1, 3)], id="one is empty"),
        pytest.param([], [], [], id="both are empty"),
        pytest.param([(1, 3), (1, 4)], [(1, 5), (1, 6)], [(1, 18)], id="a bucket twice in each"),
        pytest.param([(1, 3), (2, 4), (2, 1)], [(1, 5), (1, 2), (2, 6)], [(1, 10), (2, 11)], id="others twice"),
    ],
)
def test_parts_are_added_by_bucket_not_by_place(
    one: list[tuple[int, int]], other: list[tuple[int, int]], summed: list[tuple[int, int]]
) -> None:
    """Whichever buckets each of them holds, and however often; a bucket is its labels, not its object."""
    parts = [lines(*((day(number), count) for number, count in part), location=124) for part in (one, other)]
    added = lines(*((day(number), count) for number, count in summed), location=124).current.rows
    rows = merge(IN_PARTS, parts).rows
    assert rows == added
    assert all(type(row) is LineCrossesRow for row in rows)
    assert rows == pickle.loads(pickle.dumps(rows))
    assert hash(rows) == hash(added)


def test_an_unknown_field_that_any_part_says_otherwise_is_gone() -> None:
    """Also where a later part agrees with the first again."""
    plan = Plan(LineCrosses(*DAYS, location=124, line_ids=range(10**6, 10**6 + 1_800)))
    parts = [
        of_rows(LineCrossesRow(bucket=day(1), count=1, extra=FrozenMap({"unit": unit, "of": 1})))
        for unit in ("m", "ft", "m")
    ]
    assert merge(plan, parts).rows == (LineCrossesRow(bucket=day(1), count=3, extra=FrozenMap({"of": 1})),)


def test_a_failed_part_of_a_sum_is_noted() -> None:
    """For what is there lacks its share."""
    assert kinds(merge(IN_PARTS, [lines((day(1), 3)), None])) == ["partial_sum"]
    weeks = Plan(LineCrosses("2024-12-20", "2025-01-10", aggregate_by="week", location=124, zone_to=7))
    assert kinds(merge(weeks, [None, lines()])) == ["partial_sum"]
    assert kinds(merge(FIVE, [None] + [lines()] * 4)) == []


def test_weeks_cut_at_new_year_are_added() -> None:
    """Where the numbering lets a week span it, its label comes from both years."""
    plan = Plan(LineCrosses("2024-12-20", "2025-01-10", aggregate_by="week", location=124, zone_to=7))
    week = Bucket(year=2025, week=1)
    result = merge(plan, [lines((week, 2), (Bucket(year=2024, week=52), 3)), lines((week, 40))])
    assert [(row.bucket.year, row.bucket.week, row.count) for row in result] == [(2024, 52, 3), (2025, 1, 42)]


def test_rows_that_one_answer_repeats_stay_as_they_came() -> None:
    """The repeated hour of autumn may be two rows of one label: no other request brought it, and nothing is added."""
    result = merge(FIVE, [lines((day(1), 4), (day(1), 5)), *[lines()] * 4])
    assert [row.count for row in result] == [4, 5]


@pytest.mark.parametrize("split", [2, None])
def test_a_row_of_two_windows_is_a_conflict(split: int | None) -> None:
    """Where the cut was ours it can be asked unsplit, where a limit forced it not."""
    grouping = "dayofmonth" if split else "minute"
    plan = Plan(LineCrosses("2025-03-01", "2025-03-04", aggregate_by=grouping, location=124, split=split))
    with pytest.raises(MergeConflictError, match="the row of hour 9 came back from two requests") as caught:
        merge(plan, [lines((hour(8), 1), (hour(9), 1)), lines((hour(9), 1))])
    assert isinstance(caught.value, OwnCutConflictError) == (split is not None)
    assert {request.index for request in caught.value.requests} == {0, 1}
    assert caught.value.key == "hour 9"


@pytest.mark.parametrize("grouping", [None, "dayofmonth"])
def test_a_default_grouping_that_tells_no_year_is_not_put_together(grouping: str | None) -> None:
    """We named it to the API, because we cut; left to itself it may have told more, and so it must be asked."""
    comparison = {"comparison_start_date": "2023-01-01", "comparison_end_date": "2023-01-10"} if grouping else {}
    query = ZoneVisitors(
        "2024-01-01", "2025-12-31", location=124, tz="UTC", aggregate_by=grouping, split=200, **comparison
    )
    plan = Plan(query)
    without_year = Bucket(month=3, dayofmonth=1)
    whole = merge(plan, [visits(visit(7, day(number))) for number, _ in enumerate(plan, 1)])
    assert len(whole) == sum(request.period == "current" for request in plan)
    answers = [
        visits(visit(7, without_year)) if request.period == "current" and not request.index else visits()
        for request in plan
    ]
    if grouping is None:
        with pytest.raises(OwnCutConflictError, match="does not tell the year"):
            merge(plan, answers)
    else:
        assert len(merge(plan, answers)) == 1


# What a profile says of numbers.

MONDAYS = Profile(numbering=Numbering(weeks="iso", weekdays="monday-1"))


@pytest.mark.parametrize(
    ("grouping", "labels", "profile", "expected"),
    [
        ("week", {"year": 2025, "week": 10}, None, {"numbering_unknown"}),
        ("week", {"year": 2025, "week": 10}, MONDAYS, set()),
        ("week", {"year": 2025, "week": 30}, MONDAYS, {"profile_contradicted"}),
        ("week", {"year": 2025, "week": 53}, MONDAYS, {"profile_contradicted"}),
        ("week", {"week": 10}, MONDAYS, set()),
        ("dayofweek", {"dayofweek": 7}, MONDAYS, set()),
        ("dayofweek", {"dayofweek": 0}, MONDAYS, {"profile_contradicted"}),
    ],
)
def test_numbers_are_held_against_the_profile(
    grouping: str, labels: dict[str, int], profile: Profile | None, expected: set[str]
) -> None:
    """A week outside of the period, or a weekday that is none, shows that the service numbers otherwise by now."""
    query = ZoneVisitors(*DAYS, location=124, tz="UTC", aggregate_by=grouping)
    result = merge(Plan(query, profile=profile), [visits(visit(7, Bucket(**labels)))])
    assert set(kinds(result)) & {"numbering_unknown", "profile_contradicted"} == expected
    (row,) = result.to_dicts()  # numbers that the service contradicts are told as they came
    assert (row["bucket_start"] is None) == (grouping != "week" or bool(expected) or "year" not in labels)


@pytest.mark.parametrize(
    ("days", "week", "told"),
    [
        (("2025-01-01", "2025-12-31"), 1, True),
        (("2024-06-01", "2026-06-01"), 1, True),
        (("2025-01-06", "2025-12-31"), 1, False),
        (("2025-01-01", "2025-12-28"), 1, False),
        (("2025-01-01", "2025-12-31"), 2, False),
        (("2022-01-01", "2022-12-31"), 52, True),
    ],
)
def test_a_label_of_two_weeks_of_a_period_is_told(days: tuple[str, str], week: int, told: bool) -> None:
    """Where a calendar year stands beside an ISO week, January and December may share one."""
    query = ZoneVisitors(*days, location=124, tz="UTC", aggregate_by="week")
    profile = Profile(numbering=Numbering(weeks="iso-calendar-year"))
    year = 2022 if days[0].startswith("2022") else 2025
    result = merge(Plan(query, profile=profile), [visits(visit(7, Bucket(year=year, week=week)))])
    assert kinds(result) == ["incomplete_labels"] * told


@pytest.mark.parametrize(("week", "contradicted"), [(10, False), (40, True)])
def test_numbers_of_a_comparison_are_held_against_the_profile(week: int, contradicted: bool) -> None:
    """Also where only that is grouped by weeks."""
    grouped = {"aggregate_by": "zone", "comparison_aggregate_by": "week"}
    plan = Plan(ZoneVisitors(*DAYS, **OTHER, location=124, tz="UTC", **grouped), profile=MONDAYS)
    labels = [Bucket(), Bucket(year=2024, week=week)]
    result = merge(plan, [visits(visit(7, bucket)) for bucket in labels])
    assert ("profile_contradicted" in kinds(result)) is contradicted


# Zone visitors.


def visit(
    zone: int, bucket: Bucket, visits: int = 5, *, basic: bool = False, loc_id: int | None = None, **fields: Any
) -> ZoneVisitorsRow:
    measured: dict[str, Any] = {"unique_visits": 0, "bounce": 0, "dwell_time": 0.0, "dwell_time_stats": None}
    if not basic:
        stats = DwellTimeStats(mean=60.0, min=1.0, max=90.0, quantiles=(30.0, 60.0, 80.0), n=visits)
        measured = {"unique_visits": visits - 1, "bounce": 1, "dwell_time": 60.0, "dwell_time_stats": stats}
    place = Aggregation(zone_id=zone, bucket=bucket, loc_id=loc_id)
    return ZoneVisitorsRow(visits=visits, aggregation=place, **{**measured, **fields})


def visits(*rows: ZoneVisitorsRow, comparison: tuple[ZoneVisitorsRow, ...] | None = None) -> Answer:
    return Answer(current=Block(rows=rows), comparison=None if comparison is None else Block(rows=comparison))


TWO_CLOCKS = Plan(ZoneVisitors(*DAYS), locations=CLOCKS)


def places(rows: Sequence[ZoneVisitorsRow]) -> list[tuple[int | None, int, int | None]]:
    return [(row.aggregation.bucket.dayofmonth, row.aggregation.zone_id, row.aggregation.loc_id) for row in rows]


def test_visits_are_in_order_of_bucket_then_zone() -> None:
    """Over all clocks; totals without a bucket come first, then years, then months."""
    result = merge(TWO_CLOCKS, [visits(visit(9, day(2)), visit(7, day(2))), visits(visit(8, day(1)), visit(8, day(2)))])
    assert isinstance(result, ZoneVisitorsResult)
    assert places(result.current.insights) == [(1, 8, None), (2, 7, None), (2, 8, None), (2, 9, None)]
    assert result.comparison is None
    mixed = [Bucket(year=2025, month=1), Bucket(year=2025), Bucket(year=2024, week=9), Bucket()]
    one = merge(TWO_CLOCKS, [visits(*(visit(7, bucket) for bucket in mixed)), visits()])
    assert [row.aggregation.bucket for row in one] == mixed[::-1]


def test_rows_that_share_a_bucket_are_as_those_that_do_not() -> None:
    """Decoded rows hold each bucket once; whether they do, and in which order they come, changes no order."""
    one, other = day(1), day(2)
    shared = [visit(9, one), visit(7, one), visit(7, other), visit(9, other), visit(8, one)]
    equal = [visit(row.aggregation.zone_id, attrs.evolve(row.aggregation.bucket)) for row in shared]
    for rows in (shared, equal, [*shared[:3], *equal[3:]]):
        result = merge(TWO_CLOCKS, [visits(*rows[:4]), visits(rows[4])])
        assert places(result.current.insights) == [(1, 7, None), (1, 8, None), (1, 9, None), (2, 7, None), (2, 9, None)]


def test_labels_that_are_not_known_keep_buckets_apart() -> None:
    """They are part of the key, whether the rows of the other requests have them or not."""
    odd = [
        attrs.evolve(row, aggregation=attrs.evolve(row.aggregation, extra=FrozenMap({"isoweek": week})))
        for week, row in ((10, visit(7, Bucket())), (9, visit(7, Bucket())))
    ]
    result = merge(TWO_CLOCKS, [visits(*odd, visit(7, Bucket())), visits()])
    assert [row.aggregation.extra.get("isoweek") for row in result] == [None, 10, 9]
    with pytest.raises(MergeConflictError, match="zone 7, the whole period, isoweek 9 came back"):
        merge(TWO_CLOCKS, [visits(*odd), visits(odd[1])])


def test_zones_are_told_apart_by_location() -> None:
    """Where rows tell theirs, one zone in two locations is two rows; those that tell none come first."""
    rows = [visit(7, day(1), loc_id=2), visit(7, day(1), loc_id=1), visit(7, day(1))]
    by_location = Plan(ZoneVisitors(*DAYS, aggregate_by="year,month,dayofmonth,loc_id"), locations=CLOCKS)
    result = merge(by_location, [visits(*rows), visits()])
    assert places(result.current.insights) == [(1, 7, None), (1, 7, 1), (1, 7, 2)]


def test_one_zone_of_two_clocks_is_a_conflict() -> None:
    """Neither row nor their sum would be right, and asking unsplit would not help."""
    with pytest.raises(MergeConflictError, match="zone 7, year 2025, month 3, dayofmonth 1 came back") as caught:
        merge(TWO_CLOCKS, [visits(visit(7, day(1))), visits(visit(7, day(1)))])
    assert not isinstance(caught.value, OwnCutConflictError)


def test_a_total_of_two_clocks_is_named_in_words() -> None:
    """A row without labels is one of the whole period."""
    with pytest.raises(MergeConflictError, match="zone 7, the whole period"):
        merge(TWO_CLOCKS, [visits(visit(7, Bucket())), visits(visit(7, Bucket()))])


def test_pieces_of_our_own_choosing_may_be_asked_unsplit() -> None:
    """Also where the two requests belong to different groups; in the comparison period only if that was cut."""
    plan = Plan(ZoneVisitors(*DAYS, aggregate_by="dayofmonth", split=5), locations=CLOCKS)
    empty = visits()
    with pytest.raises(OwnCutConflictError):
        merge(plan, [visits(visit(7, hour(9))), empty, empty, visits(visit(7, hour(9)))])
    with pytest.raises(MergeConflictError) as caught:
        merge(plan, [visits(visit(7, hour(9))), visits(visit(7, hour(9))), empty, empty])
    assert not isinstance(caught.value, OwnCutConflictError)


def test_both_periods_come_from_one_answer_or_from_two() -> None:
    """Rows of the two never clash."""
    row = visit(7, day(1))
    one = Plan(ZoneVisitors(*DAYS, tz="UTC", **OTHER))
    together = merge(one, [visits(row, comparison=(row,))])
    two = Plan(ZoneVisitors(*DAYS, tz="UTC", comparison_aggregate_by="hour", **OTHER))
    apart = merge(two, [visits(row), visits(row)])
    assert together.comparison == apart.comparison
    assert together.current == apart.current
    assert (apart.comparison.startdate, apart.comparison.enddate) == ("2024-03-01", "2024-03-10")
    assert apart.comparison.insights == (row,)
    assert merge(one, [visits(row)]).comparison.insights == ()


@pytest.mark.parametrize(
    ("rows", "hidden"),
    [
        pytest.param([visit(7, day(1), basic=True), visit(8, day(1), basic=True)], [True, True], id="all basic"),
        pytest.param([visit(7, day(1), basic=True), visit(8, day(1))], [True, False], id="each zone by itself"),
        pytest.param([visit(7, day(1), 0, basic=True)], [False], id="no visits at all"),
        pytest.param(
            [visit(7, day(1), 0, basic=True), visit(8, day(1), basic=True)], [True, True], id="a quiet row too"
        ),
        pytest.param(
            [visit(7, day(1), basic=True, loc_id=1), visit(8, day(1), loc_id=2)], [True, False], id="by location"
        ),
        pytest.param(
            [
                visit(7, day(1), basic=True, loc_id=1),
                visit(7, day(2), loc_id=1),
                visit(8, day(1), basic=True, loc_id=2),
            ],
            [False, True, False],
            id="by all rows of a location",
        ),
        pytest.param([visit(7, day(1), basic=True, bounce=1)], [False], id="bounces are measured"),
        pytest.param([visit(7, day(1), basic=True, dwell_time=9.0)], [False], id="a mean is measured"),
        pytest.param(
            [visit(7, day(1), basic=True, dwell_time_stats=DwellTimeStats(mean=0, min=0, max=0, quantiles=(), n=0))],
            [True],
            id="statistics of nothing are empty",
        ),
        pytest.param(
            [visit(7, day(1), basic=True, dwell_time_stats=DwellTimeStats(n=3))], [False], id="statistics are measured"
        ),
        pytest.param([visit(7, day(1), basic=True, unique_visits=None)], [True], id="null counts as nothing"),
    ],
)
def test_zeros_that_nobody_measured_become_none(rows: list[ZoneVisitorsRow], hidden: list[bool]) -> None:
    """Decided by zone, quiet zones with their location or, where rows tell none, with their clock; with a note."""
    plan = Plan(ZoneVisitors(*DAYS, tz="UTC"))
    result = merge(plan, [visits(*rows)])
    assert [row.unique_visits is row.bounce is row.dwell_time is None for row in result] == hidden
    assert all(row.dwell_time_stats is None for row, gone in zip(result, hidden, strict=True) if gone)
    assert kinds(result) == (["unlicensed_metrics"] if any(hidden) else [])
    assert [row.visits for row in result] == [
        row.visits for row in sorted(rows, key=lambda row: row.aggregation.bucket.dayofmonth or 0)
    ]
    alone = Licences().hide(Chunk(query=plan.query, request=plan.requests[0], answer=visits(*rows)))
    assert sorted(row.unique_visits is None for row in alone.rows) == sorted(
        gone or row.unique_visits is None for row, gone in zip(result, hidden, strict=True)
    )


def test_a_licence_is_judged_over_windows_parts_of_a_list_and_periods() -> None:
    """One quiet piece says nothing."""
    basic, measured = visit(7, day(1), basic=True), visit(7, day(9))
    cut = Plan(ZoneVisitors(*DAYS, tz="UTC", aggregate_by="dayofmonth", split=5))
    assert kinds(merge(cut, [visits(basic), visits(measured)])) == []
    assert kinds(merge(cut, [visits(basic), visits()])) == ["unlicensed_metrics"]
    parts = Plan(ZoneVisitors(*DAYS, tz="UTC", zones=range(10**6, 10**6 + 1_000)))
    assert kinds(merge(parts, [visits(basic), visits(measured)])) == []
    both = Plan(ZoneVisitors(*DAYS, tz="UTC", **OTHER))
    assert kinds(merge(both, [visits(basic, comparison=(measured,))])) == []
    result = merge(both, [visits(basic, comparison=(basic,))])
    assert result.comparison.insights[0].unique_visits is None


CUT_VISITS = Plan(ZoneVisitors(*DAYS, tz="UTC", aggregate_by="dayofmonth", split=5))
BOTH = Plan(ZoneVisitors(*DAYS, tz="UTC", **OTHER))
MEASURED, MANY, FEW = visit(7, day(9)), visit(7, day(1), 10, basic=True), visit(7, day(1), 9, basic=True)


@pytest.mark.parametrize(
    ("plan", "answers", "is_told"),
    [
        pytest.param(Plan(ZoneVisitors(*DAYS, tz="UTC")), [visits(MANY, MEASURED)], True, id="in one answer"),
        pytest.param(CUT_VISITS, [visits(MANY), visits(MEASURED)], True, id="in two windows"),
        pytest.param(BOTH, [visits(MEASURED, comparison=(MANY,))], True, id="in the comparison"),
        pytest.param(CUT_VISITS, [visits(visit(7, day(1), 10, unique_visits=0)), visits()], True, id="alone"),
        pytest.param(CUT_VISITS, [visits(FEW), visits(MEASURED)], False, id="few"),
        pytest.param(CUT_VISITS, [visits(MANY), visits(visit(8, day(9)))], False, id="not measured at all"),
    ],
)
def test_many_visits_and_no_visitor_are_told(plan: Plan, answers: list[Answer], is_told: bool) -> None:
    """Where a zone is measured, if not always: its plan changed on the way, or visitors were lost."""
    notes = [note for note in merge(plan, answers).notes if note.kind == "implausible_figures"]
    assert [note.message.startswith("The row of zone 7, year 2025, month 3, dayofmonth 1 has") for note in notes] == [
        True
    ] * is_told
    licences = Licences()
    streamed = [
        licences.hide(Chunk(query=plan.query, request=request, answer=answer))
        for request, answer in zip(plan, answers[::-1], strict=True)
    ]
    assert [note.kind for chunk in streamed for note in chunk.notes].count("implausible_figures") == is_told


@pytest.mark.parametrize(
    ("placed", "zones", "named"),
    [
        ([124, None], [8, 7], "zones 7 are"),
        ([None] * 10, range(19, 9, -1), "zones 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 are"),
        ([None] * 11, range(10, 21), "zones 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 1 more are"),
    ],
)
def test_zones_of_no_known_location_are_named(placed: list[int | None], zones: Sequence[int], named: str) -> None:
    """Ten of them, in order; where each has one there is nothing to say."""
    plan = Plan(ZoneVisitors(*DAYS, tz="UTC"))
    rows = [visit(zone, day(1), loc_id=at) for zone, at in zip(zones, placed, strict=True)]
    known = attrs.evolve(KNOWN, has_asked_for_zones=True)
    (note,) = [note for note in merge(plan, [visits(*rows)], known).notes if note.kind == "location_unknown"]
    assert named in note.message
    assert kinds(merge(plan, [visits(visit(7, day(1), loc_id=124))], known)) == []
    assert "location_unknown" not in kinds(merge(plan, [visits(*rows)]))  # it was not looked for


def test_clocks_are_judged_apart() -> None:
    """One token may see Basic and Pro organisations."""
    result = merge(TWO_CLOCKS, [visits(visit(7, day(1), basic=True)), visits(visit(8, day(1)))])
    assert [row.unique_visits for row in result] == [None, 4]
    assert kinds(result) == ["unlicensed_metrics"]


def test_a_chunk_alone_is_judged_by_itself() -> None:
    """In a stream; what is measured, and what is no zone_visitors, stays as it is."""
    plan = Plan(ZoneVisitors(*DAYS, tz="UTC", **OTHER))
    chunk = Chunk(query=plan.query, request=plan.requests[0], answer=visits(visit(7, day(1))))
    assert Licences().hide(chunk) is chunk
    failed = attrs.evolve(chunk, answer=None, error=ERROR)
    assert Licences().hide(failed) is failed
    basic = attrs.evolve(chunk, answer=visits(comparison=(visit(7, day(1), basic=True),)))
    assert [row.unique_visits for row in Licences().hide(basic).rows] == [None]


# Drop-in rates.


def block(
    zones: dict[int, dict[int, tuple[int, int]]], *, summary: bool = True, details: bool = True, **fields: Any
) -> Block:
    """Make a block of {zone: {day: (visits, passing_by)}}, its summary and details being the sums."""
    found = tuple(
        ZoneDropIn(
            zone_id=zone,
            total_visits=sum(visits for visits, _ in days.values()),
            total_passing_by=sum(passing for _, passing in days.values()),
            drop_in_rate=1.5,
            details=tuple(
                ZoneDropInRow(bucket=day(number), visits=visits, passing_by=passing, drop_in_rate=1.5, zone_id=zone)
                for number, (visits, passing) in days.items()
            ),
            **fields,
        )
        for zone, days in zones.items()
    )
    labels = sorted({number for days in zones.values() for number in days})
    rows = tuple(
        DropInRow(
            bucket=day(number),
            enter=sum(days.get(number, (0, 0))[0] for days in zones.values()),
            passing_by=sum(days.get(number, (0, 0))[1] for days in zones.values()),
            drop_in_rate=1.5,
        )
        for number in labels
    )
    totals = DropInTotals(
        startdate="a",
        enddate="b",
        enter=sum(row.enter for row in rows),
        passing_by=sum(row.passing_by for row in rows),
        enter_percentage=1.5,
    )
    return Block(summary=totals if summary else None, details=rows if details else (), zones=found)


def rates(current: Block, comparison: Block | None = None, interval: str | None = "day") -> Answer:
    return Answer(interval=interval, current=current, comparison=comparison)


@pytest.mark.parametrize(("week", "contradicted"), [(10, False), (40, True)])
def test_numbers_of_rates_are_held_against_the_profile(week: int, contradicted: bool) -> None:
    """Their rows are those of the details, of both periods."""
    query = DropInRate(*DAYS, **OTHER, location=124, tz="UTC", interval="week")
    current, comparison = (
        attrs.evolve(
            block({7: {1: (1, 2)}}),
            details=(DropInRow(bucket=Bucket(year=year, week=week), enter=1, passing_by=2, drop_in_rate=50.0),),
        )
        for year in (2025, 2024)
    )
    result = merge(Plan(query, profile=MONDAYS), [rates(current, comparison, "week")])
    assert ("profile_contradicted" in kinds(result)) is contradicted


RATES = Plan(DropInRate(*DAYS, interval="day", location=124))
GROUPS = Plan(DropInRate(*DAYS, interval="day"), locations=CLOCKS)
CUT = Plan(DropInRate(*DAYS, interval="day", location=124, split=5))


def test_one_answer_is_passed_on() -> None:
    """Its own rates, and its own summary, between the dates that were asked for; zones and rows in order."""
    result = merge(RATES, [rates(block({9: {2: (1, 4), 1: (2, 4)}, 7: {1: (3, 4)}}), interval=None)])
    assert isinstance(result, DropInRateResult)
    assert result.summary.current == DropInTotals(
        startdate="2025-03-01", enddate="2025-03-10", enter=6, passing_by=12, enter_percentage=1.5
    )
    assert [(row.bucket.dayofmonth, row.enter, row.drop_in_rate) for row in result] == [(1, 5, 1.5), (2, 1, 1.5)]
    assert list(result.zone_details.current) == [7, 9]
    assert [row.bucket.dayofmonth for row in result.zone_details.current[9].details] == [1, 2]
    assert (result.details.interval, result.details.comparison, result.zone_details.comparison) == ("day", None, None)
    assert result.summary.comparison is None


def test_groups_are_added_and_their_rates_computed() -> None:
    """Nine o'clock here and nine o'clock there is one label; zones are united."""
    result = merge(GROUPS, [rates(block({7: {1: (1, 3), 2: (1, 0)}})), rates(block({8: {1: (1, 5), 2: (2, 0)}}))])
    assert result.summary.current.enter_percentage == round(100 * 5 / 8, 1)
    assert [(row.enter, row.passing_by, row.drop_in_rate) for row in result] == [(2, 8, 25.0), (3, 0, None)]
    assert {id: zone.drop_in_rate for id, zone in result.zone_details.current.items()} == {7: 1.5, 8: 1.5}
    assert kinds(result) == ["drop_in_over_100"]  # where nobody passed


def test_windows_are_put_together_by_zone() -> None:
    """Totals are sums and their rate is computed; an unknown field stays where the windows agree on it."""
    one = block({7: {1: (1, 2)}, 8: {2: (1, 1)}}, extra=FrozenMap({"kind": "shop", "rank": 1}))
    other = block({7: {6: (2, 6)}}, extra=FrozenMap({"kind": "shop", "rank": 2}))
    result = merge(CUT, [rates(one), rates(other)])
    zone = result.zone_details.current[7]
    assert (zone.total_visits, zone.total_passing_by, zone.drop_in_rate) == (3, 8, 37.5)
    assert [row.bucket.dayofmonth for row in zone.details] == [1, 6]
    assert zone.extra == FrozenMap({"kind": "shop"})
    assert [row.bucket.dayofmonth for row in result] == [1, 2, 6]
    assert result.summary.current.enter == 4


def test_nobody_passing_is_no_rate() -> None:
    """Sums of nothing have none."""
    result = merge(CUT, [rates(block({7: {1: (1, 0)}})), rates(block({7: {6: (2, 0)}}))])
    assert result.summary.current.enter_percentage is None
    assert result.zone_details.current[7].drop_in_rate is None


def test_a_summary_left_out_is_that_of_the_details() -> None:
    """By one answer or by one of several."""
    left_out, said = block({7: {1: (1, 4)}}, summary=False), block({8: {1: (1, 4)}})
    assert merge(RATES, [rates(left_out)]).summary.current.enter_percentage == 25.0
    assert merge(GROUPS, [rates(left_out), rates(said)]).summary.current.passing_by == 8
    assert merge(RATES, [rates(block({}, summary=False))]).summary.current.passing_by == 0


def test_a_zone_of_two_groups_is_a_conflict() -> None:
    """Also on different days: a zone has one place."""
    with pytest.raises(MergeConflictError, match="a zone: expected zone 7 in the answers for locations 124 only"):
        merge(GROUPS, [rates(block({7: {1: (1, 3)}})), rates(block({7: {2: (1, 5)}}))])


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        pytest.param({7: {1: (1, 3)}}, {7: {1: (1, 3)}}, "the row of year 2025, month 3, dayofmonth 1", id="details"),
        pytest.param({7: {1: (1, 3)}}, {8: {1: (1, 3)}}, "the row of year 2025, month 3, dayofmonth 1", id="two zones"),
    ],
)
def test_a_label_of_two_windows_is_a_conflict(one: Any, other: Any, message: str) -> None:
    """Of our own making, so that it can be asked unsplit."""
    with pytest.raises(OwnCutConflictError, match=message):
        merge(CUT, [rates(block(one)), rates(block(other))])


def test_a_label_of_two_windows_in_one_zone_is_a_conflict() -> None:
    """Also where the details do not show it."""
    parts = [rates(block({7: {1: (1, 3)}}, details=False)) for _ in range(2)]
    with pytest.raises(OwnCutConflictError, match="the row of zone 7, year 2025, month 3, dayofmonth 1"):
        merge(CUT, parts)


def test_two_periods_of_rates() -> None:
    """From one answer or from two; the interval is that of the current period."""
    now, then = block({7: {1: (1, 4)}}), block({7: {2: (3, 4)}})
    one = Plan(DropInRate(*DAYS, interval="day", location=124, **OTHER))
    together = merge(one, [rates(now, then)])
    two = Plan(DropInRate(*DAYS, interval="day", location=124, comparison_interval="hour", **OTHER))
    apart = merge(two, [rates(now), rates(then, interval="hour")])
    for name in ("summary", "zone_details", "details"):
        assert getattr(together, name) == getattr(apart, name)
    assert apart.summary.comparison.startdate == "2024-03-01"
    lost = merge(two, [None, rates(then, interval="hour")])
    assert lost.details.interval == "day"
    assert (len(lost), len(lost.details.comparison)) == (0, 1)
    assert merge(one, [rates(now)]).zone_details.comparison == {}


def test_a_sum_that_lacks_a_share_is_noted() -> None:
    """The summary is one over all requests."""
    assert kinds(merge(GROUPS, [rates(block({7: {1: (1, 3)}})), None])) == ["partial_sum"]
    assert kinds(merge(RATES, [None])) == ["partial_sum"]
    added = merge(GROUPS, [rates(block({7: {1: (1, 3)}})), rates(block({8: {1: (1, 3)}}))])
    assert kinds(added) == []


def test_unknown_fields_of_added_rows_stay_where_they_agree() -> None:
    """Nobody knows how the others add up."""
    one, other = (
        attrs.evolve(found, details=(attrs.evolve(found.details[0], extra=FrozenMap({"open": True, "staff": number})),))
        for number, found in enumerate([block({7: {1: (1, 3)}}), block({8: {1: (1, 3)}})])
    )
    assert merge(GROUPS, [rates(one), rates(other)])[0].extra == FrozenMap({"open": True})


@pytest.mark.parametrize(
    ("zones", "message"),
    [
        ({7: {1: (5, 4)}}, "Zones: 7."),
        ({7: {1: (5, 4), 2: (0, 90)}, 8: {1: (9, 9)}}, "Zones: 7."),
        ({7: {1: (4, 4)}, 8: {2: (9, 10)}}, None),
        ({7: {1: (3, 0)}}, "Zones: 7."),
    ],
)
def test_rates_above_100_are_noted(zones: Any, message: str | None) -> None:
    """Of a zone as a whole or in one of its buckets, also with nobody passing; a sign of how lines are set up."""
    found = block(zones)
    exact = attrs.evolve(
        found,
        zones=tuple(
            attrs.evolve(
                zone,
                drop_in_rate=_percent(zone.total_visits, zone.total_passing_by),
                details=tuple(
                    attrs.evolve(row, drop_in_rate=_percent(row.visits, row.passing_by)) for row in zone.details
                ),
            )
            for zone in found.zones
        ),
    )
    result = merge(RATES, [rates(exact)])
    assert kinds(result) == ([] if message is None else ["drop_in_over_100"])
    told = [note for note in result.notes if note.kind != "unscoped_drop_in"]
    assert all(message is not None and str(note).endswith(message) for note in told)


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def test_rates_above_100_of_all_zones_together_are_noted() -> None:
    """Also where no zone shows it; and in the comparison."""
    over = attrs.evolve(block({}), details=(DropInRow(bucket=day(1), enter=5, passing_by=4, drop_in_rate=125.0),))
    assert kinds(merge(RATES, [rates(over)])) == ["drop_in_over_100"]
    both = Plan(DropInRate(*DAYS, interval="day", location=124, **OTHER))
    assert kinds(merge(both, [rates(block({}), over)])) == ["drop_in_over_100"]


# Notes.


def test_lines_without_a_scope_are_noted() -> None:
    """A visitor is counted once for every line crossed."""
    for scope, expected in (({}, ["unscoped_lines"]), ({"zone_from": 3}, []), ({"floor": 0}, ["unscoped_lines"])):
        result = merge(Plan(LineCrosses(*DAYS, location=124, **scope)), [lines((day(1), 1))])  # type: ignore[arg-type]
        assert kinds(result) == expected


LISTED = {id: Location(id=id, timezone=tz) for id, tz in [*CLOCKS, (9, None)]}


def crossings(location: int | None = None) -> Plan:
    return Plan(LineCrosses(*DAYS, location=location, line_ids=1))


@pytest.mark.parametrize(
    ("plan", "now", "listed", "clocks"),
    [
        pytest.param(Plan(ZoneVisitors(*DAYS, tz="UTC")), "2025-03-10T23:59", None, ["UTC"], id="still today"),
        pytest.param(Plan(ZoneVisitors(*DAYS, tz="UTC")), "2025-03-11T00:00", None, None, id="over at midnight"),
        pytest.param(Plan(ZoneVisitors(*DAYS, tz="UTC")), "2025-01-01T00:00", None, ["UTC"], id="still to come"),
        pytest.param(
            Plan(ZoneVisitors(*DAYS, tz="Pacific/Kiritimati")), "2025-03-10T10:00", None, None, id="over there already"
        ),
        pytest.param(TWO_CLOCKS, "2025-03-11T02:00", None, ["America/New_York"], id="each on its clock"),
        pytest.param(TWO_CLOCKS, "2025-03-10T02:00", None, ["America/New_York, Europe/Stockholm"], id="on both clocks"),
        pytest.param(
            Plan(ZoneVisitors(*DAYS, tz="UTC", comparison_start_date="2025-03-11", comparison_end_date="2025-03-12")),
            "2025-03-12T12:00",
            None,
            ["UTC"],
            id="the comparison",
        ),
        pytest.param(crossings(301), "2025-03-11T02:00", LISTED, ["New_York"], id="known"),
        pytest.param(crossings(124), "2025-03-11T02:00", LISTED, None, id="known, over"),
        pytest.param(crossings(), "2025-03-11T13:00", LISTED, None, id="all, over"),
        pytest.param(crossings(), "2025-03-11T11:59", LISTED, ["not known"], id="one without"),
        pytest.param(crossings(), "2025-03-11T11:59", None, ["not known"], id="nothing known"),
        pytest.param(crossings(), "2025-03-11T12:00", None, None, id="over everywhere"),
        pytest.param(crossings(5), "2025-03-11T11:59", LISTED, ["not known"], id="unlisted"),
    ],
)
def test_days_that_have_not_ended_are_noted(
    plan: Plan, now: str, listed: dict[int, Location] | None, clocks: list[str] | None
) -> None:
    """At the location, by the clock that was asked for or is known; else by the last clock on earth."""
    empty: Answer = lines() if isinstance(plan.query, LineCrosses) else visits()
    known = Known(
        now=datetime.fromisoformat(now).replace(tzinfo=UTC), lists={"locations": listed} if listed is not None else {}
    )
    notes = [note for note in merge(plan, [empty] * len(plan), known).notes if note.kind == "provisional_period"]
    assert len(notes) == (clocks is not None)
    for note, text in zip(notes, clocks or [], strict=True):
        assert text in note.message


@pytest.mark.parametrize(
    ("locations", "rows", "unlisted"),
    [
        ([124, 999], [], "999"),
        ([999], [], "999"),
        ([999], [visit(7, day(1))], None),
        ([124, 999, 998], [visit(7, day(1))], "998, 999"),
        ([124], [], None),
        (None, [], None),
    ],
)
def test_ids_that_no_list_has_are_noted(locations: Any, rows: list[ZoneVisitorsRow], unlisted: str | None) -> None:
    """Unless their own rows show that they are in scope; without a list in hand nothing is said."""
    plan = Plan(ZoneVisitors(*DAYS, tz="UTC", location=locations))
    result = merge(plan, [visits(*rows)], Known(now=LATER, lists={"locations": LISTED}))
    assert kinds(result) == ([] if unlisted is None else ["possibly_out_of_scope"])
    assert all(f"Locations {unlisted} are not" in note.message for note in result.notes)
    assert kinds(merge(plan, [visits(*rows)])) == []
    assert "possibly_out_of_scope" not in kinds(merge(plan, [None], Known(now=LATER, lists={"locations": LISTED})))


def test_an_empty_list_of_locations_is_noted() -> None:
    """Nothing was asked, which is not a measured zero."""
    result = merge(Plan(ZoneVisitors(*DAYS), locations=()), [])
    assert (kinds(result), len(result), result.complete) == (["no_locations"], 0, True)


# Chunks.


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        pytest.param(lines((day(1), 1), (day(2), 1)), 2, id="lines"),
        pytest.param(lines(), 0, id="no lines"),
        pytest.param(visits(visit(7, day(1)), comparison=(visit(7, day(1)),)), 2, id="visits of both periods"),
        pytest.param(visits(visit(7, day(1))), 1, id="visits"),
        pytest.param(rates(block({7: {1: (1, 2), 2: (1, 2)}}), block({8: {1: (1, 2)}})), 3, id="rates of both periods"),
        pytest.param(rates(block({7: {1: (1, 2)}})), 1, id="rates"),
        pytest.param(None, 0, id="a failure"),
    ],
)
def test_a_chunk_counts_its_rows(answer: Answer | None, rows: int) -> None:
    """Those of every period; of rates the zones' own."""
    chunk = Chunk(query=RATES.query, request=RATES.requests[0], answer=answer)
    assert chunk.row_count == len(chunk.rows) == rows
    if answer is not None:
        assert (answer.first_row is not None) == (rows > 0)
