"""
A query and the locations it needs become an ordered layout of requests. Pure: no clock, no I/O.

Theory of operation. A query asks for one or two *periods*. Each is cut into *windows* of whole days, because the API limits a request or because long
answers are better fetched in parallel. Beside that it is cut into *series*: time-zone groups, the values of a fan-out, the pieces of a list too
long for a URL. The requests are the product: for each period, for each window, for each series.

Series whose rows are added up form a *family*. A *unit* is the smallest part that holds every request that may bring the same row: a window of a
family, or a whole family where rows repeat from window to window (weeks). Shards are ranges of units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any
from urllib.parse import quote

import attrs

from ._calendar import ONE_DAY, Window, is_time_zone, tile_days, tile_months, tile_years
from ._endpoints import LINE_CROSSES, DataEndpoint
from .errors import InvalidQueryError, NotMergeableError
from .models import FrozenMap, Location
from .queries import PER, DropInRate, LineCrosses, Query, ZoneVisitors

#: Bytes of path and query: some proxies cut at 8 KB, headers included.
MAX_TARGET_BYTES = 6_000
#: `split="auto"` cuts periods longer than this, to windows of this many days: enough answers in flight to fill the lanes, none of them huge.
AUTO_DAYS = {"day": 62, "hour": 31, "minute": 31}
_TILES = {"day": tile_days, "hour": tile_days, "minute": tile_days, "month": tile_months, "year": tile_years}
_SCALARS = ("bounce_threshold", "min_dwell", "max_dwell")


def bucket_unit(grouping: str) -> str | None:
    """
    Name the unit that *grouping* fixes, so that whole units can be asked for apart: minute, hour, day, month or year.

    None for profiles (weeks, days of the week, an hour without its day) and for totals: their rows repeat from window to window. A
    grouping named alone is taken to come with its parents, as in the article's sample; the merge checks that.

    >>> [bucket_unit(g) for g in ("hour", "dayofmonth,hour", "month,hour", "dayofweek", "loc_id")]
    ['hour', 'hour', None, None, None]
    """
    names = {"dayofmonth" if name == "day" else name for name in grouping.split(",")} - {"loc_id"}
    if names & {"week", "dayofweek", "zone"}:
        return None
    for finest in ("minute", "hour"):
        if finest in names:
            return finest if names == {finest} or "dayofmonth" in names else None
    if "dayofmonth" in names:
        return "day"
    if "month" in names:
        return "month"
    return "year" if names else None


def default_grouping(endpoint: DataEndpoint, window: Window) -> str:
    """Name what the API groups by when it is not told, by the length of the whole period."""
    return next(name for days, name in endpoint.defaults if window.days <= days)


@attrs.frozen(kw_only=True)
class Part:
    """One period of the query, cut into windows. `grouping` is sent if given; `resolved` is what it amounts to."""

    period: str
    windows: tuple[Window, ...]
    grouping: str | None
    resolved: str
    #: Windows that the API's limits alone would force; fewer than `windows` where the cut was of our own choosing.
    forced: int
    #: The second period of a request that brings both.
    comparison: Window | None = None

    @property
    def rows_repeat(self) -> bool:
        """Whether the same row may come from several windows, to be added up."""
        return bucket_unit(self.resolved) is None


@attrs.frozen(kw_only=True)
class Series:
    """What a request asks beside its days: `params` in wire form, in order."""

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
    families: tuple[tuple[int, ...], ...]

    @property
    def units(self) -> int:
        """How many units shards can be made of."""
        return sum(self._units_of(part) for part in self.parts)

    @property
    def own_cut(self) -> bool:
        """Whether there are more windows than the API's limits force."""
        return any(len(part.windows) > part.forced for part in self.parts)

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

    def _units_of(self, part: Part) -> int:
        return len(self.families) * (1 if part.rows_repeat else len(part.windows))

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
        params = {"start_date": window.start.isoformat(), "end_date": window.end.isoformat()}
        if part.comparison is not None:
            params["comparison_start_date"] = part.comparison.start.isoformat()
            params["comparison_end_date"] = part.comparison.end.isoformat()
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
        period = (
            "" if part.period == "current" else f"{part.period} period" if part.period != "both" else "both periods"
        )
        days = f"days {window}" if len(part.windows) > 1 else ""
        return "; ".join(filter(None, (period, days, series.why))) or "the whole query in one request"


def needs_locations(query: Query) -> bool:
    """Tell whether *query* can only be planned once locations and their time zones are known."""
    if isinstance(query, LineCrosses):
        return query.per == "location" and query.location is None
    if query.tz is not None:
        return False
    # One location is one group, and drop_in_rate sends no time zone: nothing to look up.
    return isinstance(query, ZoneVisitors) or query.location is None or len(query.location) > 1


def relevant_locations(query: Query, locations: Mapping[int, Location] | None) -> tuple[tuple[int, str], ...] | None:
    """Pick the (id, time zone) of the locations that *query* is about, each of which must be known."""
    if not needs_locations(query):
        return None
    if locations is None:
        raise InvalidQueryError("locations", "must be looked up to plan this query", None)
    wanted = query.location if query.location is not None else tuple(locations)
    if isinstance(query, LineCrosses):
        return tuple((id, locations[id].timezone or "") for id in wanted)
    for id in wanted:
        _check_time_zone(id, locations.get(id))
    return tuple((id, locations[id].timezone or "") for id in wanted)


def _check_time_zone(id: int, location: Location | None) -> None:
    hint = 'Pass tz="…" to ask on one clock for all, without looking at locations.'
    if location is None:
        raise InvalidQueryError(
            "location", "is not among the locations this token may see, so its time zone is unknown", id, hint
        )
    if not location.timezone or not is_time_zone(location.timezone):
        raise InvalidQueryError("location", f"location {id} has no time zone that is known", location.timezone, hint)


def lay_out(query: Query, locations: tuple[tuple[int, str], ...] | None, cutoff: date | None) -> Layout:
    """Cut *query* along its axes."""
    parts = _periods(query, cutoff)
    fixed = _longest_fixed(query.endpoint, parts)
    if isinstance(query, LineCrosses):
        series = _fan_out(query, locations, fixed)
    else:
        series = _time_zone_groups(query, locations, fixed)
    families: dict[int, list[int]] = {}
    for number, item in enumerate(series):
        families.setdefault(item.family, []).append(number)
    return Layout(
        endpoint=query.endpoint,
        parts=parts,
        series=tuple(series),
        families=tuple(tuple(members) for members in families.values()),
    )


# Periods and windows.


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
    # Asked for apart, each would be grouped by its own length: both get what the whole query means.
    return attrs.evolve(current, grouping=resolved), attrs.evolve(comparison, grouping=comparison.resolved)


def _cut(query: Query, period: str, window: Window, grouping: str, cutoff: date | None) -> Part:
    endpoint = query.endpoint
    forced = _forced_windows(endpoint, window, grouping)
    windows = forced
    unit = bucket_unit(grouping)
    at_most = _days_wanted(query.split, unit, window)
    if unit is not None and (at_most is not None or cutoff is not None):
        at_most = min(at_most or window.days, endpoint.max_days.get(grouping, window.days))
        pieces = _split_at(window, cutoff, unit)
        windows = tuple(tile for piece in pieces for tile in _TILES[unit](piece, at_most=at_most))
    return Part(period=period, windows=windows, grouping=None, resolved=grouping, forced=len(forced))


def _forced_windows(endpoint: DataEndpoint, window: Window, grouping: str) -> tuple[Window, ...]:
    if grouping in endpoint.within_year:
        return tuple(tile_years(window, at_most=1))
    return tuple(tile_days(window, at_most=endpoint.max_days.get(grouping, window.days)))


def _days_wanted(split: int | str | None, unit: str | None, window: Window) -> int | None:
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


def _fan_out(query: LineCrosses, locations: tuple[tuple[int, str], ...] | None, fixed: int) -> list[Series]:
    given: dict[str, tuple[int, ...] | None] = {field: getattr(query, name) for field, name in PER.items()}
    if query.per == "location" and given["location"] is None:
        given["location"] = tuple(id for id, _ in locations or ())
    apart = {field for field in ("location", "organization") if given[field] is not None} | ({query.per} - {None})
    fanned = [field for field in PER if field in apart]
    together = {field: ids for field, ids in given.items() if ids is not None and field not in apart}
    fixed += sum(len(PER[field]) + 24 for field in fanned)
    pieces = _chunk_lists(query.endpoint, {PER[field]: ids for field, ids in together.items()}, fixed)
    series = []
    for family, values in enumerate(product(*(given[field] or () for field in fanned))):
        carried = dict(zip(fanned, values, strict=True))
        for piece in pieces:
            params = {PER[field]: (value,) for field, value in carried.items()} | piece
            one_each = [f"{field} {carried[field]}" for field in fanned if len(given[field] or ()) > 1]
            series.append(
                Series(
                    params=_wire(LINE_CROSSES, params),
                    carried=FrozenMap(carried),
                    locations=(carried["location"],) if "location" in carried else None,
                    family=family,
                    why=", ".join(one_each + _piece_reason(query.endpoint, piece, pieces)),
                )
            )
    return series


def _time_zone_groups(
    query: ZoneVisitors | DropInRate, locations: tuple[tuple[int, str], ...] | None, fixed: int
) -> list[Series]:
    groups: list[tuple[str | None, tuple[int, ...] | None]]
    if locations is None:
        groups = [(query.tz, query.location)]
    else:
        by_zone: dict[str, list[int]] = {}
        for id, tz in locations:
            by_zone.setdefault(tz, []).append(id)
        if len(by_zone) <= 1:
            groups = [(name, query.location) for name in by_zone]  # one clock: what was not asked for is left out
        else:
            groups = [(name, tuple(members)) for name, members in by_zone.items()]
    sends_tz = isinstance(query, ZoneVisitors) or query.tz is not None
    zones_name = "zones" if isinstance(query, ZoneVisitors) else "zone"
    scalars = {name: getattr(query, name, None) for name in _SCALARS}
    series = []
    for number, (tz, ids) in enumerate(groups):
        lists = {"location": ids, zones_name: getattr(query, zones_name)}
        pieces = _chunk_lists(query.endpoint, {name: list_ for name, list_ in lists.items() if list_}, fixed)
        for piece in pieces:
            params = _wire(query.endpoint, piece)
            params += tuple((name, str(value)) for name, value in scalars.items() if value is not None)
            if sends_tz and tz is not None:
                params += (("tz", tz),)
            why = [f"time zone {tz}"] if len(groups) > 1 else []
            series.append(
                Series(
                    params=params,
                    tz=tz,
                    carried=FrozenMap(),
                    locations=piece.get("location"),
                    # Where pieces of one group are added up they belong together; groups stay apart by their rows' keys.
                    family=number,
                    why=", ".join(why + _piece_reason(query.endpoint, piece, pieces)),
                )
            )
    return series


def _wire(endpoint: DataEndpoint, params: Mapping[str, tuple[int, ...]]) -> tuple[tuple[str, str], ...]:
    # In the table's order, so that equal questions are equal on the wire.
    order = ("organization", "location", *endpoint.lists)
    return tuple((name, ",".join(map(str, params[name]))) for name in dict.fromkeys(order) if name in params)


# Long lists.


def _longest_fixed(endpoint: DataEndpoint, parts: Sequence[Part]) -> int:
    """Bytes of the target beside its lists, at most: path, dates, grouping, thresholds, the longest time zone name."""
    groupings = max(len(quote(part.grouping or "")) for part in parts)
    return len(endpoint.path) + groupings + 320


def _chunk_lists(
    endpoint: DataEndpoint, lists: Mapping[str, tuple[int, ...]], fixed: int
) -> list[dict[str, tuple[int, ...]]]:
    """Cut the lists that may be cut, so that every combination of their pieces fits a URL."""
    sizes = {name: len(name) + 2 + _text_length(ids) for name, ids in lists.items()}
    free = MAX_TARGET_BYTES - fixed - sum(sizes.values())
    if free >= 0:
        return [dict(lists)]
    cuttable = [name for name in endpoint.chunked if name in lists]
    room = MAX_TARGET_BYTES - fixed - sum(size for name, size in sizes.items() if name not in cuttable)
    if not cuttable or room < 64 * len(cuttable):
        name = max(sizes, key=lambda name: sizes[name] if name not in cuttable else 0)
        raise NotMergeableError(
            "count",
            f"{name} has {len(lists[name])} values, too many for one URL of {MAX_TARGET_BYTES} bytes, and a line may belong to several of them",
            f"Ask with fewer values of {name}, or for line_ids, whose counts do add up.",
        )
    # The shorter list keeps its place while it takes less than its share; the longer is cut to what is left.
    pieces: dict[str, list[tuple[int, ...]]] = {}
    for left, name in zip(range(len(cuttable), 0, -1), sorted(cuttable, key=sizes.__getitem__), strict=True):
        share = min(sizes[name], room // left)
        pieces[name] = list(_pack(lists[name], share - len(name) - 2))
        room -= share
    whole = {name: [ids] for name, ids in lists.items()}
    return [dict(zip(whole, combination, strict=True)) for combination in product(*(whole | pieces).values())]


def _text_length(ids: Sequence[int]) -> int:
    return sum(len(str(id)) for id in ids) + len(ids) - 1


def _pack(ids: Sequence[int], room: int) -> Iterator[tuple[int, ...]]:
    taken: list[int] = []
    length = 0
    for id in ids:
        size = len(str(id)) + 1
        if taken and length + size > room + 1:
            yield tuple(taken)
            taken, length = [], 0
        taken.append(id)
        length += size
    yield tuple(taken)


def _piece_reason(
    endpoint: DataEndpoint, piece: Mapping[str, tuple[int, ...]], pieces: Sequence[Mapping[str, tuple[int, ...]]]
) -> list[str]:
    if len(pieces) == 1:
        return []
    cut = [name for name in endpoint.chunked if len({p.get(name) for p in pieces}) > 1]
    return [f"{name} {piece[name][0]}…{piece[name][-1]} of a list too long for one URL" for name in cut]


# In words.

_SHOWN_SERIES = 12


def explain(query: Query, layout: Layout, selection: tuple[int, int] | None) -> str:
    """Describe the requests as a query plan does, from the question down to what is sent."""
    count = layout.count(selection)
    lines = [f"{layout.endpoint.name}: {_plural(count, 'request')}"]
    if selection is not None:
        lines.append(f"  shard: units {selection[0] + 1} to {selection[1]} of {layout.units}")
    for part in layout.parts:
        lines += _explain_part(query, part)
    lines += _explain_series(layout)
    lines.append(f"  merge: {_explain_merge(layout)}")
    targets = [fields for fields in _ends(layout, selection, count)]
    lines += [f"  {name}: {target}" for name, target in zip(("first", "last"), targets, strict=False)]
    return "\n".join(lines)


def _explain_part(query: Query, part: Part) -> Iterator[str]:
    first, last = part.windows[0].start, part.windows[-1].end
    whole = Window(first, last)
    grouping = f"by {part.resolved}" + ("" if part.grouping else " (the API's own choice)")
    yield f"  {'current' if part.period == 'both' else part.period} period: {whole}, {_plural(whole.days, 'day')}, {grouping}"
    if part.comparison is not None:
        yield f"  comparison period: {part.comparison}, in the same request"
    if len(part.windows) > 1:
        longest = max(window.days for window in part.windows)
        why = "the API's limit" if len(part.windows) == part.forced else f"split={query.split!r}"
        yield f"    in {len(part.windows)} windows of at most {_plural(longest, 'day')} ({why})"


def _explain_series(layout: Layout) -> Iterator[str]:
    if len(layout.series) == 1:
        sent = "&".join(f"{name}={text}" for name, text in layout.series[0].params)
        yield f"  each asks: {_shorten(sent) or 'everything the token may see'}"
        return
    yield f"  each window {len(layout.series)} times:"
    for series in layout.series[:_SHOWN_SERIES]:
        sent = "&".join(f"{name}={text}" for name, text in series.params)
        yield f"    {series.why}: {_shorten(sent)}"
    if len(layout.series) > _SHOWN_SERIES:
        yield f"    … and {len(layout.series) - _SHOWN_SERIES} more"


def _explain_merge(layout: Layout) -> str:
    added = any(len(members) > 1 for members in layout.families) and layout.endpoint.chunks_add
    repeated = any(part.rows_repeat and len(part.windows) > 1 for part in layout.parts)
    if len(layout.series) == 1 and all(len(part.windows) == 1 for part in layout.parts):
        return "nothing to merge"
    if layout.endpoint.name == "drop_in_rate":
        return "zones are united by id; passers-by and entries are added, rates recomputed from them; checked on the answers"
    if added or repeated:
        return "counts of rows with the same labels are added; any other row may come from one request only, which is checked"
    return "rows are put end to end; none may come from two requests, which is checked on the answers"


def _ends(layout: Layout, selection: tuple[int, int] | None, count: int) -> Iterator[str]:
    first, end = selection or (0, layout.units)
    for unit, position in ((first, 0), (end - 1, -1))[: min(count, 2)]:
        fields = list(layout.build((unit, unit + 1)))[position]
        yield _shorten("&".join(f"{name}={text}" for name, text in fields["params"].items()), 160)


def _shorten(text: str, width: int = 100) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
