"""What is installed is named with its hashes, and names no registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {"core": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}


def packages(name: str) -> dict[str, tuple[str, int]]:
    """The version of each package, and how many hashes it has."""
    text = (ROOT / f"constraints/{name}.txt").read_text()
    blocks = re.split(r"^(?=\w)", text.replace("\\\n", ""), flags=re.MULTILINE)[1:]
    parts = [re.split("==| ", block.strip(), maxsplit=2) for block in blocks]
    return {part[0]: (part[1], block.count("--hash=sha256:")) for part, block in zip(parts, blocks, strict=True)}


@pytest.mark.parametrize("name", EXTRAS)
def test_every_package_has_hashes_but_the_cpu_build_of_torch(name: str) -> None:
    without = {package for package, (_, hashes) in packages(name).items() if not hashes}
    assert without == ({"torch"} if name == "sandbox" else set())


@pytest.mark.parametrize("name", EXTRAS)
def test_everything_that_is_asked_for_is_named(name: str) -> None:
    """Nothing else is installed: what is missing here would be missing there."""
    named = packages(name)
    for asked in map(Requirement, EXTRAS[name]):
        version, _ = named[asked.name.lower()]
        assert asked.specifier.contains(version), asked


def test_files_of_one_environment_agree() -> None:
    together = [packages(name) for name in ("core", "dev", "report", "sandbox")]
    for package in set().union(*together):
        assert len({part[package] for part in together if package in part}) == 1, package


@pytest.mark.parametrize("name", EXTRAS)
def test_no_registry_is_named(name: str) -> None:
    lines = (ROOT / f"constraints/{name}.txt").read_text().splitlines()
    assert not [line for line in lines if re.search(r"://|^-|/", line)]
