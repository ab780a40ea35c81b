"""The report of `check`: findings by concern, the worst first; passed checks are counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from typing_extensions import TypedDict

from cluster.values import CONCERNS, CheckReport, Excused, Finding, concern_of
from orchestrator.render import findings
from orchestrator.render.text import Marks, clean, count

_WORST_FIRST = ("blocking", "warning", "unchecked")
#: How to have tried what was not.
_HOW = {"fabric": "--fabric", "model-hashes": "--deep", "open-ports": "`up`"}


def text(report: CheckReport, everything: bool, marks: Marks) -> str:
    """Text for an operator; `everything` lists passed checks too."""
    lines = [*_concerns(report, marks), *_excused(report, marks)]
    if everything:
        lines += [f"  {marks.done} {name}" for name in report.passed]
        lines += [f"  {marks.skipped} {name}: not checked{_how(name)}" for name in report.untried]
    return "\n".join([*lines, _sum(report)])


@dataclass(frozen=True)
class _Concern:
    concern: str


@dataclass(frozen=True)
class FindingOfConcern(Finding, _Concern):
    """A finding, and the concern that its check belongs to."""


class CheckDocument(TypedDict):
    """What the checks have shown. `passed`, `skipped` and `untried` are names of checks."""

    findings: Sequence[FindingOfConcern]
    excused: Sequence[Excused]
    passed: Sequence[str]
    skipped: Sequence[str]
    untried: Sequence[str]


def document(report: CheckReport) -> CheckDocument:
    """For a program: the report as it is, each finding with its concern."""
    return {
        "findings": [FindingOfConcern(concern_of(one.name), **vars(one)) for one in report.findings],
        "excused": report.excused,
        "passed": report.passed,
        "skipped": report.skipped,
        "untried": report.untried,
    }


def _concerns(report: CheckReport, marks: Marks) -> Iterator[str]:
    by_concern = {
        concern: [one for one in report.findings if one.name in names] for concern, names in CONCERNS.items()
    }
    found = [(concern, among) for concern, among in by_concern.items() if among]
    for concern, among in sorted(found, key=lambda one: _rank(one[1])):
        yield concern
        yield from findings.rows(sorted(among, key=lambda one: _WORST_FIRST.index(one.severity)), marks)


def _rank(among: list[Finding]) -> int:
    """The rank of the worst finding; equally bad concerns keep the order in which an operator would look."""
    return min(_WORST_FIRST.index(one.severity) for one in among)


def _excused(report: CheckReport, marks: Marks) -> Iterator[str]:
    if report.excused:
        yield "accepted"
    for one in report.excused:
        yield f"  {marks.skipped} {findings.excused_line(one)}"


def _sum(report: CheckReport) -> str:
    parts = [findings.headline(report.findings)] if report.findings else []
    if report.excused:
        parts.append(f"{len(report.excused)} accepted")
    parts.append(f"{count(len(report.passed), 'check')} passed")
    if report.untried:
        ways = ", ".join(f"{clean(name)}{_how(name)}" for name in report.untried)
        parts.append(f"{len(report.untried)} not checked: {ways}")
    return ", ".join(parts)


def _how(name: str) -> str:
    return f" ({_HOW[name]})" if name in _HOW else ""
