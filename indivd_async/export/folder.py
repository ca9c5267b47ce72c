"""
The folder of an export: its parts, and the manifest that says which of them count. Blocking, for a worker thread.

Theory of operation. A part is written beside the folder, synced, and so is the manifest that makes it count, together
with the days whose rows it holds. When a second copy of the manifest is there, the commit counts: parts are moved into
the folder, and the manifest takes the place of the old one. Of a process that dies before the second copy is there
nothing is left that counts: the next one asks for those days again. One that dies later leaves all that the next one
needs to go on.

A row stays in the file that it is in: rows that replace others of their keys are written to the same part, which takes
the place of its former self in one step and has the bytes of that in their places (`parts`). New rows go to a part that
has room, or to a new one. So there is no moment at which a reader finds a row twice, or not at all. Several files have
no one rename: a reader may find some parts as they were and others as they are now.

What counts no longer leaves a hole when it has not counted for half a day. A part whose rows are all gone stays, as a
table without rows: somebody may have listed it.

What is half written never lies in the folder, nor does the lock: readers that take all files of it would stop at them,
or list them and not find them. Names of parts carry a word drawn for this export: files that do not carry it are
somebody else's, and are left alone.
"""

# pyarrow.compute makes its functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .. import wall_clock
from ..errors import ConfigError
from ..results import Note
from ..results.notes import word_note
from .columns import filter_regions, is_among
from .files import (
    MANIFEST,
    beside,
    check_outside,
    damaged,
    moving_into,
    read_manifest,
    reading,
    sync_directory,
    take_lock,
    walk,
    write_durably,
    write_manifest,
)
from .manifest import Manifest, Part, columns_of, needs_migration
from .partitions import Folders, split_rows
from .parts import Grown, write_part
from .question import Place
from .store import Change, Region

#: The lock of earlier versions, in the folder.
_FORMER_LOCK = "_lock"
_BATCH_ROWS = 10_000
#: Rows with which a part has no room for more.
_FULL = 200_000
#: Parts without rows that stay. Of more the oldest go, which who has just listed them will miss.
_EMPTY = 1_000
#: The manifest that is about to take its place.
_NEXT = "next"
_STAGED = re.compile(rf"part-[0-9a-f]{{8}}-[0-9]{{6,}}|{_NEXT}|{re.escape(MANIFEST)}")
#: Half written files of earlier versions, which no reader counts.
_UNFINISHED = re.compile(r"\.(part-[0-9]{6,}|manifest)\.tmp")


@attrs.define(kw_only=True)
class _Growth:
    """What becomes of a part: rows of these regions go, those of `batches` come."""

    regions: Sequence[Region] = ()
    batches: list[pa.RecordBatch] = attrs.field(factory=list)

    def keep(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """Return what stays of *batch*, in the types of *schema*."""
        return batch.filter(pc.invert(filter_regions(batch, self.regions))) if self.regions else batch.cast(schema)


def _take(path: Path) -> IO[bytes]:
    """Make *path* if it is not there, and keep others from writing to it."""
    check_outside(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise type(error)(f"{path} is a file, or lies in one; name a folder") from None
    with moving_into(path):
        return take_lock(beside(path, "lock"), path)


@attrs.define
class Folder:
    """The one writer of a folder."""

    path: Path
    _lock: IO[bytes] | None = attrs.field(default=None, init=False)
    #: Whether it was not there before.
    _is_made: bool = attrs.field(default=False, init=False)
    needs_keys: bool = attrs.field(default=False, init=False)
    held_bytes: int = attrs.field(default=8 * 2**20, init=False)
    patience_s: float = attrs.field(default=0.0, init=False)
    manifest: Manifest | None = None
    #: Whether what lies beside the folder counts, though not all of it is in the folder.
    _is_announced: bool = False
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
        return beside(self.path, "unfinished")

    def notes(self) -> Iterable[Note]:
        """Name the Parquet files of others in the folder."""
        if self._foreign:
            yield word_note("foreign_files", files=", ".join(self._foreign[:5]))

    def open(self) -> None:
        """Take the folder, alone: make it if it is not there, and put right what a process that died has left."""
        self._is_made = not self.path.exists()
        self._lock = _take(self.path)
        if (former := self.path / _FORMER_LOCK).exists():
            take_lock(former, self.path).close()
            former.unlink()
        self._recover()

    def _recover(self) -> None:
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
            if part.path not in found or not Grown(found[part.path], part).is_there():
                raise damaged(self.path, f"{part.path} is not there as it was written")
        self._number = max((int(re.findall(r"[0-9]+", name)[-1]) for name in parts), default=0)
        ours = None if manifest is None else re.compile(rf"part-{manifest.id}-[0-9]{{6,}}\.parquet")
        names = {found[name].name for name in parts}  # what is called so elsewhere is somebody's copy
        for name, path in found.items():
            if name in parts or name == MANIFEST:
                continue
            if _UNFINISHED.fullmatch(path.name) or (ours and ours.fullmatch(path.name) and path.name not in names):
                path.unlink()
            elif name.endswith(".parquet"):
                self._foreign.append(name)
        if manifest is not None and needs_migration(manifest, self.place):
            self._migrate()

    def read(self, regions: Sequence[Region]) -> Iterator[pa.RecordBatch]:
        """Read the rows that are in any of *regions*."""
        for part in self._parts:
            some = [region for region in regions if part.may_hold(region.location, region.window)]
            for batch in self._read(part) if some else ():
                yield batch.filter(filter_regions(batch, some))

    def _read(self, part: Part) -> Iterator[pa.RecordBatch]:
        with reading(self.path, part), pq.ParquetFile(self.path / part.path) as file:
            # One thread: what each takes and gives back is kept apart, and not used again by the others.
            yield from file.iter_batches(_BATCH_ROWS, use_threads=False)

    # Writing.

    def begin(self, manifest: Manifest) -> None:
        """Keep the first manifest."""
        with moving_into(self.path):
            self._exchange((), manifest)

    def commit(self, changes: Sequence[Change], manifest: Manifest) -> None:
        """Let *changes* and *manifest* take effect together, or not at all."""
        rows: dict[Folders, list[pa.RecordBatch]] = {}
        for change in changes:
            for batch in change.batches:
                for folders, some in split_rows(manifest.partition, batch):
                    rows.setdefault(folders, []).append(some)
        try:
            growths = self._replace([change.region for change in changes if change.replaces], rows)
            last = {part.folders: part for part in self._parts} if rows else {}
            for folders, batches in rows.items():
                part = last.get(folders)
                target = folders if part is None or part.rows >= _FULL else part
                if batches:
                    growths.setdefault(target, _Growth()).batches += batches
            staged = [self._stage(target, growth, manifest.schema) for target, growth in growths.items()]
            self._exchange(staged, manifest)
        finally:
            self._clear()

    def _replace(
        self, replaced: Sequence[Region], rows: dict[Folders, list[pa.RecordBatch]]
    ) -> dict[Part | Folders, _Growth]:
        """Say what becomes of the parts that have rows of regions; what takes their places is taken out of *rows*."""
        growths: dict[Part | Folders, _Growth] = {}
        for part in self._parts:
            regions = [region for region in replaced if part.may_hold(region.location, region.window)]
            batches = [batch.filter(filter_regions(batch, regions)) for batch in self._read(part)] if regions else []
            gone = pa.Table.from_batches(batches) if batches else None
            if gone is None or not gone.num_rows:
                continue
            growth = growths[part] = _Growth(regions=regions)
            some = rows.get(part.folders, [])
            masks = [is_among(batch, gone) for batch in some]
            growth.batches += [batch.filter(mask) for batch, mask in zip(some, masks, strict=True)]
            others = [batch.filter(pc.invert(mask)) for batch, mask in zip(some, masks, strict=True)]
            rows[part.folders] = [batch for batch in others if batch.num_rows]
        return growths

    def finish(self) -> None:
        """Make an empty part where there is none, so that there is a table to read; give back space."""
        manifest = self.manifest
        assert manifest is not None
        large: list[Part | Folders] = [part for part in self._parts if Grown(self.path / part.path, part).can_shrink()]
        targets = large if self._parts else [()]
        self._exchange([self._stage(target, _Growth(), manifest.schema) for target in targets], manifest)

    def close(self) -> None:
        """Let others write; what never began leaves no trace."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        self._clear()
        with suppress(OSError):
            Path(lock.name).unlink()  # where an open file cannot be removed, it goes with the next run
        lock.close()
        if self._is_made and self.manifest is None and not any(self.path.iterdir()):
            self.path.rmdir()

    def _migrate(self) -> None:
        """Write all parts anew, in today's types."""
        manifest = self.manifest
        assert manifest is not None
        staged = [self._stage(part, _Growth(), manifest.schema) for part in self._parts]
        self._exchange(staged, attrs.evolve(manifest, columns=columns_of(manifest.query)))

    def _stage(self, target: Part | Folders, growth: _Growth, schema: pa.Schema) -> Part:
        """Write a part, beside the folder: one that is there as it is to be, or a new one."""
        assert self.manifest is not None
        self.unfinished.mkdir(exist_ok=True)
        if not isinstance(target, Part):
            self._number += 1
            name = f"part-{self.manifest.id}-{self._number:06}"
            return write_part(self.unfinished / name, target, growth.batches, schema, None, adds=False)
        there, new = Grown(self.path / target.path, target), self.unfinished / target.name
        after = None if there.is_swollen() else there
        if not growth.regions and after is not None and there.can_add(schema):
            return write_part(new, target.folders, growth.batches, schema, after, adds=True)
        stays = (growth.keep(batch, schema) for batch in self._read(target))
        return write_part(new, target.folders, itertools.chain(stays, growth.batches), schema, after, adds=False)

    def _exchange(self, staged: Sequence[Part], manifest: Manifest) -> None:
        """Let *manifest* count, with *staged* parts as they are now."""
        parts = {part.path: part for part in (*self._parts, *staged)}
        for path in [path for path, part in parts.items() if not part.rows][:-_EMPTY]:
            del parts[path]
        manifest = attrs.evolve(manifest, parts=parts)
        if manifest == self.manifest:
            return
        self.unfinished.mkdir(exist_ok=True)
        for name in (_NEXT, MANIFEST):  # the second says that the first is whole
            self._write(name, manifest)
        self._is_announced = self.manifest is not None
        for directory in (self.unfinished, self.unfinished.parent):
            sync_directory(directory)
        self._take_effect(manifest)

    def _write(self, name: str, manifest: Manifest) -> None:
        least = 0 if self.manifest is None else (self.path / MANIFEST).stat().st_size
        write_durably(self.unfinished / name, lambda file: write_manifest(manifest, file, least))

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
        self.manifest, self._is_announced = manifest, False
        self._clear()

    def _go_on(self) -> None:
        """Finish what a process that died had begun to let take effect."""
        try:
            announced = read_manifest(self.unfinished, self.place)
        except ConfigError:  # there is none, or half of one
            return
        is_ours = self.manifest is not None and announced.id == self.manifest.id
        if is_ours and all(map(self._is_there, announced.parts.values())):
            self._is_announced = True
            now = wall_clock.utc_now().timestamp()  # when what they have no longer ceases to count
            parts = {path: attrs.evolve(part, since=now) for path, part in announced.parts.items()}
            announced = attrs.evolve(announced, parts=parts)
            self._write(_NEXT, announced)  # whoever dies meanwhile leaves the second one, which says the same
            self._take_effect(announced)

    def _is_there(self, part: Part) -> bool:
        """Tell whether *part* lies in or beside the folder: not if somebody has put back the folder of another day."""
        return any(Grown(file, part).is_there() for file in (self.path / part.path, self.unfinished / part.name))

    def _clear(self) -> None:
        """Remove what lies beside the folder, but for what counts, and what is somebody else's."""
        if self._is_announced:
            return
        for file in self.unfinished.glob("*"):
            if _STAGED.fullmatch(file.name):
                file.unlink(missing_ok=True)
        with suppress(OSError):  # there is none, or others have something there
            self.unfinished.rmdir()
