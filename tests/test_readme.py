"""The README's promises: its code runs as it stands, its names exist, its commands are those that CI runs."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import indivd_async

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_python_block_runs_as_it_stands(number: int, tmp_path: Path) -> None:
    """Each block is a program of its own, against the sandbox, in a folder of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[number]], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout, "an example shows something"


def test_the_notebook_s_cell_runs_as_it_stands() -> None:
    """In a kernel, with `await` at the top level; it shows the charts, each of at most eight lines."""
    (cell,) = re.findall(r"^```py\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    script = """
import json, sys, nbclient, nbformat
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in json.loads(sys.argv[1])])
nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
outputs = [output for cell in notebook.cells for output in cell.outputs]
kinds = [kind for output in outputs for kind in output.get("data", {})]
print(json.dumps([kinds, "".join(output.get("text", "") for output in outputs)]))
    """
    rows = "print([text.get_text() for text in heat.get_yticklabels()] == sorted(df['weekday'].unique()))"
    argv = [sys.executable, "-c", script, json.dumps(["%matplotlib inline", cell, rows])]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    kinds, text = json.loads(done.stdout)
    assert "image/png" in kinds
    assert "Warning" not in text
    assert text.endswith("True\n"), "each weekday stands in its own row, in their order"
    assert "nest_asyncio" not in README
    charts = re.split(r"^(?=days|grid|rates)", cell, flags=re.MULTILINE)[1:]
    assert [len(chart.splitlines()) <= 8 for chart in charts] == [True] * 3


def test_a_bar_of_tqdm_takes_two_lines() -> None:
    """For those who want another than ours."""
    assert re.search(r"with tqdm\(\) as bar:\n +await client\.\w+\(.*progress=lambda", README)


def test_what_is_linked_is_there_on_pypi_too() -> None:
    """The package's page shows the README with absolute links: pictures, files, and headings, of which it has none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    home = project["project"]["urls"]["Source"]
    shown = README
    for change in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        shown = re.sub(change["pattern"], change["replacement"], shown)
    links = re.findall(r"\]\(([^)]+)\)", shown) + re.findall(r"src=\"([^\"]+)\"", shown)
    assert len(links) > 30
    assert [link for link in links if not link.startswith("https://")] == []
    pictures = [link for link in links if link.endswith((".svg", ".png"))]
    raw = home.replace("https://github.com", "https://raw.githubusercontent.com") + "/main/"
    assert len(pictures) == 2
    assert all(link.startswith(raw) and (ROOT / link.removeprefix(raw)).exists() for link in pictures)
    assert f"]({home}#fetch)" in shown
    assert f"]({home}/blob/main/tests/recipes/backend.py)" in shown
    # Nothing else is other than here.
    assert re.sub(r"\]\([^)]+\)|src=\"[^\"]+\"", "", shown) == re.sub(r"\]\([^)]+\)|src=\"[^\"]+\"", "", README)


def test_the_readme_is_short_and_its_test_command_is_what_ci_runs() -> None:
    """Under 300 lines; CI calls the very command for the tests."""
    assert len(README.splitlines()) < 300
    assert "uv run pytest" in README
    assert "run pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_first_screen_has_all_that_one_looks_for() -> None:
    """A picture, how to install it, lines that run, the contents, before the first heading."""
    first = README.partition("\n## ")[0]
    assert all(part in first for part in ("demo.svg", "pip install", "```python", "**Contents.**"))
    assert len(first.splitlines()) <= 32


def test_code_fits_its_box() -> None:
    """As wide as a page shows it without scrolling."""
    shown = re.findall(r"^```\w+\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert [line for block in shown for line in block.splitlines() if len(line) > 100] == []


def _modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(indivd_async.__path__, "indivd_async.")]
    return [name for name in names if not name.endswith(".__main__")]


@pytest.mark.parametrize("name", _modules())
def test_docstring_examples_are_true(name: str) -> None:
    """Every example in a docstring gives what it shows."""
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


def test_everything_public_is_documented_and_exported() -> None:
    """Each exported name exists and says what it is."""
    for name in indivd_async.__all__:
        if name != "__version__":
            assert getattr(indivd_async, name).__doc__, name


def test_the_picture_is_what_the_demo_shows() -> None:
    """`.github/demo.svg` is current."""
    done = subprocess.run([sys.executable, ".github/demo.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_column_is_in_the_table() -> None:
    """With its kind and meaning, in the order of the tables."""
    from indivd_async.results.columns import MEANINGS

    rows = [f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in MEANINGS.items()]
    assert "\n".join(rows) in README


def test_what_is_linked_is_there() -> None:
    """Files by path, headings by their names."""
    links = re.findall(r"\]\(([^)]+)\)|<img src=\"([^\"]+)\"", README)
    links = [link or picture for link, picture in links]
    headings = {
        re.sub(r"[^a-z -]", "", line[3:].lower()).replace(" ", "-") for line in README.splitlines() if line[:3] == "## "
    }
    local = [link for link in links if "://" not in link]
    assert local
    assert [x for x in local if not (x[1:] in headings if x[0] == "#" else (ROOT / x).exists())] == []


TASKS = {
    title: body
    for title, body in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", README, flags=re.MULTILINE)
    if re.search(
        rf"Tasks: .*\[{title.lower()}\]", README[: README.index("To look up:")].replace("\n", " "), re.IGNORECASE
    )
}


def test_a_task_is_short_and_leads_to_a_program_that_is_run() -> None:
    """At most fifteen lines each, and a link to a recipe; every recipe is linked."""
    assert len(TASKS) == 11
    for title, body in TASKS.items():
        assert len([line for line in body.splitlines() if line.strip() and "```" not in line]) <= 15, title
        assert re.search(r"\]\(tests/(recipes|user_suite)/\w+\.(py|sh)\)", body), title
    recipes = {path.name for path in (ROOT / "tests" / "recipes").iterdir() if path.suffix in {".py", ".sh"}}
    tried = (ROOT / "tests" / "recipes" / "test_recipes.py").read_text(encoding="utf-8")
    for name in recipes - {"test_recipes.py"}:
        assert f"(tests/recipes/{name})" in README, name
        assert name.partition(".")[0] in tried, name
