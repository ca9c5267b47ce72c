"""
Strict reading of one value: what it is, or in which words it is not.

Nothing is coerced, but for what means the same: an integer where a float is documented, a whole float for an integer, a
number for a name. A value itself is in no word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ..models.values import MOST_INT

#: Reads one value; the second argument is its type, as cattrs calls its hooks.
Hook = Callable[[Any, Any], Any]
#: Beyond it a float may stand for several whole numbers.
_MOST_EXACT = 2.0**53
#: Digits of a moment since 1970, and how many of its units make a second.
_EPOCHS = {10: 1, 13: 1000}
#: In place of a value that was not sent.
MISSING: Any = object()


class Misfit(Exception):
    """What is wrong with a value, in words that do not quote it."""


def expected(what: str, value: Any) -> Exception:
    """Word the fault of a *value* that is not *what*; a KeyError where there is none."""
    if value is MISSING:
        return KeyError(what)
    if what == "int" and type(value) is int:
        return Misfit("expected int, got one beyond 64 bits")
    return Misfit(f"expected {what}, got {_JSON_NAMES.get(type(value), type(value).__name__)}")


_JSON_NAMES = {dict: "object", list: "array", type(None): "null"}


class Key(str):
    """A key of the payload, fit for a path: ids and names of fields pass, anything else is cut and masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return re.sub(r"[^\w-]", "?", self[:24], flags=re.ASCII)


def is_whole(value: Any) -> bool:
    if type(value) is float:
        return value.is_integer() and abs(value) < _MOST_EXACT
    return type(value) is int and value <= MOST_INT


def read_int(value: Any, _: Any) -> int:
    if is_whole(value):
        return int(value)
    raise expected("int", value)


def read_float(value: Any, _: Any) -> float:
    if type(value) in (int, float):
        return float(value)
    raise expected("float", value)


def read_str(value: Any, _: Any) -> str:
    if isinstance(value, str):
        return value
    raise expected("str", value)


def read_name(value: Any, _: Any) -> str | None:
    """Read a name or an id in words, which may look like a number; None where there is none."""
    return str(value) if type(value) is int else None if value is None else read_str(value, _)


def read_date(value: Any, _: Any) -> str:
    """Read a date: as it was written, or the seconds or milliseconds since 1970 as a timestamp of UTC."""
    per_second = _EPOCHS.get(len(str(value))) if type(value) is int else None
    return read_str(value, _) if per_second is None else datetime.fromtimestamp(value / per_second, UTC).isoformat()


def read_object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise expected("object", value)
    return value
