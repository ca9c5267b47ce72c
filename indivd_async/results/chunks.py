"""
What a stream yields and what the merge takes.

A chunk is what became of one planned request, rows or an error. It has not been merged with any other.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import attrs

from ..errors import IndivdError
from ..escaping import ShownAsText
from ..planning import PlannedRequest
from ..queries import Query
from ..wording import plural
from .answers import Answer
from .listed import Listed
from .notes import Note


@attrs.frozen(kw_only=True, repr=False, eq=False)
class Chunk(ShownAsText):
    """
    What became of one planned request of one query.

    Either `error` is None and the rows are there, or the request failed for good and there are none.
    """

    query: Query
    """The question that its request belongs to."""
    request: PlannedRequest
    """The request that was answered, or failed."""
    answer: Answer | None = None
    """What it said; None where it failed."""
    error: IndivdError | None = None
    """Why it failed; None where it was answered."""
    attempts: int = 0
    """How often it was sent; 0 where a cache had the answer."""

    def __repr__(self) -> str:
        became = f"failed: {self.error}" if self.error is not None else plural(self.row_count, "row")
        return f"<Chunk of {self.request}: {became}>"

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as flat dictionaries, one column a key, as those of a result; a failed chunk has none."""
        from . import tables

        return tables.rows_of_chunk(self)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the rows as an Arrow stream (extra `arrow`); a failed chunk raises its error."""
        from . import tables

        return tables.ArrowStream(self.query, [self]).__arrow_c_stream__(requested_schema)

    @property
    def notes(self) -> Listed[Note]:
        """What there is to know about the figures of this answer by itself; the result of a fetch unites them."""
        return Listed(() if self.answer is None else self.answer.notes, Note)

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows of every period of the answer, as the API gave them; for drop_in_rate the zones' own rows."""
        return () if self.answer is None else tuple(chain.from_iterable(self.answer.blocks))

    @property
    def row_count(self) -> int:
        """How many rows there are, without collecting them."""
        return 0 if self.answer is None else sum(map(len, self.answer.blocks))
