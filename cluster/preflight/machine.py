"""The host: its memory, other programs, clock, limits, and the state directory on its disk.

The limits are those of the non-interactive shell, which all our processes get.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from cluster.inventory import HostSpec, Inventory, ssh_command
from cluster.launch.state_folder import obstacle_of
from cluster.preflight.check import Check, Evidence, blocking, finding, of_each, unchecked, warning
from cluster.values import Facts, Finding, Presence
from cluster.values.facts import Machine, Stranger

#: Sizes in MiB, read in vLLM 0.32.0. The head has a queue to the ranks (10 chunks of 16) and one of the group (6
#: of 4).
#: It also has one queue back from each rank (10 of 24). vLLM does not start where one of them does not fit.
_QUEUES, _QUEUE_OF_RANK = 160 + 24, 240
#: The size that our `ray start` requests.
_OBJECT_STORE = 256
#: The size that NVIDIA recommends for a container.
_NCCL = 1024
#: A rank of an almost empty model took 0.7 GiB on CPUs (measured); with CUDA it takes more.
_RANK = 1024


def shared_memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the size of /dev/shm, and its free part. Running units already have their share: then only the size
    counts."""
    size, free = facts.machine.shm_mib, facts.machine.shm_free_mib
    if size is None or free is None:
        yield unchecked("/dev/shm cannot be read", wanted="a tmpfs at /dev/shm")
        return
    room, needed = size if _runs(facts) else free, _needed(inventory, spec)
    if room < needed + _NCCL:
        full = size >= needed + _NCCL
        yield finding(
            "blocking" if room < needed else "warning",
            f"/dev/shm has {size} MiB" + (f", {free} MiB free" if free < size else ""),
            wanted=f"{needed + _NCCL} MiB free",
            why=f"vLLM's queues and Ray's object store need {needed} MiB, NCCL up to {_NCCL} MiB; otherwise "
            "`No space left on device` or a bus error follows",
            cure="run `ls -l /dev/shm`, and remove files of programs that have exited"
            if full
            else "mount -o remount,size=16G /dev/shm  (in a container: `--shm-size=16g` or `--ipc=host`)",
            source="vllm#1710, nccl#290, NCCL troubleshooting: shared memory",
        )


def _runs(facts: Facts) -> bool:
    return Presence.ABSENT is not facts.ray.presence or Presence.ABSENT is not facts.vllm.presence


def _needed(inventory: Inventory, spec: HostSpec) -> int:
    queues = _QUEUES + _QUEUE_OF_RANK * spec.gpus if spec.role == "head" else 0
    return queues + (_OBJECT_STORE if inventory.uses_ray else 0)


def memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the free memory. The checkpoint does not count: it is mapped, and its pages can be evicted."""
    free = facts.machine.memory_free_mib
    offloaded = _offloaded_gib(inventory)
    needed = spec.gpus * (_RANK + int(offloaded * 1024)) + _OBJECT_STORE
    if free is None:
        yield unchecked("/proc/meminfo does not show the free memory", wanted=f"{needed} MiB free")
    elif free < needed and not _runs(facts):
        yield warning(
            f"{free} MiB are available",
            wanted=f"{needed} MiB",
            why=f"the host runs {spec.gpus} ranks"
            + (f" , each with {offloaded:g} GiB offloaded" if offloaded else "")
            + "; the kernel would kill a rank while it loads",
            cure="find what uses it: `ps -eo rss,user,args --sort -rss | head`; check the container's limit too",
            source="measured: TP16 of an almost empty model took 11.5 GiB; vllm#2669",
        )


def _offloaded_gib(inventory: Inventory) -> float:
    """Returns the memory in GiB that every rank keeps on the host, by the arguments of `vllm serve`."""
    name, words = "--cpu-offload-gb", inventory.serve.arguments
    given = [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
    given += [value for word, value in pairwise(words) if word == name]
    try:
        return float(given[-1]) if given else 0.0
    except ValueError:
        return 0.0


def leftovers(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Warns of another Ray or vLLM on the host. Other checks report the ports and GPUs that it holds."""
    groups: dict[tuple[str, str], list[Stranger]] = {}
    for stranger in facts.machine.strangers:
        groups.setdefault((stranger.cluster, stranger.user), []).append(stranger)
    for (cluster, user), strangers in groups.items():
        pids = " ".join(str(stranger.pid) for stranger in strangers[:8])
        owner = f"cluster {cluster}" if cluster else f"user {user}"
        yield warning(
            f"{owner} runs {_shown(strangers)}",
            wanted="no other Ray or vLLM",
            why="it may hold GPUs, memory and ports",
            cure=f"if it is no longer needed, run `down` with the inventory of cluster {cluster}"
            if cluster
            else f"if it is no longer needed: {ssh_command(spec, f'kill {pids}')}",
            source="vllm#15385, kuberay#139",
        )


def _shown(strangers: list[Stranger]) -> str:
    more = f" and {len(strangers) - 4} more" if len(strangers) > 4 else ""
    return ", ".join(f"{each.kind} (pid {each.pid}, {_age(each.age)})" for each in strangers[:4]) + more


def _age(seconds: float) -> str:
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {name} old"
    return f"{seconds:.0f} s old"


#: The number that Ray asks for. TP16 over two hosts served with 20,000 (measured). vLLM tries to get 65,535. Where
#: it cannot, its warning is about its clients' connections.
_OPEN_FILES = 8192
#: The threads of eight ranks failed to start with 4,096, and started with 16,384. A kernel's own default is far
#: above.
_TASKS = 16384
_UNLIMITED = -1


def open_files(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the hard limit: the keeper raises the soft limit to it."""
    if facts.nofile != _UNLIMITED and facts.nofile < _OPEN_FILES:
        yield warning(
            f"hard limit {facts.nofile}",
            wanted=f"{_OPEN_FILES} or more",
            why="vLLM and Ray open a file for each connection of ranks and clients; otherwise `Too many open "
            "files`",
            cure=f"`{facts.user} hard nofile 1048576` in /etc/security/limits.conf, then log in again",
            source="ray/_private/worker.py (2.60.0), vllm#7920, ray#6583",
        )


def locked_memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the limit of locked memory. Only RDMA locks memory, and only between hosts."""
    if inventory.uses_ray and facts.memlock != _UNLIMITED and facts.machine.memlock_binds:
        yield warning(
            f"hard limit {facts.memlock >> 10} KiB",
            wanted="unlimited",
            why="RDMA locks the memory of its buffers; otherwise `ibv_reg_mr … Cannot allocate memory`",
            cure=f"`{facts.user} - memlock unlimited` in /etc/security/limits.conf, then log in again "
            "(in a container: `--ulimit memlock=-1 --cap-add IPC_LOCK`)",
            source="nccl-tests#206, spark-vllm-docker#389",
        )


def processes(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks the limit of processes and threads. The soft limit applies, and nothing raises it."""
    machine = facts.machine
    most = "unlimited" if machine.tasks_hard == _UNLIMITED else machine.tasks_hard
    limits = (
        (machine.group_tasks, "pids.max of the control group",
         "raise it: start the container with `--pids-limit -1`, or set `TasksMax=infinity` in the systemd slice"),
        (machine.tasks, f"`ulimit -u`, hard limit {most}",
         f"`{facts.user} - nproc unlimited` in /etc/security/limits.conf, then log in again"),
    )  # fmt: skip
    for limit, name, cure in limits:
        if limit != _UNLIMITED and limit < _TASKS:
            yield warning(
                f"{limit} processes and threads ({name})",
                wanted=f"{_TASKS} or more",
                why="Ray and torch start hundreds of threads for each rank; otherwise `pthread_create failed: "
                "Resource temporarily "
                "unavailable`",
                cure=cure,
                source="vllm#6295, verl#719, ray#36936",
            )


def left_alone(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Checks that systemd keeps processes after logout.

    Lingering does not help: it keeps services of the user, not processes of a session.
    """
    if facts.machine.ended_at_logout:
        yield blocking(
            f"systemd ends the processes of {facts.user} at logout",
            wanted="processes that outlive the session",
            why="systemd would kill Ray and vLLM when our connection closes",
            cure="set `KillUserProcesses=no` and no `KillOnlyUsers=` in /etc/systemd/logind.conf, "
            "then `systemctl restart systemd-logind`",
            source="logind.conf(5); session_stop_scope() of systemd does not ask for lingering",
        )


#: Seconds from the median.
_MOST = 1.0


def skew(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Warns of a clock that differs. A slow connection adds to the difference; only the certain part counts."""
    known = {name: view.clock for name, view in evidence.seen.items() if view.clock}
    votes = [(least + most) / 2 for least, most in known.values()]
    # Two hosts alone do not show which clock is wrong: the clock here has a vote.
    middle = median(votes if len(votes) > 2 else [0.0, *votes])
    for host, (least, most) in known.items():
        off = max(least - middle, middle - most)
        if off > _MOST:
            ahead = least > middle
            yield warning(
                f"{off:.1f} s {'ahead of' if ahead else 'behind'} the others",
                host=host,
                wanted=f"within {_MOST:g} s",
                why="logs of the hosts cannot be compared, and certificates and tokens are refused",
                cure="run `timedatectl set-ntp true`, or `chronyc makestep` where chrony runs",
                source="k0sctl: validate hosts",
            )


_FREE_MIB = 1024
_DISK = "vllm#3568, ray#44966"
#: Ray's own threshold, local_fs_capacity_threshold.
_FULL = 0.95
_NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "9p", "afs", "glusterfs",
    "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.juicefs", "wekafs",
)  # fmt: skip


def directory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Yields the worst problem of the state directory, and only that one."""
    state, other = inventory.runtime.state_directory, "choose another `runtime: state_directory:`"
    if facts.state_problem:
        taken = obstacle_of(inventory, spec.name, facts)
        yield blocking(
            facts.state_problem,
            wanted=f"{state}/o-{facts.uid} for {facts.user} alone",
            why="the state directory holds records, logs and Ray's sockets",
            cure=f"{taken.cure}; or {other}" if taken else other,
        )
    elif facts.free_mib < _FREE_MIB:
        yield blocking(
            f"{facts.free_mib} MiB free",
            wanted=f"{_FREE_MIB} MiB free",
            why="Ray refuses to work on a full disk, and logs would be incomplete",
            cure=f"free space for {state}, or {other}",
            source=_DISK,
        )
    else:
        yield from _filesystem(facts.machine, state, other)


def _filesystem(machine: Machine, state: str, other: str) -> Iterator[Finding]:
    if machine.state_noexec:
        yield blocking(
            "mounted noexec",
            wanted="a filesystem that lets programs run",
            why="the compiled kernels are there; otherwise `failed to map segment from shared object`",
            cure=other,
            source="mmap(2): EPERM",
        )
    elif machine.state_system in _NETWORK:
        yield warning(
            f"on {machine.state_system}",
            wanted=f"{state} on a disk of the host itself",
            why="Ray's sockets, our locks and the compile caches are not reliable on a network filesystem",
            cure=other,
        )
    elif machine.state_used > _FULL:
        yield warning(
            f"the disk is {machine.state_used:.0%} full",
            wanted=f"at most {_FULL:.0%}",
            why="Ray warns all the time, and does not spill objects",
            cure=other,
            source=_DISK,
        )


CHECKS = (
    of_each("shared-memory", shared_memory),
    of_each("memory", memory),
    of_each("leftovers", leftovers),
    of_each("open-files", open_files),
    of_each("locked-memory", locked_memory),
    of_each("process-limit", processes),
    of_each("left-alone", left_alone),
    Check("clock", skew),
    of_each("state-directory", directory),
)
