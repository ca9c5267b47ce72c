"""`indivd fetch`: one question, one answer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from ..results import AnyResult
from ..results.tables import schema_of
from .asking import asking
from .output import BINARY, choose_format, open_output, say_missing, write_arrow, write_rows, write_table
from .progress import Meter
from .spelling import tell_note
from .terminal import say


def main(args: argparse.Namespace) -> int:
    """Fetch and write; 1 where something is missing."""
    form = choose_format(args)
    result = anyio.run(_fetch, args)
    with open_output(args) as out:
        if form in BINARY:
            write_arrow(out, form, result, limit=args.limit)
        elif form == "table":
            rows, columns = present(result.to_dicts())
            write_table(out, rows, columns, args)
        else:
            names = [column.name for column in schema_of(result.plan.query)]
            write_rows(out, form, result.to_dicts(), names, limit=args.limit)
    _warn_of_numbers(result)
    for note in result.notes:
        say(f"note: {tell_note(note)}", indent="  ")
    failed = [(str(item.request), item.error) for item in result.coverage if item.status == "failed"]
    say_missing(failed)
    return 1 if failed else 0


async def _fetch(args: argparse.Namespace) -> AnyResult:
    with Meter("requests") as meter:
        async with asking(args, on_event=meter.hear) as (client, query):
            return await client.fetch(query)


def _warn_of_numbers(result: AnyResult) -> None:
    """Say that the numbers of weeks and weekdays are the API's, where nothing else says so or knows better."""
    if any(note.kind == "numbering_unknown" for note in result.notes):
        return
    labels = {"week", "dayofweek"} & {name for part in result.plan.layout.parts for name in part.resolved.split(",")}
    if labels:
        names = " and ".join(sorted(labels))
        say(f"note: {names} are the API's own numbers; which days they stand for is not known here", indent="  ")


#: What a person wants to see of a row, the more important first.
_SHOWN = (
    "when", "period", "loc", "organization", "floor", "zone", "zone_to", "zone_from", "category", "line",
    "count", "visits", "unique_visits", "passing_by", "enter", "drop_in_rate", "bounce", "dwell_mean_s", "dwell_q50_s",
    "dwell_q25_s", "dwell_q75_s", "dwell_n", "tz", "bounce_threshold_s", "dwell_min_s", "dwell_max_s",
    "visits_below_min_dwell", "visits_above_max_dwell",
)  # fmt: skip


def present(rows: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Shorten rows for a table: the bucket in one column, a zone with its name, and no column that says nothing."""
    shortened = [
        {
            **row,
            "when": bucket_text(row),
            "zone": _named(row.get("zone_id"), row.get("zone_name")),
            "loc": _named(row.get("loc_id"), row.get("loc_name")),
        }
        for row in rows
    ]
    columns = []
    for name in _SHOWN:
        values = {row.get(name) for row in shortened}
        if values - {None, ""} and not (
            name in ("period", "visits_below_min_dwell", "visits_above_max_dwell") and len(values) == 1
        ):
            columns.append(name)
    return shortened, columns or ["when"]


def _named(id: object, name: object) -> str:
    return " ".join(str(part) for part in (id, name) if part is not None)


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
    words = [str(labels[name]) if name == "year" else f"{name} {labels[name]}" for name in known]
    return " ".join(words) or "whole period"
