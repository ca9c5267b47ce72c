"""Whether a question is that of an export, and what the export is to hold from now on. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import attrs

from ..errors import ConfigError
from ..planning import Plan, Window
from ..planning.windows import bucket_unit, default_grouping
from ..queries import DropInRate, LineCrosses, Query

PARTITIONS = ("location", "month")
#: Fields of a query that do not make another question, or that are looked at apart.
_APART = frozenset({"split", "on_error", "start_date", "end_date", "comparison_start_date", "comparison_end_date"})


@attrs.frozen(kw_only=True)
class Place:
    """Where an export goes, without credentials: what its option is called, and how another would be named."""

    option: str
    target: Path | str
    noun: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.target)

    def beside(self, suffix: str) -> str:
        """Name another one for what *suffix* tells: one that the option takes."""
        joint = "-" if isinstance(self.target, Path) else "_"
        return f"{self.name}{joint}{re.sub('[^A-Za-z0-9_]+', joint, suffix).strip(joint)}"

    def refuse(self, field: str, what: str, suffix: str) -> ConfigError:
        """Say that the export there is another question's, and where this one could go."""
        return ConfigError(
            f"{{{field}}}: {self.name} holds the export of another question ({what}); export to another {self.noun}, "
            f"such as {self.beside(suffix)}"
        )


def read_partition(partition: str | Sequence[str]) -> tuple[str, ...]:
    """Read "location,month", one of them, or "none"."""
    names = tuple(partition.split(",")) if isinstance(partition, str) else tuple(partition)
    if names in ((), ("none",)):
        return ()
    if len(set(names)) < len(names) or not set(names) <= set(PARTITIONS):
        raise ConfigError(f"{{partition}}: must be location,month, one of them, or none; got {','.join(names)!r}")
    return tuple(name for name in PARTITIONS if name in names)


def choose_partition(plan: Plan, partition: str | Sequence[str] | None) -> tuple[str, ...]:
    """Say how the rows of *plan* are put into folders: as they tell by themselves, or as *partition* says."""
    told = tuple(name for name, tells in (("location", _tells_location), ("month", _tells_month)) if tells(plan))
    names = told if partition is None else read_partition(partition)
    if "month" in names and "month" not in told:
        raise ConfigError(
            f"{{partition}}: rows by {plan.layout.parts[0].resolved} do not tell their month; take location or none"
        )
    return names


def _tells_location(plan: Plan) -> bool:
    query = plan.query
    if isinstance(query, LineCrosses):
        return query.location is not None or query.per == "location"
    if isinstance(query, DropInRate):
        return True
    single = query.location is not None and len(query.location) == 1
    return single or all("loc_id" in part.resolved.split(",") for part in plan.layout.parts)


def _tells_month(plan: Plan) -> bool:
    return all(bucket_unit(part.resolved) not in (None, "year") for part in plan.layout.parts)


def asks_each_location(query: Query, partition: Sequence[str]) -> bool:
    """
    Tell whether each location is asked for by itself.

    It is wherever that asks for the same rows: so each of them knows its location, a location can be asked for again,
    and no answer grows with the number of locations. Sums over all locations cannot be asked for so.
    """
    if not isinstance(query, LineCrosses):
        return True
    return query.location is not None or query.per == "location" or "location" in partition


def groupings_of(query: Query) -> dict[str, str]:
    """Name what each period is grouped by, also where that is left to the API."""
    endpoint = query.endpoint
    own = getattr(query, endpoint.grouping)
    current = own or default_grouping(endpoint, Window(query.start_date, query.end_date))
    other = getattr(query, endpoint.comparison_grouping or "", None)
    return {"current": current, **({"comparison": other or current} if len(periods_of(query)) > 1 else {})}


def periods_of(query: Query) -> dict[str, Window]:
    """Return the days of each period."""
    periods = {"current": Window(query.start_date, query.end_date)}
    if not isinstance(query, LineCrosses):
        start, end = query.comparison_start_date, query.comparison_end_date
        if start is not None and end is not None:
            periods["comparison"] = Window(start, end)
    return periods


def settle(old: Query, query: Query, partition: Sequence[str], place: Place, *, keep: bool, prune: bool) -> Query:
    """
    Return what an export of *old* is to hold when *query* is asked: its locations, and days that only *prune* takes.

    Raises ConfigError where that is another question.
    """
    if type(old) is not type(query):
        raise ConfigError(
            f"{{{place.option}}}: {place.name} holds an export of {old.endpoint.name}; export to another {place.noun}, "
            f"such as {place.beside(query.endpoint.name)}"
        )
    _check_filters(old, query, place)
    _check_locations(old, query, partition, place)
    changes: dict[str, Any] = {}
    for period, names in _DATES.items():
        before, after = (periods_of(question).get(period) for question in (old, query))
        if before is None or after is None:
            if before != after:
                raise place.refuse(names[0], f"{before or 'none'} there, {after or 'none'} here", period)
            continue
        if after.start > before.start and not (keep or prune):
            raise place.refuse(
                names[0],
                f"{before.start} there, {after.start} here. Days before {after.start} can stay ({{keep:True}}) "
                "or go ({prune:True})",
                f"from-{after.start}",
            )
        start = after.start if prune else min(before.start, after.start)
        changes |= dict(zip(names, (start, max(before.end, after.end)), strict=True))
    settled = attrs.evolve(query, **changes)
    _check_groupings(old, query, settled, place)
    return settled


_DATES = {
    "current": ("start_date", "end_date"),
    "comparison": ("comparison_start_date", "comparison_end_date"),
}


def _check_filters(old: Query, query: Query, place: Place) -> None:
    endpoint = query.endpoint
    apart = _APART | {"location", endpoint.grouping, endpoint.comparison_grouping}
    for field in attrs.fields(type(old)):
        there, here = getattr(old, field.name), getattr(query, field.name)
        if field.name in apart or _in_order(there) == _in_order(here):
            continue
        if field.name == "per" and {there, here} <= {None, "location"}:
            continue  # which follows from the locations
        words = _in_words(there), _in_words(here)
        raise place.refuse(field.name, f"{words[0]} there, {words[1]} here", f"{field.name}-{words[1]}")


def _check_locations(old: Query, query: Query, partition: Sequence[str], place: Place) -> None:
    there, here = old.location, query.location
    each = {asks_each_location(question, partition) for question in (old, query)}
    wider = here is None or (there is not None and set(there) <= set(here))
    if len(each) > 1 or not wider:
        words = [_in_words(ids) if ids is not None else "all" for ids in (there, here)]
        raise place.refuse("location", f"{words[0]} there, {words[1]} here", f"location-{words[1]}")


def _check_groupings(old: Query, query: Query, settled: Query, place: Place) -> None:
    endpoint = query.endpoint
    names = {"current": endpoint.grouping, "comparison": endpoint.comparison_grouping or endpoint.grouping}
    before = groupings_of(old)
    for period, after in groupings_of(settled).items():
        if sorted(after.split(",")) == sorted(before[period].split(",")):
            continue
        if getattr(query, names[period]) is None:
            raise ConfigError(
                f"{{end_date}}: the rows there are by {before[period]}; over the longer period the API would group by "
                f"{after}. Export to another {place.noun}, such as {place.beside(after)}, and name the grouping"
            )
        raise place.refuse(names[period], f"{before[period]} there, {after} here", after)


def first_day_kept(old: Query, settled: Query) -> dict[str, date]:
    """Return, for each period that begins later than it did, its first day."""
    before, after = periods_of(old), periods_of(settled)
    return {name: window.start for name, window in after.items() if window.start > before[name].start}


def _in_order(value: Any) -> Any:
    """Ids ask the same in whichever order they are named."""
    return sorted(value) if isinstance(value, tuple) else value


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)
