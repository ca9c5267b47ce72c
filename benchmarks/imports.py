"""
What `import indivd_async` takes over `import httpx`, from compiled bytecode as users have it, and what it loads.

The package loads what is asked of it when it is asked; what is measured is its client, which loads all the rest.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from .measuring import Row, row

_TIMED = """
import time
before = time.process_time()
import {module}
print((time.process_time() - before) * 1000)
"""
#: Top-level modules of the extras and of httpx's own: none is needed to import the library.
_OPTIONAL = (
    "aiohttp", "dask", "duckdb", "fastapi", "nanoarrow", "opentelemetry", "pandas", "polars", "pyarrow", "pydantic",
    "pytest", "starlette", "trio", "uvicorn",
)  # fmt: skip
_LOADED = f"""
import sys, httpx
before = set(sys.modules)
import indivd_async.client
print(sum(name in sys.modules and name not in before for name in {_OPTIONAL!r}))
"""


def main(quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def run(program: str) -> float:
            done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True)
            return float(done.stdout)

        extra = run(_LOADED)  # and compiles what is timed below
        pairs = [
            (run(_TIMED.format(module="httpx")), run(_TIMED.format(module="httpx, indivd_async.client")))
            for _ in range(3 if quick else 15)
        ]
    over = statistics.median(both - alone for alone, both in pairs)
    return [
        row("import indivd_async over import httpx", over, 80, "ms"),
        row("optional packages that it imports", extra, 0, "packages"),
    ]
