"""The commands of the README: those that are whole run as they stand, and every other is one that there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars
import pytest

from indivd_async import sandbox
from indivd_async.cli.arguments import make_parser
from indivd_async.queries import QUERIES

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
#: Lines with two columns: how commands are written, and what they do.
SYNOPSES = [line for block in BLOCKS for line in block.splitlines() if re.match(r"indivd .*\S {4,}\S", line)]
WHOLE = [line for block in BLOCKS for line in block.splitlines() if line.startswith("indivd ") and line not in SYNOPSES]
INLINE = sorted(set(re.findall(r"(?<!`)`(?:python3 -m uv run )?(indivd [^`]+)`", README)))


@pytest.mark.parametrize("line", WHOLE)
def test_a_command_runs_as_it_stands(
    line: str, site: Any, indivd: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder of its own, for a token that sees one location, whose visitors come for some days."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(site.application, "world", sandbox.World(now=datetime(2025, 1, 20, tzinfo=UTC)))
    site.lists["locations"] = [{"id": 124, "name": "Drottninggatan", "timezone": "Europe/Stockholm"}]
    site.lists["zones"] = [{"id": 201, "name": "Entrance", "location": 124}]
    said = indivd(*shlex.split(line)[1:])
    assert said.code == 0, said.err
    assert polars.scan_parquet("visits").select(polars.len()).collect().item() > 100


def test_there_are_such_commands() -> None:
    """The two kinds that are looked for are found."""
    assert WHOLE
    assert len(SYNOPSES) >= 4
    assert len(INLINE) >= 4


@pytest.mark.parametrize("line", INLINE)
def test_a_command_in_the_text_is_read(line: str) -> None:
    """With its options; a word in capitals stands for one of the reader's."""
    parser, (_, command, *options) = make_parser(), shlex.split(line)
    assert command in parser.commands
    assert not options or parser.parse_args([command, *options]).module


@pytest.mark.parametrize("line", SYNOPSES)
def test_a_synopsis_names_what_there_is(line: str) -> None:
    """Commands, and their options."""
    parser = make_parser()
    usage = re.split(r" {4,}", line.removeprefix("indivd "))[0]
    names = [re.match(r"\w+", part.strip()) for part in re.split(r"[|,]", usage)]
    commands = [name[0] for name in names if name is not None]
    assert set(commands) <= set(parser.commands)
    options = re.findall(r"--[a-z-]+", usage)
    endpoint = [next(iter(QUERIES))] if "ENDPOINT" in usage else []
    for option in options:
        values = ["2025-03-01"] if f"{option} DAY" in usage else []
        taking = [name for name in commands if f"{name} [{option}]" in usage or f"{option} DAY" in usage]
        assert taking, option
        assert all(parser.parse_args([name, *endpoint, option, *values]).module for name in taking)
