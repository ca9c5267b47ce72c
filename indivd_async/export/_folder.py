"""
The folder of an export: its parts, and the manifest that says which of them count. Blocking, for a worker thread.

Theory of operation. A part is written under a temporary name, synced, and renamed; when all parts of a commit are
there, one line in the manifest makes them count, together with the units of the plans whose rows they hold. A process
that dies before that line leaves files that no line names: the next one removes them, and asks for those units again. A
line that is half written is no line. So there is no moment at which rows are lost or doubled for good.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import ConfigError
from ..plans import Plan
from ..queries import QUERIES, Query
from ..tables import arrow_schema

MANIFEST = "_manifest.jsonl"
#: Rows of a row group: fewer cost a reader memory and time for each, more help nobody.
GROUP_ROWS = 200_000
#: Rows of a part that is made of smaller ones.
_PART_ROWS = 1_000_000
_VERSION = 1
#: The only files that are ever removed from the folder.
_OURS = re.compile(r"part-[0-9]{6,}\.parquet|\.part-[0-9]{6,}\.tmp")

Place = tuple[str, ...]  # the folders below the export's, such as ("location-124", "2025-03")
Line = dict[str, Any]


@attrs.frozen(kw_only=True)
class Part:
    """A file that counts: `path` below the folder, `until` the last day in it, where its rows tell days."""

    path: str
    rows: int
    size: int
    until: str | None


@attrs.frozen(kw_only=True)
class Staged:
    """A part that is written and not yet renamed."""

    temporary: Path
    part: Part


@attrs.define
class Folder:
    """The one writer of a folder; `open_folder` makes it."""

    path: Path
    _manifest: IO[bytes]
    #: None until the export has begun.
    query: Query | None = None
    partition: tuple[str, ...] = ()
    plans: tuple[Plan, ...] = ()
    #: For each plan, the units whose rows are there.
    done: list[set[int]] = attrs.field(factory=list)
    parts: dict[str, Part] = attrs.field(factory=dict)
    #: Which question each zone was an answer to: one that answers two would be in the folder twice.
    owners: dict[str, str] = attrs.field(factory=dict)
    _claimed: dict[str, str] = attrs.field(factory=dict)
    _number: int = 0

    # Reading.

    def take(self, line: Line) -> None:
        """Apply one line of the manifest."""
        if line["kind"] == "export":
            if line["version"] != _VERSION:
                raise ConfigError(
                    f"out: {self.path} was written by another version of this library (format {line['version']}, "
                    f"this one knows {_VERSION}); export to another folder"
                )
            self.partition = tuple(line["partition"])
        if "plans" in line:
            self.query = read_query(line["query"])
            self.plans = tuple(map(Plan.from_json, line["plans"]))
            self.done = [set() for _ in self.plans]
        for number, first, end in line.get("done", ()):
            self.done[number].update(range(first, end))
        self.owners.update(line.get("owners", ()))
        for path in line.get("removed", ()):
            del self.parts[path]
        for fields in line.get("parts", ()):
            part = Part(**fields)
            self.parts[part.path] = part
            self._number = max(self._number, int(re.findall(r"[0-9]+", part.path)[-1]))

    def recover(self) -> None:
        """Read the manifest, forget a line that is half written, and remove the files that no line names."""
        self._manifest.seek(0)
        end = 0
        for number, text in enumerate(self._manifest, start=1):
            if not text.endswith(b"\n"):
                break
            try:
                self.take(json.loads(text))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                if isinstance(error, ConfigError):
                    raise
                raise self._damaged(f"line {number} of {MANIFEST} cannot be read") from error
            end += len(text)
        found = {path.relative_to(self.path).as_posix(): path for path in self.path.rglob("*") if path.is_file()}
        if self.query is None and any(name.endswith(".parquet") for name in found):
            raise ConfigError(f"out: {self.path} holds Parquet files of something else; export to another folder")
        for part in self.parts.values():
            if part.path not in found or found[part.path].stat().st_size != part.size:
                raise self._damaged(f"{part.path} is not there as it was written")
        self._manifest.truncate(end)
        self._manifest.seek(end)
        for name, path in found.items():
            if _OURS.fullmatch(path.name) and name not in self.parts:
                path.unlink()

    def _damaged(self, what: str) -> ConfigError:
        return ConfigError(f"out: {self.path} is damaged: {what}. Remove the folder to begin anew")

    # Writing.

    def begin(self, query: Query, partition: Sequence[str], plans: Sequence[Plan]) -> None:
        """Write the first line."""
        self._write(
            {
                "kind": "export",
                "version": _VERSION,
                "query": write_query(query),
                "partition": list(partition),
                "plans": [plan.to_json() for plan in plans],
            }
        )
        _sync_directory(self.path)

    def commit(
        self,
        rows: Mapping[Place, Sequence[pa.RecordBatch]],
        done: Sequence[tuple[int, int]],
        failed: Sequence[Mapping[str, str]],
    ) -> None:
        """Keep *rows*, and note that with them the units *done* (plan, unit) are there, and what *failed*."""
        staged = [self.stage(place, batches) for place, batches in rows.items()]
        self._record("commit", staged, (), done=_ranges(done), **({"failed": list(failed)} if failed else {}))

    def claim(self, zones: Iterable[str], owner: str) -> str | None:
        """Note that *zones* are in an answer to *owner*; return one that is in an answer to another."""
        for zone in zones:
            known = self.owners.get(zone)
            if known is None:
                self.owners[zone] = self._claimed[zone] = owner
            elif known != owner:
                return zone
        return None

    def replace(self, staged: Sequence[Staged], removed: Iterable[str], kind: str, **fields: Any) -> None:
        """Let *staged* parts count, and those *removed* no longer."""
        removed = list(removed)
        self._record(kind, staged, removed, **fields)
        for path in removed:
            (self.path / path).unlink(missing_ok=True)

    def discard(self, staged: Iterable[Staged]) -> None:
        """Remove parts that shall not count."""
        for one in staged:
            one.temporary.unlink(missing_ok=True)

    def read_staged(self, staged: Iterable[Staged]) -> Iterator[pa.RecordBatch]:
        """Read parts that do not count yet."""
        for one in staged:
            with pq.ParquetFile(one.temporary) as file:
                yield from file.iter_batches()

    def stage(self, place: Place, batches: Iterable[pa.RecordBatch]) -> Staged:
        """Write a part under a temporary name."""
        self._number += 1
        name = f"part-{self._number:06}"
        directory = self.path.joinpath(*place)
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".{name}.tmp"
        rows, until = 0, None
        with temporary.open("wb") as file:
            with pq.ParquetWriter(file, self.schema, compression="zstd") as writer:
                for table in _row_groups(batches, self.schema):
                    writer.write_table(table, row_group_size=GROUP_ROWS)
                    rows += len(table)
                    until = max(filter(None, (until, last_day(table))), default=None)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        path = "/".join((*place, f"{name}.parquet"))
        return Staged(temporary=temporary, part=Part(path=path, rows=rows, size=size, until=until))

    def finish(self) -> None:
        """Join small parts, and make an empty one where there is no row at all, so that there is a table to read."""
        if not self.parts:
            self.replace([self.stage((), ())], (), "empty")
        places: dict[Place, list[Part]] = {}
        for part in self.parts.values():
            if part.rows < GROUP_ROWS:
                places.setdefault(tuple(part.path.split("/")[:-1]), []).append(part)
        for place, parts in places.items():
            for some in _up_to(parts, _PART_ROWS):
                if len(some) > 1:
                    staged = self.stage(place, self.read(some))
                    self.replace([staged], [part.path for part in some], "join")

    def read(self, parts: Iterable[Part]) -> Iterator[pa.RecordBatch]:
        """Read *parts* batch by batch."""
        for part in parts:
            with pq.ParquetFile(self.path / part.path) as file:
                yield from file.iter_batches()

    @property
    def schema(self) -> pa.Schema:
        """The schema of every part."""
        assert self.query is not None
        return arrow_schema(self.query)

    @property
    def rows(self) -> int:
        """How many rows count."""
        return sum(part.rows for part in self.parts.values())

    def close(self) -> None:
        """Let others write; what never began leaves no trace."""
        empty = self._manifest.seek(0, os.SEEK_END) == 0
        self._manifest.close()
        if empty:
            (self.path / MANIFEST).unlink(missing_ok=True)
            if not any(self.path.iterdir()):
                self.path.rmdir()

    def _record(self, kind: str, staged: Sequence[Staged], removed: Sequence[str], **fields: Any) -> None:
        for one in staged:
            one.temporary.replace(self.path / one.part.path)
        for directory in dict.fromkeys((self.path / one.part.path).parent for one in staged):
            while directory != self.path.parent:
                _sync_directory(directory)
                directory = directory.parent
        parts = [attrs.asdict(one.part) for one in staged]
        claimed, self._claimed = self._claimed, {}
        owners = {"owners": claimed} if claimed else {}
        self._write({"kind": kind, **fields, **owners, "parts": parts, "removed": list(removed)})

    def _write(self, line: Line) -> None:
        self._manifest.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        self._manifest.flush()
        os.fsync(self._manifest.fileno())
        self.take(line)


def open_folder(path: Path) -> Folder:
    """Open *path*, alone: make it if it is not there, and put right what a process that died has left."""
    path.mkdir(parents=True, exist_ok=True)
    if not path.is_dir():
        raise ConfigError(f"out: {path} is not a folder")
    manifest = (path / MANIFEST).open("a+b")
    if not _lock(manifest):
        manifest.close()
        raise ConfigError(f"out: another export is writing to {path}; wait for it, or export to another folder")
    folder = Folder(path, manifest)
    try:
        folder.recover()
    except BaseException:
        folder.close()
        raise
    return folder


def write_query(query: Query) -> Line:
    """Write *query* as JSON's own types."""
    fields = {field.name: getattr(query, field.name) for field in attrs.fields(type(query))}
    plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in fields.items()}
    return {"endpoint": query.endpoint.name, **plain}


def read_query(document: Line) -> Query:
    """Read what `write_query` wrote."""
    fields = dict(document)
    return QUERIES[fields.pop("endpoint")](**fields)


def last_day(table: pa.Table) -> str | None:
    """Return the last day in *table*, on the clock of its rows."""
    latest: datetime | None = pc.max(table["bucket_start"]).as_py()
    return None if latest is None else latest.date().isoformat()


def _row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + batch.num_rows >= GROUP_ROWS:
            room = GROUP_ROWS - rows
            yield pa.Table.from_batches([*held, batch.slice(0, room)], schema)
            held, rows, batch = [], 0, batch.slice(room)
        held.append(batch)
        rows += batch.num_rows
    if rows:
        yield pa.Table.from_batches(held, schema)


def _ranges(done: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Write (plan, unit) as [plan, first unit, one past the last]."""
    ranges: list[list[int]] = []
    for plan, unit in sorted(done):
        if ranges and ranges[-1][0] == plan and ranges[-1][2] == unit:
            ranges[-1][2] += 1
        else:
            ranges.append([plan, unit, unit + 1])
    return ranges


def _up_to(parts: Iterable[Part], most: int) -> Iterator[list[Part]]:
    some: list[Part] = []
    for part in parts:
        if some and sum(one.rows for one in some) + part.rows > most:
            yield some
            some = []
        some.append(part)
    yield some


def _lock(file: IO[bytes]) -> bool:
    """Take the file for this process alone, for as long as it is open; the system lets it go when the process dies."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync_directory(path: Path) -> None:
    if sys.platform == "win32":
        return  # directories cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
