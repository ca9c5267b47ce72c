"""The work of `export`: from plans to rows in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import attrs
import pyarrow as pa

from ..client import AsyncIndivd
from ..errors import AuthenticationError, ConfigError, DecodeError, IndivdError
from ..models.clocks import ONE_DAY
from ..planning import Plan
from ..queries import Query
from ..results import Chunk
from . import Changes, Failure, Progress, Report
from ._folder import GROUP_ROWS, Folder, Place, Staged, open_folder
from ._partition import plan_export, read_partition, split_rows
from ._refresh import exchange, extend, plan_after
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
    ended: date,
) -> Report:
    """Do what `export` says; *ended* is the last day that has ended everywhere on earth."""
    folder = await anyio.to_thread.run_sync(open_folder, out)
    try:
        work = _Run(client=client, folder=folder, commit_every=commit_every, on_progress=on_progress, ended=ended)
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
    ended: date
    answered: int = 0
    failures: list[Failure] = attrs.field(factory=list)

    async def go(self, query: Query, partition: str | Sequence[str] | None, refresh: int | None) -> Report:
        """Fill the folder, and bring up to date what an earlier run has put there."""
        folder = self.folder
        changes = None
        if not folder.has_begun:
            names, plans = await plan_export(self.client, query, partition)
            await anyio.to_thread.run_sync(folder.begin, query, names, plans, self.ended)
            await self._fill()
        else:
            _check_question(folder, query, partition)
            await self._fill()
            changes = await self._bring_up_to_date(query, refresh)
        if not self.failures:
            await anyio.to_thread.run_sync(folder.finish)
        manifest = folder.manifest
        return Report(
            path=folder.path,
            requests=self.answered,
            rows=sum(part.rows for part in manifest.parts.values()),
            parts=len(manifest.parts),
            failures=tuple(self.failures),
            changes=changes,
            provisional_from=manifest.closed + ONE_DAY if manifest.closed < manifest.query.end_date else None,
        )

    async def _fill(self, *, but_first: int = 0) -> None:
        """Ask for what is missing, but for the *but_first* plans, and keep it as it comes."""
        manifest = self.folder.manifest
        units = [Units(plan) for plan in manifest.plans]
        missing = list(zip(units, manifest.done, strict=True))[but_first:]
        pending = [shard for of, done in missing for shard in of.pending(done)]
        await self._gather(units, pending, _Sink(keep=self.folder.commit, every_s=self.commit_every))

    async def _bring_up_to_date(self, query: Query, refresh: int | None) -> Changes | None:
        """Ask again for days that may have changed since, and let the period grow to that of *query*."""
        manifest = self.folder.manifest
        last = manifest.query.end_date
        grows = query.end_date > last
        at_once = grows and extend(manifest, query, self.ended) is None
        closed = self._last_settled_day(refresh)
        if at_once:
            closed = min(last, closed or last)
        changes = None
        if closed is not None and not self.failures:
            changes = await self._refresh(query if at_once else attrs.evolve(query, end_date=last), closed)
        if grows and not at_once:
            grown = extend(self.folder.manifest, query, self.ended)
            assert grown is not None
            await anyio.to_thread.run_sync(self.folder.keep, grown)
            # Those of the shorter period that still miss something were asked just now.
            await self._fill(but_first=len(grown.plans) - len(grown.current_plans))
        return changes

    def _last_settled_day(self, refresh: int | None) -> date | None:
        """Return the day after which to ask again; None where that is nowhere."""
        manifest = self.folder.manifest
        last = manifest.query.end_date
        days = []
        if refresh is not None:
            days.append(min(last, self.ended + ONE_DAY) - timedelta(days=refresh))
        if manifest.closed < min(last, self.ended):  # days that have ended since they were asked for
            days.append(manifest.closed)
        return min(days, default=None)

    async def _refresh(self, query: Query, closed: date) -> Changes | None:
        """Ask again for what comes after *closed*; *query* may end later than that of the folder."""
        plans = plan_after(self.folder.manifest, query, closed)
        units = [Units(plan) for plan in plans]
        done = [of.until(closed) for of in units]
        pending = [shard for of, some in zip(units, done, strict=True) for shard in of.pending(some)]
        regions = units[0].regions(done[0])
        staged: list[Staged] = []

        def stage(rows: Rows, _: object) -> None:
            staged.extend(self.folder.stage(place, batches) for place, batches in rows.items())

        try:
            # Nothing is kept before all is there, so there is no hurry.
            await self._gather(units, pending, _Sink(keep=stage, every_s=float("inf")))
            if self.failures:
                return None
            first = min((day for day in regions.values() if day is not None), default=query.start_date)
            work = partial(exchange, self.folder, query, plans, regions, staged, first, self.ended)
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

    keep: Callable[[Rows, list[tuple[int, int]]], None]
    every_s: float
    rows: Rows = attrs.field(factory=dict)
    done: list[tuple[int, int]] = attrs.field(factory=list)
    _held: int = 0
    _since: float | None = None

    def add(self, folder: Folder, unit: tuple[int, int], batches: Sequence[pa.RecordBatch]) -> int:
        """Take the rows of *unit*, and return how many they are."""
        self.done.append(unit)
        if self._since is None:
            self._since = time.monotonic()
        count = 0
        for batch in batches:
            count += batch.num_rows
            for place, some in split_rows(folder.manifest.query, folder.manifest.partition, batch):
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
        rows, done = self.rows, self.done
        self.rows, self.done, self._held, self._since = {}, [], 0, None
        if done:
            with anyio.CancelScope(shield=True):  # it is quick, and whoever is interrupted wants to keep what there is
                await anyio.to_thread.run_sync(self.keep, rows, done)


def _check_question(folder: Folder, query: Query, partition: str | Sequence[str] | None) -> None:
    """Refuse a question that is neither the folder's, nor the same for a period that ends later."""
    manifest = folder.manifest
    old = manifest.query
    if partition is not None and read_partition(partition) != manifest.partition:
        raise ConfigError(f"{{partition}}: {folder.path} is parted by {','.join(manifest.partition) or 'none'}")
    if type(old) is not type(query):
        raise ConfigError(f"{{out}}: {folder.path} holds an export of {old.endpoint.name}; export to another folder")
    different = [
        field.name
        for field in attrs.fields(type(old))
        if field.name not in ("split", "on_error") and getattr(old, field.name) != getattr(query, field.name)
    ]
    if different == ["end_date"] and old.end_date < query.end_date:
        plan_after(manifest, query, old.end_date)  # which refuses another grouping
    elif different:
        name = different[0]
        there, here = (_in_words(getattr(question, name)) for question in (old, query))
        raise ConfigError(
            f"{{{name}}}: {folder.path} holds the export of another question ({there} there, {here} here); export to "
            "another folder"
        )


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)
