"""Whether the lists of what a token may see are whole, and say where everything stands."""

from __future__ import annotations

from contextlib import suppress

from ..time_zones import is_time_zone
from .asked import DEEP_LISTS, LISTED
from .course import categories_of
from .questions import whole
from .reading import signs_of_more
from .seen import CannotTellError, FailsError, Judgement, Seen, Table, expect, holds, need

LISTS = Table()
_ALL = "whether all that there is was counted"


def _is_whole(seen: Seen, name: str) -> Judgement:
    heard = seen.answer(name)
    signs = signs_of_more(heard.document, heard.headers)
    expect(not signs, f"the list of {name} says that there is more: {', '.join(signs)}")
    try:
        ids = [whole(item.get("id")) for item in seen.entities(name)]
    except CannotTellError as error:
        raise FailsError(str(error)) from None
    need(ids, f"the list of {name} is empty, and says nothing of more")
    expect(None not in ids and len(set(ids)) == len(ids), f"some of the {name} have no id, or one of another")
    return holds(figures=f"{len(ids):,} {name}")


for _name in (*LISTED, *DEEP_LISTS):
    LISTS.add(
        f"The list of {_name} is whole.",
        name=f"{_name}_listed",
        decides=_ALL,
        is_deep=_name in DEEP_LISTS,
        given={"name": _name},
    )(_is_whole)


@LISTS.add("Every location names its time zone.", decides="which clock its rows are asked for on")
def _locations_have_time_zones(seen: Seen) -> None:
    places = seen.entities("locations")
    missing = [str(item.get("id")) for item in places if not is_time_zone(str(item.get("timezone") or ""))]
    expect(not missing, f"no time zone is known of location {', '.join(missing[:5])}")


@LISTS.add("Every zone names its location.", decides="which location a row belongs to")
def _zones_name_locations(seen: Seen) -> None:
    places = {whole(item.get("id")) for item in seen.entities("locations")}
    zones = seen.entities("zones")
    need(zones, "no zone is listed")
    homes = {whole(zone.get("location")) for zone in zones}
    expect(homes <= places, "some zone names no location, or one that is not listed")


@LISTS.add("Every zone that rows come of is listed.", decides=_ALL)
def _zones_all_listed(seen: Seen) -> None:
    listed = {whole(item.get("id")) for item in seen.entities("zones")}
    met = {row.zone for row in seen.counting("visits", "visits by day")}
    with suppress(CannotTellError):
        met |= {row.zone for row in seen.zoned("drop-in by day")}
    expect(met <= listed, "rows come of zones that no list names")


@LISTS.add(
    "Lines name their location, floor, category and zones.",
    decides="whether crossings can be scoped as the article advises",
)
def _lines_name_places(seen: Seen) -> None:
    lines = seen.entities("lines")
    need(lines, "no line is listed")
    for field in ("location", "floor"):
        expect(all(whole(line.get(field)) is not None for line in lines), f"some line names no {field}")
    leads = any(whole(line.get("zone_to")) is not None for line in lines)
    expect(leads, "no line names the zone that it leads into")
    expect(all(categories_of(line) for line in lines), "some line names no category")
