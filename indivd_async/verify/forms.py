"""Whether answers are whole and of one form, the same when asked for again, and believed by the client itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from ..errors import AnswerMismatchError, DecodeError
from ..models.endpoints import DATA_ENDPOINTS, FILTER_ENDPOINTS
from ..results import Answer
from ..structuring import structure_answer
from ..witnessing import witness_answer
from .asked import AGAIN, RANGE_BY_DAY
from .questions import Heard
from .reading import DOCUMENTED_LABELS, Row, add_up, signs_of_more, total, unknown_fields
from .seen import CannotTellError, FailsError, Judgement, Seen, Table, expect, holds, need

FORMS, BELIEF = Table(), Table()
#: Text that may be digits all the same.
_TEXT = ("location_custom_id", "name", "zone_name", "loc_name", "startdate", "enddate", "open", "close")
#: A field whose value, or the first of whose values, is text of digits, in JSON without blanks: its name.
_NUMBER_AS_TEXT = re.compile(rb'"([a-zA-Z_]+)":\[?"-?[0-9]+(?:\.[0-9]+)?"')
#: What a field is called that tells time.
_TIMES = re.compile("year|month|week|day|date|hour|minute|time", re.IGNORECASE)
_DAY = {"year", "month", "dayofmonth"}
_HOUR = {*_DAY, "hour"}
#: The labels that come at the least.
_WANTED = dict.fromkeys(("visits by day", "crossings by day", "drop-in of two periods"), _DAY) | {
    "visits by hour": _HOUR
}
#: Questions that no limit of length, list or comparison can be in the way of.
_PLAIN = ("visits by day", "visits of the week", "visits by hour", "crossings by day")
_PERIODS = ("current", "comparison")


def _all_rows(seen: Seen, name: str) -> list[Row]:
    """Read all rows of an answer, of both periods, and those of zones."""
    endpoint = seen.heard[name].question.endpoint
    if endpoint == "line_crosses":
        return seen.rows(name)
    rows = [row for part in _PERIODS for row in seen.rows(name, part)]
    if endpoint == "drop_in_rate":
        blocks = [block for part in _PERIODS for block in seen.drop_ins(name, part).zones.values()]
        rows += [row for _, details in blocks for row in details]
    return rows


@FORMS.add("An answer holds all its rows.", decides="whether all that there is was counted")
def _answers_whole(seen: Seen) -> None:
    for _, heard in seen.each(*DATA_ENDPOINTS):
        signs = signs_of_more(heard.document, heard.headers)
        expect(not signs, f"an answer of {heard.question.endpoint} says that there is more: {', '.join(signs)}")


@FORMS.add(
    "Plain questions about closed days are answered with 200 and JSON.", decides="whether there is anything to measure"
)
def _questions_answered(seen: Seen) -> None:
    for name in _PLAIN:
        heard = seen.status_of(name)
        need(heard.status not in (429, None), f"the question for {name} was {heard.problem}")
        expect(heard.is_ok, f"{name} of a closed week: {heard.problem or heard.status}")


@FORMS.add("Answers have the documented shape.", decides="whether they can be read at all")
def _shapes_documented(seen: Seen) -> None:
    for name, heard in seen.each(*DATA_ENDPOINTS):
        try:
            _all_rows(seen, name)
        except CannotTellError as error:
            raise FailsError(f"{heard.question.endpoint}: {error}") from None


@FORMS.add("Days and hours come under the documented labels, with year and month.", decides="which bucket a row is of")
def _labels_documented(seen: Seen) -> Judgement:
    plain = seen.heard.get("visits of two periods")
    days = seen.rows("visits of two periods") if plain is not None and plain.is_ok else []
    if days and all("dayofmonth" in row.labels for row in days):
        words = f"by day alone visits come with no other labels than {', '.join(days[0].names)}"
        expect(all(set(row.labels) >= _DAY for row in days), words, learned={"labels_carry_parents": False})
    told = False
    for name, heard in seen.each(*DATA_ENDPOINTS):
        rows = _all_rows(seen, name)
        told = told or bool(rows)
        for row in {(row.names, *row.labels): row for row in rows}.values():  # all others have labels of these forms
            strange = [label for label in row.names if label not in DOCUMENTED_LABELS and _TIMES.search(label)]
            # The names of weeks are those of weeks_carry_years.
            documented = not strange or any(name.lower().endswith("week") for name in row.names)
            expect(documented, f"{heard.question.endpoint} has labels that are not documented: {', '.join(strange)}")
            words = f"{name} come with no other labels than {', '.join(row.names) or 'none'}"
            expect(row.labels.keys() >= _WANTED.get(name, set()), words)
        fixed = [row.day for row in rows if row.labels.keys() >= _DAY]
        expect(None not in fixed, f"{name} has days that are in no calendar")
    need(told, "no row came")
    return holds(learned={"labels_carry_parents": True} if days else {})


@FORMS.add("Ids, labels and counts are numbers.", decides="whether rows are read, or refused")
def _numbers_are_numbers(seen: Seen) -> None:
    for name, heard in seen.each(*DATA_ENDPOINTS, *FILTER_ENDPOINTS):
        wrong = seen.read(name, "numbers as text", _numbers_as_text)
        expect(not wrong, f"{heard.question.endpoint} writes {min(wrong, default='nothing')} as text")


def _numbers_as_text(document: Any) -> set[str]:
    return {name.decode() for name in _NUMBER_AS_TEXT.findall(orjson.dumps(document))}.difference(_TEXT)


@FORMS.add(
    "Answers and their periods have the documented fields, and no others.",
    decides="whether something is said that nobody reads, such as a warning",
)
def _answers_documented(seen: Seen) -> None:
    for _, heard in seen.each("zone_visitors", "drop_in_rate"):
        need(isinstance(heard.document, dict), "an answer is of another shape than documented")
        unknown = {field for field, _ in unknown_fields(heard.document)}.difference(signs_of_more(heard.document, {}))
        words = (
            f"an answer of {heard.question.endpoint} has fields that are not documented: {', '.join(sorted(unknown))}"
        )
        expect(not unknown, words)


@FORMS.add(
    "The same question about closed days has the same answer.",
    decides="whether answers may be kept, and pieces asked one after the other",
)
def _answers_repeat(seen: Seen) -> None:
    if seen.answer("visits by day").document != seen.answer(AGAIN).document:
        figures = ", ".join(f"{total(seen.grouped(name), 'visits'):,}" for name in ("visits by day", AGAIN))
        raise FailsError("asked twice in a run, closed days have other figures", figures)


@FORMS.add("Hours without a visit either all have rows of zeros, or all have none.", decides="averages over rows")
def _quiet_hours_alike(seen: Seen) -> Judgement:
    seen.counting("visits", "visits by hour")
    rows = seen.grouped("visits by hour")
    if all(row.count("visits") for row in rows):
        return holds("hours without a visit have no row", learned={"quiet_hours": "absent"})
    words = "some hours without a visit have a row of zeros, and others none"
    zones = {row.zone for row in rows}
    for day in {row.day for row in rows}:
        hours = [row.labels["hour"] for row in rows if row.day == day and row.moment is not None]
        # Each zone has every hour from the first to the last of the day, but for one that a clock change may skip.
        is_filled = hours and len(hours) >= (max(hours) - min(hours)) * len(zones)
        expect(is_filled, words, learned={"quiet_hours": "mixed"})
    return holds("hours without a visit have a row of zeros", learned={"quiet_hours": "zeros"})


@FORMS.add("Closed days keep their figures.", decides="how far back to ask again for late data")
def _unchanged_since(seen: Seen) -> Judgement:
    earlier, before = seen.earlier_days()
    rows = seen.grouped(RANGE_BY_DAY)
    days = {row.day for row in before} & {row.day for row in rows}
    need(days, "the earlier recording has no day in common with this run")
    then, now = (add_up([row for row in some if row.day in days], "visits", ("day", "zone")) for some in (before, rows))
    made_on = earlier.made_at.date()
    if changed := sorted({day for day, _ in (then - now) | (now - then)}):
        raise FailsError(
            f"closed days have changed since {made_on}: {len(changed)} of them, the oldest {changed[0]}, which was "
            f"{(made_on - changed[0]).days} days old then"
        )
    return holds(f"what was told on {made_on} of closed days is told today", f"{len(days):,} days")


@BELIEF.add(
    "The client has nothing to say against any answer.",
    decides="whether results come, and without notes that somebody should look at",
)
def _answers_believed(seen: Seen) -> None:
    first_rows = [_believe(heard, seen.course.homes).first_row for _, heard in seen.each(*DATA_ENDPOINTS)]
    need(any(row is not None for row in first_rows), "no row came")


def _believe(heard: Heard, homes: Mapping[int, int | None]) -> Answer:
    """Return what the client makes of an answer, where it has nothing against it."""
    request = heard.question
    try:
        answer = structure_answer(
            request.endpoint, orjson.dumps(heard.document), tz=request.tz, carried=request.carried
        )
        answer = witness_answer(request, answer, signs=list(heard.headers.items()), zones=homes)
    except DecodeError as error:
        raise FailsError(f"the client cannot read an answer of {request.endpoint} ({error.problems[0]})") from None
    except AnswerMismatchError as error:
        words = f"the client refuses an answer of {request.endpoint} for its {error.witness}"
        raise FailsError(words, f"expected {error.asked}, got {error.said}") from None
    note = next((note for note in answer.notes if note.doubtful), None)
    if note is not None:
        raise FailsError(f"the client notes {note.kind} of {request.endpoint}", str(note))
    return answer
