"""A query on a cluster: the same rows as one client, within the limits, and the client's own errors."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pandas as pd
import pyarrow as pa
import pytest
from distributed import Client, LocalCluster
from raw_server import Peer, RawServer, answer

from indivd_async import (
    AsyncIndivd,
    DropInRate,
    Limits,
    LineCrosses,
    PartialResultError,
    RetryPolicy,
    ServerError,
    ZoneVisitors,
    sandbox,
)
from indivd_async.dask import read_indivd, share_limits
from indivd_async.planning import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from indivd_async.queries import Query

# Dask before 2025.4 says so of whatever runs here while a cluster does; the cluster of these tests does all the time.
pytestmark = pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler:UserWarning")

QUARTER = ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="year,month,dayofmonth,hour", location=124, split=7)
QUERIES = [
    pytest.param(QUARTER, id="zone_visitors"),
    pytest.param(LineCrosses("2025-01-01", "2025-02-28", aggregate_by="hour", per="location"), id="line_crosses"),
    pytest.param(
        DropInRate(
            "2025-01-01",
            "2025-01-31",
            comparison_start_date="2024-01-01",
            comparison_end_date="2024-01-31",
            interval="day",
        ),
        id="drop_in_rate",
    ),
]


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[sandbox.Sandbox, str]]:
    """Serve a sandbox over HTTP for the workers, with a token in the environment for them."""
    application = sandbox.app(latency_s=0.005)
    with (
        pytest.MonkeyPatch.context() as environment,
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(sandbox.serving(application)) as url,
    ):
        environment.setenv("INDIVD_TOKEN", "sandbox")
        environment.setenv("INDIVD_BASE_URL", url)
        yield application, url


@pytest.fixture(scope="module")
def cluster(service: Any) -> Iterator[Client]:
    """Start two worker processes of two threads each; they inherit the environment."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0", silence_logs=50) as two,
        Client(two) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def calm(service: tuple[sandbox.Sandbox, str]) -> None:
    """Begin each test with a sandbox without faults that counts from nothing."""
    application, _ = service
    application.faults = sandbox.Faults()
    application.requests.clear()
    application.peak_in_flight = 0


def single(query: Query) -> pd.DataFrame:
    """Fetch *query* with one client, into the frame that it should be."""

    async def fetch() -> Any:
        async with AsyncIndivd() as client:
            return await client.fetch(query)

    return pa.table(anyio.run(fetch)).to_pandas(types_mapper=pd.ArrowDtype)


def sort(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(list(frame.columns), na_position="first").reset_index(drop=True)


@pytest.mark.parametrize("query", QUERIES)
def test_a_cluster_has_the_rows_of_one_client(query: Query, cluster: Client, service: Any) -> None:
    """Equal frames, dtypes and nulls included; the two processes together never ask more at once than was allowed."""
    frame = read_indivd(query, npartitions=4, limits=Limits(concurrency=6))
    found = frame.compute()
    assert 0 < service[0].peak_in_flight <= 6
    assert list(found.dtypes) == list(frame.dtypes)
    pd.testing.assert_frame_equal(sort(found), sort(single(query)))


def test_work_stays_on_the_cluster(cluster: Client) -> None:
    """What is done with the rows is done where they are."""
    frame = read_indivd(QUARTER, npartitions=3)
    visits = frame.groupby("zone_name").visits.sum().compute().to_dict()
    assert visits == single(QUARTER).groupby("zone_name").visits.sum().to_dict()


def test_failures_are_the_clients_own_errors(cluster: Client, service: Any) -> None:
    """They come back from the workers with what they know."""
    frame = read_indivd(QUARTER, npartitions=2, retry=RetryPolicy(attempts=1))
    service[0].faults = sandbox.Faults(hook=lambda number, path, params: 503)
    with pytest.raises(ServerError, match=r"indivd\.statuspage\.io") as caught:
        frame.compute()
    assert (caught.value.status, caught.value.attempts) == (503, 1)
    assert caught.value.request is not None
    assert caught.value.request.params["location"] == "124"


def test_a_partition_with_a_hole_is_no_partition(service: Any) -> None:
    """Also with on_error="collect" a frame never lacks rows in silence."""
    frame = read_indivd(attrs.evolve(QUARTER, on_error="collect"), npartitions=2, retry=RetryPolicy(attempts=1))
    service[0].faults = sandbox.Faults(hook=lambda number, path, params: 500 if "2025-03" in str(params) else None)
    with pytest.raises(PartialResultError, match="requests failed"):
        frame.compute(scheduler="synchronous")


def test_a_partition_warns_of_what_somebody_should_look_at(service: Any) -> None:
    """A frame has no notes."""
    application, _ = service
    application.deviate("negative_counts")
    try:
        with pytest.warns(UserWarning, match="^implausible_figures: "):
            read_indivd(QUARTER, npartitions=2).compute(scheduler="synchronous")
    finally:
        application.deviate()


def test_nothing_is_asked_before_it_is_computed(service: Any) -> None:
    """Only the locations are looked up; the columns are known from the query."""
    frame = read_indivd(QUARTER, npartitions=2)
    assert {request.path for request in service[0].requests} == {"/filters/locations"}
    assert frame.npartitions == 2
    assert {"zone_id", "visits", "bucket_start"} <= set(frame.columns)
    assert len(frame) == len(single(QUARTER))


def test_a_plan_without_requests_is_an_empty_frame(service: Any) -> None:
    """A token that sees no location has nothing to ask."""
    frame = read_indivd(make_plan(attrs.evolve(QUARTER, location=None), {}), npartitions=4)
    assert (frame.npartitions, len(frame.compute(scheduler="synchronous"))) == (1, 0)


@pytest.mark.anyio
async def test_it_works_where_an_event_loop_runs(service: Any) -> None:
    """As in a notebook: planning and fetching have threads of their own."""
    frame = read_indivd(LineCrosses("2025-03-01", "2025-03-02", line_ids=[1]), npartitions=1)
    assert list(frame.compute(scheduler="synchronous").columns) == list(frame.columns)


def test_a_plan_can_be_read_as_well(service: Any) -> None:
    """Planned elsewhere, nothing at all is sent before it is computed."""

    async def plan() -> Any:
        async with AsyncIndivd() as client:
            return await client.plan(QUARTER)

    planned = anyio.run(plan)
    service[0].requests.clear()
    frame = read_indivd(planned, npartitions=2)
    assert not service[0].requests
    assert len(frame.compute(scheduler="synchronous")) == len(single(QUARTER))


def test_an_empty_answer_is_an_empty_frame(service: Any) -> None:
    """With the columns of a full one."""
    frame = read_indivd(attrs.evolve(QUARTER, start_date="1999-01-01", end_date="1999-01-31"), npartitions=2)
    found = frame.compute(scheduler="synchronous")
    assert len(found) == 0
    assert list(found.dtypes) == list(frame.dtypes)


def test_a_token_is_shown_nowhere(service: Any) -> None:
    """Given here, it is in no repr and no key; taken from the environment, it is in no pickle either."""
    query = LineCrosses("2025-03-01", "2025-03-02", line_ids=[1])
    frame = read_indivd(query, npartitions=1, token="a-token-to-be-kept")
    graph = frame.dask
    shown = [repr(frame), str(frame.expr), repr(graph), str(dict(graph)), str(list(graph)), repr(frame.expr.operands)]
    assert "a-token-to-be-kept" not in "".join(shown)
    assert b"sandbox" not in pickle.dumps(read_indivd(query, npartitions=1))


def test_the_same_question_is_asked_again(service: Any) -> None:
    """Two frames of one query have different keys: figures of today change."""
    query = LineCrosses("2025-03-01", "2025-03-02", line_ids=[1])
    keys = [set(read_indivd(query, npartitions=1).dask) for _ in range(2)]
    assert not keys[0] & keys[1]


def test_there_are_never_more_partitions_than_requests_allowed_at_once(service: Any) -> None:
    """Each partition needs a share of at least one."""
    assert read_indivd(QUARTER, npartitions=9, limits=Limits(concurrency=3)).npartitions == 3


def test_shares_make_up_the_whole() -> None:
    """Nothing of the limits is lost and nothing is added."""
    shares = share_limits(Limits(concurrency=10, requests_per_second=6, max_response_bytes=99), 4)
    assert [share.concurrency for share in shares] == [3, 3, 2, 2]
    assert [share.requests_per_second for share in shares] == [1.5] * 4
    assert {share.max_response_bytes for share in shares} == {99}


def test_partitions_are_counted_from_one(service: Any) -> None:
    """As shards are."""
    with pytest.raises(ValueError, match="at least 1"):
        read_indivd(QUARTER, npartitions=0)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
@pytest.mark.parametrize("answered", [0, 5])
def test_an_interrupt_ends_the_work(answered: int) -> None:
    """Ctrl-C in a synchronous computation comes out, and the process, which goes on, asks nothing more."""
    script = """
        import signal, sys, threading
        from indivd_async import Limits, Timeouts, ZoneVisitors
        from indivd_async.dask import read_indivd

        query = ZoneVisitors("2025-01-01", "2025-03-31", aggregate_by="dayofmonth", split=1, tz="UTC")
        timeouts = Timeouts(read=None, attempt=None, deadline=None)
        frame = read_indivd(
            query, npartitions=4, limits=Limits(concurrency=4), token="t", base_url=sys.argv[1], timeouts=timeouts
        )
        signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background of a shell
        try:
            frame.compute(scheduler="synchronous")
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        for thread in set(threading.enumerate()) - {threading.current_thread()}:
            thread.join()  # as a notebook, or a worker, leaves it the time to go on
    """
    asked = threading.Event()
    told = threading.Event()

    def handle(peer: Peer) -> None:
        while peer.request() is not None:
            if len(peer.server.requests) > answered:
                asked.set()
                told.wait(20)
            peer.send(answer(b'{"current": {"insights": []}}'))

    with RawServer(handle) as server:
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), server.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert asked.wait(120)
            child.send_signal(signal.SIGINT)
            assert child.stdout is not None
            assert child.stdout.readline() == "interrupted\n"
            told.set()
            assert child.wait(60) == 0
        server.wait_until_idle()
        assert len(server.requests) == answered + 1
