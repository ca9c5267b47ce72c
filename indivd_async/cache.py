"""
Keep the answers for days that are over, so that a job run again asks only for what may have changed.

Only whole answers for closed days are kept: every day of the request has ended everywhere on earth, and `margin_days`
more have passed for late corrections. Errors and empty answers never are. Entries are known by account, address, path
and parameters, and by the version of this format; the token itself is in none of them.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import anyio.to_thread
import attrs

from .fielded import Fielded
from .refusals import ConfigError
from .settings import PATH, check, is_at_least, must_be
from .wording import literally

#: Writers wait for each other for milliseconds; an entry that takes longer is not worth the threads it holds.
_BUSY_S = 1.0


class Cache(Protocol):
    """Where closed days are kept. Both methods may raise anything: the client then logs it and asks the API."""

    #: Days after its end from which a day counts as closed.
    margin_days: int

    async def get(self, key: str) -> bytes | None:
        """Return what was put under *key*, or None."""

    async def put(self, key: str, body: bytes) -> None:
        """Keep *body* under *key*."""


@attrs.define(kw_only=True, repr=False)
class MemoryCache(Fielded):
    """Closed days in memory, the longest unused leaving first beyond `max_bytes`."""

    margin_days: int = attrs.field(default=2, validator=must_be(is_at_least(0)))
    """Days after its end from which a day counts as closed."""
    max_bytes: int = attrs.field(default=64 * 2**20, validator=must_be(is_at_least(1)))
    """Bytes of answers that are held at most."""
    _bodies: OrderedDict[str, bytes] = attrs.field(factory=OrderedDict, init=False, repr=False)
    _held: int = attrs.field(default=0, init=False)

    async def get(self, key: str) -> bytes | None:
        """Return what was put under *key*, or None."""
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    async def put(self, key: str, body: bytes) -> None:
        """Keep *body* under *key*, unless it is larger than everything held may be."""
        if len(body) > self.max_bytes:
            return
        self._held += len(body) - len(self._bodies.pop(key, b""))
        self._bodies[key] = body
        while self._held > self.max_bytes:
            self._held -= len(self._bodies.popitem(last=False)[1])


class SQLiteCache:
    """
    Closed days in a file, compressed, shared by as many processes as like.

    Close it with `close()` when the client is done; the client does not.
    """

    def __init__(self, path: str | PathLike[str], *, margin_days: int = 2) -> None:
        import sqlite3  # not everybody keeps a cache, and some Pythons are built without it

        self.margin_days = margin_days
        check("SQLiteCache.margin_days", margin_days, is_at_least(0))
        self._lock = Lock()
        check("SQLiteCache.path", path, PATH)
        with ExitStack() as opened:
            try:
                connection = sqlite3.connect(Path(path), timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
                opened.callback(connection.close)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")  # a lost entry is asked again
                connection.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID")
            except sqlite3.Error as error:
                raise ConfigError(f"{{SQLiteCache.path}}: {literally(str(path))} cannot be used: {error}") from error
            opened.pop_all()
        self._connection = connection

    async def get(self, key: str) -> bytes | None:
        """Return what was put under *key*, or None."""
        row = await self._execute("SELECT body FROM answers WHERE key = ?", key)
        return None if row is None else zlib.decompress(row[0])

    async def put(self, key: str, body: bytes) -> None:
        """Keep *body* under *key*, compressed."""
        await self._execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", key, zlib.compress(body, 1))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    async def _execute(self, statement: str, *values: object) -> Any:
        def execute() -> Any:
            if not self._lock.acquire(timeout=_BUSY_S):  # a slow disk must not gather threads
                raise TimeoutError("the cache's file is busy")
            try:
                return self._connection.execute(statement, values).fetchone()
            finally:
                self._lock.release()

        # A file that another process locks must not hold a caller beyond its time; the thread ends by itself. With a
        # limiter of its own it waits for nobody: the threads that all share may be busy with what the caller has there.
        own = anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(execute, abandon_on_cancel=True, limiter=own)
