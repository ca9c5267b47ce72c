"""
What a service turned out to be like, where its documentation is silent: a value that `indivd verify` writes.

A `Profile` holds no token, no name and no figure of a customer: only how weeks and weekdays are numbered, which clock
an endpoint has, which limits there are and which shape answers have. What is not known is None, and nothing is then
assumed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import attrs

from .fielded import Fielded
from .refusals import ConfigError
from .settings import PATH, TRUE_OR_FALSE, Rule, check, is_at_least, is_kind, is_one_of, must_be
from .time_zones import is_time_zone

_JSON_VERSION = 1
_ONE_DAY = timedelta(days=1)


def _counted_from(first_weekday: int, *, first_week: int) -> Callable[[date], tuple[int, int]]:
    """Number the weeks of a calendar year; days before the first whole one are in week *first_week*."""

    def number(day: date) -> tuple[int, int]:
        into_week = (day.weekday() - first_weekday) % 7
        whole = (day.timetuple().tm_yday + 6 - into_week) // 7
        begins_whole = (date(day.year, 1, 1).weekday() - first_weekday) % 7 == 0
        return day.year, whole + (first_week if not begins_whole else 0)

    return number


def _iso(day: date) -> tuple[int, int]:
    year, week, _ = day.isocalendar()
    return year, week


#: Numbering of weeks, by name: from a day to the year and the week of its label.
WEEKS: Mapping[str, Callable[[date], tuple[int, int]]] = {
    "iso": _iso,
    # Seen where a year and an ISO week are formatted apart: 29 December 2025 becomes week 1 of 2025.
    "iso-calendar-year": lambda day: (day.year, _iso(day)[1]),
    "sunday-0": _counted_from(6, first_week=0),  # MongoDB's $week
    "monday-0": _counted_from(0, first_week=0),
    "sunday-1": _counted_from(6, first_week=1),
    "monday-1": _counted_from(0, first_week=1),
    "from-1-january": lambda day: (day.year, (day.timetuple().tm_yday + 6) // 7),
}
#: Numbering of weekdays, by name: from a day to its label.
WEEKDAYS: Mapping[str, Callable[[date], int]] = {
    "sunday-1": lambda day: day.isoweekday() % 7 + 1,  # MongoDB's $dayOfWeek
    "monday-1": date.isoweekday,
    "sunday-0": lambda day: day.isoweekday() % 7,
    "monday-0": date.weekday,
}


@lru_cache(maxsize=256)
def _week_starts(numbering: str, year: int) -> Mapping[int, date | None]:
    days: dict[int, list[date]] = {}
    before = date(year, 1, 1) - 7 * _ONE_DAY
    for number in range(385):
        day = before + number * _ONE_DAY
        told, week = WEEKS[numbering](day)
        if told == year:
            days.setdefault(week, []).append(day)
    return {week: found[0] if (found[-1] - found[0]).days < 7 else None for week, found in days.items()}


def _unless_none(rule: Rule) -> Any:
    return attrs.field(default=None, validator=attrs.validators.optional(must_be(rule)))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Numbering(Fielded):
    """How weeks (`WEEKS`) and weekdays (`WEEKDAYS`) are numbered; None where that is not known."""

    weeks: str | None = _unless_none(is_one_of(WEEKS))
    """A name in `WEEKS`; None where it is not known."""
    weekdays: str | None = _unless_none(is_one_of(WEEKDAYS))
    """A name in `WEEKDAYS`; None where it is not known."""

    def week_start(self, year: int | None, week: int) -> date | None:
        """
        Return the first day of a week; None where there is no such week, or the label stands for two weeks of a year.

        None, too, where numbering or year is not known. A week that is cut at New Year begins on 1 January.

        >>> Numbering(weeks="iso").week_start(2026, 1), Numbering(weeks="sunday-0").week_start(2026, 0)
        (datetime.date(2025, 12, 29), datetime.date(2026, 1, 1))
        """
        if self.weeks is None or year is None or not 1 < year < 9999:
            return None
        return _week_starts(self.weeks, year).get(week)

    def weekday(self, label: int) -> int | None:
        """
        Return the weekday of a label as ISO 8601 has it, 1 for Monday; None where it is not known.

        >>> Numbering(weekdays="sunday-1").weekday(2)
        1
        """
        if self.weekdays is None:
            return None
        number = WEEKDAYS[self.weekdays]
        monday = date(2024, 1, 1)
        return next((k + 1 for k in range(7) if number(monday + k * _ONE_DAY) == label), None)


#: Units of a grouping, the finest counts; sums of a whole period, and whatever is asked.
UNITS = ("minute", "hour", "day", "week", "month", "year", "total", "any")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MostDays(Fielded):
    """The longest period that one request of *endpoint* answers whole, by the *unit* of its grouping."""

    endpoint: str = attrs.field(validator=must_be(is_one_of(("line_crosses", "zone_visitors", "drop_in_rate"))))
    """The endpoint."""
    unit: str = attrs.field(validator=must_be(is_one_of(UNITS)))
    """minute, hour, day, week, month, year; "total" for sums of a whole period; "any"."""
    days: int = attrs.field(validator=must_be(is_at_least(1)))
    """Days a request at most."""
    rows: int | None = _unless_none(is_at_least(1))
    """Rows an answer at most, where that is what was met: the days are then those of one location."""


_CLOCK: Rule = (lambda clock: clock == "location" or is_time_zone(clock), "an IANA time zone name, or location")
_TEXT = is_kind(str, "a str")
_LIMITS = (
    lambda limits: isinstance(limits, tuple) and all(isinstance(limit, MostDays) for limit in limits),
    "a tuple of MostDays",
)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Profile(Fielded):
    """How one service behaves, where its documentation is silent: what `indivd verify` wrote. None is: not known."""

    numbering: Numbering = attrs.field(default=Numbering(), validator=must_be(is_kind(Numbering, "a Numbering")))
    """How weeks and weekdays are numbered."""
    line_crosses_tz: str | None = _unless_none(_CLOCK)
    """The clock of line_crosses: an IANA name, or "location" for each location's own; None where it is not known."""
    drop_in_rate_tz: str | None = _unless_none(_CLOCK)
    """The clock of drop_in_rate without `tz`: an IANA name, or "location"; None where it is not known."""
    most_days: tuple[MostDays, ...] = attrs.field(default=(), validator=must_be(_LIMITS))
    """Limits that were met; none of an endpoint and unit means none was met."""
    longest_url: int | None = _unless_none(is_at_least(500))
    """Bytes of the longest URL that was answered, where a longer one was not."""
    hours_carry_dates: bool | None = _unless_none(TRUE_OR_FALSE)
    """Whether zone_visitors by hour alone tells the dates, too."""
    labels_carry_parents: bool | None = _unless_none(TRUE_OR_FALSE)
    """Whether zone_visitors by one label alone tells those above it, as days their month and year."""
    quiet_hours: str | None = _unless_none(_TEXT)
    """Hours without a visit: "absent", "zeros" or "mixed"."""
    passing_lines_shared: bool | None = _unless_none(TRUE_OR_FALSE)
    """Whether two zones of a location count the same passers-by."""
    dwell_counts: str | None = _unless_none(_TEXT)
    """What dwell_time_stats.n counts: "visits" or "visitors"."""
    learned_on: str | None = _unless_none(_TEXT)
    """The day that it was learned on, yyyy-mm-dd."""

    def days_at_most(self, endpoint: str, unit: str) -> int | None:
        """Return the longest period of one request, in days, where a limit is known."""
        known = [limit.days for limit in self.most_days if limit.endpoint == endpoint and limit.unit in (unit, "any")]
        return min(known, default=None)

    def for_locations(self, count: int) -> Profile:
        """Return what holds where a request is about *count* locations: a limit of rows is met in fewer days."""
        if count < 2 or not any(limit.rows for limit in self.most_days):
            return self
        limits = [
            attrs.evolve(limit, days=max(1, limit.days // count)) if limit.rows else limit for limit in self.most_days
        ]
        return attrs.evolve(self, most_days=tuple(limits))

    def rows_at_most(self, endpoint: str, unit: str | None) -> int | None:
        """Return the most rows of one answer by *unit*, where such a limit is known."""
        return next((m.rows for m in self.most_days if m.rows and (m.endpoint, m.unit) == (endpoint, unit)), None)

    def clock_of(self, endpoint: str, tz: str | None) -> str | None:
        """Return the clock of an endpoint's labels at a location whose time zone is *tz*; None where not known."""
        clock = {"line_crosses": self.line_crosses_tz, "drop_in_rate": self.drop_in_rate_tz}.get(endpoint)
        return tz if clock == "location" else clock

    def to_json(self) -> str:
        """Write the profile as JSON, a field a line."""
        return json.dumps({"version": _JSON_VERSION, **attrs.asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read what `to_json` wrote; ConfigError where the text is not that."""
        try:
            document: dict[str, Any] = json.loads(text)
            version = document.pop("version")
            if version == _JSON_VERSION:
                numbering = Numbering(**document.pop("numbering", {}))
                limits = tuple(MostDays(**limit) for limit in document.pop("most_days", ()))
                return cls(numbering=numbering, most_days=limits, **document)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise ConfigError(f"{{profile}}: this is not what `indivd verify` writes: {error}") from None
        told = f"it is of version {version}, and this library reads {_JSON_VERSION}"
        raise ConfigError(f"{{profile}}: {told}; let `indivd verify` write it anew")


#: Of a service that nobody measured.
NOTHING_KNOWN = Profile()


def read_profile(given: Profile | str | os.PathLike[str] | None) -> Profile | None:
    """Take a profile, or read it from the path *given*, or else from the one in INDIVD_PROFILE; None without any."""
    if given is None:
        given = os.environ.get("INDIVD_PROFILE") or None
    if given is None or isinstance(given, Profile):
        return given
    check("profile", given, (PATH[0], "a Profile, or the path of one"))
    try:
        with open(given, encoding="utf-8-sig") as file:  # some editors write a mark first
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{{profile}}: {os.fspath(given)} cannot be read: {error}") from None
    return Profile.from_json(text)
