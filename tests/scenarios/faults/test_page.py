"""The page of faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.faults.parsed_report import ParsedReport, from_error, from_event, from_status
from tests.scenarios.faults.results import Results
from tests.scenarios.faults.table import WALK, Machine, Row, page, replace_walk, walk_section

HERE = Machine("2026-07-01 09:12 UTC", "2.60.0", "0.32.0", "3.11.7", "6.1.0", 2)
LOST = ParsedReport("node1", "no answer from 10.66.0.3 port 22", "see whether it is up | or\nnot")
ROWS = (
    Row("The network", "a worker is down", LOST, 3.14, "exit 4", took=60.0, at="09:12"),
    Row("The network", "packets are lost", ParsedReport("–", "–", "–"), None, "announced", took=60.0, at="09:40"),
    Row("SSH", "sshd hangs", LOST, 3.0, "", "node1: pid 7", "it did not end", at="09:20"),
)


def test_a_row_is_a_line() -> None:
    text = page(ROWS, HERE)
    assert "between 09:12 and 09:40 UTC with Ray 2.60.0" in text
    assert "the rows took 2 minutes" in text
    assert "3 faults: 2 as promised, 1 not." in text
    report = "node1 | no answer from 10.66.0.3 port 22 | see whether it is up \\| or not"
    assert f"| a worker is down | {report} | 3.1 | exit 4 | nothing |\n" in text
    assert "| packets are lost | – | – | – | – | announced | nothing |\n" in text
    assert "| 3.0 | **not as promised**: it did not end | node1: pid 7 |\n" in text
    assert text.count("## The network") == text.count("## SSH") == 1


def test_a_group_of_several_files_is_one_section() -> None:
    text = page((ROWS[0], ROWS[2], ROWS[1]), HERE)
    assert text.count("## The network") == text.count("## SSH") == 1
    assert text.index("| packets are lost |") < text.index("## SSH")


def test_paths_of_a_run_are_no_news_and_long_words_are_cut() -> None:
    here = Path(__file__).parents[3] / ".venv/bin/python"
    report = ParsedReport("node1", f"/tmp/pytest-of-root/pytest-14/test_it0/state/demo {'x' * 300}", f"{here} do")
    (line,) = [line for line in page([Row("g", "f", report, 1.0, "")], HERE).splitlines() if "| f |" in line]
    assert "/tmp/…/state/demo x" in line
    assert "x…" in line
    assert "| /…/.venv/bin/python do |" in line
    assert "pytest" not in line


def test_each_run_leaves_what_the_other_has_written(tmp_path: Path) -> None:
    where = tmp_path / "faults.md"
    assert walk_section(where) == ""
    where.write_text(replace_walk(where, f"{WALK}\n\nfirst walk\n"))
    where.write_text(page(ROWS, HERE, walk_section(where)))
    where.write_text(replace_walk(where, f"{WALK}\n\nsecond walk\n"))
    text = where.read_text()
    assert text.count(WALK) == 1
    assert text.endswith("second walk\n")
    assert "first walk" not in text
    assert "| sshd hangs |" in text


def test_a_run_in_parts_is_one_run(tmp_path: Path) -> None:
    kept, shown = tmp_path / "rows.json", tmp_path / "faults.md"
    Results(kept, shown).add("test_b", ROWS[:1])
    Results(kept, shown).add("test_a", ROWS[2:])
    again = Results(kept, shown)
    again.add("test_b", [ROWS[1]])
    assert again.rows == {"test_a": [ROWS[2]], "test_b": [ROWS[1]]}
    text = shown.read_text()
    assert "2 faults: 1 as promised, 1 not." in text
    assert text.index("sshd hangs") < text.index("packets are lost")
    assert "a worker is down" not in text


FINDING = {"host": "node1", "found": "1 GPU", "cure": "look", "severity": "blocking"}


@pytest.mark.parametrize(
    ("failure", "report"),
    [
        ({"host": "node1", "cause": "c", "cure": "d", "message": "m"}, ParsedReport("node1", "c", "d")),
        ({"host": "node1", "cause": "", "cure": "d", "message": "m"}, ParsedReport("node1", "m", "d")),
        (
            {"findings": [FINDING, {**FINDING, "severity": "warning", "host": "x"}]},
            ParsedReport("node1", "1 GPU", "look"),
        ),
        ({"leftovers": [{"host": "a", "what": "w", "cure": "c"}]}, ParsedReport("a", "w", "c")),
        (
            {"errors": [{"host": host, "cause": "c", "cure": "d", "message": ""} for host in ("a", "b")]},
            ParsedReport("a, b", "c", "d"),
        ),
    ],
)
def test_what_a_failure_tells(failure: dict[str, object], report: ParsedReport) -> None:
    assert from_error(failure) == report


def test_what_events_and_a_status_tell() -> None:
    problem = {"host": "node1", "doing": "read the status of ray", "cause": "no answer", "cure": "see to it"}
    waiting = {"event": "waiting", "last": "node1: look at ray: no answer (see to it)", "problems": [problem]}
    assert from_event(waiting, "node1") == ParsedReport("node1", "read the status of ray: no answer", "see to it")
    assert from_event(waiting, "node0") is None
    well = {"host": "node0", "problem": "", "cure": ""}
    ill = {"host": "node1", "problem": "dead", "cure": "`up`"}
    endpoint = {"tokens": False, "detail": "none came", "cure": "anew"}
    assert from_status({"hosts": [well], "endpoint": {**endpoint, "tokens": True}}) is None
    assert from_status({"hosts": [well, ill], "endpoint": endpoint}) == ParsedReport("node1", "dead", "`up`")
    assert from_status({"hosts": [well], "endpoint": endpoint}) == ParsedReport("node0", "none came", "anew")
