"""The executor: attempts, waits, deadlines, pace, fairness, batches, under a clock that the tests move."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest
import trio
from asking import AT_ONCE, ROOMY, FakeTime, Question, make_executor, send_each
from trio.testing import MockClock

from indivd_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    DeadlineExceededError,
    IndivdError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    UnexpectedStatusError,
)
from indivd_async.execution import ChunkStream, Counts, Deadline, Event, Executor, Stats
from indivd_async.settings import Limits, RetryPolicy, Timeouts

pytestmark = pytest.mark.anyio

OK = httpx.Response(200, content=b"[]")
Answer = httpx.Response | Exception


class Script(httpx.AsyncBaseTransport):
    """Answers in the order of the script, the last for ever; notes when it was asked for what."""

    def __init__(self, *answers: Answer, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.answers = list(answers)
        self.clock = clock
        self.asked: list[str] = []
        self.asked_at: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        self.asked_at.append(self.clock())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def status(code: int, retry_after: object = None) -> httpx.Response:
    return httpx.Response(code, headers={} if retry_after is None else {"Retry-After": str(retry_after)})


def scripted(*answers: Answer, **options: Any) -> tuple[Executor, Script, FakeTime]:
    time = FakeTime()
    script = Script(*answers, clock=time.clock)
    options.setdefault("retry", RetryPolicy())
    options.setdefault("timeouts", Timeouts(deadline=300))
    executor = make_executor(
        transport=script, clock=time.clock, sleep=time.sleep, random=options.pop("random", lambda: 0.5), **options
    )
    return executor, script, time


# Answers and errors.


@pytest.mark.parametrize(
    ("code", "error", "advice"),
    [
        pytest.param(400, BadRequestError, "does not say which parameter", id="400"),
        pytest.param(401, AuthenticationError, "Authorization: Token", id="401"),
        pytest.param(403, PermissionDeniedError, "scope", id="403"),
        pytest.param(404, NotFoundError, "base_url", id="404"),
        pytest.param(410, UnexpectedStatusError, "documents no such status", id="another 4xx"),
        pytest.param(204, UnexpectedStatusError, "documents no such status", id="another 2xx"),
        pytest.param(301, UnexpectedStatusError, "never followed", id="redirect"),
    ],
)
async def test_statuses_that_are_final(code: int, error: type[ApiError], advice: str) -> None:
    """They are raised after one attempt, with the request and what to do."""
    executor, script, _ = scripted(status(code))
    with pytest.raises(error, match=advice) as caught:
        await executor.send(Question("/a/"))
    assert caught.value.status == code
    assert caught.value.request == Question("/a/")
    assert caught.value.attempts == 1
    assert "GET /a/ after 1 attempt over 0.0 s" in str(caught.value)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("code", "error", "slept"),
    [
        pytest.param(408, UnexpectedStatusError, [0.125, 0.25], id="408"),
        pytest.param(429, RateLimitedError, [0.5, 1.0], id="429"),
        pytest.param(500, ServerError, [0.125, 0.25], id="500"),
        pytest.param(503, ServerError, [0.5, 1.0], id="503"),
        pytest.param(599, ServerError, [0.125, 0.25], id="599"),
    ],
)
async def test_statuses_that_are_asked_again(code: int, error: type[ApiError], slept: list[float]) -> None:
    """They are raised after the attempts of the policy, with the waits between."""
    executor, script, time = scripted(status(code))
    with pytest.raises(error, match=f"{code} for GET /path/.* after 3 attempts over") as caught:
        await executor.send(Question())
    assert caught.value.attempts == 3
    assert len(script.asked) == 3
    assert time.slept == slept


async def test_a_later_attempt_may_answer() -> None:
    """The reply says how many attempts it took."""
    executor, _, time = scripted(httpx.ReadError("gone"), status(500), OK)
    reply = await executor.send(Question())
    assert (reply.body, reply.attempts) == (b"[]", 3)
    assert time.slept == [0.125, 0.25]
    assert executor.stats == Stats(requests=1, attempts=3, retries=2, bytes=2, in_flight=0, peak_in_flight=1)


async def test_the_last_failure_is_raised() -> None:
    """Of several failures the last is told, with the host and the cause."""
    executor, _, _ = scripted(status(500), httpx.ConnectError("refused"))
    with pytest.raises(
        ConnectionFailedError, match=r"api\.invalid:443: refused; GET .* after 3 attempts over .* Check base_url"
    ) as caught:
        await executor.send(Question())
    assert (caught.value.host, caught.value.port, caught.value.attempts) == ("api.invalid", 443, 3)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("retry_after", [7, "7"])
async def test_retry_after_is_waited_for_and_carried(retry_after: object) -> None:
    """The wait is what was asked and a twentieth more (the draw is a half); the error carries the last one."""
    executor, script, _ = scripted(status(429, retry_after))
    with pytest.raises(RateLimitedError, match=r"retry after 7 s") as caught:
        await executor.send(Question())
    assert caught.value.retry_after == 7.0
    assert script.asked_at == pytest.approx([1000.0, 1007.35, 1014.7])


async def test_a_long_retry_after_is_raised_at_once_and_pauses_nobody() -> None:
    """Who asks for more than a minute is not waited for, by anyone."""
    executor, script, time = scripted(status(429, 61), OK)
    with pytest.raises(RateLimitedError, match="max_retry_after") as caught:
        await executor.send(Question())
    assert caught.value.retry_after == 61.0
    await executor.send(Question())
    assert time.slept == []
    assert len(script.asked) == 2


async def test_a_pause_holds_everyone_back() -> None:
    """After a Retry-After no request of the client, or of its views, is sent until then."""
    executor, script, _ = scripted(status(503, 30), OK, retry=RetryPolicy(attempts=1))
    with pytest.raises(ServerError):
        await executor.send(Question("/told/"))
    await executor.with_options(retry=AT_ONCE).send(Question("/heard/"))
    assert script.asked_at == [1000.0, 1030.0]
    await executor.send(Question("/after/"))
    assert script.asked_at[2] == 1030.0


async def test_a_pause_may_grow_while_it_is_waited_for() -> None:
    """Whoever waits looks again before sending."""
    executor, script, time = scripted(status(503, 30), status(503, 20), OK, retry=RetryPolicy(attempts=1))
    release = anyio.Event()

    async def sleep(seconds: float) -> None:
        if not release.is_set():
            release.set()
            # While the first sleeps, another is told to wait longer.
            executor.pause.until = 1050.0
        await time.sleep(seconds)

    executor.home.sleep = sleep
    with pytest.raises(ServerError):
        await executor.send(Question())
    with pytest.raises(ServerError):
        await executor.send(Question())
    assert script.asked_at == [1000.0, 1050.0]


async def test_a_pause_beyond_the_deadline_is_not_waited_for() -> None:
    """It is raised at once, and nothing is sent."""
    executor, script, time = scripted(
        status(503, 30), OK, retry=RetryPolicy(attempts=1), timeouts=Timeouts(deadline=29)
    )
    with pytest.raises(ServerError):
        await executor.send(Question())
    with pytest.raises(DeadlineExceededError, match="a Retry-After pauses the client"):
        await executor.send(Question())
    assert len(script.asked) == 1
    assert time.slept == []


async def test_a_batch_waits_where_a_request_of_its_own_could_not() -> None:
    """A pause longer than the deadline ends who was told of it, and nobody after it in the batch."""
    executor, script, _ = scripted(
        status(503, 45), OK, retry=RetryPolicy(attempts=1), timeouts=Timeouts(deadline=20), limits=Limits(concurrency=1)
    )
    told: list[IndivdError] = []

    async def handle(question: Question) -> None:
        try:
            await executor.send(question)
        except ServerError as error:
            told.append(error)

    await send_each(executor, [Question()] * 100, handle, workers=1)
    assert len(told) == 1
    assert script.asked_at[1] == 1045.0
    assert len(script.asked) == 100


def test_a_batch_keeps_to_a_pace_slower_than_its_deadline() -> None:
    """However slow the pace and many the workers, requests are pulled when their turn is near."""
    script = Script(OK, clock=trio.current_time)

    async def ask_all() -> None:
        executor = make_executor(
            transport=script,
            clock=trio.current_time,
            timeouts=Timeouts(deadline=60),
            limits=Limits(concurrency=32, requests_per_second=0.1),
        )
        await send_each(executor, [Question()] * 40, executor.send, workers=32)

    trio.run(ask_all, clock=MockClock(autojump_threshold=0))
    begun = [at - script.asked_at[0] for at in script.asked_at]
    assert begun == pytest.approx([10.0 * number for number in range(40)])


async def test_a_total_deadline_bounds_a_batchs_wait() -> None:
    """What cannot begin in time fails at once."""
    executor, script, _ = scripted(status(503, 45), OK, retry=RetryPolicy(attempts=1), timeouts=Timeouts(deadline=20))
    with pytest.raises(ServerError):
        await executor.send(Question())

    async def handle(question: Question) -> None:
        await executor.send(question, deadline=Deadline(1010.0))

    with pytest.raises(DeadlineExceededError, match="pauses the client"):
        await send_each(executor, [Question()] * 3, handle, workers=3, deadline=Deadline(1010.0))
    assert script.asked_at == [1000.0]


async def test_who_leaves_gives_the_turn_back() -> None:
    """Callers that are cancelled while they wait for their turn do not hold up those behind them."""
    executor = make_executor(
        transport=Script(OK), limits=Limits(concurrency=50, requests_per_second=0.01), timeouts=Timeouts(deadline=None)
    )
    await executor.send(Question())
    turn = executor.pace.next_start(0.0)
    for _ in range(3):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(executor.send, Question())
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert executor.pace.next_start(0.0) == turn


async def test_what_the_callers_transport_raises_counts_as_failed() -> None:
    """It comes out as it is, and progress comes to its end."""
    events: list[Event] = []
    executor = make_executor(transport=Script(KeyError("mine")), on_event=events.append)
    with pytest.raises(KeyError, match="mine"):
        await executor.send(Question())
    assert [event.kind for event in events] == ["started", "failed"]


async def test_the_budget_is_shared_and_ends_retries() -> None:
    """Once it is empty every failure is raised at once and says so; successes fill it again."""
    executor, script, _ = scripted(status(500), retry=RetryPolicy(budget=20, retry_cost=10))
    with pytest.raises(ServerError):
        await executor.send(Question())
    with pytest.raises(ServerError, match="retry budget is empty") as caught:
        await executor.with_options(retry=AT_ONCE).send(Question())
    assert caught.value.attempts == 1
    script.answers = [OK]
    for _ in range(10):
        await executor.send(Question())
    script.answers = [status(500), OK]
    assert (await executor.send(Question())).attempts == 2


async def test_an_outage_is_amplified_by_a_tenth_at_most() -> None:
    """However much fails, there are at most 1.1 attempts a request, and the first hundred retries."""
    executor, script, _ = scripted(status(500), retry=AT_ONCE)
    for _ in range(1000):
        with pytest.raises(ServerError):
            await executor.send(Question())
    assert len(script.asked) == 1100


# Deadlines.


async def test_a_backoff_beyond_the_deadline_is_not_begun() -> None:
    """The request ends at once; what failed last is chained."""
    executor, _, time = scripted(status(500), timeouts=Timeouts(deadline=0.3))
    with pytest.raises(DeadlineExceededError, match=r"api\.invalid:443: no answer within the deadline") as caught:
        await executor.send(Question())
    assert isinstance(caught.value.__cause__, ServerError)
    assert caught.value.attempts == 2
    assert caught.value.request == Question()
    assert time.slept == [0.125]
    assert isinstance(caught.value, TimeoutError)


async def test_a_retry_after_beyond_the_deadline_is_raised_with_it() -> None:
    """The status is told, not the deadline: its caller can plan with the wait."""
    executor, _, time = scripted(status(429, 10), timeouts=Timeouts(deadline=5))
    with pytest.raises(RateLimitedError, match="ends after the deadline") as caught:
        await executor.send(Question())
    assert caught.value.retry_after == 10.0
    assert caught.value.out_of_time
    assert time.slept == []


async def test_total_deadline_bounds_too() -> None:
    """Of the request's own deadline and the call's, the earlier counts."""
    executor, script, _ = scripted(OK)
    with pytest.raises(DeadlineExceededError, match="its turn came too late"):
        await executor.send(Question(), deadline=Deadline(1000.0))
    await executor.send(Question(), deadline=Deadline(1000.1))
    assert len(script.asked) == 1


async def test_no_deadline_waits_for_ever() -> None:
    """None for every bound is allowed."""
    unbounded = Timeouts(connect=None, read=None, attempt=None, deadline=None)
    executor, _, time = scripted(status(503, 60), OK, timeouts=unbounded)
    await executor.send(Question())
    assert time.slept == [63.0]


async def test_an_attempt_is_cut_by_the_deadline() -> None:
    """What the deadline leaves is all an attempt gets, and the error names the deadline."""

    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    executor = make_executor(transport=httpx.MockTransport(hang), timeouts=Timeouts(deadline=0.2))
    with pytest.raises(DeadlineExceededError, match="the last attempt took what was left") as caught:
        await executor.send(Question())
    assert isinstance(caught.value.__cause__, RequestTimeoutError)
    assert executor.stats.attempts == 1


async def test_waiting_for_a_lane_is_bounded() -> None:
    """The deadline covers the wait for a lane; the lane is not lost."""
    release = anyio.Event()

    async def handle(request: httpx.Request) -> httpx.Response:
        await release.wait()
        return OK

    executor = make_executor(transport=httpx.MockTransport(handle), limits=Limits(concurrency=1))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.send, Question())
        await anyio.wait_all_tasks_blocked()
        hasty = executor.with_options(timeouts=Timeouts(deadline=0.2))
        with pytest.raises(
            DeadlineExceededError, match=r"all lanes were busy \(Limits.concurrency\).* after 0 attempts"
        ):
            await hasty.send(Question())
        release.set()
    await executor.send(Question())


async def test_no_time_left_to_wait_for_a_lane() -> None:
    """A request that comes after its deadline does not queue."""
    release = anyio.Event()

    async def handle(request: httpx.Request) -> httpx.Response:
        await release.wait()
        return OK

    time = FakeTime()
    executor = make_executor(
        transport=httpx.MockTransport(handle), limits=Limits(concurrency=1), clock=time.clock, sleep=time.sleep
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.send, Question())
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeadlineExceededError, match="over before the request began"):
            await executor.send(Question(), deadline=Deadline(999.0))
        executor.pause.until = 2000.0
        with pytest.raises(DeadlineExceededError, match="a Retry-After pauses"):
            await executor.send(Question(), deadline=Deadline(1001.0))
        release.set()


# Pace.


async def test_pace_is_smooth_and_shared() -> None:
    """Requests of all views start evenly spaced, retries among them."""
    executor, script, _ = scripted(
        OK, status(500), OK, limits=Limits(concurrency=4, requests_per_second=10), retry=AT_ONCE
    )
    await executor.send(Question())
    await executor.with_options(timeouts=Timeouts()).send(Question())
    await executor.send(Question())
    assert script.asked_at == pytest.approx([1000.0, 1000.1, 1000.2, 1000.3])


async def test_pace_beyond_the_deadline_is_not_waited_for() -> None:
    """A turn that comes too late is not booked: it is left to those who can wait."""
    executor, script, _ = scripted(
        OK, limits=Limits(concurrency=4, requests_per_second=0.1), timeouts=Timeouts(deadline=5)
    )
    await executor.send(Question())
    with pytest.raises(DeadlineExceededError, match="requests_per_second"):
        await executor.send(Question())
    await executor.with_options(timeouts=Timeouts(deadline=50)).send(Question())
    assert script.asked_at == [1000.0, 1010.0]


async def test_pace_books_anew_after_a_pause() -> None:
    """A turn that was booked before a pause is not taken at its end, when all the others come due too."""
    executor, script, time = scripted(OK, limits=Limits(concurrency=4, requests_per_second=1), retry=AT_ONCE)

    async def sleep(seconds: float) -> None:
        executor.pause.until = 1020.0
        await time.sleep(seconds)

    executor.home.sleep = sleep
    for _ in range(4):
        await executor.send(Question())
    assert script.asked_at == [1000.0, 1020.0, 1021.0, 1022.0]
    assert time.slept == [1.0, 19.0, 1.0, 1.0]


# Events, stats, logs.


async def test_events_tell_the_story() -> None:
    """Each attempt is told, with what a service needs to log and count."""
    told: list[Event] = []
    executor, _, _ = scripted(status(429, 2), httpx.ReadError("gone"), OK, on_event=told.append)
    question = Question()
    executor.teller.announce(3)
    executor.teller.tell("planned", question)
    await executor.send(question)
    executor.teller.end(question, lambda: None)
    executor.teller.tell("failed", question)
    assert [(e.kind, e.attempt, e.status, e.wait) for e in told] == [
        ("planned", 0, None, None),
        ("started", 1, None, None),
        ("retry", 1, 429, pytest.approx(2.1)),
        ("started", 2, None, None),
        ("retry", 2, None, 0.25),
        ("started", 3, None, None),
        ("finished", 3, 200, None),
        ("finished", 0, None, None),
        ("failed", 0, None, None),
    ]
    assert [e.elapsed for e in told[1:7]] == pytest.approx([0, 0, 2.1, 2.1, 2.35, 2.35])
    assert {e.request for e in told} == {question}
    assert told[-1].counts == Counts(planned=3, finished=2, failed=1, retried=2)


async def test_a_failure_is_told_once() -> None:
    """The last event of a failed request says so, with the status."""
    told: list[Event] = []
    executor, _, _ = scripted(status(403), on_event=told.append)
    with pytest.raises(PermissionDeniedError):
        await executor.send(Question())
    assert [(e.kind, e.status) for e in told] == [("started", None), ("failed", 403)]
    assert told[-1].counts.failed == 1


async def test_an_event_handler_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A broken progress bar breaks no request."""

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    executor, _, _ = scripted(OK, on_event=broken)
    await executor.send(Question())
    assert "on_event raised" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("kind", ["started", "finished"])
async def test_an_interrupt_in_an_event_handler_leaves_nothing_in_the_air(kind: str) -> None:
    """A signal may come there, too; what is counted and the lane are given back."""

    class Interrupt(BaseException):
        pass

    def interrupted(event: Event) -> None:
        if event.kind == kind and executor.stats.requests == 1:
            raise Interrupt

    executor, _, _ = scripted(OK, OK, on_event=interrupted)
    with pytest.raises(Interrupt):
        await executor.send(Question())
    assert executor.stats.in_flight == 0
    await executor.send(Question())


async def test_requests_are_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """The log of attempts and waits names requests; it is silent by default."""
    executor, _, _ = scripted(status(500), OK)
    with caplog.at_level(logging.DEBUG, logger="indivd_async"):
        await executor.send(Question("/a/?b=1"))
    first, again, second = (record.getMessage() for record in caplog.records)
    assert first == "GET /a/?b=1, attempt 1"
    assert again.startswith("GET /a/?b=1, asking again in 0.125 s: 500 for GET /a/?b=1 after 1 attempt")
    assert second == "GET /a/?b=1, attempt 2"


# Fairness.


async def test_lanes_are_handed_on_in_order() -> None:
    """Whoever has waited longest is served first."""
    executor, script, _ = scripted(OK, limits=Limits(concurrency=1))
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(executor.send, Question(f"/{number:02}"))
            await anyio.lowlevel.checkpoint()
    assert script.asked == [f"/{number:02}" for number in range(20)]


async def test_a_batch_does_not_starve_a_single_call() -> None:
    """A call that comes in the middle of a batch is served within one round of the lanes."""
    executor, script, _ = scripted(OK, limits=Limits(concurrency=4))
    async with anyio.create_task_group() as tasks:

        async def handle(question: Question) -> None:
            await executor.send(question)
            if question.target == "/10":
                tasks.start_soon(executor.send, Question("/single"))

        await send_each(executor, [Question(f"/{n}") for n in range(200)], handle, workers=8)
    assert script.asked.index("/single") < 40


async def test_peak_in_flight_is_bounded() -> None:
    """No more attempts are in the air than there are lanes."""
    executor, _, _ = scripted(OK, limits=Limits(concurrency=3))
    await send_each(executor, [Question()] * 50, executor.send, workers=10)
    assert executor.stats.peak_in_flight == 3
    assert executor.stats.in_flight == 0
    assert executor.stats.requests == 50


# Batches.


async def test_map_pulls_as_it_needs() -> None:
    """Items are pulled one by one as workers become free."""
    executor, _, _ = scripted(OK)
    pulled = handled = 0

    def items() -> Iterator[int]:
        nonlocal pulled
        for number in range(1000):
            pulled += 1
            yield number

    async def handle(number: int) -> None:
        nonlocal handled
        assert pulled <= handled + 5
        await anyio.lowlevel.checkpoint()
        handled += 1

    await send_each(executor, items(), handle, workers=4)
    assert handled == 1000


@pytest.mark.parametrize("size", [2, 3, 10])
async def test_no_worker_starts_without_a_request(size: int) -> None:
    """However many there may be: a small batch costs no more than its size."""
    executor, _, _ = scripted(OK, limits=Limits(concurrency=200))
    before = len(anyio.get_running_tasks())
    most = 0
    everybody = anyio.Event()

    async def handle(number: int) -> None:
        nonlocal most
        if number == size - 1:
            everybody.set()
        await everybody.wait()
        most = max(most, len(anyio.get_running_tasks()) - before)
        await executor.send(Question())

    await send_each(executor, range(size), handle, workers=200)
    assert most == size


async def test_all_workers_start_where_answers_are_waited_for() -> None:
    """The event loop has time, so everything that may be in the air at once is."""
    everybody = anyio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if executor.stats.in_flight == 500:
            everybody.set()
        await everybody.wait()
        return OK

    limits = Limits(concurrency=500)
    executor = make_executor(transport=httpx.MockTransport(answer), limits=limits, timeouts=ROOMY)
    with anyio.fail_after(29):
        await send_each(executor, [Question()] * 1_000, executor.send, workers=500)
    assert executor.stats.peak_in_flight == 500


async def test_a_batch_ends_with_its_last_answer_though_the_client_is_busy() -> None:
    """What others ask of the same client may hold back its workers, never its end."""
    executor, _, _ = scripted(OK, limits=Limits(concurrency=200))

    async def handle(number: int) -> None:
        await anyio.lowlevel.checkpoint()
        await executor.send(Question())

    async def keep_busy() -> None:
        await send_each(executor, itertools.count(), handle, workers=8)

    with anyio.fail_after(29):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_busy)
            for size in (31, 32, 33, 100):
                await send_each(executor, range(size), handle, workers=200)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("workers", [1, 2, 5])
async def test_map_handles_every_item_once(size: int, workers: int) -> None:
    """Whatever their number, and in order where one works alone."""
    executor, _, _ = scripted(OK)
    handled: list[int] = []

    async def handle(number: int) -> None:
        await anyio.lowlevel.checkpoint()
        handled.append(number)

    await send_each(executor, range(size), handle, workers=workers)
    assert sorted(handled) == list(range(size))
    if workers == 1:
        assert handled == list(range(size))


@pytest.mark.parametrize("size", [1, 2, 50])
async def test_map_raises_the_first_failure_plainly(size: int) -> None:
    """One exception comes out, not a group, and the rest is cancelled."""
    executor, _, _ = scripted(OK)
    ended = 0

    async def handle(number: int) -> None:
        nonlocal ended
        if number == size - 1:
            raise IndivdError(f"item {number}")
        try:
            await anyio.sleep_forever()
        finally:
            ended += 1

    with pytest.raises(IndivdError, match=f"item {size - 1}") as caught:
        await send_each(executor, range(size), handle, workers=size)
    assert ended == size - 1
    assert caught.value.__cause__ is None


async def test_map_raises_one_of_several_failures() -> None:
    """All workers may fail in the same turn; one of their errors comes out."""
    executor, _, _ = scripted(OK)

    async def handle(number: int) -> None:
        raise IndivdError("same turn")

    with pytest.raises(IndivdError, match="same turn"):
        await send_each(executor, range(10), handle, workers=5)


async def test_map_raises_what_the_iterator_raises() -> None:
    """An error in planning ends the batch as plainly, early and late."""
    executor, _, _ = scripted(OK)

    def items(good: int) -> Iterator[int]:
        yield from range(good)
        raise IndivdError("planning")

    async def handle(number: int) -> None:
        await anyio.lowlevel.checkpoint()

    for good in (0, 1, 2, 3, 4, 5, 50):
        with pytest.raises(IndivdError, match="planning"):
            await send_each(executor, items(good), handle, workers=4)


async def test_map_lets_an_interrupt_through() -> None:
    """What is no Exception comes out of a worker as itself, too."""

    class Interrupt(BaseException):
        pass

    executor, _, _ = scripted(OK)

    async def handle(number: int) -> None:
        if number == 7:
            raise Interrupt
        await anyio.lowlevel.checkpoint()

    with pytest.raises(Interrupt):
        await send_each(executor, range(100), handle, workers=4)


async def test_a_cancelled_batch_leaves_nothing() -> None:
    """Cancelling the call ends all workers, and every lane serves again."""
    started = 0

    async def hang(request: httpx.Request) -> httpx.Response:
        nonlocal started
        started += 1
        if started <= 4:
            await anyio.sleep_forever()
        return OK

    executor = make_executor(transport=httpx.MockTransport(hang), limits=Limits(concurrency=4))
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: send_each(executor, [Question()] * 50, executor.send, workers=10))
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
    assert executor.stats.in_flight == 0
    await send_each(executor, [Question()] * 20, executor.send, workers=10)
    assert executor.stats.peak_in_flight == 4


async def test_an_answer_is_read_where_it_is_taken_while_somebody_waits() -> None:
    """The rows of one are used and gone before the next are made; while nobody waits, answers are read as they come."""
    told: list[tuple[str, int]] = []
    gates = [anyio.Event(), anyio.Event()]
    numbers = iter(range(6))

    async def pull() -> int | None:
        return next(numbers, None)

    async def ask(number: int) -> int:
        await gates[number // 3].wait()
        return number

    def read(number: int) -> int:
        told.append(("read", number))
        return number

    async with ChunkStream(pull, ask, read, workers=6) as answers:
        gates[0].set()
        async for number in answers:
            told.append(("used", number))
            if len(told) == 6:
                gates[1].set()
                await anyio.wait_all_tasks_blocked()
    assert [what for what, _ in told] == ["read", "used"] * 3 + ["read"] * 3 + ["used"] * 3
    assert [number for what, number in told if what == "read"] == [number for what, number in told if what == "used"]


async def test_what_reading_raises_ends_a_stream() -> None:
    """Also what no answer should bring about."""

    async def pull() -> int:
        return 1

    async def ask(number: int) -> int:
        return number

    async with ChunkStream(pull, ask, lambda number: number // 0, workers=2) as answers:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await anext(answers)
