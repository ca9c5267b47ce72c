"""Answers that are right in one part and not in another: one zone, one row, one section, one period."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import orjson

from .deviation import DATA, PERIODS, ZONES, Deviation, Question, Reply, Sheet, sheets

_VISITS, _DROP_IN, _LINES = ("zone_visitors",), ("drop_in_rate",), ("line_crosses",)
_Row = dict[str, Any]
Answer = Callable[[Question, Reply], None]


def change_rows(change: Callable[[Sheet, _Row], Any], *, of: str = "") -> Answer:
    """Change every row, or those of one period."""

    def answer(question: Question, reply: Reply) -> None:
        for sheet in sheets(question, reply.document):
            if of in ("", sheet.period):
                for row in sheet.rows:
                    change(sheet, row)

    return answer


def _year(change: Callable[[int], int]) -> Callable[[Sheet, _Row], None]:
    def relabel(sheet: Sheet, row: _Row) -> None:
        label = sheet.label(row)
        if "year" in label:
            label["year"] = change(label["year"])

    return relabel


def _add_quarter(sheet: Sheet, row: _Row) -> None:
    label = sheet.label(row)
    if "month" in label:
        label["quarter"] = (label["month"] + 2) // 3


def change_last(change: Callable[[Sheet, _Row], Any]) -> Answer:
    """Change the last row of every list."""

    def answer(question: Question, reply: Reply) -> None:
        for sheet in sheets(question, reply.document):
            for row in sheet.rows[-1:]:
                change(sheet, row)

    return answer


def _label(**fields: Any) -> Callable[[Sheet, _Row], None]:
    return lambda sheet, row: sheet.label(row).update(fields)


def _add_rows(make: Callable[[Sheet, list[_Row]], Iterable[_Row]]) -> Answer:
    def answer(question: Question, reply: Reply) -> None:
        for sheet in sheets(question, reply.document):
            if sheet.rows:
                sheet.rows.extend(list(make(sheet, deepcopy(sheet.rows))))

    return answer


def _day_of(label: _Row) -> date:
    return date(label["year"], label["month"], label["day"] if "day" in label else label["dayofmonth"])


def _move(label: _Row, days: int) -> None:
    if not {"year", "month"} <= label.keys() or not {"day", "dayofmonth"} & label.keys():
        return
    day = _day_of(label) + timedelta(days=days)
    label |= {"year": day.year, "month": day.month, ("day" if "day" in label else "dayofmonth"): day.day}


def _delay_the_last_zone(question: Question, reply: Reply) -> None:
    for sheet in sheets(question, reply.document):
        last = max((label.get("zone_id", 0) for label in sheet.labels()), default=0)
        if sheet.section != "details":
            for label in [label for label in sheet.labels() if label.get("zone_id", 0) == last]:
                _move(label, 1)


def _of_last_year(sheet: Sheet, rows: list[_Row]) -> Iterator[_Row]:
    for row in rows:
        if "year" in sheet.label(row):
            sheet.label(row)["year"] -= 1
            yield row


def _total(sheet: Sheet, rows: list[_Row]) -> Iterator[_Row]:
    """Add up the rows of a list in one that is labelled with nothing."""
    total = rows[0]
    for name in ("count", "visits", "enter", "passing_by", "unique_visits", "bounce"):
        if name in total:
            total[name] = sum(row[name] for row in rows)
    label = sheet.label(total)
    for name in ("year", "month", "dayofmonth", "day"):
        label.pop(name, None)
    yield total


def _zone_of_all(_sheet: Sheet, rows: list[_Row]) -> Iterator[_Row]:
    """Add up the zones of each bucket in one that is no zone."""
    together: dict[tuple[Any, ...], _Row] = {}
    for row in rows:
        label = row["aggregation"]
        key = tuple(label.get(name) for name in ("year", "month", "dayofmonth", "hour"))
        row["aggregation"] = label | {"zone_id": 0, "zone_name": "Total"}
        if key in together:
            for name in ("visits", "unique_visits", "bounce"):
                together[key][name] += row[name]
        else:
            together[key] = row
    return iter(together.values())


def _group_zones_by_month(_question: Question, reply: Reply) -> None:
    for period in PERIODS:
        for block in reply.document["zone_details"][period].values():
            rows = block["details"]
            if rows and "dayofmonth" in rows[0]:
                whole = {name: sum(row[name] for row in rows) for name in ("visits", "passing_by")}
                rows[:] = [{"year": rows[0]["year"], "month": rows[0]["month"], **whole, "drop_in_rate": 0.0}]
                rows[0]["drop_in_rate"] = block["drop_in_rate"]


def _one_zone_only(_question: Question, reply: Reply) -> None:
    for period in PERIODS:
        zones = reply.document["zone_details"][period]
        for key in sorted(zones)[1:]:
            del zones[key]


def _turn_over(_question: Question, reply: Reply) -> None:
    """Give those who pass as those who enter, and the other way round, with the rates of that."""
    for part in _parts(reply):
        entries = next(name for name in ("enter", "visits", "total_visits") if name in part)
        passing = "total_passing_by" if entries == "total_visits" else "passing_by"
        part[entries], part[passing] = part[passing], part[entries]
        for name in ("drop_in_rate", "enter_percentage"):
            if name in part:
                part[name] = round(100 * part[entries] / part[passing], 1) if part[passing] else 0.0


def _parts(reply: Reply) -> Iterator[_Row]:
    document = reply.document
    for period in PERIODS:
        if document["summary"][period]:
            yield document["summary"][period]
        yield from document["details"][period]
        for block in document["zone_details"][period].values():
            yield block
            yield from block["details"]


def _list_the_comparison(question: Question, reply: Reply) -> None:
    if question.has("comparison_start_date"):
        reply.document["comparison"] = [reply.document["comparison"]]


def _clamp_the_comparison(question: Question) -> dict[str, Any]:
    values = dict(question.values)
    if "comparison_start_date" in values:
        values["comparison_start_date"] = max(
            values["comparison_start_date"], values["comparison_end_date"] - timedelta(days=2)
        )
    return values


def _label_as_current(question: Question, reply: Reply) -> None:
    """Label the days of the comparison as those they are drawn above."""
    if question.has("comparison_start_date"):
        days = (question.values["start_date"] - question.values["comparison_start_date"]).days
        change_rows(lambda sheet, row: _move(sheet.label(row), days), of="comparison")(question, reply)


def _own_threshold_of_one_zone(question: Question, reply: Reply) -> None:
    if question.has("bounce_threshold"):
        change_last(_label(bounce_threshold=120))(question, reply)


def _repeat_a_name(_question: Question, reply: Reply) -> None:
    """Write the id of the first zone twice as a key of one object, the second time for a part of its rows."""
    for period in PERIODS:
        zones = reply.document["zone_details"][period]
        if zones:
            first = min(zones)
            part = zones[first] | {"total_visits": 0, "total_passing_by": 0, "drop_in_rate": 0.0, "details": []}
            pairs = [*zones.items(), (first, part)]
            body = b",".join(orjson.dumps(key) + b":" + orjson.dumps(value) for key, value in pairs)
            reply.document["zone_details"][period] = orjson.Fragment(b"{" + body + b"}")


def deviation_of(name: str, endpoints: tuple[str, ...], expect: Any, answer: Answer, sentence: str) -> Deviation:
    return Deviation(name=name, sentence=sentence, endpoints=endpoints, expect=expect, answer=answer)


_ROW_DEVIATIONS = (
    deviation_of(
        "last_zone_a_day_late",
        (*_VISITS, *_DROP_IN),
        "error",
        _delay_the_last_zone,
        "One camera's clock is a day ahead, and its zone's rows are labelled with it.",
    ),
    deviation_of(
        "hour_in_the_last_row",
        (*_VISITS, *_LINES),
        "error",
        change_last(_label(hour=9)),
        "The running day is still kept by hours, and the days before it by days.",
    ),
    deviation_of(
        "rows_of_last_year_behind",
        DATA,
        "error_or_note",
        _add_rows(_of_last_year),
        "The same days of the year before come along, for the chart that compares them.",
    ),
    deviation_of(
        "total_row_at_the_end",
        DATA,
        "error_or_note",
        _add_rows(_total),
        "A report ends with its total, which has no labels.",
    ),
    deviation_of(
        "zone_of_all_zones",
        _VISITS,
        "error",
        _add_rows(_zone_of_all),
        "A total of all zones stands among them, under an id that no zone has.",
    ),
    deviation_of(
        "years_of_two_digits",
        DATA,
        "error",
        change_rows(_year(lambda year: year % 100)),
        "Years are written as dates are spoken: 25.",
    ),
    deviation_of(
        "years_of_another_era",
        DATA,
        "error",
        change_rows(_year(lambda year: year + 543)),
        "The server's calendar is the Buddhist one.",
    ),
    deviation_of(
        "null_among_the_rows",
        DATA,
        "error",
        _add_rows(lambda _sheet, _rows: [None]),  # type: ignore[list-item]
        "A row that could not be computed is null.",
    ),
    deviation_of(
        "quarters_beside_months",
        DATA,
        "note",
        change_rows(_add_quarter),
        "Rows tell the quarter as well, as finance wants it.",
    ),
)
_SECTION_DEVIATIONS = (
    deviation_of(
        "zones_by_month_and_details_by_day",
        _DROP_IN,
        "error",
        _group_zones_by_month,
        "Zones are summed up in advance, by months, and the details are not.",
    ),
    deviation_of(
        "one_zone_of_several",
        _DROP_IN,
        "error_or_note",
        _one_zone_only,
        "Details of zones are given for one of them, while the summary is of all.",
    ),
    deviation_of(
        "passers_by_and_entries_swapped",
        _DROP_IN,
        "note",
        _turn_over,
        "The two counting lines of a zone were mixed up when it was set up.",
    ),
    deviation_of(
        "zone_key_twice",
        _DROP_IN,
        "error_or_note",
        _repeat_a_name,
        "A zone that was renamed is written twice under one key, and readers keep the last.",
    ),
)
_PERIOD_DEVIATIONS = (
    deviation_of(
        "comparison_labelled_as_current",
        ZONES,
        "error",
        _label_as_current,
        "The days of the comparison have the labels of the days they are drawn above.",
    ),
    deviation_of(
        "comparison_as_a_list",
        _VISITS,
        "error_or_same",
        _list_the_comparison,
        "There may be several comparisons, so they stand in a list.",
    ),
    Deviation(
        name="comparison_clamped",
        sentence="A comparison goes back three days at most, and says so.",
        endpoints=ZONES,
        expect="error",
        ask=_clamp_the_comparison,
    ),
    deviation_of(
        "threshold_of_its_own_for_one_zone",
        _VISITS,
        "error",
        _own_threshold_of_one_zone,
        "A zone that is set up by hand keeps its own bounce threshold, whatever is asked.",
    ),
    deviation_of(
        "zone_of_a_neighbour_in_the_comparison",
        _VISITS,
        "error",
        change_rows(_label(zone_id=999), of="comparison"),
        "Zones were numbered anew since, and the comparison has the old ids.",
    ),
)
MIXED_DEVIATIONS = (*_ROW_DEVIATIONS, *_SECTION_DEVIATIONS, *_PERIOD_DEVIATIONS)
