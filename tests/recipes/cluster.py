"""
A cluster: shards of one plan, each fetched in its worker. INDIVD_TOKEN=… python cluster.py

The workers together stay within the limits that one client would have. Here they are processes of this machine.
"""

from __future__ import annotations

from dask.distributed import Client, LocalCluster

from indivd_async import Limits, ZoneVisitors
from indivd_async.dask import read_indivd

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        march = ZoneVisitors("2025-03-01", "2025-03-31", aggregate_by="hour,dayofmonth,month,year", per="location")
        frame = read_indivd(march, npartitions=4, limits=Limits(concurrency=16, requests_per_second=100))
        print(frame.groupby("loc_id")["visits"].sum().compute())
