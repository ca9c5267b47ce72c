"""Whether an answer is about the days asked for, all of them, and a comparison about its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .reading import Row, told_dates
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds, same_sums

_ECHOING = (
    ("visits by day", "current"),
    ("visits of the week", "current"),
    ("visits of two periods", "current"),
    ("visits of two periods", "comparison"),
    ("drop-in of two periods", "current"),
    ("drop-in of two periods", "comparison"),
)


def _periods_are_echoed(seen: Seen) -> Judgement:
    told = 0
    for name, part in _ECHOING:
        heard = seen.heard.get(name)
        if heard is None or not heard.is_ok:
            continue
        dates = told_dates(seen.answer(name).document, part)
        prefix = "" if part == "current" else "comparison_"
        asked = tuple(heard.question.params[f"{prefix}{end}_date"] for end in ("start", "end"))
        if dates is not None:
            told += 1
            if dates != asked:
                return fails(f"asked for {asked[0]} to {asked[1]}, an answer says {dates[0]} to {dates[1]}")
    if not told:
        raise CannotTellError("the answers do not say which days they are about")
    return holds("the answers are about the days asked for")


def _labels_lie_within(rows: list[Row], first: object, last: object) -> Judgement:
    days = sorted({row.day for row in rows if row.day is not None})
    if not days:
        raise CannotTellError("no row tells its day")
    if str(days[0]) < str(first) or str(days[-1]) > str(last):
        return fails(f"asked for {first} to {last}, rows are of {days[0]} to {days[-1]}")
    return holds("no row is of a day that was not asked for")


def _days_lie_within(seen: Seen, name: str, read: Callable[[Seen, str], list[Row]]) -> Judgement:
    return _labels_lie_within(read(seen, name), *seen.course.week)


def _last_day_is_in(seen: Seen) -> Judgement:
    """Both ends belong to a period: the last day, asked for alone, and in the week."""
    last = seen.course.week[1]
    alone = seen.visits("visits of one day, nothing else said")
    if not any(row.count("visits") for row in alone):
        raise CannotTellError("there was nobody to count on the last day")
    week = seen.visits("visits by day")
    if not any(row.day for row in week):
        raise CannotTellError("the days do not tell their dates")
    end = max(row.day for row in week if row.day is not None)
    if end < last:
        missing = f"the last {(last - end).days} days of a period are" if (last - end).days > 1 else "its last day is"
        return fails(f"{missing} missing in it, though the last has visits when asked for alone")
    return holds("the last day asked for is in the answer")


def _comparison_is_its_period(seen: Seen) -> Judgement:
    name = "visits of two periods"
    if (refused := _refusal(seen, name)) is not None:
        return refused
    params = seen.answer(name).question.params
    first, last = params["comparison_start_date"], params["comparison_end_date"]
    asked = [row for row in seen.some_visits("visits by day") if first <= str(row.day) <= last]
    if not any(row.count("visits") for row in asked):
        raise CannotTellError(
            "there was nobody to count in the days of the comparison, or they are not told by themselves"
        )
    told = seen.visits(name, "comparison")
    if not told and any(row.count("visits") for row in asked):
        return fails("a comparison was asked for, and none came")
    same, figures = same_sums(asked, told, "visits", ("zone", "day"))
    if same:
        return holds("the comparison has the rows that its days have by themselves", figures)
    return fails("the comparison has other rows than its days have by themselves", figures)


def _refusal(seen: Seen, name: str) -> Judgement | None:
    found = seen.status_of(name)
    return fails(f"a comparison is refused with {found.status}") if found.is_refused else None


def _drop_in_comparison(seen: Seen) -> Judgement:
    name = "drop-in of two periods"
    current = seen.drop_ins("drop-in by day")  # asked apart where a comparison is refused: all may be
    if (refused := _refusal(seen, name)) is not None:
        return refused
    told = seen.drop_ins(name, "comparison")
    params = seen.answer(name).question.params
    first, last = params["comparison_start_date"], params["comparison_end_date"]
    asked = [row for row in current.details if first <= str(row.day) <= last]
    if not any(row.count("enter") for row in asked):
        raise CannotTellError("nobody passed or entered in these days, or they are not told by themselves")
    if not told.details:
        return fails("a comparison was asked for, and none came")
    same, figures = same_sums(asked, told.details, "enter", ("day",))
    if same:
        return holds("the comparison has the rows that its days have by themselves", figures)
    return fails("the comparison has other rows than its days have by themselves", figures)


PERIODS = (
    Assumption(
        "period_echoed",
        "An answer is about the days asked for, and says so.",
        "startdate and enddate of six periods, beside the question",
        _periods_are_echoed,
    ),
    *(
        Assumption(
            f"{endpoint}_days_within",
            f"Rows of {endpoint} are of days asked for.",
            "the labels of a week by days",
            partial(_days_lie_within, name=name, read=read),
        )
        for endpoint, name, read in (
            ("zone_visitors", "visits by day", Seen.visits),
            ("line_crosses", "crossings by day", Seen.crossings),
            ("drop_in_rate", "drop-in by day", Seen.drop_in_rows),
        )
    ),
    Assumption(
        "last_day_included",
        "The last day asked for belongs to the period.",
        "the last day of a week, in the week and alone",
        _last_day_is_in,
        "whether pieces of a period touch or leave a gap",
    ),
    Assumption(
        "comparison_honoured",
        "A comparison has the rows that its period has by itself.",
        "the first four days of a week, as comparison and in the week",
        _comparison_is_its_period,
        rests_on=("period_echoed",),
    ),
    Assumption(
        "drop_in_comparison_honoured",
        "A comparison of drop_in_rate has the rows that its period has by itself.",
        "the first three days of a week, as comparison and in the week",
        _drop_in_comparison,
        rests_on=("period_echoed",),
    ),
)
