"""Signs that there is more than what came, in answers, periods and headers: a part is not the whole. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..models import NOTHING_EXTRA
from ..results.notes import word_note
from .case import FIGURES, Case, Mismatch, Testimony

Sign = tuple[str, str]
#: How many rows came: first of one period, then counted in every other way that a total may mean.
Counts = Sequence[int]

# Names are compared without case, blanks and signs: next_page, nextPage and X-Next-Page are one.
_plain = re.compile(r"[^a-z0-9]+")
_ONWARD = re.compile(
    r"(?:.*next(?:page|link|links|url|uri|href|cursor|token|pagetoken|offset|start|marker|key|set|range)?"
    r"|has(?:more|next|nextpage|moreresults|moreitems|additionalpages)|more(?:results|data|pages|rows|items|available)?"
    r"|.*(?:truncated|incomplete|clamped)|(?:is|was)?(?:partial|clipped|capped|cut)|.*continuation(?:token|key)?|scrollid"
    r"|lastevaluatedkey|searchafter|after|(?:end|page)?cursor|pagetoken|bookmark|limit(?:reached|exceeded|hit)"
    r"|errors?|failures?"
    r"|(?:rows|results|records|items)?(?:remaining|omitted|dropped)(?:rows|results|records|items|count)?"
    r"|(?:incomplete|partial)(?:results|data|answer|content))"
).fullmatch
_WHOLE = re.compile(
    r"(?:is|data|results?)?complete|(?:is)?(?:completed|done|finished|final|last|lastpage|exhausted)"
).fullmatch
_TOTAL = re.compile(
    r"(?:count|total|(?:total|overall)(?:count|results?|rows?|records?|items?|elements?|hits|entries)|numfound"
    r"|(?:row|result|record|item)s?(?:count|total)|records(?:total|filtered))"
).fullmatch
_PAGES = re.compile(
    r"(?:total|num|numberof|number)?pages?(?:count|total)?|(?:last|max|current)page|pagenumber"
).fullmatch
_OFFSET = re.compile(r"(?:offset|skip|skipped)").fullmatch
_KNOWN = re.compile(r"previous|prev(?:page|link|url)?|first(?:page|link)?|self|perpage|pagesize|limit").fullmatch
#: Headers that say nothing of more, and yet something of the figures.
_DOUBT = re.compile(r"(?:x-)?(?:[a-z]+-)?(?:warn|warning|degraded|cursor|sampled|estimated)").fullmatch
#: What headers begin with that pages of lists come with, in several frameworks.
_PREFIX = re.compile(r"^(?:x-)?(?:(?:wp|wc|pagination|paginator|paging|list|collection)-)?")
_NO = frozenset({"", "false", "0", "null", "none", "no"})
_LINK_NEXT = re.compile(r";\s*rel\s*=\s*\"?[^\",;]*\bnext\b", re.IGNORECASE).search
_RANGE = re.compile(r"\s*\S+\s+(\d{1,18})-(\d{1,18})/(\d{1,18})\s*").fullmatch
#: A count, perhaps with signs between thousands; beyond 18 digits no more than its size matters.
_is_number = re.compile(r"(\d{1,3}(?:[ ,_']\d{3})+|\d+)(?:\.\d*)?").fullmatch
_MOST_DIGITS = 10**18
_DEEPEST = 3


def hold_whole(case: Case) -> Testimony:
    """Look for signs that there is more, and for what an answer says beside its rows."""
    extra = case.answer.extra
    totals = [block.summary.extra for block in case.blocks if block.summary is not None]
    zones = [zone.extra for block in case.blocks for zone in block.zones]
    if extra is NOTHING_EXTRA and not case.signs and all(each is NOTHING_EXTRA for each in (*totals, *zones)):
        return
    fields = dict(extra) | {f"summary.{name}": value for each in totals for name, value in each.items()}
    more, others = say_more(fields, case.signs, _counts(case))
    for each in zones:  # which have fields of their own, and totals of whatever it may be
        more = more or say_more(each, (), (_MOST_DIGITS,))[0]
    if more:
        yield Mismatch("all there is", more)
    if others:
        yield word_note("answer_says", said="; ".join(others[:5]))


def _counts(case: Case) -> list[int]:
    """Count what came in every way that a total may mean: rows of a period, a section or all, zones, visits."""
    counts: Counter[Any] = Counter({"first": len(case.sheets[0].rows), "places": len(case.places)})
    for sheet in case.sheets:
        is_zone = sheet.zone is not None
        for key in ("all", sheet.period, is_zone, (sheet.period, is_zone)):
            counts[key] += len(sheet.rows)
        for name in () if is_zone else FIGURES:
            counts[sheet.period, name] += sum(getattr(row, name, 0) for row in sheet.rows)
    return [*counts.values(), len({place.zone_id for place in case.places})]


def say_more(fields: Mapping[str, Any], signs: Sequence[Sign], counts: Counts) -> tuple[str, list[str]]:
    """
    Look through the unknown *fields* and the headers of an answer that brought so many rows.

    Returns the signs that there is more, in words, and the fields that say neither that nor the contrary.
    """
    verdicts = [(f"{path}: {_show(value)}", _judge(path, value, counts)) for path, value in _leaves(fields)]
    more = [words for words, verdict in verdicts if verdict]
    for name, value in signs:
        if not _DOUBT(name) and any(_judge(path, leaf, counts) for path, leaf in _read_header(name, value)):
            more.append(f"header {name}: {_show(value)}")
    others = [words for words, verdict in verdicts if verdict is None]
    doubts = [(name, value) for name, value in signs if _DOUBT(name) and value.strip().lower() not in _NO]
    others += [f"header {name}: {_show(value)}" for name, value in doubts]
    return f"a part: {'; '.join(more[:3])}" if more else "", others


def _read_header(name: str, value: str) -> Iterable[tuple[str, Any]]:
    if name == "link":
        return [("next", _LINK_NEXT(value))]
    if name == "content-range":
        part = _RANGE(value)
        return [("truncated", part and (int(part[1]) > 0 or int(part[2]) + 1 < int(part[3])))]
    try:
        return _leaves(json.loads(value)) if value.startswith("{") else [(_PREFIX.sub("", name), value)]
    except (ValueError, RecursionError):
        return ()


def _leaves(fields: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping) and value and depth < _DEEPEST and not _ONWARD(_name(path)):
            yield from _leaves(value, f"{path}.", depth + 1)
        else:
            yield path, value


def _name(path: str) -> str:
    return _plain.sub("", path.removesuffix(".value").rpartition(".")[2].lower())


def _judge(path: str, value: Any, counts: Counts) -> bool | None:
    """Tell whether a field says that there is more: True, False, or None where it says nothing of that."""
    name, text = _name(path), str(value).strip().lower()
    is_no = not value or text in _NO
    if _ONWARD(name):
        return not is_no
    if name in ("status", "state") and text in ("partial", "truncated", "incomplete"):
        return True
    if _WHOLE(name) and text in ("false", "true"):
        return is_no
    digits = _is_number(text)
    number = None if digits is None else int(re.sub(r"\D", "", digits[1])[:18])
    if number is not None and _TOTAL(name):
        return number > counts[0] and number not in counts
    if number is not None and (_PAGES(name) or _OFFSET(name)):
        return number > (1 if _PAGES(name) else 0)
    return False if value is None or _KNOWN(name) else None


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
