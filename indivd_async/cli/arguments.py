"""What the command line takes, and what it says of itself."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from .._version import __version__
from ..queries import QUERIES
from .options import OPTIONS, Once, read_whole, takers
from .spelling import flag
from .suggestions import suggest
from .terminal import say

FORMATS = ("table", "json", "ndjson", "csv", "parquet", "arrow", "arrows")
SHELLS = ("bash", "zsh", "fish", "tcsh")
LIST_FORMATS = ("table", "json", "ndjson", "csv")
LISTINGS = ("locations", "zones", "categories", "lines", "organizations")


_EPILOG = """example:
  indivd demo
  indivd locations
  indivd fetch zone_visitors --start-date -7d --end-date yesterday

environment: INDIVD_TOKEN, INDIVD_BASE_URL, NO_COLOR
exit codes: 0 it worked, 1 it failed, 2 wrong usage, 3 complete, but something
  needs a look (export), 130 interrupted, 143 terminated"""

_ABOUT_QUESTIONS = """lists are written with commas or by repeating the option; locations, zones
and the like by their ids or their names; today, yesterday and -7d are days
of the locations asked for: where they have several clocks, of the one that
is last to begin a day (with --tz, of that clock)"""


def _port(text: str) -> int:
    port = read_whole(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{port} is not a port; they go from 0 to 65535")
    return port


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as the rest of the command does: the whole usage, which argparse prints, would hide it."""

    #: The commands, where this is the parser of all.
    commands: Collection[str] = ()

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
            if name == "--" or (self.commands and not name.startswith("-")):
                self._check_command(name)
                break  # what follows is the command's
            if name.startswith("-") and name not in known:
                self.error(f"there is no {name}{suggest(name, _fitting(known, args))}")
            if known.get(name) and not equals:
                next(words, None)
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"there is no {left[0]}")
        return found, left

    def _check_command(self, word: str) -> None:
        if self.commands and word not in (*self.commands, "--"):
            if word in QUERIES:
                self.error(f"there is no command {word}; did you mean {self.prog} fetch {word}?")
            self.error(f"there is no command {word}{suggest(word, (*self.commands, '--version'))}")


def _fitting(known: Collection[str], words: Collection[str]) -> list[str]:
    """Leave out what the endpoint among *words* does not take."""
    endpoint = next((word for word in words if word in QUERIES), None)
    if endpoint is None:
        return list(known)
    others = {flag(name) for name in OPTIONS if endpoint not in takers(name)}
    return [name for name in known if name not in others]


def _read_endpoint(word: str) -> str:
    if word not in QUERIES:
        near = f"; did you mean indivd {word}?" if word in LISTINGS else suggest(word, QUERIES)
        raise argparse.ArgumentTypeError(f"invalid choice: {word!r}{near} (there are {', '.join(QUERIES)})")
    return word


def _read_format(formats: Collection[str]) -> Callable[[str], str]:
    def read(word: str) -> str:
        if word not in formats:
            raise argparse.ArgumentTypeError(
                f"invalid choice: {word!r}{suggest(word, formats)} (there are {', '.join(formats)})"
            )
        return word

    return read


def make_parser() -> _Parser:
    """Make the parser of the whole command."""
    parser = _Parser(
        prog="indivd",
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
    _add_completion(commands)
    _add_help(commands)
    commands.finish()
    parser.commands = commands.names
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
    add("--concurrency", metavar="N", type=read_whole, default=default, help="requests in the air at once")
    add("--requests-per-second", metavar="N", type=float, default=default, help="for services that limit them")
    add("--timeout", metavar="SECONDS", type=float, default=default, help="for one request, with its retries")
    add("--total-timeout", metavar="SECONDS", type=float, default=default, help="for all that a question takes")
    add("--allow-http", action="store_true", default=default or False, help="also to hosts other than this machine")
    add("--proxy", metavar="URL", default=default, help="ask through this proxy, such as http://host:3128")
    add("--ca-file", metavar="FILE", default=default, help="trust the certificate authorities in this PEM file")
    add(
        "--trust-env",
        action="store_true",
        default=default or False,
        help="take proxy and authorities from HTTPS_PROXY, SSL_CERT_FILE and their like; they are ignored by default",
    )
    add("--verbose", action="store_true", default=default or False, help="tell each request on stderr")


class _Commands:
    """Adds subcommands that look alike."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers
        self._made: list[argparse.ArgumentParser] = []
        self.names: list[str] = []

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
        self.names.append(name)
        return parser

    def finish(self) -> None:
        """Add what all have, at the end of their help."""
        for parser in self._made:
            # Given before the command or after it: only what is given here may replace what was given there.
            _add_client_options(parser, default=argparse.SUPPRESS)


def _add_query_options(parser: argparse.ArgumentParser, *, without: tuple[str, ...] = ()) -> None:
    parser.add_argument(
        "endpoint", metavar="ENDPOINT", choices=tuple(QUERIES), type=_read_endpoint, help=f"one of {', '.join(QUERIES)}"
    )
    group = parser.add_argument_group("the question, as in the API", _ABOUT_QUESTIONS)
    for name, option in OPTIONS.items():
        if name in without:
            continue
        only = "" if len(takers(name)) == len(QUERIES) else f" ({', '.join(takers(name))})"
        group.add_argument(
            flag(name),
            metavar=option.metavar,
            type=option.read,
            action="extend" if option.is_list else Once,
            default="auto" if name == "split" else None,
            help=option.help + only,
        )


def _add_output_options(parser: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    group = parser.add_argument_group("the output")
    group.add_argument(
        "--format",
        choices=formats,
        type=_read_format(formats),
        help="table by default, or what the name of --out ends in"
        + ("; arrow is the file form of Arrow IPC, and its stream form where it is piped on" * ("arrow" in formats)),
    )
    group.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    group.add_argument("--out", metavar="FILE", help="write there instead of stdout, whole or not at all")
    group.add_argument(
        "--limit",
        metavar="N",
        type=_read_limit,
        help="write the first N rows; all by default, but for a table on a terminal, which shows 40",
    )


def _read_limit(text: str) -> int:
    limit = read_whole(text)
    if limit < 1:
        raise argparse.ArgumentTypeError(f"{limit} is not a number of rows; it is 1 or more")
    return limit


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


def _add_completion(commands: _Commands) -> None:
    summary = "print a script that lets a shell complete commands and options"
    parser = commands.add("completion", ".completion", summary, "indivd completion bash > indivd.bash")
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"one of {', '.join(SHELLS)}")


def _add_help(commands: _Commands) -> None:
    parser = commands.add("help", ".helping", "say what there is, or how a command is used", "indivd help fetch")
    parser.add_argument("topic", metavar="COMMAND", nargs="?", help="the command; all of them by default")
