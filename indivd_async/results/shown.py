"""What a person sees of a result or a list: a few lines, or a small table of HTML; never all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import attrs

from ..escaping import escape_controls
from ..wording import brief, clip

_MOST_TEXT = 110
#: Characters of a cell: names in a wide table, and what a request or a note says.
_MOST_CELL, MOST_SENTENCE = 24, 300


def question_of(query: Any) -> str:
    """Word a query by what was given."""
    given = [
        f"{field.name}={brief(getattr(query, field.name), 40)}"
        for field in attrs.fields(type(query))
        if field.kw_only and getattr(query, field.name) != field.default
    ]
    return clip_line(
        f"{query.endpoint.name} {query.start_date} to {query.end_date}" + "".join(f", {one}" for one in given)
    )


@attrs.frozen(kw_only=True)
class Sight:
    """What is seen: lines, a table of some rows, lines. In at most twenty lines as text, or as HTML in a notebook."""

    head: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    names: Sequence[str]
    below: Sequence[str]
    most_cell: int = _MOST_CELL

    @property
    def text(self) -> str:
        """It for a terminal; columns of numbers stand to the right."""
        table = []
        for name in self.names:
            cells = [name, *[self._cell(row[name]) for row in self.rows]]
            width = max(map(len, cells))
            table.append([cell.rjust(width) if self._is_numeric(name) else cell.ljust(width) for cell in cells])
        lines = ["  ".join(cells).rstrip() for cells in zip(*table, strict=True)]
        return "\n".join([*self.head, *lines, *self.below])

    @property
    def html(self) -> str:
        """It for a page."""
        sides = {name: "right" if self._is_numeric(name) else "left" for name in self.names}

        def draw(tag: str, texts: Iterable[str]) -> str:
            cells = zip(self.names, texts, strict=True)
            return "".join(
                f'<{tag} style="text-align: {sides[name]}; white-space: pre-wrap">{escape(text)}</{tag}>'
                for name, text in cells
            )

        title = draw("th", self.names)
        body = "".join(f"<tr>{draw('td', [self._cell(row[name]) for name in self.names])}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{title}</tr></thead><tbody>{body}</tbody></table>" if self.rows else ""
        first, *others = map(escape, self.head)
        below = f"<p>{'<br>'.join(map(escape, self.below))}</p>" if self.below else ""
        return f"<p>{'<br>'.join([f'<b>{first}</b>', *others])}</p>{table}{below}"

    def _cell(self, value: Any) -> str:
        if value is None:
            return "-"
        if hasattr(value, "isoformat"):
            return str(value.isoformat(sep=" ", timespec="minutes"))
        return clip_line(str(value), self.most_cell)

    def _is_numeric(self, name: str) -> bool:
        values = [row[name] for row in self.rows]
        return all(isinstance(value, int | float | None) and not isinstance(value, bool) for value in values)


def told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the columns of *rows* that have a value anywhere."""
    return [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]


def plural(count: int, noun: str) -> str:
    """Count what *noun* names."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def clip_line(text: str, most: int = _MOST_TEXT) -> str:
    """Make *text* fit a line, and free of what a terminal would obey."""
    return clip(escape_controls(text), most)
