"""
Run an export in child processes, and kill them at random moments: ``python export_victim.py URL OUT JOB KILLS``.

OUT is a folder, or the address of a table.

Everything is imported once; each child is a fork that knows nothing of the one before. The last one is left alone.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from typing import Any

import anyio
import pyarrow.compute
import pyarrow.parquet  # noqa: F401

from indivd_async import AsyncIndivd, DropInRate, Limits, LineCrosses, ZoneVisitors
from indivd_async.export import Progress, export, run  # noqa: F401

#: name → (query, options of `export`)
JOBS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lines": (
        LineCrosses("2025-01-01", "2025-04-30", location=[124, 127], aggregate_by="hour", category=1),
        {"partition": "location,month"},
    ),
    "visits": (
        ZoneVisitors("2025-01-01", "2025-03-31", location=[124, 127, 129], aggregate_by="hour", split=8),
        {"partition": "month"},
    ),
    "drop-in": (
        DropInRate("2025-01-01", "2025-03-31", location=[124, 127, 129], interval="hour", split=8),
        {"partition": "none"},
    ),
    "refresh": (
        ZoneVisitors("2025-01-01", "2025-01-31", location=[124, 127, 129], aggregate_by="hour", split=3),
        {"partition": "month", "refresh": 20},
    ),
}
#: Answers that a child gets before it is killed, at most; and seconds from then on.
ANSWERS, SECONDS = 4, 0.03


async def work(url: str, out: str, job: str, told: int) -> None:
    def tell(progress: Progress) -> None:
        os.write(told, b"!" if progress.done == progress.total else b".")

    query, options = JOBS[job]
    async with AsyncIndivd(token="sandbox", base_url=url, limits=Limits(concurrency=4)) as client:
        where = {"to": out} if "://" in out else {"out": out}
        report = await export(client, query, commit_every=0.01, on_progress=tell, **where, **options)
    assert report.complete


def run_child(url: str, out: str, job: str, told: int) -> None:
    code = 1
    try:
        anyio.run(work, url, out, job, told)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def wait_for_answers(heard: int, answers: int) -> None:
    """Return after so many answers, or the last of all, or the end of the child."""
    while answers and os.read(heard, 1) == b".":
        answers -= 1


def main() -> None:
    url, out, job, kills = sys.argv[1:]
    chance = random.Random(job)
    killed = 0
    AsyncIndivd(token="sandbox", base_url=url)  # imports what is imported on demand, and so does the next line
    anyio.run(anyio.sleep, 0)
    while True:
        heard, told = os.pipe()
        child = os.fork()
        if not child:
            run_child(url, out, job, told)
        os.close(told)
        if killed < int(kills):
            # A refresh writes at its end.
            wait_for_answers(heard, 99 if job == "refresh" else chance.randint(1, ANSWERS))
            time.sleep(chance.uniform(0, SECONDS))
        else:
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        os.kill(child, signal.SIGKILL)  # of one that has ended it changes nothing
        _, status = os.waitpid(child, 0)
        os.close(heard)
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            killed += 1
        elif code:
            sys.exit(code)
        elif killed == int(kills) or job != "refresh":
            sys.stdout.write(str(killed))
            return


if __name__ == "__main__":
    main()
