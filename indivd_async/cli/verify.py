"""`indivd verify`: what the service does where figures depend on it, for a person, for support, for programs."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator

import anyio
import httpx

from ..escaping import escape_controls
from ..profile import Profile
from ..verify import MOST_REQUESTS, MOST_REQUESTS_DEEP, Finding, Replay, Report, verify
from ..verify.numbering import IN_WORDS
from ..verify.questions import AT_ONCE
from ..verify.report import shorten
from .connection import make_client
from .options import UsageError
from .output import check_path, open_output
from .terminal import make_console, say, size_of

#: Words before each finding, their colours, and the columns that they take.
_MARKS = {
    "holds": ("holds", "green"),
    "fails": ("FAILS", "red"),
    "cannot be told": ("?", "yellow"),
    "learned": ("learned", "cyan"),
}
_MARGIN = 9
#: Requests that are shown for one finding; --json and --markdown name all.
_REQUESTS = 3
_QUIET = {"absent": "no row", "zeros": "a row of zeros", "mixed": "sometimes a row, sometimes none"}
#: Wide lines are hard to read.
_MOST_COLUMNS = 100
#: Not asked: the answers are those of a recording.
_NOWHERE = "https://recorded.invalid"


def main(args: argparse.Namespace) -> int:
    """Measure and report; 1 where something fails."""
    if args.json and args.markdown:
        raise UsageError("--json and --markdown are two forms of one report: choose one")
    if args.anonymous and args.record is None:
        raise UsageError("--anonymous is about what --record keeps")
    if args.replay is not None and args.record is not None:
        raise UsageError("--replay asks nothing, so there is nothing to --record")
    if args.profile is not None:
        check_path("--profile", args.profile)
    report = anyio.run(_verify, args)
    if args.profile is not None:
        with open_output(args.profile) as file:
            file.write(report.profile.to_json().encode())
    if args.json:
        print(json.dumps(report.to_dict(with_figures=args.with_figures), indent=2))
    elif args.markdown:
        lines = report.to_markdown(with_figures=args.with_figures).split("\n")
        print("\n".join(map(escape_controls, lines)), end="")
    else:
        _show(report, with_figures=args.with_figures)
    if args.profile is not None:
        say(f"profile: {args.profile}; pass AsyncIndivd(profile=…) its path, or set INDIVD_PROFILE")
    say(report.summary)
    return 0 if report.is_sound else 1


async def _verify(args: argparse.Namespace) -> Report:
    if args.replay is not None:
        replay = Replay(args.replay)
        transport, token = httpx.ASGITransport(replay), "replayed"  # no secret: nobody looks at it
        async with make_client(args, token=token, transport=transport, base_url=_NOWHERE) as client:
            return await verify(client, location=args.location, days=args.days, deep=replay.recording.deep)
    async with make_client(args) as client:
        if sys.stderr.isatty():
            most = MOST_REQUESTS_DEEP if args.deep else MOST_REQUESTS
            say(f"asking about closed days, in at most {most} requests, {AT_ONCE} at once …")
        return await verify(
            client,
            location=args.location,
            days=args.days,
            deep=args.deep,
            record=args.record,
            anonymous=args.anonymous,
        )


def _show(report: Report, *, with_figures: bool) -> None:
    """Print the report for a person: what fails stands last, where it is read."""
    width = min(size_of(sys.stdout).columns, _MOST_COLUMNS)
    try:
        console = make_console(sys.stdout)
    except ImportError:  # nothing but the colours is lost
        console = None
    for line, colour in _lines(report, width, with_figures=with_figures):
        text = escape_controls(line)
        if console is None or not colour:
            print(text)
        else:
            console.print(text[:_MARGIN], style=colour, end="")
            print(text[_MARGIN:])


def _lines(report: Report, width: int, *, with_figures: bool) -> Iterator[tuple[str, str]]:
    """Give the lines, and the colour of the mark that each begins with."""
    first, last = report.range
    place = f"Location {report.location}, {report.week[0]} to {report.week[1]} in detail, {first} to {last} as a whole."
    yield from _wrap(place, width)
    names = ", ".join(finding.name for finding in report.of("holds"))
    yield "", ""
    yield from _marked("holds", names or "nothing", width)
    for verdict in ("cannot be told", "fails"):
        for finding in report.of(verdict):
            yield "", ""
            yield from _finding(finding, width, with_figures=with_figures)
    yield "", ""
    yield from _marked("learned", "; ".join(tell_profile(report.profile)) or "nothing", width)


def _finding(finding: Finding, width: int, *, with_figures: bool) -> Iterator[tuple[str, str]]:
    figures = f" ({finding.figures})" if with_figures and finding.figures else ""
    yield from _marked(finding.verdict, f"{finding.name}: {finding.sentence}", width)
    evidence = f"{finding.evidence[:1].upper()}{finding.evidence[1:]}{figures}."
    yield from _wrap(evidence, width, indent=_MARGIN)
    if finding.verdict == "fails":
        yield from _wrap(f"It decides {finding.decides}.", width, indent=_MARGIN)
        for request in finding.requests[:_REQUESTS]:
            yield f"{'':<{_MARGIN}}GET {shorten(request)}", ""


def _marked(verdict: str, text: str, width: int) -> Iterator[tuple[str, str]]:
    word, colour = _MARKS[verdict]
    first, *rest = _wrap(text, width, indent=_MARGIN)
    yield f"{word:<{_MARGIN}}{first[0].lstrip()}", colour
    yield from rest


def _wrap(text: str, width: int, *, indent: int = 0) -> Iterator[tuple[str, str]]:
    blank = " " * indent
    for line in textwrap.wrap(text, width, initial_indent=blank, subsequent_indent=blank, break_on_hyphens=False):
        yield line, ""


def tell_profile(profile: Profile) -> list[str]:
    """Say in words what a profile knows."""
    numbering = profile.numbering
    told = []
    if numbering.weeks is not None:
        told.append(f"weeks are numbered {IN_WORDS[numbering.weeks]}")
    if numbering.weekdays is not None:
        monday = next(label for label in range(8) if numbering.weekday(label) == 1)
        told.append(f"weekday {monday} is Monday")
    for endpoint in ("line_crosses", "drop_in_rate"):
        clock = profile.clock_of(endpoint, "each location")
        if clock is not None:
            told.append(f"{endpoint} is on the clock of {clock}")
    for limit in profile.most_days:
        grouped = {"any": "", "total": " as one total"}.get(limit.unit, f" by {limit.unit}")
        told.append(f"{limit.endpoint} answers {limit.days} days{grouped} at most")
    if profile.longest_url is not None:
        told.append(f"URLs may have {profile.longest_url:,} bytes")
    if profile.hours_carry_dates is False:
        told.append("hours of zone_visitors do not tell their dates by themselves")
    if profile.labels_carry_parents is False:
        told.append("zone_visitors tells no labels but those it is asked for")
    if profile.quiet_hours is not None:
        told.append(f"hours without a visit: {_QUIET[profile.quiet_hours]}")
    if profile.passing_lines_shared:
        told.append("passing lines are shared by zones")
    return told
