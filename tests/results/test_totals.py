"""What adds up is added exactly, what does not is refused or bounded."""

from __future__ import annotations

import math
import re
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st
from oracle import KNOWN, LOCATIONS, WORLD, answer, examples

from indivd_async import (
    Aggregation,
    Bucket,
    DropInRate,
    DropInRateResult,
    DwellTimeStats,
    Exclude,
    InvalidQueryError,
    LineCrosses,
    LineCrossesResult,
    LineCrossesRow,
    NotMergeableError,
    Plan,
    ZoneVisitors,
    ZoneVisitorsPeriod,
    ZoneVisitorsResult,
    ZoneVisitorsRow,
)
from indivd_async.merging import merge_chunks
from indivd_async.planning import make_plan
from indivd_async.queries import Query
from indivd_async.results.drop_in_rate import rate

DAYS = ("2025-03-01", "2025-03-10")


def row(
    zone: int = 7,
    visits: int = 10,
    *,
    day: int = 1,
    n: int | None = 10,
    mean: float | None = 60.0,
    low: float | None = 1.0,
    high: float | None = 90.0,
    uniques: int | None = 8,
    threshold: int | None = 120,
    loc_id: int | None = None,
    **fields: Any,
) -> ZoneVisitorsRow:
    fields.setdefault("bounce", 2)
    fields.setdefault("dwell_time", mean)
    fields.setdefault("exclude", Exclude(min_dwell_time=0, max_dwell_time=0))
    fields.setdefault("dwell_time_stats", DwellTimeStats(mean=mean, min=low, max=high, quantiles=(1.0, 2.0, 3.0), n=n))
    place = Aggregation(zone_id=zone, bucket=Bucket(dayofmonth=day), bounce_threshold=threshold, loc_id=loc_id)
    return ZoneVisitorsRow(visits=visits, unique_visits=uniques, aggregation=place, **fields)


def visits(*rows: ZoneVisitorsRow) -> ZoneVisitorsResult:
    period = ZoneVisitorsPeriod(startdate=DAYS[0], enddate=DAYS[1], insights=rows)
    return ZoneVisitorsResult(plan=Plan(ZoneVisitors(*DAYS, tz="UTC")), coverage=(), current=period)


NONE_LEFT = row(visits=4, n=0, mean=0.0, low=None, high=None)
UNSTATED = row(visits=0, dwell_time_stats=None)
ALL_EXCLUDED = row(visits=3, dwell_time_stats=None, exclude=Exclude(min_dwell_time=2, max_dwell_time=1))


@pytest.mark.parametrize(
    ("rows", "metric", "total"),
    [
        ([row(visits=3), row(visits=4)], "visits", 7),
        ([], "visits", 0),
        ([row(), row(8, threshold=60)], "bounce", 4),
        ([row(n=3), row(n=4)], "n", 7),
        ([row(n=3), row(n=4)], "dwell_time_stats.n", 7),
        ([row(n=3), NONE_LEFT, UNSTATED], "n", 3),
        ([row(exclude=Exclude(min_dwell_time=1, max_dwell_time=2)), row()], "min_dwell_time", 1),
        ([row(exclude=Exclude(min_dwell_time=1, max_dwell_time=2)), row()], "exclude.max_dwell_time", 2),
        ([row(n=1, mean=10.0), row(n=3, mean=50.0)], "dwell_time", 40.0),
        ([row(n=1, mean=10.0), row(n=3, mean=50.0)], "mean", 40.0),
        ([row(n=1, mean=10.0), NONE_LEFT, UNSTATED, ALL_EXCLUDED], "dwell_time", 10.0),
        ([row(n=3, mean=187.3)], "dwell_time", 187.3),
        ([row(dwell_time=187.5, dwell_time_stats=None)], "dwell_time", 187.5),
        ([NONE_LEFT], "dwell_time", None),
        ([ALL_EXCLUDED], "dwell_time", None),
        ([UNSTATED, NONE_LEFT], "dwell_time", None),
        ([], "dwell_time", None),
        ([row(low=5.0), row(low=3.0), NONE_LEFT], "min", 3.0),
        ([row(high=5.0), row(high=7.0), UNSTATED], "max", 7.0),
        ([row(high=5.0)], "dwell_time_stats.max", 5.0),
        ([NONE_LEFT], "min", None),
        ([], "max", None),
        ([row(uniques=8)], "unique_visits", 8),
        ([row(uniques=None)], "unique_visits", None),
        ([], "unique_visits", 0),
        ([row(exclude=None, n=2, visits=2)], "n", 2),
    ],
)
def test_what_adds_up_is_added(rows: list[ZoneVisitorsRow], metric: str, total: float | None) -> None:
    """Sums, means weighted by n, extremes over rows with visits; a single row is its own total."""
    assert visits(*rows).total(metric) == total


@pytest.mark.parametrize(
    ("rows", "metric", "message"),
    [
        ([row(), row()], "unique_visits", 'someone seen in two rows is one person. Ask .*aggregate_by="zone"'),
        ([row()], "quantiles", "quantiles of parts"),
        ([row(), row()], "dwell_time_stats.quantiles", "quantiles of parts.*as one bucket"),
        ([row(threshold=60), row(threshold=90)], "bounce", "threshold of zone 7 changed.*explicit bounce_threshold"),
        ([row(bounce=None), row()], "bounce", "1 of 2 rows do not tell it.*plan measures it"),
        ([row(exclude=None), row()], "min_dwell_time", "1 of 2 rows do not tell it"),
        ([row(exclude=Exclude())], "exclude.max_dwell_time", "1 of 1 rows do not tell it"),
        ([row(dwell_time_stats=None), row()], "dwell_time", "lacks dwell_time_stats or its n"),
        ([row(n=None), row()], "mean", "lacks dwell_time_stats or its n, the weight"),
        ([row(dwell_time_stats=None, exclude=None), row()], "n", "lacks dwell_time_stats"),
        ([row(low=None), row()], "min", "lacks dwell_time_stats"),
    ],
)
def test_what_does_not_add_up_is_refused(rows: list[ZoneVisitorsRow], metric: str, message: str) -> None:
    """The error names the metric, says why, and what to ask instead."""
    with pytest.raises(NotMergeableError, match=message) as caught:
        visits(*rows).total(metric)
    error = caught.value
    assert error.metric == metric
    assert str(error) == f"{metric} cannot be added up: {error.reason}. {error.instead}"


@pytest.mark.parametrize("metric", ["count", "", "exclude.n", "dwell_time_stats", "bucket"])
def test_a_metric_that_is_none_is_refused(metric: str) -> None:
    """With the names of those that are."""
    with pytest.raises(InvalidQueryError, match=rf"metric: must be one of visits, .*got '{metric}'"):
        visits(row()).total(metric)


def test_a_period_that_was_not_asked_for_is_refused() -> None:
    """By every method that takes one."""
    result = visits(row())
    for ask in (
        lambda: result.total("visits", period="comparison"),
        lambda: result.unique_visits_bounds(period="comparison"),
        lambda: result.cross_visitation(7, 7, period="comparison"),
        lambda: result.total("visits", period="last"),  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidQueryError, match="period: must be a period of this result"):
            ask()


# Lines.


def lines(query: LineCrosses) -> LineCrossesResult:
    rows = tuple(LineCrossesRow(bucket=Bucket(dayofmonth=day), count=day) for day in (1, 2, 3))
    return LineCrossesResult(plan=Plan(query), coverage=(), rows=rows)


@pytest.mark.parametrize("per", [None, "location", "organization", "floor", "line"])
def test_counts_add_up(per: Any) -> None:
    """Over time, and over what no line is shared by."""
    given = {} if per is None else {{"line": "line_ids"}.get(per, per): [1, 2]}
    assert lines(LineCrosses(*DAYS, per=per, **given)).total() == 6  # type: ignore[arg-type]


@pytest.mark.parametrize("per", ["zone_to", "zone_from", "category"])
def test_counts_that_may_hold_a_line_twice_do_not(per: str) -> None:
    """One line may stand behind several zones or categories."""
    with pytest.raises(NotMergeableError, match=f"per {per}.*Ask without per"):
        lines(LineCrosses(*DAYS, per=per, **{per: [1, 2]})).total()
    with pytest.raises(InvalidQueryError, match="metric: must be count; got 'visits'"):
        lines(LineCrosses(*DAYS)).total("visits")


# Rates.


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [(4532, 7497, 60.5), (1, 0, None), (0, 5, 0.0), (9, 8, 112.5), (1, 3, 33.3)]
)
def test_a_rate_is_a_percentage_to_one_decimal(part: int, whole: int, percent: float | None) -> None:
    """As the API rounds; none of nobody, and above 100 where more went in."""
    assert rate(part, whole) == percent


def fetched(query: Query) -> Any:
    plan = make_plan(query, LOCATIONS)
    return merge_chunks(plan, [answer(WORLD, query, request) for request in plan], KNOWN)


def test_totals_of_rates_are_those_of_the_summary() -> None:
    """Of either period."""
    result = fetched(DropInRate(*DAYS, location=124, comparison_start_date=DAYS[0], comparison_end_date=DAYS[0]))
    assert isinstance(result, DropInRateResult)
    for period, totals in (("current", result.summary.current), ("comparison", result.summary.comparison)):
        assert totals is not None
        assert result.total("enter", period=period) == totals.enter  # type: ignore[arg-type]
        assert result.total("passing_by", period=period) == totals.passing_by  # type: ignore[arg-type]
        assert result.total("drop_in_rate", period=period) == totals.enter_percentage  # type: ignore[arg-type]
    with pytest.raises(InvalidQueryError, match="must be one of passing_by, enter, drop_in_rate; got 'visits'"):
        result.total("visits")
    alone = fetched(DropInRate(*DAYS, location=124))
    with pytest.raises(InvalidQueryError, match="period: must be a period of this result; got 'comparison'"):
        alone.total("enter", period="comparison")


# Bounds.


@pytest.mark.parametrize(
    ("rows", "bounds"),
    [
        ([], (0, 0)),
        ([row(uniques=5)], (5, 5)),
        ([row(uniques=5), row(uniques=3)], (5, 8)),
        ([row(uniques=5, loc_id=1), row(uniques=3, loc_id=1), row(uniques=4, loc_id=2)], (9, 12)),
        ([row(uniques=5, loc_id=1), row(uniques=3)], (5, 8)),
        ([row(uniques=5, tz="UTC"), row(uniques=3, tz="UTC"), row(uniques=4, tz="Asia/Tokyo")], (9, 12)),
    ],
)
def test_people_are_bounded(rows: list[ZoneVisitorsRow], bounds: tuple[int, int]) -> None:
    """The fullest row, and all rows together; nobody is known across locations, nor across clocks."""
    assert visits(*rows).unique_visits_bounds() == bounds


def test_people_are_bounded_by_zone_location_and_bucket() -> None:
    """One pair each."""
    rows = [
        row(7, uniques=5, day=1, loc_id=1),
        row(7, uniques=3, day=2, loc_id=1),
        row(8, uniques=4, day=1, loc_id=1),
        row(9, uniques=1, day=1, loc_id=2),
    ]
    result = visits(*rows)
    assert result.unique_visits_bounds("zone_id") == {7: (5, 8), 8: (4, 4), 9: (1, 1)}
    assert result.unique_visits_bounds("loc_id") == {1: (5, 12), 2: (1, 1)}
    assert result.unique_visits_bounds("bucket") == {Bucket(dayofmonth=1): (6, 10), Bucket(dayofmonth=2): (3, 3)}


def test_people_who_are_not_measured_are_not_bounded() -> None:
    """Nor by a location that rows do not tell, nor by what is no key."""
    with pytest.raises(NotMergeableError, match="unique_visits cannot be added up: 1 of 2 rows do not tell it"):
        visits(row(), row(uniques=None)).unique_visits_bounds()
    with pytest.raises(NotMergeableError, match=r"rows do not tell their location.*loc_id among the groupings"):
        visits(row()).unique_visits_bounds("loc_id")
    with pytest.raises(InvalidQueryError, match="by: must be None or one of zone_id, loc_id, bucket; got 'day'"):
        visits(row()).unique_visits_bounds("day")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("a", "b", "location", "bounds"),
    [
        (50, 70, None, (0, 50)),
        (50, 70, 100, (20, 50)),
        (50, 70, 120, (0, 50)),
        (50, 70, 500, (0, 50)),
        (50, 70, 70, (50, 50)),
        (50, 70, 0, (50, 50)),
    ],
)
def test_visitors_of_two_zones_are_bounded(a: int, b: int, location: int | None, bounds: tuple[int, int]) -> None:
    """At least A + B less everybody, at most the smaller; low is 0 without the location's uniques."""
    result = visits(row(7, uniques=a), row(8, uniques=b))
    assert result.cross_visitation(7, 8, location) == bounds
    assert result.cross_visitation(8, 7, location_uniques=location) == bounds


def test_zones_of_two_locations_share_nobody() -> None:
    """Visitors are recognised within one location; where rows tell none, their clocks tell as much."""
    apart = visits(row(7, uniques=5, loc_id=1), row(8, uniques=4, loc_id=2))
    assert apart.cross_visitation(7, 8) == (0, 0)
    together = visits(row(7, uniques=5, loc_id=1), row(8, uniques=4, loc_id=1))
    assert together.cross_visitation(7, 8) == (0, 4)
    clocks = [attrs.evolve(row(zone, uniques=4), tz=tz) for zone, tz in ((7, "Asia/Tokyo"), (8, "Asia/Seoul"))]
    assert visits(*clocks).cross_visitation(7, 8) == (0, 0)


def test_a_zone_that_is_not_there_has_no_visitors_to_compare() -> None:
    """Nor is a number of people negative."""
    result = visits(row(7))
    for a, b, name in ((9, 7, "zone_a"), (7, 9, "zone_b")):
        with pytest.raises(InvalidQueryError, match=f"{name}: must be a zone of this result; got 9"):
            result.cross_visitation(a, b)
    with pytest.raises(
        InvalidQueryError, match=re.escape("location_uniques: must be a number of people, not negative; got -1")
    ):
        result.cross_visitation(7, 7, -1)


@pytest.mark.parametrize(
    "query",
    [
        LineCrosses("2025-03-01", "2025-03-02", location=124),
        ZoneVisitors("2025-03-01", "2025-03-02", location=124, min_dwell=20, max_dwell=600),
        DropInRate("2025-03-01", "2025-03-02", location=124),
    ],
    ids=lambda query: query.endpoint.name,
)
def test_what_is_totalled_goes_by_the_names_of_columns(query: Any) -> None:
    """Each figure of the table has a total, or is refused for a reason that is its own."""
    result = fetched(query)
    figures = [name for name in result.to_dicts()[0] if name in ADDING]
    assert figures
    for name in figures:
        if name == "unique_visits" or "_q" in name:
            with pytest.raises(NotMergeableError, match=f"^{name} cannot be added up"):
                result.total(name)
        else:
            told = result.total(name)
            assert ADDING[name] is None or told == ADDING[name](each[name] for each in result.to_dicts())


#: The columns of figures, and what makes a total of them where it is as simple as that.
ADDING: dict[str, Any] = {
    **dict.fromkeys(("count", "visits", "bounce", "dwell_n", "passing_by", "enter"), sum),
    **dict.fromkeys(("visits_below_min_dwell", "visits_above_max_dwell"), sum),
    "dwell_min_s": min,
    "dwell_max_s": max,
    **dict.fromkeys(("unique_visits", "dwell_mean_s", "dwell_q25_s", "dwell_q50_s", "dwell_q75_s", "drop_in_rate")),
}


# Against single visitors.


@examples(12)
@given(days=st.integers(1, 9), location=st.sampled_from([124, 125, 127]), bounce=st.sampled_from([-1, 45]))
def test_totals_of_days_are_those_of_the_whole(days: int, location: int, bounce: int) -> None:
    """What is added over days equals what the service says of the whole period, and bounds hold the truth."""
    asked = {"location": location, "bounce_threshold": bounce, "min_dwell": 20, "max_dwell": 2_000}
    dates = ("2025-03-01", f"2025-03-{days:02}")
    parts = fetched(ZoneVisitors(*dates, aggregate_by="dayofmonth", **asked))  # type: ignore[arg-type]
    whole = fetched(ZoneVisitors(*dates, aggregate_by="zone", **asked))  # type: ignore[arg-type]
    for metric in ("visits", "bounce", "n", "min_dwell_time", "max_dwell_time", "min", "max"):
        assert parts.total(metric) == whole.total(metric)
    mean, exact = parts.total("dwell_time"), whole.total("dwell_time")
    assert (mean is None) == (exact is None)
    if mean is not None and exact is not None:
        assert math.isclose(mean, exact, abs_tol=0.11)  # the service rounds its means
    for zone in whole:
        low, high = parts.unique_visits_bounds("zone_id")[zone.aggregation.zone_id]
        assert low <= zone.unique_visits <= high
