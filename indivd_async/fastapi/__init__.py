"""
The door to FastAPI: one client an application, errors as problem+json, response models nested and flat,
streams that end with their visitor or their server.

>>> import fastapi
>>> from indivd_async import ZoneVisitorsResult
>>> from indivd_async.fastapi import IndivdDep, install_error_handlers, lifespan, response_model
>>> app = fastapi.FastAPI(lifespan=lifespan(token="your-token"))
>>> install_error_handlers(app)
>>> @app.get("/visits", response_model=response_model(ZoneVisitorsResult))
... async def visits(client: IndivdDep, start_date: str, end_date: str):
...     return await client.zone_visitors(start_date, end_date)
"""

from __future__ import annotations

try:
    import fastapi as _fastapi  # noqa: F401
    import pydantic as _pydantic  # noqa: F401
except ImportError as error:
    raise ImportError("indivd_async.fastapi needs the extra `fastapi`: pip install 'indivd-async[fastapi]'") from error

from .clients import ClientMissingError, IndivdDep, Lifespan, lifespan
from .models import response_model
from .problems import install_error_handlers
from .rows import rows_model
from .streams import stream_ndjson

__all__ = [
    "ClientMissingError",
    "IndivdDep",
    "Lifespan",
    "install_error_handlers",
    "lifespan",
    "response_model",
    "rows_model",
    "stream_ndjson",
]
