"""How long a period and a URL may be: asked for whole, and by halves where the whole is refused."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import date
from functools import partial
from typing import Any

from ..planning import PlannedRequest
from ..planning.request import MAX_URL_BYTES
from ..profile import MostDays
from .asked import BY_DAY, FIRST_DAYS, HOURS_DAYS, NEW_YEAR, RANGE, RANGE_BY_DAY, Questions, long_question
from .course import dates_of, length_of, part_of
from .questions import Asker, make_question
from .reading import Row, add_up, fitting_length, total
from .seen import CannotTellError, FailsError, Judgement, Seen, Table, expect, holds, is_so, need

LENGTHS = Table()
_LONG_URL = "visits of all zones, by a long URL"
#: Questions about the whole range, and the unit that a limit is then of.
_LONG = {
    RANGE: "any",
    RANGE_BY_DAY: "day",
    "crossings into the zone by month": "any",
    "drop-in by month, the whole range": "any",
}
#: The lengths that are tried where the whole range is refused, each about twice the one before.
_RUNGS = (31, 62, 124, 248, 496, 992, 1984, 3968)
_URLS = {size: f"{_LONG_URL} of {size:,} bytes" for size in (1_000, 2_000, 4_000)}
#: Days at the ends of a range in which nobody need have come.
_QUIET_DAYS = 7
#: Of a zone, at most.
_ROWS_A_DAY = {"day": 1, "hour": 24}
_MONTHS_APART = 0.25


async def explore(asker: Asker, seen: Seen) -> None:
    """Ask, after the usual questions, what their answers leave open about lengths."""
    heard, course = asker.heard, seen.course
    visits = partial(course.ask, "zone_visitors")
    declined = {name for name, answer in heard.items() if answer.is_declined}
    for name in _LONG:
        if name in declined and not (name == RANGE_BY_DAY and RANGE in declined):
            await _bisect(asker, _ladder(seen, name))
    if RANGE_BY_DAY in heard and heard[RANGE_BY_DAY].is_ok:
        with suppress(CannotTellError):
            if _begin_late(seen, seen.grouped(RANGE_BY_DAY)):
                first_days = visits(part_of(course.range, 0, _QUIET_DAYS - 1), "zone")
                await asker.ask_all({FIRST_DAYS: first_days})
    if course.holds_new_year:
        try:
            seen.new_year_days  # noqa: B018
        except CannotTellError:
            await asker.ask_all({NEW_YEAR: visits(course.new_year, BY_DAY)})
    if "drop-in of two periods" in declined:
        await asker.ask_all({"drop-in by day": course.ask("drop_in_rate", course.week, "day")})
    if _LONG_URL in declined:
        await _bisect(asker, {name: long_question(course, size) for size, name in _URLS.items()})


async def _bisect(asker: Asker, questions: Questions) -> None:
    """Ask *questions*, in rising order of length, by halves, until it is known which is the last that is answered."""
    names = list(questions)
    low, high = 0, len(names)
    while low < high:
        middle = (low + high) // 2
        await asker.ask_all({names[middle]: questions[names[middle]]})
        if names[middle] not in asker.heard:
            return  # no request is left
        low, high = (middle + 1, high) if asker.heard[names[middle]].is_ok else (low, middle)


def _ladder(seen: Seen, name: str) -> Questions:
    """Lay out shorter periods of a question that is declined, each about twice as long as the one before."""
    shortest, longest = _known_lengths(seen, name)
    asked = seen.heard[name].question
    return {
        f"{name}: its last {days} days": make_question(
            asked.endpoint, {**asked.params, **dates_of(part_of(seen.course.range, -days, -1))}
        )
        for days in _RUNGS
        if shortest < days < longest
    }


def _known_lengths(seen: Seen, name: str) -> tuple[int, int]:
    """Return the longest period that was answered and the shortest that was declined, where a limit is of its kind."""
    asked = seen.heard[name].question
    answered, declined = [0], []
    for known, heard in seen.heard.items():
        question = heard.question
        is_grouped_alike = question.params.get("aggregate_by") == asked.params.get("aggregate_by")
        if question.endpoint == asked.endpoint and (_LONG[name] == "any" or is_grouped_alike):
            if heard.is_ok and question.period == "current":
                answered.append(_days_of(question))
            elif known.startswith(name):  # others are refused for other reasons, such as hours of more than a week
                declined.append(_days_of(question))
    return max(answered), min(declined, default=length_of(seen.course.range))


def _days_of(question: PlannedRequest) -> int:
    return question.window.days if question.window is not None else 0


def expect_accepted(seen: Seen, name: str) -> None:
    """Expect that the question about the whole range of that *name* is not declined, and learn what else is not."""
    found = seen.status_of(name)
    if not found.is_declined:
        seen.answer(name)
        return
    endpoint = found.question.endpoint
    seen.used.extend(known for known in seen.heard if known.startswith(f"{name}: "))
    longest, _ = _known_lengths(seen, name)
    need(longest, f"no question to {endpoint} was answered; this one was {found.problem}")
    words = f"{_days_of(found.question)} days are refused with {found.status}; {longest} days were answered"
    raise FailsError(words, learned=_limit(endpoint, _LONG[name], longest))


def _limit(endpoint: str, unit: str, days: int | None, rows: int | None = None) -> dict[str, Any]:
    """Learn a limit, where *days* are known."""
    return {"most_days": [MostDays(endpoint=endpoint, unit=unit, days=days, rows=rows)]} if days else {}


@LENGTHS.add("A long period of zone_visitors is answered.", decides="how long the pieces of a period may be")
def _long_period_accepted(seen: Seen) -> Judgement:
    for name in (RANGE, RANGE_BY_DAY):
        expect_accepted(seen, name)
    return holds(f"{length_of(seen.course.range)} days are answered, by days and as one total")


def _visited(rows: list[Row]) -> list[date]:
    return sorted({row.day for row in rows if row.day is not None and row.count("visits")})


def _begin_late(seen: Seen, rows: list[Row]) -> bool:
    days = _visited(rows)
    return not days or (days[0] - seen.course.range[0]).days >= _QUIET_DAYS


def _is_cut(seen: Seen, rows: list[Row]) -> bool:
    """Tell whether days of the range are missing in which somebody came."""
    if _begin_late(seen, rows) and FIRST_DAYS in seen.heard and total(seen.grouped(FIRST_DAYS), "visits"):
        return True
    return bool(total(seen.grouped("visits by day"), "visits")) and not _of_week(seen, rows)


def _of_week(seen: Seen, rows: list[Row]) -> list[Row]:
    first, last = seen.course.week
    return [row for row in rows if row.day is not None and first <= row.day <= last]


@LENGTHS.add(
    "A long period is answered whole, not its last or first days only.", decides="every total of a long period"
)
def _long_period_whole(seen: Seen) -> Judgement:
    days, whole = seen.grouped(RANGE_BY_DAY), seen.counting("visits", RANGE)
    first, last = seen.course.range
    told, summed = (add_up(rows, "visits", ("zone",)) for rows in (whole, days))
    figures = f"{told.total():,} in all, {summed.total():,} by days"
    if told.total() < summed.total():
        length = fitting_length(days, first, last, told.total())
        end = f": it is that of {length} days only" if length else ""
        words = f"the total of {first} to {last} is less than its days{end}"
        raise FailsError(words, figures, _limit("zone_visitors", "total", length))
    if _is_cut(seen, days) and told == summed:
        visited = _visited(days)
        need(visited, "the days do not tell their dates")
        length = (visited[-1] - visited[0]).days + 1
        words = f"asked for {length_of(seen.course.range)} days, {length} of them are answered: "
        words += f"{visited[0]} to {visited[-1]}"
        raise FailsError(words, figures, _limit("zone_visitors", "any", length))
    return holds(figures=figures)


def _not_capped(seen: Seen, unit: str) -> Judgement:
    days, whole = seen.grouped(RANGE_BY_DAY), seen.grouped(RANGE)
    need(is_so(_long_period_whole, seen), "long periods are not answered whole, whatever their rows")
    rows, expected = days, total(whole, "visits")
    if unit == "hour":
        need(total(days, "visits") >= expected, "answers by days are cut, so there is nothing to hold hours against")
        rows, last = seen.grouped("visits by hour alone"), seen.course.range[1]
        expected = total([row for row in days if row.day and (last - row.day).days < HOURS_DAYS], "visits")
    found = total(rows, "visits")
    figures = f"{found:,} visits in {len(rows):,} rows, of {expected:,}"
    # Other places may have more zones and be open at night: in so many days all rows fit in, at any of them.
    length = max(1, len(rows) // (seen.course.most_zones * _ROWS_A_DAY[unit]))
    learned = _limit("zone_visitors", unit, length, len(rows)) if rows else {}
    words = f"a long answer by {unit}s ends after {len(rows)} rows, and does not say so"
    expect(found >= expected, words, figures, learned)
    return holds(figures=figures)


for _unit in ("day", "hour"):
    LENGTHS.add(
        f"An answer by {_unit}s has as many rows as it takes.",
        name=f"rows_not_capped_by_{_unit}",
        decides="how many rows the pieces of a period may have",
        given={"unit": _unit},
    )(_not_capped)


@LENGTHS.add(
    "A day has the same figures in a long answer as in a short one.",
    decides="whether pieces of a period may be put together",
)
def _days_alike_in_long_answers(seen: Seen) -> None:
    rows, week = _of_week(seen, seen.grouped(RANGE_BY_DAY)), seen.grouped("visits by day")
    need(total(week, "visits"), "there was nobody to count in these days")
    need(rows, "the long answer does not have these days")
    for figure in ("visits", "unique_visits", "bounce", "n"):
        told, alone = (add_up(some, figure, ("zone", "day")) for some in (rows, week))
        expect(told == alone, f"{figure} of a day differ in a long and in a short answer")


@LENGTHS.add(
    f"A URL of {MAX_URL_BYTES:,} bytes is taken.",
    decides="how many ids one request may name",
    rests_on=("lists_honoured",),
)
def _long_url_taken(seen: Seen) -> None:
    found, long = seen.status_of(_LONG_URL), f"a URL of {MAX_URL_BYTES:,} bytes is"
    if found.is_refused:
        taken = max((size for size, name in _URLS.items() if name in seen.heard and seen.heard[name].is_ok), default=0)
        known = f"; {taken:,} bytes are taken" if taken else ""
        raise FailsError(f"{long} refused with {found.status}{known}", learned={"longest_url": taken} if taken else {})
    plain, told = (
        add_up([row for row in seen.grouped(name) if row.zone in seen.course.zones], "visits", ("zone",))
        for name in ("visits of the week", _LONG_URL)
    )
    need(plain.total(), "nobody was counted in the zones that it names")
    expect(plain == told, f"{long} answered otherwise than a short one")


@LENGTHS.add("Several values of one parameter are alternatives.", decides="whether one request may name several ids")
def _lists_honoured(seen: Seen) -> None:
    asked = (_LONG_URL, *_URLS.values())
    name = next((name for name in asked if name in seen.heard and seen.heard[name].is_ok), _LONG_URL)
    came = {row.zone for row in seen.counting("visits", "visits of the week")} & seen.course.zones.keys()
    told = {row.zone for row in seen.grouped(name)}
    need(len(came) > 1, "fewer than two zones of the location had visits")
    expect(came <= told, f"asked for several zones, {len(told)} of {len(came)} came")


def expect_months(seen: Seen, name: str, figure: str, zones: Collection[int | None], *, are_visits: bool) -> None:
    """
    Hold the months of a long answer against the days of the zones, wherever days are known from.

    All months must be there; with *are_visits* their counts must be near the visits, too, but for the days at the ends,
    which midnights of another clock may cut.
    """
    first, last = seen.course.range
    by = ("year", "month")
    long, told = seen.rows(name), add_up(seen.rows(name), figure, by)
    rows = [row for row in seen.counting("visits", RANGE_BY_DAY) if row.zone in zones and row.day]
    days = {row.day for row in rows}
    week = [row for row in seen.grouped("visits by day") if row.zone in zones and row.day not in days]
    came = add_up([*rows, *week], "visits", by)
    ends = add_up([row for row in rows if row.day in (first, last)], "visits", by)
    is_whole = not week
    if FIRST_DAYS in seen.heard and seen.heard[FIRST_DAYS].is_ok:  # asked where the days begin late
        is_whole = False
        early = [row for row in seen.grouped(FIRST_DAYS) if row.zone in zones]
        came[first.year, first.month] += total(early, "visits")
    need(came.total(), "there was nobody to count in these zones")
    missing = [month for month, n in came.items() if n and not told[month]]
    apart = {month: told[month] - n for month, n in came.items()}
    far = [apart[month] for month, n in came.items() if abs(apart[month]) > _MONTHS_APART * n + ends[month]]
    if missing or (are_visits and min(far, default=0) < 0):
        length = fitting_length(rows, first, last, total(long, figure)) if are_visits else None
        what = f"{len(missing)} of {len(came)} months are missing" if missing else "some months are far too low"
        known = f": it is that of {length} days only" if length else ""
        endpoint = seen.heard[name].question.endpoint
        raise FailsError(f"asked for {first} to {last}, {what}{known}", learned=_limit(endpoint, "any", length))
    if are_visits and far:
        need(is_whole, "the days that it would be held against are not answered whole themselves")
        raise FailsError(f"asked for {first} to {last}, some months are far too high")
