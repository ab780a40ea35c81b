"""What the README and the runbook tell people to type is what the program takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli import exit_codes
from orchestrator.cli.arguments import parse
from orchestrator.cli.cli import main
from orchestrator.plans import UpOptions, up

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/runbook.md")
README = ROOT / "README.md"


def commands(start: str) -> Iterator[tuple[str, str]]:
    """Lines of console blocks that begin with `$ START`, without their comments, with the page they stand on."""
    for page in PAGES:
        for line in re.findall(r"^\s*\$ (.*)$", (ROOT / page).read_text(), re.MULTILINE):
            if line.startswith(start):
                yield page, line.removeprefix(start).split("  #")[0].strip()


@pytest.mark.parametrize(("page", "words"), sorted(set(commands("python -m orchestrator "))))
def test_every_command_is_one_that_the_program_takes(page: str, words: str) -> None:
    parse(shlex.split(words))


def test_the_plan_in_the_readme_is_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reference on one of its hosts alone, in bf16."""
    text = (ROOT / "inventory.yaml").read_text().replace("tensor_parallel_size: 16", "tensor_parallel_size: 8")
    path = tmp_path / "mine.yaml"
    path.write_text(text[: text.index("  - name: gpu-b")] + text[text.index("\nmodel:") :])
    assert main(["plan", str(path)]) == 3
    (block,) = re.findall(
        r"\$ python -m orchestrator plan mine.yaml\n(on each.*?)```", README.read_text(), re.DOTALL
    )
    lines = [line for line in block.splitlines() if line.strip() != "..."]
    assert set(lines) <= set(capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(("page", "target"), sorted(set(commands("make "))))
def test_every_make_target_is_there(page: str, target: str) -> None:
    assert re.search(rf"^{target.split()[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_exit_code_is_explained(page: str) -> None:
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / page).read_text(), re.MULTILINE)}
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert explained == codes


@pytest.mark.parametrize("page", PAGES)
def test_every_phase_is_explained(page: str) -> None:
    """Those of both kinds of hosts share a row."""
    rows = re.findall(r"^\| ([A-Z][^|]*) \|", (ROOT / page).read_text(), re.MULTILINE)
    known = {title.removesuffix(", on the workers") for title in rows}
    assert {phase.title for phase in up(UpOptions())} - known <= {"Start Ray on the workers"}


def test_what_is_installed_for_the_sandbox_is_named() -> None:
    packages = re.findall(r"missing\+=\((\S+)\)", (ROOT / "scripts" / "install").read_text())
    assert packages
    assert {f"`{one}`" for one in packages} <= set(re.findall(r"`[^`\s]+`", README.read_text()))


def test_every_link_leads_somewhere() -> None:
    for page in (*PAGES, "SECURITY.md", "docs/architecture.md", "docs/gpu-run.md", "docs/moved.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
            assert (ROOT / page).parent.joinpath(target).exists(), (page, target)


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
