"""
The plan of a query: which requests answer it, in which order, and why each.

A plan is a value: it hashes and pickles by its query and the locations it knows, and builds its requests only when
they are read. Nothing here touches a network, a clock or a random source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cached_property
from html import escape
from itertools import pairwise
from typing import Any, NoReturn

import attrs

from ..fielded import Fielded
from ..models import Location
from ..profile import NOTHING_KNOWN, Profile
from ..queries import QUERIES, Query, one_by_one
from ..refusals import InvalidQueryError
from ..settings import check, is_at_least
from ..wording import plural
from .layout import Layout, lay_out, needs_locations, relevant_locations
from .request import PlannedRequest

_JSON_VERSION = 1


@attrs.frozen(repr=False, eq=False)
class Plan(Fielded):
    """
    The requests that answer a query together.

    `len(plan)` and the first request cost next to nothing, however many there are. Iterating builds the requests one
    by one; `requests` builds all.
    """

    query: Query
    """The question."""
    locations: tuple[tuple[int, str], ...] | None = attrs.field(default=None, kw_only=True)
    """(id, IANA time zone) of the locations that the plan was made from; None where time zones do not matter to it."""
    cutoff: date | None = attrs.field(default=None, kw_only=True)
    """
    A day after which a window must begin anew where the grouping allows it: the last closed day, for caches and
    exports.
    """
    selection: tuple[int, int] | None = attrs.field(default=None, kw_only=True)
    """Which of the plan's units this shard holds, first and one past the last; None means all."""
    profile: Profile | None = attrs.field(default=None, kw_only=True)
    """What is known of the service: how it numbers, its clocks and limits."""

    def __attrs_post_init__(self) -> None:
        check_asked(self.query, self.cutoff)
        if not isinstance(self.profile, Profile | None):
            raise InvalidQueryError("profile", "must be a Profile", self.profile)
        if self.locations is None and needs_locations(self.query, self.profile or NOTHING_KNOWN):
            raise InvalidQueryError("locations", "their time zones must be known to plan this query", None)

    @cached_property
    def layout(self) -> Layout:
        """The plan's series, windows and units, from which requests are built."""
        return lay_out(self.query, self.locations, self.cutoff, self.profile)

    def __repr__(self) -> str:
        shard = "" if self.selection is None else f", units {self.selection[0]} to {self.selection[1]}"
        query, count = self.query, plural(len(self), "request")
        return f"<Plan of {query.endpoint.name}, {query.start_date} to {query.end_date}: {count}{shard}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.explain())}</pre>"

    def __array__(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a plan is no table of columns; print(plan.explain()), or read the path and params of requests")

    def __len__(self) -> int:
        return self.layout.count(self.selection)

    def __iter__(self) -> Iterator[PlannedRequest]:
        return self.layout.build(self.selection)

    @property
    def requests(self) -> tuple[PlannedRequest, ...]:
        """All requests, in order."""
        return tuple(self)

    def explain(self) -> str:
        """Say in words what will be sent, why it was split, and how the answers are merged."""
        from .explain import explain

        return "\n".join(explain(self.query, self.layout, cutoff=self.cutoff, selection=self.selection))

    def shards(self, n: int) -> tuple[Plan, ...]:
        """
        Deal the requests into at most *n* plans of about equal size; requests whose rows are added up stay together.

        Run each anywhere, then join what they gave with `merge_results`.
        """
        check("n", n, is_at_least(1))
        first, end = self.selection or (0, self.layout.units)
        n = max(1, min(n, end - first))  # a plan without requests is one shard without requests
        cuts = [first + (end - first) * k // n for k in range(n + 1)]
        return tuple(attrs.evolve(self, selection=cut) for cut in pairwise(cuts))

    def to_json(self) -> str:
        """Write the plan as JSON: its query and what was known, not its requests."""
        query = {
            field.name: item
            for field in attrs.fields(type(self.query))
            if (item := getattr(self.query, field.name)) != field.default
        }
        document: dict[str, Any] = {
            "version": _JSON_VERSION,
            "endpoint": self.query.endpoint.name,
            "query": query,
            "locations": self.locations,
            "cutoff": self.cutoff,
            "selection": self.selection,
        }
        if self.profile is not None:
            document["profile"] = json.loads(self.profile.to_json())
        return json.dumps(document, sort_keys=True, separators=(",", ":"), default=date.isoformat)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote; ValueError where the text is not that."""
        try:
            document = json.loads(text)
            if document["version"] != _JSON_VERSION:
                raise ValueError(f"this is a plan of version {document['version']}; this library reads {_JSON_VERSION}")
            locations, selection, cutoff = (document[name] for name in ("locations", "selection", "cutoff"))
            profile = document.get("profile")
            plan = cls(
                QUERIES[document["endpoint"]](**document["query"]),
                locations=None if locations is None else tuple((int(id), str(tz)) for id, tz in locations),
                cutoff=None if cutoff is None else date.fromisoformat(cutoff),
                selection=None if selection is None else (int(selection[0]), int(selection[1])),
                profile=None if profile is None else Profile.from_json(json.dumps(profile)),
            )
        except (KeyError, TypeError, IndexError, RecursionError, json.JSONDecodeError) as error:
            raise ValueError(f"text: not a plan's JSON: {error!r}") from error
        if plan.selection is not None and not 0 <= plan.selection[0] <= plan.selection[1] <= plan.layout.units:
            raise ValueError(f"a shard of units {plan.selection}, of a plan that has {plan.layout.units}")
        return plan


def each_query(given: object) -> Iterator[Query | Plan]:
    """Yield the queries and plans that *given* holds or is, as they are pulled."""
    several = (given,) if isinstance(given, Query | Plan) else given
    return one_by_one("queries", several, Query | Plan, "must be a query or a plan, or a list of them")


def check_asked(query: object, cutoff: object) -> None:
    """Raise InvalidQueryError where nothing of this kind can be planned."""
    if not isinstance(query, Query):
        raise InvalidQueryError("query", "must be a LineCrosses, ZoneVisitors or DropInRate", query)
    if cutoff is not None and (isinstance(cutoff, datetime) or not isinstance(cutoff, date)):
        raise InvalidQueryError("cutoff", "must be a datetime.date, the last day of its window", cutoff)


def make_plan(
    query: Query,
    locations: Mapping[int, Location] | None,
    *,
    cutoff: date | None = None,
    profile: Profile | None = None,
) -> Plan:
    """
    Plan *query*.

    *locations* are all that the token may see, in their order; None says that none were looked up, which only does
    where `needs_locations` says so.
    """
    known = locations is not None and needs_locations(query, profile or NOTHING_KNOWN)
    chosen = relevant_locations(query, locations or {}) if known else None
    return Plan(query, locations=chosen, cutoff=cutoff, profile=profile)
