"""Whether answers and lists are whole and of one form, and the same when asked for again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from .questions import Heard
from .reading import DOCUMENTED_LABELS, Row, add_up, signs_of_more
from .seen import Assumption, CannotTellError, Earlier, Judgement, Seen, fails, holds, total

#: Text that may be digits all the same.
_TEXT = ("location_custom_id", "name", "zone_name", "loc_name", "startdate", "enddate", "open", "close")
#: What follows the name of a field whose value, or the first of whose values, is text of digits, without blanks.
_NUMBER_AS_TEXT = re.compile(rb'":\[?"-?[0-9]+(?:\.[0-9]+)?"')
#: What a field is called that tells time.
_TIMES = re.compile("year|month|week|day|date|hour|minute|time", re.IGNORECASE)
_DAY = {"year", "month", "dayofmonth"}
_HOUR = {*_DAY, "hour"}
#: Questions that no limit of length, list or comparison can be in the way of.
_PLAIN = ("visits by day", "visits of the week", "visits by hour", "crossings by day")
_PERIOD_FIELDS = {"startdate", "enddate", "insights", "passing_by", "enter", "enter_percentage"}
_TOP_LEVEL = {
    "zone_visitors": {"current", "comparison"},
    "drop_in_rate": {"summary", "details", "zone_details"},
}


def _answers_are_whole(seen: Seen) -> Judgement:
    for name, heard in data_answers(seen):
        signs = signs_of_more(heard.document, heard.headers)
        if signs:
            seen.used.append(name)
            return fails(f"an answer of {heard.question.endpoint} says that there is more: {', '.join(signs)}")
    return holds("no answer says that there is more than it holds")


def data_answers(seen: Seen) -> list[tuple[str, Heard]]:
    """List the answers about figures, by the names of their questions."""
    endpoints = (*_TOP_LEVEL, "line_crosses")
    answers = [(name, heard) for name, heard in seen.heard.items() if heard.question.endpoint in endpoints]
    if not any(heard.is_ok for _, heard in answers):
        raise CannotTellError("no question about figures was answered")
    return [(name, heard) for name, heard in answers if heard.is_ok]


def _rows_of(seen: Seen, name: str, endpoint: str) -> list[Row]:
    """Read all rows of an answer, and those of zones."""
    if endpoint == "zone_visitors":
        return seen.any_visits(name) + seen.any_visits(name, "comparison")
    if endpoint == "line_crosses":
        return seen.crossings(name)
    rows = []
    for part in ("current", "comparison"):
        found = seen.drop_ins(name, part)
        rows += found.details + [row for _, details in found.zones.values() for row in details]
    return rows


def _questions_are_answered(seen: Seen) -> Judgement:
    for name in _PLAIN:
        heard = seen.status_of(name)
        if heard.status == 429 or (heard.status is None and heard.problem):
            raise CannotTellError(f"the question for {name} was {heard.problem}")
        if heard.status != 200:
            return fails(f"{name} of a closed week is answered with {heard.status}")
        if heard.problem:
            return fails(f"{name} of a closed week: {heard.problem}")
    return holds("plain questions about a closed week are answered with 200 and JSON")


def _shapes_are_documented(seen: Seen) -> Judgement:
    for name, heard in data_answers(seen):
        try:
            _rows_of(seen, name, heard.question.endpoint)
        except CannotTellError as error:
            return fails(f"{heard.question.endpoint}: {error}")
    return holds("every answer could be read as the article describes it")


def _labels_are_documented(seen: Seen) -> Judgement:
    plain = "visits of two periods"
    days = seen.any_visits(plain) if plain in seen.heard and seen.heard[plain].is_ok else []
    if days and all("dayofmonth" in row.labels for row in days) and not all(set(row.labels) >= _DAY for row in days):
        return fails(
            f"by day alone visits come with no other labels than {', '.join(days[0].names)}", labels_carry_parents=False
        )
    wanted = {
        "visits by day": _DAY,
        "visits by hour": _HOUR,
        "crossings by day": _DAY,
        "drop-in of two periods": _DAY,
    }
    told = 0
    unknown: dict[tuple[str, ...], list[str]] = {}  # by the names of a row, which are those of most others
    for name, heard in data_answers(seen):
        for row in _rows_of(seen, name, heard.question.endpoint):
            told += 1
            if row.names not in unknown:
                strange = [label for label in row.names if label not in DOCUMENTED_LABELS and _TIMES.search(label)]
                unknown[row.names] = strange
            if (strange := unknown[row.names]) and "week" not in row.labels:  # whose names are weeks_carry_years'
                return fails(f"{heard.question.endpoint} has labels that are not documented: {', '.join(strange)}")
            if row.day is None and row.labels.keys() >= _DAY:
                return fails(f"{name} has days that are in no calendar")
            if name in wanted and not row.labels.keys() >= wanted[name]:
                return fails(f"{name} come with no other labels than {', '.join(row.names) or 'none'}")
    if not told:
        raise CannotTellError("no row came")
    learned: dict[str, Any] = {"labels_carry_parents": True} if days else {}
    return holds("days and hours come under the documented labels, with those above them", **learned)


def _numbers_are_numbers(seen: Seen) -> Judgement:
    for name, heard in seen.heard.items():
        if heard.is_ok and (wrong := seen.read(name, "numbers as text", _numbers_as_text)):
            seen.used.append(name)
            return fails(f"{heard.question.endpoint} writes {min(wrong)} as text")
    return holds("numbers are written as numbers")


def _numbers_as_text(document: Any) -> set[str]:
    written = orjson.dumps(document)
    ends = [match.start() for match in _NUMBER_AS_TEXT.finditer(written)]
    names = {written[written.rindex(b'"', 0, end) + 1 : end].decode() for end in ends}
    return {name for name in names if name and "\\" not in name}.difference(_TEXT)


def _answers_say_nothing_else(seen: Seen) -> Judgement:
    read = 0
    for name, heard in data_answers(seen):
        endpoint = heard.question.endpoint
        if isinstance(heard.document, dict) and endpoint in _TOP_LEVEL:
            read += 1
            unknown = set(heard.document) - _TOP_LEVEL[endpoint]
            for block in _periods(heard.document):
                unknown |= set(block) - _PERIOD_FIELDS
            unknown -= set(signs_of_more(heard.document, {}))
            if unknown:
                seen.used.append(name)
                listed = ", ".join(sorted(unknown))
                return fails(f"an answer of {endpoint} has fields that are not documented: {listed}")
    if not read:
        raise CannotTellError("no answer is of the documented shape")
    return holds("answers and their periods have the documented fields and no others")


def _periods(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    holder = document.get("summary", document)
    for part in ("current", "comparison"):
        block = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(block, dict):
            yield block


def _answers_repeat(seen: Seen) -> Judgement:
    first, again = seen.answer("visits by day").document, seen.answer("visits by day, once more").document
    if first == again:
        return holds("asked twice in a run, the answer is the same")
    figures = [add_up(seen.visits(name), "visits") for name in ("visits by day", "visits by day, once more")]
    return fails(
        "asked twice in a run, closed days have other figures", f"{total(figures[0]):,}, {total(figures[1]):,}"
    )


def _quiet_hours(seen: Seen) -> Judgement:
    rows = seen.some_visits("visits by hour")
    empty = [row for row in rows if not row.count("visits")]
    if not empty:
        return holds("hours without a visit have no row", quiet_hours="absent")
    zones, days = {row.zone for row in rows}, {row.day for row in rows}
    if len(rows) >= len(zones) * len(days) * 24 or _fills_hours(rows):
        return holds("hours without a visit have a row of zeros", quiet_hours="zeros")
    return fails("some hours without a visit have a row of zeros, and others none", quiet_hours="mixed")


def _fills_hours(rows: list[Row]) -> bool:
    """Tell whether each zone has every hour of a day between the first and the last that any zone has."""
    for day in {row.day for row in rows}:
        of_day = [row for row in rows if row.day == day and row.hour is not None]
        hours = {row.labels["hour"] for row in of_day}
        if not hours:
            return False
        span = max(hours) - min(hours) + 1
        zones = {row.zone for row in rows}
        if len(of_day) < span * len(zones) - len(zones):  # one hour may be skipped by a clock change
            return False
    return True


def _unchanged_since(seen: Seen) -> Judgement:
    earlier: Earlier = seen.earlier
    if earlier.location != seen.course.location:
        raise CannotTellError(f"the earlier recording is of location {earlier.location}")
    name = "visits by day, the whole range"
    before = add_up([row for row in earlier.rows if row.day is not None], "visits", ("zone", "day"))
    now = add_up([row for row in seen.visits(name) if row.day is not None], "visits", ("zone", "day"))
    days = {row.day for row in earlier.rows} & {row.day for row in seen.visits(name)}
    if not days:
        raise CannotTellError("the earlier recording has no day in common with this run")
    keys = [key for key in {**before, **now} if isinstance(key, tuple) and key[1] in days]
    changed = sorted({key[1] for key in keys if before[key] != now[key]})
    if not changed:
        return holds(f"what was told on {earlier.made_on} of closed days is told today", f"{len(days):,} days")
    back = (earlier.made_on - changed[0]).days
    return fails(
        f"closed days have changed since {earlier.made_on}: {len(changed)} of them, the oldest {changed[0]}, which was "
        f"{back} days old then"
    )


_WHOLE = "whether all that there is was counted"

FORMS = (
    Assumption(
        name="answers_whole",
        sentence="An answer holds all its rows.",
        decides=_WHOLE,
        measured="signs of more in every answer and its headers: next, truncated, totals, links",
        check=_answers_are_whole,
    ),
    Assumption(
        name="questions_answered",
        sentence="Plain questions about closed days are answered with 200 and JSON.",
        decides="whether there is anything to measure",
        measured="visits and crossings of a week",
        check=_questions_are_answered,
    ),
    Assumption(
        name="shapes_documented",
        sentence="Answers have the documented shape.",
        decides="whether they can be read at all",
        measured="every answer, read strictly",
        check=_shapes_are_documented,
    ),
    Assumption(
        name="labels_documented",
        sentence="Days and hours come under the documented labels, with year and month.",
        decides="which bucket a row is of",
        measured="the labels of every row by days and hours",
        check=_labels_are_documented,
    ),
    Assumption(
        name="numbers_are_numbers",
        sentence="Ids, labels and counts are numbers.",
        decides="whether rows are read, or refused",
        measured="every field of every answer and list",
        check=_numbers_are_numbers,
    ),
    Assumption(
        name="answers_documented",
        sentence="Answers and their periods have the documented fields, and no others.",
        decides="whether something is said that nobody reads, such as a warning",
        measured="the top level and the periods of every answer",
        check=_answers_say_nothing_else,
    ),
    Assumption(
        name="answers_repeat",
        sentence="The same question about closed days has the same answer.",
        decides="whether answers may be kept, and pieces asked one after the other",
        measured="a week by days, at the beginning and at the end of the run",
        check=_answers_repeat,
    ),
    Assumption(
        name="quiet_hours_alike",
        sentence="Hours without a visit either all have rows of zeros, or all have none.",
        decides="averages over rows",
        measured="a week by hour, every zone",
        check=_quiet_hours,
    ),
    Assumption(
        name="unchanged_since",
        sentence="Closed days keep their figures.",
        decides="how far back to ask again for late data",
        measured="the days of an earlier recording (--record), asked for again",
        check=_unchanged_since,
    ),
)
