"""What only `--deep` asks: default groupings, limits that the article names, minutes, another New Year."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from ..models.endpoints import DATA_ENDPOINTS
from .course import BY_DAY, Course, drop_ins, lines, part_of, visits
from .numbering import OTHER_YEAR_DAYS, OTHER_YEAR_WEEKS, fitting_weekdays, fitting_weeks, numberings_of_visits
from .questions import Question
from .reading import Row, add_up
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds, total

#: A floor that no building has.
_NO_FLOOR = 999
_ASKS = {"zone_visitors": visits, "line_crosses": lines, "drop_in_rate": drop_ins}
#: The lengths, in days, that default groupings change at.
_LENGTHS = (31, 32, 365)
#: What rows of a grouping have as their finest label.
_FINEST = {"hour": "hour", "dayofmonth": "dayofmonth", "day": "dayofmonth", "week": "week", "month": "month"}


def _default_name(endpoint: str, days: int) -> str:
    return f"{endpoint} of {days} days, nothing else said"


def deep_questions(course: Course, organizations: Sequence[int]) -> dict[str, Question]:
    """Lay out the questions of a deep run, beyond the usual."""
    return dict(_deep_questions(course, organizations))


def _deep_questions(course: Course, organizations: Sequence[int]) -> Iterator[tuple[str, Question]]:
    first, last = course.range
    length = (last - first).days + 1
    for endpoint, ask in _ASKS.items():
        for days in _LENGTHS:
            if days <= length:
                yield _default_name(endpoint, days), ask(course, part_of(course.range, -days, -1), None)
    week = course.week
    yield "crossings by weekday", lines(course, week, "dayofweek")
    yield "crossings of eight days by hour", lines(course, (week[0] - timedelta(days=1), week[1]), "hour")
    yield "crossings of four days by minute", lines(course, part_of(week, -4, -1), "minute")
    yield "crossings of a day by minute", lines(course, part_of(week, -1, -1), "minute")
    yield "visits of a day by minute", visits(course, part_of(week, -1, -1), "minute")
    yield "crossings on no floor", lines(course, week, "dayofmonth", floor=_NO_FLOOR)
    for id in organizations:
        yield f"crossings of organisation {id}", lines(course, week, "dayofmonth", organization=id)
    other = _another_new_year(course)
    yield OTHER_YEAR_WEEKS, visits(course, other, "week")
    yield OTHER_YEAR_DAYS, visits(course, other, BY_DAY)
    yield "crossings by week over a New Year", lines(course, course.new_year, "week")
    old = course.new_year[0], date(course.new_year[0].year, 12, 31)
    yield "crossings by week in December", lines(course, old, "week")
    yield "crossings by day in December", lines(course, old, "dayofmonth")
    yield "drop-in by week around New Year", drop_ins(course, course.new_year, "week")
    yield "drop-in by day around New Year", drop_ins(course, course.new_year, "day")


def _another_new_year(course: Course) -> tuple[date, date]:
    first, last = course.new_year
    return first.replace(year=first.year - 1), last.replace(year=last.year - 1)


def _defaults_are_documented(seen: Seen, endpoint: str) -> Judgement:
    if not any(heard.is_ok for heard in seen.heard.values() if heard.question.endpoint == endpoint):
        raise CannotTellError(f"no question to {endpoint} was answered")
    told = 0
    for days in _LENGTHS:
        name = _default_name(endpoint, days)
        if name not in seen.heard:
            continue
        if (found := seen.status_of(name)).is_refused:
            return fails(f"{days} days without a grouping are refused with {found.status}")
        expected = next(grouping for most, grouping in DATA_ENDPOINTS[endpoint].defaults if days <= most)
        rows = _rows_of(seen, name, endpoint)
        if not rows:
            continue
        told += 1
        labels = set(rows[0].labels)
        finest = next((label for label in ("hour", "dayofmonth", "week", "month") if label in labels), "no label")
        if finest != _FINEST[expected]:
            return fails(f"{days} days come by {finest} where no grouping is named, not by {expected}")
    if not told:
        raise CannotTellError("there was nobody to count in these periods, or they are longer than --days")
    return holds("days, weeks and months come where the article says")


def _rows_of(seen: Seen, name: str, endpoint: str) -> list[Row]:
    if endpoint == "zone_visitors":
        return seen.any_visits(name)
    return seen.crossings(name) if endpoint == "line_crosses" else seen.drop_ins(name).details


def _weekdays_of_lines(seen: Seen) -> Judgement:
    days, told = seen.crossings("crossings by day"), seen.crossings("crossings by weekday")
    return _same_numbering(seen, days, told, "weekdays", "count")


def _weeks_of_lines(seen: Seen) -> Judgement:
    days, told = seen.crossings("crossings by day in December"), seen.crossings("crossings by week in December")
    return _same_numbering(seen, days, told, "weeks", "count")


def _weeks_of_drop_in(seen: Seen) -> Judgement:
    days, told = (seen.drop_ins(f"drop-in by {unit} around New Year").details for unit in ("day", "week"))
    return _same_numbering(seen, days, told, "weeks", "enter")


def _same_numbering(seen: Seen, days: list[Row], told: list[Row], what: str, figure: str) -> Judgement:
    usual = numberings_of_visits(seen, what)
    if not total(add_up(told, figure)):
        raise CannotTellError("there was nobody to count in these days")
    if not usual:
        raise CannotTellError(f"the {what} of zone_visitors have no numbering that is known")
    fitting = (fitting_weeks if what == "weeks" else fitting_weekdays)(days, told, figure)
    if set(usual) & set(fitting):
        return holds(f"{what} are numbered as those of zone_visitors are")
    return fails(f"{what} are not numbered as those of zone_visitors are")


def _is_refused(seen: Seen, names: tuple[str, ...], what: str) -> Judgement:
    seen.answer("crossings by day")  # a service that refuses everything has no limits that could be told
    for name in names:
        found = seen.status_of(name)
        if not found.is_ok and (not found.is_refused or found.status == 404):
            raise CannotTellError(f"the question for {name} was {found.problem}")
        if found.is_ok:
            return fails(f"{what} are answered all the same, so longer pieces would do")
    return holds(f"{what} are refused, as the article says")


def _nobody_is_an_empty_answer(seen: Seen) -> Judgement:
    if not total(add_up(seen.crossings("crossings by day"), "count")):
        raise CannotTellError("the answer is empty without a filter, too")
    found = seen.status_of("crossings on no floor")
    if found.may_pass:
        raise CannotTellError(f"the question for it was {found.problem}")
    if found.status != 200:
        return fails(f"where nothing matches, the answer is {found.status}, not an empty one")
    if found.problem:
        return fails(f"where nothing matches, the question was {found.problem}")
    if total(add_up(seen.crossings("crossings on no floor"), "count")):
        return fails("a floor that there is not has crossings")
    return holds("where nothing matches, the answer is 200 and empty")


def _organizations_are_honoured(seen: Seen) -> Judgement:
    names = [name for name in seen.heard if name.startswith("crossings of organisation ")]
    if len(names) < 2:
        raise CannotTellError("the token spans one organisation only")
    whole_count = total(add_up(seen.crossings("crossings by day"), "count"))
    if not whole_count:
        raise CannotTellError("no line was crossed in these days")
    counts = [total(add_up(seen.crossings(name), "count")) for name in names if not seen.status_of(name).is_refused]
    if sum(counts) == whole_count:
        return holds("of all organisations one has the location's crossings")
    return fails("asked for several organisations one after the other, the location's crossings come more than once")


def _minutes_are_minutes(seen: Seen, name: str, endpoint: str) -> Judgement:
    rows = _rows_of(seen, name, endpoint)
    minutes = {row.labels.get("minute") for row in rows}
    if not rows:
        raise CannotTellError("there was nobody to count on this day")
    if None in minutes:
        return fails(f"minutes come as {', '.join(rows[0].names) or 'nothing'}")
    if len(minutes) < 2:
        return fails("all rows by minute are of one minute of the hour: the data is kept by hours")
    return holds("rows by minute are of many minutes")


#: What must hold before these can be told to fail.
_RESTS_ON = {
    "zone_visitors_defaults": ("long_period_accepted", "long_period_whole"),
    "line_crosses_defaults": ("line_long_period_whole",),
    "drop_in_rate_defaults": ("drop_in_long_period_whole",),
    "line_weekdays_numbered": ("line_long_period_whole",),
    "line_weeks_numbered": ("line_long_period_whole",),
    "drop_in_weeks_numbered": ("drop_in_long_period_whole", "entries_add_up_over_zones"),
    "nobody_is_empty": ("line_floor_honoured",),
}


def _deep(name: str, sentence: str, decides: str, measured: str, check: Any) -> Assumption:
    return Assumption(
        name=name,
        sentence=sentence,
        decides=decides,
        measured=measured,
        check=check,
        rests_on=_RESTS_ON.get(name, ()),
        is_deep=True,
    )


DEEPER = (
    *(
        _deep(
            f"{endpoint}_defaults",
            f"{endpoint} groups as the article says where no grouping is named.",
            "what a question without a grouping means",
            "periods of 31, 32 and 365 days without a grouping",
            partial(_defaults_are_documented, endpoint=endpoint),
        )
        for endpoint in _ASKS
    ),
    _deep(
        "line_weekdays_numbered",
        "line_crosses numbers weekdays as zone_visitors does.",
        "whether one profile serves both",
        "a week of crossings by weekday, fitted to its days",
        _weekdays_of_lines,
    ),
    _deep(
        "line_weeks_numbered",
        "line_crosses numbers weeks as zone_visitors does.",
        "whether one profile serves both",
        "December's crossings by week, fitted to its days",
        _weeks_of_lines,
    ),
    _deep(
        "drop_in_weeks_numbered",
        "drop_in_rate numbers weeks as zone_visitors does.",
        "whether one profile serves both",
        "weeks around New Year, fitted to their days",
        _weeks_of_drop_in,
    ),
    _deep(
        "line_limits_are_real",
        "line_crosses refuses more than 7 days of hours and 3 days of minutes.",
        "how many requests such a question takes",
        "eight days by hour, four days by minute",
        partial(
            _is_refused,
            names=("crossings of eight days by hour", "crossings of four days by minute"),
            what="eight days by hour and four by minute",
        ),
    ),
    _deep(
        "line_weeks_within_a_year",
        "line_crosses refuses weeks over a New Year.",
        "how many requests such a question takes",
        "a month around New Year by week",
        partial(_is_refused, names=("crossings by week over a New Year",), what="weeks over a New Year"),
    ),
    _deep(
        "nobody_is_empty",
        "Where nothing matches, the answer is 200 and empty.",
        "whether nobody and an error are told apart",
        "crossings on a floor that there is not",
        _nobody_is_an_empty_answer,
    ),
    _deep(
        "line_organization_honoured",
        "organization of line_crosses counts the lines of the organisation only.",
        "whether the figures are those that were asked for",
        "the location's crossings, for one organisation after the other",
        _organizations_are_honoured,
    ),
    _deep(
        "line_minutes",
        "line_crosses by minute tells minutes.",
        "whether minutes may be asked for",
        "a day of crossings by minute",
        partial(_minutes_are_minutes, name="crossings of a day by minute", endpoint="line_crosses"),
    ),
    _deep(
        "zone_minutes",
        "zone_visitors by minute tells minutes.",
        "whether minutes may be asked for: elsewhere it is said that zones are kept by hours",
        "a day of visits by minute",
        partial(_minutes_are_minutes, name="visits of a day by minute", endpoint="zone_visitors"),
    ),
)
