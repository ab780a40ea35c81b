"""`python -m benchmarks.gpu_lab.prepare [FOLDER]`: makes what a trial on this machine's GPUs needs, in seconds.

FOLDER/venv sees every package that the Python running this sees; FOLDER/models has the architectures without their
weights.
"""

import compileall
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from . import models, venv
from .run import PLACE

#: What takes long to import: thousands of files each.
_IMPORTED = ("flashinfer", "ray", "torch", "transformers", "triton", "vllm")


def main(argv: list[str]) -> int:
    place = Path(argv[0]) if argv else PLACE
    venv.create(place / "venv")
    models.write(place / "models")
    _compile(_IMPORTED)
    print(place)
    return 0


def _compile(packages: Iterable[str]) -> None:
    """Once and by all cores, rather than by the first import on each host."""
    for folder in (folder for package in packages for folder in _folders(package)):
        if os.access(folder, os.W_OK):
            compileall.compile_dir(folder, quiet=2, workers=0, maxlevels=12)


def _folders(package: str) -> list[Path]:
    found = importlib.util.find_spec(package)
    return [Path(one) for one in found.submodule_search_locations or ()] if found else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
