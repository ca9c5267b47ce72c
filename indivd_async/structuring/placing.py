"""Rows are told where they are, where they do not say so themselves."""

from __future__ import annotations

from typing import Any

from ..models import Places
from ..planning import PlannedRequest
from ..results import Answer, LineCrossesAnswer, ZoneVisitorsAnswer

_fill = object.__setattr__  # completes frozen rows that nobody holds yet


def place_rows(answer: Answer, request: PlannedRequest, places: Places) -> None:
    """Fill in location and name: from the label, the one location that was asked for, or the lists."""
    asked, name = request.locations, places.names.get
    only = asked[0] if asked is not None and len(asked) == 1 else None
    if isinstance(answer, LineCrossesAnswer):
        if only is not None and (called := name(only)) is not None:
            for row in answer.rows:
                _fill(row, "loc_name", called)
        return
    placed: list[Any]  # what has a zone and a location
    if isinstance(answer, ZoneVisitorsAnswer):
        placed = [row.aggregation for row in (*answer.current, *(answer.comparison or ()))]
    else:
        placed = [zone for block in (answer.current, answer.comparison) if block is not None for zone in block.zones]
    for place in placed:
        loc_id = place.loc_id
        if loc_id is None:
            loc_id = places.locations.get(place.zone_id) if only is None else only
            for one in (place, *getattr(place, "details", ())):
                _fill(one, "loc_id", loc_id)
        if place.loc_name is None and loc_id is not None:
            _fill(place, "loc_name", name(loc_id))
