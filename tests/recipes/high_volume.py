"""
Many questions, more rows than fit: a table of DuckDB, filled as answers arrive. INDIVD_TOKEN=… python high_volume.py

Memory stays flat however much is asked. The first request that fails for good ends it, and the table stays as it was.
"""

from __future__ import annotations

import sys

import duckdb
from tqdm import tqdm

from indivd_async import IndivdError, Limits, LineCrosses
from indivd_async.blocking import Indivd


def main(first: str, last: str, file: str) -> int:
    with Indivd(limits=Limits(concurrency=64, requests_per_second=200)) as client, duckdb.connect(file) as database:
        queries = [LineCrosses(first, last, aggregate_by="hour", location=place.id) for place in client.locations()]
        print(sum(len(client.plan(query)) for query in queries), "requests")

        # Read once for a look, with a bar in two lines.
        with tqdm(unit=" requests") as bar:
            one = client.fetch(
                queries[0], progress=lambda p: (setattr(bar, "total", p.total), bar.update(p.done - bar.n))
            )
        print(one.total("count"), "crossings at the first place")

        reader = client.reader(queries)  # DuckDB finds it by its name, and pulls as it writes
        try:
            database.execute("CREATE OR REPLACE TABLE crossings AS FROM reader")
        except duckdb.Error as error:
            print(error, file=sys.stderr)
            return 1
        print(database.sql("SELECT loc_id, sum(count) AS crossings FROM crossings GROUP BY ALL ORDER BY ALL"))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*[*sys.argv[1:], "2025-01-01", "2025-01-31", "crossings.duckdb"][:3]))
    except IndivdError as error:
        sys.exit(str(error))
