"""
One question answered by a cluster: `read_indivd` gives a dask DataFrame whose partitions are shards of the query's
plan.

Each partition is fetched in its worker by a client of its own, which has its share of the concurrency and of the rate,
so that the cluster as a whole stays within the limits given. Move to a cluster when the rows no longer fit one machine,
or when work on them does not; not to fetch faster: the service and the limits bound that, and one client on one machine
fills them.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

import attrs

try:
    import dask.dataframe as dd
    import pandas as pd
    import pyarrow as pa
except ImportError as error:
    raise ImportError("indivd_async.dask needs the extra `dask`: pip install 'indivd-async[dask]'") from error

from .blocking import Indivd
from .planning import Plan, check_asked
from .results import tables
from .results.notes import warn_of
from .settings import Limits, check, check_options, is_at_least, is_kind
from .transport import hide

if TYPE_CHECKING:
    from .queries import Query
    from .settings import RetryPolicy, Timeouts


def read_indivd(
    query: Query | Plan,
    *,
    npartitions: int,
    limits: Limits | None = None,
    token: str | None = None,
    base_url: str | None = None,
    timeouts: Timeouts | None = None,
    retry: RetryPolicy | None = None,
    proxy: str | None = None,
    allow_http: bool = False,
) -> dd.DataFrame:
    """
    Read *query* into at most *npartitions* partitions; nothing but a look-up of the locations is sent before it is
    computed.

    Columns and types are those of `to_dicts()` and Arrow, in pandas' Arrow types, whatever the answers hold. *limits*
    are those of the whole cluster: there are never more partitions than its concurrency, and a share belongs to its
    partition also while others wait for a worker, so choose about as many partitions as the cluster has threads.

    Without *token* every worker takes INDIVD_TOKEN from its own environment, and the token travels nowhere: prefer
    that. A *token* given here goes to the workers inside the pickled graph; it is in no repr, key or error.

    A partition raises the client's own errors, also where the query says ``on_error="collect"``: what is missing must
    not look like nothing. Notes and coverage stay behind, and what somebody should look at is warned of where it was
    fetched; who needs them runs the shards of a plan and joins them with `merge_results`.

    >>> frame = read_indivd(query, npartitions=8, limits=Limits(concurrency=64))  # doctest: +SKIP
    >>> frame.groupby("zone_name").visits.sum().compute()  # doctest: +SKIP
    """
    token, proxy = hide(token), hide(proxy)
    check_options(locals())
    check("npartitions", npartitions, is_at_least(1))
    if not isinstance(query, Plan):
        check_asked(query, None)
    whole = limits or Limits()
    options = {
        "token": token,
        "base_url": base_url,
        "timeouts": timeouts,
        "retry": retry,
        "proxy": proxy,
        "allow_http": allow_http,
    }
    plan = query if isinstance(query, Plan) else _plan(query, options)
    shards = plan.shards(npartitions)
    if len(shards) > whole.concurrency:
        shards = plan.shards(whole.concurrency)
    shares = share_limits(whole, len(shards))
    meta = _to_pandas(plan.query, ())
    # Untyped: else all that it calls is read to tell what type it returns.
    frame: dd.DataFrame = cast("Any", dd.from_map)(_Reader(options), shards, shares, meta=meta, label="read-indivd")
    return frame


def share_limits(limits: Limits, shares: int) -> list[Limits]:
    """
    Part *limits* into so many that together are what they were.

    >>> [share.concurrency for share in share_limits(Limits(concurrency=10), 4)]
    [3, 3, 2, 2]
    """
    check("limits", limits, is_kind(Limits, "a Limits, as in {limits:Limits(concurrency=10)}"))
    check("shares", shares, is_at_least(1))
    rate = limits.requests_per_second
    return [
        attrs.evolve(
            limits,
            concurrency=limits.concurrency // shares + (number < limits.concurrency % shares),
            requests_per_second=None if rate is None else rate / shares,
        )
        for number in range(shares)
    ]


class _Reader:
    """Fetches a shard within its limits. What dask shows of it, and what it makes keys from, tells no option."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        # A name of its own: the same question asked again is asked again, since the figures may have changed.
        self._name = uuid.uuid4().hex

    def __call__(self, shard: Plan, limits: Limits) -> pd.DataFrame:
        with Indivd(**self._options, limits=limits) as client:
            result = client.run(shard)
        result.raise_for_failures()
        warn_of(result.notes)
        return _to_pandas(shard.query, tables.record_batches(result))

    def __dask_tokenize__(self) -> tuple[str, str]:
        return type(self).__qualname__, self._name

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} {self._name[:8]}>"


def _plan(query: Query, options: dict[str, Any]) -> Plan:
    with Indivd(**options) as client:
        return client.plan(query)


def _to_pandas(query: Query, batches: Any) -> pd.DataFrame:
    # Arrow's types, so that a partition without a null has the dtypes of one with nulls.
    return pa.Table.from_batches(batches, tables.arrow_schema(query)).to_pandas(types_mapper=pd.ArrowDtype)
