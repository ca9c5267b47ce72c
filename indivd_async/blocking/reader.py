"""Results of many queries as one Arrow stream, pulled as it is read."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ..client import AsyncIndivd
from ..errors import InvalidQueryError
from ..planning import Plan, each_query
from ..queries import Query
from ..results import tables
from ..results.notes import warn_of
from ..settings import DEFAULT_CONCURRENCY
from .portal import Portal
from .work import Work

if TYPE_CHECKING:
    from ..results import AnyResult

#: Pieces that are asked for while one is read, each of as many requests as are in the air at once by default.
_AHEAD = 1


class ArrowReader:
    """
    Rows of many queries for whatever reads Arrow's C stream.

    Each reading asks anew, and asks for nothing before its first batch is pulled: readers look at the schema first.
    What ends a reading, an interrupt too, comes out in an error of the reader's own, with its words: Arrow's C stream
    carries no exceptions.
    """

    def __init__(self, portal: Portal, client: AsyncIndivd, queries: Query | Plan | Iterable[Query | Plan]) -> None:
        self._portal = portal
        self._client = client
        given: Iterable[Query | Plan] = (queries,) if isinstance(queries, Query | Plan) else queries
        source = each_query(given)
        # What can be read but once is read once: the first tells the schema.
        self._once = isinstance(given, Iterator)
        some = list(itertools.islice(source, 1))
        self._first = tables.check_same_columns(map(_query_of, some))
        self._schema = tables.arrow_schema(self._first)
        self._queries = itertools.chain(some, source) if self._once else given

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the rows as an Arrow stream."""
        import pyarrow

        reader = pyarrow.RecordBatchReader.from_batches(self._schema, _Reading(self._batches()))
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[Any]:
        """Yield batches, the next piece being asked for while one is read."""
        asked: deque[Work[AnyResult]] = deque()
        try:
            for piece in self._pieces():
                asked.append(self._portal.submit(partial(self._client.run, piece)))
                if len(asked) > _AHEAD:
                    yield from self._read(asked.popleft())
            while asked:
                yield from self._read(asked.popleft())
        finally:
            for work in asked:
                work.cancel()

    def _read(self, work: Work[AnyResult]) -> Iterator[Any]:
        result = work.wait()
        result.raise_for_failures()
        warn_of(result.notes)
        return tables.record_batches(result)

    def _pieces(self) -> Iterator[Plan]:
        """Yield the plans of the queries, each in shards of about as many requests as are sent at once."""
        if self._once:
            queries, self._queries = self._queries, _only_once()
        else:
            queries = self._queries
        for query in each_query(queries):
            tables.check_same_columns((self._first, _query_of(query)))
            plan = query if isinstance(query, Plan) else self._portal.run(partial(self._client.plan, query))
            yield from plan.shards(max(1, math.ceil(len(plan) / DEFAULT_CONCURRENCY)))


class _Reading(Iterator[Any]):
    """Batches whose end by an error stays one: who asks again after it must not take it for the end of the rows."""

    def __init__(self, batches: Iterator[Any]) -> None:
        self._batches = batches
        self._failure: BaseException | None = None

    def __next__(self) -> Any:
        if self._failure is not None:
            raise self._failure
        try:
            return next(self._batches)
        except StopIteration:
            raise
        except BaseException as failure:
            self._failure = failure
            raise


def _query_of(query: Query | Plan) -> Query:
    return query.query if isinstance(query, Plan) else query


def _only_once() -> Iterator[Query]:
    raise InvalidQueryError(
        "queries", "came from an iterator and were read already", None, "Pass a list to read them several times."
    )
    yield
