"""
Import every module of the package where one extra is installed, or none.

A public module is imported, or its error names another extra, or a library that no extra has. Inner ones need not word
it, but none may miss what the extra should have brought. What the package exports loads nothing optional.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires

EXTRA = sys.argv[1] if len(sys.argv) > 1 else None
LOADED = """
import sys, indivd_async
from indivd_async import *  # the package loads what is asked for
print(*{name.partition(".")[0] for name in sys.modules})
"""


def main() -> int:
    """Return how many modules fail otherwise than by naming what is missing."""
    required = {re.split(r"[^\w.-]", line)[0].lower(): "extra ==" in line for line in requires("indivd-async") or ()}
    optional = {top for top, names in packages_distributions().items() if any(required.get(x.lower()) for x in names)}
    # Not rich: httpx imports it by itself where it finds it.
    loaded = optional & set(subprocess.check_output([sys.executable, "-c", LOADED], text=True).split()) - {"rich"}
    problems = [f"imported though optional: {name}" for name in sorted(loaded)]
    import indivd_async

    imported = 0
    for module in pkgutil.walk_packages(indivd_async.__path__, "indivd_async.", onerror=lambda _: None):
        if module.name.endswith(".__main__"):
            continue
        is_public = module.name.count(".") == 1 and "._" not in module.name
        try:
            importlib.import_module(module.name)
            imported += 1
        except ImportError as error:
            named = {
                extra for names in re.findall(r"indivd-async\[([\w,]+)\]", str(error)) for extra in names.split(",")
            }
            missing = str(error.name).partition(".")[0]
            no_extra_has_it = not named and missing not in required and missing != "indivd_async"
            if EXTRA in named or missing == "indivd_async" or (is_public and not named and not no_extra_has_it):
                problems.append(f"{module.name}: {error}")
            elif is_public:
                print(f"{module.name} needs {', '.join(sorted(named)) or missing}")
    if not problems:
        print(indivd_async.__version__, "with", EXTRA or "no extra:", f"{imported} modules are imported")
    print(*problems, sep="\n")
    return len(problems)


if __name__ == "__main__":
    sys.exit(main())
