"""What the token may see, as the filter endpoints list it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import attrs

from ..errors import AuthenticationError, ClientClosedError, ConnectionFailedError, IndivdError, NotFoundError
from ..execution import Deadline, Executor, SingleFlight
from ..fielded import Fielded
from ..models import Location
from ..models.endpoints import FILTER_ENDPOINTS
from ..planning import PlannedRequest, needs_locations
from ..profile import NOTHING_KNOWN, Profile
from ..queries import DropInRate, LineCrosses, Query, ZoneVisitors
from ..results import Listed
from ..structuring import read_entities
from ..transport import Reply

logger = logging.getLogger("indivd_async")

#: Seconds for which looked-up locations are trusted when planning; a location asked for and not among them is looked
#: up again at once.
LOCATIONS_FRESH_S = 3600.0
#: A list this young is not asked for again because of an id that it does not have; nor is one that just failed, where
#: nothing but names depends on it.
_LOCATIONS_YOUNG_S = 30.0
_WITHOUT_LOCATIONS: Mapping[type, str] = {
    LineCrosses: '{per:"location"} asks for every location; pass {location:[…]} to do without the look-up.',
    ZoneVisitors: 'Locations are looked up for their time zones; pass {tz:"…"} to ask on one clock and do without.',
    DropInRate: 'Locations are looked up for their time zones; pass {tz:"…"}, or a single location, to do without.',
}


@attrs.define(repr=False)
class LookedUp(Fielded):
    """What was looked up: shared by a client and those made from it by `with_options`."""

    #: Every list that was looked up, by its name and the ids of its entries.
    lists: dict[str, dict[int, Any]] = attrs.field(factory=dict)
    #: When the locations were.
    locations_at: float = float("-inf")
    #: Zone to location, None where it is not listed; location to its name. For rows that do not tell.
    zones: Mapping[int, int | None] = attrs.field(factory=dict)
    names: Mapping[int, str] = attrs.field(factory=dict)
    #: From when on a list may be asked for again for the sake of places, by its name; a failure counts, too.
    place_again_at: dict[str, float] = attrs.field(factory=dict)


class Catalogue:
    """The lists of one client; what was looked up is remembered, for planning and for whose rows are."""

    def __init__(self, executor: Executor, known: LookedUp | None = None) -> None:
        self._executor = executor
        self.known = known or LookedUp()
        self._flights: SingleFlight[Listed[Any]] = SingleFlight(executor.now)

    async def know_places(self, query: Query, deadline: Deadline) -> None:
        """Look up what rows of *query* do not tell: whose they are, of several locations, and its name."""
        is_single = query.location is not None and len(query.location) == 1
        if isinstance(query, DropInRate) or (is_single and (isinstance(query, LineCrosses) or query.tz is not None)):
            return
        wanted = [] if "locations" in self.known.lists else ["locations"]
        if isinstance(query, LineCrosses):
            wanted = wanted if query.location or query.per == "location" else []
        elif not is_single and query.per is None:
            groupings = (query.aggregate_by or "", query.comparison_aggregate_by or query.aggregate_by or "")
            wanted += [] if all("loc_id" in grouping for grouping in groupings) else ["zones"]
        again_at, now = self.known.place_again_at, self._executor.now()
        for name in wanted:
            if again_at.get(name, now) > now:
                continue
            try:
                await self.look_up(name, deadline)  # those who ask at once share it
            except IndivdError as error:  # no figure needs it; a note says what rows lack
                again_at[name] = self._executor.now() + _LOCATIONS_YOUNG_S
                logger.warning(
                    "%s could not be looked up, so rows may lack their location or its name: %s", name, error
                )

    async def look_up(self, name: str, deadline: Deadline) -> Listed[Any]:
        """Ask the filter endpoint *name*."""
        *others, last = FILTER_ENDPOINTS[name].paths
        for path in others:
            with suppress(NotFoundError):
                return await self._look_up_at(path, name, deadline)
        return await self._look_up_at(last, name, deadline)

    async def _look_up_at(self, path: str, name: str, deadline: Deadline) -> Listed[Any]:
        request = PlannedRequest(index=0, endpoint=name, path=path, reason=f"the list of {name}")
        ask = partial(self._ask, request, deadline)
        found = await self._executor.share(self._flights, path, request, ask, deadline)
        self._remember(name, found)
        return found

    def _remember(self, name: str, found: Listed[Any]) -> None:
        known = self.known
        entries = known.lists[name] = _by_id(found, _DECIDING.get(name))
        if name == "locations":
            known.locations_at = self._executor.now()
            known.names = {id: location.name for id, location in entries.items() if location.name}
        elif name == "zones":
            known.zones = {id: zone.location for id, zone in entries.items()}
            known.place_again_at["zones"] = self._executor.now() + LOCATIONS_FRESH_S

    async def _ask(self, request: PlannedRequest, deadline: Deadline) -> Listed[Any]:
        self._executor.teller.announce(1)
        self._executor.teller.tell("planned", request)
        return await self._executor.send(request, read=partial(_read_list, request), deadline=deadline)

    async def locations_for(
        self, query: Query, deadline: Deadline, profile: Profile = NOTHING_KNOWN
    ) -> Mapping[int, Location] | None:
        """Return the locations that planning *query* needs to know; None where it needs none."""
        if not needs_locations(query, profile):
            return None
        locations, age = self.known.lists.get("locations"), self._executor.now() - self.known.locations_at
        missing = locations is None or any(id not in locations for id in query.location or ())
        if age > LOCATIONS_FRESH_S or (missing and age > _LOCATIONS_YOUNG_S):
            try:
                await self.look_up("locations", deadline)
            except (AuthenticationError, ClientClosedError, ConnectionFailedError):
                raise  # which any other request would meet, too
            except IndivdError as error:
                error.add_advice(_WITHOUT_LOCATIONS[type(query)])
                raise
        return self.known.lists.get("locations")


#: What is planned and placed by, of the entries of a list.
_DECIDING: Mapping[str, str] = {"locations": "timezone", "zones": "location"}


def _by_id(found: Iterable[Any], deciding: str | None) -> dict[int, Any]:
    """Return entries by their ids; of one that is listed as two things nothing is known that is *deciding*."""
    entries: dict[int, Any] = {}
    for entry in found:
        other = entries.get(entry.id)
        if other is not None and deciding is not None and getattr(other, deciding) != getattr(entry, deciding):
            entry = attrs.evolve(entry, **{deciding: None})
        entries[entry.id] = entry
    return entries


def _read_list(request: PlannedRequest, reply: Reply) -> Listed[Any]:
    from ..witnessing import witness_list  # only an answer needs it

    entities, extra = read_entities(request, reply.body)
    witness_list(request, len(entities), extra, reply.signs)
    return Listed(entities, FILTER_ENDPOINTS[request.endpoint].entity)
