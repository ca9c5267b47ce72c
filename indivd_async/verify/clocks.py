"""Which clock labels are on, found by laying hours beside hours whose clock is known."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

from ..models.clocks import first_instant
from ..time_zones import zone_of
from .reading import Row
from .seen import Assumption, CannotTellError, Judgement, Seen, cannot_tell, fails, holds

#: Where the vendor lives: a clock that a server may be on.
_HOME_TZ = "Europe/Stockholm"
_HOUR = timedelta(hours=1)
#: Lines are not zones: so much of the two series may differ where they are the same people on the same clock …
_MOST_APART = 0.25
#: … and every other clock must fit so much worse.
_CLEARLY = 2.0
_LEAST = 20
_DATED = {"year", "month", "dayofmonth", "hour"}

#: Two counts that are closer than this share are of the same people.
_SAME_PEOPLE = 0.1

Hours = dict[datetime, int]


class NoClockError(CannotTellError):
    """Hours that fit none of the clocks that were tried."""


def hours_of(rows: list[Row], figure: str, zone: int | None) -> Hours:
    """Sum up the hours of a zone, on the clock of their labels."""
    sums: Hours = {}
    for row in rows:
        if row.hour is not None and (zone is None or row.zone == zone):
            sums[row.hour] = sums.get(row.hour, 0) + row.count(figure)
    return sums


def fit_clock(series: Hours, known: Mapping[str, Hours]) -> tuple[str, Mapping[str, float]]:
    """
    Name the clock that *series* is on: of *known*, the one whose hours it fits, clearly better than all others.

    Also returns how far it is from each, 0 to 1. Raises `CannotTellError`.
    """
    if sum(series.values()) < _LEAST:
        raise CannotTellError("too few were counted to fit clocks")
    apart = {name: _distance(series, hours) for name, hours in known.items()}
    best, *others = sorted(apart, key=apart.__getitem__)
    if apart[best] > _MOST_APART:
        raise NoClockError("they fit no clock that was tried: " + ", ".join(known))
    for other in others:
        if apart[other] < max(apart[best] * _CLEARLY, 0.05):
            raise CannotTellError(f"{best} and {other} fit alike in these days")
    return best, apart


def _distance(series: Hours, other: Hours) -> float:
    # The first and the last day are cut by midnights of different clocks.
    days = sorted({moment.date() for moment in {**series, **other}})
    inner = set(days[1:-1])
    own, theirs = ({moment: n for moment, n in hours.items() if moment.date() in inner} for hours in (series, other))
    scale = sum(own.values()) / max(1, sum(theirs.values()))
    both = sum(own.values()) * 2
    return sum(abs(own.get(moment, 0) - scale * theirs.get(moment, 0)) for moment in {**own, **theirs}) / max(1, both)


def known_hours(seen: Seen, zone: int | None) -> dict[str, Hours]:
    """Lay out the zone's hours on each clock that is tried."""
    tz = seen.course.tz
    if tz is None:
        raise CannotTellError("the location has no time zone that is known")
    local = hours_of(seen.some_visits("visits by hour"), "visits", zone)
    utc = hours_of(seen.some_visits("visits by hour of UTC"), "visits", zone)
    if not local or not utc:
        raise CannotTellError("the hours do not tell their dates")
    if local == utc:
        raise CannotTellError("the location's clock and UTC show the same hours in these days, or tz is ignored")
    known = {tz: local, "UTC": utc}
    if tz != _HOME_TZ:
        home: Hours = {}
        for moment, n in utc.items():
            there = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(_HOME_TZ)).replace(tzinfo=None)
            home[there] = home.get(there, 0) + n
        if home != local:
            known[_HOME_TZ] = home
    return known


def _judge_clock(seen: Seen, series: Hours, field: str) -> Judgement:
    known = known_hours(seen, seen.course.zone)
    counted, expected = sum(series.values()), sum(known["UTC"].values())
    try:
        clock, apart = fit_clock(series, known)
    except NoClockError as error:
        if abs(counted - expected) <= _SAME_PEOPLE * expected:
            return fails(f"its hours count the zone's visits, but {error}", f"{counted:,} and {expected:,}")
        raise
    figures = ", ".join(f"{name} {share:.0%} apart" for name, share in apart.items())
    learned = {field: "location" if clock == seen.course.tz else clock}
    where = "the location's own clock" if clock == seen.course.tz else f"the clock of {clock}"
    return holds(f"its hours are on {where}", figures, **learned)


def _clock_of_lines(seen: Seen) -> Judgement:
    rows = seen.crossings("crossings into the zone by hour")
    if rows and not any(row.hour for row in rows):
        raise CannotTellError("the hours do not tell their dates")
    return _judge_clock(seen, hours_of(rows, "count", None), "line_crosses_tz")


def _clock_of_drop_in(seen: Seen) -> Judgement:
    blocks = seen.drop_ins("drop-in of the zone by hour").zones
    zone = seen.course.zone
    if zone is None or zone not in blocks:
        raise CannotTellError("no passing lines are set up for this zone")
    return _judge_clock(seen, hours_of(blocks[zone][1], "visits", zone), "drop_in_rate_tz")


def _tz_of_drop_in(seen: Seen) -> Judgement:
    zone = seen.course.zone
    plain, moved = (
        seen.drop_ins(name).zones for name in ("drop-in of the zone by hour", "drop-in of the zone by hour of UTC")
    )
    if zone is None or zone not in plain or zone not in moved:
        raise CannotTellError("no passing lines are set up for this zone")
    known = known_hours(seen, zone)
    clock, _ = fit_clock(hours_of(moved[zone][1], "visits", zone), known)
    if clock == "UTC":
        return holds("asked for UTC, its hours are on UTC")
    return fails(f"asked for UTC, its hours stay on the clock of {clock}")


def _tz_moves_hours(seen: Seen) -> Judgement:
    tz = seen.course.tz
    if tz is None:
        raise CannotTellError("the location has no time zone that is known")
    local = hours_of(seen.some_visits("visits by hour"), "visits", None)
    utc = hours_of(seen.some_visits("visits by hour of UTC"), "visits", None)
    if not local or not utc:
        raise CannotTellError("the hours do not tell their dates")
    first, last = seen.course.week
    if all(zone_of(tz).utcoffset(datetime(day.year, day.month, day.day, 12)) == timedelta(0) for day in (first, last)):
        return cannot_tell("the location's clock is UTC in these days")
    if same_people(local, tz, utc, "UTC"):
        return holds("asked on two clocks, the same hours have the same visits")
    if local == utc:
        return fails("asked on two clocks, the answer is the same: tz is ignored")
    return fails("asked on two clocks, the visits are not those of the same hours")


def same_people(first: Hours, first_tz: str, second: Hours, second_tz: str) -> bool:
    """
    Tell whether two series on two clocks can be the same events.

    Counted up from a common moment, each must be between what the other counts at the boundaries around it: this asks
    for equality where the clocks are whole hours apart, and for all that can be asked where they are not.
    """
    steps = _counted_up(first, first_tz)
    moments = [moment for moment, _ in steps]
    low, high = float("-inf"), float("inf")
    for moment, count in _counted_up(second, second_tz):
        before, after = bisect_right(moments, moment) - 1, bisect_left(moments, moment)  # one step where it is exact
        if before >= 0 and after < len(steps):
            low, high = max(low, steps[before][1] - count), min(high, steps[after][1] - count)
    return low <= high


def _counted_up(hours: Hours, tz: str) -> list[tuple[datetime, int]]:
    """List, for the end of each hour from the first to the last, how many were counted until then."""
    if not hours:
        return []
    labels = []
    moment, last = min(hours), max(hours)
    while moment <= last:
        labels.append(moment)
        moment += _HOUR
    ends = [first_instant(label, tz).astimezone(UTC) for label in [*labels, moment]]
    counts = [0, *accumulate(hours.get(label, 0) for label in labels)]
    # Hours that a clock change skips end when they begin: the last of equal moments counts.
    return sorted(dict(zip(ends, counts, strict=True)).items())


def _default_clock_of_visits(seen: Seen) -> Judgement:
    tz = seen.course.tz
    rows = seen.some_visits("visits of one day, nothing else said")
    day = seen.course.week[1]
    if not any("hour" in row.labels for row in rows):
        raise CannotTellError("one day is not answered by hours")
    known = known_hours(seen, None)

    def of_day(hours: Hours) -> dict[int, int]:
        return {moment.hour: n for moment, n in hours.items() if moment.date() == day and n}

    told = {row.labels["hour"]: 0 for row in rows}
    for row in rows:
        told[row.labels["hour"]] += row.count("visits")
    told = {hour: n for hour, n in told.items() if n}
    if told == of_day(known[tz or ""]):
        return holds("without tz its hours are on the location's clock, as the article says")
    other = next((name for name, hours in known.items() if told == of_day(hours)), "no clock that was tried")
    return fails(f"without tz its hours are on {other}, not on the location's clock")


def _hours_carry_dates(name: str, read: Callable[[Seen], list[Row]]) -> Callable[[Seen], Judgement]:
    def check(seen: Seen) -> Judgement:
        rows = read(seen)
        if not rows:
            raise CannotTellError("there was nobody to count in these days")
        missing = ", ".join(sorted({label for row in rows for label in _DATED - set(row.labels)}))
        learned: dict[str, Any] = {"hours_carry_dates": not missing} if name == "visits" else {}
        if not missing:
            return holds("each hour tells its date", **learned)
        return fails(f"hours come without their {missing}", **learned)

    return check


def _hours_begin_at_0(seen: Seen) -> Judgement:
    hours = {row.labels["hour"] for row in seen.any_visits("visits by hour") if "hour" in row.labels}
    hours |= {row.labels["hour"] for row in seen.crossings("crossings into the zone by hour") if "hour" in row.labels}
    if not hours:
        raise CannotTellError("no hour came")
    if min(hours) < 0 or max(hours) > 23:
        return fails("hours are not numbered from 0 to 23")
    return holds("no hour is beyond 0 to 23")


CLOCKS = (
    Assumption(
        name="hours_numbered",
        sentence="Hours are numbered from 0 to 23.",
        decides="which hour a row is of",
        measured="every hour of a week, of a place that is open late",
        check=_hours_begin_at_0,
    ),
    Assumption(
        name="hours_carry_dates",
        sentence="zone_visitors by hour tells the dates of the hours, too.",
        decides="whether hours of different days stay apart",
        measured="several days by hour alone: which labels come",
        check=_hours_carry_dates("visits", lambda seen: seen.any_visits("visits by hour alone")),
    ),
    Assumption(
        name="line_hours_carry_dates",
        sentence="line_crosses by hour tells the dates of the hours, too.",
        decides="whether hours of different days stay apart",
        measured="a week by hour: which labels come",
        check=_hours_carry_dates("crossings", lambda seen: seen.crossings("crossings into the zone by hour")),
    ),
    Assumption(
        name="drop_in_hours_carry_dates",
        sentence="drop_in_rate by hour tells the dates of the hours, too.",
        decides="whether hours of different days stay apart",
        measured="a week by hour: which labels come",
        check=_hours_carry_dates("drop-in", lambda seen: seen.drop_ins("drop-in of the zone by hour").details),
    ),
    Assumption(
        name="tz_moves_hours",
        sentence="zone_visitors labels its hours on the clock that tz names.",
        decides="hours and days of locations in other time zones",
        measured="a week by hour on the location's clock and on UTC, laid over each other",
        check=_tz_moves_hours,
    ),
    Assumption(
        name="default_clock_of_visits",
        sentence="Without tz, zone_visitors is on the clock of the location.",
        decides="nothing here, tz is always sent; your own requests without it",
        measured="a day without tz, beside the same day on known clocks",
        check=_default_clock_of_visits,
        rests_on=("location_honoured",),
    ),
    Assumption(
        name="clock_of_line_crosses",
        sentence="line_crosses is on one clock that can be told.",
        decides="which instant an hour of line_crosses is, and which day a night belongs to",
        measured="entry lines of a zone by hour, fitted to the zone's visits on known clocks",
        check=_clock_of_lines,
    ),
    Assumption(
        name="clock_of_drop_in_rate",
        sentence="drop_in_rate without tz is on one clock that can be told.",
        decides="which instant an hour of drop_in_rate is",
        measured="its visits by hour, fitted to the zone's visits on known clocks",
        check=_clock_of_drop_in,
    ),
    Assumption(
        name="tz_moves_drop_in",
        sentence="drop_in_rate labels its hours on the clock that tz names.",
        decides="whether tz may be given to drop_in_rate",
        measured="a week by hour with tz=UTC, fitted to the zone's visits on known clocks",
        check=_tz_of_drop_in,
    ),
)
