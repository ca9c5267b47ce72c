"""
A nightly job: visits by hour into a folder of Parquet files, up to today. INDIVD_TOKEN=… python nightly_job.py visits

Run it as often as you like: it asks for what is missing, and again for the last three days, whose figures may have
changed since. Its exit code says whether somebody must look: 1 where something is missing, 3 where all is there and
something about it is odd, such as an answer that is empty where there are rows.
"""

from __future__ import annotations

import sys
from datetime import date

import anyio

from indivd_async import AsyncIndivd, IndivdError, ZoneVisitors
from indivd_async.export import export


async def main(folder: str, first: str, last: str) -> int:
    query = ZoneVisitors(first, last, aggregate_by="year,month,dayofmonth,hour", location=[124, 125])
    try:
        async with AsyncIndivd() as client:
            report = await export(client, query, folder, refresh=3)
    except IndivdError as error:
        print(f"visits: {error}", file=sys.stderr)
        return 1
    print(f"{report.rows:,} rows in {folder}; {len(report.failures)} requests failed")
    for told in (*report.locations, *report.notes):
        print(f"note: {told.message}", file=sys.stderr)
    return 1 if report.failures else 3 if report.needs_look else 0


if __name__ == "__main__":
    folder, first, last = [*sys.argv[1:], "visits", "2025-01-01", date.today().isoformat()][:3]
    sys.exit(anyio.run(main, folder, first, last))
