"""JSON that a person may look at: text from elsewhere reads the same, and no terminal obeys it."""

from __future__ import annotations

import re

from ..escaping import OBEYED


def escape_json(document: bytes) -> bytes:
    r"""
    Write those characters of a JSON *document* that JSON allows as they are by their numbers, which read the same.

    >>> escape_json('["\x9b2J \u202e7"]'.encode())
    b'["\\u009b2J \\u202e7"]'
    """
    if document.isascii() and b"\x7f" not in document:
        return document
    return re.sub(_UNESCAPED, _escape_as_json, document.decode()).encode()


#: JSON itself escapes what is below, and needs its line ends.
_UNESCAPED = OBEYED.replace("\x00-\x1f", "", 1)


def _escape_as_json(found: re.Match[str]) -> str:
    pair = found[0].encode("utf-16-be")
    return "".join(f"\\u{pair[at]:02x}{pair[at + 1]:02x}" for at in range(0, len(pair), 2))
