"""Signs that there is more than what came, in answers, periods and headers: a part is not the whole. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Sign = tuple[str, str]
#: How many rows came: first of one period, then counted in every other way that a total may mean.
Counts = Sequence[int]

# Names are compared without case, blanks and signs: next_page, nextPage and X-Next-Page are one.
_plain = re.compile(r"[^a-z0-9]+")
_ONWARD = re.compile(
    r"(?:.*next(?:page|link|links|url|uri|href|cursor|token|pagetoken|offset|start|marker|key|set)?"
    r"|has(?:more|next|nextpage|moreresults|moreitems|additionalpages)|more(?:results|data|pages|rows|items|available)?"
    r"|(?:is|was)?(?:truncated|partial|incomplete|clipped|capped|cut)|.*continuation(?:token|key)?|scrollid"
    r"|lastevaluatedkey|searchafter|errors?|failures?)"
).fullmatch
_WHOLE = re.compile(r"(?:is)?(?:complete|completed|done|finished|final|last|lastpage|exhausted)").fullmatch
_TOTAL = re.compile(
    r"(?:count|total|(?:total|overall)(?:count|results?|rows?|records?|items?|elements?|hits|entries)|numfound"
    r"|(?:row|result|record|item)s?(?:count|total)|records(?:total|filtered))"
).fullmatch
_PAGES = re.compile(
    r"(?:total|num|numberof|number)?pages?(?:count|total)?|(?:last|max|current)page|pagenumber"
).fullmatch
_OFFSET = re.compile(r"(?:offset|skip|skipped)").fullmatch
_KNOWN = re.compile(r"previous|prev(?:page|link|url)?|first(?:page|link)?|self|perpage|pagesize|limit").fullmatch
_NO = frozenset({"", "false", "0", "null", "none", "no"})
_LINK_NEXT = re.compile(r";\s*rel\s*=\s*\"?[^\",;]*\bnext\b", re.IGNORECASE).search
_RANGE = re.compile(r"\s*\S+\s+(\d+)-(\d+)/(\d+)\s*").fullmatch
_DEEPEST = 3


def find_more(fields: Mapping[str, Any], counts: Counts) -> tuple[list[str], list[Sign]]:
    """
    Look through the unknown *fields* of an answer that brought so many rows.

    Returns the signs that there is more, in words, and the fields that say neither that nor the contrary.
    """
    more, others = [], []
    for path, value in _leaves(fields, ""):
        verdict = _judge(path, value, counts)
        if verdict:
            more.append(f"{path} {_show(value)}")
        elif verdict is None:
            others.append((path, _show(value)))
    return more, others


def find_more_in_headers(signs: Sequence[Sign], counts: Counts) -> list[str]:
    """Look through headers that may say so: a link to the next page, a range, a total."""
    found = []
    for name, value in signs:
        if name == "link":
            is_more: bool | None = _LINK_NEXT(value) is not None
        elif name == "content-range":
            part = _RANGE(value)
            is_more = part is not None and (int(part[1]) > 0 or int(part[2]) + 1 < int(part[3]))
        elif value.startswith("{"):
            try:
                is_more = bool(find_more(json.loads(value), counts)[0])
            except ValueError:
                is_more = False
        else:
            is_more = _judge(name.removeprefix("x-"), value, counts)
        if is_more:
            found.append(f"header {name}: {value[:80]}")
    return found


def _leaves(fields: Mapping[str, Any], above: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping) and value and depth < _DEEPEST and not _ONWARD(_name(path)):
            yield from _leaves(value, f"{path}.", depth + 1)
        else:
            yield path, value


def _name(path: str) -> str:
    return _plain.sub("", path.rpartition(".")[2].lower())


def _judge(path: str, value: Any, counts: Counts) -> bool | None:
    """Tell whether a field says that there is more: True, False, or None where it says nothing of that."""
    name = _name(path)
    is_no = not value or str(value).strip().lower() in _NO
    number = _number(value)
    if _ONWARD(name):
        return not is_no
    if _WHOLE(name) and (value is False or str(value).strip().lower() in ("false", "true")):
        return is_no
    if _TOTAL(name) and number is not None:
        return number > counts[0] and number not in counts
    if _PAGES(name) and number is not None:
        return number > 1
    if _OFFSET(name) and number is not None:
        return number > 0
    return False if _KNOWN(name) or value is None else None


def _number(value: Any) -> int | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value)
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else None


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def words_of(more: Iterable[str]) -> str:
    """Put signs together for a message."""
    return "; ".join(list(more)[:3])
