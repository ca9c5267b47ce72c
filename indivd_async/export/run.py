"""The work of `export`: from a question to rows in a store, whatever the store is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from uuid import uuid4

import anyio
import attrs

from ..client import AsyncIndivd
from ..errors import AuthenticationError, ConfigError, IndivdError
from ..progress import Progress
from ..queries import Query
from ..results import Note
from ..results.notes import numbering_notes, word_note
from ..wording import brief, literally
from .asks import Answered, Ask, Asked, Piece, by_query, keep_rows, make_columns, plan_ask
from .comparison import Comparison
from .keeper import Keeper
from .manifest import Manifest, columns_of
from .missing import follow_up, make_asks, prune, refresh_since
from .question import choose_partition, groupings_of, read_partition, settle
from .report import Failure, Fate, Report
from .store import Store, Turns
from .world import World, look_up
from .zones import Zones

#: Rounds in which what answers have brought up is asked for.
_ROUNDS = 4


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

    def __attrs_post_init__(self) -> None:
        refresh = self.refresh
        if refresh is not None and (isinstance(refresh, bool) or not isinstance(refresh, int) or refresh < 1):
            raise ConfigError(
                f"{{refresh}}: must be a whole number of days of at least 1; got {literally(brief(refresh, 80))}"
            )
        if self.keep and self.prune:
            raise ConfigError("{prune}: days that fall out are either kept or pruned, not both")


async def run(client: AsyncIndivd, query: Query, store: Store, options: Options) -> Report:
    """Do what `export` says."""
    turns = Turns()
    try:
        await turns.run(store.open)
        return await _Run(client=client, store=store, turns=turns, options=options).go(query)
    finally:
        store.patience_s = 0.0  # what was left, opening it or a commit, may still wait for its database
        with anyio.CancelScope(shield=True):
            try:
                await turns.run(store.close)
            except anyio.get_cancelled_exc_class():  # asyncio's own, perhaps before it began
                await turns.run(store.close)
                raise


@attrs.define(kw_only=True)
class _Run:
    """One process's work on a store."""

    client: AsyncIndivd
    store: Store
    turns: Turns
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
        began, retries, options = time.monotonic(), self.client.stats.retries, self.options
        before = self.store.manifest
        world = await self._prepare(query)
        self.failures += world.failures
        self.fates += world.fates
        notes = numbering_notes(groupings_of(query).values(), self.client.profile)
        if query.location is None and not (world.places or world.failures):
            notes.append(word_note("no_locations"))
        self.said |= {note.kind: note for note in notes}
        zones = Zones(
            owners=dict(self.manifest.zones),
            held=self.manifest.held,
            present=frozenset(id for id in world.places if id is not None),
        )
        keeper = Keeper(
            store=self.store,
            comparison=Comparison(schema=self.manifest.schema),
            ended=options.ended,
            commit_every=options.commit_every,
            accept_empty=options.accept_empty,
            zones=zones,
            unmeasured=set(self.manifest.unmeasured),
            turns=self.turns,
        )
        since = refresh_since(before, ended=options.ended, days=options.refresh)
        asks = list(make_asks(self.manifest, world, options.ended, since))
        for _ in range(_ROUNDS):
            await self._gather([ask for ask in asks if ask.again], zones, keeper, fresh=True)
            await self._gather([ask for ask in asks if not ask.again], zones, keeper)
            await self._judge_again(zones, keeper)
            zones.held = self.manifest.held
            asks = [
                ask for ask in follow_up(self.manifest, world, zones, ended=options.ended) if ask not in self._tried
            ]
            if not asks:
                break
        for answered, problem in zones.give_up():
            self.failures.append(Failure(request=str(answered.request), error=problem))
        if not self.failures:
            await self.turns.run(self.store.finish)
        return self._report(world, zones, keeper, seconds=time.monotonic() - began, retries=retries)

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
            await self.turns.run(store.begin, manifest)
            return world
        if options.partition is not None and given != manifest.partition:
            raise ConfigError(
                f"{{partition}}: {store.place.name} is parted by {','.join(manifest.partition) or 'none'}"
            )
        place = store.place
        settled = settle(manifest.query, query, manifest.partition, place, keep=options.keep, prune=options.prune)
        world = await look_up(self.client, settled, manifest.partition, manifest)
        # The rest of the question may have changed, too, in what makes no difference: it is kept as it was.
        changes, held = prune(manifest, settled)
        settled = attrs.evolve(settled, split=manifest.query.split, on_error=manifest.query.on_error)
        manifest = attrs.evolve(manifest, query=settled, members=world.members, held=held)
        await self.turns.run(store.commit, changes, manifest)
        return world

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
        refused: AuthenticationError | None = None
        as_columns = not any(one.merges for some in asked.values() for one in some)
        make = make_columns if as_columns else keep_rows
        try:
            stream = self.client.stream(plans).made(make, for_table=as_columns, renews=fresh)
            async with stream as pieces:
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
                answered = one.add(piece)
                for note in (*piece.notes, *(answered.notes if answered is not None else ())):
                    if note.kind != "numbering_unknown":  # which the question tells, and no answer
                        self.said.setdefault(note.kind, note)
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

    def _report(self, world: World, zones: Zones, keeper: Keeper, *, seconds: float, retries: int) -> Report:
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
        notes = (*{**self.said, **keeper.notes}.values(), *self.store.notes())
        return Report(
            path=self.store.place.target,
            requests=self.answered,
            retries=self.client.stats.retries - retries,
            seconds=seconds,
            rows=self.manifest.rows,
            parts=len(self.manifest.parts),
            failures=tuple(self.failures),
            changes=keeper.comparison.changes(),
            locations=(*self.fates, *regrouped, *keeper.emptied),
            notes=notes,
            provisional_from=min(open_days, default=None),
        )
