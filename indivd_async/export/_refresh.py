"""
Ask again for the last days of an export, and let the new rows take the place of the old ones; or ask for further days.

Asking again is all or nothing: the new rows are staged, the parts that held old ones are written anew without them, and
a new manifest exchanges them. Further days are filled like those before them.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import reduce
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ConfigError
from ..models import Bucket
from ..models.clocks import first_instant
from ..planning import Plan
from ..queries import PER, DropInRate, LineCrosses, Query, ZoneVisitors
from ..results.arrow import scalar
from ..results.columns import Column
from . import Changes
from ._folder import Folder, Staged
from ._manifest import Manifest, Part
from ._units import Units

#: What tells a row from any other; the rest is what may change.
_KEY = ("period", *(field.name for field in attrs.fields(Bucket)), "zone_id", "loc_id", *PER)
_NO_VALUE = frozenset({*_KEY, "bucket_start", "tz"})
_TOTALS: Mapping[type, tuple[str, ...]] = {
    LineCrosses: ("count",),
    ZoneVisitors: ("visits",),
    DropInRate: ("visits", "passing_by"),
}


def plan_after(manifest: Manifest, query: Query, closed: date) -> tuple[Plan, ...]:
    """Plan *query*, which may end later than that of *manifest*, so that what comes after *closed* is asked apart."""
    plans = []
    for old in manifest.current_plans:
        new = Plan(
            attrs.evolve(old.query, end_date=query.end_date, split=query.split), locations=old.locations, cutoff=closed
        )
        before, after = (plan.layout.parts[0].resolved for plan in (old, new))
        if before != after:
            raise ConfigError(
                f"{{end_date}}: the rows there are by {before}; over the longer period the API would group by {after}. "
                "Export to another folder, and name the grouping"
            )
        plans.append(new)
    return tuple(plans)


def extend(manifest: Manifest, query: Query, ended: date) -> Manifest | None:
    """
    Let *manifest* ask for the days by which *query* is longer; None where these days change rows that are there.

    They do where a bucket is cut by the old end: a month, or what is asked for as a whole.
    """
    last = manifest.query.end_date
    plans = plan_after(manifest, query, last)
    units = [Units(plan) for plan in plans]
    done = [of.until(last) for of in units]
    if not all(first is not None and first > last for first in units[0].regions(done[0]).values()):
        return None
    missing = [
        (plan, there)
        for plan, there in zip(manifest.plans, manifest.done, strict=True)
        if len(there) < plan.layout.units
    ]
    return attrs.evolve(
        manifest,
        query=query,
        plans=(*(plan for plan, _ in missing), *plans),
        done=(*(there for _, there in missing), *map(frozenset, done)),
        closed=manifest.closed if manifest.closed < last else ended,
    )


def exchange(
    folder: Folder,
    query: Query,
    plans: Sequence[Plan],
    regions: Mapping[str, date | None],
    staged: Sequence[Staged],
    since: date,
    ended: date,
) -> Changes:
    """
    Let *staged* rows take the place of those in *regions*, and tell what is different.

    They were asked for when *ended* was the last day that had ended.
    """
    new = _index(row for batch in folder.read_staged(staged) for row in batch.to_pylist())
    old_rows: list[dict[str, Any]] = []
    rewritten, removed = [], []
    for part in folder.manifest.parts.values():
        if not _may_hold(part, regions):
            continue
        replaced: list[dict[str, Any]] = []
        kept = folder.stage(tuple(part.path.split("/")[:-1]), _keep(folder, part, regions, replaced))
        if not replaced:
            folder.discard([kept])
            continue
        old_rows += replaced
        removed.append(part.path)
        if kept.part.rows:
            rewritten.append(kept)
        else:
            folder.discard([kept])
    changes = _compare(query, _index(old_rows), new, since)
    if query == folder.manifest.query and not (changes.added or changes.removed or changes.changed):
        folder.discard(rewritten)
        folder.change(closed=ended)
        return changes
    whole = tuple(attrs.evolve(plan, cutoff=None) for plan in plans)
    folder.change(
        [*(one for one in staged if one.part.rows), *rewritten],
        removed,
        query=query,
        plans=whole,
        done=tuple(frozenset(range(plan.layout.units)) for plan in whole),
        closed=ended,
    )
    return changes


def _may_hold(part: Part, regions: Mapping[str, date | None]) -> bool:
    firsts = regions.values()
    return part.until is None or any(first is None or part.until >= first.isoformat() for first in firsts)


def _keep(
    folder: Folder, part: Part, regions: Mapping[str, date | None], replaced: list[dict[str, Any]]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of *part* that stay, and put the others into *replaced*."""
    for batch in folder.read([part]):
        goes = reduce(pc.or_, [_lies_in(batch, period, first) for period, first in regions.items()])
        replaced += batch.filter(goes).to_pylist()
        yield batch.filter(pc.invert(goes))


def _lies_in(batch: pa.RecordBatch, period: str, first: date | None) -> pa.Array:
    of_period = pc.equal(batch["period"], scalar(Column("period", "string"), period))
    if first is None:
        return of_period
    starts = batch["bucket_start"]
    tz = starts.type.tz
    local = datetime.combine(first, time())
    begin = scalar(Column("bucket_start", "timestamp", tz), local if tz is None else first_instant(local, tz))
    return pc.and_kleene(of_period, pc.and_kleene(pc.is_valid(starts), pc.greater_equal(starts, begin)))


_Indexed = dict[tuple[Any, ...], dict[str, Any]]


def _index(rows: Iterable[dict[str, Any]]) -> _Indexed:
    return {tuple([row.get(name) for name in _KEY]): row for row in rows}


def _compare(query: Query, old: _Indexed, new: _Indexed, since: date) -> Changes:
    both = old.keys() & new.keys()
    changed = sum(_values(old[key]) != _values(new[key]) for key in both)
    return Changes(
        since=since,
        added=len(new) - len(both),
        removed=len(old) - len(both),
        changed=changed,
        unchanged=len(both) - changed,
        totals={name: (_total(old, name), _total(new, name)) for name in _TOTALS[type(query)]},
    )


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _NO_VALUE}


def _total(rows: _Indexed, name: str) -> int:
    return sum(row[name] for row in rows.values())
