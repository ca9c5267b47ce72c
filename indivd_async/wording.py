"""
The words that errors are made of, in which parameters can be spelled by whoever shows them.

A parameter stands in braces, with the value to give it behind a colon: "pass {tz:…}". `str(error)` reads ``tz=…``; who
knows parameters by other names, as options of a command say, spells them with `IndivdError.worded`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

#: From a parameter's name and a value for it, either of them empty, to the words for both.
Spelling = Callable[[str, str], str]
_NAMED = r"\{\{|\{(?=[A-Za-z_:])([A-Za-z_.]*(?:\(\))?)(?::([^{}]*))?\}"  # compiled when there is something to say


def spell_as_python(name: str, value: str) -> str:
    """
    Spell parameters as a caller writes them.

    >>> spell_as_python("tz", '"UTC"'), spell_as_python("locations()", "")
    ('tz="UTC"', '`await client.locations()`')
    """
    if name.endswith("()"):
        return f"`await client.{name}`"
    return f"{name}={value}" if name and value else name or value


def spell_words(words: str, spelling: Spelling = spell_as_python) -> str:
    """Return *words* with the parameters in them spelled by *spelling*."""
    return re.sub(_NAMED, lambda found: "{" if found[0] == "{{" else spelling(found[1], found[2] or ""), words)


def literally(text: str) -> str:
    """Mark *text*, which comes from elsewhere, as free of parameters."""
    return text.replace("{", "{{")


def brief(value: object, most: int = 300) -> str:
    """
    Show *value* as `repr` does, in *most* characters at most.

    >>> brief((1, 2)), brief(range(10**6), most=12)
    ('(1, 2)', 'range(0, ...')
    """
    try:
        text = repr(value)
    except Exception:  # an int of more digits than Python writes out, or an object that cannot show itself
        text = f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def clip(text: str, most: int) -> str:
    """Cut *text* to *most* characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def plural(count: int, noun: str) -> str:
    """
    Count *noun*.

    >>> plural(1, "row"), plural(2_000, "category"), plural(0, "day")
    ('1 row', '2,000 categories', '0 days')
    """
    several = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else several}"


def some_of(ids: Iterable[object], most: int = 5) -> str:
    """
    List *ids*, in order, or the first of many.

    >>> some_of({3, 1, 2}, 2)
    '1, 2 and 1 more'
    """
    words = list(map(str, sorted(ids)))  # type: ignore[type-var]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def counted(what: object) -> str:
    """Show a collection by its size."""
    return "None" if what is None else f"<{len(what)}>"  # type: ignore[arg-type]
