"""
Recordings: the questions and answers of a run in a folder, a file a run, an answer a line of JSON.

They never hold the token, which is in no question and no answer. Anonymous ones hold no id and no name either: ids are
replaced one by one, the same id by the same number of the same length, and text by words.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import orjson

from .._version import __version__
from ..errors import ConfigError
from ..settings import PATH, check
from .course import Run
from .questions import Heard, make_question, whole

_VERSION = 1
#: By which a recording that is served says of which run it is.
RUN_HEADER = "indivd-recorded"
#: Whose ids a field, a parameter or the `id` of a list names: location, loc_id, zone_to, line_ids, categories, …
_OWNER = re.compile("(loc|zone|line|categor|organi)(?:ation|[sz]ation|y|ie)?s?(?:_ids?|_to|_from)?")
#: Text that names nobody: time zones, dates, times, what the article calls an interval, yes and no.
_PLAIN = re.compile(
    r"[A-Z][A-Za-z_]+(/[A-Za-z_+-]+)+|UTC|[0-9T:. Z+-]*|year|month|week|day|hour|open|closed"
    r"|(?i:true|false|yes|no|none|null|partial|truncated|incomplete)"
)
#: A part of a range, as in Content-Range; and what a link is, without what it leads to.
_RANGE = re.compile(r"[a-z]+ [0-9*/-]+")
_REL = re.compile(r"rel\s*=\s*\"?([a-z]+)")


class Recorder:
    """Collects what is heard, and writes it at the end, whole or not at all."""

    def __init__(self, folder: str | os.PathLike[str], *, anonymous: bool = False) -> None:
        self._folder = Path(folder)
        if self._folder.exists() and not self._folder.is_dir():
            raise ConfigError(f"record: {self._folder} is not a folder")
        try:  # before anything is asked, which would be lost
            self._folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self._folder).close()
        except OSError as error:
            raise ConfigError(f"record: nothing can be written to {self._folder}: {error}") from None
        self._aliases = _Aliases() if anonymous else None
        self._lines: list[dict[str, Any]] = []

    def hear(self, name: str, heard: Heard) -> None:
        """Keep one answer, and of its headers those that may say that there is more."""
        endpoint, params, document = heard.question.endpoint, dict(heard.question.params), heard.document
        headers = {header: value for header, value in heard.headers.items() if header != RUN_HEADER}
        if self._aliases is not None:
            params = {param: self._aliases.param(param, text) for param, text in params.items()}
            document = self._aliases.walk(document, endpoint)
            headers = {header: self._aliases.header(value) for header, value in headers.items()}
        told = {"name": name, "endpoint": endpoint, "path": heard.question.path, "params": params}
        came = {"status": heard.status, "headers": headers, "problem": heard.problem, "document": document}
        self._lines.append(told | came)

    def write(self, run: Run) -> Path:
        """Write the file, with what the run was asked for, and return its path."""
        if self._aliases is not None:
            run = attrs.evolve(run, location=self._aliases.id("location", run.location))
        made_at = run.made_at.astimezone(UTC)
        path = base = self._folder / f"{made_at:%Y-%m-%dT%H-%M-%SZ}.ndjson"
        for number in count(2):
            if not path.exists():
                break
            path = base.with_stem(f"{base.stem}-{number}")
        head = {"recording": _VERSION, "library": __version__, **attrs.asdict(run), "made_at": made_at.isoformat()}
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in (head, *self._lines)))
        temporary.replace(path)
        return path


class _Aliases:
    """Other ids and names, the same for the same."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, int], int] = {}
        self._counts: dict[tuple[str, int], int] = {}
        self._words: dict[str, str] = {}

    def id(self, name: str, value: int) -> int:
        """Return another id, for the field of that *name*, of as many digits: URLs stay as long as they were."""
        kind = _owner(name)
        if (kind, value) not in self._ids:
            digits = len(str(abs(value)))
            # The first of four digits is 1000; where all of that many digits are used up, longer ones follow.
            number = self._counts.get((kind, digits)) or int(10 ** (digits - 1))
            self._counts[kind, digits] = number + 1
            self._ids[kind, value] = number
        return self._ids[kind, value]

    def param(self, name: str, text: str) -> str:
        if not _owner(name):
            return text
        parts = text.split(",")
        return ",".join(str(self.id(name, int(part))) if part.lstrip("-").isdigit() else part for part in parts)

    def header(self, value: str) -> str:
        """Keep what a header says of the answer, and neither names nor addresses."""
        if _PLAIN.fullmatch(value) or _RANGE.fullmatch(value):
            return value
        if value.startswith("{"):
            with suppress(ValueError):
                return orjson.dumps(self.walk(orjson.loads(value), "")).decode()
        return ", ".join(f'<>; rel="{kind}"' for kind in _REL.findall(value)) or "…"

    def walk(self, value: Any, key: str, owner: str = "") -> Any:
        """Replace ids and names in a document; *key* is the field that it stands in."""
        name = owner if key == "id" else key
        if isinstance(value, list):
            return [self.walk(item, key, owner) for item in value]
        if isinstance(value, dict):
            inside = key if _owner(key) else owner
            return {
                str(self.id("zone", int(field))) if field.isdigit() else field: self.walk(item, field, inside)
                for field, item in value.items()
            }
        if isinstance(value, str):
            if _owner(name) and re.fullmatch("-?[0-9]{1,18}", value):  # an id as text is an id
                return str(self.id(name, int(value)))
            return value if _PLAIN.fullmatch(value) else self._words.setdefault(value, f"name {len(self._words) + 1}")
        number = whole(value)
        return value if number is None or not _owner(name) else self.id(name, number)


def _owner(name: str) -> str:
    found = _OWNER.fullmatch(name)
    return found[1] if found is not None else ""


@attrs.frozen(kw_only=True)
class Recording(Run):
    """A recorded run: all that was asked, and what came."""

    answers: Mapping[str, Heard]
    """By the names of the questions."""


def latest(folder: str | os.PathLike[str]) -> Path | None:
    """Return the file of the last run that was recorded in *folder*; None where there is none."""
    return max(Path(folder).glob("*.ndjson"), default=None, key=lambda path: (path.stat().st_mtime_ns, path.name))


def read_recording(source: str | os.PathLike[str]) -> Recording:
    """
    Read a recording: a file, or the last one of a folder.

    Raises ConfigError where there is none, or something else.
    """
    check("source", source, (PATH[0], "the path of a recording, or of its folder"))
    path = Path(source)
    if path.is_dir():
        found = latest(path)
        if found is None:
            raise ConfigError(f"there is no recording in {path}; `indivd verify --record` makes one")
        path = found
    try:
        head, *lines = map(orjson.loads, path.read_bytes().splitlines())
        if head["recording"] != _VERSION:
            raise ConfigError(f"{path} is a recording of version {head['recording']}; this library reads {_VERSION}")
        answers = {
            line["name"]: Heard(
                question=make_question(line["endpoint"], line["params"]),
                status=line["status"],
                document=line["document"],
                headers={str(header): str(value) for header, value in line["headers"].items()},
                problem=line["problem"],
            )
            for line in lines
        }
        return Recording(**attrs.asdict(Run.from_dict(head)), answers=answers)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not a recording of `indivd verify`: {error!r}") from None
