"""Findings on one line and as a table (the table's words are in test_failure)."""

from __future__ import annotations

from cluster.values import Finding
from orchestrator.render import findings
from tests.orchestrator.render import story


def test_headline() -> None:
    assert findings.headline(story.FINDINGS) == "3 findings forbid a start, 1 warning, 1 not checked"
    assert findings.headline([story.FINDINGS[2]]) == "1 finding forbids a start"


def test_one_line() -> None:
    assert findings.one_line(story.FINDINGS[0]) == "gpu-a: libcuda: not checked: no libcuda on this host"


def test_a_finding_about_several_hosts_has_no_host() -> None:
    versions = Finding("vLLM version", "", "blocking", "gpu-a 0.32.0,\ngpu-b 0.31.1", "one version")
    assert findings.table([versions]) == [
        "  blocking",
        "    ✗ vLLM version",
        "        found   gpu-a 0.32.0, gpu-b 0.31.1",
        "        wanted  one version",
    ]


def test_nothing_found_is_nothing_shown() -> None:
    assert findings.table([]) == []
