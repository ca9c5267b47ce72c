"""Sections and periods of an answer that do not agree, are missing, or are not those asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .deviation import DATA, PERIODS, ZONES, Deviation, Question, Reply, echoes, sheets

_DROP_IN = ("drop_in_rate",)
_RATES = ("drop_in_rate", "enter_percentage")
_Answer = Callable[[Question, Reply], None]


def _blocks(reply: Reply) -> Iterator[dict[str, Any]]:
    for period in PERIODS:
        yield from reply.document["zone_details"][period].values()


def _rated(question: Question, reply: Reply) -> Iterator[dict[str, Any]]:
    """Walk over everything that has a rate."""
    yield from echoes(question, reply.document)
    yield from _blocks(reply)
    for sheet in sheets(question, reply.document):
        yield from sheet.rows


def _rates(change: Callable[[float], Any]) -> _Answer:
    def answer(question: Question, reply: Reply) -> None:
        for part in _rated(question, reply):
            for name in _RATES:
                if name in part:
                    part[name] = change(part[name])

    return answer


def _grow_summary(question: Question, reply: Reply) -> None:
    for summary in echoes(question, reply.document):
        summary["enter"] += 7


def _share_passing_lines(_question: Question, reply: Reply) -> None:
    """Count those who pass once for all zones: the first zone's, in the details and in the summary."""
    for period in PERIODS:
        blocks = list(reply.document["zone_details"][period].values())
        if not blocks:
            continue
        passing = {_key(row): row["passing_by"] for row in blocks[0]["details"]}
        details = reply.document["details"][period]
        for row in details:
            row["passing_by"] = passing.get(_key(row), 0)
            row["drop_in_rate"] = _rate(row["enter"], row["passing_by"])
        summary = reply.document["summary"][period]
        summary["passing_by"] = sum(row["passing_by"] for row in details)
        summary["enter_percentage"] = _rate(summary["enter"], summary["passing_by"])


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    day = row.get("day", row.get("dayofmonth"))
    return row.get("year"), row.get("month"), row.get("week"), day, row.get("hour")


def _rate(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _grow_zone_totals(_question: Question, reply: Reply) -> None:
    for block in _blocks(reply):
        block["total_visits"] += 7


def _list_zones(_question: Question, reply: Reply) -> None:
    for period in PERIODS:
        reply.document["zone_details"][period] = list(reply.document["zone_details"][period].values())


def _name_zones(_question: Question, reply: Reply) -> None:
    zones = reply.document["zone_details"]
    for period in PERIODS:
        zones[period] = {block["zone_name"]: block for block in zones[period].values()}


def _move_a_zone(_question: Question, reply: Reply) -> None:
    for period in PERIODS:
        for block in list(reply.document["zone_details"][period].values())[-1:]:
            block |= {"loc_id": 124, "loc_name": "Drottninggatan"}


def _number_zones_within_locations(question: Question, reply: Reply) -> None:
    if question.endpoint == "drop_in_rate":
        zones = reply.document["zone_details"]
        for block in _blocks(reply):
            block["zone_id"] %= 10
        for period in PERIODS:
            zones[period] = {str(block["zone_id"]): block for block in zones[period].values()}
    else:
        for sheet in sheets(question, reply.document):
            for label in sheet.labels():
                label["zone_id"] %= 10


def _adverb(_question: Question, reply: Reply) -> None:
    interval = reply.document["details"]["interval"]
    reply.document["details"]["interval"] = {"day": "daily"}.get(interval, f"{interval}ly")


# What stands beside the figures.


def _add_on_top(**fields: Any) -> _Answer:
    return lambda _question, reply: reply.document.update(fields)


def _add_in_periods(**fields: Any) -> _Answer:
    def answer(question: Question, reply: Reply) -> None:
        for found in echoes(question, reply.document):
            found |= fields

    return answer


def _wrap(_question: Question, reply: Reply) -> None:
    reply.document = {"status": "ok", "data": reply.document}


def _fail_for_a_zone(question: Question, reply: Reply) -> None:
    """Leave out the last zone, and list what went wrong."""
    if question.endpoint == "drop_in_rate":
        for period in PERIODS:
            zones = reply.document["zone_details"][period]
            if zones:
                del zones[max(zones)]
    else:
        for sheet in sheets(question, reply.document):
            last = max((label["zone_id"] for label in sheet.labels()), default=None)
            sheet.rows[:] = [row for row in sheet.rows if sheet.label(row)["zone_id"] != last]
    reply.document["errors"] = [{"message": "a shard timed out"}]


SECTION_DEVIATIONS = (
    Deviation(
        name="rates_as_fractions",
        sentence="Rates are shares of one, and a front end makes per cent of them.",
        endpoints=_DROP_IN,
        expect="error_or_note",
        answer=_rates(lambda rate: round(rate / 100, 3)),
    ),
    Deviation(
        name="rates_in_whole_per_cent",
        sentence="Rates are rounded for the dashboard.",
        endpoints=_DROP_IN,
        expect="note_or_same",
        answer=_rates(lambda rate: float(round(rate))),
    ),
    Deviation(
        name="rates_as_text",
        sentence="Rates are written for people: 60.5%.",
        endpoints=_DROP_IN,
        expect="error_or_same",
        answer=_rates(lambda rate: f"{rate}%"),
    ),
    Deviation(
        name="summary_beyond_details",
        sentence="Summary and details come from two queries, and data arrives between them.",
        endpoints=_DROP_IN,
        expect="error_or_note",
        answer=_grow_summary,
    ),
    Deviation(
        name="shared_passing_line",
        sentence="Two zones share a passing line: together they count once who passes, and each of them counts all.",
        endpoints=_DROP_IN,
        expect="error_or_note",
        answer=_share_passing_lines,
    ),
    Deviation(
        name="zone_totals_beyond_rows",
        sentence="A zone's total counts entries outside opening hours, which its rows leave out.",
        endpoints=_DROP_IN,
        expect="error_or_note",
        answer=_grow_zone_totals,
    ),
    Deviation(
        name="zones_as_a_list",
        sentence="Zones are listed rather than keyed by their id.",
        endpoints=_DROP_IN,
        expect="error_or_same",
        answer=_list_zones,
    ),
    Deviation(
        name="zones_keyed_by_name",
        sentence="Zones are keyed by their name, and the id stands inside.",
        endpoints=_DROP_IN,
        expect="error_or_same",
        answer=_name_zones,
    ),
    Deviation(
        name="zone_of_another_location",
        sentence="A zone was moved to another location, which the figures tell and the filter does not.",
        endpoints=_DROP_IN,
        expect="error",
        answer=_move_a_zone,
    ),
    Deviation(
        name="zones_numbered_within_locations",
        sentence="Answers number zones within their location, so that one id belongs to several.",
        endpoints=ZONES,
        expect="error",
        answer=_number_zones_within_locations,
    ),
    Deviation(
        name="interval_in_other_words",
        sentence="The interval is repeated in another vocabulary: daily for day.",
        endpoints=_DROP_IN,
        expect="any",
        answer=_adverb,
    ),
    Deviation(
        name="warning_on_top",
        sentence="The service warns that figures may be incomplete, in a field of its own.",
        endpoints=ZONES,
        expect="note",
        answer=_add_on_top(warning="Two cameras were offline in this period."),
    ),
    Deviation(
        name="message_in_the_period",
        sentence="A message about the figures stands beside them.",
        endpoints=ZONES,
        expect="note",
        answer=_add_in_periods(message="Figures are preliminary."),
    ),
    Deviation(
        name="errors_on_top",
        sentence="A part of the answer failed inside the service, which sends the rest and says so, as GraphQL does.",
        endpoints=ZONES,
        expect="error_or_note",
        answer=_fail_for_a_zone,
    ),
    Deviation(
        name="answer_in_a_wrapper",
        sentence="A gateway puts every answer in an envelope: {status, data}.",
        endpoints=DATA,
        expect="error_or_same",
        answer=_wrap,
    ),
    Deviation(
        name="metadata_on_top",
        sentence="A gateway adds what it measures: how long it took, the version that answered.",
        endpoints=ZONES,
        expect="note_or_same",
        answer=_add_on_top(meta={"took_ms": 31, "version": "2.4.0"}),
    ),
)
