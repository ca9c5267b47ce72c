"""
Export a question's answer to a folder of Parquet files or a database, however often it is interrupted.

The rows are those of `AsyncIndivd.fetch`, in the columns that its tables have. They arrive in bounded memory, and
are kept at least every few seconds; a process that is killed loses no more than that, and the next one goes on. The
folder holds parts (``part-*.parquet``, in folders) and ``_manifest.parquet``, a table without rows whose footer says
how far it is. Needs the extra `parquet`.

Read it as one table: ``polars.scan_parquet("visits")``, ``pyarrow.dataset.dataset("visits")``, ``pandas``, DuckDB's
``FROM 'visits/**/*.parquet'``, at any moment, also while a process writes: each row is there once, as it was or as it
is. A part keeps its name, and what was in it stays in its place, so that who has begun to read it reads on. Rows that
have not counted for half a day leave a hole: no file gets shorter, but it takes less space (``du`` tells; ``cp`` keeps
holes, ``rsync`` with ``--sparse``). What is older, such as a LazyFrame or a dataset made the day before, ends with an
error then, and is made again. Where the file system knows no holes, or the folder was copied without them, a part of
more than 4 MiB, and more than 16 times what is in it, is written anew; in that moment a reader that has listed its
files may end with an error, and reads again. A part without rows stays, 1,000 of them at most. Several parts change one
after the other: who must see all of a run or nothing takes a table, where a commit is a transaction. What is half
written lies beside the folder.

A row has the names that its location and zone had when it was written; group by ids. Rows that
somebody deletes from a table are missed by the next run, which tells it and asks again.

>>> import anyio, tempfile
>>> from indivd_async import AsyncIndivd, ZoneVisitors, sandbox
>>> async def main(out):
...     async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
...         query = ZoneVisitors("2025-03-01", "2025-03-31", location=[124, 127], aggregate_by="hour")
...         return await export(client, query, out)
>>> with tempfile.TemporaryDirectory() as out:
...     anyio.run(main, out).complete
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..models.clocks import ONE_DAY, last_today
from ..planning import check_asked
from ..progress import Progress
from ..queries import Query
from ..settings import PATH, TRUE_OR_FALSE, Rule, check, check_options, is_at_least, is_kind, is_plain_function
from .report import Changes, DestinationError, Failure, Fate, PlaceChanges, Report

if TYPE_CHECKING:
    from ..client import AsyncIndivd
    from .store import Store

__docformat__ = "google"
__all__ = ["Changes", "DestinationError", "Failure", "Fate", "PlaceChanges", "Progress", "Report", "export"]


#: What an option must be, where it is given.
_OPTIONS: dict[str, Rule] = {
    "out": (PATH[0], "the path of a folder"),
    "to": is_kind(str, "the address of a table, such as duckdb:///FILE?table=NAME"),
    "partition": (
        lambda value: isinstance(value, str | list | tuple) and all(isinstance(name, str) for name in value),
        '"location,month", one of them, or "none"',
    ),
    "keep": TRUE_OR_FALSE,
    "prune": TRUE_OR_FALSE,
    "accept_empty": TRUE_OR_FALSE,
    "on_progress": (is_plain_function, "a function that takes a Progress and is not awaited"),
    "commit_every": is_at_least(0, whole=False),
}


async def export(
    client: AsyncIndivd,
    query: Query,
    out: str | PathLike[str] | None = None,
    *,
    to: str | None = None,
    partition: str | Sequence[str] | None = None,
    refresh: int | None = None,
    keep: bool = False,
    prune: bool = False,
    accept_empty: bool = False,
    on_progress: Callable[[Progress], object] | None = None,
    commit_every: float = 5.0,
) -> Report:
    """
    Export the answer to *query* into the folder *out* or the table *to*, or go on with an export that has begun there.

    Each run asks for what is not there: days, and locations that have opened; one whose clock has changed, or a zone of
    which has moved to another, is asked again, and so are days that had not ended when they were asked for and have
    since. Locations that are no longer listed stay. The report says what became of each, and lists failed requests,
    which the next run asks again. A folder belongs to one question, but its period may change and its locations grow.

    Args:
        client: whose concurrency, retries and limits hold.
        query: `split` and `on_error` do not matter to what is in the folder.
        out: the folder; made if it is not there.
        to: the address of a table instead, which is made with keys and types: ``duckdb:///FILE?table=NAME`` or
            ``postgresql://USER@HOST/DATABASE?table=NAME``. Needs the extra `database`.
        partition: "location,month", one of them, or "none": how folders are made. By default as the rows tell.
        refresh: ask again for so many of the last days that are there, replace their rows, and report what changed.
        keep: let days stay that are there when the period begins later than it did.
        prune: take such days away. One of the two must be said then; an end that is earlier takes nothing away.
        accept_empty: let an answer without rows take rows away. Without it they stay, and the report tells.
        on_progress: called with a `Progress` for each answer of this run.
        commit_every: seconds; so much is lost at most.

    Raises:
        ConfigError: the folder or table holds something else, or is in use.
        DestinationError: the database refuses, or cannot be reached for a minute; a warning tells of the waiting.
        AuthenticationError: what was fetched before it is kept.
        ImportError: without pyarrow, or the database's driver.
    """
    check_options(locals(), _OPTIONS)
    _require_pyarrow("database" if to else "parquet")
    from ..client import AsyncIndivd
    from .run import Options, run

    check("client", client, is_kind(AsyncIndivd, "an AsyncIndivd"))
    check_asked(query, None)
    options = Options(
        ended=last_today(datetime.now(UTC)) - ONE_DAY,
        partition=partition,
        refresh=refresh,
        keep=keep,
        prune=prune,
        accept_empty=accept_empty,
        on_progress=on_progress,
        commit_every=commit_every,
    )
    return await run(client, query, _choose_store(out, to), options)


def _require_pyarrow(extra: str) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ImportError(f"exports need pyarrow: pip install 'indivd-async[{extra}]'") from None


def _choose_store(out: str | PathLike[str] | None, to: str | None) -> Store:
    if to is not None and out is None:
        from .database import Database
        from .target import parse_target

        return Database(parse_target(to))
    if to is not None or out is None:
        raise ConfigError("{out}: name a folder, or a table with {to:…}; one of the two")
    if isinstance(out, str) and "://" in out:
        raise ConfigError("{out}: is a folder; pass the address of a table as {to:…}")
    from .folder import Folder

    return Folder(Path(out))
