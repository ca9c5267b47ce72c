"""What no single answer of lines, drop-in rates and lists shows; those of visits are in `measured_visits`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from ..aggregation import World
from .deviation import DATA, Deviation, Question, Reply, echoes, relabel
from .measured_visits import MEASURED_VISIT_DEVIATIONS, change_each, grouping_of, is_by_hour

_Row = dict[str, Any]
_DROP_IN = ("drop_in_rate",)
_LINES = ("line_crosses",)
_LONG_DAYS = 31


def _each_entry(change: Callable[[_Row], object]) -> Callable[[Question, Reply], None]:
    def answer(_question: Question, reply: Reply) -> None:
        for entry in reply.document:
            change(entry)

    return answer


def _is_by_hour_alone(question: Question) -> bool:
    return grouping_of(question) == "hour"


def _leave_dates_out(question: Question, reply: Reply) -> None:
    if _is_by_hour_alone(question):
        relabel(question, reply, lambda label: {"hour": label["hour"]} if "hour" in label else label)


def _turn_hours(question: Question, reply: Reply) -> None:
    """Label hours as if it were nine hours later; where a clock is asked for, it is honoured."""
    if is_by_hour(question) and "tz" not in question.values:
        relabel(question, reply, lambda label: label | {"hour": (label["hour"] + 9) % 24})


def _renumber(name: str, change: Callable[[int], int]) -> Callable[[Question, Reply], None]:
    def answer(question: Question, reply: Reply) -> None:
        relabel(question, reply, lambda label: label | {name: change(label[name])} if name in label else label)

    return answer


def _drop_tz(question: Question) -> dict[str, Any]:
    return {name: value for name, value in question.values.items() if name != "tz"}


def _by_day_unless_told(question: Question, applies: bool) -> dict[str, Any]:
    name, day = ("interval", "day") if question.endpoint == "drop_in_rate" else ("aggregate_by", "dayofmonth")
    return ({name: day} if applies else {}) | dict(question.values)


@lru_cache(maxsize=8)
def _counted_on(now: datetime) -> World:
    return World(seed=f"{now:%Y-%m-%d}", now=now)


def _recount(world: World) -> World:
    return _counted_on(world.now).changed(parents=world.parents, numbering=world.numbering, lines_tz=world.lines_tz)


def _sections(document: Any) -> Iterator[tuple[_Row, str]]:
    """Walk over all that has a rate in an answer of drop_in_rate, with the name of its entries."""
    for period in ("current", "comparison"):
        if document["summary"][period]:
            yield document["summary"][period], "enter"
        for row in document["details"][period]:
            yield row, "enter"
        for block in document["zone_details"][period].values():
            yield block, "total_visits"
            for row in block["details"]:
                yield row, "visits"


def _rate_anew(row: _Row, entries: str) -> None:
    passing_by = row["total_passing_by" if entries == "total_visits" else "passing_by"]
    rate = round(100 * row[entries] / passing_by, 1) if passing_by else 0.0
    row["enter_percentage" if "enter_percentage" in row else "drop_in_rate"] = rate


def _count_both_ways(_question: Question, reply: Reply) -> None:
    for row, entries in _sections(reply.document):
        row[entries] *= 2
        _rate_anew(row, entries)


def _count_people_once(_question: Question, reply: Reply) -> None:
    """Count those who entered two zones once in what is of all zones together."""
    for period in ("current", "comparison"):
        for row in reply.document["details"][period]:
            row["enter"] -= row["enter"] // 10
            _rate_anew(row, "enter")
        summary = reply.document["summary"][period]
        if summary:
            summary["enter"] = sum(row["enter"] for row in reply.document["details"][period])
            _rate_anew(summary, "enter")


def _count_groups_by_hour(question: Question, reply: Reply) -> None:
    if is_by_hour(question):
        for row, entries in _sections(reply.document):
            row["total_passing_by" if entries == "total_visits" else "passing_by"] *= 2
            _rate_anew(row, entries)


def _last_days(question: Question) -> dict[str, Any]:
    values = dict(question.values)
    values["start_date"] = max(values["start_date"], values["end_date"] - timedelta(days=_LONG_DAYS - 1))
    return values


def _echo_as_asked(question: Question, reply: Reply) -> None:
    for found, prefix in zip(echoes(question, reply.document), ("", "comparison_"), strict=False):
        found["startdate"], found["enddate"] = (question.params[f"{prefix}{end}_date"] for end in ("start", "end"))


_LINE_DEVIATIONS = (
    Deviation(
        name="lines_clamped_without_a_word",
        sentence="Crossings are kept for a month, and longer periods are answered with what there is.",
        endpoints=_LINES,
        expect="unseen",
        ask=_last_days,
    ),
    Deviation(
        name="lines_count_both_ways",
        sentence="A crossing is counted by the camera on either side of the line.",
        endpoints=_LINES,
        expect="unseen",
        answer=change_each(lambda row: row.update(count=2 * row["count"])),
    ),
    Deviation(
        name="lines_on_the_clock_of_the_cameras",
        sentence="Cameras stamp crossings with their own clock, which was never set.",
        endpoints=_LINES,
        expect="unseen",
        answer=_turn_hours,
    ),
)
_NUMBERING_DEVIATIONS = (
    Deviation(
        name="weekdays_of_lines_from_monday",
        sentence="Crossings are grouped by another database than visits, whose weekday 1 is Monday.",
        endpoints=_LINES,
        expect="note",
        answer=_renumber("dayofweek", lambda number: (number - 2) % 7 + 1),
    ),
    Deviation(
        name="weeks_of_lines_one_later",
        sentence="Crossings are grouped by another database than visits, whose first week is 1 and not 0.",
        endpoints=_LINES,
        expect="note",
        answer=_renumber("week", lambda number: number + 1),
    ),
    Deviation(
        name="weeks_of_drop_in_one_later",
        sentence="Passers-by are grouped by another database than visits, whose first week is 1 and not 0.",
        endpoints=_DROP_IN,
        expect="note",
        answer=_renumber("week", lambda number: number + 1),
    ),
    Deviation(
        name="minutes_kept_by_hours",
        sentence="Old figures are kept by hours, so all minutes are the first of theirs.",
        endpoints=("zone_visitors", *_LINES),
        expect="unseen",
        answer=_renumber("minute", lambda _: 0),
    ),
)
_TIME_DEVIATIONS = (
    Deviation(
        name="days_unless_told",
        sentence="Periods come by days, however long, unless a grouping is named.",
        endpoints=DATA,
        expect="note",
        ask=lambda question: _by_day_unless_told(question, question.days > _LONG_DAYS),
    ),
    Deviation(
        name="one_day_by_days",
        sentence="A single day comes as one row, unless hours are asked for.",
        endpoints=DATA,
        expect="note",
        ask=lambda question: _by_day_unless_told(question, question.days == 1),
    ),
    Deviation(
        name="recounted_each_day",
        sentence="Videos are counted again every night, by a model that has learned since: closed days change.",
        endpoints=DATA,
        expect="unseen",
        world=_recount,
    ),
)
_DROP_IN_DEVIATIONS = (
    Deviation(
        name="drop_in_clamped_without_a_word",
        sentence="Passers-by are kept for a month, and longer periods are answered with what there is.",
        endpoints=_DROP_IN,
        expect="unseen",
        ask=_last_days,
        answer=_echo_as_asked,
    ),
    Deviation(
        name="drop_in_on_the_clock_of_the_cameras",
        sentence="Without tz hours are those of the cameras' clock, which was never set.",
        endpoints=_DROP_IN,
        expect="unseen",
        answer=_turn_hours,
    ),
    Deviation(
        name="ignored_tz_of_drop_in",
        sentence="The parameter is not in the table of this endpoint, and is not read.",
        endpoints=_DROP_IN,
        expect="unseen",
        ask=_drop_tz,
    ),
    Deviation(
        name="drop_in_counts_both_ways",
        sentence="Who goes in and out again has crossed the entry line twice.",
        endpoints=_DROP_IN,
        expect="unseen",
        answer=_count_both_ways,
    ),
    Deviation(
        name="drop_in_counts_people_once",
        sentence="Of all zones together those who entered two are counted once.",
        endpoints=_DROP_IN,
        expect="note",
        answer=_count_people_once,
    ),
    Deviation(
        name="drop_in_counts_groups_by_hour",
        sentence="By hour single passers-by are counted, by day groups of them.",
        endpoints=_DROP_IN,
        expect="unseen",
        answer=_count_groups_by_hour,
    ),
)
_LIST_DEVIATIONS = (
    Deviation(
        name="thresholds_of_last_year_listed",
        sentence="The list of zones still names the bounce thresholds that were in force before.",
        endpoints=("zones",),
        expect="unseen",
        answer=_each_entry(lambda zone: zone.update(bounce_threshold=zone["bounce_threshold"] + 30)),
    ),
    Deviation(
        name="lines_without_categories",
        sentence="Categories are kept in another system, and lines do not name theirs.",
        endpoints=("lines",),
        expect="unseen",
        answer=_each_entry(lambda line: line.pop("category")),
    ),
    Deviation(
        name="opening_hours_left_out",
        sentence="Opening hours are not kept for every customer.",
        endpoints=("locations",),
        expect="unseen",
        answer=_each_entry(lambda place: place.pop("opening_hours")),
    ),
)
MEASURED_DEVIATIONS = (
    *MEASURED_VISIT_DEVIATIONS,
    *(
        Deviation(
            name=f"hours_without_dates_of_{endpoint}",
            sentence="Grouping by hour names the hour and not its date, though each day has rows of its own.",
            endpoints=(endpoint,),
            expect="error_or_note",
            answer=_leave_dates_out,
        )
        for endpoint in DATA
    ),
    *_LINE_DEVIATIONS,
    *_NUMBERING_DEVIATIONS,
    *_TIME_DEVIATIONS,
    *_DROP_IN_DEVIATIONS,
    *_LIST_DEVIATIONS,
)
