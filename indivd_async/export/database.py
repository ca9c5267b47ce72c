"""
A table of a database as the store of an export. Blocking, for a worker thread.

Theory of operation. A commit is one transaction: rows of regions go, rows come, and the manifest, a row of a table in
the same database, is replaced. It carries a version that each commit counts up, and who wrote it: a writer that finds
another version than it left has lost its turn and ends; one that lost the connection in the middle of a commit sees
whether that took effect. So nothing is written twice, whenever the database restarts.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import attrs
import pyarrow as pa
import pyarrow.compute as pc
from anyio import from_thread

from ..errors import ConfigError
from ..results import Note
from ..results.notes import word_note
from ..wording import literally
from . import sql
from .columns import location_column
from .manifest import Manifest, Subject, from_json, needs_migration, to_json
from .question import Place
from .report import DestinationError
from .store import Change, Region
from .target import MANIFESTS, Target

logger = logging.getLogger("indivd_async")

T = TypeVar("T")
#: Seconds for which a database that is not there is waited for.
PATIENCE_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 2.0
#: Characters of what a driver says.
_MOST_SAID = 600


class Connection(Protocol):
    """One connection, in a transaction of its own making."""

    def execute(self, sql: str) -> None:
        """Run a statement."""
        ...

    def query(self, sql: str) -> pa.Table:
        """Run a statement, and return what it gives."""
        ...

    def ingest(self, target: Target, table: pa.Table) -> None:
        """Append rows."""
        ...

    def commit(self) -> None:
        """Let it take effect."""
        ...

    def rollback(self) -> None:
        """Let it not."""
        ...

    def is_alive(self) -> bool:
        """Tell whether the database answers."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Driver(Protocol):
    """What differs from database to database."""

    #: What its connections raise.
    errors: tuple[type[Exception], ...]

    def connect(self, target: Target) -> Connection:
        """Connect, and be the only export that writes to the table; ConfigError where one does."""
        ...

    def is_away(self, error: Exception) -> bool:
        """Tell whether *error*, of a first connection, says that nothing is there yet: not that it refuses."""
        ...

    def is_passing(self, error: Exception) -> bool:
        """Tell whether *error* says that another transaction was in the way: begun anew, this one may succeed."""
        ...

    def takes_more(self, error: Exception) -> bool:
        """Where *error* says that a transaction needs more memory than was given: give more from now on."""
        ...


@attrs.define
class Database:
    """The one writer of a table."""

    target: Target
    _driver: Driver = attrs.field(init=False)
    manifest: Manifest | None = None
    needs_keys: bool = attrs.field(default=True, init=False)
    #: A driver has them once more, for as long as a commit takes.
    held_bytes: int = attrs.field(default=2**20, init=False)
    patience_s: float = attrs.field(factory=lambda: PATIENCE_S, init=False)
    _connection: Connection | None = None
    _was_there: bool = False
    #: Rows that somebody else has deleted.
    _gone: Counter[Subject] = attrs.field(factory=Counter)
    _version: int = 0
    _writer: str = attrs.field(factory=lambda: uuid4().hex)

    @property
    def place(self) -> Place:
        """What messages say of it."""
        return Place(option="to", target=self.target.shown, noun="table")

    def notes(self) -> Iterable[Note]:
        """Tell which rows somebody has deleted; whoever writes into a table of somebody else knows."""
        if self._gone:
            places = sorted({"all" if place is None else f"location {place}" for _, place in self._gone})
            named = [*places[:5], *(["others"] if len(places) > 5 else [])]
            yield word_note("rows_gone", count=self._gone.total(), places=", ".join(named))

    def open(self) -> None:
        """Connect, alone, and read the manifest, if there is one."""
        if self.target.kind == "duckdb":
            from .duckdb import DuckDB

            self._driver = DuckDB()
        else:
            from .postgresql import PostgreSQL

            self._driver = PostgreSQL()
        found = self._work(self._find_manifest)
        if found is not None:
            self._version, _, document = found
            try:
                manifest = from_json(document, self.place)
            except ConfigError:
                raise
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{{to}}: the manifest of {self.place.name} cannot be read") from error
            if needs_migration(manifest, self.place):
                raise ConfigError(
                    f"{{to}}: {self.place.name} was written by another version of this library, in narrower types; "
                    "export to another table"
                )
            self.manifest = self._ask_for_what_is_gone(manifest)

    def _ask_for_what_is_gone(self, manifest: Manifest) -> Manifest:
        """Count the rows, and note that locations are to be asked again of which fewer are there than were kept."""

        def work(it: Connection) -> Counter[Subject]:
            if not self._has(it, self.target.table):
                self._make_table(it, manifest)
                it.commit()
            return _counts(it.query(sql.count_rows(self.target, manifest.schema)))

        counts = self._work(work)
        self._gone = Counter(manifest.counts or {}) - counts
        held = dict(manifest.held)
        for period, place in self._gone:
            for subject in {(period, place), (period, None)} & set(held):
                held[subject] = held[subject].open()
        return attrs.evolve(manifest, held=held, counts=counts)

    def begin(self, manifest: Manifest) -> None:
        """Make the table, and keep the first manifest."""

        def work(it: Connection) -> None:
            if self._took_effect(it, 1):  # the connection was lost while it was kept
                return
            it.execute(sql.create_manifests(self.target))
            self._make_table(it, manifest)
            it.execute(sql.insert_manifest(self.target, 1, self._writer, to_json(manifest).decode()))
            it.commit()

        self._work(work)
        self._version, self.manifest = 1, manifest

    def _make_table(self, it: Connection, manifest: Manifest) -> None:
        try:
            it.execute(sql.create_table(self.target, manifest.schema))
        except self._driver.errors as error:
            if not it.is_alive():
                raise
            problem = ConfigError(
                f"{{to}}: {literally(str(self._cannot(error)))}; if there is a table of that name, it is not one of an "
                "export: name another"
            )
        else:
            it.execute(sql.create_key(self.target, manifest.query, manifest.schema))
            return
        raise problem  # out here, as in `_work`

    def commit(self, changes: Sequence[Change], manifest: Manifest) -> None:
        """Let *changes* and *manifest* take effect together, or not at all."""
        if manifest == self.manifest and not changes:
            return
        schema, target = manifest.schema, self.target
        replaced = [change.region for change in changes if change.replaces]
        batches = [batch for change in changes for batch in change.batches]
        version = self._version + 1
        kept = manifest

        def work(it: Connection) -> None:
            nonlocal kept
            if self._took_effect(it, version):
                return
            counts = _count_new(changes) + Counter(manifest.counts or {})
            if replaced:
                counts -= _counts(it.query(sql.count_rows(target, schema, replaced)))
            kept = attrs.evolve(manifest, counts=counts)
            for statement in sql.delete_rows(target, schema, replaced):
                it.execute(statement)
            if batches:
                it.ingest(target, pa.Table.from_batches(batches, schema))
            it.execute(sql.update_manifest(target, version, self._writer, to_json(kept).decode()))
            it.commit()

        self._work(work)
        self._version, self.manifest = version, kept

    def read(self, regions: Sequence[Region]) -> Iterator[pa.RecordBatch]:
        """Read the rows of *regions*."""
        if self.manifest is None or not regions:
            return
        schema = self.manifest.schema
        found = self._work(lambda it: it.query(sql.select_rows(self.target, schema, regions)))
        yield from found.cast(schema).to_batches()

    def finish(self) -> None:
        """Do nothing: databases put themselves in order."""

    def close(self) -> None:
        """Let others write."""
        if self._connection is not None:
            self._drop()

    # How.

    def _find_manifest(self, it: Connection) -> tuple[int, str, str] | None:
        """Return version, writer and document of the manifest, as they are now."""
        it.rollback()
        found: list[dict[str, Any]] = []
        if self._has(it, MANIFESTS):
            found = it.query(sql.select_manifest(self.target)).to_pylist()
        return (found[0]["version"], found[0]["writer"], found[0]["document"]) if found else None

    def _has(self, it: Connection, table: str) -> bool:
        return bool(it.query(sql.count_tables(table))["n"][0].as_py())

    def _took_effect(self, it: Connection, version: int) -> bool:
        """Look whose turn it is; tell whether *version* is there already, written by this process."""
        found = self._find_manifest(it) or (0, "", "")
        if found[:2] == (version, self._writer):
            return True
        if found[0] != version - 1:
            raise ConfigError(f"{{to}}: another export has written to {self.place.name} meanwhile; one at a time")
        return False

    def _work(self, work: Callable[[Connection], T]) -> T:
        """Do *work*, again where the connection was lost meanwhile, or the database was not there yet."""
        began, wait = time.monotonic(), _FIRST_WAIT_S
        while True:
            try:
                if self._connection is None:
                    self._connection = self._driver.connect(self.target)
                    self._was_there = True
                done = work(self._connection)
                self._connection.rollback()  # whoever has read would keep others from changing the table
                return done
            except self._driver.errors as error:
                problem, more = self._cannot(error), self._driver.takes_more(error)
                waits = not more and self._waits(error)
                self._drop()
            if more:
                continue
            if not waits or time.monotonic() > began + self.patience_s:
                raise problem  # out here, where it has no context: what the driver says may hold a password
            if wait == _FIRST_WAIT_S:
                logger.warning("%s; waiting for it, for up to %.0f s", problem, self.patience_s)
            _pause(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)

    def _waits(self, error: Exception) -> bool:
        """Tell whether what went wrong may go right a moment later."""
        if self._connection is None:
            return self._was_there or self._driver.is_away(error)
        return self._driver.is_passing(error) or not self._connection.is_alive()

    def _cannot(self, error: Exception) -> DestinationError:
        said = " ".join(self.target.redact(str(error)).split())
        if len(said) > _MOST_SAID:  # in the middle stands a statement, perhaps with all of a manifest
            said = f"{said[:100]} … {said[-400:]}"
        return DestinationError(f"{self.place.name}: {said}")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._driver.errors):  # it may be lost
                connection.close()


def _counts(found: pa.Table) -> Counter[Subject]:
    """Read what `sql.count_rows` found."""
    columns = [column.to_pylist() for column in found.columns]
    return Counter({(period, place): rows for period, place, rows in zip(*columns, strict=True)})


def _count_new(changes: Iterable[Change]) -> Counter[Subject]:
    counts: Counter[Subject] = Counter()
    for change in changes:
        for batch in change.batches:
            for place, rows in zip(*pc.value_counts(batch[location_column(batch.schema)]).flatten(), strict=True):
                counts[change.region.period, place.as_py()] += rows.as_py()
    return counts


def _pause(seconds: float) -> None:
    """Sleep; end where whoever waits for this thread has been cancelled."""
    time.sleep(seconds)
    with suppress(RuntimeError):  # a thread that nobody waits for
        from_thread.check_cancelled()
