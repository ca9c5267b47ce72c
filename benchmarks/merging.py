"""
Merging a million rows: microseconds a row, from chunks as they arrive to a result in order.

Rows share their buckets, as structuring leaves them; beside that, each row with a bucket of its own. Time is that of
the processor, with the collector on. Run it as ``python -m benchmarks.merging [--quick]``.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from indivd_async import (
    Aggregation,
    Bucket,
    Chunk,
    DropInRate,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    LineCrosses,
    LineCrossesRow,
    Plan,
    PlannedRequest,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitors,
    ZoneVisitorsRow,
)
from indivd_async.merging import Known, merge_chunks
from indivd_async.results import Answer, Block

from .measuring import row

_KNOWN = Known(now=datetime(2030, 1, 1, tzinfo=UTC))
_START = date(2020, 1, 1)
_ZONES = range(201, 221)
_LINE_PARTS = 2
_EXCLUDE = Exclude(min_dwell_time=0, max_dwell_time=0)
_STATS = DwellTimeStats(mean=60.0, min=1.0, max=90.0, quantiles=(30.0, 60.0, 80.0), n=7)


def _hours(request: PlannedRequest) -> Iterator[Bucket]:
    assert request.window is not None
    for number in range(request.window.days):
        day = request.window.start + timedelta(days=number)
        for hour in range(24):
            yield _hour(day, hour)


@cache
def _hour(day: date, hour: int) -> Bucket:
    return Bucket(year=day.year, month=day.month, dayofmonth=day.day, hour=hour)


def _copy(bucket: Bucket) -> Bucket:
    return Bucket(year=bucket.year, month=bucket.month, dayofmonth=bucket.dayofmonth, hour=bucket.hour)


def _of_rows(rows: tuple[Any, ...]) -> Answer:
    return Answer(current=Block(rows=rows))


def _visits(request: PlannedRequest, *, shared: bool) -> Answer:
    return _of_rows(
        tuple(
            ZoneVisitorsRow(
                visits=9,
                unique_visits=8,
                bounce=1,
                dwell_time=60.0,
                dwell_time_stats=_STATS,
                exclude=_EXCLUDE,
                aggregation=Aggregation(zone_id=zone, bucket=bucket if shared else _copy(bucket)),
                tz=request.tz,
            )
            for bucket in _hours(request)
            for zone in (_ZONES if request.series == 0 else (zone + 100 for zone in _ZONES))
        )
    )


def _lines(request: PlannedRequest, *, shared: bool) -> Answer:
    carried = dict(request.carried)
    return _of_rows(
        tuple(
            LineCrossesRow(bucket=bucket if shared else _copy(bucket), count=3, **carried) for bucket in _hours(request)
        )
    )


def _drop_in(request: PlannedRequest, *, shared: bool) -> Answer:
    buckets = list(_hours(request))
    zones = tuple(
        ZoneDropIn(
            zone_id=zone,
            total_visits=3 * len(buckets),
            total_passing_by=9 * len(buckets),
            drop_in_rate=33.3,
            details=tuple(
                ZoneDropInRow(
                    bucket=bucket if shared else _copy(bucket), visits=3, passing_by=9, drop_in_rate=33.3, zone_id=zone
                )
                for bucket in buckets
            ),
        )
        for zone in _ZONES
    )
    details = tuple(DropInRow(bucket=bucket, passing_by=180, enter=60, drop_in_rate=33.3) for bucket in buckets)
    totals = DropInTotals(startdate="", enddate="", passing_by=9, enter=3, enter_percentage=33.3)
    return Answer(interval="hour", current=Block(summary=totals, details=details, zones=zones))


def _last(hours: int) -> date:
    return _START + timedelta(days=hours // 24 - 1)


def _plans(rows: int) -> dict[str, tuple[Plan, Callable[..., Answer], bool]]:
    one_clock, two_clocks = ((1, "UTC"),), ((1, "UTC"), (2, "Europe/Stockholm"))
    zones = len(_ZONES)
    visits = ZoneVisitors(_START, _last(rows // zones), aggregate_by="hour")
    interleaved = ZoneVisitors(_START, _last(rows // zones // 2), aggregate_by="hour")
    lines = LineCrosses(_START, _last(rows // 40), aggregate_by="hour", location=range(40))
    ids = range(10**6, 10**6 + 800 * _LINE_PARTS)
    parts = LineCrosses(_START, _last(rows // 20 // _LINE_PARTS), aggregate_by="hour", location=range(20), line_ids=ids)
    rates = DropInRate(_START, _last(rows // zones), interval="hour", location=1)
    return {
        "visits": (Plan(visits, locations=one_clock), _visits, True),
        "visits, each row a bucket of its own": (Plan(visits, locations=one_clock), _visits, False),
        "visits of two time zones": (Plan(interleaved, locations=two_clocks), _visits, True),
        "line crosses of 40 locations": (Plan(lines), _lines, True),
        "line crosses, parts of a list added": (Plan(parts), _lines, True),
        "drop-in rates": (Plan(rates), _drop_in, True),
    }


def _measure(plan: Plan, answer: Callable[..., Answer], shared: bool, repeat: int) -> float:
    chunks = [
        Chunk(query=plan.query, request=request, answer=answer(request, shared=shared), attempts=1) for request in plan
    ]
    random.Random(7).shuffle(chunks)
    rows = sum(chunk.row_count for chunk in chunks)
    taken = []
    for _ in range(repeat):
        start = time.process_time()
        merge_chunks(plan, chunks, _KNOWN)
        taken.append((time.process_time() - start) / rows * 1e6)
    return statistics.median(taken)


def main(quick: bool = False) -> list[dict[str, Any]]:
    """Measure each kind of merge, and return a row for each."""
    rows, repeat = (20_000, 1) if quick else (1_000_000, 5)
    return [
        row(f"merging {name}", _measure(plan, answer, shared, repeat), 1.5, "µs a row")
        for name, (plan, answer, shared) in _plans(rows).items()
    ]


if __name__ == "__main__":
    for found in main("--quick" in sys.argv):
        print(f"{found['name']:<46} {found['reached']:5.2f} {found['unit']} (target {found['target']})")
