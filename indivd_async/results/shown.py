"""What a person sees of a result or a list: a few lines, or a small table of HTML; never all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from ..escaping import escape_controls
from ..wording import brief, clip

if TYPE_CHECKING:
    from . import AnyResult
    from .listed import Listed

_MOST_ROWS = 6
_MOST_ENTRIES = 12
_MOST_NOTES = 5
_MOST_COLUMNS = 9
_MOST_TEXT = 110
#: Characters of a cell: names in a wide table, and what a request or a note says.
_MOST_CELL, _MOST_SENTENCE = 24, 300
#: Columns that say least come last, and are left out first.
_LAST = ("bucket_start_utc", "weekday", "year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute", "tz")
#: What the start of a bucket says as well.
_IN_START = ("year", "month", "week", "dayofmonth", "hour", "minute")


def question_of(query: Any) -> str:
    """Word a query by what was given."""
    given = [
        f"{field.name}={brief(getattr(query, field.name), 40)}"
        for field in attrs.fields(type(query))
        if field.kw_only and getattr(query, field.name) != field.default
    ]
    return _clip(f"{query.endpoint.name} {query.start_date} to {query.end_date}" + "".join(f", {one}" for one in given))


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
        return _clip(str(value), self.most_cell)

    def _is_numeric(self, name: str) -> bool:
        values = [row[name] for row in self.rows]
        return all(isinstance(value, int | float | None) and not isinstance(value, bool) for value in values)


def see_result(result: AnyResult) -> Sight:
    """Show what *result* is of, some of its rows, and the notes."""
    from . import tables

    failed = sum(item.status == "failed" for item in result.coverage)
    state = f"{failed} of {len(result.coverage)} requests failed" if failed else f"requests: {len(result.coverage)}"
    zones = getattr(result, "zone_details", None)  # the rows of a table are theirs
    apart = "" if zones is None else f" of all zones together (below: of {_plural(len(zones.current), 'zone')} each)"
    some = list(islice(tables.dicts_of(result), _MOST_ROWS + 1))
    names = _told(some)
    if len({row["period"] for row in some}) == 1:
        names.remove("period")
    if "bucket_start" in names:
        names = [name for name in names if name not in _IN_START]
    kept = sorted(names, key=lambda name: (name in _LAST, names.index(name)))[:_MOST_COLUMNS]
    below = ["…"] if len(some) > _MOST_ROWS else []
    below += [_clip(f"note: {note.message}", _MOST_SENTENCE) for note in result.notes[:_MOST_NOTES]]
    if len(result.notes) > _MOST_NOTES:
        below.append(f"and {len(result.notes) - _MOST_NOTES} more notes")
    return Sight(
        head=[
            f"{type(result).__name__}: {_plural(len(result), 'row')}{apart}, {state}",
            question_of(result.plan.query),
        ],
        rows=some[:_MOST_ROWS],
        names=[name for name in names if name in kept],
        below=below,
    )


def see_listed(listed: Listed[Any]) -> Sight:
    """Show the first of *listed*, or of those that failed."""
    from .listed import Listed

    failed = [entry for entry in listed if getattr(entry, "error", None) is not None]
    first = Listed((failed or listed)[:_MOST_ENTRIES], listed.entry_class)
    rows = first.to_dicts()
    hidden = len(failed or listed) - len(first)
    counted_as = _plural(len(listed), _NOUNS.get(listed.entry_class.__name__, listed.entry_class.__name__.lower()))
    return Sight(
        head=[f"{counted_as}, {len(failed):,} failed:" if failed else counted_as],
        rows=rows,
        names=[name for name in _told(rows) if name not in _WIDE],
        below=[f"and {hidden:,} more"] if hidden else [],
        most_cell=_MOST_SENTENCE,
    )


#: Columns that are too wide to be looked at.
_WIDE = ("opening_hours", "asked")
#: What a person calls one of a class.
_NOUNS = {"Coverage": "request"}


def _told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]


def _plural(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def _clip(text: str, most: int = _MOST_TEXT) -> str:
    return clip(escape_controls(text), most)
