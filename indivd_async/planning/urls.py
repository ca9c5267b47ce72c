"""What fits a URL: how parameters are written, and how lists too long for one become several."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from urllib.parse import quote

import attrs

from ..fielded import Fielded
from ..models.endpoints import DataEndpoint
from ..refusals import NotMergeableError

#: Some proxies cut at 8 KB, headers included.
MAX_URL_BYTES = 6_000
#: Kept free for what a plan does not know: scheme, host, and the path prefix of a gateway.
_ORIGIN_BYTES = 160
#: A list is cut only where each of its pieces has at least this much room, which the longest id fits.
_LEAST_ROOM = 64
_SAFE = ",/:"  # stay readable, as in the article's samples
#: Text that goes as it is, which nearly all does; `quote` takes ten times as long to find that out.
_is_plain = re.compile(r"[\w.~,/:-]*", re.ASCII).fullmatch

Ids = tuple[int, ...]


def encode_params(params: Iterable[tuple[str, str]]) -> str:
    """
    Write *params* as the query of a URL.

    >>> encode_params([("zones", "1,2"), ("tz", "Europe/Stockholm")])
    'zones=1,2&tz=Europe/Stockholm'
    """
    return "&".join([f"{name}={text if _is_plain(text) else quote(text, safe=_SAFE)}" for name, text in params])


def size_of(params: Iterable[tuple[str, str]]) -> int:
    """Count the bytes that *params* add to a URL, each with its separator."""
    return len(f"&{written}") if (written := encode_params(params)) else 0


@attrs.frozen(eq=False, repr=False)
class Piece(Fielded):
    """The ids of one request, by parameter; `why` says which part of a long list they are, if of one."""

    lists: Mapping[str, Ids]
    why: str = ""

    @property
    def params(self) -> tuple[tuple[str, str], ...]:
        """The lists in wire form."""
        return tuple((name, _join(ids)) for name, ids in self.lists.items())


def fit_lists(endpoint: DataEndpoint, lists: Mapping[str, Ids], *, beside: int, longest: int | None) -> list[Piece]:
    """
    Cut the lists that may be cut, so that every combination of their pieces fits a URL.

    *beside* are the bytes of everything else in it, *longest* those that the service is known to take.
    `NotMergeableError` where a list is too long that cannot be cut.
    """
    at_most = min(longest or MAX_URL_BYTES, MAX_URL_BYTES)
    sizes = {name: size_of([(name, _join(ids))]) for name, ids in lists.items()}
    room = at_most - _ORIGIN_BYTES - len(endpoint.path) - beside - sum(sizes.values())
    if room >= 0:
        return [Piece(lists)]
    cuttable = sorted((name for name in endpoint.chunked if name in lists), key=sizes.__getitem__)
    room += sum(sizes[name] for name in cuttable)
    if not cuttable or room < _LEAST_ROOM * len(cuttable):
        name = max(set(lists) - set(cuttable), key=sizes.__getitem__)
        raise _too_long(name, lists[name], at_most)
    pieces = {name: [ids] for name, ids in lists.items()}
    # The shorter list stays whole while it takes less than its share; the longer ones get what is left.
    for sharers, name in zip(range(len(cuttable), 0, -1), cuttable, strict=True):
        share = min(sizes[name], room // sharers)
        room -= share
        pieces[name] = list(_pack(lists[name], share - size_of([(name, "")])))
    combined = product(*([(name, number) for number in range(len(cut))] for name, cut in pieces.items()))
    return [
        Piece(
            {name: pieces[name][number] for name, number in choice},
            ", ".join(_reason(name, pieces[name], number) for name, number in choice if len(pieces[name]) > 1),
        )
        for choice in combined
    ]


def _too_long(name: str, ids: Ids, at_most: int) -> NotMergeableError:
    return NotMergeableError(
        "count",
        f"{name} has {len(ids):,} values, which do not fit one URL of {at_most:,} bytes, and the counts of "
        "several requests could hold a line twice, since one may belong to several values",
        f"Ask with fewer values of {name}, or with line_ids, whose counts do add up",
    )


def _join(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))


def _pack(ids: Ids, room: int) -> Iterator[Ids]:
    """Deal *ids*, in order, into tuples that take at most *room* bytes each with their commas."""
    first = length = 0
    for position, id in enumerate(ids):
        size = len(str(id)) + 1
        if length + size > room + 1:  # the last id has no comma
            yield ids[first:position]
            first, length = position, 0
        length += size
    yield ids[first:]


def _reason(name: str, pieces: Sequence[Ids], number: int) -> str:
    ids = pieces[number]
    return f"{name} {ids[0]} … {ids[-1]}, part {number + 1} of {len(pieces)} (URL length)"
