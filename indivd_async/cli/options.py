"""The parameters of the queries as options: one table, and how words become a query."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import attrs

from ..models.clocks import FIRST_DAY, LAST_DAY
from ..queries import QUERIES, Query
from .dates import FORMS, read_day
from .spelling import flag
from .suggestions import suggest


class UsageError(Exception):
    """The command was called wrongly."""


def read_place(text: str) -> int | str:
    """Read one id, or a name: 1_2 is one, though Python reads a number there."""
    text = text.strip()
    return int(text) if re.fullmatch("[+-]?[0-9]{1,99}", text) else text


def read_whole(text: str) -> int:
    """Read a whole number."""
    number = read_place(text)
    if isinstance(number, str):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return number


def _read_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(read_whole, text.split(",")))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 124,125") from None


def _read_places(text: str) -> tuple[int | str, ...]:
    """Read ids; what is none is a name, or several, as only the catalogue can tell: names may have commas."""
    try:
        return _read_numbers(text)
    except argparse.ArgumentTypeError:
        return (text,)


def _read_words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _read_split(text: str) -> int | str | None:
    return None if text == "none" else read_place(text)


@attrs.frozen
class Option:
    """How one parameter is written: `read` takes a word, and several words of lists add up."""

    metavar: str
    help: str
    read: Callable[[str], Any] = str

    @property
    def is_list(self) -> bool:
        """Whether it may be repeated."""
        return self.read in (_read_numbers, _read_places, _read_words)


#: The parameters of the three queries, by their own names, in the order of the help.
OPTIONS: Mapping[str, Option] = {
    "start_date": Option("DAY", f"first day: {FORMS}"),
    "end_date": Option("DAY", "last day, which belongs to the period"),
    "comparison_start_date": Option("DAY", "first day of a second period"),
    "comparison_end_date": Option("DAY", "last day of it"),
    "aggregate_by": Option(
        "UNITS",
        "year, month, week, dayofmonth, dayofweek, hour, minute; zone_visitors also "
        "loc_id, several with commas, and zone",
        _read_words,
    ),
    "comparison_aggregate_by": Option("UNITS", "another grouping for the second period", _read_words),
    "interval": Option("UNIT", "year, month, week, day, hour"),
    "comparison_interval": Option("UNIT", "another interval for the second period"),
    "organization": Option("IDS", "organisations", _read_places),
    "location": Option("IDS", "locations; all that the token may see by default", _read_places),
    "floor": Option("FLOORS", "floors, basements below 0", _read_numbers),
    "zone_to": Option("IDS", "lines that lead into these zones", _read_places),
    "zone_from": Option("IDS", "lines that lead out of these zones", _read_places),
    "category": Option("IDS", "lines of these categories", _read_places),
    "line_ids": Option("IDS", "these lines", _read_places),
    "zones": Option("IDS", "zones", _read_places),
    "zone": Option("IDS", "zones", _read_places),
    "bounce_threshold": Option("SECONDS", "0 for none, -1 for each zone's own", read_whole),
    "min_dwell": Option("SECONDS", "tell shorter visits apart", read_whole),
    "max_dwell": Option("SECONDS", "tell longer visits apart", read_whole),
    "tz": Option("ZONE", "one clock for all, such as Europe/Stockholm; each location's own by default"),
    "per": Option("WHAT", "one series a location, organization, floor, zone_to, zone_from, category or line"),
    "split": Option("DAYS", "auto, none, or at most so many days a request", _read_split),
    "on_error": Option("HOW", "raise (the default), or collect: finish the rest, list what failed"),
}
DAYS = tuple(name for name in OPTIONS if name.endswith("_date"))
FIELDS = {name: {field.name for field in attrs.fields(query)} for name, query in QUERIES.items()}


class Once(argparse.Action):
    """Keeps a value, and refuses a second one that differs: the first would be dropped in silence."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep *values*."""
        if self.nargs == 0:
            values = self.const
        given: dict[str, str | None] = namespace.__dict__.setdefault("given", {})
        if self.dest in given and getattr(namespace, self.dest) != values:
            before = given[self.dest]
            how = "was given twice" if before == option_string else f"does not go with {before}"
            parser.error(f"{option_string} {how}")
        given[self.dest] = option_string
        setattr(namespace, self.dest, values)


def takers(name: str) -> list[str]:
    """Name the endpoints that take the parameter *name*."""
    return [endpoint for endpoint, fields in FIELDS.items() if name in fields]


def make_query(args: argparse.Namespace, today: date, ids: Mapping[str, Sequence[int]] | None = None) -> Query:
    """Make the query that *args* ask for, seen from *today*; *ids* are those of lists that were given by name."""
    endpoint: str = args.endpoint
    given = {name: value for name in OPTIONS if (value := getattr(args, name, None)) is not None}
    if getattr(args, "split", "") is None:
        given["split"] = None
    for name in given:
        if name not in FIELDS[endpoint]:
            near = suggest(flag(name), [flag(known) for known in OPTIONS if known in FIELDS[endpoint]])
            raise UsageError(f"{flag(name)} is not a parameter of {endpoint}{near}")
        if OPTIONS[name].read is _read_words:
            given[name] = ",".join(given[name])
    given.update(ids or {})
    for name in DAYS:
        if name in given:
            try:
                day = given[name] = read_day(given[name], today=today, last=name.endswith("end_date"))
            except ValueError as error:
                raise UsageError(f"{flag(name)}: {error}") from None
            if not FIRST_DAY <= str(day) <= LAST_DAY:
                raise UsageError(f"{flag(name)}: {day} is not a day from {FIRST_DAY} to {LAST_DAY}")
    for name in ("start_date", "end_date"):
        if name not in given:
            raise UsageError(f"{flag(name)} is required: {FORMS}")
    return QUERIES[endpoint](**given)


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
