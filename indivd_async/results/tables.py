"""
Rows as a flat table: for dictionaries, for Arrow, for files.

The columns depend on the query only: an empty answer has the table of a full one. All begin alike: `period`, when
(`bucket_start` is aware where the query names one clock for all rows, naive local time where each location has its own,
null where the labels do not fix it), where, and the labels of the bucket; `columns.MEANINGS` says what each column is.

Rows of drop_in_rate are the zones' own. Rows stand in the order of their buckets, then of zone ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import InvalidQueryError
from ..fielded import Fielded
from ..models import Bucket, DwellTimeStats, Exclude, LineCrossesRow, ZoneDropIn, ZoneDropInRow, ZoneVisitorsRow
from ..models.values import LABELS, labels_of
from ..profile import NOTHING_KNOWN, Numbering
from ..queries import PER, DropInRate, LineCrosses, Query, ZoneVisitors
from . import arrow
from .columns import BATCH_ROWS, MEANINGS, Batch, Column, Same, Table, Values
from .moments import MOMENTS, PLACE, Known, alike, when_and_where
from .notes import Note, unite_notes
from .shown import Tabular, question_of

if TYPE_CHECKING:
    import pyarrow


#: A chunk, or a result of any endpoint: they know their tables, which therefore do not know them.
Answered = Any


def schema_of(query: Query | type[Query]) -> tuple[Column, ...]:
    """
    Return the columns of every table that answers *query*; of a class of queries, those without a clock for all.

    >>> [c.name for c in schema_of(LineCrosses)][-2:]
    ['line', 'count']
    """
    table = _TABLES[query if isinstance(query, type) else type(query)]
    clocks = {
        "bucket_start": getattr(query, "tz", None) if isinstance(query, Query) else None,
        "bucket_start_utc": "UTC",
    }
    names = ("period", *MOMENTS, "tz", *PLACE, *LABELS, "weekday", *table.columns)
    return tuple(Column(name, MEANINGS[name][0], clocks.get(name)) for name in names)


def table_of_visits(rows: Sequence[ZoneVisitorsRow]) -> Table:
    """Return the table of *rows* of which nothing else is known."""
    query = ZoneVisitors("2000-01-01", "2000-01-01")  # any: the columns are those of all that have no clock for all
    known = Known(profile=NOTHING_KNOWN, line_clocks={})
    return schema_of(query), _batches(query, [("current", known, rows)])


def check_same_columns(queries: Iterable[Query]) -> Query:
    """Return the first of *queries*; raise where another's answer has other columns, for one stream has one schema."""
    first: Query | None = None
    for query in queries:
        if not isinstance(query, Query):
            raise InvalidQueryError("queries", "must be of LineCrosses, ZoneVisitors, DropInRate", query)
        first = first or query
        if schema_of(query) != schema_of(first):
            raise InvalidQueryError(
                "queries",
                "must all be of one endpoint, and on the same clock (`tz`) or on each location's own",
                query,
                "Read the others by themselves.",
            )
    if first is None:
        raise InvalidQueryError("queries", "must be at least one, since the columns depend on it", [])
    return first


class ArrowStream:
    """
    Chunks as one Arrow table, to be read as often as wanted. Like `client.stream`, it merges nothing.

    It holds what Arrow has of their rows, a quarter of what these take. A failed chunk raises its error when it is
    added: what is missing must not look like nothing.
    """

    def __init__(self, query: Query, chunks: Iterable[Answered] = ()) -> None:
        self.query = query
        self._packed: list[arrow.Packed] = []
        #: What is too little for a batch.
        self._held: list[_Block] = []
        self._rows = 0
        self._notes: dict[Note, None] = {}
        for chunk in chunks:
            self.add(chunk)

    def add(self, chunk: Answered) -> None:
        """Add the rows of *chunk*, and its notes."""
        self._notes |= dict.fromkeys(chunk.notes)
        for block in _blocks_of_chunk(chunk):
            self._held.append(block)
            self._rows += len(block[2])
        if self._rows >= BATCH_ROWS:
            self._pack()

    @property
    def notes(self) -> tuple[Note, ...]:
        """What there is to know about the figures."""
        return unite_notes(self._notes)

    def __repr__(self) -> str:
        return f"<ArrowStream of {question_of(self.query)}>" + "".join(f"\n{note.kind}: {note}" for note in self.notes)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        self._pack()
        return arrow.stream(schema_of(self.query), self._packed, requested_schema)

    def _pack(self) -> None:
        packed = list(arrow.pack(schema_of(self.query), _batches(self.query, self._held)))
        self._packed += packed  # only now: where something ended this, the rows are still held
        self._held, self._rows = [], 0


def record_batches(answered: Tabular) -> Iterator[pyarrow.RecordBatch]:
    """Return a result or a chunk in batches of pyarrow, for writing files; needs the extra `parquet`."""
    columns, batches = answered._table()  # noqa: SLF001  of this room
    return arrow.record_batches(columns, arrow.pack(columns, batches))


def arrow_schema(query: Query) -> pyarrow.Schema:
    """Return the schema of *query* as pyarrow knows it; needs the extra `parquet`."""
    return arrow.pyarrow_schema(schema_of(query))


def batches_of(result: Answered) -> Iterator[Batch]:
    """Cut the rows of *result* into batches of columns."""
    query, profile = result.plan.query, result.plan.profile or NOTHING_KNOWN
    if any(note.kind == "profile_contradicted" for note in result.notes):
        profile = attrs.evolve(profile, numbering=Numbering())
    clocks = {id: profile.clock_of("line_crosses", tz or None) for id, tz in result.plan.locations or ()}
    known = Known(profile=profile, line_clocks=clocks)
    blocks = _TABLES[type(query)].blocks_of_result(result)
    return _batches(query, ((period, known, rows) for period, rows in zip(_PERIODS, blocks, strict=False)))


def batches_of_chunks(query: Query, chunks: Iterable[Answered]) -> Iterator[Batch]:
    """Cut the rows of *chunks* into batches of columns; raise the error of one that failed."""
    return _batches(query, chain.from_iterable(map(_blocks_of_chunk, chunks)))


_PERIODS = ("current", "comparison")
#: The period, what is known, and rows of which that holds.
_Block = tuple[str, Known, Sequence[Any]]


def _blocks_of_chunk(chunk: Answered) -> Iterator[_Block]:
    if chunk.error is not None:
        raise chunk.error
    request, table = chunk.request, _TABLES[type(chunk.query)]
    located: Sequence[int] = request.locations or () if table.has_line_clocks else ()
    known = Known(profile=request.profile or NOTHING_KNOWN, line_clocks=dict.fromkeys(located, request.tz))
    # An answer has a second block only where its request brings both periods; else its one block is the request's own.
    names = _PERIODS if request.period == "both" else (request.period,)
    blocks = () if chunk.answer is None else chunk.answer.blocks
    return ((name, known, table.rows_of_block(block)) for name, block in zip(names, blocks, strict=False))


def _batches(query: Query, blocks: Iterable[_Block]) -> Iterator[Batch]:
    columns_of = _TABLES[type(query)].columns_of_rows
    for period, known, rows in _join(blocks):
        for first in range(0, len(rows), BATCH_ROWS):
            some = rows[first : first + BATCH_ROWS]
            yield Batch(rows=len(some), columns=(Same(period, len(some)), *columns_of(query, some, known)))


def _join(blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Put the rows of neighbours together: a batch has a cost of its own, which exceeds that of a small answer."""
    for (period, known), alikes in groupby(blocks, itemgetter(0, 1)):
        held: list[Any] = []
        for _, _, rows in alikes:
            held += rows
            if len(held) >= BATCH_ROWS:
                yield period, known, held
                held = []
        if held:
            yield period, known, held


def _order(bucket: Bucket) -> tuple[int, ...]:
    return tuple([-1 if label is None else label for label in labels_of(bucket)])


_CARRIED = tuple(name for name in PER if name != "location")


def _columns_of_lines(_: LineCrosses, rows: Sequence[LineCrossesRow], known: Known) -> list[Values]:
    nothing = Same(None, len(rows))
    place = (alike([row.location for row in rows]), alike([row.loc_name for row in rows]), nothing, nothing)
    carried = [alike([getattr(row, name) for row in rows]) for name in _CARRIED]
    clocks = alike([known.line_clock(row.location) for row in rows])
    when = when_and_where([row.bucket for row in rows], None, clocks, place, known)
    return [*when, *carried, [row.count for row in rows]]


_NO_STATS = DwellTimeStats()
_NO_EXCLUDE = Exclude()
_NO_QUANTILES: Any = (None, None, None)


def _columns_of_visits(query: ZoneVisitors, rows: Sequence[ZoneVisitorsRow], known: Known) -> list[Values]:
    places = [row.aggregation for row in rows]
    stats = [row.dwell_time_stats or _NO_STATS for row in rows]
    exclude = [row.exclude or _NO_EXCLUDE for row in rows]
    return [
        *when_and_where(
            [place.bucket for place in places], query.tz, alike([row.tz for row in rows]), _where(places), known
        ),
        [row.visits for row in rows],
        [row.unique_visits for row in rows],
        [row.bounce for row in rows],
        alike([place.bounce_threshold for place in places]),
        [row.dwell_time if stat.mean is None else stat.mean for row, stat in zip(rows, stats, strict=True)],
        [stat.min for stat in stats],
        [stat.max for stat in stats],
        *_quartiles([stat.quantiles for stat in stats]),
        [stat.n for stat in stats],
        [one.min_dwell_time for one in exclude],
        [one.max_dwell_time for one in exclude],
    ]


def _where(places: Sequence[Any]) -> tuple[Values, ...]:
    """Return the columns of `PLACE`, written out: attributes whose names come in a variable take twice as long."""
    return (
        alike([place.loc_id for place in places]),
        alike([place.loc_name for place in places]),
        [place.zone_id for place in places],
        [place.zone_name for place in places],
    )


def _quartiles(quantiles: Sequence[Any]) -> list[Values]:
    try:
        return [[one for one, _, _ in quantiles], [one for _, one, _ in quantiles], [one for _, _, one in quantiles]]
    except (TypeError, ValueError):  # none, or not three of them: the article names three, others have no name
        return _quartiles([three if three and len(three) == 3 else _NO_QUANTILES for three in quantiles])


# drop_in_rate: rows are paired with the zone they belong to, which knows names and clock.

_ZoneRow = tuple[ZoneDropIn, ZoneDropInRow]


def _columns_of_drop_in(query: DropInRate, rows: Sequence[_ZoneRow], known: Known) -> list[Values]:
    zones = [zone for zone, _ in rows]
    details = [row for _, row in rows]
    clocks = alike([zone.tz for zone in zones])
    return [
        *when_and_where([row.bucket for row in details], query.tz, clocks, _where(zones), known),
        [row.passing_by for row in details],
        [row.visits for row in details],
        [row.drop_in_rate for row in details],
    ]


def _pair(zones: Iterable[ZoneDropIn]) -> list[_ZoneRow]:
    pairs = [(zone, row) for zone in zones for row in zone.details]
    orders = {id(row.bucket): _order(row.bucket) for _, row in pairs}
    return sorted(pairs, key=lambda pair: (orders[id(pair[1].bucket)], pair[0].zone_id))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class _Table(Fielded):
    #: The columns after those of when and where.
    columns: tuple[str, ...]
    #: The rows as columns, all but `period`.
    columns_of_rows: Callable[[Any, Any, Known], list[Values]]
    #: The rows of each period.
    blocks_of_result: Callable[[Any], Iterable[Sequence[Any]]]
    rows_of_block: Callable[[Any], Sequence[Any]] = attrgetter("rows")
    #: Whether rows are on the clocks of what `Known` says.
    has_line_clocks: bool = False


_TABLES: Mapping[type, _Table] = {
    LineCrosses: _Table(
        columns=(*_CARRIED, "count"),
        columns_of_rows=_columns_of_lines,
        blocks_of_result=lambda result: [result.rows],
        has_line_clocks=True,
    ),
    ZoneVisitors: _Table(
        columns=(
            *("visits", "unique_visits", "bounce", "bounce_threshold_s"),
            *("dwell_mean_s", "dwell_min_s", "dwell_max_s", "dwell_q25_s", "dwell_q50_s", "dwell_q75_s", "dwell_n"),
            *("visits_below_min_dwell", "visits_above_max_dwell"),
        ),
        columns_of_rows=_columns_of_visits,
        blocks_of_result=lambda result: [period.insights for period in (result.current, result.comparison) if period],
    ),
    DropInRate: _Table(
        columns=("passing_by", "enter", "drop_in_rate"),
        columns_of_rows=_columns_of_drop_in,
        blocks_of_result=lambda result: [
            _pair((zones or {}).values()) for zones in (result.zone_details.current, result.zone_details.comparison)
        ],
        rows_of_block=lambda block: _pair(block.zones),
    ),
}
