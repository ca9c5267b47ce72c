"""Pydantic models of results: field by field, for `response_model=` and OpenAPI."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import typing
from collections.abc import Mapping
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from ..models import FrozenMap
from ..planning import Plan, PlannedRequest
from ..results import Chunk, Listed
from ..settings import TRUE_OR_FALSE, check
from ..wording import brief


def response_model(cls: type[Any], *, upstream: bool = False) -> type[BaseModel]:
    """
    Return the pydantic model of a result, row or catalogue class (any attrs class), for `response_model=` and OpenAPI.

    Names, types, nulls and descriptions are those of the attrs class, nested ones too; a result also has `complete`,
    and leaves out `plan` and `arrived`. Requests in its coverage are written as the days they ask for, or, with
    *upstream*, as they were sent: with the service's path and every parameter, which the public has no business with.
    Errors are written as the names of their classes. The model takes the attrs value as it is.
    """
    if not (isinstance(cls, type) and attrs.has(cls)):
        raise TypeError(f"response_model needs an attrs class, such as ZoneVisitorsResult; got {brief(cls, 80)}")
    check("upstream", upstream, TRUE_OR_FALSE)
    model: type[BaseModel] = _response_model(cls, upstream)
    return model


@functools.cache
def _response_model(cls: type[Any], upstream: bool) -> type[BaseModel]:
    hints = typing.get_type_hints(cls, localns={"Plan": Plan, "PlannedRequest": PlannedRequest, "Chunk": Chunk})
    told = _descriptions(cls)
    fields: dict[str, Any] = {}
    for field in attrs.fields(cls):
        if hints[field.name] in (Plan, tuple[Chunk, ...]):
            continue
        default = ... if field.default is attrs.NOTHING else _default(field)
        fields[field.name] = (_schema(hints[field.name], upstream), Field(default, description=told.get(field.name)))
    if isinstance(complete := getattr(cls, "complete", None), property):
        fields["complete"] = (bool, Field(..., description=inspect.getdoc(complete)))
    return create_model(
        f"{cls.__name__}Upstream" if upstream else cls.__name__,
        __config__=ConfigDict(from_attributes=True, frozen=True, json_schema_serialization_defaults_required=True),
        __doc__=inspect.cleandoc(cls.__doc__ or "").partition("\n\n>>>")[0],
        **fields,
    )


def _default(field: attrs.Attribute[Any]) -> Any:
    if isinstance(field.default, FrozenMap):
        return {}
    return tuple(field.default) if isinstance(field.default, Listed) else field.default


def _schema(hint: Any, upstream: bool) -> Any:
    """Translate the type of an attrs field into one that pydantic knows."""
    if hint is FrozenMap:
        return Annotated[dict[str, Any], BeforeValidator(_thaw)]
    if hint is Any:
        return Annotated[Any, BeforeValidator(_thaw)]
    if hint is PlannedRequest:
        return Annotated[str, BeforeValidator(str if upstream else _days_of)]
    if isinstance(hint, type) and issubclass(hint, Exception):
        return Annotated[str, BeforeValidator(lambda error: type(error).__name__)]
    if isinstance(hint, type) and attrs.has(hint):
        return response_model(hint, upstream=upstream)
    origin = get_origin(hint)
    if origin is None or origin is Literal:
        return hint
    parts = tuple(part if part in (..., NoneType) else _schema(part, upstream) for part in get_args(hint))
    if origin in (Union, UnionType):
        return Union[parts]  # noqa: UP007  made of parts, some of them Annotated
    if origin is Listed:
        return tuple[parts[0], ...]  # type: ignore[valid-type]
    constructor: Any = dict if origin is Mapping else origin
    return constructor[parts]


def _days_of(request: PlannedRequest) -> str:
    """Name *request* by what it asks about, without where it is sent."""
    if request.window is None:
        return request.endpoint
    return f"{request.endpoint}, {request.period}: {request.window.start} to {request.window.end}"


def _thaw(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {str(name): _thaw(inner) for name, inner in item.items()}
    return [_thaw(inner) for inner in item] if isinstance(item, (list, tuple)) else item


def _descriptions(cls: type[Any]) -> dict[str, str]:
    """Read what stands below the fields of *cls*: units, and what adds up. Nothing where there is no source."""
    told: dict[str, str] = {}
    for base in filter(attrs.has, reversed(cls.__mro__)):
        try:
            source = textwrap.dedent(inspect.getsource(base))
        except OSError:
            continue
        (definition,) = ast.parse(source).body
        assert isinstance(definition, ast.ClassDef)
        for field, below in pairwise(definition.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    told[name] = inspect.cleandoc(text)
    return told
