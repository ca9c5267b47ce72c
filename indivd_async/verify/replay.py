"""The recording of a run as a service: it answers what was asked then as it was answered, and nothing else."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from typing import Any
from urllib.parse import parse_qsl

import orjson

from ..models.endpoints import FILTER_ENDPOINTS
from .questions import Heard
from .recording import RUN_HEADER, read_recording

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Replay:
    """
    An ASGI application that answers from a recording.

    A question that was asked several times is answered in the order of then, and from then on with the last answer.
    What was not asked is answered with 404, and listed in `missed`. No token is looked at. Lists say, in a header, of
    which run they are, so that `verify` asks what was asked then, of the day that it was asked on.
    """

    def __init__(self, source: str | os.PathLike[str]) -> None:
        self.recording = read_recording(source)
        self.missed: list[str] = []
        self._answers: defaultdict[_Key, deque[Heard]] = defaultdict(deque)
        for heard in self.recording.answers.values():
            self._answers[heard.question.path, tuple(sorted(heard.question.params.items()))].append(heard)

    def __len__(self) -> int:
        return sum(map(len, self._answers.values()))

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Answer, as ASGI has it."""
        if scope["type"] != "http":
            return
        query = scope["query_string"].decode("ascii")
        heard = self._find(scope["path"], query)
        if heard is None:
            self.missed.append(f"{scope['path']}?{query}" if query else scope["path"])
            status, body, headers = 404, b"", {}
        else:
            status, headers = heard.status or 503, dict(heard.headers)
            is_json = status == 200 and not heard.problem
            body = orjson.dumps(heard.document) if is_json else b"?" if status == 200 else b""
            headers["content-type"] = "application/json"
            if heard.question.endpoint in FILTER_ENDPOINTS:
                headers[RUN_HEADER] = self.recording.run_text
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def _find(self, path: str, query: str) -> Heard | None:
        params = tuple(sorted(parse_qsl(query, keep_blank_values=True)))
        for (known, asked), answers in self._answers.items():
            if path.endswith(known) and asked == params:  # a gateway's prefix may stand before it
                return answers.popleft() if len(answers) > 1 else answers[0]
        return None
