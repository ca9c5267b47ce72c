"""Whether an answer is of the days asked for, and grouped as asked: its dates and its labels. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import chain

from ..models import Bucket
from ..models.clocks import ONE_DAY, is_time_zone, zone_of
from ..models.values import LABELS, odd_labels, word_bucket
from ..planning import Window
from .case import Case, Difference, Side

Differences = Iterable[Difference]

# The dates that a period repeats.

_LAST_MINUTE = time(23, 59)
_FURTHEST = timedelta(hours=14)  # no clock is further from UTC


def hold_dates(case: Case) -> Differences:
    """Compare the dates that each period repeats with the days asked for."""
    found = []
    for side in case.sides:
        start, end = side.window.start, side.window.end
        said, until = side.dates
        tz = case.request.tz
        if (said is None or said == start.isoformat()) and (until is None or until == end.isoformat()):
            continue
        begins, ends = _begins(said, start, tz), _ends(until, end, tz)
        if begins and ends:
            continue
        words = f"{said} to {until}"
        if None in (begins, ends) and begins is not False and ends is not False:
            message = f"The answer gives its dates as {words!r}, which cannot be read, so they were not compared"
            found.append(Difference("", message, "unreadable_dates"))
        else:
            found.append(Difference(f"the {side.name} period {side.window}", words, advice=_shorter(said, until)))
    return found


def _shorter(said: str | None, until: str | None) -> str:
    """Advise on a service that answers fewer days than asked."""
    first, last = _read(said or ""), _read(until or "")
    days = (last.date() - first.date()).days + 1 if first and last else 0
    most = f"{{split:{days}}} asks for no more days at once" if days > 0 else "{split} asks for fewer days at once"
    return f"If the service answers short periods only, {most}, where the grouping can be cut."


def _read(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _begins(text: str | None, day: date, tz: str | None) -> bool | None:
    """Tell whether *text* means the beginning of *day*, on some clock that may be meant; None: unclear."""
    return _means(text, tz, lambda moment: moment.date() == day and moment.time() == time.min)


def _ends(text: str | None, day: date, tz: str | None) -> bool | None:
    """Tell whether *text* means the end of *day*: the day, its last minute, or as a moment the midnight after it."""
    is_day = text is None or len(text.strip()) <= len("2025-03-01")
    after = day if day == date.max or is_day else day + ONE_DAY

    def is_end(moment: datetime) -> bool:
        if moment.time() == time.min:
            return moment.date() in (day, after)
        return moment.date() == day and moment.time() >= _LAST_MINUTE

    return _means(text, tz, is_end)


def _means(text: str | None, tz: str | None, is_meant: Callable[[datetime], bool]) -> bool | None:
    if text is None:
        return True
    moment = _read(text)
    if moment is None:
        return None
    if is_meant(moment.replace(tzinfo=None)):
        return True
    if moment.tzinfo is None:
        return False
    if tz is not None and is_time_zone(tz):
        return is_meant(moment.astimezone(zone_of(tz)).replace(tzinfo=None))
    quarters = range(-int(_FURTHEST / timedelta(minutes=15)), int(_FURTHEST / timedelta(minutes=15)) + 1)
    utc = moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta(0))
    return any(is_meant(utc + timedelta(minutes=15 * quarter)) for quarter in quarters)


# Labels.

_BIT = {name: 1 << place for place, name in enumerate(LABELS)}
_YEAR, _MONTH, _WEEK, _DAY, _WEEKDAY, _HOUR, _MINUTE = _BIT.values()
_ODD = 1 << len(LABELS)
_NAMES = {"day": "dayofmonth"}
#: What a single grouping may come with: the labels that fix it, as in the article's sample.
_PARENTS = {
    "year": _YEAR,
    "month": _YEAR | _MONTH,
    "week": _YEAR | _WEEK,
    "dayofmonth": _YEAR | _MONTH | _DAY,
    "dayofweek": _YEAR | _WEEKDAY,
    "hour": _YEAR | _MONTH | _DAY | _HOUR,
    "minute": _YEAR | _MONTH | _DAY | _HOUR | _MINUTE,
}
#: The labels of a calendar and a clock; weeks and weekdays have several numberings.
_RANGES = ((1, 9999), (1, 12), (0, 54), (1, 31), (0, 7), (0, 23), (0, 59))
_NO_DAY = (-1, 10**9)


@lru_cache(maxsize=16384)
def _facts(bucket: Bucket) -> tuple[int, int, int]:
    """Return which labels *bucket* has, as bits, and its first and last day, as numbers like 20250301."""
    year, month, week, day, weekday = bucket.year, bucket.month, bucket.week, bucket.dayofmonth, bucket.dayofweek
    labels = (year, month, week, day, weekday, bucket.hour, bucket.minute)
    mask, place = 0, 1
    for label, (least, most) in zip(labels, _RANGES, strict=True):
        if label is not None:
            mask |= place if least <= label <= most else place | _ODD
        place *= 2
    if year is None or mask & (_WEEK | _ODD) == _WEEK | _ODD:
        return (mask, *_NO_DAY)
    if week is not None:  # whose week a day about New Year is, nobody said
        return mask, (year - 1) * 10_000 + 1226, (year + 1) * 10_000 + 106
    if month is None or (weekday is not None and day is None):
        return mask, year * 10_000, year * 10_000 + 9_999
    first = year * 10_000 + month * 100
    return (mask, first, first + 99) if day is None else (mask, first + day, first + day)


@lru_cache(maxsize=64)
def _masks(grouping: str) -> tuple[int, int]:
    """Return the labels that *grouping* must have and may have."""
    names = [_NAMES.get(name, name) for name in grouping.split(",") if name not in ("loc_id", "zone")]
    must = may = 0
    for name in names:
        must |= _BIT[name]
        may |= _PARENTS[name]
    return must, may


def hold_labels(case: Case) -> Differences:
    """Compare the days and the names of all labels with the days and the grouping asked for."""
    found: list[Difference] = []
    must, may = _masks(case.grouping)
    for side in case.sides:
        facts = set(map(_facts, side.buckets))
        if not facts:
            continue
        masks = {mask for mask, _, _ in facts}
        window = side.window
        first, last = _number(window.start), _number(window.end)
        if min(ends for _, _, ends in facts) < first or max(begins for _, begins, _ in facts) > last:
            found += _outside(side, first, last)
        if any(mask & ~_ODD & ~may or must & ~mask for mask in masks):
            found += _otherwise(case, side, must, may)
        odd = _odd(side, masks)
        found += odd or _incomplete(window, masks, must)
    return found


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _outside(side: Side, first: int, last: int) -> Differences:
    strangers = [bucket for bucket in side.buckets if _facts(bucket)[2] < first or _facts(bucket)[1] > last]
    if all(_is_near(bucket, side.window) for bucket in strangers):
        message = (
            f"{len(strangers)} labels lie within hours of the days asked for ({_word(strangers[0])}, asked "
            f"{side.window}): they are those of another clock, such as UTC"
        )
        return [Difference("", message, "labels_elsewhere")]
    return [Difference(f"rows of {side.window}", f"rows of {_word(strangers[0])}")]


def _is_near(bucket: Bucket, window: Window) -> bool:
    """Tell whether an hour lies no further from *window* than another clock would label it."""
    start = bucket.start()
    if start is None or bucket.hour is None:
        return False
    begin, end = datetime.combine(window.start, time.min), datetime.combine(window.end, time.max)
    return begin - _FURTHEST <= start <= end + _FURTHEST


def _otherwise(case: Case, side: Side, must: int, may: int) -> Differences:
    odd = next(bucket for bucket in side.buckets if _facts(bucket)[0] & ~_ODD & ~may or must & ~_facts(bucket)[0])
    said = f"labels {', '.join(_names(_facts(odd)[0])) or 'that name no time'}"
    asked = f"{case.endpoint.grouping} {case.grouping}"
    if case.is_grouping_sent:
        return [Difference(asked, said)]
    message = f"By default {asked} was expected, and the answer has {said}: it is grouped otherwise than documented"
    return [Difference("", message, "grouped_otherwise")]


def _incomplete(window: Window, masks: set[int], must: int) -> Differences:
    """Find labels that do not tell what fixes them, as in the article's sample."""
    if must & (must - 1) or not must & (_MINUTE | _HOUR | _DAY | _MONTH | _WEEK):
        return ()  # several groupings mean just what they say
    lacks = set()
    for mask in masks:
        if must & (_MINUTE | _HOUR) and not mask & _DAY and window.days > 1:
            lacks.add("day")
        if must & _MINUTE and not mask & _HOUR:
            lacks.add("hour")
        if must & (_MINUTE | _HOUR | _DAY) and not mask & _MONTH:
            lacks.add("month")
        if not mask & _YEAR:
            lacks.add("year")
    if not lacks:
        return ()
    message = (
        f"Labels do not tell their {' and '.join(sorted(lacks))}: where {window} has several, one row holds what "
        "belongs to several buckets"
    )
    return [Difference("", message, "incomplete_labels")]


def _odd(side: Side, masks: set[int]) -> list[Difference]:
    found = []
    if any(mask & _ODD for mask in masks):
        bucket = next(bucket for bucket in side.buckets if _facts(bucket)[0] & _ODD)
        found.append(Difference("", f"No calendar has {_word(bucket)}: it is numbered otherwise", "odd_labels"))
    names = {name for _, _, rows in side.sheets for name, _ in chain.from_iterable(odd_labels(rows) or ())}
    if names:
        message = f"Labels {', '.join(sorted(names))} are not documented; they are in `extra`, and tell rows apart"
        found.append(Difference("", message, "odd_labels"))
    return found


def _names(mask: int) -> list[str]:
    return [name for name, bit in _BIT.items() if mask & bit]


def _word(bucket: Bucket) -> str:
    return word_bucket(bucket)
