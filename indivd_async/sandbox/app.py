"""The ASGI application: routes and tokens, latency and faults, answers with a body and refusals without."""

from __future__ import annotations

import gzip
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs
import orjson

from ..settings import Rule, check_options, is_at_least, is_kind, is_plain_function, must_be
from .aggregation import World
from .catalogue import TOKENS
from .deviations import Deviation, Question, Reply, find_deviations
from .parameters import READERS, Refused, check_work, read_parameters

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

#: A status for `Faults`: no answer.
HOLD: Final = 0

_DATA = "/api/v1/rnd/insights/external/"
_LISTINGS = ("locations", "zones", "lines", "categories", "organizations")
_GZIP_FROM = 1_000
#: The same answers are asked for again, by tests most of all.
_compress = lru_cache(maxsize=64)(partial(gzip.compress, compresslevel=1, mtime=0))
_REMEMBERED = 10_000


def is_status(value: object) -> bool:
    """Tell whether *value* is a status that an answer can have, or `HOLD`."""
    return is_at_least(0)[0](value) and (value == HOLD or value in range(100, 600))


_SHARE: Rule = (lambda value: is_at_least(0, whole=False)[0](value) and value <= 1, "a number from 0 to 1")
_STATUSES: Rule = (
    lambda value: isinstance(value, tuple | list) and len(value) > 0 and all(map(is_status, value)),
    "a tuple of statuses, at least one",
)
_HOOK: Rule = (is_plain_function, "a function that is not awaited")
_TEXT = is_kind(str, 'a str, such as "30"')


@attrs.define(kw_only=True)
class Faults:
    """
    What goes wrong on purpose, on every endpoint.

    `rate` of all requests fail, evenly spread, with the `statuses` in turn and `retry_after` as a header. `hook` may
    decide before that: it gets the number of the request (from 1), path and parameters, and returns a status or None.
    The status `HOLD` leaves a request without an answer until the client gives up.
    """

    rate: float = attrs.field(default=0.0, validator=must_be(_SHARE))
    """Share of all requests, 0 to 1, evenly spread."""
    statuses: tuple[int, ...] = attrs.field(default=(500, 503, 502), validator=must_be(_STATUSES))
    """What they are answered with, in turn."""
    retry_after: str | None = attrs.field(default=None, validator=attrs.validators.optional(must_be(_TEXT)))
    """The header, in seconds or as a date; None sends none."""
    hook: Callable[[int, str, dict[str, str]], int | None] | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(must_be(_HOOK)),
    )
    """Asked before: number from 1, path, parameters; a status, or None to go on."""

    def next_status(self, number: int, path: str, params: dict[str, str]) -> int | None:
        """Return the status to fail with, or None."""
        if self.hook is not None and (status := self.hook(number, path, params)) is not None:
            return status
        failed = int((number - 1) * self.rate)
        return self.statuses[failed % len(self.statuses)] if int(number * self.rate) > failed else None


@attrs.frozen(kw_only=True)
class Recorded:
    """A request that arrived, and how it was answered. `path` leaves out what the application is mounted under."""

    path: str
    """Without what the application is mounted under."""
    params: dict[str, str]
    """As text."""
    status: int
    """How it was answered."""


#: What an option must be, where it is given.
_OPTIONS: dict[str, Rule] = {
    "world": is_kind(World, "a World, as in {world:World(seed='mine')}"),
    "latency_s": is_at_least(0, whole=False),
    "faults": is_kind(Faults, "a Faults, as in {faults:Faults(rate=0.1)}"),
    "deviations": (
        lambda value: isinstance(value, Iterable) and not isinstance(value, bytes | type),
        "names of deviations, out of DEVIATIONS",
    ),
}


class Sandbox:
    """
    The application; `requests` are the last ones that arrived, `peak_in_flight` the most at any one moment.

    `latency_s` is waited before each answer. *deviations* names ways to answer otherwise than asked: see `DEVIATIONS`.
    `latency_s` and `faults` may be changed while it runs, and so may the deviations, by `deviate`.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        latency_s: float = 0.0,
        faults: Faults | None = None,
        deviations: Iterable[str] = (),
    ) -> None:
        try:
            from starlette.applications import Starlette
            from starlette.routing import Route
        except ImportError as error:
            raise ImportError('the sandbox needs starlette: pip install "indivd-async[sandbox]"') from error
        check_options(locals(), _OPTIONS)
        self.world = world or World()
        self.latency_s = latency_s
        self.faults = faults or Faults()
        self.requests: deque[Recorded] = deque(maxlen=_REMEMBERED)
        self.in_flight = 0
        self.peak_in_flight = 0
        self._arrived = 0
        self.deviate(*([deviations] if isinstance(deviations, str) else deviations or ()))
        routes = [Route(f"{_DATA}{name}/", self._endpoint(_data, name)) for name in READERS]
        routes += [Route(f"{_DATA}{name}", self._add_slash) for name in READERS]
        routes += [Route(f"/filters/{name}", self._endpoint(_listing, name)) for name in _LISTINGS]
        self._app = Starlette(routes=routes, exception_handlers={404: self._refuse, 405: self._refuse})
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, as ASGI has it."""
        await self._app(scope, receive, send)

    def deviate(self, *names: str) -> None:
        """Answer from now on by these deviations, in their order, and no others; raises ValueError for unknown ones."""
        self.deviations = find_deviations(names)
        self._asked: Counter[tuple[str, str]] = Counter()

    def _endpoint(self, answer: _Answer, name: str) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            self.in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
            try:
                if self.latency_s:
                    await anyio.sleep(self.latency_s)
                return await self._fail(request) or self._answer(request, answer, name)
            finally:
                self.in_flight -= 1

        return endpoint

    async def _fail(self, request: Request) -> Response | None:
        """Answer with a fault, when there is one."""
        self._arrived += 1
        status = self.faults.next_status(self._arrived, _path_of(request), dict(request.query_params))
        if status is None:
            return None
        retry_after = self.faults.retry_after
        response = self._reply(request, status, {} if retry_after is None else {"Retry-After": retry_after})
        while status == HOLD and (await request.receive())["type"] != "http.disconnect":
            pass
        return response

    def _answer(self, request: Request, answer: _Answer, name: str) -> Response:
        active = [deviation for deviation in self.deviations if name in deviation.endpoints]
        try:
            token = _authenticate(request.headers.get("authorization", ""))
            params = request.query_params.multi_items()
            question = Question(
                endpoint=name,
                params=dict(params),
                nth=self._count(request) if active else 1,
                url_bytes=len(request.scope["path"]) + 1 + len(request.scope["query_string"]),
                today=self.world.now.date(),
            )
            reply = answer(self.world, token, params, question, active)
        except Refused as refused:
            return self._reply(request, refused.status)
        body = reply.prefix + (b"" if reply.document is None else orjson.dumps(reply.document))
        headers = {"Content-Type": "application/json"} | reply.headers
        if len(body) >= _GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            body = _compress(body)
            headers["Content-Encoding"] = "gzip"
        return self._reply(request, reply.status, headers, body)

    def _count(self, request: Request) -> int:
        """Count how often this was asked."""
        asked = (request.scope["path"], str(request.query_params))
        self._asked[asked] += 1
        return self._asked[asked]

    async def _add_slash(self, request: Request) -> Response:
        return self._reply(request, 301, {"Location": str(request.url.replace(path=request.url.path + "/"))})

    async def _refuse(self, request: Request, error: Any) -> Response:
        return self._reply(request, error.status_code, error.headers)

    def _reply(
        self, request: Request, status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        from starlette.responses import Response

        params = dict(request.query_params)
        self.requests.append(Recorded(path=_path_of(request), params=params, status=status))
        return Response(body, status, headers)


def _path_of(request: Request) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


_Answer = Callable[[World, str, list[tuple[str, str]], Question, list[Deviation]], Reply]


def _listing(
    world: World, token: str, _params: list[tuple[str, str]], question: Question, active: list[Deviation]
) -> Reply:
    # No parameter of a filter endpoint is documented.
    _refuse(question, active)
    return _rework(Reply(document=world.listing(question.endpoint, token=token)), question, active)


def _data(
    world: World, token: str, params: list[tuple[str, str]], question: Question, active: list[Deviation]
) -> Reply:
    access = TOKENS[token]
    for deviation in active:
        if deviation.access is not None:
            access = deviation.access(access)
    lifted = {grouping for deviation in active for grouping in deviation.lifts}
    question = attrs.evolve(question, values=read_parameters(question.endpoint, params, access, lifted=lifted))
    check_work(question.values, access, world.now.date())
    _refuse(question, active)
    changed = question
    for deviation in active:
        if deviation.ask is not None:
            changed = attrs.evolve(changed, values=deviation.ask(changed))
        if deviation.world is not None:
            world = deviation.world(world)
    document = getattr(world, question.endpoint)(token=token, **changed.values)
    return _rework(Reply(document=document), question, active)


def _refuse(question: Question, active: list[Deviation]) -> None:
    for deviation in active:
        if deviation.refuse is not None and (status := deviation.refuse(question)) is not None:
            raise Refused(status)


def _rework(reply: Reply, question: Question, active: list[Deviation]) -> Reply:
    for deviation in active:
        if deviation.answer is not None:
            deviation.answer(question, reply)
    return reply


def _authenticate(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme != "Token" or token not in TOKENS:
        raise Refused(401)
    return token
