"""The packages in the venv: versions that match, and the tools that their programs find."""

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

#: A message of torch -> its meaning.
_CUDA = (
    ("802|not yet initialized", "the NVSwitches are not set up: nvidia-fabricmanager is missing, or "
     "differs from the driver's version"),
    ("803|unsupported display driver|driver version is insufficient|too old", "the driver is older than the CUDA "
     "that this torch was built for"),
    ("without CUDA", "pip installed a torch for CPUs: it had no index of builds with CUDA"),
    ("out of memory", "another process holds the memory of a GPU"),
    ("libcuda|No CUDA GPUs|NVIDIA driver", "the driver's library is missing: in a container, "
     "NVIDIA_DRIVER_CAPABILITIES lacks `compute`"),
)  # fmt: skip


def tools(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the tools on the PATH of our units: the venv's programs come before those of a non-interactive
    session."""
    if not facts.python_is_venvs:
        return
    if not facts.software.ninja:
        yield blocking(
            "ninja is missing",
            wanted=_TOOLS,
            why="FlashInfer compiles its sampler at the start: every rank crashes in the profile run, "
            "with `No such file or directory: 'ninja'`",
            cure=f"uv pip install --python {inventory.runtime.venv}/bin/python ninja",
            source="measured with vLLM 0.26 on H200",
        )
    if not facts.software.compiler:
        yield blocking(
            "a C compiler is missing",
            wanted=_TOOLS,
            why="Triton compiles its launchers at the start; otherwise `Failed to find C compiler`",
            cure="run apt-get install build-essential, or set CC under `environment:`",
            source="Triton: runtime/build.py",
        )


def remote_code(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    missing = facts.software.unimportable if facts.python_is_venvs and not facts.model.problem else ()
    if missing:
        yield blocking(
            f"{', '.join(missing)} missing in {inventory.runtime.venv}",
            wanted="the packages that the model's own code imports",
            why="the ranks or the image processor would fail to load",
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
            cure="run `nvidia-smi` and `systemctl status nvidia-fabricmanager`; then, in the venv: "
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
            why="vLLM and each rank read it in the same way",
            cure="set a `revision:` of the model that fits this transformers (ERNIE-4.5-VL: refs/pr/17), or "
            "install the "
            "transformers that its code was written for"
            if trusted
            else "if the model has its own code, write `--trust-remote-code` under `serve: arguments:`",
            source="vllm#38735, vllm#38429",
        )


_SAME = ("ray", "vllm", "torch", "transformers", "nvidia_nccl_cu12", "nvidia_nccl_cu13")


def installed(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    venv = inventory.runtime.venv
    if not facts.python_is_venvs:
        yield blocking(
            f"{venv}/bin/python is missing",
            wanted="the venv with vLLM and Ray",
            why="Ray and vLLM run from it",
            cure="create the venv on this host, or correct `runtime: venv:`",
        )
        return
    for name in ("ray", "vllm") if inventory.uses_ray else ("vllm",):
        if name not in facts.versions:
            yield blocking(
                f"{name} is not in {venv}",
                wanted=f"{name} in the venv",
                why="vLLM does not install Ray (vllm#36170)" if name == "ray" else "vLLM serves the model",
                cure=f"uv pip install --python {venv}/bin/python {'ray[default]' if name == 'ray' else name}",
            )


def equal(facts: dict[str, Facts]) -> Iterator[Finding]:
    """Compares the versions of all hosts. Ray refuses a host with another Ray or Python, down to the patch. vLLM
    pickles its configuration."""
    for name in ("python", *_SAME):
        versions = {
            host: known.python if name == "python" else known.versions.get(name, "")
            for host, known in facts.items()
        }
        if len(set(versions.values())) > 1:
            yield blocking(
                f"{name}: " + ", ".join(f"{host} has {version or 'none'}" for host, version in versions.items()),
                wanted=f"the same {name} on every host",
                why="Ray refuses such a host, and ranks of different builds fail late or silently",
                cure="install the same pinned versions on all hosts",
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
    _Floor("vllm", "0.11.0", "the first version that serves ERNIE-4.5-VL", "vLLM recipes: ERNIE-4.5-VL"),
    _Floor("ray", "2.48.0", "the last minimum that vLLM required", "vllm#36170"),
)

#: The releases with the hang of vllm#52907 were found in their wheels: 0.26 does not have it, 0.29 has it no
#: longer.
_KNOWN_BAD = (
    _Bad(
        "vllm", "==0.26.*", lambda inventory: inventory.uses_ray,
        "over Ray, 5 of 7 starts of TP8 gave no tokens while /health was 200; TP4 over 2 × 2 H200s "
        "hung in 3 of 3 starts, probably in a feature that the orchestrator now turns off",
        "install 0.32.0 or newer",
        "vllm#53157, docs/benchmarks.md",
    ),
    _Bad(
        "vllm", ">=0.27,<0.29", lambda inventory: inventory.tensor_parallel_over_hosts,
        "with tensor parallelism over several hosts, it hangs before it loads, in custom all-reduce",
        "install 0.29.0 or newer, or pass vLLM `--disable-custom-all-reduce`",
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
    """Warns of versions with known bugs: they do not fail each time."""
    for bad in _KNOWN_BAD:
        version = _version(facts, bad.name)
        if version and bad.concerns(inventory) and _within(version, bad.versions):
            yield warning(
                f"{bad.name} {version}",
                wanted=f"another version than {bad.versions}",
                why=bad.why,
                cure=bad.cure,
                source=bad.source,
            )


def demanded(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the requirements of vLLM: pip lets a later install break them, and warns only once."""
    for required in filter(None, map(_requirement, facts.software.demands)):
        name = required.name.lower().replace("-", "_")
        version = _version(facts, name)
        if version and not _within(version, str(required.specifier)):
            yield blocking(
                f"{name} {facts.versions[name]}",
                wanted=f"{name} {required.specifier}, as the installed vLLM requires",
                why="this vLLM was tested with it; other versions fail at import, or compute wrong results",
                cure=_install(inventory, f"'{name}{required.specifier}'"),
                source="the installed vLLM's own metadata",
            )


def _requirement(text: str) -> Requirement | None:
    """Returns None where it cannot be read, or applies only to extras or other platforms."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    return requirement if applies else None


def _version(facts: Facts, name: str) -> Version | None:
    """Returns None where the package is missing or its version cannot be read; such a version is not compared."""
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
        why="it is unknown whether CUDA works on this host and the model can be read",
    ),
    of_tried("model-config", configuration),
    of_each("venv", installed),
    of_all("versions-equal", equal),
    of_each("versions-floor", floors),
    of_each("versions-required", demanded),
    of_each("versions-known-bad", known_bad),
)
