"""Whether the lists of what a token may see are whole, and say where everything stands."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from ..time_zones import is_time_zone
from .course import categories_of
from .questions import whole
from .reading import UnreadableError, read_entities, signs_of_more
from .seen import Assumption, CannotTellError, Judgement, Seen, fails, holds


def _list_is_whole(seen: Seen, name: str) -> Judgement:
    heard = seen.answer(name)
    signs = signs_of_more(heard.document, heard.headers)
    if signs:
        return fails(f"the list of {name} says that there is more: {', '.join(signs)}")
    try:
        ids = [whole(item.get("id")) for item in read_entities(heard.document)]
    except UnreadableError as error:
        return fails(f"the list of {name} has another shape than documented: {error}")
    if not ids:
        raise CannotTellError(f"the list of {name} is empty, and says nothing of more")
    if None in ids or len(set(ids)) < len(ids):
        return fails(f"some of the {name} have no id, or one of another")
    return holds(f"the list of {name} says nothing of more, and each has an id of its own", f"{len(ids):,} {name}")


def _locations_have_time_zones(seen: Seen) -> Judgement:
    places = seen.entities("locations")
    missing = [str(item.get("id")) for item in places if not is_time_zone(str(item.get("timezone") or ""))]
    if missing:
        return fails(f"no time zone is known of location {', '.join(missing[:5])}")
    return holds("each location names an IANA time zone")


def _zones_name_their_location(seen: Seen) -> Judgement:
    places = {whole(item.get("id")) for item in seen.entities("locations")}
    zones = seen.entities("zones")
    if not zones:
        raise CannotTellError("no zone is listed")
    if all(whole(item.get("location")) in places for item in zones):
        return holds("each zone names a location that is listed")
    return fails("some zone names no location, or one that is not listed")


def _zones_are_all_listed(seen: Seen) -> Judgement:
    listed = {whole(item.get("id")) for item in seen.entities("zones")}
    met = {row.zone for row in seen.some_visits("visits by day")}
    with suppress(CannotTellError):
        met |= set(seen.drop_ins("drop-in by day").zones)
    if met - listed:
        return fails("rows come of zones that no list names")
    return holds("every zone that rows come of is listed")


def _lines_name_their_places(seen: Seen) -> Judgement:
    lines = seen.entities("lines")
    if not lines:
        raise CannotTellError("no line is listed")
    for field in ("location", "floor"):
        if any(whole(line.get(field)) is None for line in lines):
            return fails(f"some line names no {field}")
    if not any(whole(line.get("zone_to")) is not None for line in lines):
        return fails("no line names the zone that it leads into")
    if not all(categories_of(line) for line in lines):
        return fails("some line names no category")
    return holds("lines name their location, floor and category, and the zones they lead into or out of")


def _opening_hours_are_told(seen: Seen) -> Judgement:
    place = next(item for item in seen.entities("locations") if whole(item.get("id")) == seen.course.location)
    hours = next((value for name, value in place.items() if "opening" in name.lower() and value), None)
    if hours is None:
        return fails("the location tells no opening hours, so closed and quiet are not told apart")
    return holds("the location tells its opening hours")


_WHOLE = "whether all that there is was counted"

LISTS = (
    *(
        Assumption(
            name=f"{name}_listed",
            sentence=f"The list of {name} is whole.",
            decides=_WHOLE,
            measured="signs of more: next, totals, links; the ids",
            check=partial(_list_is_whole, name=name),
            is_deep=is_deep,
        )
        for name, is_deep in (
            ("locations", False),
            ("zones", False),
            ("lines", False),
            ("categories", True),
            ("organizations", True),
        )
    ),
    Assumption(
        name="locations_have_time_zones",
        sentence="Every location names its time zone.",
        decides="which clock its rows are asked for on",
        measured="the list of locations",
        check=_locations_have_time_zones,
    ),
    Assumption(
        name="zones_name_locations",
        sentence="Every zone names its location.",
        decides="which location a row belongs to",
        measured="the list of zones, beside that of locations",
        check=_zones_name_their_location,
    ),
    Assumption(
        name="zones_all_listed",
        sentence="Every zone that rows come of is listed.",
        decides=_WHOLE,
        measured="the zones of a week's rows, beside the list",
        check=_zones_are_all_listed,
    ),
    Assumption(
        name="lines_name_places",
        sentence="Lines name their location, floor, category and zones.",
        decides="whether crossings can be scoped as the article advises",
        measured="the list of lines",
        check=_lines_name_their_places,
    ),
    Assumption(
        name="opening_hours_told",
        sentence="A location tells its opening hours.",
        decides="whether closed can be told from quiet",
        measured="the list of locations",
        check=_opening_hours_are_told,
    ),
)
