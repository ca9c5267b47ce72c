"""`indivd locations` and its like: what the token may see."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import anyio
import attrs

from .arguments import LIST_FORMATS
from .connecting import make_client
from .output import choose_format, open_output, write_rows, write_table


def main(args: argparse.Namespace) -> int:
    """List what `args.command` names."""
    form = choose_format(args, LIST_FORMATS)
    entities = anyio.run(_list, args)
    rows = [flatten(entity) for entity in entities]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open_output(args) as out:
        if form == "table":
            told = [name for name in names if any(_is_short(row.get(name)) for row in rows)]
            write_table(out, rows, told or names, args)
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


def _is_short(value: object) -> bool:
    return value is not None and not isinstance(value, (Mapping, tuple))
