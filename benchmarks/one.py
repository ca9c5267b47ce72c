"""Run one side once, in a process of its own, and print what it cost as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time

from .sides import ROWS, SIDES


async def run(options: argparse.Namespace) -> dict[str, float]:
    """Ask *warm* questions that are not counted, so that connections and caches are there, and then *count*."""
    async with SIDES[options.side](options.url, options.lanes, options.rows) as ask:
        await ask(0, options.warm, options.hold)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cpu, wall = time.process_time(), time.perf_counter()
        used = await ask(options.warm, options.count, options.hold)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    if used != options.count * ROWS[options.rows]:
        raise RuntimeError(f"{options.side}: {used} rows, expected {options.count * ROWS[options.rows]}")
    return {"cpu_us": cpu / options.count * 1e6, "wall_s": wall, "grown_mib": grown / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--url", required=True)
    parser.add_argument("--lanes", type=int, default=50)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--warm", type=int, default=200)
    parser.add_argument("--rows", action="store_true", help="answers of many rows, decoded into objects")
    parser.add_argument("--hold", action="store_true", help="keep all results until the last is there")
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    factory = None
    if options.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(run(options))))


if __name__ == "__main__":
    main()
