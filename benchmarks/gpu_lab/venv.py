"""An environment as the orchestrator wants it on a host, where the machine has its packages in several places."""

import shutil
import stat
import sys
import sysconfig
import venv
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

PROGRAMS = ("ray", "vllm")
_SEEN = "seen.pth"


def create(folder: Path) -> None:
    """It sees what the Python that runs this sees, in the same order, and has programs of its own."""
    venv.EnvBuilder(symlinks=True, clear=True).create(folder)
    scheme = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    (site / _SEEN).write_text(seen(package_folders(sys.path)))
    for name in PROGRAMS:
        for found in entry_points(group="console_scripts", name=name):
            write_program(folder / "bin" / name, program(folder, found))
    ninja = shutil.which("ninja")
    if ninja and not (folder / "bin/ninja").exists():
        (folder / "bin/ninja").symlink_to(ninja)


def package_folders(path: Iterable[str]) -> list[str]:
    """Without the standard library, which any environment has, and the folder that a program was started in."""
    own = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(Path.cwd()), ""}
    inside = tuple(f"{folder}/lib-dynload" for folder in own if folder)
    return [one for one in path if one not in own and one not in inside and Path(one).is_dir()]


def seen(folders: Iterable[str]) -> str:
    """Each as a site folder of its own: what its *.pth files add is seen as well."""
    return "".join(f"import site; site.addsitedir({folder!r})\n" for folder in folders)


def program(folder: Path, entry: EntryPoint) -> str:
    """Guarded: vLLM's engine is spawned, and a spawned process imports the program of its parent."""
    imported = f"from {entry.module} import {entry.attr}"
    guard = 'if __name__ == "__main__":'
    return f"#!{folder}/bin/python\nimport sys\n{imported}\n{guard}\n    sys.exit({entry.attr}())\n"


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
