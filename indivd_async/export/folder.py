"""
The folder of an export: its parts, and the manifest that says which of them count. Blocking, for a worker thread.

Theory of operation. A part is written beside the folder, synced, and so is the manifest that makes it count, together
with the days whose rows it holds. When a second copy of the manifest is there, the commit counts: parts are moved into
the folder, the manifest takes the place of the old one, and parts that it does not name go. Nothing slow happens in
between, so that readers see rows twice only for as long as some names change. Rows that are replaced go by
writing the parts that hold them anew, under another name: readers that have looked up the size of a file must not find
another one under its name (polars and DuckDB end with errors then). Of a process that dies before the second copy is
there nothing is left that counts: the next one asks for those days again. One that dies later leaves all that the next
one needs to go on. So there is no moment at which rows are lost or doubled for good.

Why not without seeing rows twice: several files have no one rename. A link inside the folder to all parts of a state
is not followed by DuckDB and Dask; a folder that is a link itself can be exchanged in one step, but is copied as a link
by backups, cannot be a mount, loses what others have put into it, and cannot be made by everybody on Windows.

What is half written never lies in the folder, where it would stop readers that take all files of it. Names of parts
carry a word drawn for this export: files that do not carry it are somebody else's, and are left alone.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import ConfigError
from ..results import Note
from ..results.notes import word_note
from .columns import filter_regions
from .files import MANIFEST, damaged, read_manifest, sync_directory, take_lock, walk, write_durably, write_manifest
from .manifest import Manifest, Part, needs_migration
from .partitions import Folders, split_rows, up_to
from .parts import write_part
from .question import Place
from .store import Change, Region, Store

#: Is there while a process writes. It stays empty: readers of the folder pass over empty files.
LOCK = "_lock"
_BATCH_ROWS = 10_000
#: Parts of fewer rows are joined at the end, into parts of so many.
_SMALL_ROWS, _PART_ROWS = 200_000, 1_000_000
#: The manifest that is about to take its place.
_NEXT = "next"
_STAGED = re.compile(rf"part-[0-9a-f]{{8}}-[0-9]{{6,}}|{_NEXT}|{re.escape(MANIFEST)}")
#: What the system says where files cannot be moved from beside the folder into it: it is mounted there, or not ours.
_NO_ROOM = frozenset({errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS})
#: Half written files of earlier versions, which no reader counts.
_UNFINISHED = re.compile(r"\.(part-[0-9]{6,}|manifest)\.tmp")


@attrs.define
class Folder:
    """The one writer of a folder; `open_folder` makes it."""

    path: Path
    _lock: IO[bytes]
    #: Whether it was not there before.
    _is_made: bool
    needs_keys: bool = attrs.field(default=False, init=False)
    held_bytes: int = attrs.field(default=8 * 2**20, init=False)
    patience_s: float = attrs.field(default=0.0, init=False)
    manifest: Manifest | None = None
    _number: int = 0
    _foreign: list[str] = attrs.field(factory=list)

    # Reading.

    @property
    def place(self) -> Place:
        """What messages say of it."""
        return Place(option="out", target=self.path, noun="folder")

    @property
    def _parts(self) -> list[Part]:
        return [] if self.manifest is None else list(self.manifest.parts.values())

    @property
    def unfinished(self) -> Path:
        """Where files are before they are whole: beside the folder, so that they can be moved into it."""
        path = self.path.resolve()
        return path.parent / f".{path.name}.unfinished"

    def notes(self) -> Iterable[Note]:
        """Name the Parquet files of others in the folder."""
        if self._foreign:
            yield word_note("foreign_files", files=", ".join(self._foreign[:5]))

    def recover(self) -> None:
        """Read the manifest, finish what a process that died had begun, and remove parts that nothing names."""
        if (self.path / MANIFEST).exists():
            self.manifest = read_manifest(self.path, self.place)
            self._go_on()
        self._clear()
        manifest = self.manifest
        parts = manifest.parts if manifest is not None else {}
        found = {path.relative_to(self.path).as_posix(): path for path in walk(self.path) if path.is_file()}
        if manifest is None and any(name.endswith(".parquet") for name in found):
            raise ConfigError(f"{{out}}: {self.path} holds Parquet files of something else; export to another folder")
        inner = [outer.parent.relative_to(self.path).as_posix() for outer in self.path.glob(f"*/**/{MANIFEST}")]
        if manifest is None and inner:
            raise ConfigError(
                f"{{out}}: {self.path} holds the export {inner[0]}, whose rows readers of both would take for one "
                "table; export to another folder"
            )
        self._foreign += [f"{name}/**" for name in sorted(inner)]
        for part in parts.values():
            if part.path not in found or found[part.path].stat().st_size != part.size:
                raise damaged(self.path, f"{part.path} is not there as it was written")
        self._number = max((int(re.findall(r"[0-9]+", name)[-1]) for name in parts), default=0)
        ours = None if manifest is None else re.compile(rf"part-{manifest.id}-[0-9]{{6,}}\.parquet")
        migrates = manifest is not None and needs_migration(manifest, self.place)
        for name, path in found.items():
            if name in parts or name == MANIFEST:
                continue
            if _UNFINISHED.fullmatch(path.name) or (ours and ours.fullmatch(path.name)):
                path.unlink()
            elif name.endswith(".parquet"):
                self._foreign.append(name)
        if migrates:
            self._migrate()

    def read(self, regions: Sequence[Region]) -> Iterator[pa.RecordBatch]:
        """Read the rows that are in any of *regions*."""
        for part in self._parts:
            some = [region for region in regions if part.may_hold(region.location, region.window)]
            for batch in self._read([part]) if some else ():
                yield batch.filter(filter_regions(batch, some))

    def _read(self, parts: Iterable[Part]) -> Iterator[pa.RecordBatch]:
        for part in parts:
            with pq.ParquetFile(self.path / part.path) as file:
                # One thread: what each takes and gives back is kept apart, and not used again by the others.
                yield from file.iter_batches(_BATCH_ROWS, use_threads=False)

    # Writing.

    def begin(self, manifest: Manifest) -> None:
        """Keep the first manifest."""
        try:
            self._exchange((), (), manifest)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise ConfigError(
                f"{{out}}: files cannot lie in {self.unfinished.parent} until they are whole, and be moved into "
                f"{self.path} then ({error.strerror}); export to a folder inside of {self.path}"
            ) from error

    def commit(self, changes: Sequence[Change], manifest: Manifest) -> None:
        """Let *changes* and *manifest* take effect together, or not at all."""
        replaced = [change.region for change in changes if change.replaces]
        staged: list[Part] = []
        removed: list[str] = []
        try:
            for part in self._parts if replaced else ():
                regions = [region for region in replaced if part.may_hold(region.location, region.window)]
                if not regions:
                    continue
                kept = self._stage(part.folders, self._without(part, regions), manifest.schema)
                if kept.rows == part.rows:
                    (self.unfinished / kept.name).unlink()
                    continue
                removed.append(part.path)
                if kept.rows:
                    staged.append(kept)
            rows: dict[Folders, list[pa.RecordBatch]] = {}
            for change in changes:
                for batch in change.batches:
                    for folders, some in split_rows(manifest.partition, batch):
                        rows.setdefault(folders, []).append(some)
            staged += [self._stage(folders, batches, manifest.schema) for folders, batches in rows.items()]
            self._exchange(staged, removed, manifest)
        finally:
            self._clear()

    def finish(self) -> None:
        """Join small parts, and make an empty one where there is no row at all, so that there is a table to read."""
        manifest = self.manifest
        assert manifest is not None
        if not self._parts:
            self._exchange([self._stage((), (), manifest.schema)], [], manifest)
        folders: dict[Folders, list[Part]] = {}
        for part in self._parts:
            if part.rows < _SMALL_ROWS:
                folders.setdefault(part.folders, []).append(part)
        joined = [
            (name, some)
            for name, parts in folders.items()
            for some in up_to(parts, _PART_ROWS, lambda part: part.rows)
            if len(some) > 1
        ]
        for few in up_to(joined, _PART_ROWS, lambda one: sum(part.rows for part in one[1])):
            staged = [self._stage(name, self._read(some), manifest.schema) for name, some in few]
            self._exchange(staged, [part.path for _, some in few for part in some], self.manifest or manifest)
        self._clear()

    def close(self) -> None:
        """Let others write; what never began leaves no trace."""
        self._clear()
        with suppress(OSError):
            (self.path / LOCK).unlink()  # where an open file cannot be removed, it goes with the next run
        self._lock.close()
        if self._is_made and self.manifest is None and not any(self.path.iterdir()):
            self.path.rmdir()

    def _without(self, part: Part, regions: Sequence[Region]) -> Iterator[pa.RecordBatch]:
        for batch in self._read([part]):
            yield batch.filter(pc.invert(filter_regions(batch, regions)))

    def _migrate(self) -> None:
        """Write all parts anew, in today's types."""
        manifest = self.manifest
        assert manifest is not None
        schema = manifest.schema
        staged = [
            self._stage(part.folders, (batch.cast(schema) for batch in self._read([part])), schema)
            for part in self._parts
        ]
        columns = tuple((field.name, str(field.type)) for field in schema)
        self._exchange(staged, [part.path for part in self._parts], attrs.evolve(manifest, columns=columns))

    def _stage(self, folders: Folders, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Part:
        """Write a part, beside the folder."""
        assert self.manifest is not None
        self._number += 1
        name = f"part-{self.manifest.id}-{self._number:06}"
        self.unfinished.mkdir(exist_ok=True)
        return write_part(self.unfinished / name, folders, batches, schema)

    def _exchange(self, staged: Sequence[Part], removed: Iterable[str], manifest: Manifest) -> None:
        """Let *manifest* count, with *staged* parts and without those *removed*."""
        removed = frozenset(removed)
        kept = [part for part in self._parts if part.path not in removed]
        parts = {part.path: part for part in (*kept, *staged)}
        manifest = attrs.evolve(manifest, parts=parts)
        if manifest == self.manifest:
            return
        self.unfinished.mkdir(exist_ok=True)
        for name in (_NEXT, MANIFEST):  # the second says that the first is whole
            write_durably(self.unfinished / name, lambda file: write_manifest(manifest, file))
        for directory in (self.unfinished, self.unfinished.parent):
            sync_directory(directory)
        self._take_effect(manifest)

    def _take_effect(self, manifest: Manifest) -> None:
        """Move what lies beside the folder into it, and remove what counts no longer; nothing slow in between."""
        paths = {part.name: self.path / part.path for part in manifest.parts.values()}
        moves = [(file, paths[file.name]) for file in self.unfinished.iterdir() if file.name in paths]
        directories = {self.path, *(path.parent for _, path in moves)}
        for directory in directories:
            directory.mkdir(parents=True, exist_ok=True)
        for file, path in moves:
            file.replace(path)
        if (self.unfinished / _NEXT).exists():
            (self.unfinished / _NEXT).replace(self.path / MANIFEST)
        for part in self._parts:
            if part.path not in manifest.parts:
                (self.path / part.path).unlink(missing_ok=True)
        inner = {outer for one in directories for outer in one.parents if self.path in outer.parents}
        for directory in directories | inner:
            sync_directory(directory)
        self.manifest = manifest
        self._clear()

    def _go_on(self) -> None:
        """Finish what a process that died had begun to let take effect."""
        try:
            announced = read_manifest(self.unfinished, self.place)
        except ConfigError:  # there is none, or half of one
            return
        if self.manifest is not None and announced.id == self.manifest.id:
            self._take_effect(announced)

    def _clear(self) -> None:
        """Remove what lies beside the folder, but for what is somebody else's."""
        for file in self.unfinished.glob("*"):
            if _STAGED.fullmatch(file.name):
                file.unlink(missing_ok=True)
        with suppress(OSError):  # there is none, or others have something there
            self.unfinished.rmdir()


def open_folder(path: Path) -> Store:
    """Open *path*, alone: make it if it is not there, and put right what a process that died has left."""
    for outer in path.resolve().parents:
        if (outer / MANIFEST).exists():
            raise ConfigError(
                f"{{out}}: {path} lies in the export {outer}, whose readers would take its rows for theirs; export to "
                "a folder outside of it"
            )
    is_made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise type(error)(f"{path} is a file, or lies in one; name a folder") from None
    folder = Folder(path, take_lock(path / LOCK), is_made)
    try:
        folder.recover()
    except BaseException:
        folder.close()
        raise
    return folder
