"""The problem documents in OpenAPI: every operation that asks for the client tells how it may fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, routing

from .clients import client_of

PROBLEM_MEDIA_TYPE = "application/problem+json"
_NAME = "IndivdProblem"
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds until it may be worth asking again.", "schema": {"type": "integer"}}
}
#: What each status says of the application and the service behind it.
_STATUSES: dict[str, str] = {
    "403": "A location or organisation is outside what this application may see.",
    "422": "What was asked for cannot be asked, or not be added up.",
    "500": "This application is not set up to ask the visitor analytics service.",
    "502": "The visitor analytics service gave no usable answer, or only a part of one.",
    "503": "The visitor analytics service is busy, or this application is shutting down.",
    "504": "The visitor analytics service did not answer in time.",
}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


#: The document of RFC 9457, with the members that some errors add.
_SCHEMA: dict[str, Any] = {
    "title": _NAME,
    "type": "object",
    "description": "Why there is no answer (RFC 9457).",
    "required": ["type", "title", "status", "detail", "error"],
    "properties": {
        "type": _text('Always "about:blank": the status says what kind of problem it is.'),
        "title": _text("The phrase of the status."),
        "status": {"type": "integer", "description": "The status of the answer, or of the piece that failed."},
        "detail": _text("What went wrong, for people."),
        "error": _text("The class of the error, for programs."),
        "parameter": _text("Of a query that cannot be asked: which parameter is at fault."),
        "rule": _text("Of a query that cannot be asked: the rule that it breaks."),
        "metric": _text("Of figures that do not add up: which."),
        "instead": _text("Of figures that do not add up: what to ask instead."),
    },
}


def describe_problems(app: FastAPI) -> None:
    """Let the OpenAPI of *app* tell the problem documents of its operations, those added later, too."""
    # FastAPI's documentation extends OpenAPI so.
    describe = app.openapi
    described: list[Any] = []

    def openapi() -> dict[str, Any]:
        schema = describe()
        if not described or described[0] is not schema:  # made anew where routes were added
            _add_problems(app, schema)
            described[:] = [schema]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def _add_problems(app: FastAPI, schema: dict[str, Any]) -> None:
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{_NAME}"}}}
    for path, method in _asking_operations(app):
        operation = schema.get("paths", {}).get(path, {}).get(method)
        if operation is None:  # not shown in the schema
            continue
        schema.setdefault("components", {}).setdefault("schemas", {})[_NAME] = _SCHEMA
        for status, description in _STATUSES.items():
            response = operation["responses"].setdefault(status, {"description": description})
            response.setdefault("content", {}).update(content)
            if status == "503":
                response.setdefault("headers", {}).update(_RETRY_AFTER)


def _asking_operations(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield path and method of the operations that the client is injected into, by themselves or what they need."""
    # Recent versions keep an included router whole, and walk it so themselves; earlier ones copy its routes.
    walk: Any = getattr(routing, "iter_route_contexts", iter)
    for route in walk(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is not None and _asks(dependant):
            yield from ((route.path_format, method.lower()) for method in route.methods or ())


def _asks(dependant: Any) -> bool:
    return dependant.call is client_of or any(map(_asks, dependant.dependencies))
