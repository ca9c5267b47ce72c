"""Which clock labels are on, found by laying hours beside hours whose clock is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ..time_zones import zone_of
from .reading import Row, add_up
from .seen import CannotTellError, FailsError, Judgement, Seen, Table, expect, holds, need

CLOCKS = Table()
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

#: What was counted in each hour, on the clock of its labels.
Hours = Counter[datetime]


def _hours_of(rows: list[Row], figure: str) -> Hours:
    hours: Hours = add_up([row for row in rows if row.moment is not None], figure, ("moment",))
    need(hours or not rows, "the hours do not tell their dates")
    return hours


def _two_clocks(seen: Seen, zone: int | None = None) -> tuple[str, Hours, Hours]:
    """Return the location's time zone, and the hours of a zone, or of all, on that clock and on UTC."""
    tz = seen.course.tz
    if tz is None:
        raise CannotTellError("the location has no time zone that is known")
    local, utc = (
        _hours_of([row for row in seen.counting("visits", name) if zone in (None, row.zone)], "visits")
        for name in ("visits by hour", "visits by hour of UTC")
    )
    return tz, local, utc


def _known_hours(seen: Seen) -> dict[str, Hours]:
    """Lay out the hours of the zone that most questions are about, on each clock that is tried."""
    tz, local, utc = _two_clocks(seen, seen.course.zone)
    need(local != utc, "the location's clock and UTC show the same hours in these days, or tz is ignored")
    home = _on_clock(utc, _HOME_TZ)
    return {tz: local, "UTC": utc} | ({} if home == local else {_HOME_TZ: home})


def _on_clock(utc: Hours, tz: str) -> Hours:
    """Give hours of UTC the labels of another clock: where that is not whole hours apart, those that are nearest."""
    moved = Hours()
    for moment, n in utc.items():
        middle = moment.replace(minute=30, tzinfo=UTC).astimezone(zone_of(tz))
        moved[middle.replace(minute=0, tzinfo=None)] += n
    return moved


def _fit(series: Hours, known: Mapping[str, Hours]) -> tuple[str | None, str]:
    """
    Name the clock that *series* is on, of *known* the one whose hours it fits clearly better than all others; or none.

    Also says how far it is from each.
    """
    need(series.total() >= _LEAST, "too few were counted to fit clocks")
    apart = {name: _distance(series, hours) for name, hours in known.items()}
    best, *others = sorted(apart, key=apart.__getitem__)
    figures = ", ".join(f"{name} {share:.0%} apart" for name, share in apart.items())
    if apart[best] > _MOST_APART:
        return None, figures
    for other in others:
        need(apart[other] >= max(apart[best] * _CLEARLY, 0.05), f"{best} and {other} fit alike in these days")
    return best, figures


def _distance(series: Hours, other: Hours) -> float:
    """Return how far apart two series are, 0 to 1."""
    # The first and the last day are cut by midnights of different clocks.
    inner = set(sorted({moment.date() for moment in {**series, **other}})[1:-1])
    own, theirs = (
        Hours({moment: n for moment, n in hours.items() if moment.date() in inner}) for hours in (series, other)
    )
    scale = own.total() / max(1, theirs.total())
    return sum(abs(own[moment] - scale * theirs[moment]) for moment in {**own, **theirs}) / max(1, 2 * own.total())


def _carry_dates(seen: Seen, name: str) -> Judgement:
    rows = seen.rows(name)
    need(rows, "there was nobody to count in these days")
    missing = ", ".join(sorted({label for row in rows for label in _DATED - set(row.labels)}))
    learned = {"hours_carry_dates": not missing} if name == "visits by hour alone" else {}
    expect(not missing, f"hours come without their {missing}", learned=learned)
    return holds(learned=learned)


@CLOCKS.add("Hours are numbered from 0 to 23.", decides="which hour a row is of")
def _hours_numbered(seen: Seen) -> None:
    rows = seen.rows("visits by hour") + seen.rows("crossings into the zone by hour")
    hours = {row.labels["hour"] for row in rows if "hour" in row.labels}
    need(hours, "no hour came")
    expect(min(hours) >= 0 and max(hours) <= 23, "hours are not numbered from 0 to 23")


for _name, _endpoint, _question in (
    ("hours_carry_dates", "zone_visitors", "visits by hour alone"),
    ("line_hours_carry_dates", "line_crosses", "crossings into the zone by hour"),
    ("drop_in_hours_carry_dates", "drop_in_rate", "drop-in of the zone by hour"),
):
    CLOCKS.add(
        f"{_endpoint} by hour tells the dates of the hours, too.",
        name=_name,
        decides="whether hours of different days stay apart",
        given={"name": _question},
    )(_carry_dates)


@CLOCKS.add(
    "zone_visitors labels its hours on the clock that tz names.",
    decides="hours and days of locations in other time zones",
)
def _tz_moves_hours(seen: Seen) -> None:
    tz, local, utc = _two_clocks(seen)
    noons = [datetime(day.year, day.month, day.day, 12, tzinfo=zone_of(tz)) for day in seen.course.week]
    offsets = [noon.utcoffset() or timedelta(0) for noon in noons]
    need(any(offsets), "the location's clock is UTC in these days")
    expect(local != utc, "asked on two clocks, the answer is the same: tz is ignored")
    moved = _on_clock(utc, tz)
    if any(offset % _HOUR for offset in offsets):  # a quarter or a half of each hour is in the one beside it
        clock, _ = _fit(local, {tz: moved, "UTC": utc})
        need(clock, "the hours of the two clocks lie across each other, and fit too little to be told apart")
        is_same = clock == tz
    else:
        is_same = not _distance(local, moved)
    expect(is_same, "asked on two clocks, the visits are not those of the same hours")


@CLOCKS.add(
    "drop_in_rate without tz is on one clock that can be told.",
    name="clock_of_drop_in_rate",
    decides="which instant an hour of drop_in_rate is",
    given={"endpoint": "drop_in_rate"},
)
@CLOCKS.add(
    "line_crosses is on one clock that can be told.",
    name="clock_of_line_crosses",
    decides="which instant an hour of line_crosses is, and which day a night belongs to",
    given={"endpoint": "line_crosses"},
)
def _has_one_clock(seen: Seen, endpoint: str) -> Judgement:
    if endpoint == "line_crosses":
        series = _hours_of(seen.rows("crossings into the zone by hour"), "count")
    else:
        series = _hours_of(seen.drop_ins_of_zone("drop-in of the zone by hour")[1], "enter")
    known = _known_hours(seen)
    clock, apart = _fit(series, known)
    counted, expected = series.total(), known["UTC"].total()
    if clock is None:
        words = "they fit no clock that was tried: " + ", ".join(known)
        need(abs(counted - expected) <= _SAME_PEOPLE * expected, words)
        raise FailsError(f"its hours count the zone's visits, but {words}", f"{counted:,} and {expected:,}")
    where = "the location's own clock" if clock == seen.course.tz else f"the clock of {clock}"
    learned = {f"{endpoint}_tz": "location" if clock == seen.course.tz else clock}
    return holds(f"its hours are on {where}", apart, learned)


@CLOCKS.add(
    "drop_in_rate labels its hours on the clock that tz names.", decides="whether tz may be given to drop_in_rate"
)
def _tz_moves_drop_in(seen: Seen) -> None:
    seen.drop_ins_of_zone("drop-in of the zone by hour")
    series = _hours_of(seen.drop_ins_of_zone("drop-in of the zone by hour of UTC")[1], "enter")
    clock, _ = _fit(series, _known_hours(seen))
    need(clock, "its hours fit no clock that was tried")
    expect(clock == "UTC", f"asked for UTC, its hours stay on the clock of {clock}")
