"""What an export asks of a client beyond its methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import attrs

from ..execution import ChunkStream
from ..planning import Plan
from ..results import Chunk
from .client import AsyncIndivd
from .opened import OpenStream

# ruff: noqa: SLF001  what is private to the client is of this room

C = TypeVar("C")


def renewing(client: AsyncIndivd) -> AsyncIndivd:
    """Return a client like *client* that asks for what its cache has, too, and keeps the answers there."""
    twin = client.with_options()
    if twin._keeping is not None:
        twin._keeping = attrs.evolve(twin._keeping, renews=True)
    return twin


def stream_made(
    client: AsyncIndivd, plans: Iterable[Plan], make: Callable[[Chunk], C], *, for_table: bool
) -> AbstractAsyncContextManager[ChunkStream[C]]:
    """
    Stream what *make* makes of each chunk of *plans* at once; little waits to be taken.

    *for_table* says that it makes columns of them, by `indivd_async.results.tables`: they need not become objects then.
    """
    return OpenStream(
        lambda: client._call("stream", collects=True),
        lambda call: attrs.evolve(call, for_table=for_table).stream(plans, False, make, waiting=0),
    )
