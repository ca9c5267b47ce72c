"""
Where an export is kept: one face for folders and databases.

A store keeps rows and a manifest, and lets both change together: after a commit, and after a process was killed at any
moment, the rows are those that the manifest tells of. All of it blocks, and is for a worker thread; one thread at a
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, Protocol, TypeVar

import anyio.to_thread
import attrs
import pyarrow as pa

from ..planning import Window
from ..results import Note
from .manifest import Manifest
from .question import Place

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Region:
    """Rows that are replaced together: of one period, of one location (None: of all), of some days (None: all)."""

    period: str
    location: int | None = None
    #: By the day of `bucket_start`, both ends included. Rows that tell no day are in no window.
    window: Window | None = None


@attrs.frozen(kw_only=True)
class Change:
    """The rows of a region, as they are from now on; `replaces` is False where nothing of it is there yet."""

    region: Region
    batches: Sequence[pa.RecordBatch] = ()
    replaces: bool = True

    @property
    def rows(self) -> int:
        """How many rows there are from now on."""
        return sum(batch.num_rows for batch in self.batches)


@attrs.frozen
class Turns:
    """
    What a store does, in worker threads, one at a time.

    asyncio's own cancelling (an interrupt, SIGTERM, a timeout) heeds no shield: the thread goes on alone, and whatever
    comes next, such as closing the store, must wait for it.
    """

    _taken: Lock = attrs.field(factory=Lock, init=False)

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """Do *work* when all that began before it has ended."""
        return await anyio.to_thread.run_sync(self._run, work, args)

    def _run(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        with self._taken:
            return work(*args)


class Store(Protocol):
    """One export's rows and manifest, and this process their only writer."""

    #: None until the export has begun.
    manifest: Manifest | None
    #: Whether two rows of one key cannot be kept.
    needs_keys: bool
    #: Bytes of rows that are held at most before they are committed.
    held_bytes: int
    #: Seconds for which what is not there is waited for.
    patience_s: float

    @property
    def place(self) -> Place:
        """What messages say of it."""
        ...

    def open(self) -> None:
        """Let nobody else write, and read the manifest, if there is one."""
        ...

    def begin(self, manifest: Manifest) -> None:
        """Make room for rows, and keep the first manifest."""
        ...

    def commit(self, changes: Sequence[Change], manifest: Manifest) -> None:
        """Let *changes* and *manifest* take effect together, or not at all."""
        ...

    def read(self, regions: Sequence[Region]) -> Iterator[pa.RecordBatch]:
        """Read the rows that are in any of *regions*."""
        ...

    def notes(self) -> Iterable[Note]:
        """Tell what others have left there, or taken away."""
        ...

    def finish(self) -> None:
        """Put in order what many small commits have left."""
        ...

    def close(self) -> None:
        """Let others write, if it is open; what never began leaves no trace."""
        ...
