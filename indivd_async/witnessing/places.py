"""Whether an answer is about the zones and locations asked for, under the parameters sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from ..errors import AnswerMismatchError
from ..models.endpoints import DATA_ENDPOINTS
from ..results import Chunk, DropInAnswer, DropInBlock, LineCrossesAnswer, ZoneVisitorsAnswer
from .case import Case, Difference

Differences = Iterable[Difference]

_MOST = 5  # ids shown


def _list(ids: Iterable[object]) -> str:
    words = sorted(map(str, ids))
    return ", ".join(words[:_MOST]) + (f" and {len(words) - _MOST} more" if len(words) > _MOST else "")


def hold_zones(case: Case) -> Differences:
    """Compare the zones that came with those asked for."""
    asked = case.ids("zones" if case.request.endpoint == "zone_visitors" else "zone")
    if asked is not None:
        for side in case.sides:
            if strangers := set(side.zone_ids) - asked:
                return [Difference(f"zones {_list(asked)}", f"zones {_list(strangers)}")]
    return ()


def hold_locations(case: Case) -> Differences:
    """Compare the locations that came with those asked for, and with what the catalogue says of the zones."""
    request, zones = case.request, case.zones
    asked = None if request.locations is None else frozenset(request.locations)
    needs_label = request.endpoint == "zone_visitors" and "loc_id" in case.grouping.split(",")
    for side in case.sides:
        said = {place.loc_id for place in side.places}
        if needs_label and None in said:
            return [Difference(f"{case.endpoint.grouping} {case.grouping}", "rows without loc_id")]
        strangers = said - {None} if asked is not None else set()
        if asked is not None and (strangers := strangers - asked):
            return [Difference(f"locations {_list(asked)}", f"rows of locations {_list(strangers)}")]
        if zones:
            of = {(place.zone_id, place.loc_id) for place in side.places}
            if differences := list(_hold_owners(of, asked, zones)):
                return differences
    return ()


def _hold_owners(
    of: Iterable[tuple[int, int | None]], asked: frozenset[int] | None, zones: Mapping[int, int | None]
) -> Differences:
    unlisted = sorted({zone for zone, _ in of if zone not in zones})
    for zone, location in of:
        owner = zones.get(zone)
        if owner is None:
            continue
        if location is not None and location != owner:
            yield Difference(f"zone {zone}, which the list of zones has at location {owner}", f"location {location}")
            return
        if asked is not None and owner not in asked:
            said = f"zone {zone}, which the list of zones has at location {owner}"
            yield Difference(f"locations {_list(asked)}", said)
            return
    if unlisted:
        yield Difference("", f"Zones {_list(unlisted)} are in the answer, and in no list of zones", "unlisted_ids")


class Owners:
    """Which locations a zone may belong to, by the answers to one query: a zone has one."""

    def __init__(self) -> None:
        self._of: dict[int, frozenset[int]] = {}

    def hold(self, chunk: Chunk) -> Chunk:
        """Return *chunk*, or a failed one where its zones came for other locations before."""
        answer, request = chunk.answer, chunk.request
        if request.locations is None or answer is None or isinstance(answer, LineCrossesAnswer):
            return chunk
        asked = frozenset(request.locations)
        if isinstance(answer, ZoneVisitorsAnswer):
            zones = {row.aggregation.zone_id for row in (*answer.current, *(answer.comparison or ()))}
        else:
            zones = {zone.zone_id for block in (answer.current, answer.comparison) if block for zone in block.zones}
        for zone in zones:
            before = self._of.get(zone, asked)
            if not before & asked:
                wanted = f"zone {zone} in the answers for locations {_list(before)} only"
                said = f"it for locations {_list(asked)}, too"
                advice = "One of the answers is wrong: ask for one location at a time."
                error = AnswerMismatchError("locations", wanted, said, request=request, advice=advice)
                return attrs.evolve(chunk, answer=None, error=error)
            self._of[zone] = before & asked
        return chunk


def hold_threshold(case: Case) -> Differences:
    """Compare the bounce threshold of each row with the one sent."""
    sent = case.params.get("bounce_threshold")
    if sent is None or sent == "-1":
        return ()
    wanted = {int(sent), None}
    for side in case.sides:
        if others := {place.bounce_threshold for place in side.places} - wanted:
            return [Difference(f"bounce_threshold {sent} s", f"{_list(others)} s")]
    return ()


def hold_interval(case: Case) -> Differences:
    """Compare the interval that details name with the one asked for."""
    answer = case.answer
    assert isinstance(answer, DropInAnswer)
    said, asked = answer.interval, case.grouping
    if not said or said == asked:
        return ()
    is_another = said in DATA_ENDPOINTS["drop_in_rate"].groupings
    if case.is_grouping_sent and is_another:
        return [Difference(f"interval {asked}", f"interval {said}")]
    return [Difference("", f"The interval expected was {asked}, and the answer names {said!r}", "grouped_otherwise")]


def hold_comparison(case: Case) -> Differences:
    """See whether a comparison is there if it was asked for, and only then, and of its own days."""
    answer = case.answer
    assert isinstance(answer, (ZoneVisitorsAnswer, DropInAnswer))
    window, other = case.request.window, case.other_window
    if other is None:
        unasked = answer.comparison
        has_rows = bool(unasked.details or unasked.zones) if isinstance(unasked, DropInBlock) else bool(unasked)
        return [Difference("no comparison", "one")] if has_rows else ()
    if answer.comparison is None:
        return [Difference(f"a comparison with {other}", "none")]
    if answer.comparison == answer.current and other != window and any(side.rows for side in case.sides):
        message = f"The figures of the comparison ({other}) are those of the current period ({window}), all of them"
        return [Difference("", message, "repeated_comparison")]
    return ()
