"""`indivd doctor`: whether token, address, clock, scope and endpoints are as they should be, and what to do if not."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

import anyio
import attrs
import httpx

from ..client import AsyncIndivd
from ..errors import ConfigError, IndivdError
from ..escaping import escape_controls
from ..models import Location
from ..settings import RetryPolicy
from .connecting import make_client
from .spelling import tell
from .terminal import fit, make_console, say

if TYPE_CHECKING:
    from rich.text import Text

#: Seconds by which the two clocks may differ; days end by ours.
_CLOCK_TOLERANCE_S = 120
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


def main(args: argparse.Namespace) -> int:
    """Check, print a finding a line, and fail where one is bad."""
    found: list[Finding] = []
    console = None if args.json else make_console(sys.stdout)

    async def check() -> None:
        async for finding in examine(args):
            found.append(finding)
            if console is not None:
                console.print(_draw(finding), soft_wrap=True)

    anyio.run(check)
    if args.json:
        print(json.dumps([attrs.asdict(finding) for finding in found], indent=2))
    bad = sum(finding.state == "failed" for finding in found)
    say("all is well" if not bad else f"{bad} of {len(found)} checks failed")
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
    """Check one thing after the other, from the token outwards; what needs a check that failed is left out."""
    heard = _Heard()
    try:
        async with _client(args, heard) as client:
            yield Finding("ok", "token", "from --token" if args.token else "from INDIVD_TOKEN")
            where = "--base-url" if args.base_url else "INDIVD_BASE_URL" if os.environ.get("INDIVD_BASE_URL") else ""
            yield Finding("ok", "address", f"{client!r}".strip("<>").split()[-1] + (f", from {where}" if where else ""))
            began = time.perf_counter()
            try:
                locations = await client.locations()
            except IndivdError as error:
                yield Finding("failed", "service", tell(error))
                return
            yield Finding("ok", "service", f"answered in {time.perf_counter() - began:.2f} s")
            yield heard.judge()
            yield _judge_scope(locations)
            for name, ask in _questions(client, locations).items():
                yield await _try(name, ask)
    except ConfigError as error:
        yield Finding("failed", "configuration", tell(error))


@attrs.define
class _Heard:
    """The service's clock, as its last answer told it, beside ours."""

    theirs: datetime | None = None
    ours: datetime | None = None

    async def listen(self, response: httpx.Response) -> None:
        try:
            self.theirs = parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
            self.ours = datetime.now(UTC)
        except (KeyError, ValueError):
            pass

    def judge(self) -> Finding:
        """Compare the clocks."""
        if self.theirs is None or self.ours is None:
            return Finding("warning", "clock", "the service did not tell its time; that of this machine is not checked")
        apart_s = (self.ours - self.theirs).total_seconds()
        if abs(apart_s) <= _CLOCK_TOLERANCE_S:
            return Finding("ok", "clock", "agrees with the service's")
        return Finding(
            "failed",
            "clock",
            f"this machine is {abs(apart_s):,.0f} s {'ahead' if apart_s > 0 else 'behind'}: which days have ended is "
            "judged by its clock. Set it, by NTP for example",
        )


@asynccontextmanager
async def _client(args: argparse.Namespace, heard: _Heard) -> AsyncIterator[AsyncIndivd]:
    hooks: dict[str, list[Callable[..., Any]]] = {"response": [heard.listen]}
    async with (
        httpx.AsyncClient(trust_env=False, event_hooks=hooks) as http_client,
        make_client(args, http_client=http_client, retry=RetryPolicy(attempts=2)) as client,
    ):
        yield client


def _judge_scope(locations: tuple[Location, ...]) -> Finding:
    if not locations:
        return Finding("failed", "scope", "the token sees no location; ask Indivd to give it some")
    unknown = [str(location.id) for location in locations if not location.timezone]
    shown = ", ".join(f"{location.id} {location.name or ''}".strip() for location in locations[:4])
    more = f" and {len(locations) - 4} more" if len(locations) > 4 else ""
    if unknown:
        return Finding(
            "warning", "scope", f"{shown}{more}; no time zone is known of {', '.join(unknown)}: ask for these with --tz"
        )
    return Finding("ok", "scope", f"{len(locations)} locations: {shown}{more}")


def _questions(client: AsyncIndivd, locations: tuple[Location, ...]) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Name a small question to each data endpoint: one location, the seven days before today."""
    location = locations[0].id if locations else None
    last = date.today() - timedelta(days=1)
    first = last - timedelta(days=6)
    tz = "UTC" if not locations or not locations[0].timezone else None
    return {
        "line_crosses": lambda: client.line_crosses(first, last, location=location),
        "zone_visitors": lambda: client.zone_visitors(first, last, location=location, tz=tz),
        "drop_in_rate": lambda: client.drop_in_rate(first, last, location=location),
    }


async def _try(name: str, ask: Callable[[], Awaitable[Any]]) -> Finding:
    began = time.perf_counter()
    try:
        result = await ask()
    except IndivdError as error:
        return Finding("failed", name, tell(error))
    took = f"{time.perf_counter() - began:.2f} s"
    kinds = {note.kind for note in result.notes}
    if "unlicensed_metrics" in kinds:
        return Finding(
            "warning", name, f"{took}; visits only: the plan measures no unique visits, bounces and dwell times"
        )
    if not len(result):
        return Finding(
            "warning", name, f"{took}; no rows for the last 7 days: nothing is set up for it at this location"
        )
    return Finding("ok", name, f"{len(result)} rows for the last 7 days in {took}")
