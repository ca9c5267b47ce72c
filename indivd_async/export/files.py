"""
Files of an export's folder that last: written whole or not at all, and taken by one process alone.

The manifest is a Parquet table of the export's columns without a row, and what it tells stands in its footer. So
whoever reads all Parquet files of the folder reads it too and gets nothing from it; polars, which refuses a folder that
holds any other kind of file, takes the folder as it is.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow.parquet as pq

from ..errors import ConfigError
from .manifest import Manifest, Part, from_json, to_json
from .question import Place
from .report import DestinationError

MANIFEST = "_manifest.parquet"
_KEY = b"indivd.export"
#: Bytes of the document of a manifest at its first end; twice, four times as many at the next ones.
_LEAST_SIZE = 2**15
#: What the system says where files cannot be moved from beside the folder into it: it is mounted there, or not ours.
_NO_ROOM = frozenset({errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS})
#: What a file that somebody else has locked says; anything else says that locks are not to be had there.
_TAKEN = frozenset({errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK})


def damaged(folder: Path, what: str) -> ConfigError:
    """Say that *folder* cannot be relied on."""
    return ConfigError(f"{{out}}: {folder} is damaged: {what}. Remove the folder to begin anew")


@contextmanager
def reading(folder: Path, part: Part) -> Iterator[None]:
    """Say so where what is read of *part* within is not what was written."""
    try:
        yield
    except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's own are such
        if getattr(error, "errno", None) is not None:  # of the system, which does not let it be read
            raise
        raise damaged(folder, f"{part.path} is not as it was written") from error


def check_outside(folder: Path) -> None:
    """ConfigError where *folder* lies in an export."""
    for outer in folder.resolve().parents:
        if (outer / MANIFEST).exists():
            raise ConfigError(
                f"{{out}}: {folder} lies in the export {outer}, whose readers would take its rows for theirs; export "
                "to a folder outside of it"
            )


def beside(folder: Path, what: str) -> Path:
    """Return where things of *folder* are that must not lie in it."""
    whole = folder.resolve()
    return whole.parent / f".{whole.name}.{what}"


@contextmanager
def moving_into(folder: Path) -> Iterator[None]:
    """Say so where what is done within shows that no file can lie beside *folder* and be moved into it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise ConfigError(
            f"{{out}}: files cannot lie in {folder.resolve().parent} until they are whole, and be moved into {folder} "
            f"then ({error.strerror}); export to a folder inside of {folder}"
        ) from error


def write_manifest(manifest: Manifest, file: IO[bytes], least: int = 0) -> None:
    """Write *manifest* as a Parquet file of *least* bytes or more."""
    # A reader that has looked up the size of the one before, and then opens this, must find a footer where it looks: so
    # sizes are few, only grow, and each larger file has the end of each smaller one at its place.
    document = to_json(manifest)
    size = _LEAST_SIZE
    while True:
        told = document if len(document) <= size else b""
        with pq.ParquetWriter(file, manifest.schema) as writer:
            writer.add_key_value_metadata({_KEY: told.ljust(size)})
        if told and file.tell() >= least:
            return
        size *= 2


def read_manifest(folder: Path, place: Place) -> Manifest:
    """Read what `write_manifest` wrote; ConfigError where it cannot be read."""
    try:
        return from_json(pq.read_metadata(folder / MANIFEST).metadata[_KEY], place)
    except ConfigError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:  # pyarrow's own are ValueErrors
        raise damaged(folder, f"{MANIFEST} cannot be read") from error


def walk(folder: Path) -> Iterator[Path]:
    """Yield what is below *folder*, but for the exports in it."""
    for path in folder.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink() and not (path / MANIFEST).exists():
            yield from walk(path)


def write_durably(path: Path, write: Callable[[IO[bytes]], object]) -> int:
    """Write a file so that it outlasts the machine's end; return its size. DestinationError where there is no room."""
    try:
        with path.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            return file.tell()
    except OSError as error:
        if error.filename is not None:  # it cannot be opened; neither a write nor a close that tries again names a file
            raise
        problem = f"{path} cannot be written ({error.strerror or error}); what was committed stays"
        raise DestinationError(problem) from error


def sync_directory(path: Path) -> None:
    """Let names in *path* outlast the machine's end."""
    if sys.platform == "win32":
        return  # directories cannot be opened there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_lock(path: Path, folder: Path) -> IO[bytes]:
    """Take *folder* by a file, for this process and while that is open; the system lets it go when the process dies."""
    file = path.open("ab")
    try:
        _lock(file)
        # Whoever had it may have removed it meanwhile; then another may have made, and taken, a new one.
        taken = not os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError as error:
        file.close()
        if error.errno not in _TAKEN and not isinstance(error, FileNotFoundError):
            raise ConfigError(
                f"{{out}}: the file system of {path.parent} has no locks ({error.strerror}), so two exports could "
                "write there at once and spoil each other's; export to a folder on another file system"
            ) from error
        taken = True
    if taken:
        file.close()
        raise ConfigError(f"{{out}}: another export is writing to {folder}; wait for it, or export to another folder")
    return file


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
