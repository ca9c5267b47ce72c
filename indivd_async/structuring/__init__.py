"""
From the bytes of an answer to frozen rows, or to a `DecodeError` that says what is wrong and where.

Strict: no value is coerced, none is lost. This room is the only one that knows cattrs, orjson and msgspec: `reading`
says what an answer means and names its faults, by `hooks` for cattrs; `documented` serves the documented shape faster,
or declines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import DecodeError
from .places import place_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..planning import PlannedRequest
    from ..results import Answer
    from ..transport import Reply
    from .reading import Listing

S = TypeVar("S")

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
    if answer is None:
        from .reading import decide_answer

        answer = decide_answer(endpoint, body, tz=tz, carried=carried)
    return answer


def structure_entities(endpoint: str, body: bytes) -> Listing:
    """
    Structure the answer of a filter endpoint: a list, one object, an object with one list in it, or a mapping by id.

    What else stands in the object that has the list is kept in `extra`. Raises `DecodeError`.
    """
    from .reading import decide_entities

    return decide_entities(endpoint, body)


def read_answer(request: PlannedRequest, body: bytes, *, for_table: bool = False) -> Answer:
    """Structure the answer to *request*; a `DecodeError` names it."""
    asked: Any = {"tz": request.tz, "carried": request.carried, "for_table": for_table}
    return _name(request, lambda: structure_answer(request.endpoint, body, **asked))


def read_entities(request: PlannedRequest, reply: Reply) -> Listing:
    """Structure the list that *request* asked for; a `DecodeError` names it."""
    return _name(request, lambda: structure_entities(request.endpoint, reply.body))


def _name(request: PlannedRequest, structure: Callable[[], S]) -> S:
    try:
        return structure()
    except DecodeError as error:
        raise DecodeError(error.problems, request=request) from error


__all__ = ["place_rows", "read_answer", "read_entities", "structure_answer", "structure_entities"]
