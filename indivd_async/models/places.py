"""What the filter endpoints list: locations, zones, categories, lines and organisations."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any, TypeVar

import attrs

from ..fielded import Fielded
from .values import NOTHING_EXTRA, FrozenMap

T = TypeVar("T")


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class Location(Fielded):
    """A site. `timezone` is an IANA name; opening hours are as the API sends them, their form is not documented."""

    id: int
    """As in `location=`."""
    name: str | None = None
    """As people call it."""
    city: str | None = None
    """As listed."""
    country: str | None = None
    """As listed."""
    timezone: str | None = None
    """An IANA name, such as Europe/Stockholm."""
    opening_hours: Any = None
    """As listed; the form is not documented."""
    organization: int | None = None
    """Id of its organisation, where it is listed."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class Zone(Fielded):
    """A camera area of one location. `bounce_threshold` in seconds."""

    id: int
    """As in `zones=` and `zone=`."""
    name: str | None = None
    """As people call it."""
    location: int | None = None
    """Id of its location, where it is listed."""
    floor: int | None = None
    """Floor, basements below 0, where it is listed."""
    bounce_threshold: int | None = None
    """Its default in seconds, where it is listed."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class Category(Fielded):
    """A group of lines; a line may belong to several."""

    id: int
    """As in `category=`."""
    name: str | None = None
    """As people call it."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class Line(Fielded):
    """A virtual boundary. `zone_to` is the zone that a crossing enters, `zone_from` the one it leaves."""

    id: int
    """As in `line_ids=`."""
    name: str | None = None
    """As people call it."""
    location: int | None = None
    """Id of its location, where it is listed."""
    floor: int | None = None
    """Floor, basements below 0, where it is listed."""
    zone_to: int | None = None
    """Zone that a crossing enters, where it is listed."""
    zone_from: int | None = None
    """Zone that a crossing leaves, where it is listed."""
    category: Any = None
    """Its categories as listed; the form is not documented."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


@attrs.frozen(kw_only=True, weakref_slot=False, eq=False, repr=False)
class Organization(Fielded):
    """A customer of Indivd; a token may span several."""

    id: int
    """As in `organization=`."""
    name: str | None = None
    """As people call it."""
    extra: FrozenMap = NOTHING_EXTRA
    """Fields of the answer that the article does not name, as they came."""


def find_called(name: str, named: Sequence[tuple[object, T]]) -> list[T]:
    """
    Find what is called *name*: to the letter, or else as it is read, without regard to case.

    >>> find_called("cafe\u0301", [("Caf\u00e9", 1), ("Foyer", 2)])
    [1]
    """
    if not name.strip():
        return []  # an empty variable of a script is nobody's name, even where a place has none
    exact = [it for called, it in named if called == name]
    return exact or [it for called, it in named if _as_read(called) == _as_read(name)]


def _as_read(name: object) -> str:
    # An é may be one sign or two, and a space of any kind, and look the same.
    return " ".join(unicodedata.normalize("NFC", str(name or "")).casefold().split())
