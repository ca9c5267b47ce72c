"""
Every deviation of the sandbox, asked by fetch, stream and export: right figures, an error of the tree, or a note.

What no single answer shows (`expect="unseen"`) is measured by `indivd verify`, and listed by name here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from judging import WAYS, Heard, by_list, client_of, is_fine, query_for

from indivd_async import IndivdError, ZoneVisitors, sandbox
from indivd_async.queries import Query
from indivd_async.sandbox.deviations.deviation import DATA, LISTS

CASES = [
    (name, endpoint)
    for name, deviation in sandbox.DEVIATIONS.items()
    for endpoint in deviation.endpoints
    if endpoint in DATA
]
LISTED = [
    (name, endpoint)
    for name, deviation in sandbox.DEVIATIONS.items()
    for endpoint in deviation.endpoints
    if endpoint in LISTS
]
pytestmark = pytest.mark.anyio
#: Needs the list of all locations, for their clocks.
ALL = ZoneVisitors("2025-03-05", "2025-03-05", aggregate_by="zone")


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: clients are tried on both elsewhere."""
    return "asyncio"


async def hear(query: Query, way: str, folder: Path, *deviations: str) -> Heard:
    """Ask, and take an error of the tree for an answer; anything else that is raised is a fault of the client's."""
    async with client_of(*deviations) as client:
        try:
            return await WAYS[way](client, query, folder)
        except IndivdError as error:
            return Heard(error=type(error).__name__)


async def hear_list(name: str, *deviations: str) -> Heard:
    """Ask for a list."""
    async with client_of(*deviations) as client:
        try:
            return await by_list(client, name)
        except IndivdError as error:
            return Heard(error=type(error).__name__)


def table(rows: list[tuple[Any, ...]]) -> str:
    """Lay the rows out in columns."""
    widths = [max(len(str(row[n])) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


@pytest.mark.long
async def test_no_deviation_is_taken_for_the_answer(tmp_path: Path) -> None:
    """By no way of asking; and fetch, which sees all sections, tells what is to be made of it."""
    found = []
    sound: dict[tuple[str, Query], Heard] = {}
    for number, (name, endpoint) in enumerate(CASES):
        query = query_for(name, endpoint)
        verdicts = []
        for way in WAYS:
            folder = tmp_path / f"{number}-{way}"
            heard = await hear(query, way, folder / "deviating", name)
            if (way, query) not in sound:
                sound[way, query] = await hear(query, way, folder / "sound")
            verdicts.append(heard.judge(sound[way, query]))
        found.append((name, endpoint, sandbox.DEVIATIONS[name].expect, *verdicts))
    wrong = [row for row in found if not is_fine(row[3], row[2]) or (row[2] != "unseen" and "SILENT" in row)]
    head = ("deviation", "endpoint", "expected", *WAYS)
    assert not wrong, f"\n{table([head, *wrong])}\n\nall of them:\n\n{table([head, *found])}"


async def test_no_list_is_taken_for_the_whole_or_for_another(tmp_path: Path) -> None:
    """Asked for by itself; and the list of locations as that of all, which decides what is asked on which clock."""
    found = []
    sound = {way: await hear(ALL, way, tmp_path / f"sound-{way}") for way in WAYS}
    for number, (name, endpoint) in enumerate(LISTED):
        verdicts = [(await hear_list(endpoint, name)).judge(await hear_list(endpoint))]
        for way in WAYS if endpoint == "locations" else ():
            folder = tmp_path / f"{number}-{way}"
            heard = await hear(ALL, way, folder / "deviating", name)
            verdicts.append(heard.judge(sound[way]))
        found.append((name, endpoint, sandbox.DEVIATIONS[name].expect, *verdicts, *[""] * (4 - len(verdicts))))
    fine = [any(is_fine(verdict, row[2]) for verdict in row[3:]) for row in found]
    wrong = [
        row for row, is_met in zip(found, fine, strict=True) if row[2] != "unseen" and ("SILENT" in row or not is_met)
    ]
    head = ("deviation", "list", "expected", "list", *WAYS)
    assert not wrong, f"\n{table([head, *wrong])}\n\nall of them:\n\n{table([head, *found])}"
