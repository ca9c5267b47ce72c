"""
cattrs, made strict: from decoded JSON to frozen values, or to every fault and its place.

The models say what is expected, by their annotations: `int` must be there, `int | None` may be absent or null, a class
is an object, a tuple an array. What annotations cannot say stands in `forms`. cattrs writes one function a class and
gathers the faults; each object is first settled into the form that its class wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, get_args

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

from ..models import NOTHING_EXTRA, Bucket, FrozenMap
from ..models.values import LABELS, bucket_of
from .forms import DAY, FORMS, Form
from .strict import MISSING, Hook, Key, Misfit, expected, is_whole, read_float, read_int, read_object, read_str

# Their third argument, the class, is cattrs' own: type checkers know groups of errors with two.
faults_of_object: Any = cattrs.ClassValidationError
_faults_of_array: Any = cattrs.IterableValidationError
MOST_FAULTS = 20  # an answer that is wrong in every row is described well enough by these


def make_converter() -> cattrs.Converter:
    """Make a converter that is strict, and knows the forms."""
    converter = cattrs.Converter(detailed_validation=True)
    for kind, read in ((int, read_int), (float, read_float), (str, read_str), (FrozenMap, lambda value, _: value)):
        converter.register_structure_hook(kind, read)
    converter.register_structure_hook_func(lambda kind: kind is Any, lambda value, _: FrozenMap.freeze(value))
    for is_kind, make_hook in (
        (attrs.has, _object_hook),
        (lambda kind: getattr(kind, "__origin__", None) is tuple, _array_hook),
        (lambda kind: getattr(kind, "__origin__", None) is dict, _mapping_hook),
        (lambda kind: type(None) in get_args(kind), _optional_hook),
    ):
        converter.register_structure_hook_factory(is_kind, make_hook)
    return converter


def problems_of(error: Exception) -> list[str]:
    """Word the first faults that *error* gathered, each with its place."""
    return cattrs.transform_error(error, format_exception=_word)[:MOST_FAULTS]


def _word(fault: BaseException, _: Any) -> str:
    if isinstance(fault, RecursionError):
        return "nested too deeply"
    if isinstance(fault, Misfit):
        return str(fault)
    raise fault  # not of the answer, but ours


def _optional_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    (wanted,) = set(get_args(kind)) - {type(None)}
    read = converter.get_structure_hook(wanted)  # looked up once; cattrs' own hook does so for each value
    return lambda value, _: None if value is None else read(value, wanted)


def _array_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    element = get_args(kind)[0]
    read = converter.get_structure_hook(element)

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise expected("array", value)
        return tuple(_read_each(enumerate(value), read, element))

    return structure


def _mapping_hook(kind: Any, converter: cattrs.Converter) -> Hook:
    """Read the objects of a mapping whose keys repeat their ids."""
    element = get_args(kind)[1]
    read, id_name = converter.get_structure_hook(element), attrs.fields(element)[0].name

    def read_keyed(item: tuple[str, Any], _: Any) -> Any:
        found = read(item[1], element)
        if str(getattr(found, id_name)) != item[0]:
            fault = Misfit("expected the id that is the key, got another")
            fault.add_note(cattrs.AttributeValidationNote("", id_name, int))
            raise faults_of_object("", [fault], element)
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
            fault.add_note(cattrs.IterableValidationNote("", place, kind))
            faults.append(fault)
            if len(faults) >= MOST_FAULTS:
                break
    if faults:
        raise _faults_of_array("", faults, kind)
    return found


def _object_hook(cls: type, converter: cattrs.Converter) -> Hook:
    form = FORMS.get(cls, Form())
    overrides: dict[str, Any] = {name: cattrs.override(omit=True) for name in form.carried}
    overrides |= {name: cattrs.override(struct_hook=read) for name, read in form.read.items()}
    build: Hook = make_dict_structure_fn(cls, converter, **overrides)
    labels_of = attrgetter(*LABELS)
    if cls is Bucket:  # what is sent of it was settled with the object that it is in
        return lambda value, _: bucket_of(*labels_of(build(read_object(value), cls)))
    fields = [name for name in attrs.fields_dict(cls) if name not in (*form.carried, "bucket", "extra")]
    known = frozenset([*fields, *(LABELS if form.labels == "" else [form.labels])])
    aliases = form.aliases if form.labels != "" else {**form.aliases, **DAY}

    def structure(value: Any, _: Any) -> Any:
        sent, names = _settle(read_object(value), known, aliases, form)
        try:
            return build(sent, cls)
        except cattrs.ClassValidationError as error:
            raise faults_of_object("", list(_as_sent(error, names, form)), cls) from None

    return structure


def _settle(
    value: dict[str, Any], known: frozenset[str | None], aliases: Mapping[str, str], form: Form
) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return the object *value* as its class wants it, and fields with the other names that they were sent under."""
    odd_ones = [name for name in form.guessed if value.get(name) is not None and not is_whole(value[name])]
    sent, names, rest = _part(value, known.difference(odd_ones) if odd_ones else known, aliases)
    for name in odd_ones:
        del sent[name]
    if form.labels:
        labels, sent["bucket"] = value.get(form.labels), value.get(form.labels, MISSING)
        if type(labels) is dict:
            sent["bucket"], inside, odd = _part(labels, _LABELS, DAY)
            names |= inside
            rest |= {form.labels: odd} if odd else {}
    elif form.labels is not None:
        sent = sent | {"bucket": sent}
    for name, (nothing, stands_for) in form.empty.items():
        if name in sent and sent[name] in nothing:
            sent[name] = stands_for
    for name in form.needed:
        sent.setdefault(name, MISSING)
    if form.rate is not None and sent.get(form.rate[1]) == 0:
        sent[form.rate[0]] = None
    sent["extra"] = FrozenMap.freeze(rest) if rest else NOTHING_EXTRA
    return sent, names


_LABELS: frozenset[str | None] = frozenset(LABELS)


def _part(
    value: dict[str, Any], known: frozenset[str | None], aliases: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str], dict[str, Any]]:
    """Return *value* with fields under their own names, the names they had, and what is not known; cattrs skips it."""
    if known.issuperset(value):
        return dict(value), {}, {}
    names = {name: alias for alias, name in aliases.items() if alias in value and name not in value}
    rest = {key: item for key, item in value.items() if key not in known and key not in names.values()}
    return value | {name: value[alias] for name, alias in names.items()}, names, rest


def _as_sent(error: cattrs.ClassValidationError, names: Mapping[str, str], form: Form) -> Iterator[Exception]:
    """Tell the faults in an object by the names that were sent; those of a bucket's labels are the object's own."""
    faults, others = error.group_exceptions()
    yield from others
    for fault, note in faults:
        name = names.get(note.name, note.name)
        if note.name == "bucket":
            name = form.labels or ""
        elif error.cl is Bucket and form.labels:
            name = f"{form.labels}.{name}"
        if isinstance(fault, KeyError):
            yield Misfit(f"missing field {name}")
        elif isinstance(fault, cattrs.ClassValidationError) and fault.cl is Bucket:
            yield from _as_sent(fault, names, form)
        else:
            note.name = name
            yield fault
