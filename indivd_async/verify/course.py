"""The place and the days of a run, chosen before its first question of figures; questions about them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import attrs

from ..errors import InvalidQueryError
from ..models.clocks import last_today
from ..models.endpoints import DATA_ENDPOINTS
from ..models.places import find_called
from ..planning import PlannedRequest
from ..time_zones import is_time_zone, zone_of
from .questions import make_question, whole

#: Days of the week that most questions are about.
_WEEK = 7
#: Days before and after a New Year over which weeks are fitted: 31 with the day itself, which services that limit
#: periods still answer.
_BEFORE, _AFTER = timedelta(days=16), timedelta(days=14)

Entity = Mapping[str, Any]
Days = tuple[date, date]


@attrs.frozen(kw_only=True)
class Run:
    """When a run was made, and what `verify` was asked for."""

    made_at: datetime
    location: int
    days: int
    deep: bool

    @classmethod
    def from_dict(cls, head: Mapping[str, Any]) -> Run:
        """Read what a recording begins with; raises ValueError, KeyError or TypeError where it is something else."""
        made_at = datetime.fromisoformat(head["made_at"])
        values = head["location"], head["days"], head["deep"]
        if made_at.tzinfo is None or list(map(type, values)) != [int, int, bool]:
            raise ValueError("it does not say of which run it is")
        return cls(made_at=made_at, location=values[0], days=values[1], deep=values[2])

    @property
    def run_text(self) -> str:
        """Write it as JSON, in one line of ASCII."""
        fields = {"made_at": self.made_at.isoformat(), "location": self.location, "days": self.days, "deep": self.deep}
        return json.dumps(fields)


@attrs.frozen(kw_only=True)
class Course:
    """The place and the days of a run. All days have ended everywhere on earth."""

    location: int
    tz: str | None
    #: The zones of the location, by id.
    zones: Mapping[int, Entity]
    #: The lines of the location, by id.
    lines: Mapping[int, Entity]
    #: How many locations the token sees.
    locations: int
    #: The location of every zone that the token sees.
    homes: Mapping[int, int | None]
    #: The zone whose entries are held against lines; None where no zone is known.
    zone: int | None
    week: Days
    range: Days
    new_year: Days

    @property
    def most_zones(self) -> int:
        """How many zones the location with the most has, at least 1."""
        return max(Counter(self.homes.values()).values(), default=1)

    @property
    def floors(self) -> tuple[int, ...]:
        """The floors of the location's lines, the lowest first."""
        return tuple(sorted({floor for line in self.lines.values() if (floor := whole(line.get("floor"))) is not None}))

    @property
    def category(self) -> int | None:
        """A category that some lines of the location belong to, and others do not."""
        listed = [categories_of(line) for line in self.lines.values()]
        return next((id for ids in listed for id in ids if not all(id in others for others in listed)), None)

    @property
    def holds_new_year(self) -> bool:
        """Whether the range holds the days around New Year."""
        return self.range[0] <= self.new_year[0]

    def ask(self, endpoint: str, days: Days, by: str | None, **params: object) -> PlannedRequest:
        """Ask about the place, visits on its own clock unless told otherwise."""
        clock = {"tz": self.tz or "UTC"} if endpoint == "zone_visitors" else {}
        grouping = {DATA_ENDPOINTS[endpoint].grouping: by}
        return make_question(endpoint, {**dates_of(days), **grouping, "location": self.location, **clock, **params})


def dates_of(days: Days, prefix: str = "") -> dict[str, object]:
    """Write *days* as parameters."""
    return {f"{prefix}start_date": days[0].isoformat(), f"{prefix}end_date": days[1].isoformat()}


def length_of(days: Days) -> int:
    """Count *days*, both ends included."""
    return (days[1] - days[0]).days + 1


def part_of(days: Days, first: int, last: int) -> Days:
    """Return the days from the *first* to the *last* of *days*, counted from 0; negative ones from the end."""
    ends = [days[0 if number >= 0 else 1] + timedelta(days=number + (number < 0)) for number in (first, last)]
    return ends[0], ends[1]


def categories_of(line: Entity) -> tuple[int, ...]:
    """List the categories of a line, one or several."""
    value = line.get("category")
    many = value if isinstance(value, list) else [value]
    return tuple(read for item in many if (read := whole(item)) is not None)


def _by_id(entities: Sequence[Entity], location: int | None = None) -> dict[int, Entity]:
    return {
        id: item
        for item in entities
        if (id := whole(item.get("id"))) is not None and (location is None or whole(item.get("location")) == location)
    }


def lay_course(
    *,
    locations: Sequence[Entity],
    zones: Sequence[Entity],
    lines: Sequence[Entity],
    location: int | str | None,
    days: int,
    now: datetime,
) -> Course:
    """
    Choose place and days: *location*, else one with a time zone and a zone that lines lead into, open on
    as many weekdays as any.

    Raises `InvalidQueryError` where it is not listed.
    """
    places = _by_id(locations)
    homes = {id: whole(zone.get("location")) for id, zone in _by_id(zones).items()}
    entered = {homes.get(id) for line in lines if (id := whole(line.get("zone_to"))) is not None}
    known = [id for id in places if is_time_zone(str(places[id].get("timezone") or ""))]
    # One that opens every day, if any is known to: where a weekday is always closed, numberings look alike.
    first = max([id for id in known if id in entered], key=lambda id: _days_open(places[id]), default=None)
    chosen = first or next(iter([*known, *places])) if location is None else _find(location, places)
    tz = str(places[chosen].get("timezone") or "") if chosen in known else None
    at_place, beside = _by_id(zones, chosen), _by_id(lines, chosen)
    ways_in = [whole(line.get("zone_to")) for line in beside.values()]
    end = last_today(now) - timedelta(days=2)
    start = end - timedelta(days=days - 1)
    new_year = date(end.year, 1, 1)
    if new_year + _AFTER > end:
        new_year = date(end.year - 1, 1, 1)
    return Course(
        location=chosen,
        tz=tz,
        zones=at_place,
        lines=beside,
        locations=len(places),
        homes=homes,
        zone=max(at_place, key=ways_in.count, default=None),  # the first of those with the most
        week=_choose_week(start, end, tz),
        range=(start, end),
        new_year=(new_year - _BEFORE, new_year + _AFTER),
    )


def _find(location: int | str, places: Mapping[int, Entity]) -> int:
    """Return the id of a location that is given by its id or by its name."""
    if re.fullmatch("-?[0-9]+", str(location)):
        found = [id for id in places if str(id) == str(location)]
    else:
        found = find_called(str(location), [(place.get("name"), id) for id, place in places.items()])
    if len(found) > 1:
        why = f"{len(found)} locations are called {location!r}: name one of {', '.join(map(str, found))} by its id"
        raise InvalidQueryError("location", why, location)
    if not found:
        raise InvalidQueryError("location", f"{location} is not one of those that the token may see", location)
    return found[0]


def _days_open(place: Entity) -> int:
    """Count the weekdays that a location opens on, as far as the form of its opening hours tells."""
    hours = next((value for name, value in place.items() if "opening" in name.lower()), None)
    entries = list(hours.values()) if isinstance(hours, dict) else hours if isinstance(hours, list) else []
    return sum(bool(entry) for entry in entries) if len(entries) == 7 else 0


def _choose_week(start: date, end: date, tz: str | None) -> Days:
    """Choose the last week at which the place's clock is another than UTC, so that the two can be told apart."""
    last = end
    while tz is not None and (last - start).days >= _WEEK - 1:
        if all(_offset(tz, last - timedelta(days=number)) for number in range(_WEEK)):
            return last - timedelta(days=_WEEK - 1), last
        last -= timedelta(days=_WEEK)
    return end - timedelta(days=_WEEK - 1), end


def _offset(tz: str, day: date) -> timedelta | None:
    return datetime.combine(day, time(12), UTC).astimezone(zone_of(tz)).utcoffset()
