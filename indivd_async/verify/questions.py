"""Questions to the service as it answers them: its JSON and its status, before anything is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import orjson

from ..errors import ApiError, AuthenticationError, ClientClosedError, ConfigError, IndivdError, TransportError
from ..models import NOTHING_EXTRA, FrozenMap
from ..models.endpoints import DATA_ENDPOINTS, FILTER_ENDPOINTS
from ..planning import PlannedRequest, Window

if TYPE_CHECKING:
    from ..client import AsyncIndivd
    from ..execution import Executor
    from ..transport import Reply

#: Questions in the air at once: gentle to a service that others use, too.
AT_ONCE = 4
#: What no question can be blamed for.
_ENDS_ALL = (AuthenticationError, ClientClosedError, ConfigError)
#: Said of the moment, not of the question.
_OF_THE_MOMENT = (408, 429)
#: Whole numbers are told apart up to here by whatever reads JSON.
_EXACT = 2**53
#: By which a service asks for patience.
_CROWDED = (429, 503)


def make_question(endpoint: str, params: Mapping[str, object] = NOTHING_EXTRA) -> PlannedRequest:
    """Make a question; parameters that are None are left out, lists are joined with commas."""
    asked = {name: _text(value) for name, value in params.items() if value is not None}
    is_list, window = endpoint in FILTER_ENDPOINTS, None
    if not is_list:
        window = Window(*(date.fromisoformat(asked[name]) for name in ("start_date", "end_date")))
    return PlannedRequest(
        index=0,
        endpoint=endpoint,
        path=FILTER_ENDPOINTS[endpoint].paths[0] if is_list else DATA_ENDPOINTS[endpoint].path,
        params=FrozenMap(asked),
        reason="verify",
        window=window,
        period="both" if "comparison_start_date" in asked else "current",
        tz=asked.get("tz"),
        locations=tuple(map(int, asked["location"].split(","))) if "location" in asked else None,
    )


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


@attrs.frozen(kw_only=True)
class Heard:
    """What came back: `document` where the status is 200, `problem` where there is no JSON to speak of."""

    question: PlannedRequest
    status: int | None
    document: Any = None
    headers: Mapping[str, str] = NOTHING_EXTRA
    problem: str = ""
    #: Requests that were sent for it, this one included: not of what was recorded.
    attempts: int = attrs.field(default=1, eq=False)

    @property
    def is_ok(self) -> bool:
        """Whether there is a document."""
        return self.status == 200 and not self.problem

    @property
    def is_refused(self) -> bool:
        """Whether the service would not answer this question, at any time."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _OF_THE_MOMENT

    @property
    def is_declined(self) -> bool:
        """Whether it is refused, or was asked more than once and broke down each time, as gateways do in time."""
        return self.is_refused or (self.status is not None and self.status >= 500 and self.attempts > 1)

    @property
    def may_pass(self) -> bool:
        """Whether the same question may be answered a moment later."""
        return not self.is_ok and not self.is_refused and (self.status is None or self.status >= 400)


async def ask(executor: Executor, question: PlannedRequest) -> Heard:
    """
    Ask one question over a client's own lanes, with its limits and counts.

    An error of the service is an answer, too. Raises what ends every call: a token that is not taken, a closed client.
    """
    executor.teller.announce(1)
    executor.teller.tell("planned", question)
    try:
        reply: Reply = await executor.send(question)
    except _ENDS_ALL:
        raise
    except ApiError as error:
        problem = f"answered with {error.status}"
        return Heard(question=question, status=error.status, problem=problem, attempts=error.attempts)
    except IndivdError as error:
        attempts = error.attempts if isinstance(error, TransportError) else 1
        problem = f"not answered ({type(error).__name__})"
        return Heard(question=question, status=None, problem=problem, attempts=attempts)
    heard = Heard(question=question, status=200, headers=dict(reply.signs), attempts=reply.attempts)
    try:
        return attrs.evolve(heard, document=orjson.loads(reply.body.removeprefix(b"\xef\xbb\xbf")))
    except orjson.JSONDecodeError:
        return attrs.evolve(heard, problem="answered with something else than JSON")


class Asker:
    """
    Asks, at most `AT_ONCE` at once, and sends *most* requests in all; remembers every answer, by name.

    What may be answered a moment later is asked again, as often as the client would, while requests are left.
    """

    def __init__(
        self, client: AsyncIndivd, *, most: int, on_heard: Callable[[str, Heard], object] | None = None
    ) -> None:
        self.heard: dict[str, Heard] = {}
        self.most = most
        #: Requests that were sent.
        self.sent = 0
        self._executor = client._executor  # noqa: SLF001  the one place where this room meets the client's
        self._retry = self._executor.retry
        self._on_heard = on_heard

    @property
    def left(self) -> int:
        """How many requests may still be sent."""
        return max(0, self.most - self.sent)

    async def ask_all(self, questions: Mapping[str, PlannedRequest]) -> None:
        """Ask *questions*, by name, but for those that were asked; those that are too many are not asked."""
        answers: dict[str, Heard] = {}
        names = [name for name in questions if name not in self.heard][: self.left]
        for attempt in range(self._retry.attempts):
            open_now = [name for name in names if name not in answers or answers[name].may_pass][: self.left]
            if attempt and open_now:  # the pause that a Retry-After asks for is the executor's
                crowded = any(answers[name].status in _CROWDED for name in open_now)
                base = self._retry.base_overloaded if crowded else self._retry.base
                await anyio.sleep(min(self._retry.cap, base * 2.0 ** (attempt - 1)))
            await self._ask_once({name: questions[name] for name in open_now}, answers)
        for name in names:
            self.heard[name] = answers[name]
            if self._on_heard is not None:
                self._on_heard(name, answers[name])

    async def _ask_once(self, questions: Mapping[str, PlannedRequest], answers: dict[str, Heard]) -> None:
        once = self._executor.with_options(retry=attrs.evolve(self._retry, attempts=1))
        limiter = anyio.CapacityLimiter(AT_ONCE)
        failures: list[Exception] = []

        async def work(name: str) -> None:
            try:
                async with limiter:
                    heard = await ask(once, questions[name])
                self.sent += heard.attempts
                before = answers[name].attempts if name in answers else 0
                answers[name] = attrs.evolve(heard, attempts=heard.attempts + before)
            except Exception as failure:  # told as it is, never in a group
                failures.append(failure)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for name in questions:
                tasks.start_soon(work, name)
        if failures:
            raise failures[0]


def number(value: object) -> float | None:
    """Read a number, also one that is written as text; None for anything else, and beyond what JSON carries exactly."""
    if value is None:
        return None  # as most figures of a Basic plan: asked some ten thousand times a run
    if type(value) is int or type(value) is float:
        return value if -_EXACT < value < _EXACT else None
    if isinstance(value, str):
        try:
            return number(float(value))
        except ValueError:
            pass
    return None


def whole(value: object) -> int | None:
    """Read a whole number, as answers write it: 284, 284.0 or "284"; None for anything else."""
    if type(value) is int and -_EXACT < value < _EXACT:
        return value
    found = number(value)
    return int(found) if found is not None and found == int(found) else None
