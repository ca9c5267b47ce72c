"""
From the bytes of an answer to frozen rows, or to a `DecodeError` that says what is wrong and where.

Strict: no value is coerced, none is lost. This room is the only one that knows cattrs, orjson and msgspec: `reading`
says what an answer means and names its faults, by `hooks` for cattrs; `documented` serves the documented shape faster,
or declines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DecodeError
from .places import place_rows as place_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..planning import PlannedRequest
    from ..results import Answer
    from .reading import Listing

# Both ways are imported at first use: cattrs and msgspec would double what `import indivd_async` adds to that of httpx.


def structure_answer(
    endpoint: str, body: bytes, *, tz: str | None, carried: Mapping[str, int], for_table: bool = False
) -> Answer:
    """
    Structure the answer of a data endpoint; *tz* and *carried* are what the request says of its rows.

    *for_table*: rows may stay as they were decoded, with the attributes of rows: whoever makes columns of them at once
    needs no more.

    Fields that are not known stay in the `extra` of the object that had them (those of a row's `_id` under that name);
    those of objects that no row stands for, such as the top level and the periods, in the answer's. Raises
    `DecodeError`.
    """
    from .documented import read_documented

    answer = read_documented(endpoint, body, tz=tz, carried=carried, for_table=for_table)
    if answer is not None:
        return answer
    from .reading import decide_answer

    return decide_answer(endpoint, body, tz=tz, carried=carried)


def read_answer(request: PlannedRequest, body: bytes, *, for_table: bool = False) -> Answer:
    """Structure the answer to *request*; a `DecodeError` names it."""
    try:
        return structure_answer(request.endpoint, body, tz=request.tz, carried=request.carried, for_table=for_table)
    except DecodeError as error:
        raise DecodeError(error.problems, request=request) from error


def read_entities(request: PlannedRequest, body: bytes) -> Listing:
    """Structure the list that *request* asked for; a `DecodeError` names it."""
    from .reading import structure_entities

    try:
        return structure_entities(request.endpoint, body)
    except DecodeError as error:
        raise DecodeError(error.problems, request=request) from error
