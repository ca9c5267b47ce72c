"""
cattrs, made strict: from decoded JSON to frozen values, or to every fault and its place.

The models say what is expected, by their annotations: `int` must be there, `int | None` may be absent or null, a class
is an object, a tuple an array. What annotations cannot say stands in `forms`. cattrs writes one function a class and
gathers the faults; each object is first settled into the form that its class wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, get_args, get_origin

import attrs
from cattrs import (
    AttributeValidationNote,
    ClassValidationError,
    Converter,
    IterableValidationError,
    IterableValidationNote,
    override,
    transform_error,
)
from cattrs.gen import make_dict_structure_fn

from ..models import Bucket, FrozenMap
from ..models.values import LABELS, MOST_INT, bucket_of
from .forms import DAY, FORMS, Form
from .strict import Hook, Key, Misfit, expected, read_float, read_int, read_object, read_str

MOST_FAULTS = 20  # an answer that is wrong in every row is described well enough by these
_MISSING: Any = object()


def make_converter() -> Converter:
    """Make a converter that is strict, and knows the forms."""
    converter = Converter(detailed_validation=True)
    for kind, read in ((int, read_int), (float, read_float), (str, read_str), (FrozenMap, lambda value, _: value)):
        converter.register_structure_hook(kind, read)
    converter.register_structure_hook_func(lambda kind: kind is Any, lambda value, _: FrozenMap.freeze(value))
    for is_kind, make_hook in (
        (attrs.has, _object_hook),
        (lambda kind: _is_of(tuple, kind), _array_hook),
        (lambda kind: _is_of(dict, kind), _mapping_hook),
        (lambda kind: type(None) in get_args(kind), _optional_hook),
    ):
        converter.register_structure_hook_factory(is_kind, make_hook)
    return converter


def _is_of(container: Any, kind: Any) -> bool:
    return get_origin(kind) is container


def problems_of(error: Exception) -> list[str]:
    """Word the first faults that *error* gathered, each with its place."""
    return transform_error(error, format_exception=_word)[:MOST_FAULTS]


def _word(fault: BaseException, _: Any) -> str:
    if isinstance(fault, RecursionError):
        return "nested too deeply"
    if isinstance(fault, Misfit):
        return str(fault)
    raise fault  # not of the answer, but ours


def _optional_hook(kind: Any, converter: Converter) -> Hook:
    (wanted,) = set(get_args(kind)) - {type(None)}
    read = converter.get_structure_hook(wanted)  # looked up once; cattrs' own hook does so for each value
    return lambda value, _: None if value is None else read(value, wanted)


def _array_hook(kind: Any, converter: Converter) -> Hook:
    element = get_args(kind)[0]
    read = converter.get_structure_hook(element)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if value is _MISSING:
            raise KeyError
        if type(value) is not list:
            raise expected("array", value)
        return tuple(_read_each(enumerate(value), read, element))

    return structure


def _mapping_hook(kind: Any, converter: Converter) -> Hook:
    """Read the objects of a mapping whose keys repeat their ids."""
    element = get_args(kind)[1]
    read, id_name = converter.get_structure_hook(element), FORMS.get(element, Form()).key

    def read_keyed(item: tuple[str, Any], _: Any) -> Any:
        found = read(item[1], element)
        if str(getattr(found, id_name)) != item[0]:
            fault = Misfit("expected the id that is the key, got another")
            fault.add_note(AttributeValidationNote("", id_name, int))
            raise ClassValidationError("", [fault], element)
        return found

    def structure(value: Any, _: Any) -> dict[str, Any]:
        items = [(Key(item[0]), item) for item in read_object(value).items()]
        return dict(zip(value, _read_each(items, read_keyed, element), strict=True))

    return structure


def _read_each(pairs: Iterable[tuple[Any, Any]], read: Hook, kind: Any) -> list[Any]:
    """Read the values of *pairs*, by place or key, until there are faults enough."""
    found, faults = [], []
    for place, value in pairs:
        try:
            found.append(read(value, kind))
        except Exception as fault:
            fault.add_note(IterableValidationNote("", place, kind))
            faults.append(fault)
            if len(faults) >= MOST_FAULTS:
                break
    if faults:
        raise IterableValidationError("", faults, kind)
    return found


def _object_hook(cls: type, converter: Converter) -> Hook:
    form = FORMS.get(cls, Form())
    overrides: dict[str, Any] = {name: override(omit=True) for name in form.carried}
    overrides |= {name: override(struct_hook=read) for name, read in form.read.items()}
    build: Hook = make_dict_structure_fn(cls, converter, **overrides)
    labels_of = attrgetter(*LABELS)
    if cls is Bucket:  # what is sent of it lies in another object, and was settled with that
        return lambda value, _: bucket_of(*labels_of(build(read_object(value), cls)))
    fields = [name for name in attrs.fields_dict(cls) if name not in (*form.carried, "bucket", "extra")]

    def structure(value: Any, _: Any) -> Any:
        sent, names = _settle(read_object(value), fields, form)
        try:
            return build(sent, cls)
        except ClassValidationError as error:
            raise ClassValidationError("", list(_as_sent(error, names)), cls) from None

    return structure


def _settle(value: dict[str, Any], fields: list[str], form: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the object *value* as its class wants it, and the names that its fields were sent under."""
    names = _names(value, fields, form.aliases)
    for name in form.guessed:
        if (guess := value.get(name)) is not None and not (type(guess) is int and guess <= MOST_INT):
            del names[name]
    sent = {name: value[wire] for name, wire in names.items()}
    known = set(names.values())
    rest = {} if len(known) == len(value) else {key: item for key, item in value.items() if key not in known}
    if form.labels is not None:
        names |= _settle_bucket(sent, rest, form.labels)
    for name, (nothing, stands_for) in form.empty.items():
        if name in sent and sent[name] in nothing:
            sent[name] = stands_for
    for name in form.needed:
        sent.setdefault(name, _MISSING)
    if form.rate is not None and sent.get(form.rate[1]) == 0:
        sent[form.rate[0]] = None
    if rest:
        sent["extra"] = FrozenMap.freeze(rest)
    return sent, names


def _settle_bucket(sent: dict[str, Any], rest: dict[str, Any], inside: str) -> dict[str, str]:
    """Move the labels of a bucket from the *rest* of its object to what was *sent*."""
    names = {"bucket": inside}
    labels = rest.pop(inside, _MISSING) if inside else rest
    if type(labels) is dict:
        labels = dict(labels) if inside else rest
        found = _names(labels, LABELS, DAY)
        sent["bucket"] = {name: labels.pop(wire) for name, wire in found.items()}
        names |= {name: f"{inside}.{wire}" if inside else wire for name, wire in found.items()}
        if inside and labels:
            rest[inside] = labels
    elif labels is not _MISSING:
        sent["bucket"] = labels
    return names


def _names(value: Mapping[str, Any], fields: Iterable[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Return the name that each of *fields* has in *value*, where it is there."""
    others = {name: alias for alias, name in aliases.items() if alias in value and name not in value}
    return {name: name for name in fields if name in value} | others


def _as_sent(error: ClassValidationError, names: Mapping[str, str]) -> Iterator[Exception]:
    """Tell the faults in an object by the names that were sent; those of a bucket's labels are the object's own."""
    faults, others = error.group_exceptions()
    yield from others
    for fault, note in faults:
        name = names.get(note.name, note.name)
        if isinstance(fault, KeyError):
            yield Misfit(f"missing field {name}")
        elif note.name == "bucket" and isinstance(fault, ClassValidationError):
            yield from _as_sent(fault, names)
        else:
            note.name = name
            yield fault
