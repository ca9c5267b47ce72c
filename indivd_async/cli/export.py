"""`indivd export`: a folder of Parquet files, or a table, that can be interrupted and left alone."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import nullcontext
from pathlib import Path

import anyio
import attrs
import orjson

from ..export import Report, export
from ..export.report import word_totals
from ..progress import Display
from .connection import shows_progress
from .documents import escape_json
from .exits import NEEDS_LOOK
from .options import UsageError
from .output import say_missing
from .questions import asking
from .spelling import spell, tell, tell_note
from .terminal import say

#: Locations and months whose changes are listed.
_PLACES = 20


def main(args: argparse.Namespace) -> int:
    """Export, or go on with it; 1 where something is missing, 3 where all is there and something needs a look."""
    report = anyio.run(_export, args, _read_days(args.refresh))
    if args.json:
        sys.stdout.write(f"{_as_json(report)}\n")
    if not args.quiet or report.failures or report.needs_look:
        _tell(report, quiet=args.quiet)
    if not report.complete:
        return 1
    return NEEDS_LOOK if report.needs_look else 0


def _read_days(text: str | None) -> int | None:
    if text is None:
        return None
    days = re.fullmatch(r"([0-9]{1,5})d", text)
    if days is None:
        raise UsageError(f"--refresh: {text!r} is not a number of days such as 3d")
    return int(days[1])


async def _export(args: argparse.Namespace, refresh: int | None) -> Report:
    # A log needs no progress: it gets one line at the end.
    watched = shows_progress(args) and sys.stderr.isatty() and not args.quiet
    with Display().showing() if watched else nullcontext() as hear:
        async with asking(args) as (client, query):
            return await export(
                client,
                query,
                args.out,
                to=args.to,
                partition=args.partition,
                refresh=refresh,
                keep=args.keep,
                prune=args.prune,
                accept_empty=args.accept_empty,
                on_progress=hear,
            )


def _tell(report: Report, *, quiet: bool) -> None:
    """Say what there is to say, and all of it in one line at the end."""
    say_missing([(failure.request, failure.error) for failure in report.failures])
    for fate in report.locations:
        say(fate.message)
    for note in report.notes:
        say(f"note: {tell_note(note)}")
    if not quiet:
        _tell_more(report)
    if report.failures:
        say(f"{len(report.failures):,} requests failed; run the same command again to ask them again")
    say(str(report))


def _tell_more(report: Report) -> None:
    if report.changes is not None:
        say(f"asked again: {report.changes}", indent="  ")
        for place in report.changes.places[:_PLACES]:
            where = " ".join(
                [f"location {place.location}" if place.location is not None else "all", place.month or ""]
            ).rstrip()
            counts = f"{place.changed:,} changed, {place.added:,} new, {place.removed:,} gone"
            say(f"  {where}: {counts}; {word_totals(place.totals)}", indent="  ")
        more = len(report.changes.places) - _PLACES
        if more > 0:
            say(f"  and {more:,} more, which --json lists")
    if report.provisional_from is not None:
        say(f"days from {report.provisional_from} on may still grow; later runs ask for them again")
    if not report.failures and isinstance(report.path, Path):
        folder = str(report.path)
        say(f"as one table: polars.scan_parquet({folder!r}); DuckDB: FROM '{folder}/**/*.parquet'", indent="  ")


def _as_json(report: Report) -> str:
    document = {
        "path": str(report.path),
        "complete": report.complete,
        "rows": report.rows,
        "parts": report.parts,
        "requests": report.requests,
        "retries": report.retries,
        "seconds": round(report.seconds, 3),
        "failures": [{"request": failure.request, "error": tell(failure.error)} for failure in report.failures],
        "provisional_from": report.provisional_from,
        "notes": [note.to_dict(spell) for note in report.notes],
        "locations": [attrs.asdict(fate) for fate in report.locations],
        "needs_look": report.needs_look,
        "changes": None if report.changes is None else attrs.asdict(report.changes),
    }
    return escape_json(orjson.dumps(document)).decode()
