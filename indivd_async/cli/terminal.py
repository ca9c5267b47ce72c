"""Text for people: messages on stderr, and what rich draws."""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TextIO

from ..escaping import escape_controls
from ..results.shown import title_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: Columns of a cell, and what it is cut to where fewer than so many figures would find room.
_MOST_CELL, _FIGURES = (28, 20, 14), 3
_GAP = 2


def fit(text: str, stream: TextIO, *, indent: str = "", whole_words: bool = True) -> str:
    """
    Break the lines of *text* where the terminal that *stream* is would, but between words.

    What goes on begins with *indent*. A pipe or a file gets the lines as they are.
    """
    if not stream.isatty():
        return text
    wrap = partial(
        textwrap.fill,
        width=max(size_of(stream).columns, len(indent) + 20),
        subsequent_indent=indent,
        break_long_words=not whole_words,
        break_on_hyphens=False,
    )
    return "\n".join(map(wrap, text.split("\n")))


def size_of(stream: TextIO) -> os.terminal_size:
    """Return how large the terminal that *stream* is is; 80 columns and 24 lines where nobody knows."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        found = os.terminal_size((0, 0))
    guess = shutil.get_terminal_size((80, 24))
    return os.terminal_size((found.columns or guess.columns, found.lines or guess.lines))


def say(text: str, *, indent: str = "") -> None:
    """Print *text* for people, to stderr; lines that go on begin with *indent*, and nothing in it is obeyed."""
    lines = "\n".join(map(escape_controls, text.split("\n")))
    try:
        print(fit(lines, sys.stderr, indent=indent), file=sys.stderr, flush=True)
    except OSError:  # nobody reads it, or its disk is full: that is no reason to fail
        sys.stderr = open_nothing()


def open_nothing() -> TextIO:
    """Open what takes the place of a stream that is closed."""
    return open(os.devnull, "w", encoding="utf-8")


def check_rich(instead: str = "") -> None:
    """Raise where what draws tables is not installed; *instead* says what does without."""
    try:
        import rich  # noqa: F401
    except ImportError:
        raise ImportError(f"tables need rich: pip install 'indivd-async[cli]'{instead}") from None


def make_console(stream: TextIO, *, width: int | None = None) -> Console:
    """
    Make what draws on *stream*: in colours on a terminal, unless NO_COLOR is set or it is a dumb one.

    Square brackets and colons are text to it.
    """
    check_rich()
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            raise

    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return Quiet(
        file=stream,
        width=size_of(stream).columns if width is None else width,
        color_system=None if refused else "auto",
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
    )


def show(value: object) -> str:
    """Write *value* as a table shows it."""
    if value is None:
        return ""
    return f"{value:,.1f}" if isinstance(value, float) else escape_controls(str(value))


def draw_tables(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, width: int, at_once: int | None = None
) -> tuple[Iterator[Table], list[str]]:
    """
    Draw *rows* with those of *columns*, the first ones the more important, that fit *width*.

    Returns tables of *at_once* rows, whose columns stand below each other, and the columns that found no room. Columns
    of numbers stand to the right.
    """
    from rich.cells import cell_len

    cells = {name: [show(row.get(name)) for row in rows] for name in columns}
    needed = {name: max(map(cell_len, [title_of(show(name)), *cells[name]])) for name in columns}
    numeric = {name: all(isinstance(row.get(name), (int, float, type(None))) for row in rows) for name in columns}
    whole = {name: min(_MOST_CELL[0], needed[name]) for name in columns[:1]}  # half a day or id is another one
    cut = [{name: min(most, size) for name, size in needed.items()} | whole for most in _MOST_CELL]
    # Long names make room for figures, no more of it than these take.
    widths = max(cut, key=lambda widths: _worth(_fitting(widths, width), numeric))
    shown = _fitting(widths, width)
    step = at_once or max(len(rows), 1)

    def draw() -> Iterator[Table]:
        for first in range(0, max(len(rows), 1), step):
            table = _make_table(shown, widths, numeric)
            for number in range(first, min(first + step, len(rows))):
                table.add_row(*[cells[name][number] for name in shown])
            yield table

    return draw(), [name for name in columns if name not in shown]


def _fitting(widths: Mapping[str, int], width: int) -> list[str]:
    """Return the first columns that fit *width* together."""
    ends = accumulate(size + _GAP for size in widths.values())
    return [name for name, end in zip(widths, ends, strict=True) if end <= width + _GAP]


def _worth(shown: Sequence[str], numeric: Mapping[str, bool]) -> tuple[int, int]:
    return min(_FIGURES, sum(map(numeric.__getitem__, shown))), len(shown)


def _make_table(names: Sequence[str], widths: Mapping[str, int], numeric: Mapping[str, bool]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),  # the box has one of its own
        header_style="bold",
        border_style="dim",
    )
    for name in names:
        justify: Any = "right" if numeric[name] else "left"
        table.add_column(title_of(show(name)), justify=justify, no_wrap=True, overflow="ellipsis", width=widths[name])
    return table


def draw_text(tables: Iterator[Table], *, width: int) -> str:
    """Return *tables* as text without colours, for files and pipes."""
    text = io.StringIO()
    console = make_console(text, width=width)
    for table in tables:
        console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())
