"""
Text that comes from elsewhere is shown, never obeyed.

Names of zones and locations are typed by strangers. A terminal, a log or a page that is given them as they are would do
what control characters in them say: clear the screen, go back over a line, begin a new one, write from right to left.
"""

from __future__ import annotations

import re
from html import escape

from .fielded import Fielded

#: C0, DEL and C1; line and paragraph separators; what turns the direction of writing, or is not seen at all; halves of
#: characters, which no encoding takes. Joiners stay: Persian, Hindi and many emoji are not written without. A pattern
#: that is compiled when there is text for it, which there mostly is not.
OBEYED = (
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def escape_controls(text: str) -> str:
    r"""
    Write each character of *text* that would be obeyed as Python escapes it.

    >>> print(escape_controls("Door\x1b[2J\nKassa \u202e7"))
    Door\x1b[2J\nKassa \u202e7
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub(OBEYED, lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class ShownAsText(Fielded):
    """What is few words: a notebook shows its repr, as it stands."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(escape_controls(repr(self)))}</pre>"
