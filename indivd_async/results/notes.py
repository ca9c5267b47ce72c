"""
What there is to know about figures: a kind for programs, a sentence for people, and what to do.

`KINDS` is the list of all kinds, and the one place that words them. Results and chunks carry notes as `notes`, reports
of an export too, and every `--json` of the command that tells figures has them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ..escaping import ShownAsText
from ..fielded import Fielded
from ..profile import NOTHING_KNOWN, Profile
from ..wording import Spelling, spell_words


@attrs.frozen(eq=False, repr=False)
class Kind(Fielded):
    """
    What notes of one kind say, with ``{places}`` for what was found, and what can be done.

    The advice has parameters as errors have them (see `wording`), which whoever shows it spells.
    """

    sentence: str
    advice: str = ""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Note(ShownAsText):
    """Something to know about the figures; `kind` is for programs, `message` for people."""

    kind: str
    """One of `KINDS`, for programs."""
    message: str
    """The same for people."""

    def __str__(self) -> str:
        return self.message

    @property
    def doubtful(self) -> bool:
        """Whether somebody should look at it; so are kinds that are not in the list."""
        return self.kind not in EXPECTED

    def worded(self, spelling: Spelling) -> str:
        """
        Return the message with the parameters in its advice spelled by *spelling*.

        >>> word_note("partial_sum").worded(lambda name, value: "run it again").split(". ")[-1]
        'To have it: run it again.'
        """
        advice = KINDS[self.kind].advice if self.kind in KINDS else ""
        return self.message.replace(spell_words(advice), spell_words(advice, spelling)) if advice else self.message

    def to_dict(self, spelling: Spelling) -> dict[str, Any]:
        """Return what it says, for JSON: kind, message, and whether somebody should look at it."""
        return {"kind": self.kind, "message": self.worded(spelling), "doubtful": self.doubtful}


#: What follows from the question, from the plan of the account or from how a place is set up: nothing is amiss.
EXPECTED: Mapping[str, Kind] = {
    "asked_unsplit": Kind(
        "The period was cut at first, but rows of different pieces had the same labels: the API groups otherwise "
        "than assumed. It was asked again in one piece."
    ),
    "drop_in_over_100": Kind(
        "Some drop-in rates are above 100 %: more entries than passers-by were recorded, a sign of how lines are set "
        "up, not a rate; where it lasts, support@indivd.com is who can tell.{zones}"
    ),
    "location_unknown": Kind(
        "Nothing tells in which location zones {zones} are.", '{per:"location"} asks for each location apart.'
    ),
    "no_locations": Kind(
        "The token's list of locations is empty, so there was nothing to ask for and nothing was sent."
    ),
    "numbering_unknown": Kind(
        "The numbers of weeks and weekdays are the API's own, which it does not document and which need not be those "
        "of ISO 8601 (2025-W10): nothing is computed from them.",
        "`indivd verify` measures them, and {profile:FILE} takes what it learned.",
    ),
    "provisional_period": Kind("The period reaches a day that has not ended ({clocks}): its figures still grow."),
    "rows_of_zeros": Kind(
        "Some rows count nobody: whether nobody came or nothing was measured, as outside opening hours, they do not "
        "say.",
        "Leave them out of averages, or hold them against the opening hours.",
    ),
    "unlicensed_metrics": Kind(
        "Unique visits, bounces and dwell times are left empty (None) for zones that show visits but none of these "
        "{where}: their plan (Indivd Basic) does not measure them."
    ),
    "unscoped_drop_in": Kind(
        "No zone was given, so the summary and the details are of all zones together, which Indivd's article on the "
        "API calls rarely useful; zone_details has each by itself."
    ),
    "unscoped_lines": Kind(
        "No zones, categories or lines were given, so a visitor is counted once for every line crossed; Indivd's "
        "article on the API says to scope such requests.",
        "{zone_to}, {zone_from}, {category} or {line_ids} narrow it down.",
    ),
}
#: What somebody should look at.
DOUBTFUL: Mapping[str, Kind] = {
    "answer_says": Kind("The answer says beside its rows: {said}.", "Read it before the figures are used."),
    "filter_ignored": Kind(
        "{name} {sent} s was sent, and there are dwell times beyond it: the filter was not applied.",
        "Take these dwell times for those of all visits.",
    ),
    "filter_unasked": Kind(
        "Visits beyond a {name} are left out of dwell times, and none was sent: the service has a filter of its own.",
        "Take these dwell times for those of a part of the visits.",
    ),
    "foreign_files": Kind(
        "Files not of this export, which readers take for its rows: {files}.", "Move them elsewhere."
    ),
    "rows_gone": Kind(
        "{count:,} rows that were kept are no longer in the table, of {places}.",
        "What there still is to ask is asked again. Let nobody else delete rows there.",
    ),
    "grouped_otherwise": Kind(
        "By default {asked} was expected, and the answer has {said}: it is grouped otherwise than documented.",
        "Name the grouping to have the one you want.",
    ),
    "implausible_figures": Kind(
        "The row of {where} has figures that no measurement gives: a count below zero or of billions, more visitors, "
        "bounces or dwell times than visits, many visits and no visitor, stays of days, or a mean or quartiles beyond "
        "the least and the most, or a mean told twice as two.",
        "Do not use it before Indivd has explained it.",
    ),
    "incomplete_labels": Kind(
        "Labels do not tell their {lacks}: where {window} has several, one row holds what belongs to several buckets.",
        "Ask for one of them at a time.",
    ),
    "labels_elsewhere": Kind(
        "{count} labels lie within hours of the days asked for, and not in them ({example}, asked {window}): they "
        "are those of another clock, such as UTC.",
        "Ask for a day more at either end; an export that asks for such days again asks for all of them.",
    ),
    "odd_labels": Kind(
        "Labels that are not documented: {odd}. Names that are not known are in `extra`, and tell rows apart; numbers "
        "that no calendar has are counted otherwise.",
        "Nothing is computed from such labels, and nothing should be.",
    ),
    "nothing_told": Kind(
        "The answer has neither rows nor dates of the {period} period: whether nobody came it does not say.",
        "Ask again, or for a day that surely has visits.",
    ),
    "odd_rates": Kind(
        "{count} rates are not 100 · entries / passers-by, such as {example}: left out, fractions, or of other counts.",
        "Compute rates from the counts.",
    ),
    "partial_sum": Kind(
        "A failed request was one part of sums: some figures lack its share until it is fetched.",
        "To have it: {retry_failed()}.",
    ),
    "possibly_out_of_scope": Kind(
        "Locations {locations} are not in this token's list of locations: they may be out of its scope, and missing "
        "here.",
        "{locations()} shows which there are.",
    ),
    "profile_contradicted": Kind(
        "Some labels are not numbered as the profile says, so it is not followed here: weeks and weekdays stay the "
        "API's own.",
        "Let `indivd verify` write the profile anew.",
    ),
    "repeated_comparison": Kind(
        "The figures of the comparison ({other}) are those of the current period ({window}), all of them.",
        "Ask for the two periods apart, each as a query of its own.",
    ),
    "repeated_counts": Kind(
        "All counts for {one} are those for {other}: the service seems not to heed that filter.",
        "Ask for one of them, then for all without it, before any is used.",
    ),
    "repeated_key": Kind(
        "{count} keys stand more than once in one answer, such as {example}. All rows are kept, and sums over them "
        "may be too high.",
        "Do not add them up before Indivd has explained them.",
    ),
    "rows_at_limit": Kind(
        "An answer has {rows} rows, which is all that this service gives at once, as the profile says: some may be "
        "missing.",
        "Ask for shorter periods ({split}), or for one location at a time ({per}).",
    ),
    "sections_disagree": Kind(
        "Sections of the answer do not agree: {found}.",
        "The rows of each zone are the finest there is; take one section, and always the same.",
    ),
    "unlisted_ids": Kind("{what} {ids}: the list of {list} has no such id."),
    "unreadable_dates": Kind(
        "The answer gives its dates as {said!r}, which cannot be read, so they were not compared.",
        "Look whether they are the days asked for.",
    ),
}
KINDS: Mapping[str, Kind] = {**EXPECTED, **DOUBTFUL}


def word_note(kind: str, **found: object) -> Note:
    """
    Make a note of a *kind*, with what was *found* in its sentence.

    >>> print(word_note("provisional_period", clocks="Europe/Stockholm"))
    The period reaches a day that has not ended (Europe/Stockholm): its figures still grow.
    """
    words = KINDS[kind].sentence.format_map(found)
    advice = spell_words(KINDS[kind].advice)
    return Note(kind=kind, message=f"{words} {advice}" if advice else words)


def unite_notes(notes: Iterable[Note]) -> tuple[Note, ...]:
    """
    Put the notes of many answers together: one of a kind and message, and of many messages of a kind the first.

    >>> [str(note) for note in unite_notes([Note(kind="a", message="One."), Note(kind="a", message="Two.")])]
    ['One. So it is in 1 more answer or place.']
    """
    by_kind: dict[str, dict[Note, None]] = {}
    for note in notes:
        by_kind.setdefault(note.kind, {})[note] = None
    return tuple(_count_others(first, len(others)) for first, *others in by_kind.values())


def warn_of(notes: Iterable[Note]) -> None:
    """Warn of those *notes* that somebody should look at, where rows go on without them: frames, tables, NDJSON."""
    for note in unite_notes(notes):
        if note.doubtful:
            warnings.warn(f"{note.kind}: {note}", stacklevel=2)


def _count_others(first: Note, others: int) -> Note:
    s = "s" * (others > 1)
    more = f" So it is in {others} more answer{s} or place{s}." if others else ""
    return attrs.evolve(first, message=first.message + more) if more else first


#: Labels that have numbers, and what a profile calls them.
_NUMBERED = (("week", "weeks"), ("dayofweek", "weekdays"))


def numbered(groupings: Iterable[str]) -> list[str]:
    """Name what has numbers in labels by these *groupings*: weeks, weekdays."""
    names = {name for grouping in groupings for name in grouping.split(",")}
    return [words for name, words in _NUMBERED if name in names]


def numbering_notes(groupings: Iterable[str], profile: Profile | None) -> list[Note]:
    """Say, where it is so, that labels by these *groupings* have numbers that nobody knows."""
    numbering = (profile or NOTHING_KNOWN).numbering
    is_unknown = any(getattr(numbering, words) is None for words in numbered(groupings))
    return [word_note("numbering_unknown")] if is_unknown else []
