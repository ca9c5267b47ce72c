"""
SQL for the tables of an export: what DuckDB and PostgreSQL both understand.

All values are our own, typed: numbers, days, names that were checked, and a document whose quotes are doubled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ..planning.windows import bucket_unit
from ..queries import PER, LineCrosses, Query
from .columns import LABELS, START, ZONE, bounds_of, location_column
from .question import groupings_of
from .store import Region
from .target import MANIFESTS, Target

_TYPES = {"int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT", "double": "DOUBLE PRECISION", "bool": "BOOLEAN"}
_NO_NUMBER = "-9223372036854775808"


def use_schema(name: str) -> str:
    """Let tables be those of a schema: written before a table, DuckDB may take its name for that of the file."""
    return f"SET search_path = {literal(name)}"


def name_table(target: Target, table: str | None = None) -> str:
    """Quote the name of the table, or of another one beside it."""
    return f'"{table or target.table}"'


def literal(value: str | int | datetime | None) -> str:
    """Write a value."""
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S}'"
        return f"TIMESTAMPTZ '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00:00'"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def create_table(target: Target, schema: pa.Schema) -> str:
    """Make the table, each column in its type."""
    columns = ", ".join(f'"{field.name}" {_type_of(field.type)}' for field in schema)
    return f"CREATE TABLE {name_table(target)} ({columns})"


def _type_of(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz is None else "TIMESTAMPTZ"
    if pa.types.is_date(kind):
        return "DATE"
    return _TYPES.get(str(kind), "TEXT")


def key_of(query: Query, schema: pa.Schema) -> list[str]:
    """Name the columns that tell a row of the table from any other, whatever is asked again."""
    dated = all(bucket_unit(grouping) is not None for grouping in groupings_of(query).values())
    fanned = [name for name in PER if isinstance(query, LineCrosses) and name in schema.names]
    names = ["period", location_column(schema), ZONE, *fanned, *((START,) if dated else LABELS)]
    return [name for name in dict.fromkeys(names) if name in schema.names]


def create_key(target: Target, query: Query, schema: pa.Schema) -> str:
    """Let no two rows have one key; nulls are values here."""
    columns = ", ".join(_key_part(schema.field(name)) for name in key_of(query, schema))
    # PostgreSQL finds a name that is free: a table that was renamed keeps that of its key.
    name = f'"{target.table}_key" ' if target.kind == "duckdb" else ""
    return f"CREATE UNIQUE INDEX {name}ON {name_table(target)} ({columns})"


def _key_part(field: pa.Field) -> str:
    if pa.types.is_timestamp(field.type) or field.name == "period":
        return f'"{field.name}"'
    return f'coalesce("{field.name}", {_NO_NUMBER if pa.types.is_integer(field.type) else literal("")})'


def create_manifests(target: Target) -> str:
    """Make the table of manifests, where there is none."""
    columns = '"name" TEXT PRIMARY KEY, "version" BIGINT NOT NULL, "writer" TEXT NOT NULL, "document" TEXT NOT NULL'
    return f"CREATE TABLE IF NOT EXISTS {name_table(target, MANIFESTS)} ({columns})"


def select_rows(target: Target, schema: pa.Schema, regions: Sequence[Region]) -> str:
    """Read the rows of *regions*."""
    columns = ", ".join(f'"{name}"' for name in schema.names)
    return f"SELECT {columns} FROM {name_table(target)} WHERE {' OR '.join(_conditions(schema, regions))}"


def delete_rows(target: Target, schema: pa.Schema, regions: Sequence[Region]) -> Iterable[str]:
    """Delete the rows of *regions*."""
    for condition in _conditions(schema, regions):
        yield f"DELETE FROM {name_table(target)} WHERE {condition}"


def _conditions(schema: pa.Schema, regions: Sequence[Region]) -> list[str]:
    alike: dict[Any, list[int | None]] = {}
    for region in regions:
        alike.setdefault((region.period, region.window), []).append(region.location)
    found = []
    for (period, window), places in alike.items():
        terms = [f'"period" = {literal(period)}']
        if None not in places:
            terms.append(f'"{location_column(schema)}" IN ({", ".join(map(str, places))})')
        if window is not None:
            first, end = bounds_of(schema, window)
            terms.append(f'"{START}" >= {literal(first)} AND "{START}" < {literal(end)}')
        found.append(f"({' AND '.join(terms)})")
    return found


def count_rows(target: Target, schema: pa.Schema, regions: Sequence[Region] = ()) -> str:
    """Count the rows of each period and location: all of them, or those of *regions*."""
    names = f'"period", "{location_column(schema)}"'
    where = f" WHERE {' OR '.join(_conditions(schema, regions))}" if regions else ""
    return f"SELECT {names}, count(*) AS rows_there FROM {name_table(target)}{where} GROUP BY {names}"


def count_tables(table: str) -> str:
    """Count the tables of that name in the schema, and in no other database at hand: none or one."""
    return (
        f"SELECT count(*) AS n FROM information_schema.tables WHERE table_name = {literal(table)} "
        "AND table_schema = current_schema() AND table_catalog = current_database()"
    )


def select_manifest(target: Target) -> str:
    """Read version, writer and document of the table's manifest."""
    manifests = name_table(target, MANIFESTS)
    return f"SELECT version, writer, document FROM {manifests} WHERE name = {literal(target.table)}"


def insert_manifest(target: Target, version: int, writer: str, document: str) -> str:
    """Keep the first manifest."""
    values = ", ".join([literal(target.table), literal(version), literal(writer), literal(document)])
    return f"INSERT INTO {name_table(target, MANIFESTS)} VALUES ({values})"


def update_manifest(target: Target, version: int, writer: str, document: str) -> str:
    """Let a manifest take the place of the one before it."""
    return (
        f"UPDATE {name_table(target, MANIFESTS)} SET version = {version}, writer = {literal(writer)}, "
        f"document = {literal(document)} WHERE name = {literal(target.table)} AND version = {version - 1}"
    )


def insert_rows(target: Target, columns: Sequence[str], source: str) -> str:
    """Append the rows of another table."""
    names = ", ".join(f'"{name}"' for name in columns)
    return f'INSERT INTO {name_table(target)} ({names}) SELECT {names} FROM "{source}"'
