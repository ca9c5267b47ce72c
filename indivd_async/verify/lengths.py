"""How long a period and a URL may be: asked for whole, and by halves where the whole is refused."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

from ..planning.request import MAX_URL_BYTES
from ..profile import MostDays
from .course import BY_DAY, FIRST_DAYS, HOURS_DAYS, NEW_YEAR, drop_ins, long_question, part_of, visits
from .questions import Asker, Question
from .reading import Row, add_up, fitting_length
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds, total

_WHOLE, _BY_DAY, _BY_HOUR = "visits of the whole range", "visits by day, the whole range", "visits by hour alone"
_LONG_URL = "visits of all zones, by a long URL"
#: The lengths that are tried where the whole range is refused, each about twice the one before.
_RUNGS = (31, 62, 124, 248, 496, 992, 1984, 3968)
_URLS = (1_000, 2_000, 4_000)
#: Days at the ends of a range in which nobody need have come.
_QUIET_DAYS = 7
#: Of a zone, at most.
_ROWS_A_DAY = {"day": 1, "hour": 24}


#: Questions about the whole range: the endpoint, the groupings that a limit is then of, and the one that is asked by.
_LONG = {
    _WHOLE: ("zone_visitors", "any", "zone"),
    _BY_DAY: ("zone_visitors", "day", BY_DAY),
    "crossings into the zone by month": ("line_crosses", "any", "month"),
    "drop-in by month, the whole range": ("drop_in_rate", "any", "month"),
}


def _rung_name(name: str, days: int) -> str:
    return f"{name}: its last {days} days"


def _ladder(seen: Seen, name: str) -> dict[str, Question]:
    """Lay out shorter periods of a question that is declined, each about twice as long as the one before."""
    shortest, longest = _known_lengths(seen, name)
    course, asked = seen.course, seen.heard[name].question
    ladder = {}
    for days in (rung for rung in _RUNGS if shortest < rung < longest):
        first, last = part_of(course.range, -days, -1)
        dates = {"start_date": first.isoformat(), "end_date": last.isoformat()}
        ladder[_rung_name(name, days)] = Question.of(asked.endpoint, {**asked.params, **dates})
    return ladder


async def explore(asker: Asker, seen: Seen) -> None:
    """Ask, after the usual questions, what their answers leave open about lengths."""
    heard, course = asker.heard, seen.course
    declined = {name for name, answer in heard.items() if answer.is_declined}
    for name in _LONG:
        if name in declined and not (name == _BY_DAY and _WHOLE in declined):
            await _bisect(asker, _ladder(seen, name))
    if _BY_DAY in heard and heard[_BY_DAY].is_ok and _begins_late(seen):
        await asker.ask(FIRST_DAYS, visits(course, part_of(course.range, 0, _QUIET_DAYS - 1), "zone"))
    if course.holds_new_year and not _shows_new_year(seen):
        await asker.ask(NEW_YEAR, visits(course, course.new_year, BY_DAY))
    if "drop-in of two periods" in declined:
        await asker.ask("drop-in by day", drop_ins(course, course.week, "day"))
    if _LONG_URL in declined:
        await _bisect(asker, {_url_name(size): long_question(course, size) for size in _URLS})


def _begins_late(seen: Seen) -> bool:
    try:
        days = [row.day for row in seen.visits(_BY_DAY) if row.day is not None and row.count("visits")]
    except CannotTellError:
        return False
    return not days or (min(days) - seen.course.range[0]).days >= _QUIET_DAYS


def _shows_new_year(seen: Seen) -> bool:
    try:
        return bool(seen.new_year_days)
    except CannotTellError:
        return False


async def _bisect(asker: Asker, questions: dict[str, Any]) -> None:
    """Ask *questions*, in rising order of length, by halves, until it is known which is the last that is answered."""
    names = list(questions)
    low, high = 0, len(names)
    while low < high:
        middle = (low + high) // 2
        found = await asker.ask(names[middle], questions[names[middle]])
        if found is None:
            return
        low, high = (middle + 1, high) if found.is_ok else (low, middle)


def _known_lengths(seen: Seen, name: str) -> tuple[int, int]:
    """Return the longest period that was answered and the shortest that was declined, where a limit is of its kind."""
    endpoint, unit, by = _LONG[name]
    answered, refused = 0, _length_of(seen.course.range)
    for known, heard in seen.heard.items():
        params = heard.question.params
        is_alike = heard.question.endpoint == endpoint and (unit == "any" or params.get("aggregate_by") == by)
        if is_alike and "comparison_start_date" not in params:
            first, last = (date.fromisoformat(params[f"{end}_date"]) for end in ("start", "end"))
            days = _length_of((first, last))
            answered = max(answered, days) if heard.is_ok else answered
            # Other questions are refused for other reasons, such as hours of more than a week.
            refused = min(refused, days) if known.startswith(name) and not heard.is_ok else refused
    return answered, refused


def judge_refusal(seen: Seen, name: str) -> Judgement | None:
    """Judge the question about the whole range of that *name* where it is declined, and learn what is not."""
    found = seen.status_of(name)
    if not found.is_declined:
        seen.answer(name)  # which cannot be told where there is none
        return None
    endpoint, unit, _ = _LONG[name]
    seen.used.extend(rung for days in _RUNGS if (rung := _rung_name(name, days)) in seen.heard)
    longest, _ = _known_lengths(seen, name)
    if not longest:
        raise CannotTellError(f"no question to {endpoint} was answered; this one was {found.problem}")
    limits = [MostDays(endpoint=endpoint, unit=unit, days=longest)]
    known = f"{longest} days were answered"
    return fails(f"{_length_of(seen.course.range)} days are refused with {found.status}; {known}", **_learn(limits))


def _length_of(days: tuple[date, date]) -> int:
    return (days[1] - days[0]).days + 1


def _long_periods_are_accepted(seen: Seen) -> Judgement:
    for name in (_WHOLE, _BY_DAY):
        if (refused := judge_refusal(seen, name)) is not None:
            return refused
    return holds(f"{_length_of(seen.course.range)} days are answered, by days and as one total")


def _covered(rows: list[Row]) -> tuple[date, date] | None:
    days = [row.day for row in rows if row.day is not None and row.count("visits")]
    return (min(days), max(days)) if days else None


def _is_cut(seen: Seen, rows: list[Row]) -> bool:
    """Tell whether days of the range are missing in which somebody came."""
    covered = _covered(rows)
    first, last = seen.course.range
    early = covered is None or (covered[0] - first).days >= _QUIET_DAYS
    if early and FIRST_DAYS in seen.heard and total(add_up(seen.visits(FIRST_DAYS), "visits")):
        return True
    in_week = total(add_up(seen.visits("visits by day"), "visits"))
    week = [row for row in rows if row.day is not None and seen.course.week[0] <= row.day <= seen.course.week[1]]
    return bool(in_week) and not week and seen.course.week[1] <= last


def _long_periods_are_whole(seen: Seen) -> Judgement:
    days, whole = seen.visits(_BY_DAY), seen.visits(_WHOLE)
    if not any(row.count("visits") for row in whole):
        raise CannotTellError("there was nobody to count in the whole range")
    first, last = seen.course.range
    by_days, told = add_up(days, "visits", ("zone",)), add_up(whole, "visits", ("zone",))
    figures = f"{total(told):,} in all, {total(by_days):,} by days"
    covered = _covered(days)
    if total(told) < total(by_days):
        length = fitting_length(days, first, last, total(told))
        end = f": it is that of {length} days only" if length else ""
        limits = [MostDays(endpoint="zone_visitors", unit="total", days=length)] if length else []
        return fails(f"the total of {first} to {last} is less than its days{end}", figures, **_learn(limits))
    if _is_cut(seen, days) and told == by_days:
        length = _length_of(covered) if covered else 1
        limits = [MostDays(endpoint="zone_visitors", unit="any", days=length)]
        return fails(
            f"asked for {_length_of(seen.course.range)} days, {length} of them are answered: "
            f"{covered[0]} to {covered[1]}"
            if covered
            else "none of its days is answered",
            figures,
            **_learn(limits),
        )
    return holds("the total of the whole range has what its days have", figures)


def _learn(limits: list[MostDays]) -> dict[str, Any]:
    return {"most_days": limits} if limits else {}


def _rows_are_not_capped(seen: Seen, by: str) -> Judgement:
    days, whole = seen.visits(_BY_DAY), seen.visits(_WHOLE)
    if _long_periods_are_whole(seen).verdict == "fails":
        raise CannotTellError("long periods are not answered whole, whatever their rows")
    by_days, told = total(add_up(days, "visits")), total(add_up(whole, "visits"))
    if by == "day":
        rows, expected, found, unit = days, told, by_days, "day"
    else:
        if by_days < told:
            raise CannotTellError("answers by days are cut, so there is nothing to hold hours against")
        rows, unit = seen.visits(_BY_HOUR), "hour"
        first = seen.course.range[1] - timedelta(days=min(HOURS_DAYS, _length_of(seen.course.range)) - 1)
        expected = sum(row.count("visits") for row in days if row.day is not None and row.day >= first)
        found = total(add_up(rows, "visits"))
    figures = f"{found:,} visits in {len(rows):,} rows, of {expected:,}"
    if found >= expected:
        return holds("the rows of a long answer count as many visits as the period has", figures)
    # Other places may have more zones and be open at night: in so many days all rows fit in, at any of them.
    length = max(1, len(rows) // (seen.course.most_zones * _ROWS_A_DAY[unit]))
    limits = [MostDays(endpoint="zone_visitors", unit=unit, days=length, rows=len(rows))] if rows else []
    return fails(
        f"a long answer by {unit}s ends after {len(rows)} rows, and does not say so", figures, **_learn(limits)
    )


def _early_days_agree(seen: Seen) -> Judgement:
    """A day in a long answer is the day in a short one."""
    rows = [
        row for row in seen.visits(_BY_DAY)
        if row.day is not None and seen.course.week[0] <= row.day <= seen.course.week[1]
    ]  # fmt: skip
    week = seen.some_visits("visits by day")
    if not rows:
        raise CannotTellError("the long answer does not have these days")
    for figure in ("visits", "unique_visits", "bounce", "n"):
        if add_up(rows, figure, ("zone", "day")) != add_up(week, figure, ("zone", "day")):
            return fails(f"{figure} of a day differ in a long and in a short answer")
    return holds("a day has the same figures in a long answer and in a short one")


def _long_urls_are_taken(seen: Seen) -> Judgement:
    found = seen.status_of(_LONG_URL)
    if not found.is_refused:
        named = set(seen.course.zones)
        plain, told = (
            add_up([row for row in seen.visits(name) if row.zone in named], "visits", ("zone",))
            for name in ("visits of the week", _LONG_URL)
        )
        if not total(plain):
            raise CannotTellError("nobody was counted in the zones that it names")
        if plain == told:
            return holds(f"a URL of {MAX_URL_BYTES:,} bytes is answered as a short one is")
        return fails(f"a URL of {MAX_URL_BYTES:,} bytes is answered otherwise than a short one")
    taken = [size for size in _URLS if (other := seen.heard.get(_url_name(size))) and other.is_ok]
    known = f"; {max(taken):,} bytes are taken" if taken else ""
    learned: dict[str, Any] = {"longest_url": max(taken)} if taken else {}
    return fails(f"a URL of {MAX_URL_BYTES:,} bytes is refused with {found.status}{known}", **learned)


def _url_name(size: int) -> str:
    return f"{_LONG_URL} of {size:,} bytes"


def _lists_are_alternatives(seen: Seen) -> Judgement:
    asked = [_LONG_URL, *map(_url_name, _URLS)]
    name = next((name for name in asked if name in seen.heard and seen.heard[name].is_ok), _LONG_URL)
    came = {row.zone for row in seen.some_visits("visits of the week") if row.count("visits")} & set(seen.course.zones)
    told = {row.zone for row in seen.visits(name)}
    if len(came) < 2:
        raise CannotTellError("fewer than two zones of the location had visits")
    if came <= told:
        return holds("asked for several zones, all of them came")
    return fails(f"asked for several zones, {len(told)} of {len(came)} came")


LENGTHS = (
    Assumption(
        name="long_period_accepted",
        sentence="A long period of zone_visitors is answered.",
        decides="how long the pieces of a period may be",
        measured="the whole range, by days and as one total; by halves where that is refused",
        check=_long_periods_are_accepted,
    ),
    Assumption(
        name="long_period_whole",
        sentence="A long period is answered whole, not its last or first days only.",
        decides="every total of a long period",
        measured="the whole range by days and as one total; its first days alone where they are missing",
        check=_long_periods_are_whole,
    ),
    *(
        Assumption(
            name=f"rows_not_capped_by_{unit}",
            sentence=f"An answer by {unit}s has as many rows as it takes.",
            decides="how many rows the pieces of a period may have",
            measured=measured,
            check=partial(_rows_are_not_capped, by=unit),
        )
        for unit, measured in (
            ("day", "the whole range by days, beside its total"),
            ("hour", f"{HOURS_DAYS} days by hours, beside the same days"),
        )
    ),
    Assumption(
        name="days_alike_in_long_answers",
        sentence="A day has the same figures in a long answer as in a short one.",
        decides="whether pieces of a period may be put together",
        measured="a week by days, alone and within the whole range, field by field",
        check=_early_days_agree,
    ),
    Assumption(
        name="long_url_taken",
        sentence=f"A URL of {MAX_URL_BYTES:,} bytes is taken.",
        decides="how many ids one request may name",
        measured="the zones of the location, named again and again",
        check=_long_urls_are_taken,
        rests_on=("lists_honoured",),
    ),
    Assumption(
        name="lists_honoured",
        sentence="Several values of one parameter are alternatives.",
        decides="whether one request may name several ids",
        measured="all zones of the location, named with commas",
        check=_lists_are_alternatives,
    ),
)
