"""`indivd doctor`: whether token, address, clock, scope and endpoints are as they should be, and what to do if not."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import anyio
import attrs
import httpx

from .._version import __version__
from ..client import AsyncIndivd
from ..errors import ConfigError, IndivdError
from ..escaping import escape_controls
from ..models import Location
from ..queries import QUERIES
from ..settings import RetryPolicy
from ..wording import clip
from .connection import make_client, way_of
from .options import UsageError
from .spelling import spell, tell
from .terminal import check_rich, fit, make_console, say

if TYPE_CHECKING:
    from rich.text import Text

#: Seconds by which the two clocks may differ; days end by ours.
_CLOCK_TOLERANCE_S = 120
_NOT_CHECKED = "not checked"
#: Characters of a name.
_MOST_NAME = 40
_VERSIONS = "versions"
#: What answers come through, whose versions whoever reads a report wants to know.
_BENEATH = ("httpx", "httptools", "anyio", "orjson")
_QUESTIONS = tuple(QUERIES)
State = Literal["ok", "warning", "failed"]
_MARKS: Mapping[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "warning": ("note", "cyan"),
    "failed": ("FAILED", "red"),
}


@attrs.frozen
class Finding:
    """What one check found."""

    state: State
    subject: str
    message: str
    #: What there is to know about figures that were asked for.
    notes: tuple[dict[str, Any], ...] = ()


def main(args: argparse.Namespace) -> int:
    """Check, print a finding a line, and fail where one is bad."""
    found: list[Finding] = []
    console = None
    if not args.json:
        check_rich("; --json needs nothing")
        console = make_console(sys.stdout)

    async def check() -> None:
        async for finding in examine(args):
            found.append(finding)
            if console is not None:
                console.print(_draw(finding), soft_wrap=True)

    anyio.run(check)
    if args.json:
        print(json.dumps([attrs.asdict(finding) for finding in found], indent=2))
    bad = sum(finding.state == "failed" for finding in found)
    made = sum(finding.subject not in (_NOT_CHECKED, _VERSIONS) for finding in found)
    say("all is well" if not bad else f"{bad} of {made} checks failed")
    if not bad:
        say("whether figures are what they seem, `indivd verify` measures")
    return 1 if bad else 0


def _draw(finding: Finding) -> Text:
    from rich.text import Text

    mark, style = _MARKS[finding.state]
    start = f"{mark:<6} {finding.subject:<14} "
    text = Text(fit(start + escape_controls(finding.message), sys.stdout, indent=" " * len(start)))
    text.stylize(style, 0, 6)
    text.stylize("bold", 7, len(start))
    return text


async def examine(args: argparse.Namespace) -> AsyncIterator[Finding]:
    """Check one thing after the other, from the token outwards; what needs a check that failed is named at the end."""
    left = ["token", "address", "service", "clock", "scope", *_QUESTIONS]
    yield _tell_versions()
    try:
        async with make_client(args, retry=RetryPolicy(attempts=2)) as client:
            async for finding in _examine(client, args):
                yield finding
                left.remove(finding.subject)
                if finding.state == "failed" and finding.subject == "service":
                    break
    except (ConfigError, UsageError) as error:
        yield Finding("failed", "configuration", tell(error))
    if left:
        yield Finding("warning", _NOT_CHECKED, f"{', '.join(left)}: what failed must work first")


def _tell_versions() -> Finding:
    """Tell what runs here: no check, but half of every report of a fault."""
    runs = [f"indivd-async {__version__}", f"{platform.python_implementation()} {platform.python_version()}"]
    beneath = [f"{name} {version(name)}" for name in _BENEATH]
    return Finding("ok", _VERSIONS, ", ".join([*runs, f"{platform.system()} {platform.machine()}", *beneath]))


async def _examine(client: AsyncIndivd, args: argparse.Namespace) -> AsyncIterator[Finding]:
    address = f"{client!r}".strip("<>").split()[-1]
    where = "--base-url" if args.base_url else "INDIVD_BASE_URL" if os.environ.get("INDIVD_BASE_URL") else ""
    yield Finding("ok", "token", "from --token" if args.token else "from INDIVD_TOKEN")
    yield Finding("ok", "address", address + (f", from {where}" if where else ""))
    began = time.perf_counter()
    try:
        locations = await client.locations()
    except IndivdError as error:
        yield Finding("failed", "service", tell(error))
        return
    yield Finding("ok", "service", f"answered in {time.perf_counter() - began:.2f} s")
    yield await _judge_clock(address, args)
    yield _judge_scope(locations)
    for name in _QUESTIONS:
        yield await _try(name, client, locations)


async def _judge_clock(address: str, args: argparse.Namespace) -> Finding:
    """Compare the clock of this machine with that of the service, whose every answer tells it, a refusal too."""
    way = way_of(args)
    options = {"proxy": way.get("proxy"), "trust_env": args.trust_env, "verify": way.get("ssl_context", True)}
    try:
        async with httpx.AsyncClient(**options, timeout=10) as http_client:
            answer = await http_client.get(address)  # without the token: whatever stands there may see this
        theirs = parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (httpx.HTTPError, KeyError, ValueError):
        return Finding("warning", "clock", "the service did not tell its time; that of this machine is not checked")
    apart_s = (datetime.now(UTC) - theirs).total_seconds()
    if abs(apart_s) <= _CLOCK_TOLERANCE_S:
        return Finding("ok", "clock", "agrees with the service's")
    return Finding(
        "failed",
        "clock",
        f"this machine is {abs(apart_s):,.0f} s {'ahead' if apart_s > 0 else 'behind'}: which days have ended is "
        "judged by its clock. Set it, by NTP for example",
    )


def _judge_scope(locations: tuple[Location, ...]) -> Finding:
    if not locations:
        return Finding("failed", "scope", "the token sees no location; ask Indivd to give it some")
    unknown = [str(location.id) for location in locations if not location.timezone]
    shown = ", ".join(f"{one.id} {clip(one.name or '', _MOST_NAME)}".strip() for one in locations[:4])
    more = f" and {len(locations) - 4} more" if len(locations) > 4 else ""
    if unknown:
        return Finding(
            "warning", "scope", f"{shown}{more}; no time zone is known of {', '.join(unknown)}: ask for these with --tz"
        )
    return Finding("ok", "scope", f"{len(locations)} locations: {shown}{more}")


async def _try(name: str, client: AsyncIndivd, locations: tuple[Location, ...]) -> Finding:
    """Ask the data endpoint *name* a small question: one location, the seven days before today."""
    last = date.today() - timedelta(days=1)
    first = last - timedelta(days=6)
    location = locations[0].id if locations else None
    options: dict[str, Any] = {"location": location}
    if name == "zone_visitors" and (not locations or not locations[0].timezone):
        options["tz"] = "UTC"
    began = time.perf_counter()
    try:
        result = await client.fetch(QUERIES[name](first, last, **options))
    except IndivdError as error:
        return Finding("failed", name, tell(error))
    took = f"{time.perf_counter() - began:.2f} s"
    notes = tuple(note.to_dict(spell) for note in result.notes)
    if any(note.kind == "unlicensed_metrics" for note in result.notes):
        said = f"{took}; visits only: the plan measures no unique visits, bounces and dwell times"
        return Finding("warning", name, said, notes)
    if not len(result):
        return Finding(
            "warning", name, f"{took}; no rows for the last 7 days: nothing is set up for it at this location"
        )
    return Finding("ok", name, f"{len(result)} rows for the last 7 days in {took}", notes)
