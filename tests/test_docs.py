"""What the README and the runbook tell people to type is what the program takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import exit_codes
from orchestrator.arguments import parse

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/runbook.md")


def commands(start: str) -> Iterator[tuple[str, str]]:
    """Lines of console blocks that begin with `$ START`, without their comments, with the page they stand on."""
    for page in PAGES:
        for line in re.findall(r"^\s*\$ (.*)$", (ROOT / page).read_text(), re.MULTILINE):
            if line.startswith(start):
                yield page, line.removeprefix(start).split("  #")[0].strip()


@pytest.mark.parametrize(("page", "words"), sorted(set(commands("python -m orchestrator "))))
def test_every_command_is_one_that_the_program_takes(page: str, words: str) -> None:
    parse(shlex.split(words))


@pytest.mark.parametrize(("page", "target"), sorted(set(commands("make "))))
def test_every_make_target_is_there(page: str, target: str) -> None:
    assert re.search(rf"^{target.split()[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_exit_code_is_explained(page: str) -> None:
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / page).read_text(), re.MULTILINE)}
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert explained == codes - {exit_codes.FAULT}


def test_every_link_leads_somewhere() -> None:
    for page in (*PAGES, "docs/architecture.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
            assert (ROOT / page).parent.joinpath(target).exists(), (page, target)


def test_the_image_has_the_pins_that_the_project_declares() -> None:
    image, project = (ROOT / "Dockerfile").read_text(), (ROOT / "pyproject.toml").read_text()
    ray, vllm = re.findall(r'^node = \["(ray\[default\]==[\d.]+)", "vllm==([\d.]+)"\]', project, re.MULTILINE)[0]
    assert f'"{ray}"' in image
    assert f"FROM vllm/vllm-openai:v{vllm}" in image
