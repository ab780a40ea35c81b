"""The command line of OpenSSH that leads to a host: on the operator's computer, its name may mean another host."""

from __future__ import annotations

import shlex

from cluster.inventory.models import HostSpec, JumpSpec


def ssh_command(spec: HostSpec, *words: str) -> str:
    """Returns the command that runs `words` there. ~/.ssh/config decides about values that the inventory leaves
    open."""
    port = ("-p", str(spec.port)) if spec.port else ()
    key = ("-i", spec.identity_file) if spec.identity_file else ()
    jumps = ("-J", ",".join(_jumps(spec.jump))) if spec.jump else ()
    login = f"{spec.user}@{spec.address}" if spec.user else spec.address
    return " ".join((shlex.join(("ssh", *port, *key, *jumps, login)), *words))


def _jumps(jump: JumpSpec | None) -> tuple[str, ...]:
    """Returns the hops, the first one first."""
    if jump is None:
        return ()
    address = f"[{jump.address}]" if ":" in jump.address else jump.address
    user, port = f"{jump.user}@" if jump.user else "", f":{jump.port}" if jump.port else ""
    return *_jumps(jump.jump), f"{user}{address}{port}"
