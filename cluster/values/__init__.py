"""What travels between the layers."""

from cluster.values.said import (
    Announcement,
    EndpointStatus,
    Finding,
    HostStatus,
    Lease,
    Leftover,
    Severity,
    Transport,
)
from cluster.values.seen import Facts, Gpu, GpuProcess, HostView, Listener, ModelFiles, Presence, Sighting

__all__ = [
    "Announcement",
    "EndpointStatus",
    "Facts",
    "Finding",
    "Gpu",
    "GpuProcess",
    "HostStatus",
    "HostView",
    "Lease",
    "Leftover",
    "Listener",
    "ModelFiles",
    "Presence",
    "Severity",
    "Sighting",
    "Transport",
]
