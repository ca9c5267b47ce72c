"""
Exports: a question's answer as a folder of Parquet files, however long it takes and however often it is interrupted.

The rows are those of `AsyncIndivd.fetch`, in the columns of `indivd_async.tables`. They arrive in bounded memory, and
are kept at least every few seconds; a process that is killed loses no more than that, and the next one goes on. The
folder holds parts (``part-*.parquet``, in folders) and ``_manifest.parquet``, a table without rows whose footer says
how far it is. Needs the extra `parquet`.

Read it as one table: ``polars.scan_parquet("visits")``, ``pyarrow.dataset.dataset("visits")``, ``pandas``, DuckDB's
``FROM 'visits/**/*.parquet'``, at any moment, also while a process writes; only where parts are exchanged (at the end,
and by a refresh) a reader may for a moment see rows twice. What is half written lies beside the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ..errors import ConfigError, IndivdError
from ..models.clocks import ONE_DAY, last_today
from ..queries import Query

if TYPE_CHECKING:
    from ..client import AsyncIndivd

__all__ = ["Changes", "Failure", "Progress", "Report", "export"]


@attrs.frozen(kw_only=True)
class Progress:
    """How far a run is: requests `done` of `total`, those of earlier runs left out, and the `rows` they brought."""

    done: int
    total: int
    rows: int
    failed: int


@attrs.frozen(kw_only=True)
class Failure:
    """A request that failed for good; the next run asks it again."""

    request: str
    error: IndivdError


@attrs.frozen(kw_only=True)
class Changes:
    """
    What asking again for the days from `since` on has changed: rows, and the sums of counts, before and after.

    Days that were not asked for before count only where they had to be asked for together with those.
    """

    since: date
    added: int
    removed: int
    changed: int
    unchanged: int
    totals: Mapping[str, tuple[int, int]]

    def __str__(self) -> str:
        sums = ", ".join(f"{name} {before:,} → {after:,}" for name, (before, after) in self.totals.items())
        return (
            f"since {self.since}: {self.changed:,} rows changed, {self.added:,} new, {self.removed:,} gone, "
            f"{self.unchanged:,} as they were; {sums}"
        )


@attrs.frozen(kw_only=True)
class Report:
    """What a run of `export` did, and what the folder holds now."""

    path: Path
    #: Requests that were answered in this run.
    requests: int
    #: Rows and parts that the folder holds.
    rows: int
    parts: int
    failures: tuple[Failure, ...] = ()
    #: What asking again has changed; None where nothing was asked again.
    changes: Changes | None = None
    #: The first day that had perhaps not ended when it was asked for; a run that comes when it has asks again.
    provisional_from: date | None = None

    @property
    def complete(self) -> bool:
        """Whether all that was asked for is in the folder."""
        return not self.failures


async def export(
    client: AsyncIndivd,
    query: Query,
    out: str | PathLike[str],
    *,
    partition: str | Sequence[str] | None = None,
    refresh: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    commit_every: float = 5.0,
) -> Report:
    """
    Export the answer to *query* into the folder *out*, or go on with an export of it that has begun there.

    Failed requests do not end it: they are listed in the report, and asked again by the next run. A folder belongs to
    one question, and to one process at a time; but the question may end later from run to run, and then the days that
    it adds are asked for. Days that had not ended everywhere on earth when they were asked for, and have since, are
    asked for again.

    Args:
        client: whose concurrency, retries and limits hold.
        query: `split` and `on_error` do not matter to what is in the folder.
        out: made if it is not there.
        partition: "location,month", one of them, or "none": how folders are made. By default as the rows tell; where
            they do not tell the location, naming it asks for each location apart.
        refresh: ask again for so many of the last days that an earlier run has put there (none of them in the future),
            replace their rows, and report what changed.
        on_progress: called with a `Progress` for each answer.
        commit_every: seconds; so much is lost at most.

    Raises:
        ConfigError: the folder holds something else, or is in use.
        AuthenticationError: what was fetched before it is kept.
        ImportError: without pyarrow.

    >>> import anyio, tempfile
    >>> from indivd_async import AsyncIndivd, ZoneVisitors, sandbox
    >>> from indivd_async.export import export
    >>> async def main(out):
    ...     async with AsyncIndivd(token="sandbox", transport=sandbox.transport()) as client:
    ...         query = ZoneVisitors("2025-03-01", "2025-03-31", location=[124, 127], aggregate_by="hour")
    ...         return await export(client, query, out)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     anyio.run(main, out).complete
    True
    """
    if refresh is not None and (isinstance(refresh, bool) or not isinstance(refresh, int) or refresh < 1):
        raise ConfigError(f"{{refresh}}: must be a whole number of days of at least 1; got {refresh!r}")
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ImportError("exports need pyarrow: pip install 'indivd-async[parquet]'") from None
    from ._running import run

    return await run(
        client,
        query,
        Path(out),
        partition=partition,
        refresh=refresh,
        on_progress=on_progress,
        commit_every=commit_every,
        ended=last_today(datetime.now(UTC)) - ONE_DAY,
    )
