"""Memory, limits and processes of the host."""

import glob
import os
import pwd
import re
import resource
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import OpenFolder, inside, user_folder
    from cluster.remote.common.processes import Process, command_line, processes
    from cluster.remote.common.records import read_record
    from cluster.remote.common.unit_processes import unit_pids
    from cluster.remote.facts.model import hub_of, nearest

GROUPS = "/sys/fs/cgroup"
RDMA = "/sys/class/infiniband"
CAP_IPC_LOCK = 14
#: Command lines of Ray and vLLM; both set their processes' titles.
KINDS = (
    ("raylet", r"(\S*/)?raylet "),
    ("gcs_server", r"(\S*/)?gcs_server "),
    ("ray::", r"ray::"),
    ("vLLM", r"VLLM::"),
    ("vllm serve", r"(\S*python\S* )?(\S*/)?vllm serve "),
    ("vllm serve", r"\S*python\S* -m vllm\.entrypoints\."),
)


def machine(data: dict[str, Any]) -> dict[str, Any]:
    ours = user_folder(data["state"])
    place = ours.real_path() if isinstance(ours, OpenFolder) else nearest(data["state"])
    disk = os.statvfs(place)
    shm = os.statvfs("/dev/shm") if os.path.isdir("/dev/shm") else None
    soft, hard = task_limits()
    return {
        "shm_mib": shm and shm.f_blocks * shm.f_frsize >> 20,
        "shm_free_mib": shm and shm.f_bavail * shm.f_frsize >> 20,
        "memory_free_mib": memory_free(),
        "memlock_binds": memlock_binds(),
        "tasks": soft,
        "tasks_hard": hard,
        "group_tasks": group_tasks(),
        "ended_at_logout": ended_at_logout(),
        "state_system": filesystem_of(place),
        "state_noexec": bool(disk.f_flag & os.ST_NOEXEC),
        "state_used": 1 - disk.f_bavail / disk.f_blocks if disk.f_blocks else 0.0,
        "strangers": strangers(ours, data["folder"]),
        "hub": hub_of(data["model"]),
    }


def text_of(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def whole(text: str) -> "int | None":
    return int(text) if text.strip().isdigit() else None


def memory_free() -> "int | None":
    available = re.search(r"^MemAvailable:\s*(\d+) kB", text_of("/proc/meminfo"), re.MULTILINE)
    rooms = [room for room in map(group_room, control_groups("memory")) if room is not None]
    if available:
        rooms.append(int(available.group(1)) << 10)
    return max(0, min(rooms)) >> 20 if rooms else None


def control_groups(controller: str) -> Iterator[str]:
    """Yields the folders of the control groups that limit us, innermost first, of either version."""
    for line in text_of("/proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        root = os.path.join(GROUPS, controller) if names else GROUPS
        # The last one is the root, which in a container is the container's own group.
        while path not in ("", "/"):
            yield root + path
            path = os.path.dirname(path)
        yield root


def group_room(folder: str) -> "int | None":
    """Returns the memory that a group may still use, in bytes; cached files can be evicted."""
    for limit, used, prefix in (
        ("memory.max", "memory.current", ""),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ):
        most, now = whole(text_of(f"{folder}/{limit}")), whole(text_of(f"{folder}/{used}"))
        if most is not None and now is not None:
            cached = re.findall(
                rf"^{prefix}(?:in)?active_file (\d+)$", text_of(f"{folder}/memory.stat"), re.MULTILINE
            )
            return most - now + sum(map(int, cached))
    return None


def memlock_binds() -> bool:
    """Returns whether the limit applies. Only RDMA locks memory, and CAP_IPC_LOCK lifts the limit; root of a
    container often lacks it."""
    capable = re.search(r"^CapEff:\s*(\w+)", text_of("/proc/self/status"), re.MULTILINE)
    return bool(glob.glob(f"{RDMA}/*")) and not (capable and int(capable.group(1), 16) >> CAP_IPC_LOCK & 1)


def task_limits() -> tuple[int, int]:
    """Returns the limits of tasks. The kernel does not apply them to root of the host itself."""
    if os.getuid() == 0 and text_of("/proc/self/uid_map").split()[:2] == ["0", "0"]:
        return -1, -1
    return resource.getrlimit(resource.RLIMIT_NPROC)


def group_tasks() -> int:
    limits = [whole(text_of(f"{folder}/pids.max")) for folder in control_groups("pids")]
    return min((limit for limit in limits if limit is not None), default=-1)


def ended_at_logout() -> bool:
    """Returns whether logind ends our processes at logout. Lingering does not keep the processes of a session."""
    if not os.path.isdir("/run/systemd/system"):
        return False
    settings = logind_settings()
    name = user_of("self")
    if name in settings.get("KillExcludeUsers", "root").split():
        return False
    only = settings.get("KillOnlyUsers", "").split()
    if only:
        return name in only
    return settings.get("KillUserProcesses", "").lower() in ("yes", "y", "true", "t", "1", "on")


def logind_settings() -> dict[str, str]:
    """Returns the settings: the main file, then the pieces by name. A file of /etc replaces the one of /usr with
    its name."""
    pieces: dict[str, str] = {}
    for root in ("/usr/lib", "/run", "/etc"):
        for path in glob.glob(f"{root}/systemd/logind.conf.d/*.conf"):
            pieces[os.path.basename(path)] = path
    settings: dict[str, str] = {}
    for path in ("/etc/systemd/logind.conf", *(pieces[name] for name in sorted(pieces))):
        for name, value in re.findall(r"^(Kill\w+)[ \t]*=[ \t]*(.*?)[ \t]*$", text_of(path), re.MULTILINE):
            settings[name] = value
    return settings


def filesystem_of(place: str) -> str:
    """Returns the type of the last mount that is nearest above `place`."""
    best, kind = "", ""
    for line in text_of("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if (place + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind


def user_of(process: str) -> str:
    try:
        uid = os.stat(f"/proc/{process}").st_uid
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
    except OSError:
        return ""


LONGEST_COMMAND = 1000


def kind_of(command: str) -> str:
    """Returns the kind of a command. Its user may write anything there, so only the beginning is read."""
    shown = command[:LONGEST_COMMAND] + " "
    return next((kind for kind, pattern in KINDS if re.match(pattern, shown)), "")


def strangers(ours: Any, folder: str) -> list[dict[str, Any]]:
    """Returns every Ray and vLLM outside the cluster in `folder`, oldest first."""
    kinds = {int(name): kind_of(command_line(int(name))) for name in os.listdir("/proc") if name.isdigit()}
    if not any(kinds.values()):
        return []
    table = processes()
    clusters = cluster_trees(ours, table)
    candidates = sorted(
        (stranger for stranger in table.values() if kinds.get(stranger.pid)),
        key=lambda stranger: (stranger.ticks, stranger.pid),
    )
    up = float(text_of("/proc/uptime").split()[0])
    return [
        {
            "pid": stranger.pid,
            "kind": kinds[stranger.pid],
            "user": user_of(str(stranger.pid)),
            "age": max(0.0, up - stranger.ticks / os.sysconf("SC_CLK_TCK")),
            "cluster": clusters.get(stranger.pid, ("", ""))[1],
        }
        for stranger in candidates
        if clusters.get(stranger.pid, ("", ""))[0] != folder
    ]


def cluster_trees(ours: Any, table: "dict[int, Process]") -> dict[int, tuple[str, str]]:
    """Returns the folder and name of the cluster that a process belongs to."""
    trees: dict[int, tuple[str, str]] = {}
    for folder in ours.names() if isinstance(ours, OpenFolder) else ():
        for name in ("ray", "vllm"):
            unit = inside(ours.folder(folder), name)
            if isinstance(unit, OpenFolder):
                cluster = str((read_record(unit) or {}).get("cluster") or folder)
                trees.update(dict.fromkeys(unit_pids(unit, table), (folder, cluster)))
    return trees
