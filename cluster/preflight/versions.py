"""Versions: there, and the same on every host."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_all, of_each
from cluster.values import Facts, Finding

_SAME = ("ray", "vllm", "torch", "transformers", "nvidia_nccl_cu12", "nvidia_nccl_cu13")


def installed(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    venv = inventory.runtime.venv
    if not facts.python_is_venvs:
        yield blocking(
            f"no {venv}/bin/python",
            wanted="the venv with vLLM and Ray",
            why="everything that we launch runs from it",
            cure="make the venv on this host, or correct `runtime: venv:`",
        )
        return
    for name in ("ray", "vllm") if inventory.uses_ray else ("vllm",):
        if name not in facts.versions:
            yield blocking(
                f"{name} is not in {venv}",
                wanted=f"{name} in the venv",
                why="vLLM does not bring Ray along (vllm#36170)" if name == "ray" else "it is what serves",
                cure=f"uv pip install --python {venv}/bin/python {'ray[default]' if name == 'ray' else name}",
            )


def equal(facts: dict[str, Facts]) -> Iterator[Finding]:
    """Ray refuses a node whose Ray or Python differs, down to the patch; vLLM pickles its configuration."""
    readers: list[tuple[str, Callable[[Facts], str]]] = [("python", lambda facts: facts.python)]
    readers += [(name, _version(name)) for name in _SAME]
    for name, read in readers:
        versions = {host: read(known) for host, known in facts.items()}
        if len(set(versions.values())) > 1:
            yield blocking(
                f"{name}: " + ", ".join(f"{host} has {version or 'none'}" for host, version in versions.items()),
                wanted=f"the same {name} on every host",
                why="Ray refuses such a node, and ranks of different builds fail late or silently",
                cure="make the hosts equal, from one list of pinned versions",
            )


def _version(name: str) -> Callable[[Facts], str]:
    return lambda facts: facts.versions.get(name, "")


CHECKS = (of_each("venv", installed), of_all("versions-equal", equal))
