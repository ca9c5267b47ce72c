"""One client an application: opened when it starts, closed when it ends, injected into routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, overload

from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from ..client import AsyncIndivd
from ..errors import ConfigError
from ..settings import Rule, check_options, is_kind, is_plain_function
from ..transport import hide

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


_OPTIONS: dict[str, Rule] = {
    "app": is_kind(Starlette, "an application; options go by name, as in {limits:Limits(…)}"),
    "also": (is_plain_function, "a lifespan of yours, as asynccontextmanager makes one"),
    "client": (is_plain_function, "what makes a client, such as AsyncIndivd or a function that returns one"),
}


@overload
def lifespan(app: FastAPI) -> AbstractAsyncContextManager[Any]: ...
@overload
def lifespan(
    *, also: Lifespan | None = None, client: Callable[..., AsyncIndivd] = AsyncIndivd, **options: Any
) -> Lifespan: ...
def lifespan(
    app: FastAPI | None = None,
    *,
    also: Lifespan | None = None,
    client: Callable[..., AsyncIndivd] = AsyncIndivd,
    **options: Any,
) -> Any:
    """
    Open one client when the application starts and close it when it ends.

    ``FastAPI(lifespan=lifespan)`` takes the token from the environment; ``FastAPI(lifespan=lifespan(limits=…))`` passes
    *options* to *client*, which may be any callable that returns one. *also* is a lifespan of yours: it runs inside, so
    it finds the client in ``app.state.indivd``, and what it yields is passed on. Within one of your own: ``async with
    lifespan(app): yield``.
    """
    options = {name: hide(value) if name in ("token", "proxy") else value for name, value in options.items()}
    check_options(locals(), _OPTIONS)

    @asynccontextmanager
    async def opened(app: Any) -> AsyncIterator[Any]:
        async with client(**options) as opened_client:
            app.state.indivd = opened_client
            try:
                if also is None:
                    yield
                else:
                    async with also(app) as state:
                        yield state
            finally:
                del app.state.indivd

    return opened if app is None else opened(app)


class ClientMissingError(ConfigError):
    """The application has no client: its lifespan did not run, or opens none."""


async def client_of(connection: HTTPConnection) -> AsyncIndivd:
    """Return the client of the application that *connection* belongs to."""
    client = getattr(connection.app.state, "indivd", None)
    if not isinstance(client, AsyncIndivd):
        raise ClientMissingError(
            "this application has no client: make it with FastAPI(lifespan=indivd_async.fastapi.lifespan(…)), and in "
            "tests start it with `with TestClient(app)`; a mounted application needs its own app.state.indivd"
        )
    return client


#: The application's client, for routes and websockets: ``async def route(client: IndivdDep)``.
IndivdDep = Annotated[AsyncIndivd, Depends(client_of)]
