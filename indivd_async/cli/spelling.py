"""What the library says, with options and commands where it speaks of parameters and calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import IndivdError

if TYPE_CHECKING:
    from ..results import Note

#: What is no option of its own name.
_OPTIONS: Mapping[str, str] = {
    "base_url": "--base-url (or INDIVD_BASE_URL)",
    "profile": "--profile (or INDIVD_PROFILE)",
    "locations()": "`indivd locations`",
    "ssl_context": "--ca-file",
    "Limits.concurrency": "--concurrency",
    "Limits.requests_per_second": "--requests-per-second",
    "Timeouts.deadline": "--timeout",
    "Timeouts.total": "--total-timeout",
    "retry_failed()": "run the command again",
}


def flag(parameter: str) -> str:
    """
    Name the option of a parameter.

    >>> flag("start_date")
    '--start-date'
    """
    return f"--{parameter.replace('_', '-')}"


def spell(name: str, value: str) -> str:
    """
    Spell a parameter with a value for it, or one of them, as the command line takes them.

    >>> spell("line_ids", "[…]"), spell("allow_http", "True"), spell("", '"auto"'), spell("", "None")
    ('--line-ids …', '--allow-http', 'auto', 'none')
    >>> spell("profile", ""), spell("profile", "FILE")
    ('--profile (or INDIVD_PROFILE)', '--profile FILE')
    """
    if name.endswith("()") or not value:
        return _OPTIONS.get(name) or flag(name)
    words = {"True": "", "None": "none"}.get(value, value.strip('[]"'))
    if not name:
        return "" if words[0] in ",;" else words  # of Python's own
    option = _OPTIONS.get(name) or flag(name)
    return f"{option.partition(' (')[0]} {words}".rstrip()


def tell(error: BaseException) -> str:
    """
    Say what went wrong.

    >>> from indivd_async import InvalidQueryError
    >>> tell(InvalidQueryError("comparison_end_date", "is required when {comparison_start_date} is given", None))
    '--comparison-end-date: is required when --comparison-start-date is given.'
    """
    if isinstance(error, IndivdError):
        return error.worded(spell)
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def tell_note(note: Note) -> str:
    """Say what there is to know about figures."""
    return note.worded(spell)
