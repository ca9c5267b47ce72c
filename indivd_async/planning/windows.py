"""The days of a query, cut into windows: by what the API limits, and by what is better fetched in parallel. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import lru_cache, partial

import attrs

from ..fielded import Fielded
from ..models.clocks import ONE_DAY
from ..models.endpoints import DataEndpoint
from ..profile import NOTHING_KNOWN, WEEKS, Profile
from ..queries import LineCrosses, Query
from ..queries.fields import periods_of
from ..refusals import NotMergeableError


@attrs.frozen(eq=False, repr=False)
class Window(Fielded):
    """
    Whole days, both ends included.

    >>> Window(date(2024, 2, 28), date(2024, 3, 1)).days
    3
    """

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days, both ends counted."""
        return (self.end - self.start).days + 1

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start} to {self.end}"


def tile_days(window: Window, *, at_most: int) -> Iterator[Window]:
    """
    Cut *window* into consecutive windows of at most *at_most* days.

    They are in order, disjoint, and cover it exactly, so rows fetched for each can be put end to end.

    >>> [w.days for w in tile_days(Window(date(2024, 2, 28), date(2024, 3, 2)), at_most=3)]
    [3, 1]
    """
    # Count from the first day, never by months or years from it: stepping from the 31st, or from 29 February, skips.
    start = window.start
    while (window.end - start).days >= at_most:
        last = start + timedelta(days=at_most - 1)
        yield Window(start, last)
        start = last + ONE_DAY
    yield Window(start, window.end)


def tile_units(window: Window, unit_end: Callable[[date], date], *, at_most: int) -> Iterator[Window]:
    """
    Cut *window* where units end, into windows of at most *at_most* days, or of one unit where that is longer.

    *unit_end* tells the last day of the unit that a day is in.

    >>> [str(w) for w in tile_units(Window(date(2025, 1, 15), date(2025, 3, 31)), month_end, at_most=59)]
    ['2025-01-15 to 2025-02-28', '2025-03-01 to 2025-03-31']
    """
    start = window.start
    last = min(unit_end(start), window.end)
    while last < window.end:
        longer = min(unit_end(last + ONE_DAY), window.end)
        if (longer - start).days >= at_most:
            yield Window(start, last)
            start = last + ONE_DAY
        last = longer
    yield Window(start, last)


def year_end(day: date) -> date:
    return date(day.year, 12, 31)


def month_end(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1) - ONE_DAY if day < date(9999, 12, 1) else date.max


def week_end(day: date, *, numbering: str) -> date:
    """
    Return the last day of a week as it is numbered (`profile.WEEKS`).

    >>> week_end(date(2025, 12, 31), numbering="iso"), week_end(date(2025, 12, 31), numbering="sunday-0")
    (datetime.date(2026, 1, 4), datetime.date(2025, 12, 31))
    """
    label, last = WEEKS[numbering], day
    while last < date.max and label(last + ONE_DAY) == label(day):
        last += ONE_DAY
    return last


#: `split="auto"` cuts periods longer than this, to windows of this many days: enough answers in flight to fill the
#: lanes, none of them huge.
AUTO_DAYS = {"day": 62, "hour": 31, "minute": 31}
_ENDS = {"month": month_end, "year": year_end}
_DAY = {"year", "month", "dayofmonth"}
#: A label with those that it needs to tell a bucket.
PARENTS = {
    "month": "year,month",
    "week": "year,week",
    "dayofmonth": "year,month,dayofmonth",
    "hour": "year,month,dayofmonth,hour",
    "minute": "year,month,dayofmonth,hour,minute",
}
#: Label to the unit it counts and the labels that fix it, the finest first.
_UNITS: Mapping[str, tuple[str, set[str]]] = {
    "minute": ("minute", _DAY),
    "hour": ("hour", _DAY),
    "dayofmonth": ("day", _DAY),
    "month": ("month", {"year", "month"}),
    "year": ("year", {"year"}),
}


@lru_cache(maxsize=256)
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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Part(Fielded):
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


def default_grouping(endpoint: DataEndpoint, window: Window) -> str:
    """Name what the API groups by when it is not told, by the length of the whole period."""
    return next(name for days, name in endpoint.defaults if window.days <= days)


def cut_periods(query: Query, cutoff: date | None, profile: Profile = NOTHING_KNOWN) -> tuple[Part, ...]:
    """Cut the periods of *query*, and say by what each is to be grouped."""
    parts = _cut_periods(query, cutoff, profile)
    if not query.endpoint.combines or False not in (profile.hours_carry_dates, profile.labels_carry_parents):
        return parts
    # By one label alone this service tells no other; by all of them it tells them all. Locations are no label.
    spelled = PARENTS if profile.labels_carry_parents is False else {"hour": PARENTS["hour"]}
    named = [part.grouping.split(",") if part.grouping else [] for part in parts]
    asked = [
        [spelled.get(name, name) for name in names] if len({*names} - {"loc_id"}) == 1 else names for names in named
    ]
    return tuple(attrs.evolve(part, grouping=",".join(names) or None) for part, names in zip(parts, asked, strict=True))


def _cut_periods(query: Query, cutoff: date | None, profile: Profile) -> tuple[Part, ...]:
    endpoint = query.endpoint
    grouping: str | None = getattr(query, endpoint.grouping)
    own: str | None = getattr(query, endpoint.comparison_grouping or "", None)
    window, *others = (Window(start, end) for _, start, end in periods_of(query))
    resolved = grouping or default_grouping(endpoint, window)
    current = _cut(query, "current", window, resolved, cutoff, profile)
    if not others:
        return (attrs.evolve(current, grouping=resolved if len(current.windows) > 1 else grouping),)
    comparison = _cut(query, "comparison", others[0], own or resolved, cutoff, profile)
    if comparison.resolved == resolved and len(current.windows) == len(comparison.windows) == 1:
        return (attrs.evolve(current, period="both", grouping=grouping, comparison=others[0]),)
    # Asked for apart, each would be grouped by its own length: both are told what the whole query means, unless the
    # current period is asked for in one piece and the comparison has a grouping of its own.
    sent = grouping if own is not None and len(current.windows) == 1 else resolved
    return attrs.evolve(current, grouping=sent), attrs.evolve(comparison, grouping=comparison.resolved)


def _cut(query: Query, period: str, window: Window, grouping: str, cutoff: date | None, profile: Profile) -> Part:
    years = tile_units(window, year_end, at_most=1) if grouping in query.endpoint.within_year else (window,)
    forced = windows = tuple(tile for year in years for tile in _tile(query, year, grouping, profile))
    unit = bucket_unit(grouping)
    at_most = days_wanted(query.split, unit, window)
    if unit is not None and (at_most is not None or cutoff is not None):
        at_most = min(at_most or window.days, days_at_most(query.endpoint, grouping, profile) or window.days)
        pieces = _split_at(window, cutoff, unit)
        windows = tuple(tile for piece in pieces for tile in _tile_whole(piece, unit, at_most))
    return Part(period=period, windows=windows, grouping=None, resolved=grouping, forced=len(forced))


def _tile_whole(window: Window, unit: str, at_most: int) -> Iterator[Window]:
    """Cut *window* between buckets of *unit*."""
    return tile_units(window, _ENDS[unit], at_most=at_most) if unit in _ENDS else tile_days(window, at_most=at_most)


def days_at_most(endpoint: DataEndpoint, grouping: str, profile: Profile) -> int | None:
    """Return the most days that one request may ask by *grouping*, by the article and by what was measured."""
    unit = bucket_unit(grouping) or ("week" if _is_by_week(grouping) else "total")
    limits = (endpoint.max_days.get(grouping), profile.days_at_most(endpoint.name, unit))
    return min((days for days in limits if days is not None), default=None)


def _is_by_week(grouping: str) -> bool:
    return {"week"} <= set(grouping.split(",")) <= {"year", "week", "loc_id"}


def _tile(query: Query, window: Window, grouping: str, profile: Profile) -> tuple[Window, ...]:
    """Cut *window* where *grouping* allows it; NotMergeableError where its pieces could not be put together."""
    limit = days_at_most(query.endpoint, grouping, profile)
    if limit is None or window.days <= limit:
        return (window,)
    unit = bucket_unit(grouping)
    tiles: tuple[Window, ...] = (window,)
    if unit is not None:
        tiles = tuple(_tile_whole(window, unit, limit))
    elif _is_by_week(grouping) and profile.numbering.weeks is not None:
        ends = partial(week_end, numbering=profile.numbering.weeks)
        tiles = tuple(tile_units(window, ends, at_most=limit))
    elif isinstance(query, LineCrosses):  # counts that share a label are added up
        tiles = tuple(tile_days(window, at_most=limit))
    if max(tile.days for tile in tiles) > limit:
        raise NotMergeableError(
            grouping,
            f"this service answers {limit} days of {query.endpoint.name} by {grouping} at most, as its profile says, "
            f"and {window.days} days by {grouping} cannot be put together from several answers",
            f"Ask for at most {limit} days, or by day",
        )
    return tiles


def days_wanted(split: int | str | None, unit: str | None, window: Window) -> int | None:
    """Return the most days that *split* wants in one window of buckets of *unit*; None: it does not cut."""
    if isinstance(split, int):
        return split
    days = AUTO_DAYS.get(unit or "") if split == "auto" else None
    return days if days is not None and window.days > days else None


def _split_at(window: Window, cutoff: date | None, unit: str) -> list[Window]:
    if cutoff is None or not window.start <= cutoff < window.end:
        return [window]
    if unit in _ENDS:  # end where the last whole bucket before the cut-off does
        ends = [tile.end for tile in _tile_whole(window, unit, 1) if tile.end <= cutoff]
        if not ends:
            return [window]
        cutoff = ends[-1]
    return [Window(window.start, cutoff), Window(cutoff + ONE_DAY, window.end)]
