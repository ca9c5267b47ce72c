"""What somebody meant who mistyped a command, an option or an endpoint."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

#: Words of other commands, and what they are called here. Looks alone would take --from for --format.
_MEANT: Mapping[str, tuple[str, ...]] = {
    "--from": ("--start-date",),
    "--since": ("--start-date",),
    "--start": ("--start-date",),
    "--begin": ("--start-date",),
    "--date": ("--start-date",),
    "--to": ("--end-date",),
    "--until": ("--end-date",),
    "--till": ("--end-date",),
    "--end": ("--end-date",),
    "--by": ("--aggregate-by", "--interval"),
    "--group-by": ("--aggregate-by", "--interval"),
    "--granularity": ("--aggregate-by", "--interval"),
    "--interval": ("--aggregate-by",),
    "--aggregate-by": ("--interval",),
    "--store": ("--location",),
    "--site": ("--location",),
    "--timezone": ("--tz",),
    "--time-zone": ("--tz",),
    "--output": ("--out",),
    "--file": ("--out",),
    "-o": ("--out",),
    "-f": ("--format",),
    "-v": ("--verbose",),
    "-n": ("--limit",),
    "--head": ("--limit",),
    "--top": ("--limit",),
    "--url": ("--base-url",),
    "--ca": ("--ca-file",),
    "--cacert": ("--ca-file",),
    "--api-key": ("--token",),
    "get": ("fetch",),
    "query": ("fetch",),
    "download": ("fetch",),
    "sync": ("export",),
    "explain": ("plan",),
    "list": ("locations",),
    "ls": ("locations",),
    "stores": ("locations",),
    "sites": ("locations",),
    "check": ("doctor",),
    "status": ("doctor",),
    "ping": ("doctor",),
    "mock": ("sandbox",),
    "serve": ("dashboard",),
    "autocomplete": ("completion",),
    "version": ("--version",),
    "visits": ("zone_visitors",),
    "crossings": ("line_crosses",),
    "conversion": ("drop_in_rate",),
}
_ALIKE = 0.7
#: Of a part of a name, which says less.
_PART_ALIKE = 0.8


def suggest(word: str, known: Collection[str]) -> str:
    """
    Ask whether one of *known* was meant by *word*; nothing where none is near.

    >>> suggest("--from", ["--format", "--start-date"]), suggest("fecth", ["fetch", "plan"]), suggest("x", ["plan"])
    ('; did you mean --start-date?', '; did you mean fetch?', '')
    """
    near = _find_near(word.lower(), known)
    return f"; did you mean {near}?" if near else ""


def _find_near(word: str, known: Collection[str]) -> str | None:
    dashed = {name.replace("_", "-").lower(): name for name in known}
    bare = word.replace("_", "-")
    if bare in dashed:
        return dashed[bare]
    for meant in _MEANT.get(word, ()):
        if meant in known:
            return meant
    longer = [name for name in dashed if name.startswith(bare)] if len(bare.strip("-")) > 1 else []
    if longer:
        return dashed[min(longer, key=len)]
    found = difflib.get_close_matches(bare, dashed, n=1, cutoff=_ALIKE)
    if found:
        return dashed[found[0]]
    # Part by part: somebody who writes "zone" of a name of two words knows it by half.
    parts = {part: name for name in dashed for part in name.strip("-").split("-") if len(part) > 3}
    found = difflib.get_close_matches(bare.strip("-"), parts, n=1, cutoff=_PART_ALIKE)
    return dashed[parts[found[0]]] if found else None
