"""What travels between the layers."""

from cluster.values.all_reduce import AllReduceResult, HostReduced
from cluster.values.checks import CHECKS, CONCERNS, concern_of
from cluster.values.facts import (
    Facts,
    Gpu,
    GpuProcess,
    LaunchTarget,
    Listener,
    ModelFiles,
    Presence,
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
from cluster.values.hardware import Hardware
from cluster.values.links import Links, RdmaPort
from cluster.values.machine import Machine
from cluster.values.software import Software
from cluster.values.trials import Reach, VenvCheck

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
    "Hardware",
    "HostReduced",
    "HostStatus",
    "LaunchTarget",
    "Lease",
    "Leftover",
    "Links",
    "Listener",
    "LogLine",
    "Machine",
    "ModelFiles",
    "NcclTransport",
    "Presence",
    "RdmaPort",
    "Reach",
    "Severity",
    "Software",
    "UnitState",
    "VenvCheck",
    "concern_of",
    "is_read",
]
