"""The shape that is documented, as classes of msgspec: made of the models and their forms."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin, get_type_hints

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from ..models import (
    NOTHING_EXTRA,
    Aggregation,
    Bucket,
    DropInRow,
    DropInTotals,
    DwellTimeStats,
    Exclude,
    LineCrossesRow,
    ZoneDropInRow,
    ZoneVisitorsRow,
)
from ..models.values import LABELS, MOST_INT
from .forms import FORMS, Form, Period

_Int: Any = Annotated[int, msgspec.Meta(ge=-MOST_INT - 1, le=MOST_INT)]
#: Objects of which all is sent, or {}.
_WHOLE_OR_EMPTY = (DwellTimeStats, Exclude, Period, DropInTotals)


class _Ours:
    """The type of fields that are filled in here: no value that is sent is of it."""


#: Classes whose place the structs can take: they have the fields that are not sent, too.
_STANDS_FOR = frozenset({LineCrossesRow, ZoneVisitorsRow, Aggregation, ZoneDropInRow})


def _wire_of(kind: Any) -> Any:
    """Return the type by which msgspec reads what an annotation calls *kind*."""
    parts = get_args(kind)
    if kind is int:
        return _Int
    if attrs.has(kind):
        return struct_of(kind)
    if get_origin(kind) is tuple and attrs.has(parts[0]):
        return list[_wire_of(parts[0])]  # type: ignore[misc]
    if get_origin(kind) is dict:
        return dict[str, _wire_of(parts[1])]  # type: ignore[misc]
    return _wire_of(parts[0]) | None if type(None) in parts else kind


def struct_of(cls: type, **otherwise: Any) -> Any:
    """Make the class of what is sent of *cls*: its fields, in order, and no others."""
    form, hints = FORMS.get(cls, Form()), get_type_hints(cls)
    fields: list[tuple[Any, ...]] = []
    for field in attrs.fields(cls):
        if field.name in (*form.carried, "extra"):
            continue
        if hints[field.name] is Bucket and form.labels:
            fields.append(("labels", struct_of(Bucket), msgspec.field(name=form.labels)))
        elif hints[field.name] is Bucket:
            day = "day" if cls is DropInRow else None
            named = {"dayofmonth": msgspec.field(default=None, name=day)}
            # Ordered as the article writes them: msgspec looks for a field first behind the one before it.
            labels = reversed(LABELS) if cls is Aggregation else LABELS
            fields = [*((label, _Int | None, named.get(label)) for label in labels), *fields]
        else:
            wire = otherwise.get(field.name) or _wire_of(hints[field.name])
            if cls in _WHOLE_OR_EMPTY:
                fields.append((field.name, wire | UnsetType, UNSET))
            else:
                fields.append((field.name, wire, None) if field.default is None else (field.name, wire))
    namespace: dict[str, Any] = {}
    if cls in _STANDS_FOR:
        bucket = ("bucket",) if form.labels is not None else ()
        fields += [(name, _Ours, None) for name in (*bucket, *form.carried)]
        namespace = {"extra": NOTHING_EXTRA}
    # Without the collector: these objects hold no cycles, and none outlives the call.
    return msgspec.defstruct(
        cls.__name__, fields, namespace=namespace, kw_only=True, forbid_unknown_fields=True, gc=False
    )


#: Seconds; who stays longer is looked at closely.
_A_DAY = 86_400


def do_agree(wires: list[Any]) -> bool:
    """Tell whether the figures in each of *wires* surely agree with one another; False says only that they may not."""
    fields_of = msgspec.structs.astuple
    try:
        for wire in wires:
            visits, unique, bounce, stats = (
                wire.visits,
                wire.unique_visits or 0,
                wire.bounce or 0,
                wire.dwell_time_stats,
            )
            if visits < 0 or unique > visits or unique < 0 or bounce > visits or bounce < 0:
                return False
            if (dwell := wire.dwell_time) and (dwell < 0 or dwell > _A_DAY):
                return False
            if (stats := wire.dwell_time_stats) is None:
                continue
            mean, least, most, quantiles, n = fields_of(stats)
            if n:
                low, middle, high = quantiles
                if n > visits or n < 0 or mean != dwell or least < 0 or least > mean or mean > most:
                    return False
                if least > low or low > middle or middle > high or high > most or most > _A_DAY:
                    return False
            elif quantiles and len(quantiles) != 3:
                return False
    except (TypeError, ValueError):  # something is not measured
        return False
    return True
