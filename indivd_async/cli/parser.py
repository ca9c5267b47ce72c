"""The parser of the command: what all commands have, and what is said where something cannot be read."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from ..queries import QUERIES
from .options import OPTIONS, Once, read_whole, takers
from .spelling import flag
from .suggestions import suggest
from .terminal import say

LISTINGS = ("locations", "zones", "categories", "lines", "organizations")
EXAMPLES = """example:
  indivd locations
  indivd fetch zone_visitors --start-date -7d --end-date yesterday"""
_MORE = "`indivd help COMMAND` says how it is used, `indivd --help` what all of them take"


class Parser(argparse.ArgumentParser):
    """Says what is wrong as the rest of the command does: the whole usage, which argparse prints, would hide it."""

    #: The commands and what they do, where this is the parser of all.
    commands: Mapping[str, str] = MappingProxyType({})
    #: The options that stand behind a command, where this is the parser of all.
    behind: Collection[str] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for kept in (None, "store"):
            self.register("action", kept, Once)

    @property
    def options(self) -> Mapping[str, bool]:
        """Its options, and whether they take a value."""
        return {name: action.nargs != 0 for name, action in self._option_string_actions.items()}

    def overview(self) -> str:
        """Say what there is, on one screen: the first half of what each command says of itself."""
        lines = [
            f"  {name:<12} {summary.partition(';')[0]}"
            for name, summary in self.commands.items()
            if name not in LISTINGS[1:]
        ]
        lines.insert(2, f"  {', '.join(LISTINGS[1:])}: likewise")
        return "\n".join([f"usage: {self.prog} COMMAND ...", "", *lines, "", EXAMPLES, "", _MORE])

    def error(self, message: str) -> NoReturn:
        for action in self._get_positional_actions():
            if action.choices is not None and not self.commands and message.endswith(f"required: {action.metavar}"):
                message += f", one of {', '.join(map(str, action.choices))}"
        say(f"indivd: {message}\ntry: {self.prog} --help")
        self.exit(2)

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        # Before argparse does, which takes what follows a misspelt --token for something else, and shows it.
        known = self.options
        words = iter(args)
        for word in words:
            name, equals, _ = word.partition("=")
            if name == "--" or (self.commands and not name.startswith("-")):
                self._check_command(name)
                break  # what follows is the command's
            if name in self.behind and name not in known:
                self.error(f"{name} stands behind the command: {self.prog} COMMAND ... {name}")
            if name.startswith("-") and name not in known:
                self.error(f"there is no {name}{suggest(name, _fitting(known, args))}")
            if known.get(name) and not equals:
                next(words, None)
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"{left[0]!r} is more than this takes")
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


class Commands:
    """Adds subcommands that look alike."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers
        self._made: list[Parser] = []
        self.summaries: dict[str, str] = {}

    def add(
        self, name: str, module: str, summary: str, example: str, *, after_interrupt: str = ""
    ) -> argparse.ArgumentParser:
        parser: Parser = self._subparsers.add_parser(
            name,
            help=summary,
            description=textwrap.fill(f"{summary[0].upper()}{summary[1:]}.", 78),
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        parser.set_defaults(module=module, after_interrupt=after_interrupt)
        self._made.append(parser)
        self.summaries[name] = summary
        return parser

    def finish(self) -> None:
        """Add what all have, at the end of their help."""
        for parser in self._made:
            # Given before the command or after it: only what is given here may replace what was given there.
            add_client_options(parser, default=argparse.SUPPRESS)

    @property
    def options(self) -> frozenset[str]:
        """The options of all of them."""
        return frozenset(name for parser in self._made for name in parser.options)


def add_client_options(parser: argparse.ArgumentParser, *, default: Any) -> None:
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
