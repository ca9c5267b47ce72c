"""Days as people write them on a command line."""

from __future__ import annotations

import re
from datetime import date, timedelta

from ..models.clocks import ONE_DAY

FORMS = "2025-03-01, today, yesterday, -7d, 2025-03, 2025-W10 or 2025"
_AGO = re.compile(r"-([0-9]{1,5})d")
_RELATIVE = ("today", "yesterday")
_YEAR = re.compile(r"([0-9]{4})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_WEEK = re.compile(r"([0-9]{4})-[wW]([0-9]{2})")


def is_relative(text: str) -> bool:
    """Whether *text* means another day tomorrow."""
    return text in _RELATIVE or _AGO.fullmatch(text) is not None


def read_day(text: str, *, today: date, last: bool) -> date | str:
    """
    Return the day that *text* means; of a year, month or week its first one, or the *last*.

    What looks like a date is returned as it is: the query knows better words for one that does not exist. Weeks are
    those of ISO 8601, from Monday. ValueError for anything else.

    >>> [str(read_day("2025-W10", today=date(2025, 6, 1), last=last)) for last in (False, True)]
    ['2025-03-03', '2025-03-09']
    """
    if text in _RELATIVE:
        return today if text == "today" else today - ONE_DAY
    if ago := _AGO.fullmatch(text):
        return today - timedelta(days=int(ago[1]))
    try:
        if year := _YEAR.fullmatch(text):
            return date(int(year[1]), 12, 31) if last else date(int(year[1]), 1, 1)
        if month := _MONTH.fullmatch(text):
            return _day_of_month(int(month[1]), int(month[2]), last)
        if week := _WEEK.fullmatch(text):
            return date.fromisocalendar(int(week[1]), int(week[2]), 7 if last else 1)
    except ValueError:
        raise ValueError(f"there is no {text}") from None
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return text
    raise ValueError(f"{text!r} is not a day; write {FORMS}")


def _day_of_month(year: int, month: int, last: bool) -> date:
    first = date(year, month, 1)
    if not last:
        return first
    return date(year + month // 12, month % 12 + 1, 1) - ONE_DAY
