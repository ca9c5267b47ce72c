"""
One strict function a class, generated: from decoded JSON to frozen rows, or to every fault and its place.

The models say what is expected, by their annotations: `int` must be there, `int | None` may be absent or null, a class
is an object, the labels of a `Bucket` lie among the fields of the object that has it. What annotations cannot say
stands in the tables below. Nothing is coerced, but for what means the same: an integer
where a float is documented, a whole float for an integer, a number for a name, nulls among quantiles.

In the generated code a guard lets the ordinary value pass; what it stops goes to the reader of its kind, which decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args, get_type_hints

import attrs

from .. import models
from ..models import NOTHING_EXTRA, Bucket, FrozenMap
from ..models.values import LABELS, MOST_INT, bucket_of, draft_of  # noqa: F401  the generated code names them

#: Reads one object; the second argument is the class, as cattrs calls its hooks.
Hook = Callable[[Any, Any], Any]
#: Path below the object, and what is wrong there.
Fault = tuple[str, str]

#: Beyond it a float may stand for several whole numbers.
_MOST_EXACT = 2.0**53
#: Digits of a moment since 1970, and how many of its units make a second.
_EPOCHS = {10: 1, 13: 1000}
MOST_FAULTS = 20  # an answer that is wrong in every row is described well enough by these

MISSING: Any = object()

# What the annotations do not say.

#: Wire names that stand for a field where the field's own is absent: the API has several for one thing.
ALIASES: Mapping[type, Mapping[str, str]] = {
    Bucket: {"day": "dayofmonth"},
    models.DropInRow: {"visits": "enter", "enter_percentage": "drop_in_rate"},
    models.ZoneDropInRow: {"enter": "visits", "enter_percentage": "drop_in_rate"},
    models.ZoneDropIn: {"enter_percentage": "drop_in_rate"},
    models.DropInTotals: {
        "visits": "enter",
        "drop_in_rate": "enter_percentage",
        "start_date": "startdate",
        "end_date": "enddate",
    },
}

#: Fields that the object does not hold: they come from the request, or from the object around it.
CARRIED: Mapping[type, frozenset[str]] = {
    models.LineCrossesRow: frozenset(attrs.fields_dict(models.LineCrossesRow)) - {"bucket", "count", "extra"},
    models.ZoneVisitorsRow: frozenset({"tz"}),
    models.Aggregation: frozenset({"loc_name"}),
    models.ZoneDropInRow: frozenset({"zone_id", "loc_id"}),
    models.ZoneDropIn: frozenset({"tz"}),
}

#: Classes whose objects hold the labels of their bucket in an object of its own, and its name.
LABELS_INSIDE: Mapping[type, str] = {models.LineCrossesRow: "_id"}

#: (rate, passers-by): where nobody passed the rate is undefined, whatever was sent.
RATES: Mapping[type, tuple[str, str]] = {
    models.DropInRow: ("drop_in_rate", "passing_by"),
    models.ZoneDropInRow: ("drop_in_rate", "passing_by"),
    models.ZoneDropIn: ("drop_in_rate", "total_passing_by"),
    models.DropInTotals: ("enter_percentage", "passing_by"),
}

#: Fields that Basic plans "return empty", as the article says: an empty text, list or object is nothing there.
EMPTY: Mapping[type, frozenset[str]] = {
    models.ZoneVisitorsRow: frozenset({"unique_visits", "bounce", "dwell_time", "dwell_time_stats"}),
}

#: Fields whose names are likely and whose types are not documented: another type is no fault, it stays in `extra`.
GUESSED: Mapping[type, frozenset[str]] = {
    models.Location: frozenset({"organization"}),
    models.Zone: frozenset({"location", "floor", "bounce_threshold"}),
    models.Line: frozenset({"location", "floor", "zone_to", "zone_from"}),
}

# Faults.


class Misfit(Exception):
    """A value that is not what its class describes, with all that is wrong in it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults

    def under(self, step: str) -> list[Fault]:
        """Return the faults as seen from the object that holds this one at *step*."""
        return [(step + path, words) for path, words in self.faults]


_JSON_NAMES = {dict: "object", list: "array", type(None): "null"}


def expected(what: str, value: Any) -> str:
    """Word the fault of a *value* that is not *what*, without the value."""
    if what == "int" and type(value) is int:
        return "expected int, got one beyond 64 bits"
    return f"expected {what}, got {_JSON_NAMES.get(type(value), type(value).__name__)}"


def clip(key: str) -> str:
    """Make a key of the payload fit for a path: ids and names of fields pass, anything else is cut and masked."""
    return re.sub(r"[^\w-]", "?", key[:24], flags=re.ASCII)


def refuse(what: str, value: Any, path: str, faults: list[Fault]) -> None:
    """Note that the value at *path* is missing or not *what*."""
    if len(faults) >= MOST_FAULTS:
        return
    if value is MISSING:
        above, _, name = path.rpartition(".")
        faults.append((_step(above), f"missing field {name}"))
    else:
        faults.append((_step(path), expected(what, value)))


def _step(path: str) -> str:
    return f".{path}" if path else ""


# Reading one value.


def _read_int(value: Any, path: str, faults: list[Fault]) -> int | None:
    if type(value) is float and value.is_integer() and abs(value) < _MOST_EXACT:
        return int(value)
    refuse("int", value, path, faults)
    return None


def _read_str(value: Any, path: str, faults: list[Fault]) -> None:
    refuse("str", value, path, faults)


def _read_named(value: Any, path: str, faults: list[Fault]) -> str | None:
    if type(value) is int:
        return str(value)
    refuse("str", value, path, faults)
    return None


def read_date(value: Any, path: str, faults: list[Fault]) -> str | None:
    """Read a date: as it was written, or the seconds or milliseconds since 1970 as a timestamp of UTC."""
    per_second = _EPOCHS.get(len(str(value))) if type(value) is int else None
    if per_second is not None:
        return datetime.fromtimestamp(value / per_second, UTC).isoformat()
    if isinstance(value, str):
        return value
    refuse("str", value, path, faults)
    return None


def _read_float(value: Any, path: str, faults: list[Fault]) -> float | None:
    if type(value) is int:
        return float(value)
    refuse("float", value, path, faults)
    return None


def _read_floats(value: Any, path: str, faults: list[Fault]) -> tuple[float | None, ...]:
    if type(value) is not list:
        refuse("array", value, path, faults)
        return ()
    return tuple(
        [
            x if x is None or type(x) is float else _read_float(x, f"{path}[{place}]", faults)
            for place, x in enumerate(value)
        ]
    )


def _read_any(value: Any, _path: str, _faults: list[Fault]) -> Any:
    return FrozenMap.freeze(value)


class _Kind(NamedTuple):
    """How a type is read: the condition under which a value is not ordinary, and what decides then."""

    guard: str
    read: Callable[[Any, str, list[Fault]], Any]


_KINDS: Mapping[Any, _Kind] = {
    int: _Kind("type({0}) is not int or {0} > MOST_INT", _read_int),
    float: _Kind("type({0}) is not float", _read_float),
    str: _Kind("type({0}) is not str", _read_str),
    tuple[float | None, ...]: _Kind("True", _read_floats),
    Any: _Kind("True", _read_any),
}
#: Text fields that may come as something else, and how they are read then: ids and names that look like numbers, dates.
_READ_AS: Mapping[type, Mapping[str, Callable[[Any, str, list[Fault]], Any]]] = {
    models.Aggregation: {"zone_name": _read_named},
    models.ZoneDropIn: dict.fromkeys(("zone_name", "loc_name", "location_custom_id"), _read_named),
    models.DropInTotals: dict.fromkeys(("startdate", "enddate"), read_date),
}


def is_nothing(value: Any) -> bool:
    """Tell whether *value* is one of the API's ways to leave an object out."""
    return value is None or value == {} or value == []


def read_object(hook: Hook, value: Any, path: str, faults: list[Fault]) -> Any:
    """Read the object at *path*."""
    if value is MISSING:
        return refuse("object", value, path, faults)
    try:
        return hook(value, None)
    except Misfit as misfit:
        faults += misfit.under(f".{path}")
        return None


def read_optional(hook: Hook, value: Any, path: str, faults: list[Fault]) -> Any:
    """Read the object at *path*, where there may be none."""
    return None if is_nothing(value) else read_object(hook, value, path, faults)


def read_empty(hook: Hook, value: Any, path: str, faults: list[Fault]) -> Any:
    """Read the object at *path*, where a Basic plan may leave it empty."""
    return None if value == "" else read_optional(hook, value, path, faults)


def read_each(hook: Hook, value: Any, path: str, faults: list[Fault]) -> tuple[Any, ...]:
    """Read the array of objects at *path*."""
    if type(value) is not list:
        refuse("array", value, path, faults)
        return ()
    rows = []
    for place, item in enumerate(value):
        try:
            rows.append(hook(item, None))
        except Misfit as misfit:
            faults += misfit.under(f"{_step(path)}[{place}]")
            if len(faults) >= MOST_FAULTS:
                break
    return tuple(rows)


def leftover(value: dict[str, Any], known: frozenset[str], aliases: Mapping[str, str]) -> FrozenMap:
    """Keep what is not known, untouched; an alias is known only where it stands for its field."""
    extra = {
        key: FrozenMap.freeze(item)
        for key, item in value.items()
        if key not in known and (key not in aliases or aliases[key] in value)
    }
    return FrozenMap.adopt(extra) if extra else NOTHING_EXTRA


# Generating the hooks.


def generate_hook(cls: type, converter: Any) -> Hook:
    """Generate the strict hook of the attrs class *cls*; *converter* has those of the classes within it."""
    writer = _Writer(cls, converter)
    source = writer.write()
    names = {**globals(), **writer.names}
    exec(compile(source, f"<hook of {cls.__name__}>", "exec"), names)  # noqa: S102 our own text, as attrs and cattrs do
    hook: Hook = names["structure"]
    return hook


class _Writer:
    """The source of one hook, and the names that it uses beside those of this module."""

    def __init__(self, cls: type, converter: Any) -> None:
        self._cls = cls
        self._converter = converter
        self._aliases = ALIASES.get(cls, {})
        self._guessed = GUESSED.get(cls, frozenset())
        self._empty = EMPTY.get(cls, frozenset())
        self._known: set[str] = set()
        self._body: list[str] = []
        self.names: dict[str, Any] = {"aliases": dict(self._aliases), "cls": cls, "draft": draft_of(cls)}

    def write(self) -> str:
        """Return the source."""
        carried = CARRIED.get(self._cls, frozenset())
        rate, passing_by = RATES.get(self._cls, ("", ""))
        hints = get_type_hints(self._cls)
        fields = {
            name: field
            for name, field in attrs.fields_dict(self._cls).items()
            if name not in carried and name != "extra"
        }
        for name, field in fields.items():
            if name != rate:
                self._read(field, hints[name])
        if rate:
            self._body += [f"if {passing_by} == 0:", f"    {rate} = None", "else:"]
            above = len(self._body)
            self._read(fields[rate], hints[rate])
            self._body[above:] = [f"    {line}" for line in self._body[above:]]
        self._keep_extra()
        self._body += ["if faults:", "    raise Misfit(faults)", "row = draft()"]
        self._body += [f"row.{name} = {name}" for name in (*fields, "extra")]
        self._body += [f"row.{name} = None" for name in sorted(carried)]
        self._body += ["row.__class__ = cls", "return row"]
        opening = [
            "if type(value) is not dict:",
            "    raise Misfit([('', expected('object', value))])",
            "faults = []",
        ]
        return "\n    ".join(["def structure(value, _):", *opening, *self._body])

    def _read(self, field: Any, hint: Any) -> None:
        """Write the reading of one field into a variable of its name."""
        is_optional = type(None) in get_args(hint)
        wanted = get_args(hint)[0] if is_optional else hint
        default = "MISSING" if field.default is attrs.NOTHING else "None"
        if wanted is Bucket:
            self._read_labels()
        elif wanted in _KINDS:
            self._read_plain("value", field.name, wanted, default, is_optional=is_optional or wanted is Any)
        else:
            self._read_nested(field.name, wanted, default)

    def _read_plain(
        self, source: str, name: str, wanted: Any, default: str, *, is_optional: bool, inside: str = ""
    ) -> None:
        guard, read = _KINDS[wanted]
        self.names[f"read_{name}"] = _READ_AS.get(self._cls, {}).get(name, read)
        path = repr(inside + name)
        self._body += [f"{name} = {source}.get({name!r}, {default})"]
        for alias in [alias for alias, field in self._aliases.items() if field == name]:
            self._body += [f"path = {path}", f"if {alias!r} in {source} and {name!r} not in {source}:"]
            self._body += [f"    {name}, path = {source}[{alias!r}], {inside + alias!r}"]
            path = "path"
        guard = guard.format(name)
        self._body += [f"if {name} is not None and ({guard}):" if is_optional else f"if {guard}:"]
        if name in self._guessed:
            self._body += [f"    {name} = None", f"    misfits.append({name!r})"]
        else:
            nothing = f"None if {name} in ('', [], {{}}) else " if name in self._empty else ""
            self._body += [f"    {name} = {nothing}read_{name}({name}, {path}, faults)"]
        if source == "value":
            self._known.add(name)

    def _read_labels(self) -> None:
        source, inside = "value", LABELS_INSIDE.get(self._cls, "")
        own_aliases, self._aliases = self._aliases, ALIASES[Bucket]
        if inside:
            source = "labels"
            self._known.add(inside)
            self._body += [f"labels = value.get({inside!r}, MISSING)", "if type(labels) is not dict:"]
            self._body += [f"    refuse('object', labels, {inside!r}, faults)", "    labels = {}"]
        else:
            self.names["aliases"].update(self._aliases)
        for label in LABELS:
            self._read_plain(source, label, int, "None", is_optional=True, inside=inside and f"{inside}.")
        self._body += [f"bucket = None if faults else bucket_of({', '.join(LABELS)})"]
        self._aliases = own_aliases

    def _read_nested(self, name: str, wanted: Any, default: str) -> None:
        self._known.add(name)
        elements = get_args(wanted)  # of tuple[cls, ...]
        self.names[f"hook_{name}"] = self._converter.get_structure_hook(elements[0] if elements else wanted)
        if elements:  # must be there whatever the default: rows left out would be rows lost
            self._body += [f"{name} = read_each(hook_{name}, value.get({name!r}, MISSING), {name!r}, faults)"]
            return
        read = "read_object" if default == "MISSING" else "read_empty" if name in self._empty else "read_optional"
        self._body += [f"{name} = value.get({name!r}, {default})", f"if type({name}) is dict and {name}:"]
        self._body += ["    try:", f"        {name} = hook_{name}({name}, None)"]
        self._body += ["    except Misfit as misfit:", f"        faults += misfit.under('.{name}')"]
        self._body += ["else:", f"    {name} = {read}(hook_{name}, {name}, {name!r}, faults)"]

    def _keep_extra(self) -> None:
        self.names["known"] = frozenset(self._known)
        known = "known"
        if self._guessed:
            self._body.insert(0, "misfits = []")
            known = "known.difference(misfits)"
        self._body += [f"extra = NOTHING_EXTRA if {known}.issuperset(value) else leftover(value, {known}, aliases)"]
        inside = LABELS_INSIDE.get(self._cls)
        if inside:
            self.names |= {"label_names": frozenset(LABELS), "label_aliases": ALIASES[Bucket]}
            self._body += ["if not label_names.issuperset(labels):"]
            self._body += ["    odd = leftover(labels, label_names, label_aliases)"]
            self._body += ["    if odd:", f"        extra = FrozenMap.adopt({{**extra, {inside!r}: odd}})"]
