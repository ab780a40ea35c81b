"""The options of `check`."""

from __future__ import annotations

from orchestrator.cli.command import cluster_command
from orchestrator.cli.parameters import SKIP, flag
from orchestrator.session.invocation import Invocation


@cluster_command(
    "check",
    flag("--all", "List passed checks as well."),
    flag("--strict", "Exit with 3 for warnings as well."),
    flag("--deep", "Compare hashes of the model's files. It takes minutes."),
    flag("--fabric", "Run an all-reduce over all GPUs. It takes a minute."),
    SKIP,
    example="check inventory.yaml",
)
def command(
    invocation: Invocation, all: bool, strict: bool, deep: bool, fabric: bool, skip: tuple[str, ...]
) -> int:
    """Check the hosts, and print each finding with its fix."""
    from orchestrator.commands.check import run

    return run(invocation, all=all, strict=strict, deep=deep, fabric=fabric, skip=skip)
