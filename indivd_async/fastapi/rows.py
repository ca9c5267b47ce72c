"""Pydantic models of rows as they stand in tables: flat, a member a column."""

from __future__ import annotations

import functools
import inspect
from datetime import datetime
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, create_model

from ..queries import DropInRate, LineCrosses, Query, ZoneVisitors
from ..results import DropInRateResult, LineCrossesResult, Result, ZoneVisitorsResult
from ..results.notes import warn_of
from ..results.tables import schema_of
from ..wording import brief

_QUERIES: dict[type, type[Query]] = {
    LineCrossesResult: LineCrosses,
    ZoneVisitorsResult: ZoneVisitors,
    DropInRateResult: DropInRate,
}
_TYPES: dict[str, Any] = {"int64": int, "float64": float, "string": str, "timestamp": datetime}


def rows_model(cls: type[Any]) -> type[RootModel[Any]]:
    """
    Return the pydantic model of a list of flat rows, a member a column of the table, for `response_model=` and OpenAPI.

    *cls* is the class of a query or of its result. The columns are those of `to_dicts()`, Arrow and `stream_ndjson`;
    the model takes a result as it is, or a list of such rows. Beside `response_model`, which nests as the service's
    answers do, this is what tables and charts in a browser read. A table does not tell what is missing from it, so a
    result that is not complete raises `PartialResultError`; nor has it notes, so the server warns of those that
    somebody should look at.

    >>> row = rows_model(ZoneVisitors).model_json_schema()["$defs"]["ZoneVisitorsTableRow"]
    >>> [*row["properties"]][0]
    'period'
    """
    query = _QUERIES.get(cls, cls) if isinstance(cls, type) else None
    if query is None or query not in _QUERIES.values():
        raise TypeError(
            f"rows_model needs the class of a query or a result, such as ZoneVisitors; got {brief(cls, 80)}"
        )
    return _rows_model(query)


@functools.cache
def _rows_model(query: type[Query]) -> type[RootModel[Any]]:
    columns = schema_of(query("2025-01-01", "2025-01-01"))
    fields: dict[str, Any] = {
        # Every column but the first may be null: what is not measured, or cannot be known.
        column.name: (
            _TYPES[column.kind] if column.name == "period" else _TYPES[column.kind] | None,
            Field(..., description=column.meaning),
        )
        for column in columns
    }
    row = create_model(
        f"{query.__name__}TableRow",
        __config__=ConfigDict(frozen=True),
        __doc__=f"A row of the table that answers a query. {_first_line(query)}",
        **fields,
    )
    rows: Any = RootModel[Annotated[list[row], BeforeValidator(_dicts)]]  # type: ignore[valid-type]
    return cast(
        "type[RootModel[Any]]",
        create_model(
            f"{query.__name__}Table", __base__=rows, __module__=__name__, __doc__="Rows in the order of their buckets."
        ),
    )


def _first_line(cls: type[Any]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _dicts(rows: Any) -> Any:
    if not isinstance(rows, Result):
        return rows
    rows.raise_for_failures()  # a table has no place to say what is missing
    warn_of(rows.notes)
    return rows.to_dicts()
