"""
A year of hours of 300 locations into a folder and into databases: rows a second and the peak of memory, each side in a
process of its own.

Beside the exports stands what somebody writes by hand: httpx, as many requests at once, `pyarrow.Table.from_pylist`, a
file an answer; nothing is checked, and nothing can be resumed. With BENCHMARK_AGAINST, a work tree of another version
with its own ``.venv``, that one exports into a folder in turn with this; with BENCHMARK_POSTGRESQL, the address of an
empty database, this one exports into a table there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio

from .measuring import Cost, Row, median, ratio, row

_CONCURRENCY = 32
_START = date(2025, 1, 1)
#: Peaks by side; what somebody writes by hand has no bar.
_MOST_MIB = {"export": 200, "to duckdb": 200, "to postgresql": 200}
#: How often two versions take turns.
_TURNS = 2
_POSTGRESQL = "BENCHMARK_POSTGRESQL"


def main(quick: bool) -> list[Row]:
    locations, days = (20, 90) if quick else (300, 365)
    other = os.environ.get("BENCHMARK_AGAINST")
    sides = [side for side in _SIDES if side != "to postgresql" or _POSTGRESQL in os.environ]
    costs: dict[str, list[Cost]] = {}
    with _serving(locations) as url:
        for _ in range(_TURNS if other else 1):
            costs.setdefault("export", []).append(_run("export", url, locations, days))
            if other:
                costs.setdefault(f"export by {Path(other).name}", []).append(
                    _run("export", url, locations, days, tree=Path(other))
                )
        for side in sides[1:]:
            costs[side] = [_run(side, url, locations, days)]
    found = []
    for side, some in costs.items():
        words = f"{some[0]['rows']:,.0f} hours of {locations} locations, {side}"
        found += [
            row(f"{words}: rows", some[0]["rows"] / median(some, "wall_s"), None, "a second"),
            row(f"{words}: processor", median(some, "cpu_s") / some[0]["rows"] * 1e6, None, "µs a row"),
            row(f"{words}: peak", median(some, "peak_mib"), _MOST_MIB.get(side), "MiB"),
        ]
    if other:
        theirs = costs[f"export by {Path(other).name}"]
        found.append(row("processor of a row, of what the other takes", ratio(costs["export"], theirs, "cpu_s"), 1, ""))
    return found


def _run(side: str, url: str, locations: int, days: int, tree: Path | None = None) -> Cost:
    python = sys.executable if tree is None else str(tree / ".venv" / "bin" / "python")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as out:
        command = [python, "-m", "benchmarks.exporting", side, url, out, str(locations), str(days)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=tree)
    cost: Cost = json.loads(done.stdout)
    return cost


async def _export(url: str, last: date, **where: Any) -> int:
    from indivd_async import AsyncIndivd, Limits, ZoneVisitors
    from indivd_async.export import export

    limits = Limits(concurrency=_CONCURRENCY)
    async with AsyncIndivd(token="t", base_url=url, limits=limits) as client:
        query = ZoneVisitors(_START, last, aggregate_by="hour")
        report = await export(client, query, **where)
    if not report.complete:
        raise RuntimeError(str(report.failures[0]))
    return report.rows


async def _to_folder(url: str, out: Path, locations: int, last: date) -> int:
    return await _export(url, last, out=out / "export", partition="month")


async def _to_duckdb(url: str, out: Path, locations: int, last: date) -> int:
    return await _export(url, last, to=f"duckdb:///{out}/export.duckdb?table=visits")


async def _to_postgresql(url: str, out: Path, locations: int, last: date) -> int:
    return await _export(url, last, to=f"{os.environ[_POSTGRESQL]}?table={out.name.replace('-', '_')}")


async def _by_hand(url: str, out: Path, locations: int, last: date) -> int:
    import httpx
    import pyarrow as pa
    import pyarrow.parquet as pq

    turns = asyncio.Semaphore(_CONCURRENCY)
    rows = 0

    async def ask(location: int, first: date) -> None:
        nonlocal rows
        end = min(first + timedelta(days=30), last)
        params = {"start_date": str(first), "end_date": str(end), "aggregate_by": "hour", "location": location}
        async with turns:
            answer = await client.get("/api/v1/rnd/insights/external/zone_visitors/", params=params)
            insights = answer.json()["current"]["insights"]
            flat = [{**one.pop("aggregation"), **one.pop("dwell_time_stats"), **one} for one in insights]
            table = pa.Table.from_pylist([one | {"loc_id": location} for one in flat])
            pq.write_table(table, out / f"{location}-{first}.parquet", compression="zstd")
            rows += len(table)

    limits = httpx.Limits(max_connections=_CONCURRENCY)
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": "Token t"}, limits=limits) as client:
        firsts = [_START + timedelta(days=n) for n in range(0, (last - _START).days + 1, 31)]
        await asyncio.gather(*[ask(location, first) for location in range(1, locations + 1) for first in firsts])
    return rows


_SIDES = {"export": _to_folder, "to duckdb": _to_duckdb, "to postgresql": _to_postgresql, "by hand": _by_hand}


# The service, in a process of its own.


@contextmanager
def _serving(locations: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.exporting", "serve", str(locations)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


@cache
def _answer(first: str, last: str) -> bytes:
    """Make up the hours of one zone; a location's number takes the place of its mark."""
    at, end = datetime.fromisoformat(first), datetime.fromisoformat(last) + timedelta(days=1)
    insights = []
    while at < end:
        visits = 20 + at.hour * 7 % 40
        insights.append(
            {
                "visits": visits,
                "unique_visits": visits - 3,
                "bounce": visits // 5,
                "dwell_time": 61.5,
                "dwell_time_stats": {
                    "mean": 61.5, "min": 1.5, "max": 940.0, "quantiles": [22.0, 48.5, 95.0], "n": visits - 3,
                },
                "exclude": {"min_dwell_time": 0, "max_dwell_time": 0},
                "aggregation": {
                    "year": at.year, "month": at.month, "dayofmonth": at.day, "hour": at.hour, "zone_id": 987654321,
                    "zone_name": "Entrance", "bounce_threshold": 120,
                },
            }
        )  # fmt: skip
        at += timedelta(hours=1)
    body = {"current": {"startdate": first, "enddate": last, "insights": insights}, "comparison": {}}
    return json.dumps(body, separators=(",", ":")).encode()


async def _serve(locations: int) -> None:
    places = json.dumps(
        [{"id": n, "name": f"Shop {n}", "timezone": "Europe/Stockholm"} for n in range(1, locations + 1)]
    )

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await answer_all(reader, writer)

    async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target = urlsplit(head.split(b" ", 2)[1].decode())
            asked = {name: values[0] for name, values in parse_qs(target.query).items()}
            if "start_date" in asked:
                body = _answer(asked["start_date"], asked["end_date"])
                body = body.replace(b"987654321", asked["location"].encode())
            else:
                body = places.encode() if target.path.endswith("locations") else b"[]"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=[*_SIDES, "serve"])
    parser.add_argument("rest", nargs="+")
    options = parser.parse_args()
    if options.side == "serve":
        asyncio.run(_serve(int(options.rest[0])))
        return
    url, out, locations, days = options.rest
    last = _START + timedelta(days=int(days) - 1)
    cpu, wall = time.process_time(), time.perf_counter()
    rows = anyio.run(_SIDES[options.side], url, Path(out), int(locations), last)
    cost = {
        "rows": rows,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    _main()
