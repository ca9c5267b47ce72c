"""The time zones that this machine knows, by their IANA names."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeGuard

from .refusals import ConfigError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


@lru_cache(maxsize=1024)
def zone_of(tz: str) -> ZoneInfo:
    """Look up an IANA time zone; ValueError, KeyError or OSError where there is none of that name."""
    from zoneinfo import ZoneInfo  # with all that finds its files: not before a time zone is named

    return ZoneInfo(tz)


#: Files of the system that are no IANA time zones: the machine's own clock, and copies of the table.
_NOT_IANA = frozenset({"localtime", "posixrules", "Factory", "posix", "right"})


def is_time_zone(tz: object) -> TypeGuard[str]:
    """Tell whether *tz* names an IANA time zone; ConfigError where this machine knows none at all."""
    if not (isinstance(tz, str) and tz):
        return False
    try:
        zone_of(tz)
    except (ValueError, KeyError, OSError):  # ZoneInfo raises each of them, by the kind of nonsense
        if tz == "UTC":  # which every database has
            raise ConfigError("no time zones are known to this machine: `pip install tzdata` brings them") from None
        return not is_time_zone("UTC")
    return tz.partition("/")[0] not in _NOT_IANA
