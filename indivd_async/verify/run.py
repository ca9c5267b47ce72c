"""A run: lists, course, questions, checks, report."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from .._version import __version__
from ..errors import IndivdError, InvalidQueryError
from ..models.endpoints import DATA_ENDPOINTS
from ..profile import Numbering, Profile
from ..settings import PATH, TRUE_OR_FALSE, Rule, check, check_options, is_kind
from ..wall_clock import utc_now
from .asked import AGAIN, DEEP_LISTS, LISTED, deep_questions, list_questions, usual_questions
from .clocks import CLOCKS
from .course import Course, Run, lay_course
from .crossings import CROSSINGS
from .deeper import DEEPER
from .drop_in import DROP_IN
from .filters import FILTERS
from .forms import BELIEF, FORMS
from .lengths import LENGTHS, explore
from .lists import LISTS
from .numbering import NUMBERING
from .questions import Asker, whole
from .reading import UnreadableError, read_entities
from .recording import RUN_HEADER, Recorder, Recording, latest, read_recording
from .report import Finding, Report
from .seen import Assumption, Seen
from .sums import SUMS

if TYPE_CHECKING:
    from ..client import AsyncIndivd

#: Without which no answer can be trusted to mean anything, floor upon floor: an assumption rests on all floors below
#: its own, and on what its table names.
_FLOORS: tuple[tuple[str, ...], ...] = (
    ("answers_repeat", "answers_whole", "answers_documented", *(f"{name}_listed" for name in (*LISTED, *DEEP_LISTS))),
    ("shapes_documented", "questions_answered"),
    ("labels_documented", "numbers_are_numbers"),
    ("groupings_honoured",),
    ("period_echoed", *(f"{endpoint}_days_within" for endpoint in DATA_ENDPOINTS), "hours_numbered"),
    ("counts_are_counts", "last_day_included"),
    ("rows_come_once", "small_counts_told", "zones_all_listed"),
)


def _stack(assumptions: Iterable[Assumption]) -> Iterator[Assumption]:
    floors = [set(names) for names in _FLOORS]
    for item in assumptions:
        level = next((number for number, names in enumerate(floors) if item.name in names), len(floors))
        below = [name for names in _FLOORS[:level] for name in names]
        yield attrs.evolve(item, rests_on=(*below, *item.rests_on))


_MEASURED = tuple(
    _stack((*LISTS, *FORMS, *FILTERS, *SUMS, *CLOCKS, *NUMBERING, *LENGTHS, *CROSSINGS, *DROP_IN, *DEEPER))
)
#: Every assumption, in the order of the report. What the client says of answers mostly comes of what fails by name.
ASSUMPTIONS = (*_MEASURED, attrs.evolve(BELIEF[0], rests_on=tuple(item.name for item in _MEASURED)))
MOST_REQUESTS, MOST_REQUESTS_DEEP = 30, 100
#: The longest period that is tried, in days: beyond a year, so that a New Year is in it.
DEFAULT_DAYS = 400
#: One request each.
_MOST_ORGANIZATIONS = 10
#: Shorter, and there is nothing to find out about length.
_LEAST_DAYS = 14


class NotVerifiableError(IndivdError):
    """Nothing could be measured: the lists were not answered, or hold no location."""


#: What an option must be, where it is given.
_OPTIONS: dict[str, Rule] = {
    "location": is_kind((int, str), "the id or the name of a location"),
    "deep": TRUE_OR_FALSE,
    "record": (PATH[0], "the path of a folder"),
    "anonymous": TRUE_OR_FALSE,
    "now": is_kind(datetime, "an aware datetime, such as datetime.now(UTC)"),
}


async def verify(
    client: AsyncIndivd,
    *,
    location: int | str | None = None,
    days: int = DEFAULT_DAYS,
    deep: bool = False,
    record: str | os.PathLike[str] | None = None,
    anonymous: bool = False,
    now: datetime | None = None,
) -> Report:
    """
    Measure on the service itself whether what right figures depend on is so.

    Only days that have ended everywhere are asked for, of one location, in at most 30 requests (*deep*: 100), 4 at
    once, over the client's own lanes, with its retries.

    Args:
        client: it stays open.
        location: the id or the name of the location to measure; else one that has lines into a zone, and opens every
            day if any does.
        days: the longest period that you mean to ask for; lengths are measured up to it.
        deep: ask more: default groupings, limits that the article names, another New Year.
        record: a folder to keep questions and answers in, without the token; an earlier recording there is compared.
        anonymous: replace ids and names in what is recorded.
        now: an aware datetime; else this machine's clock, or the moment of the recording that answers. Which days have
            ended is judged by it.

    Raises:
        NotVerifiableError: where the lists are not answered or hold no location.
        InvalidQueryError: for *days* below 14, and a *location* that the token does not see.
    """
    from ..client import AsyncIndivd

    check("client", client, is_kind(AsyncIndivd, "an AsyncIndivd"))
    check_options(locals(), _OPTIONS)
    if isinstance(days, bool) or not isinstance(days, int) or not _LEAST_DAYS <= days <= 4_000:
        raise InvalidQueryError("days", f"must be a whole number from {_LEAST_DAYS} to 4000", days)
    if now is not None and now.tzinfo is None:
        raise InvalidQueryError("now", "must be an aware datetime, such as datetime.now(UTC)", now)
    # Read before anything is asked: what is damaged is told at once, and this run is not yet in the folder.
    recorder = None if record is None else Recorder(record, anonymous=anonymous)
    earlier = None if record is None or latest(record) is None else read_recording(record)
    asker = Asker(client, most=MOST_REQUESTS, on_heard=None if recorder is None else recorder.hear)
    seen = await measure(asker, location=location, days=days, deep=deep, now=now, earlier=earlier)
    if recorder is not None:
        recorder.write(seen.run)
    return make_report(seen, deep=deep, retries=asker.sent - len(seen.heard))


async def measure(
    asker: Asker,
    *,
    location: int | str | None,
    days: int,
    deep: bool,
    now: datetime | None,
    earlier: Recording | None = None,
) -> Seen:
    """Ask what a run asks: first what every run does, then what only deep ones do."""
    await asker.ask_all(list_questions())
    if (recorded := _recorded_run(asker)) is None:
        course = _lay_course(asker, location, days, now := now or utc_now())
    else:
        now = now or recorded.made_at
        course = _lay_course(asker, recorded.location if location is None else location, recorded.days, now)
        for name, given, usual, then in (
            ("location", course.location, recorded.location, recorded.location),
            ("days", days, DEFAULT_DAYS, recorded.days),
            ("deep", deep, False, recorded.deep),
        ):
            if given not in (usual, then):
                raise InvalidQueryError(name, f"what answers here is a recording of a run with {then}", given)
        days = recorded.days
    run = Run(made_at=now, location=course.location, days=days, deep=deep)
    seen = Seen(course, asker.heard, run=run, earlier=earlier)
    questions = usual_questions(course)
    await asker.ask_all(questions)
    await asker.ask_all({AGAIN: questions["visits by day"]})
    await explore(asker, seen)
    if deep:
        asker.most = MOST_REQUESTS_DEEP
        await asker.ask_all(list_questions(DEEP_LISTS))
        organizations = [id for item in _entities(asker, "organizations") if (id := whole(item.get("id"))) is not None]
        await asker.ask_all(deep_questions(course, organizations[:_MOST_ORGANIZATIONS]))
        await explore(asker, seen)  # what no requests were left for
    return seen


def _recorded_run(asker: Asker) -> Run | None:
    """Return the run that is answered from, where it is a recording that answers."""
    try:
        return Run.from_dict(json.loads(asker.heard["locations"].headers[RUN_HEADER]))
    except (KeyError, TypeError, ValueError):
        return None


def _lay_course(asker: Asker, location: int | str | None, days: int, now: datetime) -> Course:
    lists = {name: _entities(asker, name) for name in LISTED}
    if not any(whole(item.get("id")) is not None for item in lists["locations"]):
        why = asker.heard["locations"].problem or "empty, without ids, or of another shape than documented"
        raise NotVerifiableError(f"the list of locations is {why}; `indivd doctor` looks into that")
    return lay_course(**lists, location=location, days=days, now=now)


def _entities(asker: Asker, name: str) -> Sequence[Any]:
    heard = asker.heard[name]
    try:
        return read_entities(heard.document) if heard.is_ok else ()
    except UnreadableError:
        return ()


def make_report(seen: Seen, *, deep: bool, retries: int = 0) -> Report:
    """Judge every assumption by what was *seen*."""
    judged = {item: item.judge(seen) for item in ASSUMPTIONS if deep or not item.is_deep}
    bad = {item.name for item, judgement in judged.items() if judgement.verdict == "fails"}
    findings, learned = [], dict[str, Any]()
    for item, judgement in judged.items():
        under = [name for name in item.rests_on if name in bad]
        if judgement.verdict == "fails" and under:
            evidence = f"{judgement.evidence}, which may come of {under[0]}"
            judgement = attrs.evolve(judgement, verdict="cannot be told", evidence=evidence, learned={})
        for field, value in judgement.learned.items():
            learned[field] = [*learned.get(field, ()), *value] if field == "most_days" else value
        findings.append(
            Finding(
                name=item.name,
                sentence=item.sentence,
                decides=item.decides,
                measured=judgement.measured,
                verdict=judgement.verdict,
                evidence=judgement.evidence,
                figures=judgement.figures,
                requests=tuple(seen.heard[name].question.target for name in judgement.used),
            )
        )
    course = seen.course
    return Report(
        findings=tuple(findings),
        profile=make_profile(learned, seen.run.made_at),
        location=course.location,
        week=course.week,
        range=course.range,
        requests=len(seen.heard),
        retries=retries,
        unanswered=sum(heard.status is None for heard in seen.heard.values()),
        made_on=seen.run.made_at.date().isoformat(),
        version=__version__,
    )


def make_profile(learned: dict[str, Any], now: datetime) -> Profile:
    """Put together what the checks learned."""
    numbering = Numbering(weeks=learned.pop("weeks", None), weekdays=learned.pop("weekdays", None))
    limits = tuple(dict.fromkeys(learned.pop("most_days", ())))
    return Profile(numbering=numbering, most_days=limits, learned_on=now.date().isoformat(), **learned)
