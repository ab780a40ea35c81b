"""Programs of this package that run on the hosts: copied, as the checkout may change while a host is up."""

import shutil
from pathlib import Path

from .layout import interpreter
from .root import place

_LIBRARY = Path("/usr/lib/sandbox")


def carry(layer: Path, package: Path) -> None:
    target = place(layer, _LIBRARY / package.name)
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))


def launcher(layer: Path, command: Path, module: str, python: str) -> None:
    """`command` runs `main(argv)` of a carried module. `python` may have one option, as `#!` lines do."""
    text = f"#!{python}\nimport sys\nsys.path.insert(0, {str(_LIBRARY)!r})\nfrom {module} import main\n"
    _executable(place(layer, command), f"{text}sys.exit(main(sys.argv[1:]))\n")


def script(layer: Path, command: Path, text: str) -> None:
    _executable(place(layer, command), f"#!/bin/sh\n{text}")


def fast_python() -> str:
    return f"{interpreter()} -SE"


def _executable(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)
