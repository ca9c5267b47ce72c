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

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any

import attrs

from ._urls import fit_lists, size_of
from .errors import InvalidQueryError
from .models import FrozenMap, Location
from .models.clocks import ONE_DAY, Window, is_time_zone, tile_days, tile_months, tile_years
from .models.endpoints import DataEndpoint
from .queries import PER, DropInRate, LineCrosses, Query, ZoneVisitors

#: `split="auto"` cuts periods longer than this, to windows of this many days: enough answers in flight to fill the
#: lanes, none of them huge.
AUTO_DAYS = {"day": 62, "hour": 31, "minute": 31}
_TILES = {"day": tile_days, "hour": tile_days, "minute": tile_days, "month": tile_months, "year": tile_years}
_SCALARS = ("bounce_threshold", "min_dwell", "max_dwell")
_DAY = {"year", "month", "dayofmonth"}
#: Label to the unit it counts and the labels that fix it, the finest first.
_UNITS: Mapping[str, tuple[str, set[str]]] = {
    "minute": ("minute", _DAY),
    "hour": ("hour", _DAY),
    "dayofmonth": ("day", _DAY),
    "month": ("month", {"year", "month"}),
    "year": ("year", {"year"}),
}


def bucket_unit(grouping: str) -> str | None:
    """
    Name the unit that *grouping* fixes, so that whole units can be asked for apart: minute, hour, day, month or year.

    None for profiles (weeks, days of the week, hours of several days together) and for totals: their rows repeat from
    window to window. A single label is taken to come with those above it, as in the article's sample, which the merge
    checks on the answers; several labels mean just what they say.

    >>> [bucket_unit(g) for g in ("hour", "year,month,dayofmonth,hour", "dayofmonth,hour", "week", "loc_id")]
    ['hour', 'hour', None, None, None]
    """
    names = {"dayofmonth" if name == "day" else name for name in grouping.split(",")} - {"loc_id"}
    if names & {"week", "dayofweek", "zone"}:
        return None
    for label, (unit, fixed_by) in _UNITS.items():
        if label in names:
            return unit if len(names) == 1 or names >= fixed_by else None
    return None


@attrs.frozen(kw_only=True)
class Part:
    """One period of the query, cut into windows. `grouping` is sent if given; `resolved` is what it amounts to."""

    period: str
    windows: tuple[Window, ...]
    grouping: str | None
    resolved: str
    #: How many windows the API's limits alone would force.
    forced: int
    #: The second period of a request that brings both.
    comparison: Window | None = None

    @property
    def rows_repeat(self) -> bool:
        """Whether the same row may come from several windows, to be added up."""
        return bucket_unit(self.resolved) is None

    @property
    def is_own_cut(self) -> bool:
        """Whether there are more windows than the API's limits force."""
        return len(self.windows) > self.forced


@attrs.frozen(kw_only=True)
class Series:
    """What a request asks beside its days: `params` in wire form, in order; `why` it is one of several."""

    params: tuple[tuple[str, str], ...]
    tz: str | None = None
    carried: FrozenMap
    locations: tuple[int, ...] | None
    family: int
    why: str = ""


@attrs.frozen(kw_only=True)
class Layout:
    """The axes of a plan, from which its requests are counted and built."""

    endpoint: DataEndpoint
    parts: tuple[Part, ...]
    series: tuple[Series, ...]
    #: The numbers of the series in each family.
    families: tuple[tuple[int, ...], ...]

    @property
    def units(self) -> int:
        """How many units shards can be made of."""
        return sum(len(self.families) * (1 if part.rows_repeat else len(part.windows)) for part in self.parts)

    def count(self, selection: tuple[int, int] | None = None) -> int:
        """Count the requests without building them."""
        if selection is None:
            return len(self.series) * sum(len(part.windows) for part in self.parts)
        return sum(len(members) * len(windows) for _, windows, members, _ in self._selected(selection))

    def build(self, selection: tuple[int, int] | None = None) -> Iterator[dict[str, Any]]:
        """Build the fields of each request, in order."""
        for part, windows, members, index in self._selected(selection or (0, self.units)):
            for window, number in product(windows, members):
                yield self._fields(part, window, number, index)
                index += 1

    def _selected(self, selection: tuple[int, int]) -> Iterator[tuple[Part, Sequence[Window], tuple[int, ...], int]]:
        first, end = selection
        unit = index = 0
        for part in self.parts:
            slices = [part.windows] if part.rows_repeat else [(window,) for window in part.windows]
            for windows, members in product(slices, self.families):
                if first <= unit < end:
                    yield part, windows, members, index
                unit += 1
                index += len(windows) * len(members)

    def _fields(self, part: Part, window: Window, number: int, index: int) -> dict[str, Any]:
        series = self.series[number]
        params = dict(_dates(window, part.comparison))
        if part.grouping is not None:
            params[self.endpoint.grouping] = part.grouping
        params.update(series.params)
        return {
            "index": index,
            "endpoint": self.endpoint.name,
            "path": self.endpoint.path,
            "params": FrozenMap.adopt(params),
            "reason": self._reason(part, window, series),
            "window": window,
            "period": part.period,
            "tz": series.tz,
            "carried": series.carried,
            "series": number,
            "locations": series.locations,
        }

    def _reason(self, part: Part, window: Window, series: Series) -> str:
        reasons = []
        if len(self.parts) > 1:
            reasons.append(f"{part.period} period")
        if len(part.windows) > 1:
            reasons.append(f"days {window}")
        if series.why:
            reasons.append(series.why)
        return "; ".join(reasons) or "all that is asked fits one request"


def _dates(window: Window, comparison: Window | None) -> Iterator[tuple[str, str]]:
    yield "start_date", window.start.isoformat()
    yield "end_date", window.end.isoformat()
    if comparison is not None:
        yield "comparison_start_date", comparison.start.isoformat()
        yield "comparison_end_date", comparison.end.isoformat()


# Locations.


def needs_locations(query: Query) -> bool:
    """Tell whether *query* can only be planned once locations and their time zones are known."""
    if isinstance(query, LineCrosses):
        return query.per == "location" and query.location is None
    if query.tz is not None:
        return False
    # One location is one group, and drop_in_rate sends no time zone: nothing to look up.
    return isinstance(query, ZoneVisitors) or query.location is None or len(query.location) > 1


def relevant_locations(query: Query, locations: Mapping[int, Location]) -> tuple[tuple[int, str], ...]:
    """Pick the (id, time zone) of the locations that *query* is about, each of which must be known."""
    if isinstance(query, LineCrosses):  # which only wants to know what there is
        return tuple((location.id, location.timezone or "") for location in locations.values())
    wanted = query.location if query.location is not None else tuple(locations)
    return tuple((id, _time_zone_of(id, locations.get(id))) for id in wanted)


def _time_zone_of(id: int, location: Location | None) -> str:
    hint = 'Pass {tz:"…"} to ask on one clock for all, without looking at locations.'
    if location is None:
        raise InvalidQueryError(
            "location", "is not among the locations this token may see, so its time zone is unknown", id, hint
        )
    if not location.timezone or not is_time_zone(location.timezone):
        raise InvalidQueryError("location", f"location {id} has no time zone that is known", location.timezone, hint)
    return location.timezone


# Periods and windows.


def default_grouping(endpoint: DataEndpoint, window: Window) -> str:
    """Name what the API groups by when it is not told, by the length of the whole period."""
    return next(name for days, name in endpoint.defaults if window.days <= days)


def lay_out(query: Query, locations: tuple[tuple[int, str], ...] | None, cutoff: date | None) -> Layout:
    """Cut *query* along its axes."""
    parts = _periods(query, cutoff)
    # Beside its series a request has dates and a grouping.
    beside = max(
        size_of([*_dates(part.windows[0], part.comparison), (query.endpoint.grouping, part.grouping or "")])
        for part in parts
    )
    if isinstance(query, LineCrosses):
        series = _fan_out(query, locations, beside)
    else:
        series = _time_zone_groups(query, locations, beside)
    families: dict[int, list[int]] = {}
    for number, item in enumerate(series):
        families.setdefault(item.family, []).append(number)
    return Layout(
        endpoint=query.endpoint,
        parts=parts,
        series=tuple(series),
        families=tuple(tuple(members) for members in families.values()),
    )


def _periods(query: Query, cutoff: date | None) -> tuple[Part, ...]:
    endpoint = query.endpoint
    grouping: str | None = getattr(query, endpoint.grouping)
    window = Window(query.start_date, query.end_date)
    resolved = grouping or default_grouping(endpoint, window)
    current = _cut(query, "current", window, resolved, cutoff)
    if isinstance(query, LineCrosses) or query.comparison_start_date is None or query.comparison_end_date is None:
        sent = resolved if len(current.windows) > 1 else grouping
        return (attrs.evolve(current, grouping=sent),)
    own: str | None = getattr(query, endpoint.comparison_grouping or "")
    other = Window(query.comparison_start_date, query.comparison_end_date)
    comparison = _cut(query, "comparison", other, own or resolved, cutoff)
    if comparison.resolved == resolved and len(current.windows) == len(comparison.windows) == 1:
        return (attrs.evolve(current, period="both", grouping=grouping, comparison=other),)
    # Asked for apart, each would be grouped by its own length: both are told what the whole query means, unless the
    # current period is asked for in one piece and the comparison has a grouping of its own.
    sent = grouping if own is not None and len(current.windows) == 1 else resolved
    return attrs.evolve(current, grouping=sent), attrs.evolve(comparison, grouping=comparison.resolved)


def _cut(query: Query, period: str, window: Window, grouping: str, cutoff: date | None) -> Part:
    endpoint = query.endpoint
    forced = windows = _forced_windows(endpoint, window, grouping)
    unit = bucket_unit(grouping)
    at_most = days_wanted(query.split, unit, window)
    if unit is not None and (at_most is not None or cutoff is not None):
        at_most = min(at_most or window.days, endpoint.max_days.get(grouping, window.days))
        pieces = _split_at(window, cutoff, unit)
        windows = tuple(tile for piece in pieces for tile in _TILES[unit](piece, at_most=at_most))
    return Part(period=period, windows=windows, grouping=None, resolved=grouping, forced=len(forced))


def _forced_windows(endpoint: DataEndpoint, window: Window, grouping: str) -> tuple[Window, ...]:
    if grouping in endpoint.within_year:
        return tuple(tile_years(window, at_most=1))
    return tuple(tile_days(window, at_most=endpoint.max_days.get(grouping, window.days)))


def days_wanted(split: int | str | None, unit: str | None, window: Window) -> int | None:
    """Return the most days that *split* wants in one window of buckets of *unit*; None: it does not cut."""
    if isinstance(split, int):
        return split
    days = AUTO_DAYS.get(unit or "") if split == "auto" else None
    return days if days is not None and window.days > days else None


def _split_at(window: Window, cutoff: date | None, unit: str) -> list[Window]:
    if cutoff is None or not window.start <= cutoff < window.end:
        return [window]
    if unit in ("month", "year"):  # end where the last whole bucket before the cut-off does
        ends = [tile.end for tile in _TILES[unit](window, at_most=1) if tile.end <= cutoff]
        if not ends:
            return [window]
        cutoff = ends[-1]
    return [Window(window.start, cutoff), Window(cutoff + ONE_DAY, window.end)]


# Series.


def _fan_out(query: LineCrosses, locations: tuple[tuple[int, str], ...] | None, beside: int) -> list[Series]:
    given: dict[str, tuple[int, ...] | None] = {field: getattr(query, name) for field, name in PER.items()}
    if query.per == "location" and given["location"] is None:
        given["location"] = tuple(id for id, _ in locations or ())
    apart = {field for field in ("location", "organization") if given[field] is not None} | ({query.per} - {None})
    fanned = {field: given[field] or () for field in PER if field in apart}
    # The longest value of each counts, so that all series are cut alike.
    beside += size_of((PER[field], max(map(str, values), key=len, default="")) for field, values in fanned.items())
    together = {PER[field]: ids for field, ids in given.items() if ids is not None and field not in apart}
    pieces = fit_lists(query.endpoint, together, beside=beside)
    series = []
    for family, values in enumerate(product(*fanned.values())):
        carried = dict(zip(fanned, values, strict=True))
        asked = [(PER[field], str(value)) for field, value in carried.items()]
        why = [f"{field} {value}" for field, value in carried.items() if len(fanned[field]) > 1]
        series += [
            Series(
                params=(*asked, *piece.params),
                carried=FrozenMap(carried),
                locations=(carried["location"],) if "location" in carried else None,
                family=family,
                why=", ".join(filter(None, (*why, piece.why))),
            )
            for piece in pieces
        ]
    return series


def _time_zone_groups(
    query: ZoneVisitors | DropInRate, locations: tuple[tuple[int, str], ...] | None, beside: int
) -> list[Series]:
    groups = _groups(query, locations)
    zones_name = "zones" if isinstance(query, ZoneVisitors) else "zone"
    zones: tuple[int, ...] | None = getattr(query, zones_name)
    scalars = [(name, str(value)) for name in _SCALARS if (value := getattr(query, name, None)) is not None]
    series: list[Series] = []
    for tz, ids in groups:
        sends_tz = tz is not None and (isinstance(query, ZoneVisitors) or query.tz is not None)
        fixed = [*scalars, ("tz", tz)] if sends_tz and tz is not None else scalars
        lists = {name: values for name, values in (("location", ids), (zones_name, zones)) if values is not None}
        why = f"time zone {tz}" if len(groups) > 1 else ""
        series += [
            Series(
                params=(*piece.params, *fixed),
                tz=tz,
                carried=FrozenMap(),
                locations=piece.lists.get("location"),
                # A summary and its details add up over all series; rows per zone belong to one series each.
                family=0 if query.endpoint.chunks_add else len(series) + number,
                why=", ".join(filter(None, (why, piece.why))),
            )
            for number, piece in enumerate(fit_lists(query.endpoint, lists, beside=beside + size_of(fixed)))
        ]
    return series


def _groups(
    query: ZoneVisitors | DropInRate, locations: tuple[tuple[int, str], ...] | None
) -> list[tuple[str | None, tuple[int, ...] | None]]:
    """Part the locations asked for by time zone; None as a time zone: not known; as locations: all."""
    if query.tz is not None or locations is None:
        return [(query.tz, query.location)]
    by_zone: dict[str, list[int]] = {}
    for id, tz in locations:
        by_zone.setdefault(tz, []).append(id)
    if len(by_zone) == 1:
        return [(tz, query.location) for tz in by_zone]  # one clock for all: what was not asked for is left out
    return [(tz, tuple(members)) for tz, members in by_zone.items()]
