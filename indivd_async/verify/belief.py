"""Whether the client itself, which holds each answer against its question, has nothing to say of any."""

from __future__ import annotations

from datetime import date

import orjson

from ..errors import AnswerMismatchError, DecodeError
from ..planning import PlannedRequest, Window
from ..results import Answer
from ..structuring import structure_answer
from ..witnessing import witness_answer
from .forms import data_answers
from .questions import Heard, whole
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds


def _answers_are_believed(seen: Seen) -> Judgement:
    try:
        zones = {id: whole(zone.get("location")) for zone in seen.entities("zones") if (id := whole(zone.get("id")))}
    except CannotTellError:
        zones = {}
    seen.used.clear()  # the list is beside the point
    has_rows = False
    for name, heard in data_answers(seen):
        answer, words, figures = _hear(heard, zones)
        if words:
            seen.used.append(name)
            return fails(f"the client {words} of {heard.question.endpoint}", figures)
        has_rows = has_rows or (answer is not None and answer.first_row is not None)
    if not has_rows:
        raise CannotTellError("no row came")
    return holds("the client reads every answer, and finds nothing in it that contradicts its question or itself")


def _hear(heard: Heard, zones: dict[int, int | None]) -> tuple[Answer | None, str, str]:
    """Return what the client makes of an answer, what it has against it in words without figures, and those with."""
    request, body = _request_of(heard), orjson.dumps(heard.document)
    try:
        answer = structure_answer(request.endpoint, body, tz=request.tz, carried=request.carried)
        answer = witness_answer(request, answer, signs=list(heard.headers.items()), zones=zones)
    except DecodeError as error:
        return None, f"cannot read an answer ({error.problems[0]})", ""
    except AnswerMismatchError as error:
        return None, f"refuses an answer for its {error.witness}", f"expected {error.asked}, got {error.said}"
    note = next((note for note in answer.notes if note.doubtful), None)
    return (answer, "", "") if note is None else (answer, f"notes {note.kind}", str(note))


def _request_of(heard: Heard) -> PlannedRequest:
    question = heard.question
    params = question.params
    days = Window(date.fromisoformat(params["start_date"]), date.fromisoformat(params["end_date"]))
    locations = params.get("location")
    return PlannedRequest(
        index=0,
        endpoint=question.endpoint,
        path=question.path,
        params=params,
        window=days,
        period="both" if "comparison_start_date" in params else "current",
        tz=params.get("tz"),
        locations=None if locations is None else tuple(map(int, locations.split(","))),
    )


BELIEF = Assumption(
    name="answers_believed",
    sentence="The client has nothing to say against any answer.",
    decides="whether results come, and without notes that somebody should look at",
    measured="every answer about figures, read and held against its question as the client does",
    check=_answers_are_believed,
)
