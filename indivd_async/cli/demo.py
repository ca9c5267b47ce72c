"""`indivd demo`: the main job, end to end, over real HTTP, in a minute of reading."""

from __future__ import annotations

import argparse
import math
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from ..client import AsyncIndivd
from ..models import Location
from ..queries import DropInRate, LineCrosses, ZoneVisitors
from ..results import DropInRateResult, LineCrossesResult, ZoneVisitorsResult
from ..time_zones import is_time_zone, zone_of
from ..wall_clock import utc_now
from .connection import make_client
from .spelling import tell_note
from .terminal import draw_tables, make_console, show, size_of

if TYPE_CHECKING:
    from rich.bar import Bar
    from rich.console import Console
    from rich.text import Text

#: As wide as a terminal always is: what is shown may be pasted anywhere.
_WIDTH = 80
_DAYS = 28
_PLACES = 4
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: Of so many of the sandbox's answers one fails, to be asked for again.
_FAILS_EVERY = 20
_BLOCKS = " ▁▂▃▄▅▆▇█"
#: Of the terminal's 256 colours, from cold to hot.
_HEAT = (236, 24, 31, 37, 72, 107, 142, 178, 214, 208, 202)


def main(args: argparse.Namespace) -> int:
    """Show it."""
    anyio.run(_demo, args)
    return 0


async def _demo(args: argparse.Namespace) -> None:
    page = Page(make_console(sys.stdout, width=min(_WIDTH, size_of(sys.stdout).columns)))
    began = time.perf_counter()
    async with _connect(args, page) as client:
        await _show(client, page)
        _show_cost(client, page, time.perf_counter() - began, live=args.live)


@asynccontextmanager
async def _connect(args: argparse.Namespace, page: Page) -> AsyncIterator[AsyncIndivd]:
    if args.live:
        async with make_client(args) as client:
            page.title("Indivd, the real service")
            yield client
        return
    from .. import sandbox

    faults = sandbox.Faults(hook=failing_once(), retry_after="0")
    async with (
        sandbox.serving(sandbox.app(faults=faults)) as url,
        make_client(args, token="sandbox", base_url=url) as client,  # noqa: S106  of the sandbox
    ):
        page.title("Indivd, on made-up visitors")
        page.say(f"A sandbox that behaves as the API does listens on {url};")
        page.say(f"{100 / _FAILS_EVERY:.0f} % of its answers fail on purpose, to be asked for again.")
        yield client


def failing_once() -> Callable[[int, str, dict[str, str]], int | None]:
    """Return what fails requests now and then, but none twice: three times in a row would end the demo."""
    failed: set[tuple[object, ...]] = set()

    def fail(number: int, path: str, params: dict[str, str]) -> int | None:
        asked = (path, *params.items())
        if number % _FAILS_EVERY or asked in failed:
            return None
        failed.add(asked)
        return (500, 503, 502)[len(failed) % 3]

    return fail


@attrs.frozen
class Page:
    """Where the demo writes: stdout, as wide as it may be."""

    console: Console

    @property
    def width(self) -> int:
        """Columns."""
        return self.console.width

    def title(self, text: str) -> None:
        """Begin the page."""
        self.console.print(text, style="bold")

    def head(self, text: str) -> None:
        """Begin a part of the page."""
        rest = "─" * max(0, self.width - len(text) - 4)
        self.console.print(f"\n── {text} {rest}", style="cyan")

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(show(text), no_wrap=True, overflow="ellipsis")

    def table(self, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
        """Print a table."""
        tables, _ = draw_tables(rows, columns, width=self.width)
        self.console.print(*tables)

    def chart(self, rows: Sequence[Sequence[Any]], widths: Sequence[int]) -> None:
        """Print rows of texts and bars, in columns of *widths*."""
        from rich.table import Table

        grid = Table.grid(padding=(0, 1))
        for width in widths:
            grid.add_column(width=width, no_wrap=True, overflow="ellipsis")
        for row in rows:
            grid.add_row(*row)
        self.console.print(grid)


def sparkline(values: Sequence[float]) -> str:
    """
    Draw *values* as blocks, the largest the highest.

    >>> sparkline([0, 1, 4, 8])
    ' ▁▄█'
    """
    top = max(values, default=0) or 1
    return "".join(_BLOCKS[_step(value / top, len(_BLOCKS))] for value in values)


def _step(share: float, steps: int) -> int:
    """Return which of *steps* a share belongs to; only nothing at all is in the first."""
    return min(max(0, math.ceil(share * (steps - 1))), steps - 1)


async def _show(client: AsyncIndivd, page: Page) -> None:
    places = await client.locations()
    _show_places(page, places)
    chosen = _choose(places)
    ids = [place.id for place in chosen]
    # The day before yesterday is over everywhere on earth.
    last = utc_now().date() - timedelta(days=2)
    first = last - timedelta(days=_DAYS - 1)
    before = first - timedelta(days=_DAYS)

    lines = LineCrosses(last - timedelta(days=13 * 7 - 1), last, aggregate_by="hour", location=ids)
    page.head("A question beyond the API's limits becomes a plan")
    page.say(f"Thirteen weeks of hourly crossings at {len(ids)} locations, in one call. It takes:")
    for line in (await client.plan(lines)).explain().splitlines():
        page.say(f"  {line}")

    hours = ZoneVisitors(first, last, location=ids, aggregate_by="hour")
    zones = ZoneVisitors(
        first,
        last,
        location=ids,
        aggregate_by="zone",
        comparison_start_date=before,
        comparison_end_date=first - timedelta(days=1),
    )
    drop_in = DropInRate(first, last, location=ids)
    results: Any = await client.fetch_all([lines, hours, zones, drop_in])
    crossings, by_hour, by_zone, funnel = results
    names = {place.id: place.name or str(place.id) for place in places}
    homes = {zone.id: names.get(zone.location or 0, "") for zone in await client.zones()}
    period = f"{first} to {last}"
    _show_lines(page, crossings, names)
    _show_week(page, by_hour, period)
    _show_zones(page, by_zone, homes, period)
    _show_funnel(page, funnel)
    notes = dict.fromkeys(tell_note(note) for result in results for note in result.notes)
    if notes:
        page.head("What the client noticed")
        for note in notes:
            for line in _wrap(note, page.width):
                page.say(line)


def _choose(places: Sequence[Location]) -> list[Location]:
    """Choose a few locations, of as many time zones as there are."""
    by_zone: dict[str, list[Location]] = defaultdict(list)
    for place in places:
        if place.timezone and is_time_zone(place.timezone):
            by_zone[place.timezone].append(place)
    firsts = [members[0] for members in by_zone.values()]
    others = [place for members in by_zone.values() for place in members[1:]]
    return [*firsts, *others][:_PLACES]


def _show_places(page: Page, places: Sequence[Location]) -> None:
    page.head(f"{len(places)} locations, each on its own clock")
    now = utc_now()
    rows = [
        {
            "id": place.id,
            "location": place.name,
            "city": place.city,
            "time zone": place.timezone,
            "now": now.astimezone(zone_of(place.timezone)).strftime("%a %H:%M")
            if place.timezone and is_time_zone(place.timezone)
            else None,
        }
        for place in places[:12]
    ]
    page.table(rows, ("id", "location", "city", "time zone", "now"))


def _show_week(page: Page, result: ZoneVisitorsResult, period: str) -> None:
    sums: dict[tuple[int, int], int] = defaultdict(int)
    days: dict[int, set[date]] = defaultdict(set)
    for row in result:
        start = row.aggregation.bucket.start()
        if start is not None:
            sums[start.weekday(), start.hour] += row.visits
            days[start.weekday()].add(start.date())
    page.head("zone_visitors: visits by hour and weekday, local time")
    page.say(f"{result.total('visits'):,} visits, {period}; a cell is the mean of its weekday")
    means = {cell: visits / len(days[cell[0]]) for cell, visits in sums.items()}
    top = max(means.values(), default=0) or 1
    page.say("     " + "".join(f"{hour:<6}" for hour in range(0, 24, 2)))
    for weekday, name in enumerate(_WEEKDAYS):
        shares = [means.get((weekday, hour), 0) / top for hour in range(24)]
        page.console.print(_heat(page, shares, before=f"{name}  "))
    scale = [step / 8 for step in range(1, 9)]
    page.console.print(_heat(page, scale, before="     0 ", after=f" {top:,.0f} visits an hour"))


def _heat(page: Page, shares: Sequence[float], *, before: str, after: str = "") -> Text:
    """Draw a cell a share from 0 to 1: a coloured field, or where there are no colours blocks the higher the more."""
    from rich.text import Text

    text = Text(before, no_wrap=True)
    for share in shares:
        if page.console.color_system is None:
            text.append(_BLOCKS[_step(share, len(_BLOCKS))] * 2 + " ")
        else:
            text.append("   ", style=f"on color({_HEAT[_step(share, len(_HEAT))]})" if share > 0 else "")
    return text.append(after)


def _show_zones(page: Page, result: ZoneVisitorsResult, homes: Mapping[int, str], period: str) -> None:
    page.head("zone_visitors: the zones, and the change from the four weeks before")
    page.say(f"{period}; dwell: the quartiles, in seconds")
    before = {row.aggregation.zone_id: row.visits for row in (result.comparison.insights if result.comparison else ())}
    rows = []
    for row in sorted(result, key=lambda row: -row.visits)[:8]:
        zone, stats = row.aggregation, row.dwell_time_stats
        earlier = before.get(zone.zone_id)
        rows.append(
            {
                "zone": f"{zone.zone_id} {zone.zone_name or ''}",
                "location": homes.get(zone.zone_id),
                "visits": row.visits,
                "change": f"{100 * (row.visits - earlier) / earlier:+.0f} %" if earlier else "",
                "people": row.unique_visits,
                "bounced": "" if row.bounce is None else f"{100 * row.bounce / max(row.visits, 1):.0f} %",
                "dwell": " ".join(f"{one:.0f}" for one in (stats and stats.quantiles) or ()),
            }
        )
    page.table(rows, ("zone", "location", "visits", "change", "people", "bounced", "dwell"))


def _show_lines(page: Page, result: LineCrossesResult, names: Mapping[int, str]) -> None:
    page.head("line_crosses: a series for each location, by hour of the day")
    by_place: dict[int, list[int]] = defaultdict(lambda: [0] * 24)
    for row in result:
        by_place[row.location or 0][row.bucket.hour or 0] += row.count
    rows = [
        [show(names.get(place)), f"{sum(counts):>9,}", f" {sparkline(counts)}"] for place, counts in by_place.items()
    ]
    page.chart([["", "crossings", " 0     6     12    18"], *rows], (18, 9, 26))


def _show_funnel(page: Page, result: DropInRateResult) -> None:
    page.head("drop_in_rate: of those who pass, how many come in")
    zones = sorted(result.zone_details.current.values(), key=lambda zone: -zone.total_passing_by)[:6]
    top = max((zone.total_passing_by for zone in zones), default=0) or 1
    rows: list[list[Any]] = []
    for zone in zones:
        share = "" if zone.drop_in_rate is None else f"{zone.drop_in_rate:.0f} %"
        passed, entered = zone.total_passing_by, zone.total_visits
        rows.append([show(f"{zone.zone_name} · {zone.loc_name}"), _bar(passed, top), f"{passed:>7,}", ""])
        rows.append(["  came in", _bar(entered, top, "green"), f"{entered:>7,}", f"{share:>5}"])
    page.chart(rows, (32, page.width - 48, 7, 5))
    summary = result.summary.current
    if summary.enter_percentage is not None:
        page.say(
            f"all {len(result.zone_details.current)} zones together {summary.enter:,} of {summary.passing_by:,}: "
            f"{summary.enter_percentage:.1f} %, from the counts"
        )


def _bar(value: float, top: float, color: str = "default") -> Bar:
    from rich.bar import Bar

    return Bar(top, 0, value, color=color)


def _show_cost(client: AsyncIndivd, page: Page, seconds: float, *, live: bool) -> None:
    stats = client.stats
    page.head("What it took")
    page.say(
        f"{stats.requests} requests, at most {stats.peak_in_flight} at once; {stats.retries} asked again; "
        f"{stats.bytes / 1024:,.0f} KB; {seconds:.1f} s"
    )
    page.say("next: indivd fetch --help" if live else "next: indivd dashboard; INDIVD_TOKEN=… indivd demo --live")


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="· ", subsequent_indent="  ")
