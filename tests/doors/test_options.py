"""What a client is made with: checked where it is made, kept where one is made from another; caches that are slow."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from scripted import Script, counts_by_day, visits_by_day

from indivd_async import AsyncIndivd, ConfigError, Limits, RetryPolicy, Timeouts
from indivd_async.blocking import Indivd
from indivd_async.cache import MemoryCache, SQLiteCache
from indivd_async.otel import TracedIndivd

CLIENTS = [AsyncIndivd, TracedIndivd, Indivd]
NOTHING: list[Any] = [30, -1, 0, 1.5, "x", "", b"x", [], {}, (), object(), True, False, print, int]


async def heard(event: object) -> None:
    """Be a coroutine function where a plain one is wanted."""


async def listed(event: object) -> Any:
    """Be an asynchronous generator."""
    yield event


class Awaited:
    """An object that is called as a coroutine function is."""

    async def __call__(self, event: object) -> None:
        """Be awaited."""


#: Of a server: no client can connect with it.
SERVING = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


class Kept:
    """A cache, as a class: what is wanted is one of its kind."""

    margin_days = 2
    get = put = print


#: For each option: what to pass, as the message says, and what else is right.
OPTIONS: dict[str, tuple[str, list[Any]]] = {
    "timeouts": ("timeouts=Timeouts(read=30)", []),
    "retry": ("retry=RetryPolicy(attempts=3)", []),
    "limits": ("limits=Limits(concurrency=10)", []),
    "cache": ('cache=SQLiteCache("answers.db")', []),
    "ssl_context": ('ssl_context=ssl.create_default_context(cafile="ca.pem")', []),
    "on_event": ("a function that takes an Event", [print, int]),
    "trust_env": ("True or False", [True, False]),
    "allow_http": ("True or False", [True, False]),
    "base_url": ("a str, such as", ["x", ""]),  # read as a URL, and refused as one
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("kind", CLIENTS)
def test_a_thing_of_another_kind_is_refused_at_once(kind: Any, name: str) -> None:
    """Also one that is false, or nearly right; and the message says what to pass."""
    words, right = OPTIONS[name]
    kinds = [Timeouts, RetryPolicy, Limits, MemoryCache, SQLiteCache, Kept]
    for value in [*NOTHING, heard, listed, Awaited(), partial(heard), SERVING, *kinds]:
        if any(value is one for one in right) or (name == "on_event" and isinstance(value, type)):
            continue
        with pytest.raises(ConfigError, match=f"^{name} must be .*{re.escape(words)}.*; got "):
            kind("t", **{name: value})


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize(
    "progress", [heard, listed, Awaited(), partial(heard), 1, 0, "x"], ids=lambda one: type(one).__name__
)
def test_progress_is_nothing_that_is_awaited(kind: Any, progress: Any) -> None:
    """Nobody would: what it is told would be lost."""
    with pytest.raises(ConfigError, match=r"^progress must be True, or a callable"):
        kind("t", progress=progress)


@pytest.mark.parametrize("name", ["tracer_provider", "meter_provider"])
def test_a_provider_of_telemetry_is_checked(name: str) -> None:
    """As the other options are, by name."""
    for value in NOTHING:
        with pytest.raises(ConfigError, match=rf"^{name} must have get_{name.partition('_')[0]}, as in opentelemetry"):
            TracedIndivd("t", **{name: value})


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize(
    "options", [{"timeouts": 30}, {"retry": 3}, {"timeouts": False}, {"retry": Timeouts()}], ids=str
)
def test_other_options_are_checked_as_well(kind: Any, options: Any) -> None:
    """Where a client is made from another."""
    client = kind("t", transport=Script(visits_by_day))
    with pytest.raises(ConfigError, match="must be a"):
        client.with_options(**options)


@pytest.mark.parametrize("address", ["", "x", "ftp://host"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """An empty one, too, is no way to say: the usual one."""
    with pytest.raises(ConfigError, match=r"^base_url must be like"):
        AsyncIndivd("t", base_url=address)


@pytest.mark.parametrize("make", [MemoryCache, lambda **options: SQLiteCache("answers.db", **options)])
@pytest.mark.parametrize("margin", [-1, 1.5, "2", True, None])
def test_a_margin_that_is_no_number_of_days_is_refused(
    make: Any, margin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the cache is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="margin_days must be a whole number of at least 0"):
        make(margin_days=margin)
    with pytest.raises(ConfigError, match="max_bytes must be a whole number of at least 1"):
        MemoryCache(max_bytes=0)


@pytest.mark.parametrize("path", [3, None, "", b"x.db", True, [], "nowhere/answers.db", ".", "junk.db"])
def test_a_file_that_cannot_be_a_cache_is_refused(path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is made, and nothing is left open."""
    monkeypatch.chdir(tmp_path)
    Path("junk.db").write_bytes(b"junk" * 1000)
    with pytest.raises(ConfigError, match=r"^SQLiteCache\.path(:| must be)"):
        SQLiteCache(path)


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_made_from_another_is_what_that_is(kind: Any) -> None:
    """Of the same class, with attributes that a subclass has, in slots and under mangled names, too."""

    class Mine(kind):  # type: ignore[misc]
        __slots__ = ("__hidden", "seen", "unset")

        def __init__(self, *args: Any, **options: Any) -> None:
            self.tenant = "a"
            self.seen = ["b"]
            self.__hidden = "c"
            super().__init__(*args, **options)

        @property
        def hidden(self) -> str:
            return self.__hidden

    mine = Mine("t", transport=Script(visits_by_day))
    twin = mine.with_options(timeouts=Timeouts(read=1)).with_options(retry=RetryPolicy(attempts=1))
    assert (type(twin), twin.tenant, twin.hidden) == (Mine, "a", "c")
    assert twin.seen is mine.seen
    assert twin.stats is mine.stats
    assert not hasattr(twin, "unset")
    twin.tenant = "other"
    assert mine.tenant == "a"


# Caches that are slow.


@pytest.mark.anyio
async def test_a_cache_does_not_wait_for_threads_that_are_busy_with_other_things(tmp_path: Path) -> None:
    """All of anyio's are taken: the answer is kept and read all the same."""
    script, cache, free = Script(counts_by_day), SQLiteCache(tmp_path / "answers.db"), threading.Event()
    limiter = anyio.to_thread.current_default_thread_limiter()
    async with AsyncIndivd("t", transport=script, cache=cache) as client, anyio.create_task_group() as tasks:
        for _ in range(int(limiter.total_tokens)):
            tasks.start_soon(anyio.to_thread.run_sync, free.wait)
        while limiter.available_tokens:  # noqa: ASYNC110
            await anyio.sleep(0.001)
        try:
            for _ in range(2):
                result = await client.line_crosses("2025-01-01", "2025-01-02", location=124)
                assert len(result) == 2
            assert len(script.data) == 1
        finally:
            free.set()
    cache.close()


@pytest.mark.anyio
@pytest.mark.parametrize("slow", ["get", "put"])
async def test_a_slow_cache_is_passed_by(slow: str) -> None:
    """It may take a part of a request's time only: the API is asked, and what it says is not held back."""

    class Slow(MemoryCache):
        async def get(self, key: str) -> bytes | None:
            return await anyio.sleep_forever() if slow == "get" else None

        async def put(self, key: str, body: bytes) -> None:
            if slow == "put":
                await anyio.sleep_forever()

    script = Script(counts_by_day)
    async with AsyncIndivd("t", transport=script, cache=Slow(), timeouts=Timeouts(deadline=2)) as client:
        assert len(await client.line_crosses("2025-01-01", "2025-01-02", location=124)) == 2
    assert len(script.data) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("form", "times"),
    [(bytes, 1), (bytearray, 1), (memoryview, 1), (bytes.decode, 2), (len, 2)],
    ids=["bytes", "bytearray", "view", "text", "number"],
)
@pytest.mark.parametrize("is_awaited", [True, False], ids=["awaited", "plain"])
async def test_a_cache_of_a_driver(form: Callable[[bytes], Any], times: int, is_awaited: bool) -> None:
    """What it gives is read where it is bytes of any kind, and nothing else is; its methods may be plain functions."""
    held: dict[str, bytes] = {}

    async def later(value: Any) -> Any:
        return value

    class Driver:
        margin_days = 2

        def get(self, key: str) -> Any:
            found = form(held[key]) if key in held else None
            return later(found) if is_awaited else found

        def put(self, key: str, body: bytes) -> Any:
            held[key] = body
            return later(True) if is_awaited else True

    script = Script(counts_by_day)
    cache: Any = Driver()
    async with AsyncIndivd("t", transport=script, cache=cache) as client:
        for _ in range(2):
            assert len(await client.line_crosses("2025-01-01", "2025-01-02", location=124)) == 2
    assert len(script.data) == times


@pytest.mark.anyio
async def test_who_waits_for_a_file_that_hangs_gives_up(tmp_path: Path) -> None:
    """Whoever stands behind a reader that hangs is told so, instead of holding a thread for ever."""
    cache = SQLiteCache(tmp_path / "answers.db")
    with cache._lock, pytest.raises(TimeoutError, match="busy"):
        await cache.get("a key")
    assert await cache.get("a key") is None
    cache.close()
