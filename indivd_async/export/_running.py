"""The work of `export`: from plans to rows in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import attrs
import pyarrow as pa

from ..chunks import Chunk
from ..client import AsyncIndivd
from ..errors import AuthenticationError, ConfigError, DecodeError, IndivdError
from ..plans import Plan
from ..queries import Query
from . import Changes, Failure, Progress, Report
from ._folder import GROUP_ROWS, Folder, Place, Staged, open_folder
from ._partition import plan_export, read_partition, split_rows
from ._refresh import exchange, plan_refresh
from ._units import Units, owner_of, zones_of

Rows = dict[Place, list[pa.RecordBatch]]


async def run(
    client: AsyncIndivd,
    query: Query,
    out: Path,
    *,
    partition: str | Sequence[str] | None,
    refresh: int | None,
    on_progress: Callable[[Progress], object] | None,
    commit_every: float,
) -> Report:
    """Do what `export` says."""
    folder = await anyio.to_thread.run_sync(open_folder, out)
    try:
        work = _Run(client=client, folder=folder, commit_every=commit_every, on_progress=on_progress)
        return await work.go(query, partition, refresh)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(folder.close)


@attrs.define(kw_only=True)
class _Run:
    """One process's work on a folder."""

    client: AsyncIndivd
    folder: Folder
    commit_every: float
    on_progress: Callable[[Progress], object] | None
    answered: int = 0
    failures: list[Failure] = attrs.field(factory=list)

    async def go(self, query: Query, partition: str | Sequence[str] | None, refresh: int | None) -> Report:
        """Fill the folder, and refresh what an earlier run has put there."""
        folder = self.folder
        is_new = folder.query is None
        if is_new:
            names, plans = await plan_export(self.client, query, partition)
            await anyio.to_thread.run_sync(folder.begin, query, names, plans)
        else:
            _check_question(folder, query, partition, may_end_later=refresh is not None)
        units = [Units(plan) for plan in folder.plans]
        pending = [shard for of, done in zip(units, folder.done, strict=True) for shard in of.pending(done)]
        await self._gather(units, pending, _Sink(keep=folder.commit, every_s=self.commit_every))
        changes = None
        if not self.failures and refresh is not None and not is_new:
            changes = await self._refresh(query, refresh)
        if not self.failures:
            await anyio.to_thread.run_sync(folder.finish)
        return Report(
            path=folder.path,
            requests=self.answered,
            rows=folder.rows,
            parts=len(folder.parts),
            failures=tuple(self.failures),
            changes=changes,
        )

    async def _refresh(self, query: Query, days: int) -> Changes | None:
        closed, plans = plan_refresh(self.folder, query, days, date.today())
        units = [Units(plan) for plan in plans]
        done = [of.until(closed) for of in units]
        pending = [shard for of, some in zip(units, done, strict=True) for shard in of.pending(some)]
        regions = units[0].regions(done[0])
        staged: list[Staged] = []

        def stage(rows: Rows, _: object, __: object) -> None:
            staged.extend(self.folder.stage(place, batches) for place, batches in rows.items())

        try:
            # Nothing is kept before all is there, so there is no hurry.
            await self._gather(units, pending, _Sink(keep=stage, every_s=float("inf")))
            if self.failures:
                return None
            first = min((day for day in regions.values() if day is not None), default=query.start_date)
            work = partial(exchange, self.folder, query, plans, regions, staged, first)
            return await anyio.to_thread.run_sync(work)
        finally:
            self.folder.discard(staged)

    async def _gather(self, units: Sequence[Units], pending: Sequence[Plan], sink: _Sink) -> None:
        """Ask for all that is *pending*, and hand the rows of each unit to *sink*."""
        numbers = {of.plan.query: number for number, of in enumerate(units)}
        total = sum(map(len, pending))
        done = rows = 0
        refused: AuthenticationError | None = None
        try:
            async with self.client.stream(pending) as chunks:
                while refused is None:
                    chunk: Chunk | None = None
                    with anyio.move_on_after(sink.due_in()):
                        try:
                            chunk = await anext(chunks)
                        except StopAsyncIteration:
                            break
                    if chunk is None:  # none came in time: commit what there is
                        await sink.flush()
                        continue
                    done += 1
                    number = numbers[chunk.query]
                    try:
                        if chunk.error is not None:
                            raise chunk.error
                        self._claim_zones(chunk)
                        batches = units[number].add(chunk)
                    except AuthenticationError as error:
                        refused = error  # no other request would fare better
                    except IndivdError as error:
                        self.failures.append(Failure(request=str(chunk.request), error=error))
                        sink.failed.append({"request": str(chunk.request), "error": str(error)})
                    else:
                        self.answered += 1
                        if batches is not None:
                            rows += sink.add(self.folder, (number, units[number].unit_of(chunk)), batches)
                    if self.on_progress is not None:
                        self.on_progress(Progress(done=done, total=total, rows=rows, failed=len(self.failures)))
                    if sink.is_due():
                        await sink.flush()
        except anyio.get_cancelled_exc_class():
            await sink.flush()
            raise
        await sink.flush()
        if refused is not None:
            raise refused

    def _claim_zones(self, chunk: Chunk) -> None:
        owner = owner_of(chunk.request)
        zone = self.folder.claim(zones_of(chunk.answer), owner)
        if zone is not None:
            other = self.folder.owners[zone]
            problem = f"expected zone {zone} in the answers for {other} only, got it for {owner} too @ $"
            raise DecodeError([problem], request=chunk.request)


@attrs.define(kw_only=True)
class _Sink:
    """Rows on their way to the disk: held until there are enough of them, or until they were held long enough."""

    keep: Callable[[Rows, list[tuple[int, int]], list[dict[str, str]]], None]
    every_s: float
    rows: Rows = attrs.field(factory=dict)
    done: list[tuple[int, int]] = attrs.field(factory=list)
    failed: list[dict[str, str]] = attrs.field(factory=list)
    _held: int = 0
    _since: float | None = None

    def add(self, folder: Folder, unit: tuple[int, int], batches: Sequence[pa.RecordBatch]) -> int:
        """Take the rows of *unit*, and return how many they are."""
        assert folder.query is not None
        self.done.append(unit)
        if self._since is None:
            self._since = time.monotonic()
        count = 0
        for batch in batches:
            count += batch.num_rows
            for place, some in split_rows(folder.query, folder.partition, batch):
                self.rows.setdefault(place, []).append(some)
        self._held += count
        return count

    def due_in(self) -> float | None:
        """Return for how many seconds what is held may be held; None if nothing is."""
        return None if self._since is None else max(0.0, self._since + self.every_s - time.monotonic())

    def is_due(self) -> bool:
        """Tell whether to flush."""
        return self._held >= GROUP_ROWS or self.due_in() == 0

    async def flush(self) -> None:
        """Keep what is held."""
        rows, done, failed = self.rows, self.done, self.failed
        self.rows, self.done, self.failed, self._held, self._since = {}, [], [], 0, None
        if done or failed:
            with anyio.CancelScope(shield=True):  # it is quick, and whoever is interrupted wants to keep what there is
                await anyio.to_thread.run_sync(self.keep, rows, done, failed)


def _check_question(
    folder: Folder, query: Query, partition: str | Sequence[str] | None, *, may_end_later: bool
) -> None:
    """Refuse a question that is not the folder's."""
    old = folder.query
    assert old is not None
    if partition is not None and read_partition(partition) != folder.partition:
        raise ConfigError(f"partition: {folder.path} is parted by {','.join(folder.partition) or 'none'}")
    if type(old) is not type(query):
        raise ConfigError(f"out: {folder.path} holds an export of {old.endpoint.name}; export to another folder")
    different = [
        field.name
        for field in attrs.fields(type(old))
        if field.name not in ("split", "on_error") and getattr(old, field.name) != getattr(query, field.name)
    ]
    if different == ["end_date"] and old.end_date < query.end_date:
        if may_end_later:
            return
        raise ConfigError(
            f"end_date: {folder.path} holds an export that ends on {old.end_date}; to make it longer, refresh it "
            "(refresh=1, or --refresh 1d)"
        )
    if different:
        name = different[0]
        raise ConfigError(
            f"out: {folder.path} holds the export of another question ({name} {getattr(old, name)!s} there, "
            f"{getattr(query, name)!s} here); export to another folder"
        )
