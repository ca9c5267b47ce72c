"""One request of a plan, its URL, and what fits one: lists too long for it become several."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from urllib.parse import quote

import attrs

from ..fielded import Fielded
from ..models import NOTHING_EXTRA, FrozenMap
from ..models.endpoints import DATA_ENDPOINTS, DataEndpoint
from ..profile import Profile
from ..refusals import NotMergeableError
from ..wording import brief, clip
from .windows import Window, bucket_unit, default_grouping

#: Some proxies cut at 8 KB, headers included.
MAX_URL_BYTES = 6_000
#: Kept free for what a plan does not know: scheme, host, and the path prefix of a gateway.
_ORIGIN_BYTES = 160
#: A list is cut only where each of its pieces has at least this much room, which the longest id fits.
_LEAST_ROOM = 64
_SAFE = ",/:"  # stay readable, as in the article's samples
#: Text that goes as it is, which nearly all does; `quote` takes ten times as long to find that out.
_is_plain = re.compile(r"[\w.~,/:-]*", re.ASCII).fullmatch
#: 400 has many causes; 413 and 414 are what gateways answer to long URLs.
_REFUSED_AS_TOO_LONG = frozenset({400, 413, 414})
_LONG_URL_BYTES = 400
#: Characters of a request in a message: URLs may have 6,000.
_MOST_TEXT = 300

Ids = tuple[int, ...]
#: Ids by their parameter.
Lists = Mapping[str, Ids]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PlannedRequest(Fielded):
    """
    One request of a plan.

    `path` and `params` are what is sent, `reason` says why this request is one of its own. `window` are its days,
    `period` the period of the query they belong to, `tz` the clock of its buckets where known, `carried` the fields
    that its rows get from the request.
    """

    index: int
    """Position in the whole plan, also where the plan is a shard of it."""
    endpoint: str
    """`line_crosses`, `zone_visitors` or `drop_in_rate`, or the list of a look-up."""
    path: str
    """With its slash as documented, without the prefix of the base URL."""
    params: FrozenMap = attrs.field(default=NOTHING_EXTRA, repr=brief)
    """Wire names and values, both text."""
    reason: str = ""
    """Why it is a request of its own."""
    window: Window | None = None
    """Its days; None for a look-up."""
    period: str = "current"
    """"current", "comparison", or "both" where one request brings the two."""
    tz: str | None = None
    """The clock of its buckets, an IANA name, where it is known."""
    carried: FrozenMap = attrs.field(default=NOTHING_EXTRA, repr=brief)
    """Fields that its rows get from it."""
    series: int = 0
    """Which of the plan's series: a time-zone group, a value of a fan-out, a piece of a long list."""
    locations: tuple[int, ...] | None = attrs.field(default=None, repr=brief)
    """The locations asked for; None where all are."""
    profile: Profile | None = None
    """What is known of the service that is asked, where something is."""

    @property
    def target(self) -> str:
        """The path with its query, percent-encoded, as it goes on the wire."""
        return f"{self.path}?{encode_params(self.params.items())}" if self.params else self.path

    @property
    def last_day(self) -> date:
        """The last day asked for, of either period; `date.max` where the request has no days."""
        days = [self.window.end] if self.window is not None else [date.max]
        if "comparison_end_date" in self.params:
            days.append(date.fromisoformat(self.params["comparison_end_date"]))
        return max(days)

    def advise_refused(self, status: int) -> str:
        """Say which limit that no page tells may have been met, where this request was refused with *status*."""
        if self.window is None or status not in _REFUSED_AS_TOO_LONG:
            return ""
        grouping, days, url_bytes = grouping_of(self), self.window.days, len(self.target)
        advice = []
        if days > 1:
            if (unit := bucket_unit(grouping)) is not None:
                half = max(1, days // 2)
                most = f'MostDays(endpoint="{self.endpoint}", unit="{unit}", days={half})'
                advice.append(
                    f"if {days} days are more than it takes at once, pass {{split:{half}}} or fewer, or have every "
                    f"question cut so by {{profile:Profile(most_days=({most},))}}"
                )
            else:
                advice.append(
                    f"if {days} days are more than the service takes, ask for shorter periods: sums by {grouping} "
                    "cannot be cut, so {split} does not help"
                )
        if status != 400 or url_bytes > _LONG_URL_BYTES:
            advice.append(
                f"if a URL of {url_bytes:,} bytes is too long for it, ask for fewer ids at once, or pass "
                f"{{profile:Profile(longest_url={max(500, url_bytes // 2)})}}, which cuts lists"
            )
        if not advice:
            return ""
        return f"The API does not say what it refuses: {'; '.join(advice)}. `indivd verify` measures such limits"

    def __str__(self) -> str:
        return f"GET {clip(self.target, _MOST_TEXT)}"


def grouping_of(request: PlannedRequest) -> str:
    """Return the grouping that was sent, or else the one that is documented for so many days."""
    endpoint, window = DATA_ENDPOINTS[request.endpoint], request.window
    assert window is not None
    return request.params.get(endpoint.grouping) or default_grouping(endpoint, window)


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


def write_lists(lists: Lists) -> list[tuple[str, str]]:
    return [(name, ",".join(map(str, ids))) for name, ids in lists.items()]


def fit_lists(endpoint: DataEndpoint, lists: Lists, *, beside: int, longest: int | None) -> list[tuple[Lists, str]]:
    """
    Cut the lists that may be cut, so that every combination of their pieces fits a URL; say which part each is of what.

    *beside* are the bytes of everything else in it, *longest* those that the service is known to take.
    `NotMergeableError` where a list is too long that cannot be cut.
    """
    at_most = min(longest or MAX_URL_BYTES, MAX_URL_BYTES)
    sizes = {param[0]: size_of([param]) for param in write_lists(lists)}
    room = at_most - _ORIGIN_BYTES - len(endpoint.path) - beside - sum(sizes.values())
    if room >= 0:
        return [(lists, "")]
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
        (
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
