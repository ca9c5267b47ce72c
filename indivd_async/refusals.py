"""
What is refused before anything is sent, and the root of all errors: those that know no request.

Whoever looks for an error finds all of them in `indivd_async.errors`.
"""

from __future__ import annotations

from typing import Any

from .escaping import escape_controls
from .wording import Spelling, brief, literally, spell_words


def _restore(cls: type[IndivdError], message: str, fields: dict[str, Any]) -> IndivdError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(fields)
    return error


class IndivdError(Exception):
    """
    The root: `except IndivdError` catches everything this package raises on purpose.

    `advice` says what to do about it, where anything can be done.
    """

    advice: str = ""
    _words: str | None = None

    def __str__(self) -> str:
        """Say it in one line: what comes from elsewhere is shown in it, and a terminal or a log obeys none of it."""
        return escape_controls(super().__str__())

    def worded(self, spelling: Spelling) -> str:
        """
        Return the message and its notes, with the parameters in it spelled by *spelling*.

        >>> error = InvalidQueryError("end_date", "must not be before {start_date}", "2025-01-01")
        >>> error.worded(lambda name, value: f"--{name.replace('_', '-')}")
        "--end-date: must not be before --start-date; got '2025-01-01'."
        """
        words = literally(str(self)) if self._words is None else escape_controls(self._words)
        asides: dict[str, str] = getattr(self, "_asides", {})
        notes = [asides.get(note, literally(note)) for note in getattr(self, "__notes__", ())]
        return spell_words("\n".join([words, *notes]), spelling)

    def add_advice(self, words: str) -> None:
        """Add a note that says what else can be done."""
        note = spell_words(words)
        self.__dict__.setdefault("_asides", {})[note] = words
        self.add_note(note)

    def _say(self, words: str, advice: str = "") -> None:
        self._words = f"{words} {advice}" if advice else words
        self.args = (spell_words(self._words),)
        self.advice = spell_words(advice)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), str(self), dict(self.__dict__))


class ConfigError(IndivdError, ValueError):
    """An option of the client, or an environment variable behind it, cannot be used."""

    def __init__(self, words: str, advice: str = "") -> None:
        self._say(words, advice)


class InvalidQueryError(IndivdError, ValueError):
    """
    A parameter breaks a rule of the API, known beforehand; nothing was sent.

    `parameter`, `rule` and `value` say which, what and with what, `advice` what else to pass. The API answers such
    requests with a status and no body, so this message is all the explanation there is.
    """

    def __init__(self, parameter: str, rule: str, value: object, hint: str = "") -> None:
        super().__init__()
        got = f"; got {literally(brief(value, 80))}"
        if value is None:
            got = f"{{:{got}}}"  # of Python's own
        self._say(f"{{{parameter}}}: {rule}{got}.", hint)
        self.parameter = parameter
        self.rule = spell_words(rule)
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        import pickle

        try:
            pickle.dumps(self.value)
        except Exception:  # the value was refused, so it may be anything at all
            return _restore, (type(self), str(self), {**self.__dict__, "value": brief(self.value, 80)})
        return super().__reduce__()


class NotMergeableError(IndivdError):
    """What was asked for cannot be added up: `metric` names it, `instead` says what to ask."""

    def __init__(self, metric: str, reason: str, instead: str) -> None:
        super().__init__(f"{metric} cannot be added up: {reason}. {instead}")
        self.metric = metric
        self.reason = reason
        self.instead = instead
