"""DuckDB: a table in a file, which the system locks for one process."""

from __future__ import annotations

from typing import Any

import attrs
import pyarrow as pa

from ..errors import ConfigError
from . import sql
from .target import Target

try:
    import duckdb
except ImportError:
    raise ImportError("exports to DuckDB need the extra `database`: pip install 'indivd-async[database]'") from None

_INCOMING = "indivd_incoming"
#: MiB of memory that it is given, and at most. By itself it takes four fifths of what there is, some of it for each
#: thread; but a single transaction may need much: one that deletes years does.
_LEAST_MIB, _MOST_MIB = 28, 2**16
#: None where it reads a file of another form (CSV, Parquet) into memory, which nothing brings back to the file.
_PATH = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
#: How it says that it was not enough.
_TOO_LITTLE = ("allocate block", "pin block", "Out of Memory")


@attrs.define
class DuckDB:
    """Makes connections to a file."""

    errors: tuple[type[Exception], ...] = (duckdb.Error,)
    _mib: int = attrs.field(factory=lambda: _LEAST_MIB)

    def connect(self, target: Target) -> _Connection:
        """Open the file; the system lets one process write."""
        try:
            try:
                connection = duckdb.connect(target.reveal(), config={"memory_limit": f"{self._mib}MiB", "threads": 1})
            except duckdb.ConnectionException:  # this process has the file open, in its own way
                connection = duckdb.connect(target.reveal())
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                raise ConfigError(
                    f"{{to}}: another process has {target.shown} open; wait for it, or export to another file"
                ) from None
            raise
        if connection.sql(_PATH).fetchall() == [(None,)]:
            raise ConfigError(
                f"{{to}}: {target.shown} is no database, and would be lost with this run; name another file"
            )
        if target.schema is not None:
            connection.execute(sql.use_schema(target.schema))
        connection.execute("BEGIN TRANSACTION")
        return _Connection(connection)

    def is_away(self, error: Exception) -> bool:  # noqa: ARG002
        """A file is there or not."""
        return False

    def is_passing(self, error: Exception) -> bool:
        """What others of this process do at once."""
        return isinstance(error, duckdb.TransactionException)

    def takes_more(self, error: Exception) -> bool:
        """Double what it is given."""
        if not any(words in str(error) for words in _TOO_LITTLE) or self._mib >= _MOST_MIB:
            return False
        self._mib *= 2
        return True


@attrs.define
class _Connection:
    _it: Any

    def execute(self, sql: str) -> None:
        self._it.execute(sql)

    def query(self, sql: str) -> pa.Table:
        found: pa.Table = self._it.sql(sql).to_arrow_table()
        return found

    def ingest(self, target: Target, table: pa.Table) -> None:
        self._it.register(_INCOMING, table)
        self.execute(sql.insert_rows(target, table.column_names, _INCOMING))
        self._it.unregister(_INCOMING)  # after an error, which this would hide, the connection goes

    def commit(self) -> None:
        self._it.execute("COMMIT; BEGIN TRANSACTION")

    def rollback(self) -> None:
        self._it.execute("ROLLBACK; BEGIN TRANSACTION")

    def is_alive(self) -> bool:
        return True  # it is in this process

    def close(self) -> None:
        self._it.close()
