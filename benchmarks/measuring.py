"""What all scripts share: one side run in a fresh process, several in turns, and rows of the table."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]
#: What one run cost: cpu_us (a request), wall_s, grown_mib.
Cost = dict[str, float]


def row(name: str, reached: float, target: float | None, unit: str, **more: Any) -> Row:
    """Make a row of the table; a target is the most that *reached* may be, None where the figure is only told."""
    return {"name": name, "reached": reached, "target": target, "unit": unit, **more}


def run_side(side: str, url: str, **options: Any) -> Cost:
    """Run *side* once in a fresh process; *options* are those of `benchmarks.one`."""
    command = [sys.executable, "-m", "benchmarks.one", side, "--url", url]
    for name, value in options.items():
        if value is True:
            command.append(f"--{name}")
        elif value is not False:
            command += [f"--{name}", str(value)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    cost: Cost = json.loads(done.stdout)
    return cost


def in_turns(runs: Mapping[str, Mapping[str, Any]], url: str, repetitions: int) -> dict[str, list[Cost]]:
    """
    Run each of *runs* (a name, and `run_side`'s arguments) once, then each again, and so on.

    In turns, because the machine is not equally fast all the time: neighbours in time are compared.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for _ in range(repetitions):
        for name, options in runs.items():
            costs[name].append(run_side(url=url, **options))
    return costs


def median(costs: Sequence[Cost], what: str = "cpu_us") -> float:
    """Return the median of one of the costs."""
    return statistics.median(cost[what] for cost in costs)


def ratio(ours: Sequence[Cost], theirs: Sequence[Cost], what: str = "cpu_us") -> float:
    """Return the median of the ratios, repetition by repetition."""
    return statistics.median(mine[what] / other[what] for mine, other in zip(ours, theirs, strict=True))
