"""The sandbox as a service: what it refuses, what it records, its faults, in process and over HTTP."""

from __future__ import annotations

import gzip
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from typing import Any

import anyio
import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from indivd_async import sandbox

pytestmark = pytest.mark.anyio

WORLD = sandbox.World(scale=0.2, now=datetime(2026, 1, 1, tzinfo=UTC))
DATA = "/api/v1/rnd/insights/external/"
DAY = "start_date=2025-03-03&end_date=2025-03-03"
WEEK = "start_date=2025-03-03&end_date=2025-03-09"
COMPARED = f"{WEEK}&comparison_start_date=2025-02-03&comparison_end_date=2025-02-09"


def client_of(application: sandbox.Sandbox, token: str | None = "sandbox", **options: Any) -> httpx.AsyncClient:
    headers = {} if token is None else {"Authorization": f"Token {token}"}
    options = {"base_url": "http://sandbox", "transport": sandbox.transport(application)} | options
    return httpx.AsyncClient(headers=headers, **options)


@asynccontextmanager
async def serving(application: sandbox.Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with sandbox.serving(application) as url, client_of(application, base_url=url, transport=None) as client:
        yield client


# What is refused.

MALFORMED = [
    # Dates.
    "line_crosses/?",
    "line_crosses/?start_date=2025-03-03",
    "zone_visitors/?end_date=2025-03-03",
    "drop_in_rate/?start_date=&end_date=2025-03-03",
    "line_crosses/?start_date=2025-3-3&end_date=2025-03-03",
    "line_crosses/?start_date=20250303&end_date=20250303",
    "line_crosses/?start_date=2025-W10-1&end_date=2025-03-03",
    "zone_visitors/?start_date=2025-02-29&end_date=2025-03-03",
    "zone_visitors/?start_date=2025-03-03T00:00:00&end_date=2025-03-03",
    "drop_in_rate/?start_date=2025-03-04&end_date=2025-03-03",
    "zone_visitors/?start_date=today&end_date=2025-03-03",
    # Comparison.
    f"zone_visitors/?{WEEK}&comparison_start_date=2025-02-03",
    f"zone_visitors/?{WEEK}&comparison_end_date=2025-02-03",
    f"drop_in_rate/?{WEEK}&location=124&comparison_start_date=2025-02-04&comparison_end_date=2025-02-03",
    f"drop_in_rate/?{WEEK}&location=124&comparison_start_date=&comparison_end_date=",
    f"line_crosses/?{COMPARED}",
    # Groupings.
    f"line_crosses/?{WEEK}&aggregate_by=day",
    f"line_crosses/?{WEEK}&aggregate_by=zone",
    f"line_crosses/?{WEEK}&aggregate_by=month,hour",
    f"line_crosses/?{WEEK}&aggregate_by=",
    f"line_crosses/?{WEEK}&interval=hour",
    f"zone_visitors/?{WEEK}&aggregate_by=zone,hour",
    f"zone_visitors/?{WEEK}&aggregate_by=hour,",
    f"zone_visitors/?{WEEK}&aggregate_by=hour, month",
    f"zone_visitors/?{WEEK}&aggregate_by=day",
    f"zone_visitors/?{WEEK}&aggregate_by=Hour",
    f"drop_in_rate/?{WEEK}&location=124&interval=minute",
    f"drop_in_rate/?{WEEK}&location=124&interval=dayofmonth",
    f"drop_in_rate/?{WEEK}&location=124&interval=day,hour",
    f"drop_in_rate/?{WEEK}&location=124&aggregate_by=day",
    # Limits.
    "line_crosses/?start_date=2025-03-03&end_date=2025-03-06&aggregate_by=minute",
    "line_crosses/?start_date=2025-03-03&end_date=2025-03-10&aggregate_by=hour",
    "line_crosses/?start_date=2024-12-31&end_date=2025-01-01&aggregate_by=week",
    f"zone_visitors/?{WEEK}&max_dwell=10801",
    # Ids.
    f"line_crosses/?{WEEK}&location=124,125",
    f"line_crosses/?{WEEK}&organization=1,2",
    f"line_crosses/?{WEEK}&floor=ground",
    f"line_crosses/?{WEEK}&line_ids=2010,",
    f"line_crosses/?{WEEK}&line_ids=2010, 2011",
    f"line_crosses/?{WEEK}&category=1.0",
    f"line_crosses/?{WEEK}&zone_to=+201",
    f"line_crosses/?{WEEK}&zone_from=",
    f"zone_visitors/?{WEEK}&zones=1_000",
    f"zone_visitors/?{WEEK}&location=",
    f"zone_visitors/?{WEEK}&zone=201",
    f"drop_in_rate/?{WEEK}&location=124&zones=201",
    f"drop_in_rate/?{WEEK}&location=true",
    # Thresholds and time zones.
    f"zone_visitors/?{WEEK}&min_dwell=-1",
    f"zone_visitors/?{WEEK}&max_dwell=-1",
    f"zone_visitors/?{WEEK}&bounce_threshold=-2",
    f"zone_visitors/?{WEEK}&bounce_threshold=1,2",
    f"zone_visitors/?{WEEK}&min_dwell=61&max_dwell=60",
    f"zone_visitors/?{WEEK}&min_dwell=1.5",
    f"zone_visitors/?{WEEK}&tz=Stockholm",
    f"zone_visitors/?{WEEK}&tz=",
    f"zone_visitors/?{WEEK}&tz=Europe",
    f"zone_visitors/?{WEEK}&tz=../../etc/passwd",
    f"drop_in_rate/?{WEEK}&location=124&tz=Mars/Olympus",
    f"line_crosses/?{WEEK}&tz=UTC",
    f"drop_in_rate/?{WEEK}&location=124,127",
    f"drop_in_rate/?{WEEK}",
    # What is not there, and what is there twice.
    f"zone_visitors/?{WEEK}&tokens=1",
    f"zone_visitors/?{WEEK}&zones=201&zones=202",
    f"line_crosses/?{WEEK}&start_date=2025-03-03",
]
OUT_OF_SCOPE = [
    f"line_crosses/?{WEEK}&location=140",
    f"line_crosses/?{WEEK}&organization=3",
    f"line_crosses/?{WEEK}&location=999",
    f"zone_visitors/?{WEEK}&location=124,140",
    f"zone_visitors/?{WEEK}&location=-124",
    f"drop_in_rate/?{WEEK}&location=140",
]
ALLOWED = [
    "line_crosses/?start_date=2025-03-03&end_date=2025-03-05&aggregate_by=minute",
    "line_crosses/?start_date=2025-03-03&end_date=2025-03-09&aggregate_by=hour",
    "line_crosses/?start_date=2025-01-01&end_date=2025-12-31&aggregate_by=week&location=124",
    f"line_crosses/?{WEEK}&floor=-1,0&category=1,2&organization=1&location=124",
    f"line_crosses/?{WEEK}&organization=2&location=124",
    f"zone_visitors/?{WEEK}&max_dwell=10800&min_dwell=0&bounce_threshold=-1&tz=Asia/Kathmandu",
    f"zone_visitors/?{COMPARED}&location=130,124&zones=201&aggregate_by=dayofweek,hour,loc_id",
    f"zone_visitors/?{WEEK}&zones=999",
    f"drop_in_rate/?{COMPARED}&location=124,125&interval=week",
    f"drop_in_rate/?{WEEK}&location=124,127&tz=UTC",
    f"drop_in_rate/?{WEEK}&zone=201,203",
    "zone_visitors/?start_date=0001-01-01&end_date=9999-12-31&location=124&aggregate_by=year",
]


async def test_the_malformed_is_400_without_a_body() -> None:
    """Every rule of the article on parameters, one by one, and what is unknown, empty or repeated."""
    application = sandbox.app(WORLD)
    async with client_of(application) as client:
        for target in MALFORMED:
            answer = await client.get(DATA + target)
            assert (answer.status_code, answer.content) == (400, b""), target
    assert [recorded.status for recorded in application.requests] == [400] * len(MALFORMED)


async def test_what_would_take_too_long_is_504_at_once() -> None:
    """Centuries of all locations, of either period: as a gateway would refuse them."""
    application = sandbox.app(WORLD)
    async with client_of(application) as client:
        long = "start_date=1753-02-08&end_date=2026-01-01"
        year = (
            "start_date=2025-01-01&end_date=2025-01-03&comparison_start_date=1753-02-08&comparison_end_date=2025-01-01"
        )
        for target in (f"line_crosses/?{long}", f"zone_visitors/?{year}", f"drop_in_rate/?{long}&tz=UTC"):
            answer = await client.get(DATA + target)
            assert (answer.status_code, answer.content) == (504, b""), target


async def test_what_is_out_of_scope_is_403_without_a_body() -> None:
    """Locations and organisations of others, or of nobody."""
    async with client_of(sandbox.app(WORLD)) as client:
        for target in OUT_OF_SCOPE:
            answer = await client.get(DATA + target)
            assert (answer.status_code, answer.content) == (403, b""), target
    async with client_of(sandbox.app(WORLD), "sandbox-narrow") as client:
        assert (await client.get(f"{DATA}zone_visitors/?{DAY}&location=125")).status_code == 403
        assert (await client.get(f"{DATA}zone_visitors/?{DAY}&location=124")).status_code == 200


async def test_the_limits_themselves_are_allowed() -> None:
    """What lies just within every rule is answered; ids that no filter lists give empty answers."""
    async with client_of(sandbox.app(WORLD)) as client:
        for target in ALLOWED:
            answer = await client.get(DATA + target)
            assert answer.status_code == 200, target
            assert answer.headers["Content-Type"] == "application/json"
            orjson.loads(answer.content)


@pytest.mark.parametrize(
    "header",
    [None, "", "Token", "Token ", "Token nonsense", "token sandbox", "Bearer sandbox", "sandbox", "Token  sandbox"],
    ids=repr,
)
@pytest.mark.parametrize("target", [f"{DATA}line_crosses/?{DAY}", f"{DATA}zone_visitors/?", "/filters/zones"])
async def test_without_a_token_it_is_401_without_a_body(header: str | None, target: str) -> None:
    """The token comes before everything else, on every endpoint."""
    async with client_of(sandbox.app(WORLD), None) as client:
        answer = await client.get(target, headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/filters/locations/", 404),
        ("GET", "/filters/organisations", 404),
        ("GET", f"{DATA}zone_visitor/", 404),
        ("GET", f"{DATA}zone_visitors//", 404),
        ("POST", "/filters/locations", 405),
        ("PUT", f"{DATA}line_crosses/?{DAY}", 405),
        ("DELETE", f"{DATA}drop_in_rate", 405),
        ("OPTIONS", f"{DATA}drop_in_rate/", 405),
    ],
)
async def test_other_paths_and_methods_are_refused_without_a_body(method: str, target: str, status: int) -> None:
    """There are eight paths, and they are asked with GET."""
    application = sandbox.app(WORLD)
    async with client_of(application) as client:
        answer = await client.request(method, target)
    assert (answer.status_code, answer.content) == (status, b"")
    assert [recorded.status for recorded in application.requests] == [status]


@pytest.mark.parametrize("name", ["line_crosses", "zone_visitors", "drop_in_rate"])
async def test_a_missing_slash_is_a_redirect(name: str) -> None:
    """To the documented path, with the same parameters."""
    async with client_of(sandbox.app(WORLD)) as client:
        answer = await client.get(f"{DATA}{name}?{DAY}&location=124")
        assert (answer.status_code, answer.content) == (301, b"")
        assert answer.headers["Location"] == f"http://sandbox{DATA}{name}/?{DAY}&location=124"
        followed = await client.get(f"{DATA}{name}?{DAY}&location=124", follow_redirects=True)
        assert followed.status_code == 200


# What is answered.


async def test_answers_are_the_worlds() -> None:
    """The application adds checks to the world, and nothing else."""
    day = date(2025, 3, 3)
    async with client_of(sandbox.app(WORLD), "sandbox-mixed") as client:
        for name in ("locations", "zones", "lines", "categories", "organizations"):
            answer = await client.get(f"/filters/{name}")
            assert answer.json() == WORLD.listing(name, token="sandbox-mixed")
        asked = f"{DAY}&location=124,140&zones=201,361,202&min_dwell=30&max_dwell=900&bounce_threshold=45&tz=UTC"
        answer = await client.get(f"{DATA}zone_visitors/?{asked}&aggregate_by=hour,loc_id")
        assert answer.json() == WORLD.zone_visitors(
            day,
            day,
            token="sandbox-mixed",
            location=(124, 140),
            zones=(201, 361, 202),
            min_dwell=30,
            max_dwell=900,
            bounce_threshold=45,
            tz="UTC",
            aggregate_by="hour,loc_id",
        )
        asked = f"{DAY}&location=124&organization=1&floor=-1,0&category=1&zone_to=201,204&line_ids=2010,2040"
        answer = await client.get(f"{DATA}line_crosses/?{asked}")
        assert answer.json() == WORLD.line_crosses(
            day, day, location=124, floor=(-1, 0), zone_to=(201, 204), line_ids=(2010, 2040)
        )
        assert answer.json()
        asked = f"{DAY}&comparison_start_date=2025-02-03&comparison_end_date=2025-02-04&location=124,125&zone=201"
        answer = await client.get(f"{DATA}drop_in_rate/?{asked}")
        assert answer.json() == WORLD.drop_in_rate(
            day,
            day,
            comparison_start_date=date(2025, 2, 3),
            comparison_end_date=date(2025, 2, 4),
            location=(124, 125),
            zone=201,
        )


async def test_large_answers_are_compressed_where_that_is_understood() -> None:
    """The same bytes with and without; small answers are never compressed."""
    async with client_of(sandbox.app(WORLD)) as client:
        for target, is_large in ((f"zone_visitors/?{WEEK}", True), (f"zone_visitors/?{WEEK}&zones=999", False)):
            plain = await client.get(DATA + target, headers={"Accept-Encoding": "identity"})
            packed = await client.get(DATA + target, headers={"Accept-Encoding": "gzip"})
            assert "Content-Encoding" not in plain.headers
            assert ("Content-Encoding" in packed.headers) == is_large
            assert packed.content == plain.content
            if is_large:
                assert (
                    int(packed.headers["Content-Length"]) == len(gzip.compress(plain.content, 1)) < len(plain.content)
                )


async def test_requests_are_recorded_in_order() -> None:
    """Path, parameters and status of each request; never the token."""
    application = sandbox.app(WORLD)
    async with client_of(application) as client:
        await client.get("/filters/locations")
        await client.get(f"{DATA}line_crosses/?{DAY}&location=124")
        await client.get(f"{DATA}line_crosses/?location=1%2C2")
    assert list(application.requests) == [
        sandbox.Recorded(path="/filters/locations", params={}, status=200),
        sandbox.Recorded(
            path=f"{DATA}line_crosses/",
            params={"start_date": "2025-03-03", "end_date": "2025-03-03", "location": "124"},
            status=200,
        ),
        sandbox.Recorded(path=f"{DATA}line_crosses/", params={"location": "1,2"}, status=400),
    ]
    assert "sandbox" not in repr(application.requests).replace("indivd_async.sandbox", "")


async def test_it_may_be_mounted_under_a_prefix() -> None:
    """Behind a gateway everything works the same; what is recorded leaves the prefix out."""
    application = sandbox.app(WORLD)
    gateway = Starlette(routes=[Mount("/gateway/indivd", app=application)])
    async with client_of(
        application, transport=httpx.ASGITransport(gateway), base_url="http://x/gateway/indivd"
    ) as client:
        assert (await client.get("/filters/locations")).json() == WORLD.listing("locations")
        assert (await client.get(f"{DATA}line_crosses/?{DAY}&location=124")).status_code == 200
        moved = await client.get(f"{DATA}line_crosses?{DAY}")
        assert moved.headers["Location"] == f"http://x/gateway/indivd{DATA}line_crosses/?{DAY}"
        assert (await client.get("/nothing")).content == b""
    assert [recorded.path for recorded in application.requests] == [
        "/filters/locations",
        f"{DATA}line_crosses/",
        f"{DATA}line_crosses",
        "/nothing",
    ]


# Faults and latency.


async def statuses(client: httpx.AsyncClient, count: int) -> list[int]:
    return [(await client.get("/filters/categories")).status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.0, [200] * 8),
        (0.25, [200, 200, 200, 503, 200, 200, 200, 500]),
        (0.5, [200, 503, 200, 500, 200, 503, 200, 500]),
        (1.0, [503, 500] * 4),
    ],
)
async def test_a_rate_of_faults_is_spread_evenly(rate: float, expected: list[int]) -> None:
    """Exactly that share fails, with the statuses in turn."""
    application = sandbox.app(WORLD, faults=sandbox.Faults(rate=rate, statuses=(503, 500)))
    async with client_of(application) as client:
        assert await statuses(client, 8) == expected
    assert [recorded.status for recorded in application.requests] == expected


async def test_a_fault_has_its_header_and_no_body() -> None:
    """`retry_after` goes with every fault, and with nothing else."""
    application = sandbox.app(WORLD, faults=sandbox.Faults(rate=0.5, statuses=(429,), retry_after="7"))
    async with client_of(application) as client:
        fine, failed = await client.get("/filters/zones"), await client.get("/filters/zones")
    assert "Retry-After" not in fine.headers
    assert (failed.status_code, failed.headers["Retry-After"], failed.content) == (429, "7", b"")


async def test_a_hook_decides_by_number_path_and_parameters() -> None:
    """Its status comes before the rate's; None leaves the choice to the rate. Faults may be changed on the way."""
    seen = []

    def hook(number: int, path: str, params: dict[str, str]) -> int | None:
        seen.append((number, path, params))
        return 418 if "q" in params else None

    application = sandbox.app(WORLD, faults=sandbox.Faults(hook=hook))
    async with client_of(application) as client:
        assert (await client.get("/filters/zones")).status_code == 200
        assert (await client.get("/filters/zones?q=1")).status_code == 418
        application.faults = sandbox.Faults(rate=1, statuses=(500,))
        assert (await client.get("/filters/zones?q=1")).status_code == 500
    assert seen == [(1, "/filters/zones", {}), (2, "/filters/zones", {"q": "1"})]


@pytest.mark.parametrize("wrong", [{"rate": -0.1}, {"rate": 1.1}, {"statuses": ()}], ids=str)
def test_faults_are_checked(wrong: dict[str, Any]) -> None:
    """A rate is a share, and there is something to fail with."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        sandbox.Faults(**wrong)


async def test_a_held_request_ends_with_its_client() -> None:
    """HOLD gives no answer; the request was there, and is over when the client gives up."""
    application = sandbox.app(WORLD, faults=sandbox.Faults(rate=1, statuses=(sandbox.HOLD,)))
    async with client_of(application) as client, anyio.create_task_group() as group:
        group.start_soon(client.get, "/filters/zones")
        await anyio.wait_all_tasks_blocked()
        assert application.in_flight == 1
        group.cancel_scope.cancel()
    assert application.in_flight == 0
    assert [recorded.status for recorded in application.requests] == [sandbox.HOLD]


async def test_latency_is_waited_by_all_at_once() -> None:
    """Requests wait beside each other; `peak_in_flight` says how many did."""
    application = sandbox.app(WORLD, latency_s=3_600)
    async with client_of(application) as client:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client.get, "/filters/categories")
            await anyio.wait_all_tasks_blocked()
            assert application.in_flight == 20
            group.cancel_scope.cancel()
        assert (application.in_flight, application.requests) == (0, deque())
        application.latency_s = 0.001
        assert (await client.get("/filters/categories")).status_code == 200
    assert (application.peak_in_flight, application.in_flight, len(application.requests)) == (20, 0, 1)


# Over HTTP.


async def test_it_serves_over_http() -> None:
    """From a thread of its own, for a caller on either event loop: answers, refusals and HEAD."""
    application = sandbox.app(WORLD)
    async with serving(application) as client:
        answer = await client.get(f"{DATA}zone_visitors/?{DAY}&location=124")
        assert answer.json() == WORLD.zone_visitors(date(2025, 3, 3), date(2025, 3, 3), location=124)
        assert (await client.get(f"{DATA}zone_visitors/")).content == b""
        head = await client.head(f"{DATA}zone_visitors/?{DAY}&location=124")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == answer.headers["Content-Length"]
    assert [recorded.status for recorded in application.requests] == [200, 400, 200]


async def test_a_held_request_over_http_ends_with_its_connection() -> None:
    """The server notices who hangs up, and is not held when it ends."""
    application = sandbox.app(WORLD, faults=sandbox.Faults(rate=1, statuses=(sandbox.HOLD,)))
    async with serving(application) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/filters/zones", timeout=httpx.Timeout(60, read=0.05))
        with anyio.fail_after(14):
            while application.in_flight:  # noqa: ASYNC110  it ends in another thread
                await anyio.sleep(0.001)
        application.faults = sandbox.Faults()
        assert (await client.get("/filters/zones")).status_code == 200


async def test_a_port_in_use_is_an_error_at_once() -> None:
    """Two servers have two ports; a port that is taken is refused."""
    async with sandbox.serving() as one, sandbox.serving() as other:
        assert one != other
        with pytest.raises(OSError, match="in use"):
            async with sandbox.serving(port=int(one.rpartition(":")[2])):
                raise AssertionError("not reached")


async def test_it_serves_on_ipv6() -> None:
    """The URL has its brackets."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with sandbox.serving(host="::1") as url, httpx.AsyncClient(base_url=url) as client:
        assert url.startswith("http://[::1]:")
        assert (await client.get("/filters/zones")).status_code == 401


def test_it_serves_until_interrupted() -> None:
    """`serve` is for a process of its own, and ends in peace."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = f"from indivd_async import sandbox; sandbox.serve(port={port})"
    with subprocess.Popen([sys.executable, "-W", "error", "-c", program], stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)
        answer = httpx.get(f"http://127.0.0.1:{port}/filters/zones", headers={"Authorization": "Token sandbox"})
        assert answer.json() == WORLD.listing("zones")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == (None, b"")
    assert process.returncode == 0


def test_without_the_extra_the_error_names_it() -> None:
    """The world needs neither starlette nor uvicorn; application and server say what to install."""
    program = """
import sys
sys.modules["starlette"] = sys.modules["uvicorn"] = None
from datetime import date
from indivd_async import sandbox
assert sandbox.World().line_crosses(date(2025, 3, 3), date(2025, 3, 3))
for attempt in (sandbox.app, lambda: sandbox.serve(application="any")):
    try:
        attempt()
    except ImportError as error:
        assert 'pip install "indivd-async[sandbox]"' in str(error), error
    else:
        raise AssertionError
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)
