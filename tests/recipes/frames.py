"""
Frames: one answer as polars, pandas and pyarrow have it, and asked in SQL. INDIVD_TOKEN=… python frames.py

Nothing is copied into Python objects on the way, and times know their zone.
"""

from __future__ import annotations

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

from indivd_async import ZoneVisitors
from indivd_async.blocking import Indivd

with Indivd() as client:
    visits = client.zone_visitors("2025-03-01", "2025-03-31", aggregate_by="hour,dayofmonth,month,year", location=124)
    print(pl.DataFrame(visits).group_by("zone_name").agg(pl.sum("visits")).sort("zone_name"))
    print(pd.DataFrame.from_arrow(visits).groupby("zone_name")["visits"].sum())
    print(pa.table(visits).group_by("zone_name").aggregate([("visits", "sum")]).sort_by("zone_name"))

    # More than fits: pulled as it is read.
    places = ZoneVisitors("2025-03-01", "2025-03-31", aggregate_by="hour,dayofmonth,month,year", per="location")
    reader = client.reader(places)
    print(duckdb.sql("SELECT loc_name, sum(visits) AS visits FROM reader GROUP BY ALL ORDER BY ALL"))
