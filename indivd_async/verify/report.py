"""What a run found, as a value, and written for people, for the vendor's support, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ..profile import Profile
from ..wording import counted
from .course import Days
from .seen import Verdict

#: The headings of a report, in its order.
TITLES: Mapping[Verdict, str] = {
    "fails": "What does not hold",
    "cannot be told": "What cannot be told here",
    "holds": "What holds",
}


@attrs.frozen(kw_only=True)
class Finding:
    """One assumption and what was found of it."""

    name: str
    """For programs."""
    sentence: str
    """What is assumed."""
    decides: str
    """What hangs on it."""
    measured: str
    """How it was asked."""
    verdict: Verdict
    """"holds", "fails" or "cannot be told"."""
    evidence: str
    """Why, without any figure of the customer's."""
    figures: str = ""
    """The counts behind it; shown only where they are asked for."""
    requests: tuple[str, ...] = ()
    """The requests that show it, as path and query."""


@attrs.frozen(kw_only=True)
class Report:
    """What a run found: every assumption, and the profile that follows from them."""

    findings: tuple[Finding, ...] = attrs.field(repr=counted)
    """Each assumption, in order."""
    profile: Profile
    """What follows from them."""
    location: int
    """Where it was measured."""
    week: Days
    """First and last day of the week it was measured on."""
    range: Days
    """First and last day of all that was asked for."""
    requests: int
    """How many questions were asked, a request each."""
    made_on: str
    """`yyyy-mm-dd`."""
    version: str
    """Of this package."""
    retries: int = attrs.field(default=0, eq=False)
    """How many requests were sent beyond those, because one was not answered; they say nothing of the service."""

    unanswered: int = attrs.field(default=0, eq=False)
    """How many of those questions were not answered at all, not even with a refusal: too slow, or not reached."""

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The assumptions that do not hold."""
        return self.of("fails")

    @property
    def is_sound(self) -> bool:
        """Whether nothing fails; what cannot be told does not."""
        return not self.failed

    def of(self, verdict: Verdict) -> tuple[Finding, ...]:
        """Return the findings of one verdict."""
        return tuple(finding for finding in self.findings if finding.verdict == verdict)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    @property
    def summary(self) -> str:
        """One line: how many hold, fail and cannot be told; and, where it is so, that the service did not answer."""
        counts = Counter(finding.verdict for finding in self.findings)
        words = (
            f"{len(self)} assumptions: {counts['holds']} hold, {counts['fails']} fail, "
            f"{counts['cannot be told']} cannot be told here; {self.requests + self.retries} requests"
        )
        if not self.unanswered:
            return words
        return (
            f"{words}; {self.unanswered} of {self.requests} questions were not answered, so this says little: ask at a "
            "quieter hour, or with longer Timeouts (--timeout)"
        )

    def to_dict(self, *, with_figures: bool = False) -> dict[str, Any]:
        """Return what `--json` prints."""
        hidden = () if with_figures else ("figures",)
        assumptions = [
            {name: value for name, value in attrs.asdict(finding).items() if name not in hidden}
            for finding in self.findings
        ]
        return {
            "version": self.version,
            "made_on": self.made_on,
            "location": self.location,
            "week": [day.isoformat() for day in self.week],
            "range": [day.isoformat() for day in self.range],
            "requests": self.requests + self.retries,
            "unanswered": self.unanswered,
            "assumptions": assumptions,
            "profile": attrs.asdict(self.profile),
        }

    def to_markdown(self, *, with_figures: bool = False) -> str:
        """Write the report so that it can be sent to the vendor's support."""
        counts = "the counts that were met" if with_figures else "no count"
        lines = [
            "# How the Indivd API answers",
            "",
            f"Measured on {self.made_on} with indivd-async {self.version}: {self.summary}.",
            f"Location {self.location}, {self.week[0]} to {self.week[1]} in detail, from {self.range[0]} as a whole.",
            f"All days had ended. Requests are named by path and query; this report holds no token, and {counts}.",
            'Where "the article" is named, it is Indivd\'s on the data endpoints of its API.',
        ]
        for verdict, title in TITLES.items():
            found = self.of(verdict)
            if found:
                lines += ["", f"## {title}", ""]
                for finding in found:
                    lines += _in_markdown(finding, with_figures=with_figures)
        return "\n".join(lines) + "\n"


def _in_markdown(finding: Finding, *, with_figures: bool) -> list[str]:
    figures = f" ({finding.figures})" if with_figures and finding.figures else ""
    lines = [f"- **{finding.name}**: {finding.sentence} {finding.evidence[:1].upper()}{finding.evidence[1:]}{figures}."]
    if finding.verdict == "fails":
        lines += [f"  Decides {finding.decides}. Measured: {finding.measured}."]
        lines += [f"  - `GET {shorten(request)}`" for request in finding.requests]
    return lines


def shorten(request: str, most: int = 300) -> str:
    """Cut a request that is long by its length alone."""
    return request if len(request) <= most else f"{request[: most - 20]}… ({len(request):,} bytes)"
