"""From words to a question: names become ids, and days those of the locations that are asked."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs

from ..client import AsyncIndivd
from ..errors import IndivdError
from ..models import Location
from ..models.endpoints import LISTED_IN
from ..models.places import find_called
from ..queries import Query
from ..time_zones import is_time_zone, zone_of
from .connection import make_client
from .dates import is_relative
from .options import DAYS, FIELDS, UsageError, make_query, read_place
from .spelling import flag
from .suggestions import suggest
from .terminal import say

#: More than ids that there are, so that a question whose names are not looked up yet can be tried.
_STANDS_FOR_NAME = 2**40
_TOLD = 5


@asynccontextmanager
async def asking(args: argparse.Namespace, **options: Any) -> AsyncIterator[tuple[AsyncIndivd, Query]]:
    """
    Make a client, and the query that *args* ask for; *options* are the client's.

    What is wrong with the words is told before anything is sent.
    """
    check_question(args)
    async with make_client(args, profile=args.profile, **options) as client:
        yield client, await _make_question(client, args)


def make_offline(args: argparse.Namespace) -> Query | None:
    """Make the query where no name and no day has to be looked up; refuse what is wrong with it in any case."""
    check_question(args)
    if _named(args) or (_has_relative_days(args) and not _tz_of(args)):
        return None
    return make_query(args, _today_by([_tz_of(args)]))


def check_question(args: argparse.Namespace) -> None:
    """Refuse what is wrong whatever the names stand for, and whichever day it is there."""
    ids = {name: _with_stand_ins(given) for name, given in _named(args).items()}
    here = datetime.now(UTC).date()
    refused: list[UsageError | IndivdError] = []
    for days in (0, 1, -1):
        try:
            make_query(args, here + timedelta(days=days), ids)
        except (UsageError, IndivdError) as error:
            refused.append(error)
        else:
            return
    raise refused[0]


async def _make_question(client: AsyncIndivd, args: argparse.Namespace) -> Query:
    look_up = _LookUp(client)
    named = _named(args)
    ids: dict[str, Sequence[int]] = {}
    for name in sorted(named, key=lambda name: name != "location"):  # which tells zones of one name apart
        at = None if name == "location" else ids.get("location", args.location)
        ids[name] = [id for given in named[name] for id in await look_up.ids_of(name, given, at)]
    today = datetime.now(UTC).date()
    if _has_relative_days(args):
        tz = _tz_of(args)
        today = _today_by([tz]) if tz else await _today_at(look_up, ids.get("location", args.location))
    return make_query(args, today, ids)


def _named(args: argparse.Namespace) -> dict[str, list[int | str]]:
    """Return those lists, of ids and names, that have names."""
    lists = {name: getattr(args, name, None) or () for name in LISTED_IN if name in FIELDS[args.endpoint]}
    return {name: list(given) for name, given in lists.items() if any(isinstance(each, str) for each in given)}


def _with_stand_ins(given: Iterable[int | str]) -> list[int]:
    return [_STANDS_FOR_NAME + number if isinstance(each, str) else each for number, each in enumerate(given)]


# Names.


@attrs.define
class _LookUp:
    """The lists of the token's scope, each asked for once."""

    client: AsyncIndivd
    lists: dict[str, tuple[Any, ...]] = attrs.field(factory=dict)

    async def list_of(self, name: str) -> tuple[Any, ...]:
        if name not in self.lists:
            self.lists[name] = await getattr(self.client, name)()
        return self.lists[name]

    async def ids_of(self, option: str, given: int | str, locations: Sequence[int] | None) -> list[int]:
        """Return what *given* stands for: an id, a name, or several of them with commas."""
        if isinstance(given, int):
            return [given]
        entities = await self.list_of(LISTED_IN[option])
        if _find(given, entities):  # a name may have commas
            return [_only(option, given, entities, locations)]
        words = map(read_place, given.split(","))
        return [_only(option, word, entities, locations) if isinstance(word, str) else word for word in words]


def _find(name: str, entities: Iterable[Any]) -> list[Any]:
    return find_called(name, [(entity.name, entity) for entity in entities])


def _only(option: str, name: str, entities: Collection[Any], locations: Sequence[int] | None) -> int:
    what = LISTED_IN[option]
    everywhere = found = _find(name, entities)
    if locations is not None:
        found = _find(name, [entity for entity in entities if getattr(entity, "location", None) in (None, *locations)])
    if len(found) == 1:
        return int(found[0].id)
    if everywhere and not found:
        shown = ", ".join(map(_place_of, everywhere[:_TOLD]))
        raise UsageError(f"{flag(option)}: the {what} called {name!r} are at other locations: {shown}")
    if not found:
        near = suggest(name, [entity.name for entity in entities if entity.name])
        raise UsageError(
            f"{flag(option)}: none of the {what} is called {name!r}{near or f'; `indivd {what}` lists them'}"
        )
    shown = ", ".join(map(_place_of, found[:_TOLD])) + (f" and {len(found) - _TOLD} more" if len(found) > _TOLD else "")
    apart = ", or --location" if locations is None and hasattr(found[0], "location") and what != "locations" else ""
    raise UsageError(f"{flag(option)}: {len(found)} {what} are called {name!r}: {shown}. Give the id{apart}")


def _place_of(entity: Any) -> str:
    told = [f"{name} {value}" for name in ("location", "city", "floor") if (value := getattr(entity, name, None))]
    return f"{entity.id}" + (f" ({', '.join(told)})" if told else "")


# Days.


def _has_relative_days(args: argparse.Namespace) -> bool:
    return any(is_relative(given) for name in DAYS if (given := getattr(args, name, None)) is not None)


def _tz_of(args: argparse.Namespace) -> str | None:
    tz: str | None = getattr(args, "tz", None)
    return tz if tz and is_time_zone(tz) else None


def _today_by(zones: Iterable[str | None]) -> date:
    """Return the day that has begun in all of *zones*; without any, by this machine's clock."""
    now = datetime.now(UTC)
    return min((now.astimezone(zone_of(tz)).date() for tz in zones if tz), default=date.today())


async def _today_at(look_up: _LookUp, asked: Sequence[int] | None) -> date:
    places: tuple[Location, ...] = await look_up.list_of("locations")
    chosen = [place for place in places if asked is None or place.id in asked]
    zones = sorted({place.timezone for place in chosen if place.timezone and is_time_zone(place.timezone)})
    today = _today_by(zones)
    ahead = [tz for tz in zones if _today_by([tz]) != today]
    if not zones:
        say(f"note: today is {today} by this machine's clock, for no location asked for tells its time zone")
    elif ahead:
        say(f"note: today is {today}, the day that has begun everywhere; it is past in {', '.join(ahead)}")
    return today
