"""The driver of this machine's GPUs, as a host with real ones must see it: devices, mounts and variables."""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import kernel
from .errors import SandboxError

#: Where CUDA images keep their driver, and whatever else was installed beside the distribution.
_FOLDERS = (Path("/opt"), Path("/usr/local/nvidia"))
_NAMED = re.compile("nvidia|cuda", re.IGNORECASE)
#: A host has its own.
_OWN = ("proc", "sys", "dev")
_DEVICES = ("nvidia*", "nvidia-caps/*", "infiniband/*", "kmsg")
#: What a program must have in its environment to find the driver, or to leave alone what others on this machine
#: depend on; which GPUs it may use is the orchestrator's to say.
_VARIABLES = re.compile(r"(LD_LIBRARY_PATH|CUDA|NVIDIA|NCCL|NVSHMEM|TORCH)(_|$)")
_CHOICE = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
_PLAIN = re.compile(r"[\w./:,=+@%^-]+")


def count(dev: Path = Path("/dev")) -> int:
    """GPUs that this machine's driver has made devices of."""
    return sum(1 for path in dev.glob("nvidia*") if path.name.removeprefix("nvidia").isdecimal())


def require(wanted: int) -> None:
    found = count()
    if found < wanted:
        raise SandboxError(f"{wanted} GPUs asked for, and this machine has {found}")


def mount_points(mountinfo: str) -> list[Path]:
    """Returns the paths in /proc/self/mountinfo, where a blank and the like is a backslash and three digits."""
    fields = [line.split()[4] for line in mountinfo.splitlines() if line.strip()]
    return [Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), field)) for field in fields]


def places(mounts: Iterable[Path], folders: Iterable[Path] = _FOLDERS) -> list[Path]:
    """What to bind into a host: an overlay shows nothing that is mounted below its lower folder. A place takes
    all below it along."""
    wanted = {*folders, *(path for path in mounts if _NAMED.search(str(path)) and path.parts[1] not in _OWN)}
    return sorted(path for path in wanted if not wanted.intersection(path.parents))


def bind(root: Path) -> None:
    """Called by a host, in its own mount namespace."""
    for path in places(mount_points(Path("/proc/self/mountinfo").read_text())):
        if path.exists():
            target = root / path.relative_to("/")
            _make_alike(path, target)
            kernel.mount("none", target, str(path), kernel.BIND | kernel.RECURSIVE)


def _make_alike(path: Path, target: Path) -> None:
    if path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def make_devices(dev: Path) -> None:
    """The same devices as this machine's, all of them: which of them a process uses is decided by variables."""
    for pattern in _DEVICES:
        for path in sorted(Path("/dev").glob(pattern)):
            made, found = dev / path.relative_to("/dev"), path.stat()
            if stat.S_ISCHR(found.st_mode):
                made.parent.mkdir(exist_ok=True)
                os.mknod(made, stat.S_IFCHR | 0o666, found.st_rdev)
                made.chmod(stat.S_IMODE(found.st_mode))


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What sessions on a host get of this program's environment; sshd takes no blanks in them."""
    chosen = {name: value for name, value in environ.items() if _VARIABLES.match(name) and name not in _CHOICE}
    return {name: value for name, value in chosen.items() if _PLAIN.fullmatch(value)}


def path(environ: Mapping[str, str], own: str) -> str:
    """A host's PATH, and behind it what this program's has besides: nvidia-smi may lie beside the driver."""
    more = [one for one in environ.get("PATH", "").split(":") if _PLAIN.fullmatch(one)]
    return ":".join(dict.fromkeys([*own.split(":"), *more]))
