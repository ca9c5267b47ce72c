"""
A query and the locations it needs become an ordered layout of requests. Pure: no clock, no I/O.

Theory of operation. A query asks for one or two *periods*. Each is cut into *windows* of whole days, because the API
limits a request or because long answers are better fetched in parallel. Beside that it is cut into *series*: time-zone
groups, the values of a fan-out, the pieces of a list too long for a URL. The requests are the product: for each
period, for each window, for each series.

Series whose rows may share a key, and are then added up, form a *family*. A *unit* is the smallest part that holds
every request that may bring the same row: a window of a family, or a whole family where rows repeat from window to
window (weeks). Shards are ranges of units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import count, product

import attrs

from ..fielded import Fielded
from ..models import NOTHING_EXTRA, FrozenMap, Location
from ..models.endpoints import DataEndpoint
from ..profile import NOTHING_KNOWN, Profile
from ..queries import PER, DropInRate, LineCrosses, Query, ZoneVisitors
from ..refusals import InvalidQueryError
from ..time_zones import is_time_zone
from .request import PlannedRequest, fit_lists, size_of, write_lists
from .windows import Part, Window, cut_periods


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Series(Fielded):
    """What a request asks beside its days: `params` in wire form, in order; `why` it is one of several."""

    params: tuple[tuple[str, str], ...]
    tz: str | None = None
    carried: FrozenMap
    locations: tuple[int, ...] | None
    family: int
    why: str = ""


def needs_locations(query: Query, profile: Profile = NOTHING_KNOWN) -> bool:
    """Tell whether *query* can only be planned once locations and their time zones are known."""
    if isinstance(query, LineCrosses):
        if query.location is not None:
            return profile.line_crosses_tz == "location"
        return query.per == "location"
    if query.per == "location" and query.location is None:
        return True
    if query.tz is not None:
        return False
    # One location is one group, and drop_in_rate sends no time zone: nothing to look up.
    return isinstance(query, ZoneVisitors) or query.location is None or len(query.location) > 1


def relevant_locations(query: Query, locations: Mapping[int, Location]) -> tuple[tuple[int, str], ...]:
    """Pick the (id, time zone) of the locations that *query* is about, each of which must be known."""
    if isinstance(query, LineCrosses):  # which only wants to know what there is
        known = tuple((location.id, location.timezone or "") for location in locations.values())
        return known if query.location is None else tuple(item for item in known if item[0] in query.location)
    wanted = query.location if query.location is not None else tuple(locations)
    if query.tz is not None:  # whatever their own are
        return tuple((id, query.tz) for id in wanted)
    return tuple((id, time_zone_of(id, locations.get(id))) for id in wanted)


def time_zone_of(id: int, location: Location | None) -> str:
    """Return the time zone of what is listed as *id*; InvalidQueryError where nothing is, or it has none."""
    hint = 'Pass {tz:"…"} to ask on one clock for all, without looking at locations.'
    if location is None:
        raise InvalidQueryError(
            "location", "is not among the locations this token may see, so its time zone is unknown", id, hint
        )
    if not is_time_zone(location.timezone):
        raise InvalidQueryError("location", f"location {id} has no time zone that is known", location.timezone, hint)
    return location.timezone


def _fan_out(
    query: LineCrosses, locations: tuple[tuple[int, str], ...], beside: int, profile: Profile
) -> Iterator[Series]:
    given: dict[str, tuple[int, ...] | None] = {field: getattr(query, name) for field, name in PER.items()}
    if query.per == "location" and given["location"] is None:
        given["location"] = tuple(id for id, _ in locations)
    apart = {field for field in ("location", "organization") if given[field] is not None} | ({query.per} - {None})
    fanned = {field: given[field] or () for field in PER if field in apart}
    # The longest value of each counts, so that all series are cut alike.
    beside += size_of((PER[field], max(map(str, values), key=len, default="")) for field, values in fanned.items())
    together = {PER[field]: ids for field, ids in given.items() if ids is not None and field not in apart}
    pieces = fit_lists(query.endpoint, together, beside=beside, longest=profile.longest_url)
    tzs = dict(locations)
    for family, values in enumerate(product(*fanned.values())):
        carried = dict(zip(fanned, values, strict=True))
        asked = [(PER[field], str(value)) for field, value in carried.items()]
        why = [f"{field} {value}" for field, value in carried.items() if len(fanned[field]) > 1]
        for lists, part in pieces:
            yield Series(
                params=(*asked, *write_lists(lists)),
                tz=profile.clock_of("line_crosses", tzs.get(carried.get("location", -1)) or None),
                carried=FrozenMap(carried),
                locations=(carried["location"],) if "location" in carried else None,
                family=family,
                why=", ".join(filter(None, (*why, part))),
            )


def _time_zone_groups(
    query: ZoneVisitors | DropInRate, locations: tuple[tuple[int, str], ...] | None, beside: int, profile: Profile
) -> Iterator[Series]:
    endpoint, groups, numbers = query.endpoint, _groups(query, locations), count()
    zones_name = endpoint.chunked[0]
    scalars = [(name, str(value)) for name in endpoint.scalars if (value := getattr(query, name)) is not None]
    for tz, ids in groups:
        sends_tz = tz is not None and (isinstance(query, ZoneVisitors) or query.tz is not None)
        fixed = [*scalars, ("tz", tz)] if sends_tz and tz is not None else scalars
        lists = {"location": ids, zones_name: getattr(query, zones_name)}
        given = {name: values for name, values in lists.items() if values is not None}
        why = f"location {ids[0]}" if query.per and ids else f"time zone {tz}"
        pieces = fit_lists(endpoint, given, beside=beside + size_of(fixed), longest=profile.longest_url)
        for some, part in pieces:
            yield Series(
                params=(*write_lists(some), *fixed),
                tz=tz if sends_tz else profile.clock_of(endpoint.name, tz) or tz,
                carried=NOTHING_EXTRA,
                locations=some.get("location"),
                # A summary and its details add up over all series; rows per zone belong to one series each.
                family=0 if endpoint.chunks_add else next(numbers),
                why=", ".join(filter(None, (why if len(groups) > 1 else "", part))),
            )


def _groups(
    query: ZoneVisitors | DropInRate, locations: tuple[tuple[int, str], ...] | None
) -> list[tuple[str | None, tuple[int, ...] | None]]:
    """Part the locations asked for by time zone, or all of them; None as a time zone: not known; as locations: all."""
    if query.per == "location":
        known = locations if locations is not None else [(id, None) for id in query.location or ()]
        return [(query.tz or tz, (id,)) for id, tz in known]
    if query.tz is not None or locations is None:
        return [(query.tz, query.location)]
    by_zone: dict[str, list[int]] = {}
    for id, tz in locations:
        by_zone.setdefault(tz, []).append(id)
    if len(by_zone) == 1:
        return [(tz, query.location) for tz in by_zone]  # one clock for all: what was not asked for is left out
    return [(tz, tuple(members)) for tz, members in by_zone.items()]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Layout(Fielded):
    """The axes of a plan, from which its requests are counted and built."""

    endpoint: DataEndpoint
    parts: tuple[Part, ...]
    series: tuple[Series, ...]
    #: The numbers of the series in each family.
    families: tuple[tuple[int, ...], ...]
    profile: Profile | None = None

    @property
    def units(self) -> int:
        """How many units shards can be made of."""
        return sum(1 for _ in self._selected(None))

    def count(self, selection: tuple[int, int] | None = None) -> int:
        """Count the requests without building them."""
        if selection is None:
            return len(self.series) * sum(len(part.windows) for part in self.parts)
        return sum(len(members) * len(windows) for _, windows, members, _ in self._selected(selection))

    def build(self, selection: tuple[int, int] | None = None) -> Iterator[PlannedRequest]:
        for part, windows, members, first in self._selected(selection):
            for index, (window, number) in enumerate(product(windows, members), first):
                yield self._build(part, window, number, index)

    def _selected(
        self, selection: tuple[int, int] | None
    ) -> Iterator[tuple[Part, Sequence[Window], tuple[int, ...], int]]:
        """Yield the part, windows and series of each selected unit, and the index of its first request."""
        first, end = selection or (0, math.inf)
        unit = index = 0
        for part in self.parts:
            apart = [part.windows] if part.rows_repeat else [(window,) for window in part.windows]
            for windows, members in product(apart, self.families):
                if first <= unit < end:
                    yield part, windows, members, index
                unit += 1
                index += len(windows) * len(members)

    def _build(self, part: Part, window: Window, number: int, index: int) -> PlannedRequest:
        series = self.series[number]
        params = dict(_dates(window, part.comparison))
        if part.grouping is not None:
            params[self.endpoint.grouping] = part.grouping
        params.update(series.params)
        return PlannedRequest(
            index=index,
            endpoint=self.endpoint.name,
            path=self.endpoint.path,
            params=FrozenMap(params),
            reason=self._reason(part, window, series),
            window=window,
            period=part.period,
            tz=series.tz,
            carried=series.carried,
            series=number,
            locations=series.locations,
            profile=self.profile,
        )

    def _reason(self, part: Part, window: Window, series: Series) -> str:
        period = f"{part.period} period" if len(self.parts) > 1 else ""
        days = f"days {window}" if len(part.windows) > 1 else ""
        return "; ".join(filter(None, (period, days, series.why))) or "all that is asked fits one request"


def _dates(window: Window, comparison: Window | None) -> Iterator[tuple[str, str]]:
    yield "start_date", window.start.isoformat()
    yield "end_date", window.end.isoformat()
    if comparison is not None:
        yield "comparison_start_date", comparison.start.isoformat()
        yield "comparison_end_date", comparison.end.isoformat()


def lay_out(
    query: Query, locations: tuple[tuple[int, str], ...] | None, cutoff: date | None, profile: Profile | None = None
) -> Layout:
    """Cut *query* along its axes."""
    asked = query.location if query.location is not None else locations or ()
    known = (profile or NOTHING_KNOWN).for_locations(len(asked))
    parts = cut_periods(query, cutoff, known)
    # Beside its series a request has dates and a grouping.
    beside = max(
        size_of([*_dates(part.windows[0], part.comparison), (query.endpoint.grouping, part.grouping or "")])
        for part in parts
    )
    if isinstance(query, LineCrosses):
        series = tuple(_fan_out(query, locations or (), beside, known))
    else:
        series = tuple(_time_zone_groups(query, locations, beside, known))
    families: dict[int, tuple[int, ...]] = {}
    for number, item in enumerate(series):
        families[item.family] = (*families.get(item.family, ()), number)
    return Layout(
        endpoint=query.endpoint,
        parts=parts,
        series=series,
        families=tuple(families.values()),
        profile=profile and known,
    )
