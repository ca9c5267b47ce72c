"""
Into a database: a table with a key, kept by nights of this. INDIVD_TOKEN=… python database.py duckdb:///shop.duckdb?table=visits

`postgresql://me@db.example/shop?table=visits` is the other kind; its password is PGPASSWORD's, as for psql.
"""

from __future__ import annotations

import sys

import anyio

from indivd_async import AsyncIndivd, IndivdError, ZoneVisitors
from indivd_async.export import export


async def main(to: str, first: str, last: str) -> int:
    query = ZoneVisitors(first, last, aggregate_by="hour,dayofmonth,month,year")
    try:
        async with AsyncIndivd() as client:
            report = await export(client, query, to=to, refresh=3)
    except IndivdError as error:
        print(f"visits: {error}", file=sys.stderr)
        return 1
    print(report)
    for told in (*report.locations, *report.notes):
        print(f"note: {told.message}", file=sys.stderr)
    return 1 if report.failures else 3 if report.needs_look else 0  # 3: all is there, and something about it is odd


if __name__ == "__main__":
    sys.exit(anyio.run(main, *[*sys.argv[1:], "duckdb:///shop.duckdb?table=visits", "2025-03-01", "2025-03-31"][:3]))
