"""The shape that is documented, as classes of msgspec: made of the models and their forms."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin, get_type_hints

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from .. import models
from ..models.values import A_DAY_S, LABELS, MOST_INT, MOST_PEOPLE
from .forms import FORMS, Form, Period

_Int: Any = Annotated[int, msgspec.Meta(ge=-MOST_INT - 1, le=MOST_INT)]
#: Objects of which all is sent, or {}.
_WHOLE_OR_EMPTY = (models.DwellTimeStats, models.Exclude, Period, models.DropInTotals)


class _Ours:
    """The type of fields that are filled in here: no value that is sent is of it."""


#: Classes whose place the structs can take: they have the fields that are not sent, too.
_STANDS_FOR = frozenset({models.LineCrossesRow, models.ZoneVisitorsRow, models.Aggregation})


def _wire_of(kind: Any, for_table: bool) -> Any:
    """Return the type by which msgspec reads what an annotation calls *kind*."""
    parts = get_args(kind)
    if kind is int:
        return _Int
    if attrs.has(kind):
        return struct_of(kind, for_table)
    if get_origin(kind) is tuple and attrs.has(parts[0]):
        return list[_wire_of(parts[0], for_table)]  # type: ignore[misc]
    if get_origin(kind) is dict:
        return dict[str, _wire_of(parts[1], for_table)]  # type: ignore[misc]
    return _wire_of(parts[0], for_table) | None if type(None) in parts else kind


def struct_of(cls: type, for_table: bool, **otherwise: Any) -> Any:
    """
    Make the class of what is sent of *cls*: its fields, in order, and no others.

    *for_table*: and room for what is filled in, where the structs are to stand for rows.
    """
    form, hints = FORMS.get(cls, Form()), get_type_hints(cls)
    fields: list[tuple[Any, ...]] = []
    for field in attrs.fields(cls):
        if field.name in (*form.carried, "extra"):
            continue
        if hints[field.name] is models.Bucket and form.labels:
            fields.append(("labels", struct_of(models.Bucket, for_table), msgspec.field(name=form.labels)))
        elif hints[field.name] is models.Bucket:
            day = "day" if cls is models.DropInRow else None
            named = {"dayofmonth": msgspec.field(default=None, name=day)}
            # Ordered as the article writes them: msgspec looks for a field first behind the one before it.
            labels = reversed(LABELS) if cls is models.Aggregation else LABELS
            fields = [*((label, _Int | None, named.get(label)) for label in labels), *fields]
        else:
            wire = otherwise.get(field.name) or _wire_of(hints[field.name], for_table)
            if cls in _WHOLE_OR_EMPTY:
                fields.append((field.name, wire | UnsetType, UNSET))
            else:
                fields.append((field.name, wire, None) if field.default is None else (field.name, wire))
    namespace: dict[str, Any] = {}
    if for_table and cls in _STANDS_FOR:
        bucket = ("bucket",) if form.labels is not None else ()
        fields += [(name, _Ours, None) for name in (*bucket, *form.carried)]
        namespace = {"extra": models.NOTHING_EXTRA}
    # Without the collector: these objects hold no cycles, and none outlives the call.
    return msgspec.defstruct(
        cls.__name__, fields, namespace=namespace, kw_only=True, forbid_unknown_fields=True, gc=False
    )


def do_agree(wires: list[Any]) -> bool:
    """Tell whether the figures in *wires* surely agree with one another; False says only that they may not."""
    try:
        for wire in wires:
            visits, visitors = wire.visits, wire.unique_visits  # four names at once would cost a tuple
            dwell, stats = wire.dwell_time, wire.dwell_time_stats
            if not (0 <= (visitors or 0) <= visits <= MOST_PEOPLE and 0 <= (wire.bounce or 0) <= visits):
                return False
            if stats is None or not (n := stats.n):
                if (dwell and not 0.0 <= dwell <= A_DAY_S) or (stats and stats.quantiles and len(stats.quantiles) != 3):
                    return False
                continue
            least, most, (low, middle, high) = stats.min, stats.max, stats.quantiles
            if not (0 < n <= visits and 0.0 <= least <= low <= middle <= high <= most <= A_DAY_S):
                return False
            if not least <= dwell <= most or dwell != stats.mean:
                return False
    except (TypeError, ValueError):  # something is not measured
        return False
    return True
