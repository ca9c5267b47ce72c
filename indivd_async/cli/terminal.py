"""Text for people: widths, colours, tables, bars."""

from __future__ import annotations

import math
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TextIO

import attrs

_MOST_CELL = 28
_BLOCKS = " ▁▂▃▄▅▆▇█"
#: Of the terminal's 256 colours, from cold to hot.
_HEAT = (236, 24, 31, 37, 72, 107, 142, 178, 214, 208, 202)


@attrs.frozen
class Style:
    """Colours where they are wanted: on a terminal, unless NO_COLOR is set or it is a dumb one."""

    coloured: bool = False

    @classmethod
    def of(cls, stream: TextIO) -> Style:
        """Look at *stream* and at the environment."""
        refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return cls(coloured=stream.isatty() and not refused)

    def bold(self, text: str) -> str:
        return self._wrap(text, "1")

    def dim(self, text: str) -> str:
        return self._wrap(text, "2")

    def good(self, text: str) -> str:
        return self._wrap(text, "32")

    def bad(self, text: str) -> str:
        return self._wrap(text, "31")

    def accent(self, text: str) -> str:
        return self._wrap(text, "36")

    def heat(self, share: float, width: int) -> str:
        """Draw a cell of *width* for a *share* from 0 to 1: a coloured field, or blocks the higher the more."""
        if not self.coloured:
            return _BLOCKS[_step(share, len(_BLOCKS))] * (width - 1) + " "
        if share <= 0:
            return " " * width
        return f"\x1b[48;5;{_HEAT[_step(share, len(_HEAT))]}m{' ' * width}\x1b[0m"

    def _wrap(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured and text else text


def _step(share: float, steps: int) -> int:
    """Return which of *steps* a share belongs to; only nothing at all is in the first."""
    return min(max(0, math.ceil(share * (steps - 1))), steps - 1)


def terminal_width() -> int:
    """Return how many columns there are; 80 where nobody knows."""
    return shutil.get_terminal_size((80, 24)).columns


def fit(text: str, stream: TextIO, *, indent: str = "", whole_words: bool = True) -> str:
    """
    Break the lines of *text* where the terminal that *stream* is would, but between words.

    What goes on begins with *indent*. A pipe or a file gets the lines as they are.
    """
    if not stream.isatty():
        return text
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        width = terminal_width()
    wrap = partial(
        textwrap.fill,
        width=max(width, len(indent) + 20),
        subsequent_indent=indent,
        break_long_words=not whole_words,
        break_on_hyphens=False,
    )
    return "\n".join(map(wrap, text.split("\n")))


def say(text: str, *, indent: str = "") -> None:
    """Print *text* for people, to stderr; lines that go on begin with *indent*."""
    print(fit(text, sys.stderr, indent=indent), file=sys.stderr, flush=True)


def text_width(text: str) -> int:
    """Return how many columns *text* takes: some letters of the East take two, marks none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def clip(text: str, width: int) -> str:
    """Cut *text* to *width* columns, with an ellipsis where something is lost."""
    if text_width(text) <= width:
        return text
    kept = ""
    for letter in text:
        if text_width(kept + letter) > width - 1:
            break
        kept += letter
    return kept + "…"


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill *text* up to *width* columns; *right* puts it to the right."""
    filling = " " * (width - text_width(text))
    return filling + text if right else text + filling


def sparkline(values: Sequence[float]) -> str:
    """
    Draw *values* as blocks, the largest the highest.

    >>> sparkline([0, 1, 4, 8])
    ' ▁▄█'
    """
    top = max(values, default=0) or 1
    return "".join(_BLOCKS[_step(value / top, len(_BLOCKS))] for value in values)


def bar(share: float, width: int) -> str:
    """
    Draw a bar of *share* of *width* columns, to an eighth of one.

    >>> bar(0.5, 5)
    '██▌'
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def show(value: object) -> str:
    """Write *value* as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value)


def draw_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, width: int, style: Style
) -> tuple[list[str], list[str]]:
    """
    Draw *rows* with those of *columns*, the first ones the more important, that fit *width*.

    Returns the lines, and the columns that found no room. Columns of numbers stand to the right.
    """
    cells = {name: [clip(show(row.get(name)), _MOST_CELL) for row in rows] for name in columns}
    widths = {name: max(map(text_width, [name, *cells[name]])) for name in columns}
    shown: list[str] = []
    left = width
    for name in columns:
        left -= widths[name] + (2 if shown else 0)
        if left < 0:
            break
        shown.append(name)
    numeric = {name: all(isinstance(row.get(name), (int, float, type(None))) for row in rows) for name in shown}

    def line(texts: Mapping[str, str]) -> str:
        return "  ".join(pad(texts[name], widths[name], right=numeric[name]) for name in shown).rstrip()

    lines = [style.bold(line({name: name for name in shown}))]
    lines.append(style.dim("  ".join("─" * widths[name] for name in shown)))
    lines += [line({name: cells[name][number] for name in shown}) for number in range(len(rows))]
    return lines, [name for name in columns if name not in shown]
