"""
From bytes to frozen rows: against `orjson.loads`, which makes dictionaries and checks nothing, and against pydantic.

Dropped: one answer at a time, gone before the next; all sides in turns in one process. Held: all answers are kept, and
each side has a process of its own, since the collector walks what is held whoever holds it. The collector is on, as
users have it.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter

from indivd_async.structuring import structure_answer
from indivd_async.structuring.reading import decide_answer

from .measuring import Row, row

_ZONES = 8


class _Stats(BaseModel):
    mean: float
    min: float
    max: float
    quantiles: list[float]
    n: int


class _Exclude(BaseModel):
    min_dwell_time: int
    max_dwell_time: int


class _Aggregation(BaseModel):
    zone_id: int
    zone_name: str | None = None
    bounce_threshold: int | None = None
    loc_id: int | None = None
    year: int | None = None
    month: int | None = None
    week: int | None = None
    dayofmonth: int | None = None
    dayofweek: int | None = None
    hour: int | None = None
    minute: int | None = None


class _Visits(BaseModel):
    visits: int
    unique_visits: int | None = None
    bounce: int | None = None
    dwell_time: float | None = None
    dwell_time_stats: _Stats | None = None
    exclude: _Exclude | None = None
    aggregation: _Aggregation


class _Period(BaseModel):
    startdate: str
    enddate: str
    insights: list[_Visits]


class _Answer(BaseModel):
    current: _Period
    comparison: dict[str, Any] = {}


def make_visits(rows: int) -> bytes:
    """Return an answer of zone_visitors as the vendor's article shows it: hours of eight zones."""
    first = datetime(2015, 1, 1)
    return _compact(
        {
            "current": {
                "startdate": "2015-01-01",
                "enddate": "2016-12-31",
                "insights": [_visits(first + timedelta(hours=k // _ZONES), k % _ZONES, k) for k in range(rows)],
            },
            "comparison": {},
        }
    )


def _visits(at: datetime, zone: int, k: int) -> dict[str, Any]:
    visits = k * 37 % 400
    mean = 60 + k * 13 % 977 / 8
    return {
        "visits": visits,
        "unique_visits": visits - visits // 9,
        "bounce": visits // 6,
        "dwell_time": mean,
        "dwell_time_stats": {
            "mean": mean,
            "min": 1.5 + zone,
            "max": mean * 9,
            "quantiles": [mean / 2, mean * 0.75, mean * 1.25],
            "n": visits - visits // 9,
        },
        "exclude": {"min_dwell_time": 0, "max_dwell_time": 0},
        "aggregation": {
            **dict(reversed(_labels(at).items())),
            "zone_id": 20100 + zone,
            "zone_name": f"Zone {zone}",
            "bounce_threshold": 120,
        },
    }


def make_lines(rows: int) -> bytes:
    """Return an answer of line_crosses by the hour."""
    first = datetime(2015, 1, 1)
    return _compact([{"_id": _labels(first + timedelta(hours=k)), "count": k * 37 % 4000} for k in range(rows)])


def make_drop_in(rows: int) -> bytes:
    """Return an answer of drop_in_rate by the hour: a tenth of the rows in `details`, the others in the zones."""
    hours = [_labels(datetime(2015, 1, 1) + timedelta(hours=k)) for k in range(rows // 10)]
    figures = [{"passing_by": 900 + k % 100, "drop_in_rate": 41.5} for k in range(rows // 10)]
    total = {"startdate": "2015-01-01", "enddate": "2015-02-28", "passing_by": 9, "enter": 4, "enter_percentage": 44.4}
    details = [
        {"day" if name == "dayofmonth" else name: label for name, label in hour.items()} | {"enter": 400} | figure
        for hour, figure in zip(hours, figures, strict=True)
    ]
    zone = {"zone_name": "Door", "loc_id": 124, "loc_name": "Stockholm", "location_custom_id": "", "total_visits": 4}
    zone |= {"total_passing_by": 9, "drop_in_rate": 44.4}
    zone["details"] = [hour | {"visits": 400} | figure for hour, figure in zip(hours, figures, strict=True)]
    return _compact(
        {
            "summary": {"current": total, "comparison": {}},
            "details": {"interval": "hour", "current": details, "comparison": []},
            "zone_details": {
                "current": {str(key): {"zone_id": key} | zone for key in range(1121, 1130)},
                "comparison": {},
            },
        }
    )


def _labels(at: datetime) -> dict[str, int]:
    return {"year": at.year, "month": at.month, "dayofmonth": at.day, "hour": at.hour}


def _compact(answer: Any) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


_pydantic = TypeAdapter(_Answer)
_ASKED: dict[str, Any] = {"tz": "Europe/Stockholm", "carried": {}}
_MAKE = {"zone_visitors": make_visits, "line_crosses": make_lines, "drop_in_rate": make_drop_in}

Decode = Callable[[bytes], Any]


def _sides(endpoint: str) -> dict[str, Decode]:
    sides: dict[str, Decode] = {
        "orjson": orjson.loads,
        "ours": lambda body: structure_answer(endpoint, body, **_ASKED),
        "cattrs": lambda body: decide_answer(endpoint, body, **_ASKED),
    }
    return sides | ({"pydantic": _pydantic.validate_json} if endpoint == "zone_visitors" else {})


def _dropped(endpoint: str, rows: int, repetitions: int) -> dict[str, list[float]]:
    """Return the microseconds a row of every side, repetition by repetition."""
    body = _MAKE[endpoint](rows)
    times = max(1, 2_000 // rows)
    took: dict[str, list[float]] = {}
    for _ in range(repetitions):
        for side, decode in _sides(endpoint).items():
            decode(body)  # not counted: the side before leaves its memory behind, in its own shape
            began = time.perf_counter()
            for _ in range(times):
                decode(body)
            took.setdefault(side, []).append((time.perf_counter() - began) / times / rows * 1e6)
    return took


def _held(rows: int, repetitions: int, kept: int) -> dict[str, list[float]]:
    """Return the same where *kept* rows are held in the end, each figure from a fresh process."""
    took: dict[str, list[float]] = {}
    for _ in range(repetitions):
        for side in _sides("zone_visitors"):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                took.setdefault(side, []).append(process.submit(_hold, side, rows, kept).result())
    return took


def _hold(side: str, rows: int, kept: int) -> float:
    decode, body = _sides("zone_visitors")[side], make_visits(rows)
    decode(body)  # imports, caches
    gc.collect()
    began = time.perf_counter()
    results = [decode(body) for _ in range(kept // rows)]
    return (time.perf_counter() - began) / len(results) / rows * 1e6


def _bytes_held(decode: Decode, rows: int) -> float:
    body = make_visits(rows)
    decode(body)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    result = decode(body)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return (after - before) / rows


def _compare(name: str, took: dict[str, list[float]], targets: tuple[float | None, float | None]) -> list[Row]:
    """Make the rows of the table: ours and cattrs alone against orjson, and ours against pydantic."""

    def ratio(side: str, other: str) -> float:
        return statistics.median(one / two for one, two in zip(took[side], took[other], strict=True))

    us_a_row = {side: round(statistics.median(each), 3) for side, each in took.items()}
    made = [row(f"{name}: ours ÷ orjson.loads", ratio("ours", "orjson"), targets[0], "ratio", us_a_row=us_a_row)]
    if "pydantic" in took:
        made.append(row(f"{name}: ours ÷ pydantic", ratio("ours", "pydantic"), targets[1], "ratio"))
    return [*made, row(f"{name}: cattrs alone ÷ orjson.loads", ratio("cattrs", "orjson"), None, "ratio")]


def main(quick: bool) -> list[Row]:
    """Measure, and return the rows of the table."""
    table: list[Row] = []
    repetitions = 3 if quick else 36
    for rows in (100, 1_000, 10_000):
        took = _dropped("zone_visitors", rows, repetitions // (3 if rows > 1_000 else 1))
        table += _compare(f"zone_visitors, {rows:,} rows, dropped", took, (2.0, 0.45))
    for endpoint in ("line_crosses", "drop_in_rate"):
        table += _compare(f"{endpoint}, 1,000 rows, dropped", _dropped(endpoint, 1_000, repetitions), (2.0, None))
    for rows in (100,) if quick else (100, 10_000):
        took = _held(rows, 1 if quick else 5, kept=5_000 if quick else 60_000)
        table += _compare(f"zone_visitors, {rows:,} rows, held", took, (2.0, 0.45))
    sides = _sides("zone_visitors")
    table.append(row("bytes a row held, ours", _bytes_held(sides["ours"], 10_000), 700, "bytes"))
    table.append(row("bytes a row held, pydantic", _bytes_held(sides["pydantic"], 10_000), None, "bytes"))
    return table


if __name__ == "__main__":
    import sys

    from .__main__ import main as run

    sys.argv = ["benchmarks", "decoding", *sys.argv[1:]]
    sys.exit(run())
