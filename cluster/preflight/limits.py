"""Limits of the non-interactive shell, which are those that everything we launch gets."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.catalogue import of_each
from cluster.values import Facts, Finding

_OPEN_FILES = 65535
_UNLIMITED = -1


def open_files(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """A warning: 20,000 served on a small machine; Ray and vLLM ask for 65,535."""
    if facts.nofile != _UNLIMITED and facts.nofile < _OPEN_FILES:
        yield Finding(
            "open-files", spec.name, "warning", f"hard limit {facts.nofile}", f"{_OPEN_FILES} or more",
            why="vLLM and Ray open a file for each connection between the ranks (vllm#7920)",
            cure="`* hard nofile 1048576` in /etc/security/limits.conf, then log in anew",
        )  # fmt: skip


def locked_memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Only RDMA locks memory, and only between hosts; root is not bound by the limit."""
    if inventory.uses_ray and facts.memlock != _UNLIMITED and facts.user != "root":
        yield Finding(
            "locked-memory", spec.name, "warning", f"hard limit {facts.memlock >> 10} KiB", "unlimited",
            why="RDMA registers its buffers as locked memory: `ibv_reg_mr … Cannot allocate memory`",
            cure="`* - memlock unlimited` in /etc/security/limits.conf, then log in anew",
        )  # fmt: skip


def left_alone(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if facts.kill_user_processes and not facts.linger:
        yield Finding(
            "left-alone", spec.name, "blocking", "systemd ends what a user leaves running", "lingering enabled",
            why="Ray and vLLM would be killed when our connection closes",
            cure=f"loginctl enable-linger {facts.user}",
        )  # fmt: skip


CHECKS = (
    of_each("open-files", open_files),
    of_each("locked-memory", locked_memory),
    of_each("left-alone", left_alone),
)
