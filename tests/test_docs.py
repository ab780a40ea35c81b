"""Pages document commands that the program takes, links that lead somewhere, and figures that were recorded."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from orchestrator.cli.cli import main
from orchestrator.outcome import exit_codes
from orchestrator.plans import UpOptions, up
from orchestrator.render import announce
from tests.command_lines import asked
from tests.orchestrator.render.story import ANNOUNCEMENT

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/runbook.md")
README = ROOT / "README.md"
RUNBOOK = ROOT / "docs/runbook.md"


def commands(start: str) -> Iterator[tuple[str, str]]:
    """Lines of console blocks that begin with `$ START`, without their comments, with the page they stand on."""
    for page in PAGES:
        for line in re.findall(r"^\s*\$ (.*)$", (ROOT / page).read_text(), re.MULTILINE):
            if line.startswith(start):
                yield page, line.removeprefix(start).split("  #")[0].strip()


@pytest.mark.parametrize(("page", "words"), sorted(set(commands("orchestrator "))))
def test_every_command_is_one_that_the_program_takes(page: str, words: str) -> None:
    asked(shlex.split(words))


def test_the_plan_in_the_runbook_is_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reference on one of its hosts alone, in bf16."""
    text = (ROOT / "inventory.yaml").read_text().replace("tensor_parallel_size: 16", "tensor_parallel_size: 8")
    path = tmp_path / "mine.yaml"
    path.write_text(text[: text.index("  - name: gpu-b")] + text[text.index("\nmodel:") :])
    assert main(["plan", str(path)]) == 3
    (block,) = re.findall(r"\$ orchestrator plan mine.yaml\n(on each.*?)```", RUNBOOK.read_text(), re.DOTALL)
    lines = [line for line in block.splitlines() if line.strip() != "..."]
    assert set(lines) <= set(capsys.readouterr().out.splitlines())


def test_the_announcement_in_the_readme_was_made_on_real_gpus() -> None:
    (block,) = re.findall(r"```\n(endpoint .*?)```", README.read_text(), re.DOTALL)
    recorded = (ROOT / "benchmarks/gpu/2026-11-26-h100-pair.txt").read_text()
    for line in block.splitlines():
        assert f"\n{line.removesuffix(' …')}" in recorded
    labels = [line[:10] for line in announce.text(ANNOUNCEMENT).splitlines()]
    assert [line[:10] for line in block.splitlines()] == labels


def test_one_name_stands_for_the_program() -> None:
    assert README.read_text().count("python -m orchestrator") == 1
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*.yaml"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*")]
    others = [page for page in pages if page not in (README, ROOT / "docs/moved.md")]
    assert [page for page in others if "python -m orchestrator" in page.read_text()] == []


@pytest.mark.parametrize(("page", "target"), sorted(set(commands("make "))))
def test_every_make_target_is_there(page: str, target: str) -> None:
    assert re.search(rf"^{target.split()[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_exit_code_is_explained() -> None:
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", RUNBOOK.read_text(), re.MULTILINE)}
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert explained == codes


def test_every_phase_is_explained() -> None:
    """The two phases that start Ray share a row."""
    rows = re.findall(r"^\| ([A-Z][^|]*) \|", RUNBOOK.read_text(), re.MULTILINE)
    known = {title.removesuffix(", on the workers") for title in rows}
    assert {phase.title for phase in up(UpOptions())} - known <= {"Start Ray on the workers"}


#: Words of the kernel, and a verdict in the page's own words.
_OTHERS = {"out of memory: Killed process"}


def test_every_message_in_the_runbook_is_one_of_the_program() -> None:
    """Names of ranks and hosts, numbers and "…" stand for what the program puts in."""
    tables = re.findall(r"^\| message \|.*?\n\n", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    shown = [message for table in tables for message in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)]
    parts = {
        part.strip(" ,()") for message in shown for part in re.split(r"rank \d+|gpu-[ab]|\d+|\bN\b|…", message)
    }
    assert len(shown) > 15
    assert [part for part in parts - _OTHERS if " " in part and part not in literals()] == []


def test_the_failure_in_the_runbook_has_the_words_of_the_program() -> None:
    (block,) = re.findall(r"^✗ gpu-b: (.*?)```", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    shown = re.findall(r"^(?:  (?:next|also)   |         )(.*?)(?: ~.*)?$", block, re.MULTILINE)
    assert len(shown) == 3
    assert [words for words in shown if words not in literals()] == []
    assert block.splitlines()[0].removeprefix("the engine ") in literals()


@cache
def literals() -> str:
    """Returns the source of the program, without what its f-strings put in."""
    sources = [*(ROOT / "cluster").rglob("*.py"), *(ROOT / "orchestrator").rglob("*.py")]
    return re.sub(r"\{[^{}]*\}", "", " ".join(path.read_text() for path in sources))


def test_what_is_installed_for_the_sandbox_is_named() -> None:
    packages = re.findall(r"missing\+=\((\S+)\)", (ROOT / "scripts" / "install").read_text())
    assert packages
    assert {f"`{one}`" for one in packages} <= set(re.findall(r"`[^`\s]+`", README.read_text()))


def test_every_link_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/gpu/*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#?([^)]*)\)", page.read_text()):
            place = page.parent / target if target else page
            assert place.exists(), (page, target)
            assert not anchor or anchor in anchors(place), (page, target, anchor)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:cluster|orchestrator|sandbox|tests|benchmarks|docs|constraints)/[\w./-]*)`", text)
    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []


def anchors(page: Path) -> set[str]:
    """Returns the names of the page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_what_moved_is_sorted_and_is_where_the_page_says() -> None:
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", (ROOT / "docs/moved.md").read_text(), re.MULTILINE)
    assert rows == sorted(set(rows))
    for old, new in rows:
        for path in re.findall(r"`([\w/]+(?:/|\.py|\.md))`", new):
            assert (ROOT / path).exists(), (old, path)


def test_the_image_has_the_pins_that_the_project_declares() -> None:
    image, project = (ROOT / "Dockerfile").read_text(), (ROOT / "pyproject.toml").read_text()
    ray, vllm = re.findall(r'^node = \["(ray\[default\]==[\d.]+)", "vllm==([\d.]+)"\]', project, re.MULTILINE)[0]
    assert f'"{ray}"' in image
    assert f"FROM vllm/vllm-openai:v{vllm}" in image
