"""What the command line takes: one table of the query parameters, and a parser made from it."""

from __future__ import annotations

import argparse
import difflib
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NoReturn

import attrs

from .._version import __version__
from ..queries import QUERIES, Query
from .dates import FORMS, read_day
from .spelling import flag
from .terminal import say

_NAME = "indivd"
FORMATS = ("table", "json", "ndjson", "csv", "parquet", "arrow")
LIST_FORMATS = ("table", "json", "ndjson", "csv")
LISTINGS = ("locations", "zones", "categories", "lines", "organizations")


_EPILOG = """example:
  indivd demo
  indivd locations
  indivd fetch zone_visitors --start-date -7d --end-date yesterday

environment: INDIVD_TOKEN, INDIVD_BASE_URL, NO_COLOR
exit codes: 0 it worked, 1 it failed, 2 wrong usage, 130 interrupted"""


class UsageError(Exception):
    """The command was called wrongly."""


def _ids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 124,125") from None


def _split(text: str) -> int | str | None:
    if text == "none":
        return None
    return int(text) if text.isdigit() else text


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def _port(text: str) -> int:
    port = _whole(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{port} is not a port; they go from 0 to 65535")
    return port


@attrs.frozen
class _Option:
    metavar: str
    help: str
    read: Callable[[str], Any] = str


#: The parameters of the three queries, by their own names, in the order of the help.
_OPTIONS: Mapping[str, _Option] = {
    "start_date": _Option("DAY", f"first day: {FORMS}"),
    "end_date": _Option("DAY", "last day, which belongs to the period"),
    "comparison_start_date": _Option("DAY", "first day of a second period"),
    "comparison_end_date": _Option("DAY", "last day of it"),
    "aggregate_by": _Option(
        "UNITS",
        "year, month, week, dayofmonth, dayofweek, hour, minute; zone_visitors also "
        "loc_id, several with commas, and zone",
    ),
    "comparison_aggregate_by": _Option("UNITS", "another grouping for the second period"),
    "interval": _Option("UNIT", "year, month, week, day, hour"),
    "comparison_interval": _Option("UNIT", "another interval for the second period"),
    "organization": _Option("IDS", "organisations", _ids),
    "location": _Option("IDS", "locations; all that the token may see by default", _ids),
    "floor": _Option("FLOORS", "floors, basements below 0", _ids),
    "zone_to": _Option("IDS", "lines that lead into these zones", _ids),
    "zone_from": _Option("IDS", "lines that lead out of these zones", _ids),
    "category": _Option("IDS", "lines of these categories", _ids),
    "line_ids": _Option("IDS", "these lines", _ids),
    "zones": _Option("IDS", "zones", _ids),
    "zone": _Option("IDS", "zones", _ids),
    "bounce_threshold": _Option("SECONDS", "0 for none, -1 for each zone's own", _whole),
    "min_dwell": _Option("SECONDS", "tell shorter visits apart", _whole),
    "max_dwell": _Option("SECONDS", "tell longer visits apart", _whole),
    "tz": _Option("ZONE", "one clock for all, such as Europe/Stockholm; each location's own by default"),
    "per": _Option("WHAT", "one series a location, organization, floor, zone_to, zone_from, category or line"),
    "split": _Option("DAYS", "auto, none, or at most so many days a request", _split),
    "on_error": _Option("HOW", "raise (the default), or collect: finish the rest, list what failed"),
}
#: Nobody was counted before, and nobody will be after: a slip there would ask for centuries, day by day.
_FIRST_DAY, _LAST_DAY = "2000-01-01", "2099-12-31"
_DAYS = tuple(name for name in _OPTIONS if name.endswith("_date"))
_FIELDS = {name: {field.name for field in attrs.fields(query)} for name, query in QUERIES.items()}


def join_negative(argv: Sequence[str]) -> list[str]:
    """
    Join an option with a value that begins with a minus, which argparse would take for another option.

    >>> join_negative(["--floor", "-1,0", "--start-date", "-7d"])
    ['--floor=-1,0', '--start-date=-7d']
    """
    joined: list[str] = []
    for word in argv:
        before = joined[-1] if joined else ""
        if re.match(r"-[0-9]", word) and before.startswith("--") and "=" not in before and before != "--":
            joined[-1] = f"{before}={word}"
        else:
            joined.append(word)
    return joined


def make_query(args: argparse.Namespace, today: date) -> Query:
    """Make the query that *args* ask for, seen from *today*."""
    endpoint: str = args.endpoint
    given = {name: value for name in _OPTIONS if (value := getattr(args, name, None)) is not None}
    if getattr(args, "split", "") is None:
        given["split"] = None
    for name in given:
        if name not in _FIELDS[endpoint]:
            near = difflib.get_close_matches(name, [known for known in _OPTIONS if known in _FIELDS[endpoint]], n=1)
            hint = f"; did you mean {flag(near[0])}?" if near else ""
            raise UsageError(f"{flag(name)} is not a parameter of {endpoint}{hint}")
    for name in _DAYS:
        if name in given:
            try:
                day = given[name] = read_day(given[name], today=today, last=name.endswith("end_date"))
            except ValueError as error:
                raise UsageError(f"{flag(name)}: {error}") from None
            if not _FIRST_DAY <= str(day) <= _LAST_DAY:
                raise UsageError(f"{flag(name)}: {day} is not a day from {_FIRST_DAY} to {_LAST_DAY}")
    for name in ("start_date", "end_date"):
        if name not in given:
            raise UsageError(f"{flag(name)} is required: {FORMS}")
    return QUERIES[endpoint](**given)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as the rest of the command does: the whole usage, which argparse prints, would hide it."""

    def error(self, message: str) -> NoReturn:
        say(f"indivd: {message}\ntry: {self.prog} --help")
        self.exit(2)

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        # Before argparse does, which takes what follows a misspelt --token for something else, and shows it.
        known = {"--help": ""} | dict(re.findall(r"(?<![^ \[])(--?[a-z-]+)( [A-Z{]+)?", self.format_usage()))
        words = iter(args)
        for word in words:
            name, equals, _ = word.partition("=")
            if name == "--" or (self.prog == _NAME and not name.startswith("-")):
                break  # what follows is the command's
            if name.startswith("-") and name not in known:
                near = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
                self.error(f"there is no {name}" + (f"; did you mean {near[0]}?" if near else ""))
            if known.get(name) and not equals:
                next(words, None)
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"there is no {left[0]}")
        return found, left


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command."""
    parser = _Parser(
        prog=_NAME,
        description="Ask Indivd's visitor analytics: data to stdout, messages to stderr.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"indivd {__version__}")
    _add_client_options(parser, default=None)
    commands = _Commands(parser.add_subparsers(dest="command", metavar="COMMAND", required=True))
    _add_demo(commands)
    for name in LISTINGS:
        _add_listing(commands, name)
    _add_fetch(commands)
    _add_plan(commands)
    _add_export(commands)
    _add_doctor(commands)
    _add_dashboard(commands)
    _add_sandbox(commands)
    commands.finish()
    return parser


def _add_client_options(parser: argparse.ArgumentParser, *, default: Any) -> None:
    group = parser.add_argument_group("the service")
    add = group.add_argument
    add(
        "--token",
        metavar="TOKEN",
        default=default,
        help="else INDIVD_TOKEN, which other users of the machine do not see",
    )
    add("--base-url", metavar="URL", default=default, help="else INDIVD_BASE_URL, else the service itself")
    add("--concurrency", metavar="N", type=_whole, default=default, help="requests in the air at once")
    add("--requests-per-second", metavar="N", type=float, default=default, help="for services that limit them")
    add("--timeout", metavar="SECONDS", type=float, default=default, help="for one request, with its retries")
    add("--total-timeout", metavar="SECONDS", type=float, default=default, help="for all that a question takes")
    add("--allow-http", action="store_true", default=default or False, help="also to hosts other than this machine")


class _Commands:
    """Adds subcommands that look alike."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers
        self._made: list[argparse.ArgumentParser] = []

    def add(
        self, name: str, module: str, summary: str, example: str, *, after_interrupt: str = ""
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._subparsers.add_parser(
            name,
            help=summary,
            description=textwrap.fill(f"{summary[0].upper()}{summary[1:]}.", 78),
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        parser.set_defaults(module=module, after_interrupt=after_interrupt)
        self._made.append(parser)
        return parser

    def finish(self) -> None:
        """Add what all have, at the end of their help."""
        for parser in self._made:
            # Given before the command or after it: only what is given here may replace what was given there.
            _add_client_options(parser, default=argparse.SUPPRESS)


def _add_query_options(parser: argparse.ArgumentParser, *, without: tuple[str, ...] = ()) -> None:
    parser.add_argument("endpoint", metavar="ENDPOINT", choices=tuple(QUERIES), help=f"one of {', '.join(QUERIES)}")
    group = parser.add_argument_group("the question, as in the API (lists with commas)")
    for name, option in _OPTIONS.items():
        if name in without:
            continue
        takers = [endpoint for endpoint, fields in _FIELDS.items() if name in fields]
        only = "" if len(takers) == len(QUERIES) else f" ({', '.join(takers)})"
        default = "auto" if name == "split" else None
        group.add_argument(
            flag(name), metavar=option.metavar, type=option.read, default=default, help=option.help + only
        )


def _add_output_options(parser: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    group = parser.add_argument_group("the output")
    group.add_argument("--format", choices=formats, help="table by default, or what the name of --out ends in")
    group.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    group.add_argument("--out", metavar="FILE", help="write there instead of stdout, whole or not at all")


def _add_demo(commands: _Commands) -> None:
    parser = commands.add("demo", ".demo", "show what this does, on made-up visitors", "indivd demo")
    parser.add_argument("--live", action="store_true", help="ask the real service (with --token or INDIVD_TOKEN)")


def _add_listing(commands: _Commands, name: str) -> None:
    parser = commands.add(name, ".listing", f"list the {name} that the token may see", f"indivd {name} --format csv")
    _add_output_options(parser, LIST_FORMATS)


def _add_fetch(commands: _Commands) -> None:
    example = "indivd fetch zone_visitors --start-date -7d --end-date today --location 124"
    parser = commands.add(
        "fetch",
        ".fetch",
        "fetch the answer to a question, however many requests it takes",
        example,
        after_interrupt="; nothing was kept. `indivd export` keeps what it has and goes on where it was",
    )
    _add_query_options(parser)
    _add_output_options(parser, FORMATS)


def _add_plan(commands: _Commands) -> None:
    example = "indivd plan line_crosses --start-date 2025 --end-date 2025 --per location"
    summary = "show which requests a question takes, and why; nothing is sent but a look-up of locations"
    parser = commands.add("plan", ".plan", summary, example)
    _add_query_options(parser, without=("on_error",))
    parser.add_argument("--json", action="store_true", help="print the plan as JSON, as `Plan.from_json` reads it")


def _add_export(commands: _Commands) -> None:
    example = (
        "indivd export zone_visitors --start-date 2025 --end-date yesterday \\\n    --aggregate-by hour --out visits"
    )
    summary = (
        "export an answer to a folder of Parquet files; run again, it goes on where it was, and asks for the days "
        "that a later --end-date adds"
    )
    parser = commands.add(
        "export",
        ".export",
        summary,
        example,
        after_interrupt="; what is written stays. Run the same command again to go on",
    )
    _add_query_options(parser, without=("on_error",))
    group = parser.add_argument_group("the folder")
    group.add_argument("--out", metavar="DIR", required=True, help="the folder; made if it is not there")
    group.add_argument(
        "--partition",
        metavar="BY",
        help="location,month, or one of them, or none; by default both where the rows tell them",
    )
    group.add_argument(
        "--refresh",
        metavar="DAYS",
        help="such as 3d: ask again for the last days that are there, replace their rows and tell what changed",
    )
    group.add_argument("--json", action="store_true", help="print what was done as JSON")


def _add_doctor(commands: _Commands) -> None:
    parser = commands.add("doctor", ".doctor", "check token, address, clock, scope and every endpoint", "indivd doctor")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _add_dashboard(commands: _Commands) -> None:
    summary = "serve a page with charts, on made-up visitors or the real ones"
    parser = commands.add("dashboard", ".dashboard", summary, "indivd dashboard --port 8000")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on (%(default)s)")
    parser.add_argument("--live", action="store_true", help="ask the real service (with --token or INDIVD_TOKEN)")


def _add_sandbox(commands: _Commands) -> None:
    summary = "serve an imitation of the API, on made-up visitors"
    parser = commands.add("sandbox", ".sandbox", summary, "indivd sandbox --port 8765 --fault-rate 0.05")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8765, help="port to listen on, 0 for any (%(default)s)")
    parser.add_argument("--latency", metavar="SECONDS", type=float, default=0.0, help="wait before each answer")
    parser.add_argument("--fault-rate", metavar="SHARE", type=float, default=0.0, help="fail so many, from 0 to 1")
    parser.add_argument(
        "--deviate", metavar="NAME", action="append", default=[], help="answer otherwise than asked; may be repeated"
    )
    parser.add_argument("--list-deviations", action="store_true", help="name the ways to deviate, and end")
