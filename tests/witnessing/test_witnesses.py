"""An answer beside its question: what is certainly not the answer is an error, what may not be is a note."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import indivd_async
from indivd_async import AnswerMismatchError, DropInRate, LineCrosses, ZoneVisitors
from indivd_async.models import FrozenMap
from indivd_async.planning import Plan, PlannedRequest
from indivd_async.profile import MostDays, Profile
from indivd_async.queries import Query
from indivd_async.results import Answer
from indivd_async.results.notes import DOUBTFUL, EXPECTED, KINDS
from indivd_async.structuring import structure_answer
from indivd_async.witnessing import WITNESSES, witness_answer, witness_list

STOCKHOLM = "Europe/Stockholm"
DAYS = [date(2025, 3, 1) + timedelta(days=number) for number in range(3)]
BEFORE = [date(2025, 2, 1) + timedelta(days=number) for number in range(3)]

# Sound answers, and the questions for them.


def label(day: date, **others: Any) -> dict[str, Any]:
    return {"year": day.year, "month": day.month, "dayofmonth": day.day, **others}


def visit(day: date, zone: int = 201, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "visits": 284,
        "unique_visits": 251,
        "bounce": 43,
        "dwell_time": 187.5,
        "dwell_time_stats": {"mean": 187.5, "min": 12.0, "max": 1843.0, "quantiles": [95.0, 148.0, 231.0], "n": 251},
        "exclude": {"min_dwell_time": 0, "max_dwell_time": 0},
        "aggregation": label(day, zone_id=zone, zone_name="Entrance", bounce_threshold=120),
    }
    return row | changes


def period(days: list[date], rows: list[Any]) -> dict[str, Any]:
    return {"startdate": str(days[0]), "enddate": str(days[-1]), "insights": rows}


def visits() -> dict[str, Any]:
    return {
        "current": period(DAYS, [visit(day, zone) for day in DAYS for zone in (201, 202)]),
        "comparison": period(BEFORE, [visit(day, visits=290) for day in BEFORE]),
    }


def rate(day: date, enter: str, name: str) -> dict[str, Any]:
    return {"year": day.year, "month": day.month, name: day.day, enter: 30, "passing_by": 40, "drop_in_rate": 75.0}


def rates() -> dict[str, Any]:
    def sections(days: list[date]) -> tuple[Any, Any, Any]:
        total = {"passing_by": 120, "enter": 90, "enter_percentage": 75.0}
        zone = {
            "zone_id": 201, "zone_name": "Entrance", "loc_id": 124, "loc_name": "Drottninggatan",
            "location_custom_id": "", "total_visits": 90, "total_passing_by": 120, "drop_in_rate": 75.0,
            "details": [rate(day, "visits", "dayofmonth") for day in days],
        }  # fmt: skip
        dates = {"startdate": str(days[0]), "enddate": str(days[-1])}
        return dates | total, [rate(day, "enter", "day") for day in days], {"201": zone}

    current, comparison = sections(DAYS), sections(BEFORE)
    return {
        name: {"current": one, "comparison": other} | ({"interval": "day"} if name == "details" else {})
        for name, one, other in zip(("summary", "details", "zone_details"), current, comparison, strict=True)
    }


def lines() -> list[Any]:
    return [{"_id": label(day), "count": 100 + number} for number, day in enumerate(DAYS)]


DATES = {"comparison_start_date": BEFORE[0], "comparison_end_date": BEFORE[-1]}
QUERIES: dict[str, Query] = {
    "line_crosses": LineCrosses(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, category=1),
    "zone_visitors": ZoneVisitors(
        DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, zones=[201, 202], bounce_threshold=120, **DATES
    ),
    "drop_in_rate": DropInRate(DAYS[0], DAYS[-1], interval="day", location=124, zone=201, **DATES),
}
SOUND: dict[str, Callable[[], Any]] = {"line_crosses": lines, "zone_visitors": visits, "drop_in_rate": rates}


def request_of(query: Query) -> PlannedRequest:
    (request,) = Plan(query, locations=((124, STOCKHOLM),) if not isinstance(query, LineCrosses) else None)
    return request


def hold(query: Query, document: Any, **beside: Any) -> Answer:
    request = request_of(query)
    body = json.dumps(document).encode()
    answer = structure_answer(request.endpoint, body, tz=request.tz, carried=request.carried)
    return witness_answer(request, answer, **beside)


def kinds(query: Query, document: Any, **beside: Any) -> list[str]:
    return [note.kind for note in hold(query, document, **beside).notes]


def changed(endpoint: str, path: tuple[Any, ...], value: Any) -> Any:
    """Return the sound answer with one value replaced; a callable makes it of the old one."""
    document = SOUND[endpoint]()
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value(holder[path[-1]]) if callable(value) else value
    return document


# Errors.

WRONG: list[tuple[str, str, tuple[Any, ...], Any, str]] = [
    ("dates of the period", "zone_visitors", ("current", "startdate"), "2025-03-02", "got 2025-03-02 to 2025-03-03"),
    ("dates of the period", "zone_visitors", ("current", "enddate"), "2025-03-02T23:00:00+01:00", "period 2025-03-01"),
    ("dates of the period", "zone_visitors", ("current", "enddate"), "2025-03-04", "got 2025-03-01 to 2025-03-04"),
    ("dates of the period", "zone_visitors", ("comparison", "startdate"), "2024-02-01", "the comparison period"),
    ("dates of the period", "drop_in_rate", ("summary", "current", "startdate"), "2025-02-28", "2025-03-01 to"),
    ("dates of the period", "drop_in_rate", ("summary", "comparison", "enddate"), "2025-02-04", "comparison period"),
    ("labels of rows", "line_crosses", (0, "_id", "dayofmonth"), 31, "got rows of year 2025, month 3, dayofmonth 31"),
    ("labels of rows", "zone_visitors", ("current", "insights", 0, "aggregation", "month"), 2, "rows of 2025-03-01 to"),
    ("labels of rows", "zone_visitors", ("comparison", "insights", 0, "aggregation", "month"), 3, "rows of 2025-02"),
    ("labels of rows", "drop_in_rate", ("details", "current", 0, "day"), 4, "rows of year 2025, month 3, dayofmonth 4"),
    ("labels of rows", "line_crosses", (2, "_id"), {"year": 2025, "month": 3}, "expected aggregate_by dayofmonth, got"),
    ("labels of rows", "line_crosses", (1, "_id"), label(DAYS[1], hour=9), "labels year, month, dayofmonth, hour"),
    ("labels of rows", "line_crosses", (1, "_id"), {"isoDate": "2025-03-02"}, "got labels that name no time"),
    ("interval", "drop_in_rate", ("details", "interval"), "hour", "expected interval day, got interval hour"),
    ("zones", "zone_visitors", ("current", "insights", 5, "aggregation", "zone_id"), 203, "201, 202, got zones 203"),
    ("zones", "drop_in_rate", ("zone_details", "current"), lambda old: {"202": old["201"] | {"zone_id": 202}}, "202"),
    ("locations", "drop_in_rate", ("zone_details", "current", "201", "loc_id"), 125, "got rows of locations 125"),
    ("locations", "zone_visitors", ("comparison", "insights", 0, "aggregation", "loc_id"), 9, "locations 124, got"),
    ("bounce threshold", "zone_visitors", ("current", "insights", 3, "aggregation", "bounce_threshold"), 60, "got 60"),
    ("comparison", "zone_visitors", ("comparison",), {}, "a comparison with 2025-02-01 to 2025-02-03, got none"),
    ("comparison", "zone_visitors", ("comparison",), None, "a comparison with 2025-02-01 to 2025-02-03, got none"),
]


@pytest.mark.parametrize(
    ("witness", "endpoint", "path", "value", "words"), WRONG, ids=[f"{w[0]}-{w[1]}-{n}" for n, w in enumerate(WRONG)]
)
def test_what_is_not_the_answer_is_an_error(
    witness: str, endpoint: str, path: tuple[Any, ...], value: Any, words: str
) -> None:
    """It names the witness, both values and the request, says what to do, and pickles."""
    with pytest.raises(AnswerMismatchError) as caught:
        hold(QUERIES[endpoint], changed(endpoint, path, value))
    error = caught.value
    assert error.witness == witness
    assert words in str(error)
    assert error.request == request_of(QUERIES[endpoint])
    assert error.advice
    assert error.advice in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))


@pytest.mark.parametrize("endpoint", SOUND)
def test_a_sound_answer_is_left_as_it_is(endpoint: str) -> None:
    """No error, no note, the same rows."""
    request = request_of(QUERIES[endpoint])
    body = json.dumps(SOUND[endpoint]()).encode()
    answer = structure_answer(endpoint, body, tz=request.tz, carried=request.carried)
    assert witness_answer(request, answer) is answer


def test_a_comparison_that_was_not_asked_for_is_an_error() -> None:
    """Its rows would stand among those of a stream."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124)
    with pytest.raises(AnswerMismatchError, match="expected no comparison, got one"):
        hold(query, visits())
    rate_query = DropInRate(DAYS[0], DAYS[-1], interval="day", location=124)
    with pytest.raises(AnswerMismatchError, match="expected no comparison, got one"):
        hold(rate_query, rates())


def test_drop_in_rate_without_its_comparison_is_an_error() -> None:
    """Also where every section has something empty in its place."""
    document = rates()
    for name, nothing in (("summary", {}), ("details", []), ("zone_details", {})):
        document[name]["comparison"] = nothing
    with pytest.raises(AnswerMismatchError, match="expected a comparison with 2025-02-01 to 2025-02-03, got none"):
        hold(QUERIES["drop_in_rate"], document)


def test_a_clamp_is_named_with_what_it_allows() -> None:
    """How many days the service answers is what to ask for."""
    query = ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="zone", location=124)
    document = {"current": {"startdate": "2025-03-01", "enddate": "2025-03-31", "insights": []}, "comparison": {}}
    with pytest.raises(AnswerMismatchError, match="split=31 asks for no more days at once"):
        hold(query, document)


# Dates in other forms.

SAME_DATES = [
    ("2025-03-01T00:00:00Z", "2025-03-03T00:00:00Z"),
    ("2025-03-01T00:00:00.000Z", "2025-03-03T23:59:59.999Z"),
    ("2025-03-01 00:00:00", "2025-03-03 00:00:00"),
    ("2025-03-01T00:00:00+01:00", "2025-03-04T00:00:00+01:00"),
    ("2025-02-28T23:00:00Z", "2025-03-03T22:59:59Z"),
    ("20250301", "20250303"),
]


@pytest.mark.parametrize(("start", "end"), SAME_DATES)
def test_dates_in_other_forms_are_read(start: str, end: str) -> None:
    """Timestamps of UTC or of the place, to the last day, its last second, or the midnight after it."""
    document = visits()
    document["current"] |= {"startdate": start, "enddate": end}
    assert kinds(QUERIES["zone_visitors"], document) == []


@pytest.mark.parametrize("clock", ["-10:00", "+13:45"])
def test_a_moment_is_midnight_somewhere_where_the_clock_is_not_known(clock: str) -> None:
    """A single location of drop_in_rate is asked without looking up its clock."""
    (request,) = Plan(DropInRate(DAYS[0], DAYS[-1], interval="day", location=124), locations=None)
    document = rates()
    for section, nothing in (("summary", {}), ("details", []), ("zone_details", {})):
        document[section]["comparison"] = nothing
    utc = {"-10:00": "2025-03-01T10:00:00Z", "+13:45": "2025-02-28T10:15:00Z"}[clock]
    document["summary"]["current"]["startdate"] = utc
    answer = structure_answer("drop_in_rate", json.dumps(document).encode(), tz=None, carried=FrozenMap())
    assert witness_answer(request, answer).notes == ()
    document["summary"]["current"]["startdate"] = "2025-03-02T14:01:00Z"
    answer = structure_answer("drop_in_rate", json.dumps(document).encode(), tz=None, carried=FrozenMap())
    with pytest.raises(AnswerMismatchError):
        witness_answer(request, answer)


def test_dates_that_cannot_be_read_are_told() -> None:
    """They may be those asked for."""
    document = changed("zone_visitors", ("current", "startdate"), "1 mars 2025")
    assert kinds(QUERIES["zone_visitors"], document) == ["unreadable_dates"]
    document["current"]["enddate"] = "2025-03-02"  # and this one is not
    with pytest.raises(AnswerMismatchError):
        hold(QUERIES["zone_visitors"], document)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("field", ["startdate", "enddate"])
def test_dates_at_the_ends_of_the_calendar_are_others(field: str, text: str) -> None:
    """No clock reaches beyond them."""
    with pytest.raises(AnswerMismatchError, match="the current period"):
        hold(QUERIES["zone_visitors"], changed("zone_visitors", ("current", field), text))


@pytest.mark.parametrize("text", ["", " ", "2025-03-01T00:00:00+99:99"])
def test_dates_that_say_nothing_are_told(text: str) -> None:
    """They are not left out."""
    assert kinds(QUERIES["zone_visitors"], changed("zone_visitors", ("current", "enddate"), text)) == [
        "unreadable_dates"
    ]


def test_dates_that_are_left_out_are_not_held_against_anything() -> None:
    """Labels still are."""
    document = visits()
    del document["current"]["startdate"], document["current"]["enddate"]
    assert kinds(QUERIES["zone_visitors"], document) == []


# Labels.


def test_a_default_grouping_that_is_another_is_a_note() -> None:
    """The API was not told how to group, so its labels cannot be wrong, only unexpected."""
    query = LineCrosses(DAYS[0], DAYS[-1], location=124, category=1)
    assert kinds(query, [{"_id": {"year": 2025, "month": 3}, "count": 5}]) == ["grouped_otherwise"]
    rate_query = DropInRate(DAYS[0], DAYS[-1], location=124, zone=201, **DATES)
    assert kinds(rate_query, changed("drop_in_rate", ("details", "interval"), "hour")) == ["grouped_otherwise"]


@pytest.mark.parametrize(("words", "told"), [("daily", ["grouped_otherwise"]), ("dayofmonth", [])])
def test_an_interval_in_other_words_is_a_note(words: str, told: list[str]) -> None:
    """The labels tell whether it is the same; the API has two names for the day itself."""
    assert kinds(QUERIES["drop_in_rate"], changed("drop_in_rate", ("details", "interval"), words)) == told


@pytest.mark.parametrize("grouping", ["dayofmonth", "year,month,dayofmonth"])
def test_the_weekday_of_a_date_makes_no_other_bucket(grouping: str) -> None:
    """It may stand beside it; a week, which may have a year of its own, may not."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by=grouping, location=124)
    rows = [visit(day, aggregation=label(day, zone_id=201, dayofweek=7)) for day in DAYS]
    assert kinds(query, {"current": period(DAYS, rows)}) == []
    rows[0]["aggregation"]["week"] = 9
    with pytest.raises(AnswerMismatchError, match="got labels year, month, week, dayofmonth, dayofweek"):
        hold(query, {"current": period(DAYS, rows)})


INCOMPLETE = [
    ("hour", {"hour": 9}, "do not tell their day"),
    ("minute", {"year": 2025, "month": 3, "dayofmonth": 1, "minute": 30}, "do not tell their hour"),
    ("dayofmonth", {"dayofmonth": 1}, "do not tell their month and year"),
    ("week", {"week": 9}, "do not tell their year"),
]


@pytest.mark.parametrize(("grouping", "labels", "words"), INCOMPLETE, ids=[case[0] for case in INCOMPLETE])
def test_labels_that_do_not_tell_all_are_a_note(grouping: str, labels: dict[str, int], words: str) -> None:
    """One row may hold what belongs to several."""
    row = {"visits": 5, "aggregation": labels | {"zone_id": 201}}
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by=grouping, location=124)
    (note,) = [note for note in hold(query, {"current": {"insights": [row]}}).notes if note.kind != "numbering_unknown"]
    assert note.kind == "incomplete_labels"
    assert words in note.message


ELSEWHERE = [
    ("month,hour", {"month": 7, "hour": 9}, "rows of month 7, hour 9"),
    ("dayofmonth", {"dayofmonth": 25}, "rows of dayofmonth 25"),
    ("year,month,dayofweek", {"year": 2025, "month": 7, "dayofweek": 1}, "rows of year 2025, month 7, dayofweek 1"),
]


@pytest.mark.parametrize(("grouping", "labels", "words"), ELSEWHERE, ids=[case[0] for case in ELSEWHERE])
def test_labels_that_no_day_asked_for_has_are_another_period(grouping: str, labels: dict[str, int], words: str) -> None:
    """Also where they do not tell all of a date; what is of no year may be of any."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by=grouping, location=124)
    row = {"visits": 5, "aggregation": labels | {"zone_id": 201}}
    with pytest.raises(AnswerMismatchError, match=words):
        hold(query, {"current": {"insights": [row]}})
    row["aggregation"] |= {"month": 3} if "month" in labels else {"dayofmonth": 2}
    hold(query, {"current": {"insights": [row]}})


@pytest.mark.parametrize(
    ("start", "end", "grouping", "most"),
    [(date(2025, 3, 3), date(2025, 3, 9), "week", 2), (date(2025, 3, 3), date(2025, 3, 4), "dayofweek", 3)],
)
def test_more_weeks_than_there_are_is_another_period(start: date, end: date, grouping: str, most: int) -> None:
    """However they are numbered; another clock may add a day."""
    query = LineCrosses(start, end, aggregate_by=grouping, category=1)
    document = [{"_id": {"year": 2025, grouping: number}, "count": 5} for number in range(1, most + 2)]
    hold(query, document[:most])
    with pytest.raises(AnswerMismatchError, match=f"got {most + 1} labels {grouping}"):
        hold(query, document)
    document[0]["count"] = 0  # as where all seven weekdays come, whatever is asked
    assert "rows_of_zeros" in kinds(query, document)


def test_several_groupings_mean_what_they_say() -> None:
    """A profile of hours over all days was asked for."""
    row = {"visits": 5, "aggregation": {"dayofweek": 1, "hour": 9, "zone_id": 201}}
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofweek,hour", location=124)
    assert kinds(query, {"current": {"insights": [row]}}) == ["numbering_unknown"]


def test_hours_of_another_clock_are_a_note() -> None:
    """They lie within hours of the days asked for; further away they are other days."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="hour", location=124)

    def row(day: date, hour: int) -> dict[str, Any]:
        return {"visits": 5, "aggregation": label(day, hour=hour, zone_id=201)}

    near = [row(date(2025, 2, 28), 23), row(DAYS[0], 9)]
    assert kinds(query, {"current": {"insights": near}}) == ["labels_elsewhere"]
    with pytest.raises(AnswerMismatchError, match="rows of year 2025, month 2, dayofmonth 28, hour 9"):
        hold(query, {"current": {"insights": [row(date(2025, 2, 28), 9), row(DAYS[0], 9)]}})


@pytest.mark.parametrize("labels", [{"hour": 24}, {"month": 13}, {"dayofmonth": 0}])
def test_labels_that_no_calendar_has_are_told(labels: dict[str, int]) -> None:
    """Whoever numbers hours from 1 shows it at midnight; days and months fall out of the period."""
    query = LineCrosses(DAYS[0], DAYS[-1], aggregate_by="hour", category=1)
    document = [{"_id": label(DAYS[1], hour=9) | labels, "count": 5}]
    if "hour" in labels:
        assert kinds(query, document) == ["odd_labels"]
    else:
        with pytest.raises(AnswerMismatchError):
            hold(query, document)


@pytest.mark.parametrize(("year", "told"), [(2024, []), (2025, ["odd_labels"])])
def test_a_day_that_its_month_does_not_have_is_told(year: int, told: list[str]) -> None:
    """Between the days asked for, and on no calendar."""
    query = LineCrosses(date(year, 2, 27), date(year, 3, 2), aggregate_by="dayofmonth", category=1)
    assert kinds(query, [{"_id": {"year": year, "month": 2, "dayofmonth": 29}, "count": 5}]) == told


def test_packed_weeks_are_told() -> None:
    """202510 is a week that no calendar has."""
    query = LineCrosses(DAYS[0], DAYS[-1], aggregate_by="week", category=1)
    assert "odd_labels" in kinds(query, [{"_id": {"week": 202510}, "count": 5}])


def test_weeks_about_new_year_belong_to_either_year() -> None:
    """ISO's year of a week is not that of all its days."""
    query = LineCrosses("2024-12-01", "2024-12-31", aggregate_by="week", category=1)
    weeks = [{"year": 2024, "week": 48}, {"year": 2025, "week": 1}]
    assert kinds(query, [{"_id": week, "count": 5} for week in weeks]) == ["numbering_unknown"]
    with pytest.raises(AnswerMismatchError):
        hold(query, [{"_id": {"year": 2026, "week": 1}, "count": 5}])


def test_unknown_labels_are_told_and_part_of_the_key() -> None:
    """Where the API chose the grouping itself; a label of figures (drop_in_rate) is known by its name."""
    query = LineCrosses("2025-01-01", "2025-03-31", category=1, split=None)
    rows = [{"_id": {"isoWeekYear": 2025, "isoWeek": week}, "count": 5} for week in (9, 10)]
    assert kinds(query, rows) == ["grouped_otherwise", "odd_labels"]
    assert "repeated_key" in kinds(query, [*rows, rows[0]])
    rate_query = DropInRate(DAYS[0], DAYS[-1], location=124, zone=201, **DATES)
    document = rates()
    for row, day in zip(document["details"]["current"], DAYS, strict=True):
        row["date"] = str(day)
        row["staff"] = 1
        del row["year"], row["month"], row["day"]
    assert kinds(rate_query, document) == ["grouped_otherwise", "odd_labels"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *((name, []) for name in ("updated_at", "lastUpdate", "gender", "trend", "average_spend")),
        *((name, ["odd_labels"]) for name in ("date", "start", "end_time", "bucketStart", "Stamp")),
    ],
)
def test_only_what_may_label_a_bucket_is_a_label(name: str, told: list[str]) -> None:
    """Beside the labels of a row of visits may stand anything."""
    rows = [visit(day, aggregation=label(day, zone_id=201, **{name: str(day)})) for day in DAYS]
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124)
    assert kinds(query, {"current": period(DAYS, rows)}) == told


# Zones and the catalogue.


def test_the_list_of_zones_tells_where_a_zone_is() -> None:
    """A zone of another location is an error, one that no list has a note."""
    zones: dict[int, int | None] = {201: 124, 202: 124}
    assert kinds(QUERIES["zone_visitors"], visits(), zones=zones) == []
    with pytest.raises(AnswerMismatchError, match="zone 202, which the list of zones has at location 125"):
        hold(QUERIES["zone_visitors"], visits(), zones=zones | {202: 125})
    assert kinds(QUERIES["zone_visitors"], visits(), zones={201: 124}) == ["unlisted_ids"]
    assert kinds(QUERIES["zone_visitors"], visits(), zones={201: 124, 202: None}) == []
    query = DropInRate(DAYS[0], DAYS[-1], interval="day", location=[124, 125], zone=201, tz="UTC", **DATES)
    with pytest.raises(AnswerMismatchError, match="location 125, got location 124"):
        hold(query, rates(), zones={201: 125})


def test_rows_that_were_to_tell_their_location_and_do_not_are_an_error() -> None:
    """`loc_id` was asked for."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth,loc_id", location=124)
    with pytest.raises(AnswerMismatchError, match="got rows without loc_id"):
        hold(query, {"current": visits()["current"]})


@pytest.mark.parametrize("threshold", [None, -1])
def test_thresholds_of_the_zones_own_may_be_any(threshold: int | None) -> None:
    """Only an explicit one is compared."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, bounce_threshold=threshold)
    assert kinds(query, {"current": visits()["current"]}) == []


def test_bounces_that_are_not_tracked_are_none() -> None:
    """A threshold of 0 turns them off: what is not measured is not 0."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, bounce_threshold=0)
    rows = [visit(day, bounce=0, aggregation=label(day, zone_id=201, bounce_threshold=0)) for day in DAYS]
    answer = hold(query, {"current": period(DAYS, rows)})
    assert [(row.bounce, row.visits) for row in answer.current.rows] == [(None, 284)] * 3


def test_bounces_that_a_zone_does_not_track_are_none() -> None:
    """Where nobody sent a threshold, that of the zone is 0; its neighbour has one."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124)
    rows = [visit(day) for day in DAYS]
    rows[0] = visit(DAYS[0], bounce=0, aggregation=label(DAYS[0], zone_id=202, bounce_threshold=0))
    answer = hold(query, {"current": period(DAYS, rows)})
    assert {row.aggregation.zone_id: row.bounce for row in answer.current.rows} == {201: 43, 202: None}


def test_a_comparison_that_repeats_the_current_period_is_told() -> None:
    """Totals have no labels that would show it."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="zone", location=124, **DATES)
    total = [{"visits": 5, "aggregation": {"zone_id": 201}}]
    document = {"current": period(DAYS, total), "comparison": period(BEFORE, total)}
    assert kinds(query, document) == ["repeated_comparison"]
    total[0]["visits"] = 0  # nobody came, neither then nor now
    assert kinds(query, document) == ["rows_of_zeros"]


# Keys and figures.


def test_a_key_that_stands_twice_is_told() -> None:
    """In every list; what else tells rows apart is part of the key."""
    assert kinds(QUERIES["line_crosses"], [*lines(), lines()[0]]) == ["repeated_key"]
    document = visits()
    document["comparison"]["insights"] *= 2
    assert kinds(QUERIES["zone_visitors"], document) == ["repeated_key"]
    document = rates()
    document["zone_details"]["current"]["201"]["details"] *= 2
    assert "repeated_key" in kinds(QUERIES["drop_in_rate"], document)
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth,loc_id", location=[124, 125], tz="UTC")
    rows = [visit(day, aggregation=label(day, zone_id=1, loc_id=place)) for day in DAYS for place in (124, 125)]
    assert kinds(query, {"current": period(DAYS, rows)}) == []


UNMEASURED = {"unique_visits": 0, "bounce": 0, "dwell_time": 0, "dwell_time_stats": {}}
IMPLAUSIBLE: list[tuple[str, tuple[Any, ...], Any]] = [
    ("line_crosses", (1, "count"), -1),
    ("line_crosses", (1, "count"), 2**31 - 1),
    ("line_crosses", (1, "count"), 2**32 - 1),
    ("zone_visitors", ("current", "insights", 0, "visits"), 2**63 - 1),
    ("zone_visitors", ("current", "insights", 0, "visits"), -3),
    ("zone_visitors", ("current", "insights", 1, "unique_visits"), 285),
    ("zone_visitors", ("current", "insights", 2, "bounce"), 285),
    ("zone_visitors", ("current", "insights", 2, "bounce"), -1),
    ("zone_visitors", ("comparison", "insights", 2, "dwell_time_stats", "n"), 300),
    ("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "mean"), 1844.0),
    ("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "min"), 190.0),
    ("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "quantiles"), [231.0, 148.0, 95.0]),
    ("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "quantiles"), [11.0, 148.0, 231.0]),
    ("zone_visitors", ("current", "insights", 5, "dwell_time"), 3.13),
    ("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "min"), -12.0),
    ("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "n"), -251),
    ("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "max"), 4 * 86_400 + 1.0),
    ("zone_visitors", ("current", "insights", 5), lambda old: old | {"dwell_time": -1.0, "dwell_time_stats": {}}),
    ("zone_visitors", ("current", "insights", 5), lambda old: old | {"dwell_time": -0.02, "dwell_time_stats": {}}),
    ("zone_visitors", ("current", "insights", 5), lambda old: old | {"dwell_time": 4e5, "dwell_time_stats": {}}),
    ("zone_visitors", ("current", "insights", 5), lambda old: old | {"dwell_time": 9e4, "dwell_time_stats": {}}),
]


@pytest.mark.parametrize(("endpoint", "path", "value"), IMPLAUSIBLE)
def test_figures_that_no_measurement_gives_are_told(endpoint: str, path: tuple[Any, ...], value: Any) -> None:
    """Also beside rows that lack some of them."""
    document = changed(endpoint, path, value)
    assert kinds(QUERIES[endpoint], document) == ["implausible_figures"]
    if endpoint == "zone_visitors":
        del document["current"]["insights"][4]["dwell_time_stats"]
        document["current"]["insights"][3]["unique_visits"] = None
        document["comparison"]["insights"][0]["bounce"] = None
        assert kinds(QUERIES[endpoint], document) == ["implausible_figures"]


def test_what_is_not_measured_contradicts_nothing() -> None:
    """Statistics of no visits, a mean rounded over the most, a zone on a Basic plan."""
    document = visits()
    for row in document["current"]["insights"][1::2]:
        row |= UNMEASURED
    assert kinds(QUERIES["zone_visitors"], document) == []
    document = visits()
    rows = document["current"]["insights"]
    rows[0] |= {"unique_visits": None, "bounce": None}
    rows[1]["dwell_time_stats"] = {"mean": None, "min": None, "max": None, "quantiles": [], "n": 0}
    rows[2] |= {
        "dwell_time": 12.0,
        "dwell_time_stats": {"mean": 12.05, "min": 12.0, "max": 12.01, "quantiles": [], "n": 2},
    }
    assert kinds(QUERIES["zone_visitors"], document) == []


@pytest.mark.parametrize(("name", "seconds"), [("min_dwell", 13), ("max_dwell", 1800)])
def test_a_dwell_filter_that_was_not_applied_is_told(name: str, seconds: int) -> None:
    """There are dwell times beyond it."""
    rows = [visit(day) for day in DAYS]
    filters: dict[str, Any] = {name: seconds}
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, **filters)
    assert kinds(query, {"current": period(DAYS, rows)}) == ["filter_ignored"]
    filters = {"min_dwell": 12, "max_dwell": 1843}
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, **filters)
    assert kinds(query, {"current": period(DAYS, rows)}) == []


@pytest.mark.parametrize(
    ("filters", "told"),
    [({"min_dwell": 188}, ["filter_ignored"]), ({"max_dwell": 187}, ["filter_ignored"]), ({"min_dwell": 187}, [])],
)
def test_a_mean_tells_of_a_filter_that_was_not_applied(filters: dict[str, int], told: list[str]) -> None:
    """Where there is nothing else, as in the rows of a comparison."""
    rows = [visit(day, dwell_time_stats={}) for day in DAYS] + [visit(DAYS[0], aggregation=label(DAYS[0], zone_id=9))]
    rows[-1] |= {"dwell_time": 0, "dwell_time_stats": {}}
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, **filters)  # type: ignore[arg-type]
    assert kinds(query, {"current": period(DAYS, rows)}) == told


@pytest.mark.parametrize(
    "excluded", [(-1, 0), (0, 285), (20, 20), (34, 0)], ids=["below zero", "all", "both", "one too many"]
)
def test_visits_left_out_and_dwell_times_are_of_the_visits(excluded: tuple[int, int]) -> None:
    """Of 284 visits 251 have dwell times: 33 may be left out."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, min_dwell=12, max_dwell=1843)
    shorter, longer = excluded
    rows = [visit(day, exclude={"min_dwell_time": 30, "max_dwell_time": 3}) for day in DAYS]
    assert kinds(query, {"current": period(DAYS, rows)}) == []
    rows[1]["exclude"] = {"min_dwell_time": shorter, "max_dwell_time": longer}
    assert kinds(query, {"current": period(DAYS, rows)}) == ["implausible_figures"]


@pytest.mark.parametrize("name", ["min_dwell", "max_dwell"])
def test_a_filter_that_nobody_sent_is_told(name: str) -> None:
    """Visits are left out of dwell times, and the question did not say so."""
    rows = [visit(day, exclude={"min_dwell_time": 0, "max_dwell_time": 0} | {f"{name}_time": 3}) for day in DAYS]
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124)
    assert kinds(query, {"current": period(DAYS, rows)}) == ["filter_unasked"]
    query = ZoneVisitors(
        DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124, **{name: 12 if name == "min_dwell" else 1843}
    )
    assert kinds(query, {"current": period(DAYS, rows)}) == []


@pytest.mark.parametrize("quantiles", [[148.0], [95.0, 148.0], [12.0, 95.0, 148.0, 231.0, 300.0]])
def test_other_quantiles_than_quartiles_are_an_error(quantiles: list[float]) -> None:
    """Their columns would be of others than they say."""
    document = changed("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "quantiles"), quantiles)
    with pytest.raises(AnswerMismatchError, match=f"expected quartiles.*, got {len(quantiles)} quantiles"):
        hold(QUERIES["zone_visitors"], document)


def test_a_zone_that_is_none_is_an_error() -> None:
    """A total of all zones under the id 0 would count everybody twice."""
    query = ZoneVisitors(DAYS[0], DAYS[-1], aggregate_by="dayofmonth", location=124)
    for none in (0, -1):
        rows = [visit(day, zone) for day in DAYS for zone in (201, none)]
        with pytest.raises(AnswerMismatchError, match=f"expected ids of zones, got zones {none}"):
            hold(query, {"current": period(DAYS, rows)})


def test_a_section_with_nothing_in_it_is_told_beside_one_that_has() -> None:
    """Nobody, and a query that failed inside the service, look alike there."""
    assert kinds(QUERIES["zone_visitors"], changed("zone_visitors", ("current",), {})) == ["nothing_told"]
    document = rates()
    for name, nothing in (("summary", {}), ("details", []), ("zone_details", {})):
        document[name]["current"] = nothing
    assert kinds(QUERIES["drop_in_rate"], document) == ["nothing_told"]


def test_who_stays_over_night_is_no_surprise() -> None:
    """A day is looked at closely, and is not odd."""
    document = changed("zone_visitors", ("current", "insights", 5, "dwell_time_stats", "max"), 3 * 86_400.0)
    assert kinds(QUERIES["zone_visitors"], document) == []


def test_a_failed_sum_of_nobody_hides_no_count_below_zero() -> None:
    """Rows of zeros in one section, and a count below zero in another."""
    document = rates()
    document["details"]["current"][0] |= {"enter": 0, "passing_by": 0}
    document["zone_details"]["current"]["201"]["details"][1]["visits"] = -1
    assert {"rows_of_zeros", "implausible_figures"} <= set(kinds(QUERIES["drop_in_rate"], document))


SECTIONS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("the summary has 97 of 120, its details 90 of 120", ("summary", "current", "enter"), 97),
    ("the zones have 91 of 120", ("zone_details", "comparison", "201", "total_visits"), 91),
    ("zone 201 has 90 of 130, its rows 90 of 120", ("zone_details", "current", "201", "total_passing_by"), 130),
    ("the zones have 0 of 0, the details 90 of 120", ("zone_details", "current"), {}),
    ("the zones and the details differ at year 2025", ("details", "current"), lambda old: _moved(old, "enter")),
    (
        "the zones and the details differ at year 2025",
        ("zone_details", "current", "201", "details"),
        lambda old: _moved(old, "visits"),
    ),
]


def _moved(rows: list[dict[str, Any]], entries: str) -> list[dict[str, Any]]:
    """Move entries from a day to the next, so that the sum is as it was."""
    for row, enter in zip(rows, (28, 32), strict=False):
        row |= {entries: enter, "drop_in_rate": 100 * enter / 40}
    return rows


@pytest.mark.parametrize(("words", "path", "value"), SECTIONS, ids=[case[0] for case in SECTIONS])
def test_sections_that_do_not_agree_are_told(words: str, path: tuple[Any, ...], value: Any) -> None:
    """Which of them is right nobody knows."""
    notes = hold(QUERIES["drop_in_rate"], changed("drop_in_rate", path, value)).notes
    assert "sections_disagree" in [note.kind for note in notes]
    assert words in notes[0].message


def test_rates_that_are_not_their_counts_are_told() -> None:
    """Fractions, or per cent of something else; rounding to one decimal is no difference."""
    document = changed("drop_in_rate", ("details", "current", 1, "drop_in_rate"), 0.75)
    (note,) = hold(QUERIES["drop_in_rate"], document).notes
    assert note.kind == "odd_rates"
    assert "0.75 for 30 of 40" in note.message
    (note,) = hold(
        QUERIES["drop_in_rate"], changed("drop_in_rate", ("details", "current", 1, "drop_in_rate"), None)
    ).notes
    assert (note.kind, "None for 30 of 40" in note.message) == ("odd_rates", True)
    document = changed("drop_in_rate", ("details", "current", 1, "drop_in_rate"), 75.05)
    assert kinds(QUERIES["drop_in_rate"], document) == []


OTHER_ROWS: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("line_crosses", (1,), {"location": 999}, "location 999, asked was location 124"),
    ("line_crosses", (1,), {"loc_id": "999"}, "loc_id 999, asked was location 124"),
    ("line_crosses", (1,), {"category": [2, 3]}, "category (2, 3), asked was category 1"),
    ("line_crosses", (1,), {"location": 999.0}, "location 999.0, asked was location 124"),
    ("zone_visitors", ("current", "insights", 1), {"zone_id": 203}, "zone_id 203, asked was zones 201,202"),
    ("zone_visitors", ("comparison", "insights", 1), {"timezone": "UTC"}, "timezone UTC, asked was tz Europe/Stockh"),
    ("zone_visitors", ("current", "insights", 1, "aggregation"), {"locationId": 9}, "locationId 9, asked was location"),
    ("zone_visitors", ("current", "insights", 1), {"bounceThreshold": 60}, "asked was bounce_threshold 120"),
    ("drop_in_rate", ("zone_details", "current", "201", "details", 0), {"zone_id": 202}, "202, asked was zones 201"),
]


@pytest.mark.parametrize(("endpoint", "path", "fields", "words"), OTHER_ROWS, ids=[case[3] for case in OTHER_ROWS])
def test_rows_that_say_that_they_are_of_something_else_are_told(
    endpoint: str, path: tuple[Any, ...], fields: dict[str, Any], words: str
) -> None:
    """In fields that are not documented, under the name of a parameter that was sent."""
    notes = hold(QUERIES[endpoint], changed(endpoint, path, lambda old: old | fields)).notes
    (note,) = (note for note in notes if note.kind == "answer_says")
    assert words in note.message


def test_rows_that_repeat_the_question_say_nothing() -> None:
    """Ids as text, one of several, names in place of ids, and what was not asked."""
    rows = [row | {"location": "124", "category": [1, 4], "floor": 0, "zone_to": "Entrance"} for row in lines()]
    assert kinds(QUERIES["line_crosses"], rows) == []
    for category in (1.0, "Entrances", ["Entrances", "Doors"]):
        assert kinds(QUERIES["line_crosses"], [row | {"category": category} for row in lines()]) == []
    document = visits()
    for row in document["current"]["insights"]:
        row |= {"zone": "Entrance", "zone_id": 202, "location": None, "tz": "europe/stockholm", "min_dwell": 30}
    assert kinds(QUERIES["zone_visitors"], document) == []


# Signs of more, and what stands beside the rows.

MORE: list[tuple[str, Any]] = [
    ("next", "https://api.example/?page=2"),
    ("nextPage", 2),
    ("next_cursor", "b2Zmc2V0"),
    ("@odata.nextLink", "https://x"),
    ("links", {"self": "https://x", "next": "https://y"}),
    ("meta", {"pagination": {"has_more": True}}),
    ("hasNextPage", True),
    ("more", True),
    ("truncated", True),
    ("is_truncated", "true"),
    ("partial", 1),
    ("continuationToken", "abc"),
    ("complete", False),
    ("data_complete", False),
    ("status", "partial"),
    ("last", False),
    ("count", 744),
    ("total", "744"),
    ("total_count", 744.0),
    ("totalElements", 744),
    ("pages", 2),
    ("page", 3),
    ("total_pages", 2),
    ("offset", 100),
    ("errors", [{"message": "a shard timed out"}]),
    ("error", "a shard timed out"),
    ("paging", {"cursors": {"after": "Mg"}}),
    ("end_cursor", "Mg"),
    ("cursor", "Mg"),
    ("page_token", "Mg"),
    ("bookmark", "g1AAAA"),
    ("remaining", 12),
    ("limit_reached", True),
    ("incompleteResults", True),
    ("hits", {"total": {"value": 744}}),
    ("omitted_rows", 12),
    ("total", "9" * 400),
    ("total", "1,744"),
    ("pages", "9" * 5000),
]


@pytest.mark.parametrize(("name", "value"), MORE, ids=[f"{name} {value}"[:30] for name, value in MORE])
def test_signs_that_there_is_more_are_an_error(name: str, value: Any) -> None:
    """On top, in a period, in a section, in a summary, beside a list: a part is not the whole."""
    whole = visits()
    for document in (whole | {name: value}, whole | {"current": whole["current"] | {name: value}}):
        with pytest.raises(AnswerMismatchError, match="expected all there is, got a part") as caught:
            hold(QUERIES["zone_visitors"], document)
        assert caught.value.witness == "signs of more"
    for section in ("summary", "zone_details"):
        document = rates()
        document[section] |= {name: value}
        with pytest.raises(AnswerMismatchError, match="expected all there is, got a part"):
            hold(QUERIES["drop_in_rate"], document)
    document = rates()
    document["summary"]["current"] |= {name: value}
    with pytest.raises(AnswerMismatchError, match="expected all there is, got a part"):
        hold(QUERIES["drop_in_rate"], document)
    listing = PlannedRequest(index=0, endpoint="zones", path="/filters/zones")
    with pytest.raises(AnswerMismatchError, match="expected the whole list, got a part"):
        witness_list(listing, 100, FrozenMap.freeze({name: value}))


WHOLE: list[tuple[str, Any]] = [
    ("next", None),
    ("next", ""),
    ("has_more", False),
    ("truncated", False),
    ("complete", True),
    ("last", True),
    ("total", 9),
    ("total", 6),
    ("count", 0),
    ("page", 1),
    ("pages", 1),
    ("offset", 0),
    ("limit", 1000),
    ("per_page", 50),
    ("previous", None),
    ("errors", []),
    ("links", {"self": "https://x", "next": None}),
    ("paging", {"cursors": {"after": None}}),
    ("cursor", None),
    ("remaining", 0),
    ("limit_reached", False),
    ("incomplete_results", "false"),
    ("hits", {"total": {"value": 9}}),
]


@pytest.mark.parametrize(("name", "value"), WHOLE, ids=[f"{name} {value}"[:30] for name, value in WHOLE])
def test_signs_that_this_is_all_are_none_of_more(name: str, value: Any) -> None:
    """Frameworks that can page say so also where one page is all."""
    notes = hold(QUERIES["zone_visitors"], visits() | {name: value}).notes
    assert [note.message for note in notes if "self" not in note.message] == []
    witness_list(PlannedRequest(index=0, endpoint="zones", path="/filters/zones"), 9, FrozenMap.freeze({name: value}))


def test_a_total_may_count_rows_in_any_way() -> None:
    """Of a period or both, of one section or all, zones, or the visits themselves; any other number is more."""
    for total in (3, 6, 90, 120, 12, 1, 2):
        assert kinds(QUERIES["drop_in_rate"], rates() | {"total": total}) == []
    with pytest.raises(AnswerMismatchError):
        hold(QUERIES["drop_in_rate"], rates() | {"total": 44})


HEADERS = [
    ("link", '<https://x?page=2>; rel="next", <https://x?page=9>; rel="last"', True),
    ("link", "<https://x?page=2>; rel=next", True),
    ("link", '<https://x/style.css>; rel="preload"', False),
    ("link", '<https://x?page=1>; rel="prev"', False),
    ("content-range", "items 0-8/20", True),
    ("content-range", "items 9-17/18", True),
    ("content-range", "items 0-8/9", False),
    ("content-range", "0-14/*", False),
    ("x-total-count", "744", True),
    ("x-total-count", "9", False),
    ("x-total-count", "1,744", True),
    ("x-total-count", "9" * 5000, True),
    ("content-range", f"items 0-{'9' * 5000}/{'9' * 5000}", False),
    ("x-pagination", '{"a":' * 100_000, False),
    ("x-total", "744", True),
    ("x-next-page", "2", True),
    ("x-next-page", "", False),
    ("x-total-pages", "2", True),
    ("x-has-more", "true", True),
    ("x-has-more", "false", False),
    ("x-truncated", "1", True),
    ("x-ms-continuation", "abc", True),
    ("x-pagination", '{"total": 744, "page": 1}', True),
    ("x-pagination", '{"total": 9, "page": 1}', False),
    ("x-pagination", "{nothing", False),
    ("x-complete", "false", True),
    ("x-complete", "true", False),
    ("x-remaining-rows", "12", True),
    ("x-ratelimit-remaining", "12", False),
    ("x-nextjs-cache", "HIT", False),
    ("x-total-time", "31000", False),
    ("x-partial-content", "true", True),
    ("x-acme-truncated", "1", True),
    ("x-limit-reached", "yes", True),
    ("x-data-complete", "false", True),
    ("x-data-complete", "true", False),
    ("x-offset", "12", True),
    ("x-offset", "0", False),
    ("x-error", "a shard timed out", True),
    ("x-error", "", False),
    ("x-error-rate", "0.2", False),
    ("x-degraded", "false", False),
    ("x-cursor", "", False),
    ("x-data-incomplete", "true", True),
    ("x-period-clamped", "1", True),
    ("x-wp-total", "744", True),
    ("x-wc-totalpages", "4", True),
    ("x-pagination-total-pages", "4", True),
    ("x-pagination-total-pages", "1", False),
    ("next-range", "id 5..", True),
    ("x-request-total", "744", False),
]


@pytest.mark.parametrize("name", ["x-degraded", "x-cursor", "x-api-warning", "warning", "x-sampled", "x-estimated"])
def test_headers_that_say_something_of_the_figures_are_told(name: str) -> None:
    """They are no sign of more, and yet not to be passed over."""
    (note,) = hold(QUERIES["zone_visitors"], visits(), signs=[(name, "yes, it is")]).notes
    assert (note.kind, f"header {name}: yes, it is" in note.message) == ("answer_says", True)


@pytest.mark.parametrize(("name", "value", "is_more"), HEADERS, ids=[f"{n} {v}"[:40] for n, v, _ in HEADERS])
def test_headers_that_say_so(name: str, value: str, is_more: bool) -> None:
    """For data and for lists."""
    listing = PlannedRequest(index=0, endpoint="zones", path="/filters/zones")
    if not is_more:
        assert kinds(QUERIES["zone_visitors"], visits(), signs=[(name, value)]) == []
        witness_list(listing, 9, FrozenMap(), [(name, value)])
        return
    with pytest.raises(AnswerMismatchError, match=f"header {name}"):
        hold(QUERIES["zone_visitors"], visits(), signs=[(name, value)])
    with pytest.raises(AnswerMismatchError, match=f"header {name}"):
        witness_list(listing, 9, FrozenMap(), [(name, value)])


@pytest.mark.parametrize("period", ["current", "comparison"])
def test_a_part_of_one_zone_is_not_the_whole(period: str) -> None:
    """What else a zone has is its own: fields of any name, and totals of whatever it may be."""
    document = rates()
    zone = document["zone_details"][period]["201"]
    zone |= {"floor": 1, "total": 744, "count": "1,744", "next": None}
    assert kinds(QUERIES["drop_in_rate"], document) == []
    zone |= {"truncated": True}
    with pytest.raises(AnswerMismatchError, match="expected all there is, got a part: truncated: True"):
        hold(QUERIES["drop_in_rate"], document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("warning",), "Two cameras were offline."),
        (("current", "message"), "Figures are preliminary."),
        (("meta",), {"took_ms": 31}),
    ],
)
def test_what_else_an_answer_says_is_told(path: tuple[str, ...], value: Any) -> None:
    """With its name and its words."""
    document = visits()
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    (note,) = hold(QUERIES["zone_visitors"], document).notes
    assert note.kind == "answer_says"
    assert ".".join(path) in note.message
    assert str(value if isinstance(value, str) else "31") in note.message


def test_the_table_names_each_witness_once() -> None:
    """Names are what errors and readers know them by."""
    assert len({witness.name for witness in WITNESSES}) == len(WITNESSES)


def test_every_kind_of_note_is_documented() -> None:
    """One list has them all, and words them: nobody else does, and none is of no use."""
    package = Path(indivd_async.__file__).parent
    sources = {path: path.read_text() for path in package.rglob("*.py") if path != package / "results" / "notes.py"}
    made = set(re.findall(r'word_note\(\s*"([a-z_0-9]+)"', "".join(sources.values())))
    assert made | {"numbering_unknown"} == KINDS.keys()
    assert len(made) > 15
    assert [path for path, source in sources.items() if re.search(r"\bNote\(", source)] == []
    assert all(kind.sentence.endswith((".", "}")) for kind in KINDS.values())
    assert all(kind.advice.endswith(".") for kind in KINDS.values() if kind.advice)
    assert not EXPECTED.keys() & DOUBTFUL.keys()


def test_rows_of_zeros_are_told() -> None:
    """They fill the axis of a chart: hours that were closed look like hours without visitors."""
    assert kinds(QUERIES["line_crosses"], changed("line_crosses", (0, "count"), 0)) == ["rows_of_zeros"]
    document = visits()
    document["current"]["insights"][0] |= {"visits": 0, "unique_visits": 0, "bounce": 0, "dwell_time_stats": {}}
    assert kinds(QUERIES["zone_visitors"], document) == ["rows_of_zeros"]
    document = rates()
    document["details"]["current"][0] |= {"enter": 0, "passing_by": 0}
    assert "rows_of_zeros" in kinds(QUERIES["drop_in_rate"], document)


def test_as_many_rows_as_come_at_once_are_told() -> None:
    """Where a profile knows how many that is, and by the grouping that it knows it of."""
    for unit, most, told in (("day", 6, True), ("day", 7, False), ("hour", 6, False)):
        limit = MostDays(endpoint="zone_visitors", unit=unit, days=400, rows=most)
        query = ZoneVisitors(DAYS[0], DAYS[-1], location=124, aggregate_by="dayofmonth", tz=STOCKHOLM)
        (request,) = Plan(query, profile=Profile(most_days=(limit,)))
        answer = structure_answer(
            "zone_visitors", json.dumps({"current": visits()["current"]}).encode(), tz=STOCKHOLM, carried={}
        )
        notes = witness_answer(request, answer).notes
        assert ("rows_at_limit" in {note.kind for note in notes}) is told, (unit, most)
