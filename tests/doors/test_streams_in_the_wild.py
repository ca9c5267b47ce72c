"""Streams as they are really used: in generators left by break, in fixtures, across tasks, closed late."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import textwrap
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
import trio
from scripted import Params, Script, visits_by_day

from indivd_async import AsyncIndivd, Chunk, ClientClosedError, RetryPolicy, ZoneVisitors
from indivd_async.otel import TracedIndivd

pytestmark = [
    pytest.mark.anyio,
    # trio tells whoever leaves a generator to the garbage collector; that is what these tests do on purpose.
    pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning"),
]

YEAR = ZoneVisitors("2025-01-01", "2025-12-31", location=124, aggregate_by="dayofmonth", split=1)
#: Five days that are answered, and five that are not.
DAYS = ZoneVisitors("2025-01-01", "2025-01-10", location=124, aggregate_by="dayofmonth", split=1)


async def slowly(path: str, params: Params) -> Any:
    """Answer the first days at once, and the others never."""
    if params["start_date"] > "2025-01-05":
        await anyio.sleep_forever()
    return visits_by_day(path, params)


@pytest.fixture
def script() -> Script:
    """Some answers come, the others are waited for: leaving must end them."""
    return Script(slowly)


@pytest.fixture(params=[AsyncIndivd, TracedIndivd])
async def client(script: Script, request: pytest.FixtureRequest) -> AsyncIterator[AsyncIndivd]:
    """Give a client of *script*, with and without telemetry."""
    async with request.param("t", transport=script, retry=RetryPolicy(attempts=1)) as client:
        yield client


async def chunks_of(client: AsyncIndivd, query: ZoneVisitors = YEAR, ordered: bool = True) -> AsyncIterator[Chunk]:
    """Wrap a stream in a generator, as everybody does sooner or later."""
    async with client.stream(query, ordered=ordered) as chunks:
        async for chunk in chunks:
            yield chunk


async def assert_quiet(client: AsyncIndivd, script: Script) -> None:
    """The workers end, nothing more is asked, the caller is not cancelled, and the client goes on serving."""
    with anyio.fail_after(14):
        while script.in_air or client.stats.in_flight:  # noqa: ASYNC110
            await anyio.sleep(0.001)
    asked = len(script.asked)
    for _ in range(20):
        await anyio.lowlevel.checkpoint()
    with anyio.move_on_after(0.01):
        await anyio.sleep_forever()
    assert len(script.asked) == asked
    assert (script.in_air, client.stats.in_flight) == (0, 0)
    assert len(await client.locations()) == 3
    async with client.stream(ZoneVisitors("2025-01-01", "2025-01-03", location=124, split=1)) as chunks:
        assert len([chunk async for chunk in chunks]) == 3


async def test_a_generator_left_by_break(client: AsyncIndivd, script: Script) -> None:
    """Its end comes by the garbage collector, in another task, and is nobody's cancellation."""
    async for chunk in chunks_of(client):
        assert chunk.rows[0].visits == 1
        break
    gc.collect()
    await assert_quiet(client, script)


async def test_a_generator_that_is_kept_after_break(client: AsyncIndivd, script: Script) -> None:
    """It goes on waiting, bounded, until it is closed, by whichever task."""
    kept = chunks_of(client)
    async for _ in kept:
        break
    for _ in range(50):
        await anyio.lowlevel.checkpoint()
    assert len(script.data) <= 2 * 32 + 1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kept.aclose)  # type: ignore[attr-defined]
    await assert_quiet(client, script)


async def test_a_generator_that_is_closed_explicitly(client: AsyncIndivd, script: Script) -> None:
    """What `aclosing` is for: everything has ended when it is left."""
    async with contextlib.aclosing(chunks_of(client)) as chunks:
        async for _ in chunks:
            break
    assert script.in_air == 0
    await assert_quiet(client, script)


async def test_a_generator_left_within_a_scope_or_a_task_group(client: AsyncIndivd, script: Script) -> None:
    """The scopes of the caller end in their order, whatever was opened and left within them."""
    with anyio.fail_after(14):
        async for _ in chunks_of(client):
            break
        async with anyio.create_task_group() as tasks:
            left = chunks_of(client)
            await anext(left)
            tasks.start_soon(anyio.lowlevel.checkpoint)
        await anext(left)
    del left
    gc.collect()
    await assert_quiet(client, script)


async def test_generators_that_end_in_another_order_than_they_began(client: AsyncIndivd, script: Script) -> None:
    """Two at once, the first closed first."""
    first, second = chunks_of(client, DAYS), chunks_of(client, DAYS)
    assert (await anext(first)).rows[0].visits == (await anext(second)).rows[0].visits == 1
    await first.aclose()  # type: ignore[attr-defined]
    assert (await anext(second)).rows[0].visits == 2
    await second.aclose()  # type: ignore[attr-defined]
    await assert_quiet(client, script)


async def test_an_error_in_a_generator_comes_out_as_it_is(client: AsyncIndivd, script: Script) -> None:
    """The caller's own, groups too, never wrapped."""
    for error in (ZeroDivisionError("mine"), ExceptionGroup("mine", [ValueError("one")])):
        with pytest.raises(type(error)) as caught:  # noqa: PT012
            async for _ in chunks_of(client):
                raise error
        assert caught.value is error
        del caught  # it holds the frames, and they the generator
        error.__traceback__ = None
        await assert_quiet(client, script)
        with pytest.raises(type(error)) as caught:
            async with client.stream(YEAR):
                raise error
        assert caught.value is error
        assert script.in_air == 0
    await assert_quiet(client, script)


async def test_a_stream_opened_in_one_task_and_closed_in_another(client: AsyncIndivd, script: Script) -> None:
    """As fixtures that yield are by some tools; and read in a third."""
    opened: list[Any] = []
    read: list[Any] = []

    async def setup() -> None:
        context = client.stream(YEAR, ordered=True)
        opened.extend((context, await context.__aenter__()))

    async def use() -> None:
        read.append(await anext(opened[1]))

    async def teardown() -> None:
        await opened[0].__aexit__(None, None, None)

    for step in (setup, use, teardown):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(step)
    assert read[0].rows[0].visits == 1
    assert script.in_air == 0
    await assert_quiet(client, script)


async def test_a_caller_who_is_cancelled_ends_the_work(client: AsyncIndivd, script: Script) -> None:
    """By a scope around it, at once, also in a generator; nothing runs on when the scope is left."""
    for ask in (lambda: chunks_of(client), lambda: chunks_of(client, ordered=False)):
        with anyio.CancelScope() as scope:
            async with contextlib.aclosing(ask()) as chunks:  # type: ignore[type-var]
                async for _ in chunks:
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        assert script.in_air == 0
    with anyio.move_on_after(0.05) as scope:
        await client.fetch(YEAR)
    assert scope.cancelled_caught
    assert script.in_air == 0
    await assert_quiet(client, script)


async def test_a_stream_that_is_never_read(client: AsyncIndivd, script: Script) -> None:
    """It asks as far as there is room, and ends with its context."""
    async with client.stream(YEAR):
        for _ in range(50):
            await anyio.lowlevel.checkpoint()
    assert script.in_air == 0
    assert len(script.data) <= 2 * 32 + 1
    await assert_quiet(client, script)


@pytest.mark.parametrize("ordered", [False, True])
async def test_who_reads_on_after_leaving_is_told(ordered: bool) -> None:
    """What had come already must not look like all there is; a stream that was read to its end has ended."""
    async with AsyncIndivd("t", transport=Script(visits_by_day)) as client:
        async with client.stream(YEAR, ordered=ordered) as chunks:
            await anext(chunks)
            await anyio.sleep(0.01)
        for _ in range(2):
            with pytest.raises(ClientClosedError, match="left before its end"):
                await anext(chunks)
        async with client.stream(DAYS, ordered=ordered) as chunks:
            assert len([chunk async for chunk in chunks]) == 10
        assert [chunk async for chunk in chunks] == []


async def test_a_stream_is_open_once_at_a_time() -> None:
    """Opened again while it is, the first would belong to nobody; one after the other is well."""
    async with AsyncIndivd("t", transport=Script(visits_by_day)) as client:
        opened = client.stream(DAYS)
        await opened.__aexit__(None, None, None)  # it is not open
        for _ in range(2):
            async with opened as chunks:
                with pytest.raises(ClientClosedError, match="open already"):
                    await opened.__aenter__()
                assert len([chunk async for chunk in chunks]) == 10
        assert client.stats.in_flight == 0


@pytest.mark.parametrize("kind", [AsyncIndivd, TracedIndivd])
async def test_a_generator_that_outlives_its_client(kind: type[AsyncIndivd], script: Script) -> None:
    """Closing the client ends what is under way; closing the generator later is quiet, and so is losing it."""
    async with kind("t", transport=script, retry=RetryPolicy(attempts=1)) as client:
        first, second = chunks_of(client, DAYS), chunks_of(client, DAYS)
        await anext(first)
        await anext(second)
    with anyio.fail_after(14):
        while script.in_air:  # noqa: ASYNC110
            await anyio.sleep(0.001)
    await first.aclose()  # type: ignore[attr-defined]
    del second
    gc.collect()
    await anyio.sleep(0.01)
    with pytest.raises(ClientClosedError):
        await client.locations()


async def test_many_generators_left_at_once(client: AsyncIndivd, script: Script) -> None:
    """A service whose handlers stop early, for a while."""

    async def handle() -> None:
        async for _ in chunks_of(client):
            break
        await anyio.sleep(0.01)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(handle)
    gc.collect()
    await assert_quiet(client, script)


# asyncio alone.


def on_asyncio(work: Callable[[AsyncIndivd, Script], Any], **how: Any) -> list[dict[str, Any]]:
    """Run *work* with a client of a script, and return what the loop's exception handler heard."""
    heard: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
        script = Script(slowly)
        async with AsyncIndivd("t", transport=script, retry=RetryPolicy(attempts=1)) as client:
            await work(client, script)
        gc.collect()
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(**how) as runner:
        runner.run(run())
    gc.collect()
    return heard


LOOPS = [pytest.param({}, id="asyncio")]
if sys.platform != "win32":
    import uvloop

    LOOPS.append(pytest.param({"loop_factory": uvloop.new_event_loop}, id="uvloop"))


def eager_loop() -> asyncio.AbstractEventLoop:
    """Make a loop whose tasks begin where they are made."""
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
    return loop


if sys.version_info >= (3, 12):
    LOOPS.append(pytest.param({"loop_factory": eager_loop}, id="eager tasks"))


@pytest.mark.parametrize("how", LOOPS)
def test_generators_left_on_every_kind_of_loop(how: dict[str, Any]) -> None:
    """Nothing is cancelled, nothing is left, and the loop hears of nothing."""

    async def work(client: AsyncIndivd, script: Script) -> None:
        async for _ in chunks_of(client):
            break
        gc.collect()
        await assert_quiet(client, script)
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            left = chunks_of(client)
            await anext(left)
            tasks.create_task(assert_later(left))
        assert len((await client.fetch(ZoneVisitors("2025-01-01", "2025-01-05", location=124))).plan) == 1

    async def assert_later(left: AsyncIterator[Chunk]) -> None:
        assert (await anext(left)).rows[0].visits == 2
        await left.aclose()  # type: ignore[attr-defined]

    assert on_asyncio(work, **how) == []


@pytest.mark.parametrize("how", LOOPS)
def test_a_task_that_is_cancelled_natively(how: dict[str, Any]) -> None:
    """`task.cancel()` while a chunk is waited for, once and twice: the workers end with it."""

    async def work(client: AsyncIndivd, script: Script) -> None:
        async def read() -> None:
            async with client.stream(YEAR) as chunks:
                async for _ in chunks:
                    pass

        for times in (1, 2):
            task = asyncio.create_task(read())
            while not script.in_air:  # noqa: ASYNC110
                await asyncio.sleep(0)
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await task
            await assert_quiet(client, script)

    assert on_asyncio(work, **how) == []


@pytest.mark.parametrize("how", LOOPS)
def test_a_group_whose_sibling_fails(how: dict[str, Any]) -> None:
    """asyncio's TaskGroup cancels the reader; the sibling's error is the one that comes out."""

    async def work(client: AsyncIndivd, script: Script) -> None:
        async def read() -> None:
            async for _ in chunks_of(client):
                pass

        async def fail() -> None:
            while not script.in_air:  # noqa: ASYNC110
                await asyncio.sleep(0)
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(read())
                tasks.create_task(fail())
        assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
        gc.collect()
        await assert_quiet(client, script)

    assert on_asyncio(work, **how) == []


PROGRAM = """
import sys
import warnings

import anyio
from scripted import Script
from test_streams_in_the_wild import YEAR, chunks_of, slowly

from indivd_async import AsyncIndivd

warnings.simplefilter("ignore", ResourceWarning)


async def main():
    global kept
    client = AsyncIndivd("t", transport=Script(slowly))
    kept = chunks_of(client)
    await anext(kept)
    print("left")


anyio.run(main, backend=sys.argv[1])
print("ended")
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_that_ends_with_a_stream_open(backend: str) -> None:
    """A program that forgot both generator and client ends, and tells nothing on stderr."""
    from pathlib import Path

    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), backend],
        env={"PYTHONPATH": f"{here}:{here.parent}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\nended\n", "")


# trio alone.


def test_trio_is_not_crashed_by_a_generator_in_a_nursery() -> None:
    """An internal error of trio's is what it must never be."""
    script = Script(slowly)

    async def main() -> None:
        async with AsyncIndivd("t", transport=script) as client, trio.open_nursery() as nursery:

            async def read() -> None:
                async for _ in chunks_of(client):
                    break

            nursery.start_soon(read)
            nursery.start_soon(read)
            await trio.sleep(0.05)
            nursery.cancel_scope.cancel()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        trio.run(main)
        gc.collect()
    assert script.in_air == 0
