"""The fast way against the way of record: msgspec gives exactly what cattrs gives, or declines."""

from __future__ import annotations

import copy
import json
from typing import Any

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given
from oracle import examples

from indivd_async import DropInRate, LineCrosses, ZoneVisitors
from indivd_async.errors import DecodeError
from indivd_async.models.values import with_changes
from indivd_async.planning import Plan
from indivd_async.results import Chunk, tables
from indivd_async.results.licences import Licences
from indivd_async.structuring import place_rows, structure_answer
from indivd_async.structuring.documented import read_documented
from indivd_async.structuring.reading import decide_answer

ASKED: dict[str, dict[str, Any]] = {
    "line_crosses": {"tz": None, "carried": {"location": 124, "floor": -1}},
    "zone_visitors": {"tz": "Asia/Kathmandu", "carried": {}},
    "drop_in_rate": {"tz": "Asia/Kathmandu", "carried": {}},
}

# The documented shapes.

SECRET = "S3CRET"  # in every text of a payload, and in no problem
COUNTS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 500)
SECONDS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 100)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8).map(lambda text: SECRET + text)
DATES = st.dates().map(str)


def some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw any of *fields*."""
    return st.fixed_dictionaries({}, optional=fields)


LABELS = some(dict.fromkeys(["year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute"], COUNTS))
DETAIL_LABELS = some(dict.fromkeys(["year", "month", "week", "day", "hour"], COUNTS))
PLACES = st.builds(
    lambda labels, zone: labels | zone,
    LABELS,
    st.fixed_dictionaries(
        {"zone_id": COUNTS},
        optional={"zone_name": TEXTS, "bounce_threshold": COUNTS, "loc_id": COUNTS | st.none()},
    ),
)
STATS = st.fixed_dictionaries(
    {"mean": SECONDS, "min": SECONDS, "max": SECONDS, "quantiles": st.lists(SECONDS, max_size=3), "n": COUNTS}
)
EXCLUDES = st.fixed_dictionaries({"min_dwell_time": COUNTS, "max_dwell_time": COUNTS | st.none()})
VISITS = st.fixed_dictionaries(
    {"visits": COUNTS, "aggregation": PLACES},
    optional={
        "unique_visits": COUNTS | st.none(),
        "bounce": COUNTS,
        "dwell_time": SECONDS | st.none(),
        "dwell_time_stats": STATS | st.just({}) | st.none(),
        "exclude": EXCLUDES | st.just({}) | st.none(),
    },
)
PERIODS = st.fixed_dictionaries({"startdate": DATES, "enddate": DATES, "insights": st.lists(VISITS, max_size=3)})
TOTALS = st.fixed_dictionaries(
    {"startdate": DATES, "enddate": DATES, "passing_by": COUNTS, "enter": COUNTS, "enter_percentage": SECONDS}
)
RATES = {"passing_by": COUNTS | st.just(0), "drop_in_rate": SECONDS | st.none()}
DETAILS = st.builds(lambda labels, row: labels | row, DETAIL_LABELS, st.fixed_dictionaries({"enter": COUNTS, **RATES}))
ZONE_DETAILS = st.builds(lambda labels, row: labels | row, LABELS, st.fixed_dictionaries({"visits": COUNTS, **RATES}))
ZONES = st.lists(
    st.fixed_dictionaries(
        {
            "zone_id": COUNTS,
            "total_visits": COUNTS,
            "total_passing_by": COUNTS | st.just(0),
            "drop_in_rate": SECONDS,
            "details": st.lists(ZONE_DETAILS, max_size=2),
        },
        optional={"zone_name": TEXTS, "loc_id": COUNTS, "loc_name": TEXTS, "location_custom_id": TEXTS | st.none()},
    ),
    max_size=2,
).map(lambda zones: {str(zone["zone_id"]): zone for zone in zones})
SHAPES: dict[str, st.SearchStrategy[Any]] = {
    "line_crosses": st.lists(st.fixed_dictionaries({"_id": LABELS, "count": COUNTS}), max_size=3),
    "zone_visitors": st.fixed_dictionaries(
        {"current": PERIODS | st.just({})},
        optional={"comparison": PERIODS | st.just({}) | st.just([]) | st.none()},
    ),
    "drop_in_rate": st.fixed_dictionaries(
        {
            "summary": st.fixed_dictionaries(dict.fromkeys(["current", "comparison"], TOTALS | st.just({}))),
            "details": st.fixed_dictionaries(
                {
                    "interval": TEXTS,
                    "current": st.lists(DETAILS, max_size=2),
                    "comparison": st.lists(DETAILS, max_size=2),
                }
            ),
            "zone_details": st.fixed_dictionaries(dict.fromkeys(["current", "comparison"], ZONES)),
        }
    ),
}
ANSWERS = st.one_of([st.tuples(st.just(endpoint), shape) for endpoint, shape in SHAPES.items()])

# What may be wrong with them.

ODD: list[Any] = [
    None, True, False, 0, 1, -1, 3.0, -0.0, 0.5, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308,
    "", SECRET, "7", [], [0], {}, {"a": 1}, [[]], {"unknown": [SECRET, {"a": None}]},
]  # fmt: skip
ODDITIES = st.sampled_from(ODD).map(copy.deepcopy)
NAMES = st.sampled_from([
    "_id", "count", "year", "day", "dayofmonth", "hour", "visits", "enter", "enter_percentage", "drop_in_rate",
    "passing_by", "zone_id", "n", "quantiles", "exclude", "aggregation", "insights", "current", "comparison", "tz",
    "extra", "unknown",
])  # fmt: skip
CHANGES = st.sampled_from(["replace", "leave out", "add", "wrap", "as float"])
BYTES = st.sampled_from([b"", b" ", b"-", b"0", b".", b"e5", b",", b'"', b"\\", b"}", b"\x00", b"\xff", b"NaN"])
KINDS = st.sampled_from(["values", "values", "key", "byte"])


def places(sent: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value within *sent*."""
    steps = sent.items() if isinstance(sent, dict) else enumerate(sent) if isinstance(sent, list) else ()
    return [path, *(below for step, item in steps for below in places(item, (*path, step)))]


def mutate(draw: st.DrawFn, sent: Any) -> Any:
    """Change one place of *sent*: another value, one left out, one or a level too many, an integer as a float."""
    sent = copy.deepcopy(sent)  # the strategies hand out objects that others hold
    path: tuple[Any, ...] = draw(st.sampled_from(places(sent)))
    *above, last = ("top", *path)
    holder: Any = {"top": sent}
    inner = holder
    for step in above:
        inner = inner[step]
    what = draw(CHANGES)
    value = inner[last]
    if what == "leave out" and above:
        del inner[last]
    elif what == "add" and isinstance(value, dict):
        value[draw(NAMES)] = draw(ODDITIES)
    elif what == "add" and isinstance(value, list):
        value.append(draw(ODDITIES))
    elif what == "wrap":
        inner[last] = draw(st.sampled_from([[value], {"a": value}]))
    elif what == "as float" and type(value) is int and abs(value) <= 2**64:
        inner[last] = float(value)
    else:
        inner[last] = draw(ODDITIES)
    return holder["top"]


def double_key(draw: st.DrawFn, body: bytes) -> bytes:
    """Put a key that may stand there already at the head of one object."""
    place = draw(st.sampled_from([k for k, byte in enumerate(body) if byte == ord("{")] or [0])) + 1
    pair = json.dumps({draw(NAMES): draw(ODDITIES)})[1:-1]
    return body[:place] + f"{pair}, ".encode() + body[place:]


def break_byte(draw: st.DrawFn, body: bytes) -> bytes:
    """Replace, drop or insert one byte anywhere."""
    place = draw(st.integers(0, len(body)))
    byte = draw(BYTES)
    return body[:place] + byte + body[place + draw(st.integers(0, 1)) :]


@st.composite
def broken_answers(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw an answer with a few things wrong, or odd, or right after all."""
    endpoint, sent = draw(ANSWERS)
    for _ in range(draw(st.integers(0, 3))):
        sent = mutate(draw, sent)
    body = json.dumps(sent, ensure_ascii=draw(st.booleans())).encode()
    kind = draw(KINDS)
    return endpoint, body if kind == "values" else double_key(draw, body) if kind == "key" else break_byte(draw, body)


def outcome(way: Any, endpoint: str, body: bytes) -> Any:
    """Return what *way* says, written out (which tells 3 from 3.0), or the problems that it names."""
    try:
        return repr(way(endpoint, body, **ASKED[endpoint]))
    except DecodeError as error:
        return error.problems


@examples(300)
@given(ANSWERS)
def test_documented_shapes_are_served_fast_and_alike(answer: tuple[str, Any]) -> None:
    """What the article describes never needs the slower way, and is the same by both."""
    endpoint, sent = answer
    body = json.dumps(sent).encode()
    fast = read_documented(endpoint, body, **ASKED[endpoint])
    assert fast == decide_answer(endpoint, body, **ASKED[endpoint])
    assert repr(fast) == outcome(decide_answer, endpoint, body)


QUERIES = {
    "line_crosses": LineCrosses("2025-01-01", "2025-12-31", location=124, floor=-1, aggregate_by="year"),
    "zone_visitors": ZoneVisitors("2025-01-01", "2025-12-31", location=[124], tz="Asia/Kathmandu"),
    "drop_in_rate": DropInRate("2025-01-01", "2025-12-31", location=[124], tz="Asia/Kathmandu"),
}


def columns_of(endpoint: str, answer: Any) -> Any:
    """Return the columns that an answer for a table makes, after all that is done to its rows on the way."""
    query = QUERIES[endpoint]
    request = next(iter(Plan(query)))
    place_rows(answer, request, {}, {124: "Shop"})
    if endpoint == "zone_visitors":
        answer = answer.changed(lambda row: with_changes(row, bounce=None))
    chunk = Chunk(query=query, request=request, answer=answer)
    return [
        [list(column) for column in batch.columns]
        for batch in tables.batches_of_chunks(chunk.query, [Licences().hide(chunk)])
    ]


@examples(600)
@given(ANSWERS)
def test_rows_for_a_table_stay_as_decoded_and_make_the_same_columns(answer: tuple[str, Any]) -> None:
    """Nothing of a row is needed to make columns of it, and what is null or left out is so in both."""
    endpoint, sent = answer
    body = json.dumps(sent).encode()
    rows, decoded = (read_documented(endpoint, body, **ASKED[endpoint], for_table=value) for value in (False, True))
    if endpoint != "drop_in_rate":
        chunk = Chunk(query=QUERIES[endpoint], request=PLANNED, answer=decoded)
        assert not any(attrs.has(type(row)) for row in chunk.rows)
    assert repr(columns_of(endpoint, decoded)) == repr(columns_of(endpoint, rows))


PLANNED = next(iter(Plan(QUERIES["zone_visitors"])))


@examples(300)
@given(broken_answers())
def test_what_is_read_for_a_table_is_what_is_read_else(answer: tuple[str, bytes]) -> None:
    """What is declined for rows is declined for a table."""
    endpoint, body = answer
    rows, decoded = (read_documented(endpoint, body, **ASKED[endpoint], for_table=value) for value in (False, True))
    assert (rows is None) == (decoded is None)


def visits_with(where: str, more: dict[str, Any]) -> Any:
    row: dict[str, Any] = {"visits": 1, "aggregation": {"zone_id": 5}}
    (row if where == "row" else row["aggregation"]).update(more)
    return {"current": {"startdate": "a", "enddate": "b", "insights": [row]}}


def lines_with(where: str, more: dict[str, Any]) -> Any:
    row: dict[str, Any] = {"_id": {"year": 2025}, "count": 1}
    (row if where == "row" else row["_id"]).update(more)
    return [row]


def drop_in_with(where: str, more: dict[str, Any]) -> Any:
    assert where == "row"
    row = {"year": 2025, "visits": 1, "passing_by": 2, "drop_in_rate": 50.0} | more
    zone = {"zone_id": 5, "total_visits": 1, "total_passing_by": 2, "drop_in_rate": 50.0, "details": [row]}
    nothing: dict[str, Any] = {"current": {}, "comparison": {}}
    return {
        "summary": nothing,
        "details": {"interval": "year", "current": [], "comparison": []},
        "zone_details": {"current": {"5": zone}, "comparison": {}},
    }


@pytest.mark.parametrize(
    ("endpoint", "make", "where", "fields"),
    [
        ("zone_visitors", visits_with, "row", ["bucket", "loc_name", "tz", "extra"]),
        ("zone_visitors", visits_with, "label", ["bucket", "loc_name", "tz", "extra"]),
        ("line_crosses", lines_with, "row", ["bucket", "location", "floor", "loc_name", "extra"]),
        ("line_crosses", lines_with, "label", ["bucket", "location", "extra"]),
        ("drop_in_rate", drop_in_with, "row", ["bucket", "zone_id", "loc_id", "extra"]),
    ],
)
@pytest.mark.parametrize("value", [None, "x", 1, {"a": 1}, [], True])
def test_fields_that_rows_have_beside_those_of_the_api_are_not_taken_from_an_answer(
    endpoint: str, make: Any, where: str, fields: list[str], value: Any
) -> None:
    """They are unknown fields like any other: the slower way keeps them."""
    for for_table in (False, True):
        asked = ASKED[endpoint] | {"for_table": for_table}
        assert read_documented(endpoint, json.dumps(make(where, {})).encode(), **asked) is not None
        for field in fields:
            assert read_documented(endpoint, json.dumps(make(where, {field: value})).encode(), **asked) is None


@examples(500)
@given(broken_answers())
def test_what_is_served_fast_is_what_cattrs_says(answer: tuple[str, bytes]) -> None:
    """Whatever is wrong with an answer, the result or the problems are those of cattrs, and quote no value."""
    expected = outcome(decide_answer, *answer)
    assert outcome(structure_answer, *answer) == expected
    if isinstance(expected, tuple):
        assert SECRET not in "".join(expected)
        assert all(" @ $" in problem for problem in expected)


@pytest.mark.parametrize("endpoint", SHAPES)
def test_the_agreement_is_put_to_the_test(endpoint: str) -> None:
    """The property is no empty one: the fast way serves an answer and declines another."""
    whole = {
        "line_crosses": b'[{"_id": {}, "count": 1}]',
        "zone_visitors": b'{"current": {}}',
        "drop_in_rate": b'{"summary": {"current": {}, "comparison": {}}, "details": {"interval": "day", "current": [], '
        b'"comparison": []}, "zone_details": {"current": {}, "comparison": {}}}',
    }[endpoint]
    assert read_documented(endpoint, whole, **ASKED[endpoint]) is not None
    assert read_documented(endpoint, b"{}", **ASKED[endpoint]) is None
