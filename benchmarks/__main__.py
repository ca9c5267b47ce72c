"""Run every benchmark, print the table, and write it to benchmarks/results/ as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from .measuring import Row

_SCRIPTS = (
    "small_answers",
    "decoded_rows",
    "scaling",
    "makespan",
    "decoding",
    "witnessing",
    "planning",
    "merging",
    "tables",
    "exporting",
    "blocking",
    "imports",
    "outage",
    "soak",
)
#: A million requests take minutes: short unless it is named.
_LONG = frozenset({"soak"})
_RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scripts", nargs="*", metavar="script", help=f"of {', '.join(_SCRIPTS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller: a look, no figures to quote")
    options = parser.parse_args()
    unknown = set(options.scripts) - set(_SCRIPTS)
    if unknown:
        parser.error(f"no such script: {', '.join(sorted(unknown))}")
    # Servers and sides are ended by the blocks and calls that began them, which only an exception leaves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"{'':76} {'reached':>10} {'target':>10}")
    rows: list[Row] = []
    for name in options.scripts or _SCRIPTS:
        began = time.perf_counter()
        quick = options.quick or (name in _LONG and name not in options.scripts)
        found = importlib.import_module(f"{__package__}.{name}").main(quick)
        for row in found:
            print(_line(row), flush=True)
        rows += [{"script": name, **row} for row in found]
        print(f"  ({name}: {time.perf_counter() - began:.0f} s)", file=sys.stderr)
    _write(rows, quick=options.quick)
    missed = [row for row in rows if _is_missed(row)]
    print(f"{len([r for r in rows if r['target'] is not None]) - len(missed)} targets reached, {len(missed)} missed")
    return 0


def _is_missed(row: Row) -> bool:
    if row["target"] is None:
        return False
    return bool(row["reached"] < row["target"] if row.get("at_least") else row["reached"] > row["target"])


def _line(row: Row) -> str:
    """Word one row of the table."""
    target = "" if row["target"] is None else f"{'≥' if row.get('at_least') else '≤'} {row['target']:,.4g}"
    verdict = "" if row["target"] is None else "MISSED" if _is_missed(row) else "ok"
    return f"{row['name']:76} {row['reached']:>10,.4g} {target:>10} {row['unit']:9} {verdict}"


def _write(rows: list[Row], *, quick: bool) -> None:
    _RESULTS.mkdir(exist_ok=True)
    moment = datetime.now(UTC)
    document = {
        "at": moment.isoformat(timespec="seconds"),
        "quick": quick,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "rows": rows,
    }
    path = _RESULTS / f"{moment:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
