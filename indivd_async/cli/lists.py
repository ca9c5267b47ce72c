"""`indivd locations` and its like: what the token may see."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import anyio
import attrs

from .arguments import LIST_FORMATS
from .connection import make_client
from .output import choose_format, open_output, write_rows, write_table
from .terminal import say


def main(args: argparse.Namespace) -> int:
    """List what `args.command` names."""
    form = choose_format(args, LIST_FORMATS)
    entities = anyio.run(_list, args)
    rows = [flatten(entity) for entity in entities]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open_output(args.out) as out:
        if form == "table":
            shown = [{name: _shorten(value) for name, value in row.items()} for row in rows]
            told = [name for name in names if any(row.get(name) is not None for row in shown)]
            write_table(out, shown, told or names, args)
            if deep := [name for name in names if any(_is_deep(row.get(name)) for row in rows)]:
                say(f"not shown: {', '.join(deep)}, which --json has")
        else:
            write_rows(out, form, rows, names, limit=args.limit)
    return 0


async def _list(args: argparse.Namespace) -> tuple[Any, ...]:
    async with make_client(args) as client:
        found: tuple[Any, ...] = await getattr(client, args.command)()
        return found


def flatten(entity: Any) -> dict[str, Any]:
    """Return the fields of *entity*, those that this library does not know among them."""
    known = {field.name: getattr(entity, field.name) for field in attrs.fields(type(entity)) if field.name != "extra"}
    return known | {name: value for name, value in entity.extra.items() if name not in known}


def _is_deep(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, tuple) and any(map(_is_container, value)))


def _is_container(value: object) -> bool:
    return isinstance(value, Mapping | tuple)


def _shorten(value: Any) -> Any:
    """Write a list of ids or words, such as the categories of a line, as one cell; leave out what is deeper."""
    if _is_deep(value):
        return None
    return (", ".join(map(str, value)) or None) if isinstance(value, tuple) else value
