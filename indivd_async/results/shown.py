"""What a person sees of a result or a list: a few lines, or a small table of HTML; never all of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from html import escape
from itertools import islice
from typing import Any, NoReturn

import attrs

from ..escaping import escape_controls
from ..fielded import Fielded
from ..wording import brief, clip
from .columns import Table, dicts_of

_MOST_ROWS, _MOST_COLUMNS, _MOST_TEXT = 6, 9, 110
#: Characters of a cell: names in a wide table, and what a request or a note says.
_MOST_CELL, MOST_SENTENCE = 24, 300
#: Columns that say least come last, and are left out first.
_LAST = (
    *("bucket_start_utc", "weekday", "year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute", "tz"),
    "bounce_threshold_s",
)
#: What the start of a bucket says as well.
_IN_START = ("year", "month", "week", "dayofmonth", "hour", "minute")
#: Units that names of columns do not say.
_UNITS = {"drop_in_rate": " %"}


def question_of(query: Any) -> str:
    """Word a query by what was given."""
    given = [
        f"{field.name}={value if isinstance(value, date) else brief(value, 40)}"
        for field in attrs.fields(type(query))
        if field.kw_only and (value := getattr(query, field.name)) != field.default
    ]
    asked = f"{query.endpoint.name} {query.start_date} to {query.end_date}"
    return clip_line(asked + "".join(f", {one}" for one in given), MOST_SENTENCE)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Sight(Fielded):
    """What is seen: lines, a table of some rows, lines. In at most twenty lines as text, or as HTML in a notebook."""

    head: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    names: Sequence[str]
    below: Sequence[str]
    most_cell: int = _MOST_CELL

    def _columns(self) -> Iterator[tuple[bool, list[str]]]:
        """Yield whether a column is of numbers, which stand to the right, and its cells below its title."""
        for name in self.names:
            values = [row[name] for row in self.rows]
            is_numeric = all(isinstance(value, int | float | None) and not isinstance(value, bool) for value in values)
            yield is_numeric, [title_of(name), *map(self._cell, values)]

    def _cell(self, value: Any) -> str:
        if value is None:
            return "-"
        if hasattr(value, "isoformat"):
            return str(value.isoformat(sep=" ", timespec="minutes"))
        return clip_line(str(value), self.most_cell)

    @property
    def text(self) -> str:
        table = []
        for is_numeric, cells in self._columns():
            most = max(map(_width, cells))
            gaps = [" " * (most - _width(cell)) for cell in cells]
            table.append([gap + cell if is_numeric else cell + gap for gap, cell in zip(gaps, cells, strict=True)])
        lines = ["  ".join(cells).rstrip() for cells in zip(*table, strict=True)]
        return "\n".join([*self.head, *lines, *self.below])

    @property
    def html(self) -> str:
        table = []
        for is_numeric, cells in self._columns():
            style = f'style="text-align: {"right" if is_numeric else "left"}; white-space: pre-wrap"'
            tags = ("th", *["td"] * len(self.rows))
            table.append([f"<{tag} {style}>{escape(cell)}</{tag}>" for tag, cell in zip(tags, cells, strict=True)])
        lines = [f"<tr>{''.join(cells)}</tr>" for cells in zip(*table, strict=True)]
        first, *others = map(escape, self.head)
        title, body = "".join(lines[:1]), "".join(lines[1:])
        drawn = f"<table><thead>{title}</thead><tbody>{body}</tbody></table>" if self.rows else ""
        below = f"<p>{'<br>'.join(map(escape, self.below))}</p>" if self.below else ""
        return f"<p>{'<br>'.join([f'<b>{first}</b>', *others])}</p>{drawn}{below}"


def title_of(name: str) -> str:
    """Head the column *name*, with its unit where the name does not say it."""
    return name + _UNITS.get(name, "")


def told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the columns of *rows* that have a value anywhere."""
    return [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]


def see_rows(
    head: Sequence[str], rows: Iterable[Mapping[str, Any]], clocks: set[str | None], below: Sequence[str] = ()
) -> Sight:
    """Show the first of *rows*, each a column a key, and by which *clocks* they are, beside those that they name."""
    some = list(islice(rows, _MOST_ROWS + 1))
    names = told(some)
    if len({row["period"] for row in some}) == 1:
        names.remove("period")
    more = ["…"] if len(some) > _MOST_ROWS else []
    if "bucket_start" in names:
        names = [name for name in names if name not in _IN_START]
        known = sorted(tz for tz in clocks | {row["tz"] for row in some} if tz)
        more.append(clip_line(f"clock of bucket_start: {', '.join(known) or 'not documented'}", MOST_SENTENCE))
    kept = sorted(names, key=lambda name: (name in _LAST, names.index(name)))[:_MOST_COLUMNS]
    names = [name for name in names if name in kept]
    return Sight(head=head, rows=some[:_MOST_ROWS], names=names, below=[*more, *below])


class ShownAsTable:
    """What shows a few of its rows, in text and in a notebook."""

    __slots__ = ()

    def _sight(self) -> Sight:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self._sight().text

    def _repr_html_(self) -> str:
        return self._sight().html


class Tabular:
    """
    What is a table: dictionaries, or column by column for libraries of frames, which take it by `__arrow_c_stream__`.

    They are kept from reading it as objects.
    """

    __slots__ = ()

    def _table(self) -> Table:
        raise NotImplementedError

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as flat dictionaries, one column a key, as in the Arrow schema."""
        return list(dicts_of(*self._table()))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the rows as an Arrow stream; needs the extra `arrow` (or `parquet`)."""
        from . import arrow

        columns, batches = self._table()
        return arrow.stream(columns, arrow.pack(columns, batches), requested_schema)

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(
            "these are objects, not columns; write pandas.DataFrame(it.to_dicts()), pandas.DataFrame.from_arrow(it) or "
            "polars.DataFrame(it)"
        )


def _width(text: str) -> int:
    """Count the columns of a terminal that *text* takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return wide + sum(unicodedata.category(letter) not in ("Mn", "Me", "Cf") for letter in text)


def clip_line(text: str, most: int = _MOST_TEXT) -> str:
    """Make *text* fit a line, and free of what a terminal would obey."""
    return clip(escape_controls(text), most)
