"""What there is to know about figures reaches programs: every `--json` that tells figures has notes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from indivd_async.cli.arguments import make_parser
from indivd_async.results.notes import KINDS

Indivd = Callable[..., Any]
WEEK = ("--start-date", "2025-03-03", "--end-date", "2025-03-09")
#: Lists and plans have no figures, and so no notes; what `verify` finds is all that there is to know.
WITHOUT = {"locations", "zones", "categories", "lines", "organizations", "plan", "verify"}


def commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Walk over the commands that take `--json`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                if any("--json" in each.option_strings for each in command._actions) or any(commands(command)):
                    yield name


def asked(name: str, folder: Path) -> list[tuple[str, ...]]:
    """Write command lines that tell figures, with a kind of note that each must have."""
    fetches = [
        ("unscoped_lines", "line_crosses", "--location", "124"),
        ("numbering_unknown", "zone_visitors", "--location", "124", "--aggregate-by", "dayofweek"),
        ("unscoped_drop_in", "drop_in_rate", "--location", "125"),
        ("drop_in_over_100", "drop_in_rate", "--location", "125", "--zone", "213"),
    ]
    exports = [
        ("numbering_unknown", "zone_visitors", "--location", "124", "--aggregate-by", "dayofweek"),
        ("drop_in_over_100", "drop_in_rate", "--location", "125", "--zone", "213"),
    ]
    lines = {
        "fetch": [(kind, "fetch", *words, *WEEK) for kind, *words in fetches],
        "export": [(kind, "export", *words, *WEEK, "--out", str(folder / kind)) for kind, *words in exports],
        "doctor": [("unscoped_lines", "doctor")],
    }
    return lines[name]


def test_every_json_of_figures_has_notes(site: Any, indivd: Indivd, tmp_path: Path) -> None:
    """Kind, words, and whether somebody should look; as on stderr, where options are called as they are here."""
    told = set(commands(make_parser())) - WITHOUT
    assert told == {"fetch", "export", "doctor"}
    for name in told:
        for kind, *argv in asked(name, tmp_path):
            said = indivd(*argv, "--json")
            document = json.loads(said.out)
            notes = [note for part in document for note in part["notes"]] if name == "doctor" else document["notes"]
            found = {note["kind"]: note for note in notes}
            assert kind in found, (argv, notes)
            assert found.keys() <= KINDS.keys()
            assert all(note.keys() == {"kind", "message", "doubtful"} for note in notes)
            if name != "doctor":
                assert all(f"note: {note['message']}" in " ".join(said.err.split()) for note in notes)


def test_a_fetch_tells_its_rows_and_what_is_missing(site: Any, indivd: Indivd) -> None:
    """The rows are those of the other formats."""
    argv = ("fetch", "line_crosses", *WEEK, "--line-ids", "2010,2012", "--per", "line", "--on-error", "collect")
    whole = json.loads(indivd(*argv, "--json").out)
    assert (whole["complete"], whole["missing"]) == (True, [])
    assert whole["rows"] == json.loads(indivd(*argv, "--format", "json").out)
    assert len(json.loads(indivd(*argv, "--json", "--limit", "3").out)["rows"]) == 3
    site.application.faults.hook = lambda _, __, params: 400 if params.get("line_ids") == "2012" else None
    said = indivd(*argv, "--json")
    part = json.loads(said.out)
    assert (said.code, part["complete"], len(part["missing"])) == (1, False, 1)
    assert "line_ids=2012" in part["missing"][0]["request"]
    assert part["missing"][0]["error"].startswith("400")
    assert {row["line"] for row in part["rows"]} == {2010}
