"""
One call of a client's method: it plans, opens one stream of chunks, and folds it.

queries → planning → execution → structuring → witnessing → merging → results. This room alone knows their order, and
does none of their work. What only an answer needs is imported with the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs

from .. import wall_clock
from ..errors import AuthenticationError, ClientClosedError, IndivdError, MergeConflictError
from ..execution import ChunkStream, Deadline, Executor, Job, JobSource, SingleFlight, another
from ..planning import Plan, PlannedRequest, check_asked, make_plan
from ..profile import NOTHING_KNOWN, Profile
from ..progress import Tally
from ..queries import Query
from ..results import Answer, AnyResult, Chunk, Listed
from ..results.licences import Licences
from ..results.notes import word_note
from ..structuring import place_rows, read_answer
from .catalogue import Catalogue

if TYPE_CHECKING:
    from ..transport import Reply
    from .keeping import Keeping

C = TypeVar("C")
#: The requests of one query, and how many they are.
_Wanted = tuple[Query, Iterable[PlannedRequest], int]
#: Errors that are no piece's own: they end a call at once, also one that collects.
_ENDS_ALL = (AuthenticationError, ClientClosedError)
_ASKED_UNSPLIT = word_note("asked_unsplit")


class Answered:
    """What answers a request: read once, by the first who takes it of all who asked for it at once."""

    __slots__ = ("_answer", "_error", "_read", "attempts")

    def __init__(self, read: Callable[[], Answer], attempts: int = 0) -> None:
        self._read: Callable[[], Answer] | None = read
        self._error: Exception | None = None
        #: 0 where a cache had it.
        self.attempts = attempts

    def read(self) -> Answer:
        if self._error is not None:
            raise another(self._error) from self._error.__cause__
        if self._read is not None:
            try:
                self._answer = self._read()
            except Exception as error:
                self._error, self._read = error, None
                raise
            self._read = None  # only now: where an interrupt came between, the next one reads
        return self._answer

    def is_sound(self) -> bool:
        """Tell whether it can be read."""
        with suppress(IndivdError):
            self.read()
        return self._error is None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Call:
    """What one call goes through, until when, and whether it collects failures instead of ending with the first."""

    executor: Executor
    catalogue: Catalogue
    flights: SingleFlight[Answered]
    keeping: Keeping | None
    profile: Profile | None
    #: The end of the whole call.
    deadline: Deadline
    collects: bool = False
    #: Counts what is asked and what came of it.
    tally: Tally | None = None
    #: Whether rows are only made columns of.
    for_table: bool = False

    async def look_up(self, name: str) -> Listed[Any]:
        return await self.catalogue.look_up(name, self.request_deadline())

    async def plan(self, query: Query, cutoff: date | None = None) -> Plan:
        """Plan *query*; the locations are looked up where it needs them."""
        check_asked(query, cutoff)
        if cutoff is None and self.keeping is not None:
            cutoff = self.keeping.last_closed_day  # so that closed days are in requests of their own
        locations = await self.catalogue.locations_for(query, self.request_deadline(), self.profile or NOTHING_KNOWN)
        return make_plan(query, locations, cutoff=cutoff, profile=self.profile)

    async def fetch(self, plans: Sequence[Plan]) -> list[AnyResult]:
        """Send the requests of *plans* and merge the answers to each as soon as they are there."""
        sizes = [len(plan) for plan in plans]
        arrived: list[list[Chunk]] = [[] for _ in plans]
        results = [self._merge(plan, ()) if not size else None for plan, size in zip(plans, sizes, strict=True)]

        def take(number: int, chunk: Chunk) -> None:
            arrived[number].append(chunk)
            if len(arrived[number]) == sizes[number]:  # merged at once, so that chunks do not pile up
                results[number] = self._merge(plans[number], arrived[number], is_own=True)
                arrived[number] = []

        await self.gather([(plan.query, plan, size) for plan, size in zip(plans, sizes, strict=True)], take)
        return [
            await self._ask_unsplit(plan) if result is None else result
            for plan, result in zip(plans, results, strict=True)
        ]

    async def complete(self, results: Sequence[AnyResult]) -> list[AnyResult]:
        """Ask again for what failed of *results*, and only that; what fails again is listed."""
        wanted = [[item.request for item in result.coverage if item.status == "failed"] for result in results]
        arrived = [list(result.arrived) for result in results]
        asked = [(result.plan.query, some, len(some)) for result, some in zip(results, wanted, strict=True)]
        await attrs.evolve(self, collects=True).gather(asked, lambda number, chunk: arrived[number].append(chunk))
        completed = []
        for result, chunks, some in zip(results, arrived, wanted, strict=True):
            if not some:
                completed.append(result)
                continue
            merged = self._merge(result.plan, chunks) or await self._ask_unsplit(result.plan)
            kept = [note for note in result.notes if note == _ASKED_UNSPLIT and note not in merged.notes]
            completed.append(attrs.evolve(merged, notes=(*kept, *merged.notes)))
        return completed

    def stream(
        self, queries: Iterable[Query | Plan], ordered: bool, make: Callable[[Chunk], C], waiting: int
    ) -> ChunkStream[C]:
        """Make a stream of what *make* makes of the chunks of *queries*, none of them merged."""
        from ..merging import Owners

        refused: list[AuthenticationError] = []
        licences = Licences()
        numbers = itertools.count()
        #: Of each item that has not been answered whole: whose zones came, and how many requests are left.
        owners: dict[int, Owners] = {}
        left: dict[int, int] = {}

        async def open_item(query: Query | Plan) -> tuple[Query, Plan]:
            plan = query if isinstance(query, Plan) else await self.plan(query)
            await self.catalogue.know_places(plan.query, self.request_deadline())
            number, size = next(numbers), len(plan)
            self._expect(size)
            if size:
                left[number] = size
            return plan.query, plan

        async def ask(job: Job) -> Asked:
            asked = Asked(self, job)
            if refused:
                self.executor.teller.tell("failed", job.request)
                asked.chunk = Chunk(query=job.query, request=job.request, error=refused[0])
                return asked
            try:
                return await asked.ask()
            except AuthenticationError as error:
                refused.append(error)
                asked.chunk = Chunk(query=job.query, request=job.request, error=error, attempts=error.attempts)
                return asked

        def read(asked: Asked) -> C:
            item = asked.job.item
            chunk = owners.setdefault(item, Owners()).hold(asked.take())
            left[item] -= 1
            if not left[item]:
                del owners[item], left[item]
            return make(self._counted(licences.hide(chunk)))

        pull = JobSource(queries, open_item).pull
        workers = self.executor.limits.concurrency
        return ChunkStream(pull, ask, read, workers=workers, ordered=ordered, waiting=waiting)

    async def gather(self, asked: Sequence[_Wanted], take: Callable[[int, Chunk], object]) -> None:
        """Ask all requests, and hand each chunk to *take* with the number of its query; the first failure ends it."""
        count = sum(size for _, _, size in asked)
        if not count:
            return
        for query, _, size in asked:
            if size:
                await self.catalogue.know_places(query, self.request_deadline())
        self._expect(count)

        async def open_item(item: _Wanted) -> tuple[Query, Iterable[PlannedRequest]]:
            return item[0], item[1]

        def ask(job: Job) -> Awaitable[Asked]:
            return Asked(self, job).ask()

        def read(asked: Asked) -> tuple[int, Chunk]:
            return asked.job.item, self._counted(asked.take())

        source = JobSource(asked, open_item)
        if count == 1:  # one request needs no tasks
            job = await source.pull()
            assert job is not None
            take(*read(await ask(job)))
            return
        async with ChunkStream(source.pull, ask, read, workers=min(self.executor.limits.concurrency, count)) as chunks:
            async for number, chunk in chunks:
                take(number, chunk)

    def _expect(self, requests: int) -> None:
        self.executor.teller.announce(requests)
        if self.tally is not None:
            self.tally.expect(requests)

    def _counted(self, chunk: Chunk) -> Chunk:
        if self.tally is not None:
            self.tally.take(chunk)
        return chunk

    async def answer(self, request: PlannedRequest, deadline: Deadline) -> Answered:
        now = self.executor.now
        keeping = self.keeping if self.keeping is not None and self.keeping.covers(request) else None
        if keeping is not None and (body := await keeping.recall(request, deadline.left(now()))) is not None:
            kept = Answered(partial(self._read, request, body))
            if kept.is_sound():  # what a cache kept may be broken, or of another time
                self.executor.teller.end(request, kept.read)
                return kept
        sending = await self.executor.reply_to(request, deadline)
        reply = sending.reply
        read = partial(self._read, request, reply.body, reply.signs)
        answered = Answered(partial(sending.end, read), reply.attempts)  # the first who reads it ends the request
        if keeping is not None and answered.is_sound() and self._is_all_in(reply, request, answered.read()):
            await keeping.keep(request, reply.body, deadline.left(now()))
        return answered

    def _is_all_in(self, reply: Reply, request: PlannedRequest, answer: Answer) -> bool:
        """Tell whether there are rows, and the body alone, which is all that a cache keeps, has all that was said."""
        if answer.first_row is None:
            return False
        return not reply.signs or self._read(request, reply.body).notes == answer.notes

    def _read(self, request: PlannedRequest, body: bytes, signs: Any = ()) -> Answer:
        """Read an answer, hold it against its question, and tell its rows where they are."""
        from ..witnessing import witness_answer

        answer, known = read_answer(request, body, for_table=self.for_table), self.catalogue.known
        answer = witness_answer(request, answer, signs=signs, zones=known.zones)
        place_rows(answer, request, known.zones, known.names)
        return answer

    def request_deadline(self) -> Deadline:
        """When a request that begins now ends, also where it waits for other callers before it is sent."""
        own_s, now = self.executor.timeouts.deadline, self.executor.now()
        return Deadline.after(own_s, now, "{Timeouts.deadline}").earlier(self.deadline)

    def _merge(self, plan: Plan, chunks: Sequence[Chunk], *, is_own: bool = False) -> AnyResult | None:
        """Merge, or return None where the plan must be asked again, unsplit."""
        from ..merging import Known, OwnCutConflictError, merge_chunks

        known = Known(
            now=wall_clock.utc_now(),
            lists=self.catalogue.known.lists,
            has_asked_for_zones="zones" in self.catalogue.known.place_again_at,
        )
        try:
            return merge_chunks(plan, chunks, known, is_own=is_own)
        except OwnCutConflictError:
            if plan.selection is not None:
                raise
            return None
        except MergeConflictError as conflict:
            if not self.collects:
                raise
            # Nobody knows which of the answers is right; the other queries of the batch are.
            failed = [attrs.evolve(chunk, answer=None, error=chunk.error or conflict) for chunk in chunks]
            return merge_chunks(plan, failed, known)

    async def _ask_unsplit(self, plan: Plan) -> AnyResult:
        unsplit = attrs.evolve(plan, query=attrs.evolve(plan.query, split=None), cutoff=None)
        result = (await self.fetch([unsplit]))[0]
        others = [note for note in result.notes if note.kind != "incomplete_labels"]  # which this one tells
        return attrs.evolve(result, notes=(_ASKED_UNSPLIT, *others))


class Asked:
    """One request of a call: asked by a worker, and read by whoever takes it."""

    __slots__ = ("_answered", "_call", "_leads", "chunk", "job")

    def __init__(self, call: Call, job: Job) -> None:
        self.job = job
        #: What is there already; else it is read when it is taken.
        self.chunk: Chunk | None = None
        self._call = call
        #: Whether the answer is its own, not that of another caller who asks the same.
        self._leads = False

    async def ask(self) -> Self:
        """Ask when its turn is near."""
        call, request = self._call, self.job.request
        executor = call.executor
        await executor.ready(call.deadline)
        executor.teller.tell("planned", request)
        renews = call.keeping is not None and call.keeping.renews
        key = (request.path, *request.params.items(), request.tz, request.carried, call.for_table, renews)
        deadline = call.request_deadline()
        try:
            self._answered = await executor.share(call.flights, key, request, partial(self._lead, deadline), deadline)
        except IndivdError as error:
            if not self._leads:
                executor.teller.tell("failed", request)
            self.chunk = self._fail(error)
            return self
        if executor.teller.on_event is not None:  # it tells in the context of this task, which spans know, and at once
            self.chunk = self._read()
        return self

    def take(self) -> Chunk:
        return self._read() if self.chunk is None else self.chunk

    def _lead(self, deadline: Deadline) -> Awaitable[Answered]:
        self._leads = True
        return self._call.answer(self.job.request, deadline)

    def _read(self) -> Chunk:
        job, answered = self.job, self._answered
        read = answered.read if self._leads else partial(self._call.executor.teller.end, job.request, answered.read)
        try:
            answer = read()
        except IndivdError as error:
            return self._fail(error)
        return Chunk(query=job.query, request=job.request, answer=answer, attempts=answered.attempts)

    def _fail(self, error: IndivdError) -> Chunk:
        """Make a chunk of *error* where the query or the call collects; else raise it."""
        job = self.job
        if not (self._call.collects or job.query.on_error == "collect") or isinstance(error, _ENDS_ALL):
            raise error
        return Chunk(query=job.query, request=job.request, error=error, attempts=getattr(error, "attempts", 1))
