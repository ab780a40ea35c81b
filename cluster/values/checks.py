"""Every check by name, in the order in which a person would look: what `--skip` and `accept:` take.

`open-ports` can be looked at only once ranks listen: `up` does, and for `check` it is one that nobody has tried.
"""

from __future__ import annotations

#: Concern -> names of its checks. `cluster/preflight` holds one function or more for each.
CONCERNS: dict[str, tuple[str, ...]] = {
    "hosts": ("reachable", "clock"),
    "GPUs": (
        "gpu-number",
        "gpu-memory",
        "gpu-model",
        "gpu-idle",
        "gpu-mig",
        "gpu-ecc",
        "gpu-xid",
        "gpu-persistence",
        "gpu-fabric-manager",
        "gpu-driver",
        "cuda",
    ),
    "software": (
        "venv",
        "versions-equal",
        "versions-floor",
        "versions-required",
        "versions-known-bad",
        "tools-on-path",
        "remote-code",
        "model-config",
    ),
    "network": (
        "cluster-address",
        "hostname",
        "routes",
        "mtu",
        "proxies",
        "port-free",
        "open-endpoint",
        "open-ports",
        "reach",
        "rdma-links",
        "rdma-gid",
        "rdma-peermem",
        "fabric",
    ),
    "machine": (
        "shared-memory",
        "memory",
        "open-files",
        "locked-memory",
        "process-limit",
        "left-alone",
        "state-directory",
        "leftovers",
    ),
    "model": ("model", "model-equal", "model-hashes", "model-space", "model-layout", "model-fits"),
}

CHECKS: tuple[str, ...] = tuple(name for names in CONCERNS.values() for name in names)


def concern_of(check: str) -> str:
    """Raises KeyError for what is no check."""
    for concern, names in CONCERNS.items():
        if check in names:
            return concern
    raise KeyError(check)
