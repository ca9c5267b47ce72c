"""What a person sees of a result: a few lines, or a small table of HTML; never all of its rows."""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from ..escaping import escape_controls

if TYPE_CHECKING:
    from . import AnyResult

_MOST_ROWS = 6
_MOST_NOTES = 5
_MOST_COLUMNS = 9
_MOST_TEXT = 110
#: Columns that say least come last, and are left out first.
_LAST = ("bucket_start_utc", "weekday", "year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute", "tz")


def counted(what: object) -> str:
    """Show a collection by its size."""
    return "None" if what is None else f"<{len(what)}>"  # type: ignore[arg-type]


def question_of(query: Any) -> str:
    """Word a query by what was given."""
    given = [
        f"{field.name}={getattr(query, field.name)!r}"
        for field in attrs.fields(type(query))
        if field.kw_only and getattr(query, field.name) != field.default
    ]
    return _clip(f"{query.endpoint.name} {query.start_date} to {query.end_date}" + "".join(f", {one}" for one in given))


def as_text(result: AnyResult) -> str:
    """Show *result* in at most twenty lines."""
    head, names, rows, below = _parts(result)
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    title = "  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True)).rstrip()
    return "\n".join([*head, *([title, *table] if rows else []), *below])


def as_html(result: AnyResult) -> str:
    """Show *result* as a notebook does."""
    head, names, rows, below = _parts(result)
    cells = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    first, *others = map(escape, head)
    return f"<p><b>{first}</b><br>{'<br>'.join(others)}</p>{table}<p>{'<br>'.join(map(escape, below))}</p>"


def _parts(result: AnyResult) -> tuple[list[str], list[str], list[list[str]], list[str]]:
    """Return the head, the names of columns, some rows of text, and what stands below."""
    from . import tables

    query = result.plan.query
    failed = sum(item.status == "failed" for item in result.coverage)
    state = f"{failed} of {len(result.coverage)} requests failed" if failed else f"requests: {len(result.coverage)}"
    head = [f"{type(result).__name__}: {_rows(len(result))}, {state}", question_of(query)]
    some = list(islice(tables.dicts_of(result), _MOST_ROWS + 1))
    names = [name for name in (some[0] if some else ()) if any(row[name] is not None for row in some)]
    if len({row["period"] for row in some}) == 1 and names:
        names.remove("period")
    kept = set(sorted(names, key=lambda name: (name in _LAST, names.index(name)))[:_MOST_COLUMNS])
    names = [name for name in names if name in kept]
    rows = [[_cell(row[name]) for name in names] for row in some[:_MOST_ROWS]]
    below = ["…"] if len(some) > _MOST_ROWS else []
    below += [_clip(f"note: {note.message}") for note in result.notes[:_MOST_NOTES]]
    if len(result.notes) > _MOST_NOTES:
        below.append(f"and {len(result.notes) - _MOST_NOTES} more notes")
    return head, names, rows, below


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(sep=" ", timespec="minutes"))
    return _clip(str(value), 24)


def _rows(count: int) -> str:
    return f"{count:,} row" + ("" if count == 1 else "s")


def _clip(text: str, most: int = _MOST_TEXT) -> str:
    text = escape_controls(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
