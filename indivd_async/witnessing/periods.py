"""Whether an answer is of the days asked for, and grouped as asked: the dates it repeats and its labels. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from ..models import Bucket
from ..models.clocks import ONE_DAY
from ..models.endpoints import DATA_ENDPOINTS
from ..models.values import LABELS, labels_of, odd_labels, place_of
from ..planning import Window
from ..planning.windows import PARENTS
from ..results import Note
from ..results.notes import word_note
from ..time_zones import is_time_zone, zone_of
from .case import FIGURES, Case, Mismatch, Sheet, Testimony

_FURTHEST = timedelta(hours=14)  # no clock is further from UTC
_QUARTER = timedelta(minutes=15)

_IsMeant = Callable[[datetime, date, bool], bool]
_LAST_MINUTE = time(23, 59)


def hold_dates(case: Case) -> Testimony:
    """Compare the dates that each period repeats with the days asked for."""
    tz = case.request.tz
    told = {sheet.period for sheet in case.sheets if sheet.rows} | {
        name for name, _, dates in case.periods if any(dates)
    }
    for name in dict.fromkeys(sheet.period for sheet in case.sheets if told and sheet.period not in told):
        yield word_note("nothing_told", period=name)
    for name, window, (start, end) in case.periods:
        if start in (None, str(window.start)) and end in (None, str(window.end)):
            continue
        verdicts = (_means(start, window.start, tz, _is_start), _means(end, window.end, tz, _is_end))
        if False in verdicts:
            yield Mismatch(f"the {name} period {window}", f"{start} to {end}", _shorter(start, end))
        elif None in verdicts:
            yield word_note("unreadable_dates", said=f"{start} to {end}")


def _shorter(start: str | None, end: str | None) -> str:
    """Advise on a service that answers fewer days than asked."""
    first, last = _read(start or ""), _read(end or "")
    days = (last.date() - first.date()).days + 1 if first and last else 0
    most = f"{{split:{days}}} asks for no more days at once" if days > 0 else "{split} asks for fewer days at once"
    return f"If the service answers short periods only, {most}, where the grouping can be cut."


def _read(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _means(text: str | None, day: date, tz: str | None, is_meant: _IsMeant) -> bool | None:
    """Tell whether *text* means an end of a period that is *day*, on some clock that may be meant; None: unclear."""
    moment = _read(str(day) if text is None else text)
    if moment is None:
        return None
    local, has_time = moment.replace(tzinfo=None), len((text or "").strip()) > len("2025-03-01")
    readings = [local]
    with suppress(OverflowError):  # at either end of the calendar, where no period is
        if moment.tzinfo is not None and tz is not None and is_time_zone(tz):
            readings.append(moment.astimezone(zone_of(tz)).replace(tzinfo=None))
        elif moment.tzinfo is not None:
            utc, most = local - (moment.utcoffset() or timedelta(0)), _FURTHEST // _QUARTER
            readings += [utc + quarters * _QUARTER for quarters in range(-most, most + 1)]
    return any(is_meant(each, day, has_time) for each in readings)


def _is_start(moment: datetime, day: date, _has_time: bool) -> bool:
    return moment == datetime.combine(day, time.min)


def _is_end(moment: datetime, day: date, has_time: bool) -> bool:
    """Tell whether *moment* is the day, its last minute, or as a moment the midnight after it."""
    if moment.time() == time.min:
        return moment.date() == day or (has_time and day < date.max and moment.date() == day + ONE_DAY)
    return moment.date() == day and moment.time() >= _LAST_MINUTE


_BIT = {name: 1 << place for place, name in enumerate(LABELS)}
_YEAR, _MONTH, _WEEK, _DAY, _WEEKDAY, _HOUR, _MINUTE = _BIT.values()
_DATE = _YEAR | _MONTH | _DAY
_ODD = 1 << len(LABELS)
#: Labels beside which months and days are of another calendar, or are held as dates.
_LOOSE = _YEAR | _WEEK | _ODD
#: A single grouping, and the labels that it may come with: those that fix it, as in the article's sample.
_MAY = {name: sum(_BIT[label] for label in PARENTS.get(name, name).split(",")) for name in LABELS}
_MAY["dayofweek"] |= _YEAR
#: The labels of a calendar and a clock; weeks and weekdays have several numberings.
_RANGES = tuple(zip(_BIT.values(), ((1, 9999), (1, 12), (0, 54), (1, 31), (0, 7), (0, 23), (0, 59)), strict=True))
_ANY_DAY = (-1, 10**9)


@lru_cache(maxsize=16384)
def _facts(bucket: Bucket) -> tuple[int, int, int]:
    """Return which labels *bucket* has, as bits, and its first and last day, as numbers like 20250301."""
    labels, mask = labels_of(bucket), 0
    year, month, week, day, *_ = labels
    for label, (bit, (least, most)) in zip(labels, _RANGES, strict=True):
        if label is not None:
            mask |= bit if least <= label <= most else bit | _ODD
    if year is None or mask & (_WEEK | _ODD) == _WEEK | _ODD:
        return (mask, *_ANY_DAY)
    if week is not None:  # whose week a day about New Year is, nobody said
        return mask, (year - 1) * 10_000 + 1226, (year + 1) * 10_000 + 106
    if month is None:
        return mask, year * 10_000, year * 10_000 + 9_999
    first = year * 10_000 + month * 100
    if day is None:
        return mask, first, first + 99
    if not mask & _ODD and day > monthrange(year, month)[1]:  # such as 29 February
        mask |= _ODD
    return mask, first + day, first + day


@lru_cache(maxsize=64)
def _masks(grouping: str) -> tuple[int, int]:
    """Return the labels that *grouping* must have and may have."""
    names = ["dayofmonth" if name == "day" else name for name in grouping.split(",") if name not in ("loc_id", "zone")]
    must = may = 0
    for name in names:
        must |= _BIT[name]
        may |= _MAY[name]
    return must, may


def _numbers(window: Window) -> tuple[int, int]:
    start, end = window.start, window.end  # formatting them would take ten times as long
    return start.year * 10_000 + start.month * 100 + start.day, end.year * 10_000 + end.month * 100 + end.day


def are_all_told(window: Window, grouping: str, buckets: Iterable[Bucket]) -> bool:
    """Tell quickly whether *buckets* lie whole in *window*, with all the labels that *grouping* may have."""
    may, (first, last) = _masks(grouping)[1], _numbers(window)
    for mask, begins, ends in map(_facts, buckets):  # noqa: SIM110 a generator costs more than all else here
        if mask != may or begins < first or ends > last:
            return False
    return True


def hold_labels(case: Case) -> Testimony:
    """Compare the days and the names of all labels with the days and the grouping asked for."""
    must, may = _masks(case.grouping)
    for sheet in case.sheets:
        window, (first, last) = sheet.window, _numbers(sheet.window)
        yield from _too_many(sheet, must)
        unknown = None if case.answer.is_plain else odd_labels(sheet.labels)
        if unknown is None and are_all_told(window, case.grouping, sheet.buckets.values()):
            continue
        facts = [(bucket, *_facts(bucket)) for bucket in sheet.buckets.values()]
        masks = {mask for _, mask, _, _ in facts}
        if strangers := [
            bucket
            for bucket, mask, begins, ends in facts
            if ends < first or begins > last or not (mask & _LOOSE or _may_be_of(bucket, window))
        ]:
            yield _outside(strangers, window)
        # The weekday of a date may stand beside it: it makes no other bucket of it.
        if others := [
            mask for mask in masks if mask & ~_ODD & ~(may | (mask & _DATE == _DATE and _WEEKDAY)) or must & ~mask
        ]:
            yield _otherwise(case, others[0])
        odd = sorted({name for labels in unknown or () for name, _ in labels})
        odd += [f"no calendar has {place_of(None, bucket)}" for bucket, mask, _, _ in facts if mask & _ODD][:1]
        if odd:
            yield word_note("odd_labels", odd=", ".join(odd))
        else:
            yield from _incomplete(window, masks, must)


def _too_many(sheet: Sheet, must: int) -> Iterator[Mismatch]:
    """Find more weeks or weekdays than there are, whatever their numbers; another clock adds a day at most."""
    window, days = sheet.window, sheet.window.days + 1
    weeks = (days + 12) // 7 + window.end.year - window.start.year  # a new year may begin one
    for name, most in (("week", weeks), ("dayofweek", days)):
        if must & _BIT[name]:
            rows = zip(sheet.rows, [label.bucket for label in sheet.labels], strict=True)
            told = {(b.year, getattr(b, name)) for row, b in rows if any(getattr(row, one, 0) for one in FIGURES)}
            if len(told) > most:
                yield Mismatch(f"rows of {window}", f"{len(told)} labels {name}")


def _may_be_of(bucket: Bucket, window: Window) -> bool:
    """Tell whether a day of *window* has the labels of *bucket*, which lack their year; of hours, or one beside it."""
    beside, month, day = int(bucket.hour is not None), bucket.month, bucket.dayofmonth
    first, last = window.start.toordinal() - beside, window.end.toordinal() + beside
    days = map(date.fromordinal, range(max(1, first), min(last, date.max.toordinal()) + 1))
    return any(month in (None, each.month) and day in (None, each.day) for each in days)


def _outside(strangers: list[Bucket], window: Window) -> Mismatch | Note:
    example = place_of(None, strangers[0])
    if all(_is_near(bucket, window) for bucket in strangers):
        return word_note("labels_elsewhere", count=len(strangers), example=example, window=window)
    return Mismatch(f"rows of {window}", f"rows of {example}")


def _is_near(bucket: Bucket, window: Window) -> bool:
    """Tell whether an hour lies no further from *window* than another clock would label it."""
    start = bucket.start()
    if start is None or bucket.hour is None:
        return False
    begin, end = datetime.combine(window.start, time.min), datetime.combine(window.end, time.max)
    return begin - _FURTHEST <= start <= end + _FURTHEST


def _otherwise(case: Case, mask: int) -> Mismatch | Note:
    name = DATA_ENDPOINTS[case.request.endpoint].grouping
    asked = f"{name} {case.grouping}"
    said = f"labels {', '.join(label for label, bit in _BIT.items() if mask & bit) or 'that name no time'}"
    return word_note("grouped_otherwise", asked=asked, said=said) if case.asked(name) is None else Mismatch(asked, said)


#: Labels, and those without which they stand for several buckets.
_NEEDS = (
    ("day", _DAY, _MINUTE | _HOUR),
    ("hour", _HOUR, _MINUTE),
    ("month", _MONTH, _MINUTE | _HOUR | _DAY),
    ("year", _YEAR, _MINUTE | _HOUR | _DAY | _MONTH | _WEEK),
)


def _incomplete(window: Window, masks: set[int], must: int) -> Iterator[Note]:
    """Find labels that do not tell what fixes them, as in the article's sample."""
    if must & (must - 1):
        return  # several groupings mean just what they say
    lacks = [
        name
        for name, bit, of in _NEEDS
        if must & of and any(not mask & bit for mask in masks) and (name != "day" or window.days > 1)
    ]
    if lacks:
        yield word_note("incomplete_labels", lacks=" and ".join(sorted(lacks)), window=window)
