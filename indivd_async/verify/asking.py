"""Questions to the service as it answers them: its JSON and its status, before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import orjson

from ..errors import ApiError, AuthenticationError, ClientClosedError, ConfigError, IndivdError
from ..models import NOTHING_EXTRA, FrozenMap
from ..models.endpoints import DATA_ENDPOINTS, FILTER_ENDPOINTS
from ..planning.request import PlannedRequest
from ..planning.urls import encode_params

if TYPE_CHECKING:
    from ..client import AsyncIndivd

#: Questions in the air at once: gentle to a service that others use, too.
AT_ONCE = 4
#: What no question can be blamed for.
_ENDS_ALL = (AuthenticationError, ClientClosedError, ConfigError)


@attrs.frozen
class Question:
    """One request, by endpoint and parameters."""

    endpoint: str
    params: FrozenMap = NOTHING_EXTRA

    @classmethod
    def of(cls, endpoint: str, params: Mapping[str, object]) -> Question:
        """Make one; parameters that are None are left out, lists are joined with commas."""
        return cls(endpoint, FrozenMap({name: _text(value) for name, value in params.items() if value is not None}))

    @property
    def path(self) -> str:
        """The path that is asked."""
        if self.endpoint in DATA_ENDPOINTS:
            return DATA_ENDPOINTS[self.endpoint].path
        return FILTER_ENDPOINTS[self.endpoint].paths[0]

    def __str__(self) -> str:
        query = encode_params(self.params.items())
        return f"{self.path}?{query}" if query else self.path


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


@attrs.frozen(kw_only=True)
class Heard:
    """What came back: `document` where the status is 200, `problem` where there is no JSON to speak of."""

    question: Question
    status: int | None
    document: Any = None
    headers: Mapping[str, str] = NOTHING_EXTRA
    problem: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether there is a document."""
        return self.status == 200 and not self.problem

    @property
    def is_refused(self) -> bool:
        """Whether the service would not answer this question."""
        return self.status is not None and self.status >= 400


async def ask(client: AsyncIndivd, question: Question) -> Heard:
    """
    Ask one question over the client's own lanes, with its retries, limits and counts.

    An error of the service is an answer, too. Raises what ends every call: a token that is not taken, a closed client.
    """
    request = PlannedRequest(
        index=0, endpoint=question.endpoint, path=question.path, params=question.params, reason="verify"
    )
    executor = client._executor  # noqa: SLF001  the one place where this room meets the client's
    executor.announce(1)
    executor.planned(request)
    try:
        reply = await executor.send(request)
    except _ENDS_ALL:
        raise
    except ApiError as error:
        return Heard(question=question, status=error.status, problem=f"answered with {error.status}")
    except IndivdError as error:
        return Heard(question=question, status=None, problem=f"no answer: {type(error).__name__}")
    headers = dict(reply.signs)
    try:
        document = orjson.loads(reply.body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return Heard(question=question, status=200, headers=headers, problem="answered with something else than JSON")
    return Heard(question=question, status=200, document=document, headers=headers)


class Asker:
    """Asks, at most `AT_ONCE` at once and *most* in all; remembers every answer, in the order of the questions."""

    def __init__(
        self, client: AsyncIndivd, *, most: int, on_heard: Callable[[str, Heard], object] | None = None
    ) -> None:
        self.heard: dict[str, Heard] = {}
        self._client = client
        self._most = most
        self._on_heard = on_heard

    @property
    def left(self) -> int:
        """How many questions may still be asked."""
        return self._most - len(self.heard)

    async def ask_all(self, questions: Mapping[str, Question]) -> None:
        """Ask *questions*, by name; those that are too many are not asked."""
        names = list(questions)[: self.left]
        answers: dict[str, Heard] = {}
        limiter = anyio.CapacityLimiter(AT_ONCE)
        failures: list[Exception] = []

        async def work(name: str) -> None:
            try:
                async with limiter:
                    answers[name] = await ask(self._client, questions[name])
            except Exception as failure:  # told as it is, never in a group
                failures.append(failure)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(work, name)
        if failures:
            raise failures[0]
        for name in names:
            self.heard[name] = answers[name]
            if self._on_heard is not None:
                self._on_heard(name, answers[name])

    async def ask(self, name: str, question: Question) -> Heard | None:
        """Ask one more question; None where no more may be asked."""
        if self.left <= 0:
            return None
        await self.ask_all({name: question})
        return self.heard[name]


def number(value: object) -> float | None:
    """Read a number, also one that is written as text; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def whole(value: object) -> int | None:
    """Read a whole number, as answers write it: 284, 284.0 or "284"; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = number(value)
    return int(found) if found is not None and found == int(found) else None
