"""Versions that are too old, that do not fit each other, or that are known to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_each, warning
from cluster.values import Facts, Finding


class _Floor(NamedTuple):
    name: str
    version: str
    why: str
    source: str


class _Bad(NamedTuple):
    name: str
    versions: str
    concerns: Callable[[Inventory], bool]
    why: str
    cure: str
    source: str


_FLOORS = (
    _Floor("vllm", "0.11.0", "the first that serves ERNIE-4.5-VL", "vLLM recipes: ERNIE-4.5-VL"),
    _Floor("ray", "2.48.0", "the last lower bound that vLLM gave, before it left Ray out", "vllm#36170"),
)

#: Which releases have the hang of vllm#52907 was read in their wheels: 0.26 has it not, 0.29 no longer.
_KNOWN_BAD = (
    _Bad(
        "vllm", "==0.26.*", lambda inventory: inventory.uses_ray,
        "over Ray 5 of 7 starts of a TP8 ended without tokens while /health said 200; and TP4 over 2 × 2 H200s "
        "hung in three of three, probably in what the orchestrator has turned off since",
        "take 0.32.0 or newer",
        "vllm#53157, docs/benchmarks.md",
    ),
    _Bad(
        "vllm", ">=0.27,<0.29", lambda inventory: inventory.tensor_parallel_over_hosts,
        "where tensor parallel goes over hosts it hangs before it loads: a rendezvous of custom all-reduce",
        "take 0.29.0 or newer, or give vLLM `--disable-custom-all-reduce`",
        "vllm#52907, PR vllm#53253",
    ),
)  # fmt: skip


def floors(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for floor in _FLOORS:
        version = _version(facts, floor.name)
        if version and (floor.name != "ray" or inventory.uses_ray) and version < Version(floor.version):
            yield blocking(
                f"{floor.name} {version}",
                wanted=f"{floor.version} or newer",
                why=f"{floor.version} is {floor.why}",
                cure=_install(inventory, f"'{floor.name}>={floor.version}'"),
                source=floor.source,
            )


def known_bad(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Warnings: they do not fail each time."""
    for bad in _KNOWN_BAD:
        version = _version(facts, bad.name)
        if version and bad.concerns(inventory) and _within(version, bad.versions):
            yield warning(
                f"{bad.name} {version}",
                wanted=f"none of {bad.versions}",
                why=bad.why,
                cure=bad.cure,
                source=bad.source,
            )


def demanded(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """pip lets a later install break what vLLM asks for, and says so only once."""
    for required in filter(None, map(_requirement, facts.software.demands)):
        name = required.name.lower().replace("-", "_")
        version = _version(facts, name)
        if version and not _within(version, str(required.specifier)):
            yield blocking(
                f"{name} {facts.versions[name]}",
                wanted=f"{name} {required.specifier}, as the installed vLLM requires",
                why="it is what this vLLM was made and tested with; others fail at import, or compute wrongly",
                cure=_install(inventory, f"'{name}{required.specifier}'"),
                source="the installed vLLM's own metadata",
            )


def _requirement(text: str) -> Requirement | None:
    """Returns None where it cannot be read, or is for extras and other machines."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    return requirement if applies else None


def _version(facts: Facts, name: str) -> Version | None:
    """Returns None where it is not installed; a version that nobody can read is compared with nothing."""
    try:
        return Version(facts.versions.get(name, ""))
    except InvalidVersion:
        return None


def _within(version: Version, versions: str) -> bool:
    return SpecifierSet(versions).contains(version, prereleases=True)


def _install(inventory: Inventory, what: str) -> str:
    return f"uv pip install --python {inventory.runtime.venv}/bin/python {what}  (on every host)"


CHECKS = (
    of_each("versions-floor", floors),
    of_each("versions-required", demanded),
    of_each("versions-known-bad", known_bad),
)
