"""What travels between the layers."""

from cluster.values.checks import CHECKS, CONCERNS, concern_of
from cluster.values.facts import (
    Facts,
    Gpu,
    GpuProcess,
    LaunchTarget,
    Listener,
    Presence,
    RdmaPort,
    UnitState,
    is_read,
)
from cluster.values.findings import (
    Announcement,
    CheckReport,
    EndpointStatus,
    Excused,
    Finding,
    HostStatus,
    Lease,
    Leftover,
    LogLine,
    NcclTransport,
    Severity,
)
from cluster.values.trials import AllReduceResult, HostReduced, Reach, VenvCheck

__all__ = [
    "CHECKS",
    "CONCERNS",
    "AllReduceResult",
    "Announcement",
    "CheckReport",
    "EndpointStatus",
    "Excused",
    "Facts",
    "Finding",
    "Gpu",
    "GpuProcess",
    "HostReduced",
    "HostStatus",
    "LaunchTarget",
    "Lease",
    "Leftover",
    "Listener",
    "LogLine",
    "NcclTransport",
    "Presence",
    "RdmaPort",
    "Reach",
    "Severity",
    "UnitState",
    "VenvCheck",
    "concern_of",
    "is_read",
]
