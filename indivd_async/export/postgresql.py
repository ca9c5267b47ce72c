"""
PostgreSQL, by way of ADBC's driver, which takes Arrow as it is.

By its lower face: the one of DB-API imports polars and pandas where they are, seventy megabytes that nobody uses here.
"""

from __future__ import annotations

import re
import time
from typing import Any

import attrs
import pyarrow as pa

from ..errors import ConfigError
from . import sql
from .target import MANIFESTS, Target

try:
    import adbc_driver_manager as adbc
    import adbc_driver_postgresql
except ImportError:
    raise ImportError("exports to PostgreSQL need the extra `database`: pip install 'indivd-async[database]'") from None

#: Reading what a server sends ends with Arrow's own errors, or the system's.
_ERRORS = (adbc.Error, OSError, pa.ArrowException)
#: The first of two numbers of a lock; the second is the table's.
_LOCKS = 0x1ED1
#: What libpq, whose words are English, and a server say while there is no server yet, or no more. The driver tells no
#: SQLSTATE of a connection that was not made.
_AWAY = re.compile(
    "refused|timeout expired|timed out|unreachable|no route|could not translate host name|No such file or directory|"
    "closed the connection unexpectedly|reset by peer|starting up|shutting down|not yet accepting|in recovery mode|"
    "too many (clients|connections)|remaining connection slots",
    re.IGNORECASE,
)
#: What a server says where transactions meet.
_PASSING = re.compile(
    f'could not serialize|deadlock detected|pg_(class|type)_[a-z]+_nsp_index|relation "{MANIFESTS}" already exists'
)
#: Seconds that an attempt to connect may take, where the address does not say: else the system's minutes.
_CONNECT_S = 10
#: Seconds until a server has noticed that a process which held the lock is gone.
_LOCK_WAIT_S = 5.0


@attrs.define
class PostgreSQL:
    """Makes connections to a server."""

    errors: tuple[type[Exception], ...] = _ERRORS

    def connect(self, target: Target) -> _Connection:
        """Connect, and take the lock of the table, which ends with the connection."""
        address = target.reveal()
        if "connect_timeout" not in address:
            address += f"{'&' if '?' in address else '?'}connect_timeout={_CONNECT_S}"
        connection = _Connection(adbc_driver_postgresql.connect(address))
        try:
            connection.execute("SET standard_conforming_strings = on")
            connection.execute("SET timezone = 'UTC'")
            if target.schema is not None:
                connection.execute(sql.use_schema(target.schema))
            number = f"hashtext(concat_ws('.', current_schema(), {sql.literal(target.table)}))"
            until = time.monotonic() + _LOCK_WAIT_S
            while not _is_true(connection.query(f"SELECT pg_try_advisory_lock({_LOCKS}, {number}) AS taken")):
                if time.monotonic() > until:
                    raise ConfigError(
                        f"{{to}}: another export is writing to {target.shown}; wait for it, or name another table"
                    )
                time.sleep(0.1)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def is_away(self, error: Exception) -> bool:
        """By what is said: what it means to be refused, such as a wrong password, is none of it."""
        return bool(_AWAY.search(str(error)))

    def is_passing(self, error: Exception) -> bool:
        """Such as two that make the table of manifests at once."""
        return bool(_PASSING.search(str(error)))

    def takes_more(self, error: Exception) -> bool:  # noqa: ARG002
        """A server has memory of its own."""
        return False


def _is_true(table: pa.Table) -> bool:
    return bool(table["taken"][0].as_py())


class _Connection:
    def __init__(self, database: Any) -> None:
        self._database = database
        try:
            self._it = adbc.AdbcConnection(database)
        except BaseException:
            database.close()
            raise
        self._it.set_autocommit(False)

    def execute(self, sql: str) -> None:
        with adbc.AdbcStatement(self._it) as statement:
            statement.set_sql_query(sql)
            statement.execute_update()

    def query(self, sql: str) -> pa.Table:
        with adbc.AdbcStatement(self._it) as statement:
            statement.set_sql_query(sql)
            stream, _ = statement.execute_query()
            return pa.RecordBatchReader.from_stream(stream).read_all()

    def ingest(self, target: Target, table: pa.Table) -> None:
        where = {"adbc.ingest.target_table": target.table, "adbc.ingest.mode": "adbc.ingest.mode.append"}
        with adbc.AdbcStatement(self._it) as statement:
            statement.set_options(**where)
            statement.bind_stream(table.to_reader().__arrow_c_stream__())
            statement.execute_update()

    def commit(self) -> None:
        self._it.commit()

    def rollback(self) -> None:
        self._it.rollback()

    def is_alive(self) -> bool:
        try:
            self._it.rollback()
            self.query("SELECT 1 AS one")
            self._it.rollback()
        except _ERRORS:
            return False
        return True

    def close(self) -> None:
        try:
            self._it.close()
        finally:
            self._database.close()
