"""
List what there is: `python -m indivd_async`.

With `--modules` the names of the public modules alone, for tools: `pdoc $(python -m indivd_async --modules)`.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import get_args

import indivd_async

from . import _HOMES
from .cli.dispatch import drop_output

HERE = Path(__file__).parent
#: Beside what the package itself exports.
MODULES = ("blocking", "cache", "dask", "export", "fastapi", "otel", "sandbox", "testing", "verify")


def first_sentence(text: str | None) -> str:
    """Return the first sentence of a docstring, on one line."""
    paragraph = " ".join((text or "").strip().split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph, maxsplit=1)[0]


def public_modules() -> dict[str, str]:
    """Return the public modules and what each is for; none is imported, as its extra may be missing."""
    found = {"indivd_async": first_sentence(indivd_async.__doc__)}
    for name in MODULES:
        path = HERE / name / "__init__.py" if (HERE / name).is_dir() else HERE / f"{name}.py"
        found[f"indivd_async.{name}"] = first_sentence(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def main() -> int:
    """Print the list."""
    modules = public_modules()
    if "--modules" in sys.argv[1:]:
        print(*modules)  # noqa: T201
        return 0
    things = {name: getattr(indivd_async, name) for name in sorted(_HOMES)}
    exported = {
        name: " or ".join(each.__name__ for each in get_args(thing)) or first_sentence(thing.__doc__)
        for name, thing in things.items()
    }
    width = max(map(len, [*exported, *modules]))
    lines = [f"{name:{width}}  {text}".rstrip() for name, text in [*modules.items(), ("", ""), *exported.items()]]
    more = "The command: indivd --help. A page for each module: pdoc $(python -m indivd_async --modules)"
    try:
        print(f"indivd_async {indivd_async.__version__}", "", *lines, "", more, sep="\n", flush=True)  # noqa: T201
    except BrokenPipeError:
        drop_output()  # whoever read has seen enough
    return 0


if __name__ == "__main__":
    sys.exit(main())
