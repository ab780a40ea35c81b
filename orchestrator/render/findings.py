"""Findings of preflight as an operator reads them: worst first, equal ones of several hosts folded."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.values import Excused, Finding, Severity
from orchestrator.render.text import UNICODE, Block, Marks, clean, count, fold, short

_TITLES: dict[Severity, str] = {"blocking": "blocking", "warning": "warnings", "unchecked": "not checked"}


def headline(findings: Sequence[Finding]) -> str:
    """Such as: 2 blocking findings, 1 warning, 1 not checked."""
    number = {severity: sum(f.severity == severity for f in findings) for severity in _TITLES}
    blocking = number["blocking"]
    parts = [f"{count(blocking, 'finding')} {'forbids' if blocking == 1 else 'forbid'} a start"]
    if number["warning"]:
        parts.append(count(number["warning"], "warning"))
    if number["unchecked"]:
        parts.append(f"{number['unchecked']:,} not checked")
    return ", ".join(parts)


def table(findings: Sequence[Finding], marks: Marks = UNICODE) -> list[str]:
    """Lines, grouped by severity, worst first."""
    return [line for severity in _TITLES for line in _group(severity, findings, marks)]


def rows(findings: Sequence[Finding], marks: Marks = UNICODE) -> list[str]:
    """Lines without the titles of severities; the mark says how bad it is."""
    return [line[2:] for severity in _TITLES for line in _group(severity, findings, marks)[1:]]


def one_line(finding: Finding) -> str:
    """All that matters of a finding, on one line."""
    place = f"{finding.host}: " if finding.host else ""
    wanted = f", wanted {short(finding.wanted)}" if finding.wanted else ""
    unchecked = "not checked: " if finding.severity == "unchecked" else ""
    cure = f" ({short(finding.cure)})" if finding.cure else ""
    return clean(f"{place}{finding.name}: {unchecked}{short(finding.found)}{wanted}{cure}")


def excused_line(excused: Excused) -> str:
    """A finding that does not count, and why."""
    finding = excused.finding
    place = f"{finding.host}: " if finding.host else ""
    return clean(f"{place}{finding.name}: {short(finding.found)}, accepted: {excused.reason}")


def mark_of(severity: Severity, marks: Marks) -> str:
    return {"blocking": marks.failed, "warning": marks.warning, "unchecked": marks.unknown}[severity]


def _group(severity: Severity, findings: Sequence[Finding], marks: Marks) -> list[str]:
    folded = fold(_block(finding) for finding in findings if finding.severity == severity)
    mark = mark_of(severity, marks)
    rows = [line for block in folded for line in _rows(block, mark, marks)]
    return [f"  {_TITLES[severity]}", *rows] if rows else []


def _rows(block: Block, mark: str, marks: Marks) -> list[str]:
    hosts, (name, *rest) = block
    title = f"{name} {marks.dot} {clean(hosts)}" if hosts else name
    return [f"    {mark} {title}", *(f"        {line}" for line in rest)]


def _block(finding: Finding) -> Block:
    parts = {"found": finding.found, "wanted": finding.wanted, "why": finding.why, "cure": finding.cure}
    if finding.source:
        parts["source"] = finding.source
    rows = [f"{label:<7} {short(words)}" for label, words in parts.items() if words]
    return finding.host, [clean(finding.name), *rows]
