"""What the filter endpoints list: locations, zones, categories, lines and organisations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .values import NOTHING_EXTRA, FrozenMap


@attrs.frozen(kw_only=True, weakref_slot=False)
class Location:
    """A site. `timezone` is an IANA name; opening hours are as the API sends them, their form is not documented."""

    id: int
    name: str | None = None
    city: str | None = None
    country: str | None = None
    timezone: str | None = None
    opening_hours: Any = None
    organization: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Zone:
    """A camera area of one location. `bounce_threshold` in seconds."""

    id: int
    name: str | None = None
    location: int | None = None
    floor: int | None = None
    bounce_threshold: int | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen
class Places:
    """Where zones are and what locations are called, as far as it was looked up: for rows that do not tell."""

    #: Zone to location.
    locations: Mapping[int, int] = NOTHING_EXTRA
    #: Location to its name.
    names: Mapping[int, str] = NOTHING_EXTRA


NOWHERE = Places()


@attrs.frozen(kw_only=True, weakref_slot=False)
class Category:
    """A group of lines; a line may belong to several."""

    id: int
    name: str | None = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Line:
    """A virtual boundary. `zone_to` is the zone that a crossing enters, `zone_from` the one it leaves."""

    id: int
    name: str | None = None
    location: int | None = None
    floor: int | None = None
    zone_to: int | None = None
    zone_from: int | None = None
    category: Any = None
    extra: FrozenMap = NOTHING_EXTRA


@attrs.frozen(kw_only=True, weakref_slot=False)
class Organization:
    """A customer of Indivd; a token may span several."""

    id: int
    name: str | None = None
    extra: FrozenMap = NOTHING_EXTRA
