"""Messages, docstrings and pages keep to the glossary of CONTRIBUTING.md, without fragments and long sentences.

`python -m tests.prose [PATH ...]` lists what breaks a rule, by file and line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prose.areas import AREAS, area_findings
from tests.prose.passage import passages
from tests.prose.rules import LONGEST, ROOT, RULES, Rule, findings, unused_words
from tests.prose.source import messages


@pytest.mark.parametrize(("area", "rule"), [(area, rule) for area in AREAS for rule in RULES])
def test_every_area_keeps_the_rules(area: str, rule: Rule) -> None:
    assert [str(one) for one in area_findings(area) if one.rule == rule] == []


def test_the_glossary_names_words() -> None:
    assert {"of ours", "nobody", "told"} <= set(unused_words())


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("A rank died.", ["words"]),
        ("The ranks of\nours.", ["words"]),
        ("No process exited. With two hosts, it does.", ["fragments"]),
        ("- Those of ranks.", ["fragments"]),
        ("| Of ranks | `died` |", ["fragments"]),
        (" ".join(["word"] * LONGEST) + ".", []),
        (" ".join(["word"] * LONGEST) + " `two words` .", ["length"]),
        ("There is no host. It is no longer up.", []),
        ("It prints `nobody`.\n\n```\nnobody\n```", []),
        ("UNDO: a name of the code, as in `DIED`, or ORCHESTRATOR_PATIENCE_LOAD.", []),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_is_found(text: str, broken: list[Rule]) -> None:
    found = [one.rule for passage in passages(ROOT / "page.md", 1, "page", text) for one in findings(passage)]
    assert found == broken


def test_messages_are_read_with_what_an_f_string_puts_in(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text('"""No message."""\nraise Fault(f"{host}: a rank died; "\n  f"{cause}", key="died")\n')
    assert [(one.line, one.text) for one in messages(source)] == [(2, "{}: a rank died; {}")]
