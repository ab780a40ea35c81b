"""What `check` shows a person and a program."""

from __future__ import annotations

import json
from dataclasses import replace

from cluster.values import CheckReport, Excused, Finding
from orchestrator.render import check
from orchestrator.render.json_text import to_json
from orchestrator.render.text import ASCII, UNICODE

NOFILE = Finding("open-files", "gpu-a", "warning", "hard limit 1024", "8192 or more", cure="raise it")
BUSY = Finding("gpu-idle", "gpu-b", "blocking", "GPU 3: pid 7 python", "no process of others", source="vllm#20860")
LATE = Finding("clock", "gpu-b", "unchecked", "no time of day")


def text(report: CheckReport, everything: bool = False) -> list[str]:
    return check.text(report, everything, UNICODE).splitlines()


def test_the_worst_concern_comes_first_and_equal_findings_are_one() -> None:
    found = (LATE, BUSY, NOFILE, replace(NOFILE, host="gpu-b"))
    assert text(CheckReport(found, passed=("venv",))) == [
        "GPUs",
        "  ✗ gpu-idle · gpu-b",
        "      found   GPU 3: pid 7 python",
        "      wanted  no process of others",
        "      source  vllm#20860",
        "machine",
        "  ! open-files · gpu-a, gpu-b",
        "      found   hard limit 1024",
        "      wanted  8192 or more",
        "      cure    raise it",
        "hosts",
        "  ? clock · gpu-b",
        "      found   no time of day",
        "1 finding forbids a start, 2 warnings, 1 not checked, 1 check passed",
    ]


def test_what_is_well_is_counted_and_listed_only_on_demand() -> None:
    well = CheckReport(passed=("venv", "mtu"), untried=("fabric",))
    assert text(well) == ["2 checks passed, 1 not checked: fabric (--fabric)"]
    assert text(well, everything=True)[:3] == ["  ✓ venv", "  ✓ mtu", "  – fabric: not checked (--fabric)"]


def test_what_is_accepted_is_never_silent() -> None:
    shown = text(CheckReport(excused=(Excused(NOFILE, "it has always served so"),), passed=("venv",)))
    assert shown == [
        "accepted",
        "  – gpu-a: open-files: hard limit 1024, accepted: it has always served so",
        "1 accepted, 1 check passed",
    ]


def test_a_terminal_without_unicode() -> None:
    assert check.text(CheckReport((BUSY,)), True, ASCII).isascii()


def test_a_program_gets_everything() -> None:
    report = CheckReport((BUSY,), (Excused(NOFILE, "so be it"),), ("venv",))
    document = json.loads(to_json(check.document(report)))
    assert document["findings"][0]["concern"] == "GPUs"
    assert document["findings"][0]["source"] == "vllm#20860"
    assert document["excused"][0]["reason"] == "so be it"
    assert (document["passed"], document["skipped"], document["untried"]) == (["venv"], [], [])
