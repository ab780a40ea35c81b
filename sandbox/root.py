"""The filesystem of a host: this machine's root, above it a layer of all hosts, above it its own changes."""

import os
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from . import driver, kernel
from .layout import home, interpreter, venv

_DEVICES = {
    "null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
}  # fmt: skip
_DEVICE_LINKS = {
    "ptmx": "pts/ptmx", "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
}  # fmt: skip
_SCRATCH = ("tmp", "var/tmp", "run")


def share(folder: Path) -> Path:
    """Called by the supervisor: the layer of what is the same on all hosts."""
    layer, staging = _layer(folder), _staging(folder)
    layer.mkdir()
    staging.mkdir()
    kernel.mount("tmpfs", layer, options="mode=0755")
    _hide_home(layer)
    return layer


def _layer(folder: Path) -> Path:
    return folder / "layer"


def _staging(folder: Path) -> Path:
    return folder / "root"


def place(layer: Path, path: Path) -> Path:
    """Where `path` of the hosts lies in the layer; folders above it look as they do on this machine."""
    path = path.parent.resolve() / path.name
    inside = layer / path.relative_to("/")
    for parent in reversed(path.parents[:-1]):
        copy = layer / parent.relative_to("/")
        if not copy.exists():
            copy.mkdir(mode=0o755)
            if parent.exists():
                shutil.copystat(parent, copy)
    return inside


def build(folder: Path, shared_memory: str, with_driver: bool) -> Path:
    """Called by a host, in its own mount namespace. `with_driver`: of this machine's GPUs."""
    layer, staging = _layer(folder), _staging(folder)
    kernel.mount("tmpfs", staging, options="mode=0755")
    root = staging / "root"
    root.mkdir()
    _overlay(root, [layer, Path("/")], staging / "changes")
    for scratch in _SCRATCH:
        kernel.mount("tmpfs", root / scratch, options="mode=0755" if scratch == "run" else "mode=1777")
    if with_driver:
        driver.bind(root)
    _bring_python(root, layer, staging)
    kernel.mount("proc", root / "proc", "proc")
    kernel.mount("sysfs", root / "sys", "sysfs", kernel.READ_ONLY)
    _devices(root / "dev", shared_memory)
    if with_driver:
        driver.make_devices(root / "dev")
    return root


def _overlay(target: Path, below: Iterable[Path], changes: Path) -> None:
    upper, work = changes / "upper", changes / "work"
    upper.mkdir(mode=0o755, parents=True)
    work.mkdir()
    lower = ":".join(str(path) for path in below)
    kernel.mount("overlay", target, "overlay", options=f"lowerdir={lower},upperdir={upper},workdir={work}")


def _devices(dev: Path, shared_memory: str) -> None:
    kernel.mount("tmpfs", dev, flags=kernel.NO_SETUID, options="mode=0755")
    for name, (major, minor) in _DEVICES.items():
        os.mknod(dev / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (dev / name).chmod(0o666)
    for name, target in _DEVICE_LINKS.items():
        (dev / name).symlink_to(target)
    (dev / "pts").mkdir()
    (dev / "shm").mkdir()
    terminals = "newinstance,ptmxmode=0666,mode=0620,gid=5"
    kernel.mount("devpts", dev / "pts", flags=kernel.NO_SETUID, options=terminals)
    kernel.mount("tmpfs", dev / "shm", options=f"mode=1777,size={shared_memory}")


def _hide_home(layer: Path) -> None:
    """Hides the home folder, so that a host never sees what its user keeps there."""
    own = place(layer, home())
    own.mkdir()
    shutil.copystat(home(), own)
    os.setxattr(own, "trusted.overlay.opaque", b"y")


def _bring_python(root: Path, layer: Path, staging: Path) -> None:
    """Mounts the Python into the host. A Python at home or in a scratch folder is hidden by now. An overlay does
    not show what is mounted into the folder below it."""
    # The Python as the venv names it, and as it is after all symbolic links.
    paths = (interpreter().parents[1], Path(sys.base_prefix), venv())
    for number, path in enumerate(paths):
        inside, shared = root / path.relative_to("/"), layer / path.relative_to("/")
        if not (inside / "lib").exists():
            inside.mkdir(parents=True, exist_ok=True)
            below = [shared, path] if shared.exists() else [path]
            _overlay(inside, below, staging / f"changes-{number}")
