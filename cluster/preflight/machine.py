"""The machine: its memory, who else works on it, its clock, its limits, and the state directory on its disk.

The limits are those of the non-interactive shell, which everything that we launch gets.
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

#: In MiB, read in vLLM 0.32.0: the queue to the ranks (10 chunks of 16) and that of the group (6 of 4), both on
#: the head, and there a queue back from each rank (10 of 24). vLLM does not start where one of them does not fit.
_QUEUES, _QUEUE_OF_RANK = 160 + 24, 240
#: As our `ray start` asks for it.
_OBJECT_STORE = 256
#: What NVIDIA recommends for a container.
_NCCL = 1024
#: A rank of an almost empty model took 0.7 GiB on CPUs (measured); with CUDA it is more.
_RANK = 1024


def shared_memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Units of ours that run have their share already: then only the size tells."""
    size, free = facts.machine.shm_mib, facts.machine.shm_free_mib
    if size is None or free is None:
        yield unchecked("/dev/shm cannot be read", wanted="a tmpfs at /dev/shm")
        return
    room, needed = size if _runs(facts) else free, _needed(inventory, spec)
    if room < needed + _NCCL:
        full = size >= needed + _NCCL
        yield finding(
            "blocking" if room < needed else "warning",
            f"/dev/shm has {size} MiB" + (f", {free} of them free" if free < size else ""),
            wanted=f"{needed + _NCCL} MiB free",
            why=f"vLLM's queues and Ray's object store take {needed} MiB of it, NCCL up to {_NCCL}: "
            "`No space left on device`, or a bus error",
            cure="see `ls -l /dev/shm`: what programs left there that have ended can be removed"
            if full
            else "mount -o remount,size=16G /dev/shm  (a container: `--shm-size=16g` or `--ipc=host`)",
            source="vllm#1710, nccl#290, NCCL troubleshooting: shared memory",
        )


def _runs(facts: Facts) -> bool:
    return Presence.ABSENT is not facts.ray.presence or Presence.ABSENT is not facts.vllm.presence


def _needed(inventory: Inventory, spec: HostSpec) -> int:
    queues = _QUEUES + _QUEUE_OF_RANK * spec.gpus if spec.role == "head" else 0
    return queues + (_OBJECT_STORE if inventory.uses_ray else 0)


def memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """The checkpoint is no part of it: it is mapped, and its pages make way."""
    free = facts.machine.memory_free_mib
    offloaded = _offloaded_gib(inventory)
    needed = spec.gpus * (_RANK + int(offloaded * 1024)) + _OBJECT_STORE
    if free is None:
        yield unchecked("/proc/meminfo does not say", wanted=f"{needed} MiB free")
    elif free < needed and not _runs(facts):
        yield warning(
            f"{free} MiB can be had",
            wanted=f"{needed} MiB",
            why=f"{spec.gpus} ranks"
            + (f" with {offloaded:g} GiB offloaded by each" if offloaded else "")
            + ": the kernel would kill one of them while it loads",
            cure="see what holds it: `ps -eo rss,user,args --sort -rss | head`, and the container's limit",
            source="measured: TP16 of an almost empty model took 11.5 GiB; vllm#2669",
        )


def _offloaded_gib(inventory: Inventory) -> float:
    """Returns what every rank keeps in the host's memory, by the arguments of `vllm serve`."""
    name, words = "--cpu-offload-gb", inventory.serve.arguments
    given = [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
    given += [value for word, value in pairwise(words) if word == name]
    try:
        return float(given[-1]) if given else 0.0
    except ValueError:
        return 0.0


def leftovers(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """A warning: another Ray works beside ours, unless it holds ports or GPUs, which other checks see."""
    groups: dict[tuple[str, str], list[Stranger]] = {}
    for stranger in facts.machine.strangers:
        groups.setdefault((stranger.cluster, stranger.user), []).append(stranger)
    for (cluster, user), strangers in groups.items():
        pids = " ".join(str(stranger.pid) for stranger in strangers[:8])
        whose = f"cluster {cluster}, which is ours too" if cluster else user
        yield warning(
            f"of {whose}: {_shown(strangers)}",
            wanted="no other Ray or vLLM",
            why="it may hold GPUs, memory and ports",
            cure=f"`down` with the inventory of cluster {cluster}, if it is not wanted any more"
            if cluster
            else f"if it is not wanted any more: {ssh_command(spec, f'kill {pids}')}",
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


#: What Ray asks for; TP16 over two hosts served with 20,000 (measured). vLLM tries for 65,535, and its warning
#: where it cannot have them is about its clients' connections.
_OPEN_FILES = 8192
#: With 4,096 the threads of eight ranks ran out, with 16,384 they did not. A kernel's own default is far above.
_TASKS = 16384
_UNLIMITED = -1


def open_files(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """The hard limit counts: the keeper raises the soft one to it."""
    if facts.nofile != _UNLIMITED and facts.nofile < _OPEN_FILES:
        yield warning(
            f"hard limit {facts.nofile}",
            wanted=f"{_OPEN_FILES} or more",
            why="vLLM and Ray open files for each connection between ranks and of clients: `Too many open files`",
            cure=f"`{facts.user} hard nofile 1048576` in /etc/security/limits.conf, then log in anew",
            source="ray/_private/worker.py (2.60.0), vllm#7920, ray#6583",
        )


def locked_memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Only RDMA locks memory, and only between hosts."""
    if inventory.uses_ray and facts.memlock != _UNLIMITED and facts.machine.memlock_binds:
        yield warning(
            f"hard limit {facts.memlock >> 10} KiB",
            wanted="unlimited",
            why="RDMA registers its buffers as locked memory: `ibv_reg_mr … Cannot allocate memory`",
            cure=f"`{facts.user} - memlock unlimited` in /etc/security/limits.conf, then log in anew "
            "(a container: `--ulimit memlock=-1 --cap-add IPC_LOCK`)",
            source="nccl-tests#206, spark-vllm-docker#389",
        )


def processes(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Threads count as well. The soft limit is the one that binds, and nobody raises it."""
    machine = facts.machine
    most = "any number" if machine.tasks_hard == _UNLIMITED else machine.tasks_hard
    limits = (
        (machine.group_tasks, "pids.max of the control group",
         "raise it: `--pids-limit -1` of the container, or `TasksMax=infinity` of the systemd slice"),
        (machine.tasks, f"`ulimit -u`, of {most} at most",
         f"`{facts.user} - nproc unlimited` in /etc/security/limits.conf, then log in anew"),
    )  # fmt: skip
    for limit, name, cure in limits:
        if limit != _UNLIMITED and limit < _TASKS:
            yield warning(
                f"{limit} processes and threads ({name})",
                wanted=f"{_TASKS} or more",
                why="Ray and torch start hundreds of threads a rank: `pthread_create failed: Resource temporarily "
                "unavailable`",
                cure=cure,
                source="vllm#6295, verl#719, ray#36936",
            )


def left_alone(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Lingering is no cure: it keeps services of the user, not what a session has left."""
    if facts.machine.ended_at_logout:
        yield blocking(
            f"systemd ends what {facts.user} leaves running",
            wanted="processes that outlive the session",
            why="Ray and vLLM would be killed when our connection closes",
            cure="`KillUserProcesses=no` and no `KillOnlyUsers=` in /etc/systemd/logind.conf, "
            "then `systemctl restart systemd-logind`",
            source="logind.conf(5); session_stop_scope() of systemd does not ask for lingering",
        )


#: Seconds from the median.
_MOST = 1.0


def skew(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """A warning. What a slow way there may have added or taken is left out: only what is certain counts."""
    known = {name: view.clock for name, view in evidence.seen.items() if view.clock}
    votes = [(least + most) / 2 for least, most in known.values()]
    # Of two hosts alone nobody could say which one is wrong: our own clock has a vote.
    middle = median(votes if len(votes) > 2 else [0.0, *votes])
    for host, (least, most) in known.items():
        off = max(least - middle, middle - most)
        if off > _MOST:
            ahead = least > middle
            yield warning(
                f"{off:.1f} s {'ahead of' if ahead else 'behind'} the others",
                host=host,
                wanted=f"within {_MOST:g} s",
                why="logs of the hosts cannot be laid side by side, and certificates and tokens are refused",
                cure="`timedatectl set-ntp true`, or `chronyc makestep` where chrony runs",
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
    """The worst thing about it, and no more."""
    state, other = inventory.runtime.state_directory, "choose another `runtime: state_directory:`"
    if facts.state_problem:
        taken = obstacle_of(inventory, spec.name, facts)
        yield blocking(
            facts.state_problem,
            wanted=f"{state}/o-{facts.uid} for {facts.user} alone",
            why="records, logs and Ray's sockets lie there",
            cure=f"{taken.cure}; or {other}" if taken else other,
        )
    elif facts.free_mib < _FREE_MIB:
        yield blocking(
            f"{facts.free_mib} MiB free",
            wanted=f"{_FREE_MIB} MiB free",
            why="Ray refuses to work on a full disk, and logs would be lost",
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
            why="compiled kernels lie there: `failed to map segment from shared object`",
            cure=other,
            source="mmap(2): EPERM",
        )
    elif machine.state_system in _NETWORK:
        yield warning(
            f"on {machine.state_system}",
            wanted=f"{state} on a disk of the host itself",
            why="Ray's sockets, our locks and the compile caches do not go well with a network's filesystem",
            cure=other,
        )
    elif machine.state_used > _FULL:
        yield warning(
            f"a disk that is {machine.state_used:.0%} full",
            wanted=f"{_FULL:.0%} at most",
            why="Ray complains of it without end, and does not spill objects",
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
