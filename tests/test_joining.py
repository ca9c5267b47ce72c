"""What those who join are told is so: paths exist, the Pythons named are those tried, hooks are the tools of CI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import indivd_async

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_paths_that_contributors_are_shown_exist() -> None:
    """Files of the package may be named without it."""
    named = re.findall(r"`((?:\.?\w+/)*\w*(?:/|\.py|\.md))`", CONTRIBUTING)
    assert len(named) > 10
    gone = [name for name in named if not (ROOT / name).exists() and not (ROOT / "indivd_async" / name).exists()]
    assert not gone


def test_names_that_contributors_are_sent_to_stand_there() -> None:
    """What is told as `name` of a file is defined in it."""
    told = re.findall(r"`(\w+)`\s+(?:of|in)\s+`([\w/]+\.py)`", CONTRIBUTING)
    assert len(told) >= 3
    for name, path in told:
        code = (ROOT / "indivd_async" / path).read_text(encoding="utf-8")
        assert re.search(rf"^(?:class |def )?{name}\b", code, re.MULTILINE), (name, path)


def test_the_house_that_is_drawn_is_the_house() -> None:
    """Every folder of the package is in the drawing, and nothing else is."""
    drawing = CONTRIBUTING.split("## The house")[1].split("```")[1]
    drawn = set(re.findall(r"(\w+)/", drawing)) | {"models"}
    folders = {path.parent.name for path in (ROOT / "indivd_async").glob("*/__init__.py")}
    assert drawn == folders


def test_the_pythons_named_are_those_that_ci_runs() -> None:
    """Classifiers, the workflow's matrix and `requires-python` speak of the same versions."""
    classified = re.findall(r":: (3\.\d+)(?:$|\n)", "\n".join(PROJECT["classifiers"]))
    matrix = re.search(r"python: (\[.*\])", WORKFLOW)
    assert matrix is not None
    assert re.findall(r'"(3\.\d+)"', matrix[1]) == classified
    assert PROJECT["requires-python"] == f">={classified[0]}"
    assert "run: .ci/run" in WORKFLOW


def test_hooks_run_what_ci_runs() -> None:
    """Each hook's tool is one that `.ci/run` calls."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    tools = re.findall(r"entry: uv run --no-sync (\w[\w-]*(?: check| format)?)", hooks)
    assert len(tools) >= 5
    for tool in tools:
        assert f"run {tool}" in script, tool
    installed = re.search(r"^default_install_hook_types: \[(.*)\]$", hooks, re.MULTILINE)
    assert installed is not None
    stages = re.findall(r"stages: \[([\w-]+)\]", hooks)
    assert set(stages) <= set(installed[1].split(", ")), "`pre-commit install` puts every hook in place"


def test_the_package_lists_what_there_is() -> None:
    """`python -m indivd_async` names all that is exported; with `--modules` the public modules, one page each."""
    listed = subprocess.run([sys.executable, "-m", "indivd_async"], capture_output=True, text=True, check=True).stdout
    assert all(
        re.search(rf"^{name} +\S", listed, re.MULTILINE) for name in indivd_async.__all__ if name != "__version__"
    )
    modules = subprocess.run(
        [sys.executable, "-m", "indivd_async", "--modules"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"indivd_async", "indivd_async.sandbox", "indivd_async.fastapi", "indivd_async.export"} <= set(modules)
    assert all(re.search(rf"^{re.escape(name)} +\S", listed, re.MULTILINE) for name in modules)


def test_whoever_has_seen_enough_of_the_list_is_no_error() -> None:
    """`python -m indivd_async | head -1` ends as quietly as the command does."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "indivd_async"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_columns_are_what_the_changelog_says() -> None:
    """Whoever renames theirs by its table gets names that are there."""
    from indivd_async.results.columns import MEANINGS

    columns = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("Columns of tables")[1].split("\n\nPython.")[0]
    now = [
        name
        for row in columns.splitlines()
        if row.startswith("| ")
        for name in re.findall(r"`(\w+)`", row.split("|")[2])
    ]
    assert len(now) > 10
    assert [name for name in now if name not in MEANINGS] == []
