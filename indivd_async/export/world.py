"""The locations that a question is about, as the service lists them now."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import attrs

from ..client import AsyncIndivd
from ..errors import IndivdError, InvalidQueryError
from ..planning import time_zone_of
from ..profile import NOTHING_KNOWN
from ..queries import LineCrosses, Query
from .manifest import Manifest
from .question import asks_each_location
from .report import Failure, Fate

_NO_CLOCK = "a clock that is not known"


@attrs.frozen(kw_only=True)
class World:
    """What a run finds."""

    #: The clock of each location that can be asked; None stands for all of them together, and for no clock.
    places: Mapping[int | None, str | None]
    #: All locations known so far; where rows are sums over them, those whose sums they are.
    members: tuple[int, ...]
    failures: tuple[Failure, ...] = ()
    fates: tuple[Fate, ...] = ()


async def look_up(client: AsyncIndivd, query: Query, partition: Sequence[str], manifest: Manifest | None) -> World:
    """Look the locations up where it matters to *query* which there are, or which clock they have."""
    each, is_lines = asks_each_location(query, partition), isinstance(query, LineCrosses)
    profile = client.profile or NOTHING_KNOWN
    one_clock = profile.clock_of(query.endpoint.name, None) if is_lines else getattr(query, "tz", None)
    own_clocks = profile.line_crosses_tz == "location" if is_lines else one_clock is None
    if query.location is not None and not own_clocks:
        with suppress(IndivdError):  # rows have their location's name, whichever night asked for them
            await client.locations()
        return _tell_fates(dict.fromkeys(query.location, one_clock), manifest)
    listed = {place.id: place for place in await client.locations()}
    if not each:
        return _together(tuple(listed), one_clock, manifest)
    wanted = query.location if query.location is not None else tuple(listed)
    if not own_clocks:
        return _tell_fates(dict.fromkeys(wanted, one_clock), manifest)
    places: dict[int | None, str | None] = {}
    failures = []
    known = manifest.members if manifest is not None else ()
    for id in wanted:
        if is_lines and id in listed:  # which can be asked without a clock
            places[id] = listed[id].timezone or None
        elif id in listed or id not in known:  # what has left stays as it is
            try:
                tz = time_zone_of(id, listed.get(id))
            except InvalidQueryError as error:
                failures.append(Failure(request=f"location {id}", error=error))
            else:
                places[id] = profile.clock_of(query.endpoint.name, tz) or tz
    return _tell_fates(places, manifest, failures)


def _together(members: tuple[int, ...], clock: str | None, manifest: Manifest | None) -> World:
    before = manifest.members if manifest is not None else ()
    fates: list[Fate] = []
    if before:
        fates += [
            Fate(
                location=id,
                became="new",
                message=f"location {id} is new: sums over all locations are asked again, for all days",
            )
            for id in sorted(set(members) - set(before))
        ]
        fates += _left(sorted(set(before) - set(members)), "stays in the sums of the days that are there")
        if set(members) <= set(before):
            members = before  # nothing that is there is short of anything
    mark = zlib.crc32(",".join(map(str, sorted(members))).encode())
    told = f"{len(members)} locations, {mark:08x}" + (f", {clock}" if clock else "")
    return World(places={None: told}, members=members, fates=tuple(fates))


def _tell_fates(
    places: Mapping[int | None, str | None], manifest: Manifest | None, failures: Sequence[Failure] = ()
) -> World:
    known = manifest.members if manifest is not None else ()
    held = manifest.held if manifest is not None else {}
    here = tuple(id for id in places if id is not None)
    fates = []
    for id in here:
        clocks = {
            stretch.clock for (_, location), holding in held.items() if location == id for stretch in holding.stretches
        }
        if known and id not in known:
            fates.append(
                Fate(location=id, became="new", message=f"location {id} is new: its whole history is asked for")
            )
        elif clocks - {places[id]}:
            before = ", ".join(sorted(clock or _NO_CLOCK for clock in clocks - {places[id]}))
            message = f"location {id} has moved from {before} to {places[id] or _NO_CLOCK}: its days are asked again"
            fates.append(Fate(location=id, became="moved", message=message))
    failed = {int(failure.request.split()[1]) for failure in failures}
    fates += _left(sorted(set(known) - set(here) - failed), "what is there of it stays")
    return World(
        places=places,
        members=tuple(dict.fromkeys((*known, *here))),
        failures=tuple(failures),
        fates=tuple(fates),
    )


def _left(ids: Iterable[int], what: str) -> list[Fate]:
    return [Fate(location=id, became="left", message=f"location {id} is no longer listed: {what}") for id in ids]
