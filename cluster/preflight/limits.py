"""Limits of the non-interactive shell, which are those that everything we launch gets."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_each, warning
from cluster.values import Facts, Finding

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
    limits = (
        (machine.group_tasks, "pids.max of the control group",
         "raise it: `--pids-limit -1` of the container, or `TasksMax=infinity` of the systemd slice"),
        (machine.tasks, f"`ulimit -u`, of {_number(machine.tasks_hard)} at most",
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


def _number(limit: int) -> str:
    return "any number" if limit == _UNLIMITED else str(limit)


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


CHECKS = (
    of_each("open-files", open_files),
    of_each("locked-memory", locked_memory),
    of_each("process-limit", processes),
    of_each("left-alone", left_alone),
)
