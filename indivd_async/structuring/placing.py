"""Rows are told where they are, where they do not say so themselves."""

from __future__ import annotations

from typing import Any

from ..models import Places
from ..planning import PlannedRequest
from ..results import Answer, DropInAnswer, LineCrossesAnswer, ZoneVisitorsAnswer

_fill = object.__setattr__  # completes frozen rows that nobody holds yet


def place_rows(answer: Answer, request: PlannedRequest, places: Places) -> None:
    """Fill in location and name: from the label, the one location that was asked for, or the lists."""
    asked = request.locations
    only = asked[0] if asked is not None and len(asked) == 1 else None
    find, name = places.locations.get, places.names.get
    if isinstance(answer, LineCrossesAnswer):
        if (called := name(only)) is not None:  # type: ignore[arg-type]
            for row in answer.rows:
                _fill(row, "loc_name", called)
    elif isinstance(answer, ZoneVisitorsAnswer):
        for visit in (*answer.current, *(answer.comparison or ())):
            place = visit.aggregation
            loc_id = place.loc_id
            if loc_id is None:
                loc_id = find(place.zone_id) if only is None else only
                _fill(place, "loc_id", loc_id)
            _fill(place, "loc_name", name(loc_id))  # type: ignore[arg-type]
    else:
        _place_zones(answer, only, places)


def _place_zones(answer: DropInAnswer, only: int | None, places: Places) -> None:
    blocks: list[Any] = [answer.current, answer.comparison]
    for zone in (zone for block in blocks if block is not None for zone in block.zones):
        if zone.loc_id is None:
            loc_id = places.locations.get(zone.zone_id) if only is None else only
            for one in (zone, *zone.details):
                _fill(one, "loc_id", loc_id)
        if zone.loc_name is None:
            name = None if zone.loc_id is None else places.names.get(zone.loc_id)
            _fill(zone, "loc_name", name)
