"""What travels between the layers."""

from cluster.values.said import (
    Announcement,
    EndpointStatus,
    Executed,
    Finding,
    HostStatus,
    Lease,
    Leftover,
    LogLine,
    Severity,
    Transport,
)
from cluster.values.seen import Facts, Gpu, GpuProcess, HostView, Listener, ModelFiles, Presence, Sighting

__all__ = [
    "Announcement",
    "EndpointStatus",
    "Executed",
    "Facts",
    "Finding",
    "Gpu",
    "GpuProcess",
    "HostStatus",
    "HostView",
    "Lease",
    "Leftover",
    "Listener",
    "LogLine",
    "ModelFiles",
    "Presence",
    "Severity",
    "Sighting",
    "Transport",
]
