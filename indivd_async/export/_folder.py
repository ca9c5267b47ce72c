"""
The folder of an export: its parts, and the manifest that says which of them count. Blocking, for a worker thread.

Theory of operation. A part is written beside the folder, synced, and moved into it; when all parts of a commit are
there, a new manifest takes the place of the old one and makes them count, together with the units of the plans whose
rows they hold. A process that dies before that leaves parts that no manifest names: the next one removes them, and asks
for those units again. So there is no moment at which rows are lost or doubled for good.

What is half written never lies in the folder, where it would stop readers that take all files of it. Names of parts
carry a word drawn for this export: files that do not carry it are somebody else's, and are left alone.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import ConfigError
from ..planning import Plan
from ..queries import Query
from ._manifest import Manifest, Part, damaged, read_manifest, write_manifest

MANIFEST = "_manifest.parquet"
#: Is there while a process writes. It stays empty: readers of the folder pass over empty files.
LOCK = "_lock"
#: Rows of a row group: fewer cost a reader memory and time for each, more help nobody.
GROUP_ROWS = 200_000
#: Rows of a part that is made of smaller ones.
_PART_ROWS = 1_000_000
#: Half written files of earlier versions, which no reader counts.
_UNFINISHED = re.compile(r"\.(part-[0-9]{6,}|manifest)\.tmp")

Place = tuple[str, ...]  # the folders below the export's, such as ("location-124", "2025-03")


@attrs.frozen(kw_only=True)
class Staged:
    """A part that is written and not yet renamed."""

    temporary: Path
    part: Part


@attrs.define
class Folder:
    """The one writer of a folder; `open_folder` makes it."""

    path: Path
    _lock: IO[bytes]
    _manifest: Manifest | None = None
    #: As in the manifest, those of rows that are still to be committed too.
    owners: dict[str, str] = attrs.field(factory=dict)
    _number: int = 0

    # Reading.

    @property
    def has_begun(self) -> bool:
        """Whether the folder holds an export."""
        return self._manifest is not None

    @property
    def unfinished(self) -> Path:
        """Where files are before they are whole: beside the folder, so that they can be moved into it."""
        path = self.path.resolve()
        return path.parent / f".{path.name}.unfinished"

    @property
    def manifest(self) -> Manifest:
        """What is there, once the export has begun."""
        assert self._manifest is not None
        return self._manifest

    def recover(self) -> None:
        """Read the manifest, and remove parts of this export that it does not name."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        if (self.path / MANIFEST).exists():
            self._manifest = read_manifest(self.path / MANIFEST)
            self.owners.update(self._manifest.owners)
        parts = self._manifest.parts if self._manifest is not None else {}
        found = {path.relative_to(self.path).as_posix(): path for path in _walk(self.path) if path.is_file()}
        if self._manifest is None and any(name.endswith(".parquet") for name in found):
            raise ConfigError(f"{{out}}: {self.path} holds Parquet files of something else; export to another folder")
        for part in parts.values():
            if part.path not in found or found[part.path].stat().st_size != part.size:
                raise damaged(self.path, f"{part.path} is not there as it was written")
        self._number = max((int(re.findall(r"[0-9]+", name)[-1]) for name in parts), default=0)
        ours = None if self._manifest is None else re.compile(rf"part-{self._manifest.id}-[0-9]{{6,}}\.parquet")
        for name, path in found.items():
            if name not in parts and (_UNFINISHED.fullmatch(path.name) or (ours and ours.fullmatch(path.name))):
                path.unlink()

    # Writing.

    def begin(self, query: Query, partition: Sequence[str], plans: Sequence[Plan], closed: date) -> None:
        """Make it an export of *query*, of which nothing is there yet."""
        nothing: frozenset[int] = frozenset()
        self.keep(
            Manifest(
                id=uuid4().hex[:8],
                query=query,
                partition=tuple(partition),
                plans=tuple(plans),
                done=(nothing,) * len(plans),
                closed=closed,
            )
        )

    def commit(self, rows: Mapping[Place, Sequence[pa.RecordBatch]], done: Sequence[tuple[int, int]]) -> None:
        """Keep *rows*, and note that with them the units *done* (plan, unit) are there."""
        staged = [self.stage(place, batches) for place, batches in rows.items()]
        self.change(staged, done=self.manifest.add_done(done))

    def claim(self, zones: Iterable[str], owner: str) -> str | None:
        """Note that *zones* are in an answer to *owner*; return one that is in an answer to another."""
        for zone in zones:
            if self.owners.setdefault(zone, owner) != owner:
                return zone
        return None

    def change(self, staged: Sequence[Staged] = (), removed: Iterable[str] = (), **changes: Any) -> None:
        """Let *staged* parts count, those *removed* no longer, and make the other *changes* to the manifest."""
        removed = frozenset(removed)
        for one in staged:
            (self.path / one.part.path).parent.mkdir(parents=True, exist_ok=True)
            one.temporary.replace(self.path / one.part.path)
        for directory in dict.fromkeys((self.path / one.part.path).parent for one in staged):
            while directory != self.path.parent:
                _sync_directory(directory)
                directory = directory.parent
        kept = [part for part in self.manifest.parts.values() if part.path not in removed]
        parts = {part.path: part for part in (*kept, *(one.part for one in staged))}
        self.keep(attrs.evolve(self.manifest, parts=parts, owners=dict(self.owners), **changes))
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
        """Write a part, beside the folder."""
        self._number += 1
        name = f"part-{self.manifest.id}-{self._number:06}"
        self.unfinished.mkdir(exist_ok=True)
        temporary = self.unfinished / name
        rows, until = 0, None
        with temporary.open("wb") as file:
            with pq.ParquetWriter(file, self.manifest.schema, compression="zstd") as writer:
                for table in _row_groups(batches, self.manifest.schema):
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
        if not self.manifest.parts:
            self.change([self.stage((), ())])
        places: dict[Place, list[Part]] = {}
        for part in self.manifest.parts.values():
            if part.rows < GROUP_ROWS:
                places.setdefault(tuple(part.path.split("/")[:-1]), []).append(part)
        for place, parts in places.items():
            for some in _up_to(parts, _PART_ROWS):
                if len(some) > 1:
                    self.change([self.stage(place, self.read(some))], [part.path for part in some])

    def read(self, parts: Iterable[Part]) -> Iterator[pa.RecordBatch]:
        """Read *parts* batch by batch."""
        for part in parts:
            with pq.ParquetFile(self.path / part.path) as file:
                yield from file.iter_batches()

    def close(self) -> None:
        """Let others write; what never began leaves no trace."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        if sys.platform == "win32":
            self._lock.close()  # where an open file cannot be removed, nobody else can have it open
        with suppress(OSError):
            (self.path / LOCK).unlink()
        self._lock.close()
        if not self.has_begun and not any(self.path.iterdir()):
            self.path.rmdir()

    def keep(self, manifest: Manifest) -> None:
        """Let *manifest* take the place of the present one."""
        if manifest == self._manifest:
            return
        self.unfinished.mkdir(exist_ok=True)
        temporary = self.unfinished / "manifest"
        with temporary.open("wb") as file:
            write_manifest(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path / MANIFEST)
        _sync_directory(self.path)
        self._manifest = manifest


def open_folder(path: Path) -> Folder:
    """Open *path*, alone: make it if it is not there, and put right what a process that died has left."""
    for outer in path.resolve().parents:
        if (outer / MANIFEST).exists():
            raise ConfigError(
                f"out: {path} lies in the export {outer}, whose readers would take its rows for theirs; export to a "
                "folder outside of it"
            )
    path.mkdir(parents=True, exist_ok=True)
    lock = (path / LOCK).open("ab")
    if not _take(lock, path / LOCK):
        lock.close()
        raise ConfigError(f"{{out}}: another export is writing to {path}; wait for it, or export to another folder")
    folder = Folder(path, lock)
    try:
        folder.recover()
    except BaseException:
        folder.close()
        raise
    return folder


def _walk(folder: Path) -> Iterator[Path]:
    """Yield what is below *folder*, but for the exports in it."""
    for path in folder.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink() and not (path / MANIFEST).exists():
            yield from _walk(path)


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


def _up_to(parts: Iterable[Part], most: int) -> Iterator[list[Part]]:
    some: list[Part] = []
    for part in parts:
        if some and sum(one.rows for one in some) + part.rows > most:
            yield some
            some = []
        some.append(part)
    yield some


def _take(file: IO[bytes], path: Path) -> bool:
    """Take the file for this process alone, for as long as it is open; the system lets it go when the process dies."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have removed it meanwhile; then another may have made, and taken, a new one.
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _sync_directory(path: Path) -> None:
    if sys.platform == "win32":
        return  # directories cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
