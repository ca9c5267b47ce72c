"""`indivd export`: a folder of Parquet files that can be interrupted."""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import nullcontext

import anyio
import attrs
import orjson

from ..export import Report, export
from ..progress import Display
from .asking import asking
from .connecting import shows_progress
from .options import UsageError
from .output import say_missing
from .spelling import tell
from .terminal import say


def main(args: argparse.Namespace) -> int:
    """Export, or go on with it; 1 where something is missing."""
    report = anyio.run(_export, args, _read_days(args.refresh))
    if args.json:
        sys.stdout.write(f"{_as_json(report)}\n")
    _tell(report)
    return 0 if report.complete else 1


def _read_days(text: str | None) -> int | None:
    if text is None:
        return None
    days = re.fullmatch(r"([0-9]{1,5})d", text)
    if days is None:
        raise UsageError(f"--refresh: {text!r} is not a number of days such as 3d")
    return int(days[1])


async def _export(args: argparse.Namespace, refresh: int | None) -> Report:
    with Display().showing() if shows_progress(args) else nullcontext() as hear:
        async with asking(args) as (client, query):
            return await export(client, query, args.out, partition=args.partition, refresh=refresh, on_progress=hear)


def _tell(report: Report) -> None:
    say_missing([(failure.request, failure.error) for failure in report.failures])
    if report.changes is not None:
        say(f"asked again: {report.changes}", indent="  ")
    parts = f"{report.parts:,} part{'s' if report.parts != 1 else ''}"
    say(f"{report.path}: {report.rows:,} rows in {parts}, {report.requests:,} requests answered")
    if report.provisional_from is not None:
        say(f"days from {report.provisional_from} on may still grow; later runs ask for them again")
    if report.failures:
        say(f"{len(report.failures):,} requests failed; run the same command again to ask them again")
    else:
        folder = str(report.path)
        say(f"as one table: polars.scan_parquet({folder!r}); DuckDB: FROM '{folder}/**/*.parquet'", indent="  ")


def _as_json(report: Report) -> str:
    document = {
        "path": str(report.path),
        "complete": report.complete,
        "requests": report.requests,
        "rows": report.rows,
        "parts": report.parts,
        "failures": [{"request": failure.request, "error": tell(failure.error)} for failure in report.failures],
        "provisional_from": report.provisional_from,
        "changes": None if report.changes is None else attrs.asdict(report.changes),
    }
    return orjson.dumps(document).decode()
