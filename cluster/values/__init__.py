"""What travels between the layers."""

from cluster.values.all_reduce import Fabric, HostReduced
from cluster.values.checks import CHECKS, CONCERNS, concern_of
from cluster.values.facts import Facts, Gpu, GpuProcess, Listener, ModelFiles, Place, Presence, Sighting, is_read
from cluster.values.findings import (
    Announcement,
    EndpointStatus,
    Excused,
    Finding,
    HostStatus,
    Lease,
    Leftover,
    LogLine,
    Report,
    Severity,
    Transport,
)
from cluster.values.hardware import Hardware
from cluster.values.links import Links, RdmaPort
from cluster.values.machine import Machine
from cluster.values.plan import (
    Plan,
    PlannedFit,
    PlannedHost,
    PlannedLever,
    PlannedModel,
    PlannedPhase,
    PlannedStage,
    PlannedUnit,
    Share,
)
from cluster.values.software import Software
from cluster.values.trials import Reach, VenvTrial

__all__ = [
    "CHECKS",
    "CONCERNS",
    "Announcement",
    "EndpointStatus",
    "Excused",
    "Fabric",
    "Facts",
    "Finding",
    "Gpu",
    "GpuProcess",
    "Hardware",
    "HostReduced",
    "HostStatus",
    "Lease",
    "Leftover",
    "Links",
    "Listener",
    "LogLine",
    "Machine",
    "ModelFiles",
    "Place",
    "Plan",
    "PlannedFit",
    "PlannedHost",
    "PlannedLever",
    "PlannedModel",
    "PlannedPhase",
    "PlannedStage",
    "PlannedUnit",
    "Presence",
    "RdmaPort",
    "Reach",
    "Report",
    "Severity",
    "Share",
    "Sighting",
    "Software",
    "Transport",
    "VenvTrial",
    "concern_of",
    "is_read",
]
