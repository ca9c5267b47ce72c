"""Rows are told where they are, where they do not say so themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..planning import PlannedRequest
from ..results import Answer


def place_rows(
    answer: Answer, request: PlannedRequest, zones: Mapping[int, int | None], names: Mapping[int, str]
) -> None:
    """Fill in location and name: from the label, the one location that was asked for, or what is listed."""
    asked = request.locations
    only = asked[0] if asked is not None and len(asked) == 1 else None
    for block in answer.blocks:
        if request.endpoint != "line_crosses":
            _place([row.aggregation for row in block.rows] or block.zones, only, zones, names)
            for zone in block.zones:
                fill_in(zone.details, {"loc_id": zone.loc_id})
        elif only in names:
            fill_in(block.rows, {"loc_name": names[only]})  # type: ignore[index]


def _place(whose: Sequence[Any], only: int | None, zones: Mapping[int, int | None], names: Mapping[int, str]) -> None:
    if not whose:
        return
    set_location, set_name = _setter(whose, "loc_id"), _setter(whose, "loc_name")
    for place in whose:
        if (loc_id := place.loc_id) is None:
            if (loc_id := zones.get(place.zone_id) if only is None else only) is None:
                continue
            set_location(place, loc_id)
        if loc_id in names and place.loc_name is None:
            set_name(place, names[loc_id])


def fill_in(rows: Sequence[Any], values: Mapping[str, object]) -> None:
    """Give all *rows* the same values."""
    for name, value in values.items() if rows else ():
        set_value = _setter(rows, name)
        for row in rows:
            set_value(row, value)


def _setter(rows: Sequence[Any], name: str) -> Callable[[Any, Any], None]:
    """
    Return what completes frozen rows that nobody holds yet, in half the time of `object.__setattr__`.

    *rows* are of one class, which is not that of rows where they stay as they were decoded.
    """
    setter: Callable[[Any, Any], None] = vars(type(rows[0]))[name].__set__
    return setter
