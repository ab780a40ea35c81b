"""RDMA devices (InfiniBand, RoCE), as the kernel shows them."""

import os
from typing import Any

#: An IPv4 address as a GID, in the kernel's spelling.
IPV4 = "0000:0000:0000:0000:0000:ffff:"
#: The number of entries that are read of a device's table; the rest is empty on a normal host.
GIDS = 64


def rdma_ports(sys: str) -> list[dict[str, Any]]:
    """Returns every port of every device below `sys`."""
    top = os.path.join(sys, "class/infiniband")
    return [
        rdma_port(device, port, os.path.join(top, device, "ports", port))
        for device in listed(top)
        for port in listed(os.path.join(top, device, "ports"))
        if port.isdigit()
    ]


def rdma_port(device: str, port: str, folder: str) -> dict[str, Any]:
    layer = words(folder, "link_layer")
    return {
        "device": device,
        "port": int(port),
        "state": words(folder, "state").partition(": ")[2],
        "physical": words(folder, "phys_state").partition(": ")[2],
        "rate": words(folder, "rate"),
        "layer": layer,
        "roce_gids": roce_gids(folder) if layer == "Ethernet" else [],
    }


def roce_gids(folder: str) -> list[int]:
    """Returns the indices of the GIDs that are RoCE v2 over IPv4."""
    indices = sorted(int(name) for name in listed(os.path.join(folder, "gids")) if name.isdigit())
    found = [index for index in indices[:GIDS] if words(folder, f"gids/{index}").startswith(IPV4)]
    return [index for index in found if words(folder, f"gid_attrs/types/{index}") == "RoCE v2"]


def peer_memory(proc: str) -> "bool | None":
    """Returns whether a network card can reach GPU memory.

    It needs a module of its own, or DMA-BUF, which the driver's open kernel modules have.
    """
    modules = words(proc, "modules")
    if any(line.startswith(("nvidia_peermem ", "nv_peer_mem ")) for line in modules.splitlines()):
        return True
    version = words(proc, "driver/nvidia/version")
    if "Open Kernel Module" in version:
        return True
    return False if modules and version else None


def listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def words(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
