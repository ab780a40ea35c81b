"""Every check by name, in the order in which an operator would look. `--skip` and `accept:` take these names.

`open-ports` can run only once ranks listen. `up` runs it; for `check` its result is unknown.
"""

from __future__ import annotations

#: Concern -> names of its checks. `cluster/preflight` holds at least one function for each.
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
    """Returns the concern of a check. Raises KeyError for an unknown check."""
    for concern, names in CONCERNS.items():
        if check in names:
            return concern
    raise KeyError(check)
