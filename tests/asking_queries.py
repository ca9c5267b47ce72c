"""Queries of every kind, for properties: what users ask, and where calendars are odd."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st
from oracle import LISTED

from indivd_async import DropInRate, LineCrosses, ZoneVisitors

_FIRST, _LAST = date(2022, 12, 1), date(2025, 12, 31)
#: Half an hour of daylight saving, none at all, round the clock, a Basic plan; few, so that their days are made once.
_LOCATIONS = (124, 125, 127, 129, 130, 140)
#: Clock changes in both directions at every location of the sandbox, leap days, ends of years and of long months.
_ODD_DAYS = (
    date(2024, 2, 28),
    date(2024, 2, 29),
    date(2023, 2, 28),
    *(date(year, 12, day) for year in (2022, 2023, 2024) for day in (29, 30, 31)),
    *(date(year, 1, 1) for year in (2023, 2024, 2025)),
    *(date(2024, month, 31) for month in (1, 3, 8)),
    date(2024, 3, 10),  # New York
    date(2024, 11, 3),
    date(2025, 3, 30),  # Stockholm, Berlin, London
    date(2025, 10, 26),
    date(2025, 4, 6),  # Lord Howe, by half an hour
    date(2024, 10, 6),
    date(2025, 10, 5),
)
_ZONES = tuple(201 + 10 * (id - 124) + number for id in LISTED for number in range(4))
_LINES = tuple(10 * zone + number for zone in _ZONES[:16] for number in range(4))
#: Grouping to the longest period worth its time here: two windows more than the limits allow, or three years.
_LONGEST = {"minute": 9, "hour": 40, "hour,loc_id": 40, "year,month,dayofmonth,hour": 70}
_THREE_YEARS = 1_096

# Strategies are made once: Hypothesis looks through each new one, and all that it draws from, at its first draw.
_any_of = cache(st.sampled_from)


@cache
def _lengths(longest: int) -> st.SearchStrategy[int]:
    usual = st.integers(min(longest, 5), min(longest, 75))
    return st.one_of(usual, usual, usual, st.integers(1, longest), st.integers(1, 4))


def _period(draw: st.DrawFn, longest: int) -> tuple[date, date]:
    length = draw(_lengths(longest))
    odd = draw(_any_of(_ODD_DAYS))
    start = odd - timedelta(days=draw(st.integers(0, length - 1)))
    start = max(_FIRST, min(start, _LAST - timedelta(days=length - 1)))
    return start, start + timedelta(days=length - 1)


@cache
def _ids(values: Sequence[int], most: int = 4, *, more_none: int = 0) -> Any:
    """Draw none, or some of *values*; *more_none* makes none likelier."""
    return st.one_of(*[st.none()] * (1 + more_none), st.lists(_any_of(values), min_size=1, max_size=most))


@cache
def _locations(most: int) -> Any:
    some = st.lists(_any_of(_LOCATIONS), min_size=1, max_size=most)
    return st.one_of(some, some, some, st.none())


_THRESHOLDS = st.sampled_from([{}, {}, {"min_dwell": 60}, {"max_dwell": 600}, {"min_dwell": 30, "max_dwell": 900}])
_SPLITS = st.sampled_from(["auto", "auto", None, 1, 4, 10, 31, 45])


@cache
def _groupings(groupings: tuple[str | None, ...]) -> Any:
    """Draw one that can be cut most of the time."""
    cut = [name for name in groupings if name in ("hour", "minute", "day", "dayofmonth", "month", "week")]
    return st.sampled_from([*groupings, *cut, *cut])


def _period_and_grouping(draw: st.DrawFn, groupings: tuple[str | None, ...]) -> tuple[date, date, str | None]:
    grouping = draw(_groupings(groupings))
    start, end = _period(draw, _LONGEST.get(grouping or "", _THREE_YEARS))
    return start, end, grouping


@st.composite
def line_queries(draw: st.DrawFn) -> LineCrosses:
    """Draw a query of line_crosses."""
    groupings = (None, "year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute")
    start, end, grouping = _period_and_grouping(draw, groupings)
    lists = {
        "organization": draw(_ids((1, 2, 3), 2)),
        "location": draw(_locations(2)),
        "floor": draw(_ids((-1, 0, 1), 2)),
        "zone_to": draw(_ids(_ZONES, more_none=1)),
        "zone_from": draw(_ids(_ZONES, more_none=2)),
        "category": draw(_ids((1, 2, 3, 4), 2)),
        "line_ids": draw(_ids(_LINES, more_none=1)),
    }
    given_lists = [name for name, ids in lists.items() if ids is not None]
    per = draw(_any_of((None, None, "location", *given_lists)))
    per = {"line_ids": "line"}.get(per, per)
    split = draw(_SPLITS)
    return LineCrosses(start, end, aggregate_by=grouping, per=per, split=split, **lists)


@cache
def _own(groupings: tuple[str | None, ...]) -> Any:
    return st.none() | st.sampled_from(groupings)


def _comparison(
    draw: st.DrawFn, start: date, end: date, groupings: tuple[str | None, ...], name: str
) -> dict[str, Any]:
    if not draw(st.booleans()):
        return {}
    own = draw(_own(groupings))
    kind = draw(_any_of(("before", "other")))
    longest = min(_LONGEST.get(own or "", _THREE_YEARS), 400)
    if kind == "before" and (end - start).days < longest:
        length = (end - start).days + 1
        other = start - timedelta(days=length), start - timedelta(days=1)
    else:
        other = _period(draw, min(longest, 40) if own is None else longest)
    return {"comparison_start_date": other[0], "comparison_end_date": other[1], name: own}


@st.composite
def visit_queries(draw: st.DrawFn) -> ZoneVisitors:
    """Draw a query of zone_visitors."""
    groupings = (
        None,
        "year",
        "month",
        "week",
        "dayofmonth",
        "dayofweek",
        "hour",
        "minute",
        "zone",
        "loc_id",
        "year,month",
        "dayofweek,hour",
        "dayofmonth,loc_id",
        "hour,loc_id",
        "year,month,dayofmonth,hour",
    )
    start, end, grouping = _period_and_grouping(draw, groupings)
    thresholds = draw(_THRESHOLDS)
    return ZoneVisitors(
        start,
        end,
        aggregate_by=grouping,
        location=draw(_locations(3)),
        zones=draw(_ids(_ZONES, more_none=1)),
        bounce_threshold=draw(_any_of((None, None, -1, 0, 45))),
        tz=draw(_any_of((None, None, None, "UTC", "Australia/Lord_Howe"))),
        split=draw(_SPLITS),
        **thresholds,
        **_comparison(draw, start, end, groupings[1:], "comparison_aggregate_by"),
    )


@st.composite
def rate_queries(draw: st.DrawFn) -> DropInRate:
    """Draw a query of drop_in_rate."""
    groupings = (None, "year", "month", "week", "day", "hour")
    start, end, grouping = _period_and_grouping(draw, groupings)
    return DropInRate(
        start,
        end,
        interval=grouping,
        location=draw(_locations(3)),
        zone=draw(_ids(_ZONES, more_none=1)),
        tz=draw(_any_of((None, None, None, "UTC", "Australia/Lord_Howe"))),
        split=draw(_SPLITS),
        **_comparison(draw, start, end, groupings[1:], "comparison_interval"),
    )


_FAR = range(10**9, 10**9 + 700)


@st.composite
def long_list_queries(draw: st.DrawFn) -> LineCrosses | ZoneVisitors | DropInRate:
    """Draw a query with a list too long for one URL, most of its ids being nobody's."""
    dates = draw(_any_of((("2025-03-28", "2025-04-01"), ("2024-12-20", "2025-01-10"), ("2024-01-01", "2025-02-01"))))
    shared: dict[str, Any] = {"split": draw(_SPLITS)}

    def long_list(values: list[int]) -> list[int]:
        return draw(st.permutations([*values, *_FAR]))

    kind = draw(_any_of((LineCrosses, ZoneVisitors, DropInRate)))
    if kind is LineCrosses:
        grouping = draw(_any_of((None, "hour", "week", "dayofweek")))
        shared |= {"aggregate_by": grouping, "location": [124, 127], "line_ids": long_list(_LINES[::2])}
        return LineCrosses(*dates, **shared)
    shared |= {"tz": draw(_any_of((None, "UTC")))}
    zones, location = ("zones" if kind is ZoneVisitors else "zone"), [124, 127, 140]
    shared |= {zones: long_list(_ZONES), "location": location}
    if shared["tz"] is not None and draw(st.booleans()):
        shared |= {"location": long_list(location), zones: None if draw(st.booleans()) else shared[zones]}
    if draw(st.booleans()):
        shared |= {"comparison_start_date": "2024-11-01", "comparison_end_date": "2024-11-09"}
    return kind(*dates, **shared)
