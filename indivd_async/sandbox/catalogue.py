"""The made-up customers: organisations, locations, zones, lines, categories, and the tokens that see them."""

from __future__ import annotations

from typing import Any

import attrs

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Hours = tuple[int, int] | None  # the local hours a place opens and closes, or None


@attrs.frozen(kw_only=True)
class Organization:
    """A customer; on the Basic plan nothing that needs re-identification is measured."""

    id: int
    name: str
    plan: str = "pro"


@attrs.frozen(kw_only=True)
class Place:
    """A location with its opening hours, Monday first. Open from 0 to 24 means round the clock."""

    id: int
    name: str
    city: str
    country: str
    timezone: str
    organization: int
    week: tuple[Hours, ...]


@attrs.frozen(kw_only=True)
class Area:
    """
    A zone.

    `lure` is the share of the location's visitors that it draws, `passing` how many pass by for each who enters: None
    where passing-by lines are not configured.
    """

    id: int
    name: str
    location: int
    floor: int
    bounce_threshold: int
    lure: float
    passing: float | None
    entries: tuple[int, ...]
    exit: int
    passing_line: int | None


@attrs.frozen(kw_only=True)
class Boundary:
    """A counting line."""

    id: int
    name: str
    location: int
    floor: int
    zone_to: int | None
    zone_from: int | None
    category: tuple[int, ...]


ORGANIZATIONS = (
    Organization(id=1, name="Nordic Retail"),
    Organization(id=2, name="Open Malls"),
    Organization(id=3, name="Corner Shops", plan="basic"),
)
BASIC = frozenset(organization.id for organization in ORGANIZATIONS if organization.plan == "basic")
CATEGORIES = {1: "Entrances", 2: "Exits", 3: "Passing by", 4: "Street level"}

_SHOP: tuple[Hours, ...] = ((10, 19),) * 5 + ((10, 17), None)
_MALL: tuple[Hours, ...] = ((9, 21),) * 6 + ((10, 18),)
_STATION: tuple[Hours, ...] = ((0, 24),) * 7
_PLACES = (
    (124, "Drottninggatan", "Stockholm", "Sweden", "Europe/Stockholm", 1, _SHOP),
    (125, "Central Station", "Stockholm", "Sweden", "Europe/Stockholm", 1, _STATION),
    (126, "Alexanderplatz", "Berlin", "Germany", "Europe/Berlin", 1, _SHOP),
    (127, "Fifth Avenue", "New York", "United States", "America/New_York", 1, _MALL),
    (128, "Grand Terminal", "New York", "United States", "America/New_York", 2, _STATION),
    (129, "Durbar Marg", "Kathmandu", "Nepal", "Asia/Kathmandu", 2, _SHOP),
    (130, "Island Ferry", "Lord Howe Island", "Australia", "Australia/Lord_Howe", 2, _STATION),
    (131, "Riverside Mall", "London", "United Kingdom", "Europe/London", 2, _MALL),
    (140, "Corner One", "Malmö", "Sweden", "Europe/Stockholm", 3, _SHOP),
    (141, "Corner Two", "Boston", "United States", "America/New_York", 3, _MALL),
)
PLACES = tuple(
    Place(id=id, name=name, city=city, country=country, timezone=timezone, organization=organization, week=week)
    for id, name, city, country, timezone, organization, week in _PLACES
)

#: (name, floor, bounce threshold, lure, passing)
_AREAS = (
    ("Entrance", 0, 120, 1.0, 2.4),
    ("Menswear", 0, 60, 0.45, None),
    ("Café", 1, 180, 0.3, 0.8),  # fewer pass than enter: rates above 100 %
    ("Lower hall", -1, 90, 0.2, 3.0),
)


def _area(place: Place, number: int) -> Area:
    name, floor, threshold, lure, passing = _AREAS[number]
    id = 201 + 10 * (place.id - PLACES[0].id) + number
    line = 10 * id
    return Area(
        id=id,
        name=name,
        location=place.id,
        floor=floor,
        bounce_threshold=threshold,
        lure=lure,
        passing=passing,
        entries=(line, line + 1) if number == 0 else (line,),
        exit=line + 2,
        passing_line=None if passing is None else line + 3,
    )


AREAS = tuple(_area(place, number) for place in PLACES for number in range(len(_AREAS)))


def _boundary(area: Area, id: int, word: str, category: int, **zones: int) -> Boundary:
    return Boundary(
        id=id,
        name=f"{area.name} {word} {id}",
        location=area.location,
        floor=area.floor,
        zone_to=zones.get("zone_to"),
        zone_from=zones.get("zone_from"),
        category=(category, 4) if area.floor == 0 else (category,),
    )


def _boundaries(area: Area) -> list[Boundary]:
    lines = [_boundary(area, id, "in", 1, zone_to=area.id) for id in area.entries]
    lines.append(_boundary(area, area.exit, "out", 2, zone_from=area.id))
    if area.passing_line is not None:
        lines.append(_boundary(area, area.passing_line, "past", 3))
    return lines


BOUNDARIES = tuple(line for area in AREAS for line in _boundaries(area))


@attrs.frozen(kw_only=True)
class Access:
    """What a token may see."""

    organizations: frozenset[int]
    locations: frozenset[int] | None = None

    def places(self) -> tuple[Place, ...]:
        """List the locations in scope."""
        return tuple(
            place
            for place in PLACES
            if place.organization in self.organizations and (self.locations is None or place.id in self.locations)
        )


#: The default token sees all Pro organisations; others show Basic plans, both together, and a single location.
TOKENS = {
    "sandbox": Access(organizations=frozenset({1, 2})),
    "sandbox-basic": Access(organizations=frozenset({3})),
    "sandbox-mixed": Access(organizations=frozenset({1, 2, 3})),
    "sandbox-narrow": Access(organizations=frozenset({1}), locations=frozenset({124})),
}

_SHOWN_OF_AREA = attrs.filters.include("id", "name", "location", "floor", "bounce_threshold")


def listing(name: str, access: Access) -> list[dict[str, Any]]:
    """Answer a filter endpoint."""
    places = {place.id: place for place in access.places()}
    if name == "locations":
        return [_location(place) for place in places.values()]
    if name == "zones":
        return [attrs.asdict(area, filter=_SHOWN_OF_AREA) for area in AREAS if area.location in places]
    if name == "lines":
        return [
            attrs.asdict(line) | {"category": list(line.category)} for line in BOUNDARIES if line.location in places
        ]
    if name == "categories":
        return [{"id": id, "name": text} for id, text in CATEGORIES.items()]
    return [{"id": item.id, "name": item.name} for item in ORGANIZATIONS if item.id in access.organizations]


def _location(place: Place) -> dict[str, Any]:
    fields = attrs.asdict(place, filter=attrs.filters.exclude("week"))
    fields["opening_hours"] = {
        day: None if hours is None else {"open": f"{hours[0]:02}:00", "close": f"{hours[1]:02}:00"}
        for day, hours in zip(WEEKDAYS, place.week, strict=True)
    }
    return fields
