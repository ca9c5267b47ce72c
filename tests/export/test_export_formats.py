"""What earlier versions and other file systems leave to an export: narrower types, other columns, locks or none."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import attrs
import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indivd_async import AsyncIndivd, ConfigError, RetryPolicy, ZoneVisitors, sandbox
from indivd_async.export import export
from indivd_async.export.files import read_manifest, take_lock, write_manifest
from indivd_async.export.manifest import from_json, to_json
from indivd_async.export.question import Place

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

HOURS = ZoneVisitors("2025-02-20", "2025-03-10", location=[124, 127], aggregate_by="hour")
_NARROWER = {"int64": pa.int16(), "double": pa.float32()}
#: Columns whose values need their width.
_WIDE = {"zone_id", "loc_id", "dwell_mean_s", "dwell_min_s", "dwell_max_s", "dwell_q25_s", "dwell_q50_s", "dwell_q75_s"}


def make_client() -> AsyncIndivd:
    return AsyncIndivd(token="sandbox", transport=sandbox.transport(), retry=RetryPolicy(attempts=1))


def read(out: Path) -> polars.DataFrame:
    frame = polars.scan_parquet(out).collect()
    return frame.sort(frame.columns, nulls_last=True)


def rewrite(out: Path, columns: dict[str, str]) -> None:
    """Let the manifest of *out* tell other types of columns."""
    place = Place(option="out", target=out, noun="folder")
    manifest = read_manifest(out, place)
    parts = {path: attrs.evolve(part, size=(out / path).stat().st_size) for path, part in manifest.parts.items()}
    told = tuple((name, columns.get(name, kind)) for name, kind in manifest.columns if columns.get(name) != "gone")
    told += tuple((name, kind) for name, kind in columns.items() if name not in dict(manifest.columns))
    with (out / "_manifest.parquet").open("wb") as file:
        write_manifest(attrs.evolve(manifest, parts=parts, columns=told), file)


def narrow(out: Path) -> None:
    """Make of *out* what a version with narrower types would have written."""
    kinds: dict[str, str] = {}
    for path in out.rglob("part-*.parquet"):
        table = pq.ParquetFile(path).read()
        fields = []
        for field in table.schema:
            kind = field.type if field.name in _WIDE else _NARROWER.get(str(field.type), field.type)
            fields.append(pa.field(field.name, kind))
            kinds[field.name] = str(kind)
        pq.write_table(table.cast(pa.schema(fields)), path)
    rewrite(out, kinds)


async def test_narrower_types_are_written_anew(tmp_path: Path) -> None:
    """The rows stay, nothing is asked again, and what comes later has the types of what was there."""
    out = tmp_path / "out"
    async with make_client() as client:
        await export(client, HOURS, out)
        before = read(out)
        narrow(out)
        assert {str(kind) for kind in polars.scan_parquet(out / "*/part-*.parquet").collect().dtypes} >= {"Int16"}
        report = await export(client, HOURS, out)
        assert (report.requests, report.rows, report.complete) == (0, len(before), True)
        assert read(out).equals(before)
        assert read(out).schema == before.schema
        narrow(out)
        longer = attrs.evolve(HOURS, end_date="2025-03-12")
        await export(client, longer, out)
        await export(client, longer, tmp_path / "clean")
    assert read(out).equals(read(tmp_path / "clean"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"visits": "string"}, r"visits is string there, int64 here.*another folder"),
        ({"visits": "gone"}, r"this one has tables with visits"),
        ({"footfall": "int64"}, r"this one has tables without footfall"),
        ({"visits": "gone", "footfall": "int64"}, r"without footfall and with visits"),
    ],
    ids=["another type", "a column more", "a column less", "another name"],
)
async def test_other_columns_are_refused(columns: dict[str, str], message: str, tmp_path: Path) -> None:
    """Nothing is asked and nothing is touched."""
    async with make_client() as client:
        await export(client, HOURS, tmp_path)
        before = read(tmp_path)
        rewrite(tmp_path, columns)
        asked = client.stats.requests
        with pytest.raises(ConfigError, match=message):
            await export(client, HOURS, tmp_path)
        assert client.stats.requests == asked
    assert read(tmp_path).equals(before)


async def test_a_table_in_narrower_types_is_refused(tmp_path: Path) -> None:
    """A database's columns are not ours to alter."""
    file = tmp_path / "shop.duckdb"
    to = f"duckdb:///{file}?table=visits"
    async with make_client() as client:
        await export(client, HOURS, to=to)
        with duckdb.connect(file) as connection:
            ((document,),) = connection.sql("SELECT document FROM indivd_exports").fetchall()
            manifest = from_json(document, Place(option="to", target=to, noun="table"))
            columns = tuple((name, "int16" if name == "visits" else kind) for name, kind in manifest.columns)
            older = to_json(attrs.evolve(manifest, columns=columns)).decode()
            connection.execute("UPDATE indivd_exports SET document = ?", [older])
        with pytest.raises(ConfigError, match="in narrower types; export to another table"):
            await export(client, HOURS, to=to)


@pytest.mark.skipif(sys.platform == "win32", reason="locks are others there")
@pytest.mark.parametrize(
    ("code", "message"),
    [
        *(
            (code, "has no locks .*export to a folder on another file system")
            for code in ("ENOLCK", "ENOSYS", "EOPNOTSUPP")
        ),
        *((code, "another export is writing to") for code in ("EAGAIN", "EACCES", "EWOULDBLOCK")),
    ],
)
def test_a_lock_that_is_held_is_told_from_none(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    """A file system that has no locks says so otherwise than one whose lock is taken."""
    import fcntl

    number = getattr(errno, code)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ConfigError, match=message):
        take_lock(tmp_path / ".out.lock", tmp_path / "out")
