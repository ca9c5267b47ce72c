"""The reference has a word for everything: each public class, function, field and property."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Sequence
from functools import cache, cached_property

import attrs
import pytest

import indivd_async
from indivd_async.__main__ import public_modules


def _exported(module: str) -> dict[str, object]:
    """Find what the module gives of this package: by `__all__` where it has one."""
    found = importlib.import_module(module)
    names = getattr(found, "__all__", [name for name in vars(found) if name[0] != "_"])
    things = {name: getattr(found, name) for name in names}
    return {
        name: thing for name, thing in things.items() if getattr(thing, "__module__", "").startswith("indivd_async")
    }


@cache
def _said(cls: type) -> frozenset[str]:
    """Find the fields of a class that a docstring follows, where tools for references look for it."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(node, ast.ClassDef)
    found = set()
    for field, text in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found.add(field.target.id)
    return frozenset(found)


def _silent(cls: type) -> list[str]:
    """Name the public fields, properties and methods of a class that no docstring tells of."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("indivd_async")]
    fields = {field.name for field in attrs.fields(cls)} if attrs.has(cls) else set()
    found = [name for name in fields if name[0] != "_" and not any(name in _said(base) for base in ours)]
    for base in ours:
        for name, member in vars(base).items():
            spoken = isinstance(member, property | cached_property | classmethod) or inspect.isfunction(member)
            if name[0] != "_" and name not in fields and spoken and not inspect.getdoc(getattr(cls, name)):
                found.append(name)
    return sorted(set(found))


@pytest.mark.parametrize("module", public_modules())
def test_everything_says_what_it_is(module: str) -> None:
    """With its unit, default and source where it has them, and those are for a reader to judge."""
    exported = _exported(module)
    assert exported
    silent = [name for name, thing in exported.items() if callable(thing) and not inspect.getdoc(thing)]
    for name, thing in exported.items():
        if inspect.isclass(thing):
            silent += [f"{name}.{field}" for field in _silent(thing)]
    assert silent == []


@pytest.mark.parametrize("module", public_modules())
def test_what_is_inherited_is_told_where_it_is(module: str) -> None:
    """A class's members stand with it, or with a class that has a page of its own to stand on."""
    public = {thing for each in public_modules() for thing in _exported(each).values() if inspect.isclass(thing)}
    for name, thing in _exported(module).items():
        for base in thing.__mro__ if inspect.isclass(thing) else ():
            if base.__module__.startswith("indivd_async") and base not in public:
                members = {member for member in vars(base) if member[0] != "_"} - set(dir(Sequence))
                assert members == set(), f"{name} has them of {base.__name__}"


def test_checkers_see_what_is_exported() -> None:
    """They read the imports, and `__getattr__` the table."""
    source = ast.parse(inspect.getsource(indivd_async))
    (block,) = (node for node in source.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {
        (node.module, alias.asname) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    table = {(home, name) for home, names in indivd_async._EXPORTED.items() for name in names.split()}
    assert seen == table
