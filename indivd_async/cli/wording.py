"""
What the library says, in the words of the command.

Errors and notes speak to programmers, of parameters and calls; whoever uses the command knows options and commands.
This is the one place where one becomes the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from ..errors import ConfigError, InvalidQueryError
from ..queries import QUERIES

if TYPE_CHECKING:
    from ..results import Note

_OTHERS = ("out", "partition", "refresh", "token", "base_url", "allow_http")
_NAMES = sorted({*_OTHERS, *(field.name for query in QUERIES.values() for field in attrs.fields(query))}, reverse=True)
_ANY, _UNMISTAKABLE = "|".join(_NAMES), "|".join(name for name in _NAMES if "_" in name)
#: A name at the beginning of a message, one with the value it is to have, or one that is no word of English.
_NAMED = re.compile(rf'^({_ANY})(?=: )|\b({_ANY})=(\[…\]|"…"|…|True)|\b({_UNMISTAKABLE})\b')
_PHRASES: Mapping[str, str] = {
    "`await client.locations()`": "`indivd locations`",
    "Timeouts.deadline and .total set it": "--timeout sets it",
    "Timeouts.deadline must be a finite number above 0, or None": "--timeout must be a finite number above 0",
    "Timeouts.deadline": "--timeout",
    "Limits.requests_per_second or .concurrency": "--concurrency",
    "Limits.concurrency": "--concurrency",
    "Check base_url": "Check --base-url (or INDIVD_BASE_URL)",
    'must be "auto", None, or a whole number of days': "must be auto, none, or a whole number of days",
    'must be "raise" or "collect"': "must be raise or collect",
    "; got None.": ".",
}
_NOTES: Mapping[str, str] = {
    "unlicensed_metrics": (
        "Unique visits, bounces and dwell times are empty for locations that show visits but none of these anywhere: "
        "their plan (Indivd Basic) does not measure them."
    ),
    "unscoped_lines": (
        "No zones, categories or lines were given, so a visitor is counted once for every line crossed; --zone-to, "
        "--zone-from, --category or --line-ids narrow it down."
    ),
    "partial_sum": "A failed request was one part of sums: some figures lack its share. Run the command again.",
}


def flag(parameter: str) -> str:
    """
    Name the option of a parameter.

    >>> flag("start_date")
    '--start-date'
    """
    return f"--{parameter.replace('_', '-')}"


def tell(error: BaseException) -> str:
    """
    Say what went wrong.

    >>> tell(InvalidQueryError("comparison_end_date", "is required when comparison_start_date is given", None))
    '--comparison-end-date: is required when --comparison-start-date is given.'
    """
    text = "\n".join([str(error), *getattr(error, "__notes__", ())])
    for phrase, words in _PHRASES.items():
        text = text.replace(phrase, words)
    if isinstance(error, (InvalidQueryError, ConfigError)):  # others name requests, whose parameters are the API's
        text = _NAMED.sub(_to_option, text)
    return text


def tell_note(note: Note) -> str:
    """Say what there is to know about figures."""
    return _NOTES.get(note.kind, note.message)


def _to_option(found: re.Match[str]) -> str:
    subject, given, value, name = found.groups()
    return flag(subject or given or name) + (" …" if given and value != "True" else "")
