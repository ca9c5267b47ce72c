"""`indivd fetch`: one question, one answer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import attrs

from ..models import Bucket
from ..results import AnyResult
from ..results.tables import schema_of
from .arguments import DOCUMENT, FORMATS
from .connection import shows_progress
from .output import (
    BINARY,
    choose_format,
    open_output,
    say_missing,
    write_arrow,
    write_document,
    write_rows,
    write_table,
)
from .questions import asking
from .spelling import spell, tell, tell_note
from .terminal import say


def main(args: argparse.Namespace) -> int:
    """Fetch and write; 1 where something is missing."""
    form = choose_format(args, (*FORMATS, DOCUMENT))
    result = anyio.run(_fetch, args)
    names = [column.name for column in schema_of(result.plan.query)]
    failed = [(str(item.request), item.error) for item in result.coverage if item.status == "failed"]
    with open_output(args.out) as out:
        if form == DOCUMENT:
            beside = {
                "notes": [note.to_dict(spell) for note in result.notes],
                "complete": result.complete,
                "missing": [{"request": request, "error": error and tell(error)} for request, error in failed],
            }
            write_document(out, result.to_dicts(), beside, limit=args.limit)
        elif form in BINARY:
            write_arrow(out, form, result, limit=args.limit)
        elif form == "table":
            rows = result.to_dicts()
            write_table(out, *present(rows, names), args)
            say_clocks(rows)
        else:
            write_rows(out, form, result.to_dicts(), names, limit=args.limit)
    for note in result.notes:
        say(f"note: {tell_note(note)}", indent="  ")
    say_missing(failed)
    return 1 if failed else 0


async def _fetch(args: argparse.Namespace) -> AnyResult:
    async with asking(args, progress=shows_progress(args)) as (client, query):
        return await client.fetch(query)


def say_clocks(rows: Sequence[Mapping[str, Any]]) -> None:
    """Say whose hours stand below each other, where they are not of one clock."""
    clocks = sorted({row["tz"] for row in rows if row["tz"] and row["hour"] is not None})
    if len(clocks) > 1:
        say(f"hours are by each location's own clock: {', '.join(clocks)}", indent="  ")


#: How a figure was asked for: the clock is wide, too.
_SETTINGS = ("tz", "bounce_threshold")
_LABELS = tuple(field.name for field in attrs.fields(Bucket))


def present(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """
    Shorten rows, whose columns are *names*, for a table.

    The bucket becomes one column, an id and its name become one. Settings, and what is the same in every row, come
    last; a column that is empty, or the only period, does not come at all.
    """
    pairs = {name.removesuffix("_id"): name for name in names if name.endswith("_id")}
    pairs = {what: name for what, name in pairs.items() if f"{what}_name" in names}
    shortened = [
        {**row, "when": bucket_text(row)}
        | {what: _join(row[name], row[f"{what}_name"]) for what, name in pairs.items()}
        for row in rows
    ]
    hidden = {*_LABELS, "weekday", "period" * (len({row["period"] for row in rows}) < 2)}
    hidden |= {name for name in names if name.startswith("bucket_start")} | {f"{what}_name" for what in pairs}
    owners = {name: what for what, name in pairs.items()}
    columns = ["when", *[owners.get(name, name) for name in names if name not in hidden]]
    values = {name: {row[name] for row in shortened} for name in columns}
    told = [name for name in columns if values[name] - {None, ""}]
    last = [
        name
        for name in told
        if name.startswith(_SETTINGS) or (len(values[name]) == 1 and len(rows) > 1 and name != "when")
    ]
    return shortened, [name for name in told if name not in last] + last or ["when"]


def _join(id: object, name: object) -> str:
    return " ".join(str(part) for part in (id, name) if part is not None)


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def bucket_text(row: Mapping[str, Any]) -> str:
    """
    Write the labels of a bucket as people do.

    >>> bucket_text({"year": 2025, "month": 3, "dayofmonth": 1, "hour": 9})
    '2025-03-01 09:00'
    >>> bucket_text({"year": 2025, "week": 9})
    '2025 week 9'
    """
    labels = {name: row.get(name) for name in ("year", "month", "dayofmonth", "week", "dayofweek", "hour", "minute")}
    known = [name for name, label in labels.items() if label is not None]
    if known[:3] == ["year", "month", "dayofmonth"] and not {"week", "dayofweek"} & set(known):
        day = f"{labels['year']}-{labels['month']:02}-{labels['dayofmonth']:02}"
        if labels["hour"] is None:
            return day
        return f"{day} {labels['hour']:02}:{labels['minute'] or 0:02}"
    if known == ["year", "month"]:
        return f"{labels['year']}-{labels['month']:02}"
    start, weekday = row.get("bucket_start"), row.get("weekday")
    if start is not None and set(known) <= {"year", "month", "week"} and "week" in known:
        return f"week of {start:%Y-%m-%d}"
    spelled = {"year": str(labels["year"]), "dayofweek": weekday and _WEEKDAYS[weekday - 1]}
    words = [spelled.get(name) or f"{name} {labels[name]}" for name in known]
    return " ".join(words) or "whole period"
