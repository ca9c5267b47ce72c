"""Rows of zone_visitors to Arrow: processor time a row, with each library, and to dictionaries beside them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from indivd_async import (
    Aggregation,
    Bucket,
    DwellTimeStats,
    Exclude,
    Plan,
    ZoneVisitors,
    ZoneVisitorsPeriod,
    ZoneVisitorsResult,
    ZoneVisitorsRow,
)
from indivd_async.results import tables

from .measuring import Row, row

_ZONES = 10
_REPEAT = 7


def make_result(rows: int) -> ZoneVisitorsResult:
    """Make up hours of ten zones; buckets are shared by the rows of one hour, as the merge leaves them."""
    query = ZoneVisitors("2000-01-01", "2049-12-31", aggregate_by="hour", location=124)
    start = datetime(2000, 1, 1)
    insights = []
    for hour in range(rows // _ZONES):
        at = start + timedelta(hours=hour)
        bucket = Bucket(year=at.year, month=at.month, dayofmonth=at.day, hour=at.hour)
        insights += [_make_row(hour, zone, bucket) for zone in range(_ZONES)]
    return ZoneVisitorsResult(
        plan=Plan(query, locations=((124, "Europe/Stockholm"),)),
        coverage=(),
        current=ZoneVisitorsPeriod(startdate="2000-01-01", enddate="2049-12-31", insights=tuple(insights)),
    )


def _make_row(hour: int, zone: int, bucket: Bucket) -> ZoneVisitorsRow:
    visits = 300 + hour * 7 % 400 + zone
    mean = 60.0 + hour % 97
    return ZoneVisitorsRow(
        visits=visits,
        unique_visits=visits - 20,
        bounce=visits // 5,
        dwell_time=mean,
        dwell_time_stats=DwellTimeStats(
            mean=mean, min=1.5, max=mean * 9, quantiles=(mean / 2, mean * 0.8, mean * 1.3), n=visits - 20
        ),
        exclude=Exclude(min_dwell_time=zone, max_dwell_time=0),
        aggregation=Aggregation(zone_id=201 + zone, zone_name=f"Zone {zone}", bounce_threshold=120, bucket=bucket),
        tz="Europe/Stockholm",
    )


def main(quick: bool) -> list[Row]:
    rows = 5_000 if quick else 300_000
    result = make_result(rows)
    ways: dict[str, Callable[[], object]] = {
        "rows to Arrow (nanoarrow)": result.__arrow_c_stream__,
        "rows to Arrow (pyarrow)": lambda: list(tables.record_batches(result)),
        "rows to dictionaries": result.to_dicts,
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # imports, and the schema
    for _ in range(_REPEAT):
        for name, way in ways.items():
            start = time.process_time()
            way()
            taken[name].append((time.process_time() - start) / rows * 1e6)
    targets = {"rows to Arrow (nanoarrow)": 1.5, "rows to Arrow (pyarrow)": 1.5}
    return [row(name, statistics.median(found), targets.get(name), "µs a row") for name, found in taken.items()]
