"""What is installed in the venv: versions that go together, and what its programs will find."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_all, of_each, of_tried, untried, warning
from cluster.values import Facts, Finding, VenvCheck
from cluster.views import TrialResults

_TOOLS = "ninja and a C compiler on the PATH of our units"

#: What torch says -> what it means.
_CUDA = (
    ("802|not yet initialized", "the NVSwitches are not set up: nvidia-fabricmanager is not there, or not of the "
     "driver's version"),
    ("803|unsupported display driver|driver version is insufficient|too old", "the driver is older than the CUDA "
     "that this torch was built for"),
    ("without CUDA", "pip took a torch for CPUs: it was given no index of builds with CUDA"),
    ("out of memory", "somebody holds the memory of a GPU"),
    ("libcuda|No CUDA GPUs|NVIDIA driver", "the driver's library is not there: in a container, "
     "NVIDIA_DRIVER_CAPABILITIES lacks `compute`"),
)  # fmt: skip


def tools(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """PATH is that of our units: the venv's own programs before those of a session without a terminal."""
    if not facts.python_is_venvs:
        return
    if not facts.software.ninja:
        yield blocking(
            "no ninja",
            wanted=_TOOLS,
            why="FlashInfer builds its sampler at the start: every rank dies in the profile run, "
            "with `No such file or directory: 'ninja'`",
            cure=f"uv pip install --python {inventory.runtime.venv}/bin/python ninja",
            source="measured with vLLM 0.26 on H200",
        )
    if not facts.software.compiler:
        yield blocking(
            "no C compiler",
            wanted=_TOOLS,
            why="Triton builds its launchers at the start: `Failed to find C compiler`",
            cure="apt-get install build-essential, or set CC under `environment:`",
            source="Triton: runtime/build.py",
        )


def remote_code(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    missing = facts.software.unimportable if facts.python_is_venvs and not facts.model.problem else ()
    if missing:
        yield blocking(
            f"{', '.join(missing)} not in {inventory.runtime.venv}",
            wanted="what the model's own code imports",
            why="the ranks, or the processor of images, would fail while they load",
            cure=f"uv pip install --python {inventory.runtime.venv}/bin/python {' '.join(missing)}",
            source="vllm#38429 (ERNIE-4.5-VL: decord)",
        )


def cuda(inventory: Inventory, spec: HostSpec, trials: TrialResults) -> Iterator[Finding]:
    problem = trials.venv.cuda if isinstance(trials.venv, VenvCheck) else None
    if problem:
        why = next((why for sign, why in _CUDA if re.search(sign, problem)), "every rank on this host would fail")
        yield blocking(
            problem,
            wanted=f"a kernel on each of {spec.gpus} GPUs, through the venv's torch",
            why=why,
            cure="see `nvidia-smi` and `systemctl status nvidia-fabricmanager`; then, in the venv: "
            "`python -c 'import torch; torch.cuda.init()'`",
            source="pytorch#35710, huggingface_hub#4128",
        )


def configuration(inventory: Inventory, spec: HostSpec, trials: TrialResults) -> Iterator[Finding]:
    problem = trials.venv.model if isinstance(trials.venv, VenvCheck) else None
    if problem:
        trusted = "--trust-remote-code" in inventory.serve.arguments
        yield blocking(
            problem,
            wanted="a configuration that the venv's transformers can read",
            why="vLLM reads it in the same way, and each rank once more",
            cure="a `revision:` of the model that fits this transformers (ERNIE-4.5-VL: refs/pr/17), or the "
            "transformers that its code was written for"
            if trusted
            else "where the model brings code of its own: `--trust-remote-code` under `serve: arguments:`",
            source="vllm#38735, vllm#38429",
        )


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
    for name in ("python", *_SAME):
        versions = {
            host: known.python if name == "python" else known.versions.get(name, "")
            for host, known in facts.items()
        }
        if len(set(versions.values())) > 1:
            yield blocking(
                f"{name}: " + ", ".join(f"{host} has {version or 'none'}" for host, version in versions.items()),
                wanted=f"the same {name} on every host",
                why="Ray refuses such a node, and ranks of different builds fail late or silently",
                cure="make the hosts equal, from one list of pinned versions",
            )


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
    of_each("tools-on-path", tools),
    of_each("remote-code", remote_code),
    of_tried("cuda", cuda),
    untried(
        "cuda",
        lambda trials: trials.venv,
        wanted="a kernel on each GPU, through the venv's torch",
        why="whether CUDA works on this host, and the model can be read, is not known",
    ),
    of_tried("model-config", configuration),
    of_each("venv", installed),
    of_all("versions-equal", equal),
    of_each("versions-floor", floors),
    of_each("versions-required", demanded),
    of_each("versions-known-bad", known_bad),
)
