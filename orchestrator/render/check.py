"""What `check` shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cluster.values import Report
from orchestrator.render import findings
from orchestrator.render.text import Marks


def text(report: Report, everything: bool, marks: Marks) -> str:
    return "\n".join(findings.table(report.findings, marks)) or "every check passed"


def document(report: Report) -> dict[str, Any]:
    return asdict(report)
