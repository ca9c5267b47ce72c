"""From bytes to rows: the vendor's samples field by field, the shapes that vary, and every fault by name and place."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import orjson
import pytest

from indivd_async.errors import DecodeError
from indivd_async.models import (
    NOTHING_EXTRA,
    Aggregation,
    Bucket,
    Category,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    FrozenMap,
    Line,
    LineCrossesRow,
    Location,
    Organization,
    Zone,
    ZoneDropIn,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from indivd_async.models.endpoints import FILTER_ENDPOINTS
from indivd_async.results import Answer, Block, Dates
from indivd_async.structuring import structure_answer
from indivd_async.structuring.documented import read_documented
from indivd_async.structuring.reading import decide_answer, structure_entities

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parent.parent / "data"
ENDPOINTS = ("line_crosses", "zone_visitors", "drop_in_rate")
STOCKHOLM = "Europe/Stockholm"


def payload(name: str) -> bytes:
    return (DATA / f"{name}.json").read_bytes()


def structure(name: str, **asked: Any) -> Answer:
    return structure_answer(name.split("/")[0], payload(name), **{"tz": STOCKHOLM, "carried": FrozenMap(), **asked})


def visits_row(**changes: Any) -> ZoneVisitorsRow:
    """Return the row of the article's first sample, changed."""
    row = ZoneVisitorsRow(
        visits=284,
        unique_visits=251,
        bounce=43,
        dwell_time=187.5,
        dwell_time_stats=DwellTimeStats(mean=187.5, min=12.0, max=1843.0, quantiles=(95.0, 148.0, 231.0), n=251),
        exclude=Exclude(min_dwell_time=0, max_dwell_time=0),
        aggregation=Aggregation(
            zone_id=201,
            bucket=Bucket(year=2025, month=3, dayofmonth=1),
            zone_name="Entrance",
            bounce_threshold=120,
            loc_id=None,
        ),
        tz=STOCKHOLM,
    )
    return attrs.evolve(row, **changes)


COUNTED_ALONE = visits_row(dwell_time_stats=None, exclude=None)


def lines(*, rows: tuple[LineCrossesRow, ...]) -> Answer:
    return Answer(current=Block(rows=rows))


def visits(
    *,
    current: tuple[ZoneVisitorsRow, ...],
    comparison: tuple[ZoneVisitorsRow, ...] | None = None,
    dates: Dates = (None, None),
    comparison_dates: Dates = (None, None),
    extra: FrozenMap = NOTHING_EXTRA,
) -> Answer:
    other = None if comparison is None else Block(rows=comparison, dates=comparison_dates)
    return Answer(current=Block(rows=current, dates=dates), comparison=other, extra=extra)


ANSWERS: dict[str, Answer] = {
    "line_crosses/sample": lines(
        rows=(
            LineCrossesRow(bucket=Bucket(year=2025, month=3, dayofmonth=1), count=100006),
            LineCrossesRow(bucket=Bucket(year=2025, month=3, dayofmonth=2), count=115069),
        )
    ),
    "line_crosses/hours": lines(
        rows=(
            LineCrossesRow(bucket=Bucket(year=2025, month=3, dayofmonth=1, hour=9), count=4012),
            LineCrossesRow(bucket=Bucket(year=2025, month=3, dayofmonth=1, hour=10), count=0),
        )
    ),
    "line_crosses/named_otherwise": lines(
        rows=(
            LineCrossesRow(
                bucket=Bucket(year=2025, month=3, dayofmonth=1),
                count=4012,
                extra=FrozenMap({"lines": (7, 8), "_id": FrozenMap({"isoweek": 9})}),
            ),
        )
    ),
    "line_crosses/empty": lines(rows=()),
    "zone_visitors/sample": visits(current=(visits_row(),), comparison=None, dates=("2025-03-01", "2025-03-07")),
    "zone_visitors/sample_with_comparison": visits(
        current=(COUNTED_ALONE,),
        comparison=(
            attrs.evolve(
                COUNTED_ALONE,
                visits=261,
                unique_visits=234,
                bounce=38,
                dwell_time=172.3,
                aggregation=attrs.evolve(COUNTED_ALONE.aggregation, bucket=Bucket(year=2025, month=2, dayofmonth=1)),
            ),
        ),
        dates=("2025-03-01", "2025-03-07"),
        comparison_dates=("2025-02-01", "2025-02-07"),
    ),
    "zone_visitors/basic_plan": visits(
        dates=("2025-03-01", "2025-03-01"),
        current=(
            visits_row(
                unique_visits=0,
                bounce=0,
                dwell_time=0.0,
                dwell_time_stats=None,
                exclude=None,
                aggregation=attrs.evolve(
                    visits_row().aggregation, bucket=Bucket(year=2025, month=3, dayofmonth=1, hour=9)
                ),
            ),
        ),
    ),
    "zone_visitors/whole_period": visits(
        dates=("2025-03-01", "2025-03-31"),
        current=(
            ZoneVisitorsRow(
                visits=9120, aggregation=Aggregation(zone_id=201, bucket=Bucket(), loc_id=124), tz=STOCKHOLM
            ),
        ),
    ),
    "zone_visitors/empty": visits(current=(), dates=("2025-03-01", "2025-03-07")),
    "zone_visitors/unknown_fields": visits(
        dates=("2025-03-01", "2025-03-01"),
        extra=FrozenMap({"version": 2, "current.timezone": STOCKHOLM}),
        current=(
            ZoneVisitorsRow(
                visits=3,
                dwell_time_stats=DwellTimeStats(
                    mean=20.5,
                    min=1.0,
                    max=40.0,
                    quantiles=(10.0, 20.0, 30.0),
                    n=3,
                    extra=FrozenMap({"median": 20}),
                ),
                exclude=Exclude(min_dwell_time=0, max_dwell_time=1, extra=FrozenMap({"staff": True})),
                aggregation=Aggregation(
                    zone_id=201,
                    bucket=Bucket(year=2025),
                    extra=FrozenMap({"quarter": 1, "zone_type": FrozenMap({"name": "shop"})}),
                ),
                tz=STOCKHOLM,
                extra=FrozenMap({"groups": (FrozenMap({"size": 2, "share": 0.5}),)}),
            ),
        ),
    ),
    "drop_in_rate/sample": Answer(
        interval="day",
        current=Block(
            summary=DropInTotals(
                startdate="2025-05-15", enddate="2025-05-20", passing_by=7497, enter=4532, enter_percentage=60.5
            ),
            details=(
                DropInRow(
                    bucket=Bucket(year=2025, month=5, dayofmonth=15), passing_by=1450, enter=715, drop_in_rate=49.3
                ),
                DropInRow(
                    bucket=Bucket(year=2025, month=5, dayofmonth=16), passing_by=1427, enter=757, drop_in_rate=53.0
                ),
            ),
            zones=(
                ZoneDropIn(
                    zone_id=1121,
                    zone_name="Example zone 1",
                    loc_id=124,
                    loc_name="Sample Location - Stockholm",
                    location_custom_id="",
                    total_visits=4532,
                    total_passing_by=7497,
                    drop_in_rate=60.5,
                    details=(
                        ZoneDropInRow(
                            bucket=Bucket(year=2025, month=5, dayofmonth=15),
                            visits=715,
                            passing_by=1450,
                            drop_in_rate=49.3,
                            zone_id=1121,
                            loc_id=124,
                        ),
                        ZoneDropInRow(
                            bucket=Bucket(year=2025, month=5, dayofmonth=16),
                            visits=757,
                            passing_by=1427,
                            drop_in_rate=53.0,
                            zone_id=1121,
                            loc_id=124,
                        ),
                    ),
                    tz=STOCKHOLM,
                ),
            ),
        ),
        comparison=None,
    ),
    "drop_in_rate/named_otherwise": Answer(
        interval="day",
        current=Block(
            summary=DropInTotals(
                startdate="2025-05-15", enddate="2025-05-15", passing_by=10, enter=4, enter_percentage=40.0
            ),
            details=(
                DropInRow(bucket=Bucket(year=2025, month=5, dayofmonth=15), passing_by=10, enter=4, drop_in_rate=40.0),
            ),
            zones=(
                ZoneDropIn(
                    zone_id=1121,
                    total_visits=4,
                    total_passing_by=10,
                    drop_in_rate=40.0,
                    details=(
                        ZoneDropInRow(
                            bucket=Bucket(year=2025, month=5, dayofmonth=15),
                            visits=4,
                            passing_by=10,
                            drop_in_rate=40.0,
                            zone_id=1121,
                        ),
                    ),
                    tz=STOCKHOLM,
                ),
            ),
        ),
    ),
    "drop_in_rate/not_configured": Answer(
        interval=None, current=Block(summary=None, details=(), zones=()), comparison=None
    ),
}
DOCUMENTED = [
    "line_crosses/sample",
    "line_crosses/hours",
    "line_crosses/empty",
    "zone_visitors/sample",
    "zone_visitors/sample_with_comparison",
    "zone_visitors/basic_plan",
    "zone_visitors/whole_period",
    "zone_visitors/empty",
    "drop_in_rate/sample",
    "drop_in_rate/comparison",
]


@pytest.mark.parametrize("name", ANSWERS)
def test_every_field_of_a_payload_arrives(name: str) -> None:
    """What the API says is what the rows say, value by value and type by type."""
    answer = structure(name)
    assert answer == ANSWERS[name]
    assert repr(answer) == repr(ANSWERS[name])  # 3 == 3.0, but they are written differently


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_documented_shape_is_served_by_both_ways_alike(name: str) -> None:
    """msgspec does not decline what the article shows, and says the same as cattrs."""
    asked: dict[str, Any] = {"tz": STOCKHOLM, "carried": {"location": 124, "line": 7} if "line_crosses" in name else {}}
    fast = read_documented(name.split("/")[0], payload(name), **asked)
    assert fast is not None
    assert repr(fast) == repr(decide_answer(name.split("/")[0], payload(name), **asked))


def test_a_comparison_is_a_second_block_and_rates_without_passers_are_none() -> None:
    """Rates above 100 stay, those of nobody are None, whole percentages are floats."""
    answer = structure("drop_in_rate/comparison")
    assert answer.comparison is not None
    for block, rate in ((answer.current, 120.0), (answer.comparison, None)):
        assert block.summary is not None
        zone = block.zones[0]
        rates = (block.summary.enter_percentage, block.details[0].drop_in_rate, zone.drop_in_rate)
        assert repr((*rates, zone.details[0].drop_in_rate)) == repr((rate,) * 4)


@pytest.mark.parametrize("way", [structure_answer, decide_answer], ids=["documented", "decided"])
@pytest.mark.parametrize("period", ["current", "comparison"])
def test_a_rate_of_nobody_is_none_whatever_was_sent(way: Callable[..., Answer], period: str) -> None:
    """Where nobody passed, no rate is looked at: not a number, not nonsense, not its absence."""
    sent = orjson.loads(payload("drop_in_rate/comparison"))
    total = sent["summary"][period]
    total["passing_by"], total["enter_percentage"] = 0, "n/a"
    row = sent["details"][period][0]
    row["passing_by"] = 0
    del row["drop_in_rate"]
    zone = sent["zone_details"][period]["1121"]
    zone["total_passing_by"], zone["drop_in_rate"] = 0, [1]
    zone["details"][0]["passing_by"], zone["details"][0]["drop_in_rate"] = 0, 99.9
    answer = way("drop_in_rate", orjson.dumps(sent), tz=None, carried={})
    block = getattr(answer, period)
    assert (block.summary.enter_percentage, block.details[0].drop_in_rate) == (None, None)
    assert (block.zones[0].drop_in_rate, block.zones[0].details[0].drop_in_rate) == (None, None)


@pytest.mark.parametrize("body", [payload("line_crosses/sample"), payload("line_crosses/named_otherwise")])
def test_what_the_request_carries_goes_into_its_rows(body: bytes) -> None:
    """A series asked for one location and one line belongs to them, whichever way the answer was read."""
    answer = structure_answer("line_crosses", body, tz=None, carried=FrozenMap({"location": 124, "line": 7}))
    for row in answer.current.rows:
        assert (row.location, row.line) == (124, 7)
        assert (row.organization, row.floor, row.zone_to, row.zone_from, row.category) == (None,) * 5


@pytest.mark.parametrize("name", [*ANSWERS, "drop_in_rate/comparison"])
def test_rows_are_frozen_hash_and_pickle(name: str) -> None:
    """Rows made from drafts are the models' own, to the last habit."""
    answer = structure(name)
    assert pickle.loads(pickle.dumps(answer)) == answer
    assert hash(answer) == hash(structure(name))
    if name.startswith("line_crosses") and answer.current.rows:
        assert type(answer.current.rows[0]) is LineCrossesRow
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            answer.current.rows[0].count = 1


def test_equal_buckets_exclusions_and_names_are_shared() -> None:
    """A million rows hold each bucket, each pair of exclusions and each zone name once."""
    sent = orjson.loads(payload("zone_visitors/sample"))
    sent["current"]["insights"] *= 2
    answer = structure_answer("zone_visitors", orjson.dumps(sent), tz=None, carried={})
    one, other = answer.current.rows
    assert one.aggregation.bucket is other.aggregation.bucket
    assert one.exclude is other.exclude
    assert one.aggregation.zone_name is other.aggregation.zone_name


LEFT_OUT = object()
ABSENT = (None, LEFT_OUT)
EMPTY: tuple[Any, ...] = ({}, [], None, LEFT_OUT)
VARIED: list[tuple[str, tuple[Any, ...], str, tuple[Any, ...]]] = [
    ("zone_visitors", ("comparison",), "comparison", EMPTY),
    ("zone_visitors", ("current", "insights", 0, "dwell_time_stats"), "current.rows.0.dwell_time_stats", EMPTY),
    ("zone_visitors", ("current", "insights", 0, "exclude"), "current.rows.0.exclude", EMPTY),
    ("zone_visitors", ("current", "insights", 0, "unique_visits"), "current.rows.0.unique_visits", ABSENT),
    ("zone_visitors", ("current", "insights", 0, "bounce"), "current.rows.0.bounce", ABSENT),
    ("zone_visitors", ("current", "insights", 0, "dwell_time"), "current.rows.0.dwell_time", ABSENT),
    (
        "zone_visitors",
        ("current", "insights", 0, "aggregation", "zone_name"),
        "current.rows.0.aggregation.zone_name",
        ABSENT,
    ),
    (
        "zone_visitors",
        ("current", "insights", 0, "dwell_time_stats", "quantiles"),
        "current.rows.0.dwell_time_stats.quantiles",
        ABSENT,
    ),
    (
        "zone_visitors",
        ("current", "insights", 0, "exclude", "min_dwell_time"),
        "current.rows.0.exclude.min_dwell_time",
        ABSENT,
    ),
    ("line_crosses", (0, "_id", "month"), "current.rows.0.bucket.month", ABSENT),
    ("drop_in_rate", ("details", "interval"), "interval", ABSENT),
    ("drop_in_rate", ("summary", "current"), "current.summary", ({}, [], None)),
    ("drop_in_rate", ("summary", "comparison"), "comparison", EMPTY),
    ("drop_in_rate", ("zone_details", "current", "1121", "zone_name"), "current.zones.0.zone_name", ABSENT),
]
VARIED_EACH = [
    pytest.param(endpoint, path, found, value, id=f"{found} {'left out' if value is LEFT_OUT else value}")
    for endpoint, path, found, values in VARIED
    for value in values
]


@pytest.mark.parametrize(("endpoint", "path", "found", "value"), VARIED_EACH)
def test_what_may_be_left_out_is_none(endpoint: str, path: tuple[Any, ...], found: str, value: Any) -> None:
    """Absent, null and the empty forms of the API say the same: there is none."""
    sent = orjson.loads(payload(f"{endpoint}/sample"))
    put(sent, path, value)
    read: Any = structure_answer(endpoint, orjson.dumps(sent), tz=None, carried={})
    for step in found.split("."):
        read = read[int(step)] if step.isdigit() else getattr(read, step)
    assert read is None


@pytest.mark.parametrize(
    ("endpoint", "path", "value"),
    [
        ("zone_visitors", ("current",), {}),
        ("zone_visitors", ("current",), []),
        ("drop_in_rate", ("details",), {}),
        ("drop_in_rate", ("details", "current"), {}),
        ("drop_in_rate", ("zone_details", "current"), []),
        ("drop_in_rate", ("zone_details",), []),
    ],
)
def test_an_empty_period_has_no_rows(endpoint: str, path: tuple[Any, ...], value: Any) -> None:
    """Objects and arrays that may be empty may be empty in either form."""
    sent = orjson.loads(payload(f"{endpoint}/sample"))
    put(sent, path, value)
    answer = structure_answer(endpoint, orjson.dumps(sent), tz=None, carried={})
    if endpoint == "zone_visitors":
        assert answer.current.rows == ()
    else:
        assert (answer.current.details if path[0] == "details" else answer.current.zones) == ()


def put(sent: Any, path: tuple[Any, ...], value: Any) -> None:
    """Change one place of a payload."""
    *above, last = path
    for step in above:
        sent = sent[step]
    if value is LEFT_OUT:
        del sent[last]
    else:
        sent[last] = copy.deepcopy(value)


ROW = ("current", "insights", 0)
AT_ROW = "$.current.insights[0]"
ZONE = ("zone_details", "current", "1121")
AT_ZONE = "$.zone_details.current[1121]"
FAULTS: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("zone_visitors", (*ROW, "visits"), "7", f"expected int, got str @ {AT_ROW}.visits"),
    ("zone_visitors", (*ROW, "visits"), True, f"expected int, got bool @ {AT_ROW}.visits"),
    ("zone_visitors", (*ROW, "visits"), 3.5, f"expected int, got float @ {AT_ROW}.visits"),
    ("zone_visitors", (*ROW, "visits"), None, f"expected int, got null @ {AT_ROW}.visits"),
    ("zone_visitors", (*ROW, "visits"), [], f"expected int, got array @ {AT_ROW}.visits"),
    ("zone_visitors", (*ROW, "visits"), {}, f"expected int, got object @ {AT_ROW}.visits"),
    ("zone_visitors", (*ROW, "visits"), 2**63, f"expected int, got one beyond 64 bits @ {AT_ROW}.visits"),
    ("zone_visitors", (*ROW, "visits"), LEFT_OUT, f"missing field visits @ {AT_ROW}"),
    ("zone_visitors", (*ROW, "bounce"), False, f"expected int, got bool @ {AT_ROW}.bounce"),
    ("zone_visitors", (*ROW, "unique_visits"), " ", f"expected int, got str @ {AT_ROW}.unique_visits"),
    ("zone_visitors", (*ROW, "dwell_time"), "187.5", f"expected float, got str @ {AT_ROW}.dwell_time"),
    ("zone_visitors", (*ROW, "dwell_time"), True, f"expected float, got bool @ {AT_ROW}.dwell_time"),
    ("zone_visitors", (*ROW, "dwell_time_stats"), 0, f"expected object, got int @ {AT_ROW}.dwell_time_stats"),
    ("zone_visitors", (*ROW, "dwell_time_stats", "n"), 2.5, f"expected int, got float @ {AT_ROW}.dwell_time_stats.n"),
    (
        "zone_visitors",
        (*ROW, "dwell_time_stats", "quantiles"),
        {},
        f"expected array, got object @ {AT_ROW}.dwell_time_stats.quantiles",
    ),
    (
        "zone_visitors",
        (*ROW, "dwell_time_stats", "quantiles", 1),
        "7",
        f"expected float, got str @ {AT_ROW}.dwell_time_stats.quantiles[1]",
    ),
    ("zone_visitors", (*ROW, "exclude"), [1], f"expected object, got array @ {AT_ROW}.exclude"),
    ("zone_visitors", (*ROW, "aggregation"), LEFT_OUT, f"missing field aggregation @ {AT_ROW}"),
    ("zone_visitors", (*ROW, "aggregation"), None, f"expected object, got null @ {AT_ROW}.aggregation"),
    ("zone_visitors", (*ROW, "aggregation"), {}, f"missing field zone_id @ {AT_ROW}.aggregation"),
    ("zone_visitors", (*ROW, "aggregation", "year"), "2025", f"expected int, got str @ {AT_ROW}.aggregation.year"),
    (
        "zone_visitors",
        (*ROW, "aggregation", "zone_name"),
        7.5,
        f"expected str, got float @ {AT_ROW}.aggregation.zone_name",
    ),
    ("zone_visitors", ROW, "row", f"expected object, got str @ {AT_ROW}"),
    ("zone_visitors", ("current", "insights"), {}, "expected array, got object @ $.current.insights"),
    ("zone_visitors", ("current", "insights"), LEFT_OUT, "missing field insights @ $.current"),
    ("zone_visitors", ("current", "startdate"), 20250301, "expected str, got int @ $.current.startdate"),
    ("zone_visitors", ("current",), None, "expected object, got null @ $.current"),
    ("zone_visitors", ("current",), LEFT_OUT, "missing field current @ $"),
    ("zone_visitors", ("comparison",), [1], "expected object, got array @ $.comparison"),
    ("zone_visitors", ("comparison",), {"startdate": "2025-02-01"}, "missing field insights @ $.comparison"),
    ("line_crosses", (0,), None, "expected object, got null @ $[0]"),
    ("line_crosses", (1, "count"), LEFT_OUT, "missing field count @ $[1]"),
    ("line_crosses", (1, "_id"), LEFT_OUT, "missing field _id @ $[1]"),
    ("line_crosses", (1, "_id"), "2025-03-02", "expected object, got str @ $[1]._id"),
    ("line_crosses", (1, "_id", "year"), 2025.5, "expected int, got float @ $[1]._id.year"),
    ("line_crosses", (1, "_id"), {"day": "2"}, "expected int, got str @ $[1]._id.day"),
    ("drop_in_rate", ("summary",), LEFT_OUT, "missing field summary @ $"),
    ("drop_in_rate", ("summary",), None, "expected object, got null @ $.summary"),
    ("drop_in_rate", ("summary", "current"), LEFT_OUT, "missing field current @ $.summary"),
    ("drop_in_rate", ("summary", "current"), 7, "expected object, got int @ $.summary.current"),
    ("drop_in_rate", ("summary", "current", "enddate"), LEFT_OUT, "missing field enddate @ $.summary.current"),
    ("drop_in_rate", ("details", "interval"), 1, "expected str, got int @ $.details.interval"),
    ("drop_in_rate", ("details", "current"), "none", "expected array, got str @ $.details.current"),
    ("drop_in_rate", ("details", "current", 0, "day"), "15", "expected int, got str @ $.details.current[0].day"),
    (
        "drop_in_rate",
        ("details", "current", 0, "drop_in_rate"),
        LEFT_OUT,
        "missing field drop_in_rate @ $.details.current[0]",
    ),
    ("drop_in_rate", ("zone_details", "current"), [1], "expected object, got array @ $.zone_details.current"),
    ("drop_in_rate", (*ZONE, "zone_id"), 1122, f"expected the id that is the key, got another @ {AT_ZONE}.zone_id"),
    ("drop_in_rate", (*ZONE, "zone_id"), "1121", f"expected int, got str @ {AT_ZONE}.zone_id"),
    ("drop_in_rate", (*ZONE, "total_visits"), LEFT_OUT, f"missing field total_visits @ {AT_ZONE}"),
    ("drop_in_rate", (*ZONE, "details"), LEFT_OUT, f"missing field details @ {AT_ZONE}"),
    ("drop_in_rate", (*ZONE, "details"), {"visits": 1}, f"expected array, got object @ {AT_ZONE}.details"),
    ("drop_in_rate", (*ZONE, "details", 0, "visits"), 1.5, f"expected int, got float @ {AT_ZONE}.details[0].visits"),
    ("drop_in_rate", (*ZONE, "drop_in_rate"), "60.5", f"expected float, got str @ {AT_ZONE}.drop_in_rate"),
    (
        "drop_in_rate",
        ("zone_details", "current", "<script>alert('a stolen value')</script>"),
        0,
        "expected object, got int @ $.zone_details.current[?script?alert??a?stolen?]",
    ),
]


@pytest.mark.parametrize(("endpoint", "path", "value", "problem"), FAULTS, ids=[case[3] for case in FAULTS])
def test_a_fault_is_named_with_its_place(endpoint: str, path: tuple[Any, ...], value: Any, problem: str) -> None:
    """One wrong value makes one problem: what was expected, what was found, where."""
    sent = orjson.loads(payload(f"{endpoint}/sample"))
    put(sent, path, value)
    with pytest.raises(DecodeError) as caught:
        structure_answer(endpoint, orjson.dumps(sent), tz=None, carried={})
    assert caught.value.problems == (problem,)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(("body", "found"), [(b"7", "int"), (b'"on"', "str"), (b"null", "null"), (b"true", "bool")])
def test_a_scalar_is_no_answer(endpoint: str, body: bytes, found: str) -> None:
    """JSON of another shape is refused at the top."""
    wanted = "array" if endpoint == "line_crosses" else "object"
    with pytest.raises(DecodeError) as caught:
        structure_answer(endpoint, body, tz=None, carried={})
    assert caught.value.problems == (f"expected {wanted}, got {found} @ $",)


NOT_JSON = {
    "nothing": b"",
    "HTML": b"<!doctype html><html><body>stolen</body></html>",
    "half": b'[{"_id": {"year": 2025}, "count": 3',
    "trailing": b'[{"_id": {"year": 2025}, "count": 3}] [{}]',
    "NaN": b'[{"_id": {"year": 2025}, "count": NaN}]',
    "Infinity": b'[{"_id": {"year": 2025}, "count": -Infinity}]',
    "1e400": b'[{"_id": {"year": 2025}, "count": 1e400}]',
    "UTF-16": '[{"_id": {"year": 2025}, "count": 3}]'.encode("utf-16"),
    "two byte order marks": b'\xef\xbb\xbf\xef\xbb\xbf[{"_id": {"year": 2025}, "count": 3}]',
    "a byte order mark alone": b"\xef\xbb\xbf",
    "not UTF-8": b'[{"_id": {"year": 2025}, "count": 3, "name": "\xff"}]',
    "lone surrogate": b'[{"_id": {"year": 2025}, "count": 3, "name": "\\ud800"}]',
    "100,000 levels": b"[" * 100_000,
}


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "locations"])
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_only_strict_json_is_read(endpoint: str, body: bytes) -> None:
    """What is not JSON is a DecodeError that quotes nothing of it and does not keep it alive."""
    with pytest.raises(DecodeError) as caught:
        structure_of(endpoint)(body)
    (problem,) = caught.value.problems
    assert problem.startswith("not JSON: ")
    assert problem.endswith(" @ $")
    assert "stolen" not in problem
    assert caught.value.__context__ is None


def test_a_byte_order_mark_is_ignored() -> None:
    """Servers that send it mean nothing by it."""
    body = b'[{"_id": {"year": 2025}, "count": 3}]'
    answer = structure_answer("line_crosses", body, tz=None, carried={})
    assert structure_answer("line_crosses", b"\xef\xbb\xbf" + body, tz=None, carried={}) == answer
    assert answer.current.rows[0].count == 3
    named = b'\xef\xbb\xbf[{"id": 124, "name": "\xef\xbb\xbf"}]'
    assert structure_entities("locations", named)[0][0].name == "\ufeff"


def structure_of(endpoint: str) -> Callable[[bytes], Any]:
    """Return what structures the answers of *endpoint*."""
    if endpoint in ENDPOINTS:
        return lambda body: structure_answer(endpoint, body, tz=None, carried={})
    return lambda body: structure_entities(endpoint, body)


def test_levels_that_orjson_reads_and_nobody_can_hold_are_a_fault() -> None:
    """An unknown field of a thousand levels ends as a DecodeError, not as a RecursionError."""
    deep = b'{"a":' * 1000 + b"1" + b"}" * 1000
    with pytest.raises(DecodeError, match="nested too deeply @"):
        structure_answer("line_crosses", b'[{"_id": {}, "count": 3, "deep": %s}]' % deep, tz=None, carried={})
    with pytest.raises(DecodeError, match=r"nested too deeply @ \$$"):
        structure_entities("zones", b'{"zones": [], "deep": %s}' % deep)


def test_a_key_sent_twice_counts_as_last_sent() -> None:
    """Doubled keys are read as orjson reads them, whichever way serves them."""
    body = b'[{"_id": {"year": 2025}, "count": 1, "count": 3}]'
    for way in (structure_answer, decide_answer):
        answer = way("line_crosses", body, tz=None, carried={})
        assert answer.current.rows[0].count == 3


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("line_crosses", [{"count": "x"}] * 50),
        ("zone_visitors", {"current": {"insights": [{"dwell_time_stats": {"quantiles": ["x"] * 50}}]}}),
        (
            "drop_in_rate",
            {"summary": [], "details": [], "zone_details": {"current": {str(k): {} for k in range(50)}}},
        ),
    ],
    ids=["rows", "quantiles", "zones"],
)
def test_twenty_problems_are_enough(endpoint: str, body: Any) -> None:
    """An answer that is wrong everywhere is described by its first faults."""
    with pytest.raises(DecodeError) as caught:
        structure_answer(endpoint, orjson.dumps(body), tz=None, carried={})
    assert len(caught.value.problems) == 20


def test_both_names_of_one_thing_lose_nothing() -> None:
    """The field's own name wins; the other, sent beside it, is a field that is not known."""
    sent = orjson.loads(payload("drop_in_rate/sample"))
    sent["details"]["current"][0] |= {"dayofmonth": 14, "visits": 1}
    answer = structure_answer("drop_in_rate", orjson.dumps(sent), tz=None, carried={})
    row = answer.current.details[0]
    assert (row.bucket.dayofmonth, row.enter, row.extra) == (14, 715, FrozenMap({"day": 15, "visits": 1}))


# The filter endpoints.

ENTITIES: dict[str, tuple[Any, ...]] = {
    "locations/list": (
        Location(
            id=124,
            name="Stockholm",
            city="Stockholm",
            country="SE",
            timezone="Europe/Stockholm",
            opening_hours=FrozenMap({"monday": (FrozenMap({"from": "09:00", "to": "21:00"}),), "sunday": ()}),
            organization=7,
            extra=FrozenMap({"custom_id": "S-1"}),
        ),
        Location(id=125, name="Kathmandu", city=None, country="NP", timezone="Asia/Kathmandu"),
    ),
    "locations/one_object": (
        Location(
            id=124,
            name="Stockholm",
            city="Stockholm",
            country="SE",
            timezone="Europe/Stockholm",
            extra=FrozenMap({"cameras": (1, 2)}),
        ),
    ),
    "zones/wrapped": (
        Zone(id=201, name="Entrance", location=124, floor=-1, bounce_threshold=120),
        Zone(
            id=202,
            name="Shop",
            extra=FrozenMap(
                {"location": FrozenMap({"id": 124, "name": "Stockholm"}), "floor": "1", "bounce_threshold": 90.5}
            ),
        ),
    ),
    "lines/keyed": (
        Line(id=31, name="Door in", location=124, floor=0, zone_to=201, zone_from=None, category=(1, 3)),
        Line(id=32, name="Door out", zone_from=201, category=3),
    ),
    "categories/wrapped": (Category(id=1, name="Entrances"),),
    "organizations/list": (Organization(id=7, name="Indivd", extra=FrozenMap({"plan": "pro"})),),
}


@pytest.mark.parametrize("name", ENTITIES)
def test_every_form_of_a_list_is_read(name: str) -> None:
    """A list, one object, a wrapper and a mapping by id all give the entities, and lose no field."""
    entities, _ = structure_entities(name.split("/")[0], payload(name))
    assert entities == ENTITIES[name]
    assert repr(entities) == repr(ENTITIES[name])


def test_whole_floats_are_ids_in_lists_too() -> None:
    """As they come from tables in which other entries have none."""
    body = b'[{"id": 7.0, "location": 124.0, "floor": -1.0, "bounce_threshold": 1.5}, {"id": 8, "location": null}]'
    assert structure_entities("zones", body)[0] == (
        Zone(id=7, location=124, floor=-1, extra=FrozenMap({"bounce_threshold": 1.5})),
        Zone(id=8),
    )


@pytest.mark.parametrize("name", FILTER_ENDPOINTS)
def test_a_number_for_a_name_is_read_in_lists_too(name: str) -> None:
    """As in rows: a shop may be called by its number."""
    (entity,), _ = structure_entities(name, b'[{"id": 7, "name": 1042}]')
    assert entity.name == "1042"


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"results": []}'])
def test_an_empty_list_is_read_in_every_form(body: bytes) -> None:
    """A token without zones sees no zones."""
    assert structure_entities("zones", body)[0] == ()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("7", "expected object, got int @ $"),
        ('{"detail": "stolen"}', "expected a list, an object with an id, or a mapping by id, got another object @ $"),
        (
            '{"a": [], "b": []}',
            "expected a list, an object with an id, or a mapping by id, got another object @ $",
        ),
        ('{"results": [{"id": "7"}]}', "expected int, got str @ $.results[0].id"),
        ('{"id": 7, "name": 7.5}', "expected str, got float @ $.name"),
        ("[{}]", "missing field id @ $[0]"),
        ('{"7": {"id": 8}}', "expected the id that is the key, got another @ $[7].id"),
        ('{"07": {}}', "missing field id @ $[07]"),
        ('{"zone": {}}', "missing field id @ $[zone]"),
    ],
)
def test_a_fault_in_a_list_is_named(body: str, problem: str) -> None:
    """Lists are as strict as answers where their fields are documented."""
    with pytest.raises(DecodeError) as caught:
        structure_entities("zones", body.encode())
    assert caught.value.problems == (problem,)


# What an answer says of itself.


@pytest.mark.parametrize("way", [structure_answer, decide_answer])
def test_an_answer_keeps_what_it_says_of_itself(way: Callable[..., Answer]) -> None:
    """Dates of both periods as they were written, and unknown fields of the answer, its periods and its sections."""
    body = (
        b'{"current": {"startdate": "2025-03-01", "enddate": "2025-03-07T00:00:00Z", "insights": [], "next": "x"},'
        b' "comparison": {"start_date": "2024-03-01", "end_date": null, "insights": []}, "warning": {"a": [1]}}'
    )
    answer = way("zone_visitors", body, tz=None, carried={})
    assert answer.current.dates == ("2025-03-01", "2025-03-07T00:00:00Z")
    assert answer.comparison is not None
    assert answer.comparison.dates == ("2024-03-01", None)
    assert answer.extra == {"current.next": "x", "warning": FrozenMap({"a": (1,)})}
    body = (
        b'{"summary": {"current": {"start_date": "2025-03-01", "end_date": "2025-03-07", "passing_by": 4, "enter": 2, '
        b'"enter_percentage": 50.0, "pages": 2}, "comparison": {}, "a": 1}, "details": {"interval": "day", "current": '
        b'[], "comparison": [], "b": 2}, "zone_details": {"current": {}, "comparison": {}, "c": 3}, "count": 4}'
    )
    answer = way("drop_in_rate", body, tz=None, carried={})
    assert answer.current.summary is not None
    assert (answer.current.summary.startdate, answer.current.summary.enddate) == ("2025-03-01", "2025-03-07")
    assert answer.current.summary.extra == {"pages": 2}
    assert answer.extra == {"summary.a": 1, "details.b": 2, "zone_details.c": 3, "count": 4}


# What means the same.

CURRENT_END, CURRENT_ZONE = ("current", "summary", "enddate"), ("current", "zones", 0)
SAME: list[tuple[str, tuple[Any, ...], Any, tuple[Any, ...], Any]] = [
    ("line_crosses", (0, "count"), 100006.0, ("current", "rows", 0, "count"), 100006),
    ("line_crosses", (0, "_id", "year"), 2025.0, ("current", "rows", 0, "bucket", "year"), 2025),
    ("zone_visitors", (*ROW, "visits"), 284.0, ("current", "rows", 0, "visits"), 284),
    ("zone_visitors", (*ROW, "visits"), -0.0, ("current", "rows", 0, "visits"), 0),
    ("zone_visitors", (*ROW, "dwell_time_stats", "n"), 251.0, ("current", "rows", 0, "dwell_time_stats", "n"), 251),
    ("zone_visitors", (*ROW, "aggregation", "zone_id"), 201.0, ("current", "rows", 0, "aggregation", "zone_id"), 201),
    ("zone_visitors", (*ROW, "aggregation", "zone_name"), 12, ("current", "rows", 0, "aggregation", "zone_name"), "12"),
    (
        "zone_visitors",
        (*ROW, "dwell_time_stats"),
        {"mean": None, "min": None, "max": None, "quantiles": [None, None, None], "n": 0},
        ("current", "rows", 0, "dwell_time_stats"),
        DwellTimeStats(quantiles=(None, None, None), n=0),
    ),
    *(
        ("zone_visitors", (*ROW, name), empty, ("current", "rows", 0, name), None)
        for name in ("unique_visits", "bounce", "dwell_time", "dwell_time_stats")
        for empty in ("", [], {}, None)
    ),
    ("zone_visitors", ("current", "startdate"), 1740787200, ("current", "dates", 0), "2025-03-01T00:00:00+00:00"),
    ("drop_in_rate", ("summary", "current", "enddate"), 1740787200000, CURRENT_END, "2025-03-01T00:00:00+00:00"),
    ("drop_in_rate", (*ZONE, "location_custom_id"), 1042, (*CURRENT_ZONE, "location_custom_id"), "1042"),
    ("drop_in_rate", (*ZONE, "loc_name"), 12, (*CURRENT_ZONE, "loc_name"), "12"),
    ("drop_in_rate", (*ZONE, "details", 0, "visits"), 715.0, (*CURRENT_ZONE, "details", 0, "visits"), 715),
]


@pytest.mark.parametrize(("endpoint", "path", "sent", "place", "expected"), SAME)
@pytest.mark.parametrize("way", [structure_answer, decide_answer])
def test_what_means_the_same_is_read(
    way: Callable[..., Answer], endpoint: str, path: tuple[Any, ...], sent: Any, place: tuple[Any, ...], expected: Any
) -> None:
    """Losslessly, and by both readings alike; with a byte order mark, too."""
    document = orjson.loads(payload(f"{endpoint}/sample"))
    put(document, path, sent)
    body = orjson.dumps(document)
    answer: Any = way(endpoint, body, tz=None, carried={})
    found = answer
    for step in place:
        found = found[step] if isinstance(step, int) else getattr(found, step)
    assert (found, type(found)) == (expected, type(expected))
    assert way(endpoint, b"\xef\xbb\xbf" + body, tz=None, carried={}) == answer


@pytest.mark.parametrize("value", [2.0**53, 1e300, 284.5])
def test_floats_that_are_no_whole_number_for_sure_are_refused(value: float) -> None:
    """Beyond 2 ** 53 several whole numbers are one float."""
    document = orjson.loads(payload("line_crosses/sample"))
    put(document, (0, "count"), value)
    with pytest.raises(DecodeError, match="expected int, got float"):
        structure_answer("line_crosses", orjson.dumps(document), tz=None, carried={})
