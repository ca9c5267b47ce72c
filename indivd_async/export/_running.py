"""The work of `export`: from a question to rows in a store, whatever the store is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from uuid import uuid4

import anyio
import anyio.to_thread
import attrs

from ..client import AsyncIndivd
from ..client.exports import renewing, stream_made
from ..errors import AuthenticationError, ConfigError, IndivdError
from ..models.clocks import ONE_DAY
from ..planning import Window
from ..planning.windows import bucket_unit
from ..progress import Progress
from ..queries import Query
from ..results import Note
from ..results.notes import numbering_unknown, unnumbered
from ._asking import Answered, Ask, Asked, Piece, by_query, keep_rows, make_columns, plan_ask
from ._comparing import Comparison
from ._coverage import Holding, Wanted, last_day_of_bucket, overlap, to_ask
from ._keeping import Keeper
from ._manifest import Manifest, Subject, columns_of
from ._question import choose_partition, first_day_kept, groupings_of, periods_of, read_partition, settle
from ._store import Change, Region, Store
from ._world import World, look_up
from ._zones import Zones
from .report import Failure, Fate, Report

#: Rounds in which what answers have brought up is asked for.
_ROUNDS = 4
_LONG_AGO = date(1970, 1, 2)


@attrs.frozen(kw_only=True)
class Options:
    """How a run goes; see `export`. `ended` is the last day that has ended everywhere on earth."""

    ended: date
    partition: str | Sequence[str] | None = None
    refresh: int | None = None
    keep: bool = False
    prune: bool = False
    accept_empty: bool = False
    on_progress: Callable[[Progress], object] | None = None
    commit_every: float = 5.0


async def run(client: AsyncIndivd, query: Query, open_store: Callable[[], Store], options: Options) -> Report:
    """Do what `export` says."""
    store = await anyio.to_thread.run_sync(open_store)
    try:
        return await _Run(client=client, store=store, options=options).go(query)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(store.close)


@attrs.define(kw_only=True)
class _Run:
    """One process's work on a store."""

    client: AsyncIndivd
    store: Store
    options: Options
    answered: int = 0
    failures: list[Failure] = attrs.field(factory=list)
    fates: list[Fate] = attrs.field(factory=list)
    #: The first note of each kind on an answer.
    said: dict[str, Note] = attrs.field(factory=dict)
    _tried: set[Ask] = attrs.field(factory=set)
    _done: int = 0
    _total: int = 0
    _rows: int = 0

    @property
    def manifest(self) -> Manifest:
        """What is there."""
        assert self.store.manifest is not None
        return self.store.manifest

    async def go(self, query: Query) -> Report:
        """Ask for what is missing and for what may have changed, and keep it as it comes."""
        began, retries = time.monotonic(), self.client.stats.retries
        before = self.store.manifest
        world = await self._prepare(query)
        self.failures += world.failures
        self.fates += world.fates
        if unknown := unnumbered(groupings_of(query).values(), self.client.profile):
            self.said["numbering_unknown"] = numbering_unknown(unknown)
        zones = Zones(
            owners=dict(self.manifest.zones),
            held=self.manifest.held,
            present=frozenset(id for id in world.places if id is not None),
        )
        keeper = Keeper(
            store=self.store,
            comparison=Comparison(schema=self.manifest.schema),
            ended=self.options.ended,
            commit_every=self.options.commit_every,
            accept_empty=self.options.accept_empty,
            zones=zones,
        )
        asks = list(self._asks(world, self._refresh_since(before)))
        for _ in range(_ROUNDS):
            await self._gather([ask for ask in asks if ask.again], zones, keeper, fresh=True)
            await self._gather([ask for ask in asks if not ask.again], zones, keeper)
            await self._judge_again(zones, keeper)
            zones.held = self.manifest.held
            asks = list(self._follow_up(world, zones))
            if not asks:
                break
        for answered, problem in zones.give_up():
            self.failures.append(Failure(request=str(answered.request), error=problem))
        if not self.failures:
            await anyio.to_thread.run_sync(self.store.finish)
        rows = await anyio.to_thread.run_sync(lambda: self.store.rows)
        return self._report(world, zones, keeper, rows, seconds=time.monotonic() - began, retries=retries)

    # What to ask.

    async def _prepare(self, query: Query) -> World:
        """Settle what is to be held, and look up which locations that is about."""
        options, store = self.options, self.store
        manifest = store.manifest
        given = () if options.partition is None else read_partition(options.partition)
        if manifest is None:
            if isinstance(query, Query):
                world = await look_up(self.client, query, given, None)
            partition = choose_partition(await self.client.plan(query), options.partition)
            manifest = Manifest(
                id=uuid4().hex[:8],
                query=query,
                partition=partition,
                members=world.members,
                columns=columns_of(query),
            )
            await anyio.to_thread.run_sync(store.begin, manifest)
            return world
        if options.partition is not None and given != manifest.partition:
            raise ConfigError(
                f"{{partition}}: {store.place.name} is parted by {','.join(manifest.partition) or 'none'}"
            )
        place = store.place
        settled = settle(manifest.query, query, manifest.partition, place, keep=options.keep, prune=options.prune)
        world = await look_up(self.client, settled, manifest.partition, manifest)
        # The rest of the question may have changed, too, in what makes no difference: it is kept as it was.
        changes, held = _prune(manifest, settled)
        settled = attrs.evolve(settled, split=manifest.query.split, on_error=manifest.query.on_error)
        manifest = attrs.evolve(manifest, query=settled, members=world.members, held=held)
        await anyio.to_thread.run_sync(store.commit, changes, manifest)
        return world

    def _refresh_since(self, before: Manifest | None) -> dict[str, date]:
        """Return, for each period, the first day to ask again; nothing where nothing is."""
        if self.options.refresh is None or before is None:
            return {}
        # By the days that are there, not by those that were wanted: a run that was killed before it had any new day is
        # followed by one that asks the same days again. (Days are asked again before new ones are asked for.)
        last: dict[str, date] = {}
        for (period, _), holding in before.held.items():
            for window in holding.windows:
                last[period] = max(window.end, last.get(period, window.end))
        tomorrow = self.options.ended + ONE_DAY
        days = timedelta(days=self.options.refresh - 1)
        return {period: min(day, tomorrow) - days for period, day in last.items()}

    def _asks(self, world: World, refresh_since: Mapping[str, date]) -> Iterator[Ask]:
        """Yield what is missing, and what is to be asked again."""
        for period, wanted in self._wanted(world, refresh_since):
            for location, one in wanted:
                held = self.manifest.held.get((period, location), Holding())
                yield from _make_asks(period, location, held, one)

    def _wanted(
        self, world: World, refresh_since: Mapping[str, date]
    ) -> Iterator[tuple[str, Iterator[tuple[int | None, Wanted]]]]:
        query = self.manifest.query
        groupings = groupings_of(query)
        for period, window in periods_of(query).items():
            wanted = Wanted(
                period=window,
                clock=None,
                unit=bucket_unit(groupings[period]),
                ended=self.options.ended,
                refresh_since=refresh_since.get(period),
            )
            # By clock: the hours of a location are those of the one before it then, and need not be read again.
            places = sorted(world.places.items(), key=lambda place: place[1] or "")
            yield period, ((id, attrs.evolve(wanted, clock=clock)) for id, clock in places)

    def _follow_up(self, world: World, zones: Zones) -> Iterator[Ask]:
        """Yield what is to be asked because zones are in the answers for another location than before."""
        waiting: dict[Subject, list[Window]] = {}
        for answered in zones.waiting:
            for other, days in zones.days_to_ask(answered):
                waiting.setdefault((answered.ask.period, other), []).append(days)
        for period, wanted in self._wanted(world, {}):
            for location, one in wanted:
                held = self.manifest.held.get((period, location), Holding())
                held = held.doubt(waiting.get((period, location), ()))
                for ask in _make_asks(period, location, held, one):
                    if ask.accept_empty and ask not in self._tried:
                        yield ask

    # Asking.

    async def _gather(self, asks: Sequence[Ask], zones: Zones, keeper: Keeper, *, fresh: bool = False) -> None:
        """Ask, and keep what comes."""
        if not asks:
            return
        self._tried.update(asks)
        query = self.manifest.query
        asked = by_query(Asked(ask=ask, plan=plan_ask(ask, query, self.client.profile)) for ask in asks)
        plans = [some[0].plan for some in asked.values()]
        self._total += sum(map(len, plans))
        client = renewing(self.client) if fresh else self.client
        refused: AuthenticationError | None = None
        as_columns = not any(one.merges for some in asked.values() for one in some)
        make = make_columns if as_columns else keep_rows
        try:
            async with stream_made(client, plans, make, for_table=as_columns) as pieces:
                while refused is None:
                    piece: Piece | None = None
                    with anyio.move_on_after(keeper.due_in()):
                        try:
                            piece = await anext(pieces)
                        except StopAsyncIteration:
                            break
                    if piece is None:  # none came in time: commit what there is
                        await keeper.flush()
                        continue
                    refused = await self._take(piece, asked[piece.query], zones, keeper)
                    if keeper.is_due():
                        await keeper.flush()
        except anyio.get_cancelled_exc_class():
            await keeper.flush()
            raise
        await keeper.flush()
        if refused is not None:
            raise refused

    async def _take(
        self, piece: Piece, asked: Sequence[Asked], zones: Zones, keeper: Keeper
    ) -> AuthenticationError | None:
        """Take one answer; return the error after which no other request would fare better."""
        self._done += 1
        try:
            if piece.error is not None:
                raise piece.error
            for one in asked:
                for note in piece.notes:
                    if note.kind != "numbering_unknown":  # which the question tells, and no answer
                        self.said.setdefault(note.kind, note)
                answered = one.add(piece)
                if answered is not None and zones.judge(answered):
                    await self._keep(answered, keeper)
        except AuthenticationError as error:
            return error
        except IndivdError as error:
            self.failures.append(Failure(request=str(piece.request), error=error))
        else:
            self.answered += 1
        if self.options.on_progress is not None:
            progress = Progress(done=self._done, total=self._total, rows=self._rows, failed=len(self.failures))
            self.options.on_progress(progress)
        return None

    async def _keep(self, answered: Answered, keeper: Keeper) -> None:
        await keeper.add(answered)
        self._rows += answered.rows

    async def _judge_again(self, zones: Zones, keeper: Keeper) -> None:
        """Keep what waited for another location's answer, where that has settled it."""
        waiting, zones.waiting = zones.waiting, []
        for answered in waiting:
            try:
                if zones.judge(answered):
                    await self._keep(answered, keeper)
            except IndivdError as error:
                self.failures.append(Failure(request=str(answered.request), error=error))
        await keeper.flush()

    # Telling.

    def _report(self, world: World, zones: Zones, keeper: Keeper, rows: int, *, seconds: float, retries: int) -> Report:
        open_days = [
            stretch.provisional_from
            for (_, location), holding in self.manifest.held.items()
            if location in world.places
            for stretch in holding.stretches
            if stretch.provisional_from is not None
        ]
        regrouped = [
            Fate(
                location=there,
                became="regrouped",
                message=f"zone {zone} is of location {there} now, no longer of {before}: both are asked again",
            )
            for zone, (before, there) in zones.moved.items()
        ]
        foreign = list(self.store.foreign())
        notes = list({**self.said, **keeper.notes}.values())
        if foreign:
            message = f"Files that are not of this export, and that readers take for its rows: {', '.join(foreign[:5])}"
            notes.append(Note(kind="foreign_files", message=message))
        return Report(
            path=self.store.target,
            requests=self.answered,
            retries=self.client.stats.retries - retries,
            seconds=seconds,
            rows=rows,
            parts=self.store.parts,
            failures=tuple(self.failures),
            changes=keeper.comparison.changes(),
            locations=(*self.fates, *regrouped, *keeper.emptied),
            notes=tuple(notes),
            provisional_from=min(open_days, default=None),
        )


def _make_asks(period: str, location: int | None, held: Holding, wanted: Wanted) -> Iterator[Ask]:
    again, new = to_ask(held, wanted)
    doubted = held.doubted
    ask = partial(Ask, period=period, location=location, clock=wanted.clock)
    for window in again:
        yield ask(
            window=window,
            again=True,
            whole=window == wanted.period,
            at_once=held.kind != "days",
            accept_empty=any(overlap(window, days) is not None for days in doubted),
        )
    for window in new:
        yield ask(window=window, whole=window == wanted.period)


def _prune(manifest: Manifest, settled: Query) -> tuple[list[Change], dict[Subject, Holding]]:
    """Say which rows go because the period begins later, and what is there then."""
    changes = []
    held = dict(manifest.held)
    units = {period: bucket_unit(grouping) for period, grouping in groupings_of(settled).items()}
    for period, first in first_day_kept(manifest.query, settled).items():
        unit = units[period]
        if unit is None:
            continue  # all is asked for again
        changes.append(Change(region=Region(period=period, window=Window(_LONG_AGO, first - ONE_DAY))))
        # A month of which some days go is asked for again: its row goes whole.
        gone = Window(_LONG_AGO, last_day_of_bucket(first - ONE_DAY, unit))
        for subject, holding in held.items():
            if subject[0] == period and holding.kind != "whole":
                held[subject] = holding.remove(gone)
    return changes, held
