"""What the command line takes, and what it says of itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection

from .._version import __version__
from ..queries import QUERIES
from .options import OPTIONS, read_place, read_whole, takers
from .parser import EXAMPLES, LISTINGS, Commands, Parser, add_client_options
from .spelling import flag
from .suggestions import suggest

FORMATS = ("table", "json", "ndjson", "csv", "parquet", "arrow", "arrows")
SHELLS = ("bash", "zsh", "fish", "tcsh")
LIST_FORMATS = ("table", "json", "ndjson", "csv")
#: What `--json` is for figures: rows in one object with what there is to know about them.
DOCUMENT = "document"


_EPILOG = f"""{EXAMPLES}
  indivd demo

environment: INDIVD_TOKEN, INDIVD_BASE_URL, INDIVD_PROFILE, NO_COLOR
exit codes: 0 it worked, 1 it failed, 2 wrong usage, 3 complete, but something
  needs a look (export), 130 interrupted, 143 terminated"""

_ABOUT_QUESTIONS = """lists are written with commas or by repeating the option; locations, zones
and the like by their ids or their names; today, yesterday and -7d are days
of the locations asked for: where they have several clocks, of the one that
is last to begin a day (with --tz, of that clock)"""


def _host(text: str) -> str:
    if not text.strip():  # which listens on all addresses
        raise argparse.ArgumentTypeError("it is empty, as a variable that is not set; 0.0.0.0 listens on all addresses")
    return text


def _port(text: str) -> int:
    port = read_whole(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{port} is not a port; they go from 0 to 65535")
    return port


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


def make_parser() -> Parser:
    """Make the parser of the whole command."""
    parser = Parser(
        prog="indivd",
        description="Ask Indivd's visitor analytics: data to stdout, messages to stderr.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"indivd {__version__}")
    add_client_options(parser, default=None)
    commands = Commands(parser.add_subparsers(dest="command", metavar="COMMAND", required=True))
    _add_demo(commands)
    for name in LISTINGS:
        _add_listing(commands, name)
    _add_fetch(commands)
    _add_plan(commands)
    _add_export(commands)
    _add_doctor(commands)
    _add_verify(commands)
    _add_dashboard(commands)
    _add_sandbox(commands)
    _add_completion(commands)
    _add_help(commands)
    commands.finish()
    parser.commands, parser.behind = commands.summaries, commands.options
    return parser


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
            action="extend" if option.is_list else "store",
            default="auto" if name == "split" else None,
            help=option.help + only,
        )
    group.add_argument(
        "--profile",
        metavar="FILE",
        help="what `indivd verify --profile` wrote: how weeks are numbered; else INDIVD_PROFILE",
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
    # Figures come with notes, which rows alone have no place for; lists have none.
    has_notes = formats == FORMATS
    group.add_argument(
        "--json",
        action="store",
        nargs=0,
        const=DOCUMENT if has_notes else "json",
        dest="format",
        help="one JSON object: rows, notes, whether all is there, what is missing; --format json writes the rows alone"
        if has_notes
        else "the same as --format json",
    )
    group.add_argument(
        "--out",
        metavar="FILE",
        type=lambda name: None if name == "-" else name,
        help="write there instead of stdout, whole or not at all",
    )
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


def _add_demo(commands: Commands) -> None:
    parser = commands.add("demo", ".demo", "show what this does, on made-up visitors", "indivd demo")
    parser.add_argument("--live", action="store_true", help="ask the real service (with --token or INDIVD_TOKEN)")


def _add_listing(commands: Commands, name: str) -> None:
    parser = commands.add(name, ".lists", f"list the {name} that the token may see", f"indivd {name} --format csv")
    _add_output_options(parser, LIST_FORMATS)


def _add_fetch(commands: Commands) -> None:
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


def _add_plan(commands: Commands) -> None:
    example = "indivd plan line_crosses --start-date 2025 --end-date 2025 --per location"
    summary = "show which requests a question takes, and why; nothing is sent but a look-up of locations"
    parser = commands.add("plan", ".plan", summary, example)
    _add_query_options(parser, without=("on_error",))
    parser.add_argument("--json", action="store_true", help="print the plan as JSON, as `Plan.from_json` reads it")


def _add_export(commands: Commands) -> None:
    example = (
        "indivd export zone_visitors --start-date 2025 --end-date yesterday \\\n    --aggregate-by hour --out visits"
    )
    summary = (
        "export an answer to a folder of Parquet files or to a database; run again, it goes on where it was, and asks "
        "for the days and locations that are new"
    )
    parser = commands.add(
        "export",
        ".export",
        summary,
        example,
        after_interrupt="; what is written stays. Run the same command again to go on",
    )
    _add_query_options(parser, without=("on_error",))
    group = parser.add_argument_group("the export")
    where = group.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="DIR", help="a folder; made if it is not there")
    where.add_argument(
        "--to",
        metavar="TABLE",
        help="a table instead: duckdb:///FILE?table=NAME or postgresql://USER@HOST/DATABASE?table=NAME; a password "
        "is better in PGPASSWORD or ~/.pgpass, which other users of the machine do not see",
    )
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
    out = group.add_mutually_exclusive_group()
    out.add_argument("--keep", action="store_true", help="keep days that are there, and before a later --start-date")
    out.add_argument("--prune", action="store_true", help="remove such days; one of the two must be said")
    group.add_argument(
        "--accept-empty", action="store_true", help="remove rows where the answer, asked again, has none any more"
    )
    group.add_argument("--quiet", action="store_true", help="say nothing unless something failed or needs a look")
    group.add_argument("--json", action="store_true", help="print what was done as JSON")


def _add_doctor(commands: Commands) -> None:
    parser = commands.add("doctor", ".doctor", "check token, address, clock, scope and every endpoint", "indivd doctor")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _add_verify(commands: Commands) -> None:
    summary = "measure what the service does where figures depend on it"
    parser = commands.add("verify", ".verify", summary, "indivd verify --record answers --profile indivd.json")
    add = parser.add_argument
    add(
        "--location",
        metavar="ID",
        type=read_place,
        help="or its name; else one that is open every day, if there is one",
    )
    add("--days", metavar="N", type=read_whole, default=400, help="longest period you mean to ask for (%(default)s)")
    add("--deep", action="store_true", help="ask more, in at most 100 requests")
    add("--json", action="store_true", help="print the report as JSON")
    add("--markdown", action="store_true", help="print it as Markdown, for the vendor's support")
    add("--with-figures", action="store_true", help="print the counts behind it, too, which are your visitors'")
    add("--profile", metavar="FILE", help="write what was learned there; AsyncIndivd and INDIVD_PROFILE take it")
    add("--record", metavar="DIR", help="keep questions and answers there; an earlier run there is compared")
    add("--anonymous", action="store_true", help="replace ids and names in what is recorded")
    add("--replay", metavar="DIR", help="judge what was recorded there, and ask nothing")


def _add_address(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument("--host", type=_host, default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=port, help="port to listen on, 0 for any (%(default)s)")


def _add_dashboard(commands: Commands) -> None:
    summary = "serve a page with charts, on made-up visitors or the real ones"
    parser = commands.add("dashboard", ".dashboard", summary, "indivd dashboard --port 8000")
    _add_address(parser, 8000)
    parser.add_argument("--live", action="store_true", help="ask the real service (with --token or INDIVD_TOKEN)")


def _add_sandbox(commands: Commands) -> None:
    summary = "serve an imitation of the API, on made-up visitors"
    parser = commands.add("sandbox", ".sandbox", summary, "indivd sandbox --port 8765 --fault-rate 0.05")
    _add_address(parser, 8765)
    parser.add_argument("--latency", metavar="SECONDS", type=float, default=0.0, help="wait before each answer")
    parser.add_argument("--fault-rate", metavar="SHARE", type=float, default=0.0, help="fail so many, from 0 to 1")
    parser.add_argument(
        "--deviate", metavar="NAME", action="append", default=[], help="answer otherwise than asked; may be repeated"
    )
    parser.add_argument("--list-deviations", action="store_true", help="name the ways to deviate, and end")
    parser.add_argument("--replay", metavar="DIR", help="answer as a run of `indivd verify --record` was answered")


def _add_completion(commands: Commands) -> None:
    summary = "print a script that lets a shell complete commands and options"
    parser = commands.add("completion", ".completion", summary, "indivd completion bash > indivd.bash")
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"one of {', '.join(SHELLS)}")


def _add_help(commands: Commands) -> None:
    parser = commands.add("help", ".help", "say what there is, or how a command is used", "indivd help fetch")
    parser.add_argument("topic", metavar="COMMAND", nargs="?", help="the command; all of them by default")
