"""
OpenTelemetry: a span for a call, one for each planned request, and metrics, named by the HTTP semantic conventions.

`TracedIndivd` is `AsyncIndivd` with telemetry. Where opentelemetry is not installed (extra `otel`) it is `AsyncIndivd`
and nothing more. What is told of a request is its method, address and outcome; headers, and so the token, never come
near.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

import attrs

from .client import AsyncIndivd
from .client.opened import OpenStream as _OpenStream
from .errors import ConfigError, IndivdError
from .settings import check_options
from .transport import hide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

    from .client import Call
    from .execution import Event
    from .progress import Wanted

_SCOPE = "indivd_async"
#: Seconds: the boundaries that the conventions advise for http.client.request.duration.
_DURATION_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class TracedIndivd(AsyncIndivd):
    """
    An `AsyncIndivd` that tells OpenTelemetry what it does.

    Spans: `indivd zone_visitors` (or the name of another call) around a `GET /api/…` for each planned request, with an
    event `retry` for each attempt that was followed by another. Metrics: `http.client.request.duration` (seconds, of an
    attempt), `http.client.active_requests`, `indivd.client.requests` and `indivd.client.retries`. A request answered
    from the cache, or with the answer to another caller, has `indivd.attempts` 0.

    *on_event* hears every event as well; without providers the global ones are used; *options* are those of
    `AsyncIndivd`.

    >>> client = TracedIndivd(token="your-token")
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        on_event: Callable[[Event], object] | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        **options: Any,
    ) -> None:
        token = hide(token)
        check_options({"on_event": on_event})
        for name, provider in {"tracer": tracer_provider, "meter": meter_provider}.items():
            if provider is not None and not hasattr(provider, f"get_{name}"):
                raise ConfigError(f"{name}_provider must have get_{name}, as in opentelemetry; got a {type(provider)}")
        self._telemetry: _Telemetry | None = None
        with suppress(ImportError):  # then there is nobody to tell
            self._telemetry = _Telemetry(on_event, tracer_provider, meter_provider)
        super().__init__(token, on_event=self._telemetry or on_event, **options)
        if self._telemetry is not None:
            base = self._executor.base_url
            self._telemetry.base_url = str(base)
            self._telemetry.server = {"server.address": base.host, "server.port": base.port}

    def _call(self, name: str, *, collects: bool = False, progress: Wanted = None) -> AbstractContextManager[Call]:
        call = super()._call(name, collects=collects, progress=progress)
        return call if self._telemetry is None or name == "stream" else self._told(name, call)

    @contextmanager
    def _told(self, name: str, call: AbstractContextManager[Call]) -> Iterator[Call]:
        assert self._telemetry is not None
        with _Span(self._telemetry, name) as span, span.current(), call as begun:
            yield begun

    # The types are the base's.
    if not TYPE_CHECKING:

        def stream(self, queries, ordered=False, *, progress=None):
            stream = super().stream(queries, ordered, progress=progress)
            if self._telemetry is None:
                return stream
            asked = {"queries": stream.queries, "ordered": stream.ordered, "make": stream.make}
            return _ToldStream(telemetry=self._telemetry, begin=stream.begin, **asked)


@attrs.define(kw_only=True, eq=False, repr=False)
class _ToldStream(_OpenStream[Any]):
    """
    A stream with a span around it.

    The span is current only while the workers start. What the caller does between chunks is not part of it, and a
    stream may be closed in another context than the one it set something in.
    """

    telemetry: _Telemetry
    _told: ExitStack = attrs.field(factory=ExitStack, init=False)

    async def __aenter__(self) -> Any:
        with ExitStack() as stack:
            span = stack.enter_context(_Span(self.telemetry, "stream"))
            with span.current():
                chunks = await super().__aenter__()
            self._told = stack.pop_all()
        return chunks

    async def __aexit__(self, *ended_by: Any) -> None:
        with self._told:
            await super().__aexit__(*ended_by)


@attrs.define
class _Asked:
    """A planned request that has not ended: its span, and when its attempt in the air began."""

    #: Held, so that no other takes its identity: it may be cancelled, which nobody tells, long before its call ends.
    request: Any
    span: Span
    attributes: dict[str, Any]
    #: `Event.elapsed` at the start of the attempt; None while there is none.
    attempt_began: float | None = None


#: What the call in this task has asked and not heard of yet, by the identity of the request. A call's tasks inherit it.
_open_requests: ContextVar[dict[int, _Asked] | None] = ContextVar("indivd_async_open_requests", default=None)


class _Telemetry:
    """Turns events into spans and metrics."""

    def __init__(
        self,
        also: Callable[[Event], object] | None,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
    ) -> None:
        from opentelemetry import metrics, trace

        self.server: dict[str, Any] = {}
        self.base_url = ""
        self._also = also
        self.trace = trace
        self.tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of an attempt of a request.",
            explicit_bucket_boundaries_advisory=_DURATION_BOUNDARIES,
        )
        self._active = meter.create_up_down_counter(
            "http.client.active_requests", unit="{request}", description="Attempts in the air."
        )
        self._requests = meter.create_counter(
            "indivd.client.requests", unit="{request}", description="Planned requests that ended, by `indivd.outcome`."
        )
        self._retries = meter.create_counter(
            "indivd.client.retries", unit="{retry}", description="Attempts that were followed by another."
        )

    def __call__(self, event: Event) -> None:
        asked = _open_requests.get()
        if asked is not None:  # whatever sends is a call, and has opened it
            self._tell(event, asked)
        if self._also is not None:
            self._also(event)

    def _tell(self, event: Event, asked: dict[int, _Asked]) -> None:
        key = id(event.request)
        if event.kind == "planned":
            asked[key] = self._plan(event.request)
            return
        one = asked[key]
        if event.kind == "started":
            one.attempt_began = event.elapsed
            self._active.add(1, one.attributes)
            return
        status = {} if event.status is None else {"http.response.status_code": event.status}
        fault = {} if event.kind == "finished" else {"error.type": _type_of_fault(event)}
        self._land(one, event.elapsed, {**status, **fault})
        if event.kind == "retry":
            self._retries.add(1, {**one.attributes, **status})
            one.span.add_event("retry", {"indivd.attempt": event.attempt, "indivd.wait_s": event.wait or 0.0, **status})
            return
        del asked[key]
        again = {"http.request.resend_count": event.attempt - 1} if event.attempt > 1 else {}
        self._end(one, event.kind, {"indivd.attempts": event.attempt, **status, **fault, **again})

    def _plan(self, request: Any) -> _Asked:
        attributes = {"http.request.method": "GET", **self.server, "url.template": request.path}
        span = self.tracer.start_span(
            f"GET {request.path}",
            kind=self.trace.SpanKind.CLIENT,
            attributes={
                **attributes,
                "url.full": self.base_url + request.target,
                "url.path": request.path,
                "indivd.endpoint": request.endpoint,
                "indivd.reason": request.reason,
            },
        )
        return _Asked(request, span, attributes)

    def _land(self, one: _Asked, elapsed: float | None, outcome: dict[str, Any]) -> None:
        if one.attempt_began is None:
            return
        if elapsed is not None:
            self._duration.record(elapsed - one.attempt_began, {**one.attributes, **outcome})
        one.attempt_began = None
        self._active.add(-1, one.attributes)

    def _end(self, one: _Asked, outcome: str, attributes: dict[str, Any]) -> None:
        one.span.set_attributes({"indivd.outcome": outcome, **attributes})
        if outcome == "failed":
            one.span.set_status(self.trace.StatusCode.ERROR)
        one.span.end()
        self._requests.add(1, {**one.attributes, "indivd.outcome": outcome})

    def cancel(self, one: _Asked) -> None:
        """End a request whose call ended before it: it was cancelled."""
        self._land(one, None, {})
        self._end(one, "cancelled", {})


class _Span:
    """The span of a call, and the requests that it has open."""

    def __init__(self, telemetry: _Telemetry, name: str) -> None:
        self._telemetry = telemetry
        self._span = telemetry.tracer.start_span(f"indivd {name}", attributes=telemetry.server)
        self._asked: dict[int, _Asked] = {}

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it the parent of what is asked here, and in tasks started here."""
        use_span = self._telemetry.trace.use_span
        token = _open_requests.set(self._asked)
        try:
            with use_span(self._span, record_exception=False, set_status_on_exception=False):
                yield
        finally:
            _open_requests.reset(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        for one in self._asked.values():
            self._telemetry.cancel(one)
        if isinstance(error, Exception):
            self._span.set_attribute("error.type", type(error).__name__)
            self._span.set_status(self._telemetry.trace.StatusCode.ERROR, str(error))
        self._span.end()


def _type_of_fault(event: Event) -> str:
    if event.status not in {None, 200}:  # a 200 failed because of its body
        return str(event.status)
    error = sys.exception()  # that a request failed is told while its error is handled
    return type(error).__name__ if isinstance(error, IndivdError) else "_OTHER"
