"""
What there is to know about figures: a kind for programs, a sentence for people.

`KINDS` is the list of all kinds. Results and chunks carry notes as `notes`, reports of an export too, and every
`--json` of the command has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from ..profile import NOTHING_KNOWN, Profile

#: Kinds that follow from what was asked, from the plan of the account or from how a place is set up: nothing is amiss.
EXPECTED: Mapping[str, str] = {
    "asked_unsplit": "A period was cut, its pieces did not fit together, and it was asked again in one piece.",
    "location_unknown": "Rows do not tell the location they belong to.",
    "no_locations": "The token sees no location, so nothing was asked.",
    "numbering_unknown": "Weeks or weekdays have the API's own numbers, which it does not document.",
    "provisional_period": "The period reaches a day that has not ended.",
    "rows_of_zeros": "Rows count nobody: whether nobody came or nothing was measured they do not say.",
    "unlicensed_metrics": "Zeros that a Basic plan does not measure are None.",
    "unscoped_drop_in": "The summary and details of drop_in_rate are of several zones together.",
    "unscoped_lines": "Crossings of all lines were asked for, so a visitor counts once for each line.",
}
#: Kinds that somebody should look at.
DOUBTFUL: Mapping[str, str] = {
    "answer_says": "An answer has fields beside its rows that are not known, such as a warning.",
    "drop_in_over_100": "More entries than passers-by: a sign of how lines are set up.",
    "filter_ignored": "Dwell times lie beyond the filter that was sent.",
    "foreign_files": "The folder of an export has files of others.",
    "grouped_otherwise": "Where the grouping was left to the API, it is another than documented.",
    "implausible_figures": "Counts below zero, more visitors than visits, a mean beyond the least and the most.",
    "incomplete_labels": "Labels do not tell the day or year they belong to.",
    "labels_elsewhere": "Hours are labelled by another clock, at the edge of the days asked for.",
    "odd_labels": "Labels have names that are not known, or numbers that no calendar has.",
    "odd_rates": "Rates are not 100 · entries / passers-by.",
    "partial_sum": "A failed request was one part of a sum.",
    "possibly_out_of_scope": "Locations were asked for that the token's list does not have.",
    "profile_contradicted": "Labels are not numbered as the profile says.",
    "repeated_comparison": "The figures of the comparison are those of the current period.",
    "repeated_key": "One key stands more than once in an answer.",
    "sections_disagree": "The summary, details and zones of drop_in_rate do not add up to one another.",
    "unlisted_ids": "Ids were asked for or came back that a list which was looked up does not have.",
    "unreadable_dates": "The dates that an answer repeats cannot be read.",
}
#: Every kind, and what it says.
KINDS: Mapping[str, str] = {**EXPECTED, **DOUBTFUL}


@attrs.frozen(kw_only=True)
class Note:
    """Something to know about the figures; `kind` is for programs, `message` for people."""

    kind: str
    """One of `KINDS`, for programs."""
    message: str
    """The same for people."""

    def __str__(self) -> str:
        return self.message


def unite_notes(notes: Iterable[Note]) -> tuple[Note, ...]:
    """
    Put the notes of many answers together: one of a kind and message, and of many messages of a kind the first.

    >>> [str(note) for note in unite_notes([Note(kind="a", message="One."), Note(kind="a", message="Two.")])]
    ['One. So it is in 1 more answer or place.']
    """
    by_kind: dict[str, dict[Note, None]] = {}
    for note in notes:
        by_kind.setdefault(note.kind, {})[note] = None
    return tuple(_unite(list(same)) for same in by_kind.values())


def _unite(same: list[Note]) -> Note:
    first, more = same[0], len(same) - 1
    if not more:
        return first
    return attrs.evolve(
        first, message=f"{first.message} So it is in {more} more answer{'s' * (more > 1)} or place{'s' * (more > 1)}."
    )


def numbering_unknown(what: Iterable[str]) -> Note:
    """Say that the numbers of *what*, weeks or weekdays, are not known."""
    words = " and ".join(what).capitalize()
    return Note(
        kind="numbering_unknown",
        message=f"{words} have the API's own numbers, which it does not document and which need not be those of ISO "
        "8601 (2025-W10): nothing is computed from them. `indivd verify` measures them, and AsyncIndivd(profile=…) "
        "takes what it learned.",
    )


#: Labels that have numbers, and what a profile calls them.
_NUMBERED = (("week", "weeks"), ("dayofweek", "weekdays"))


def unnumbered(groupings: Iterable[str], profile: Profile | None) -> list[str]:
    """Name what has numbers that nobody knows in labels by these *groupings*: weeks, weekdays."""
    names = {name for grouping in groupings for name in grouping.split(",")}
    numbering = (profile or NOTHING_KNOWN).numbering
    return [words for name, words in _NUMBERED if name in names and getattr(numbering, words) is None]
