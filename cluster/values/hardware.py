"""What GPUs, driver and kernel say of their health."""

from __future__ import annotations

from cluster.values.base import Fact


class GpuHealth(Fact):
    """One GPU. None or empty where nvidia-smi says that there is nothing to say, or does not know the field.

    `bus` is its address as the kernel log has it (0000:65:00); `uncorrected` counts ECC errors since the driver
    was loaded; `recovery` is what the driver asks for, `None` in its own word where that is nothing.
    """

    uuid: str
    bus: str
    capability: str
    persistent: bool | None
    mig: bool | None
    uncorrected: int | None
    pages_pending: bool | None
    rows_pending: bool | None
    rows_failed: bool | None
    sram_exceeded: bool | None
    fabric_state: str
    fabric_status: str
    recovery: str


class Xid(Fact):
    """The last line of its kind that the driver has logged on a GPU since the boot."""

    bus: str
    code: int
    text: str


class Hardware(Fact):
    """What GPUs, driver and kernel say of their health.

    `health` is empty where nvidia-smi refuses to tell, `xids` is None where the kernel log cannot be read.
    `fabric_manager` is whether it is seen to run, with the version that is installed (empty where none is).
    """

    health: tuple[GpuHealth, ...]
    xids: tuple[Xid, ...] | None
    nvswitch: bool
    fabric_manager: bool
    fabric_manager_version: str

    def of(self, uuid: str) -> GpuHealth | None:
        return next((one for one in self.health if one.uuid == uuid), None)
