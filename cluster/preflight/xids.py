"""What the driver has logged of its GPUs since the boot, and what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from cluster.engine import gpu
from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import finding, unchecked
from cluster.values import Facts, Finding
from cluster.values.hardware import GpuHealth, Xid

#: NVIDIA's catalogue wants the machine restarted.
_REBOOT = {79}
#: It wants the GPU reset, or its links looked at: grave unless the driver itself says that this was done.
_RESET = {46, 48, 62, 64, 74, 95, 109, 110, 119, 120, 140, 143}
#: It wants the program restarted, or nothing: what any program that crashes or is killed leaves behind.
_PASSED = {8, 11, 13, 25, 31, 32, 43, 45, 63, 68, 69, 92}
#: Says what the driver asks for from now on.
_RECOVERY = 154
_SOURCE = "NVIDIA Xid catalog, docs.nvidia.com/deploy/xid-errors"


def logged(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Yields one finding for each GPU, as grave as the gravest of what is known of it."""
    weighed = sorted(_weighed(spec, facts))
    for where, group in groupby(weighed, key=lambda entry: entry[0]):
        items = list(group)
        grave = any(blocking for _, blocking, _ in items)
        yield finding(
            "blocking" if grave else "warning",
            f"{where}: {', '.join(words for _, _, words in items)}",
            wanted="no such errors since the boot",
            why="a GPU in this state fails at load or in the middle of serving",
            cure="reboot this host if it says 79 or Reboot; otherwise end what uses the GPU and reset it: "
            "sudo nvidia-smi -r",
            source=_SOURCE,
        )


def _weighed(spec: HostSpec, facts: Facts) -> Iterator[tuple[str, bool, str]]:
    """Yields where, whether it is blocking, and in words."""
    by_uuid = {health.uuid: health for health in facts.hardware.health}
    mine = {card.uuid: f"GPU {card.index}" for card in gpu.selected(spec, facts)}
    for uuid, where in mine.items():
        if uuid in by_uuid and by_uuid[uuid].recovery not in ("", "None"):
            yield where, True, f"the driver asks for: {by_uuid[uuid].recovery}"
    for xid in facts.hardware.xids or ():
        on = next((health for health in facts.hardware.health if health.bus == xid.bus), None)
        if (on is None or on.uuid in mine) and _counts(xid):
            where = mine[on.uuid] if on else f"the GPU at {xid.bus}"
            yield where, _grave(xid, on), f"Xid {xid.code} ({xid.text[:80]})"


def _counts(xid: Xid) -> bool:
    return xid.code not in _PASSED and not (xid.code == _RECOVERY and xid.text.endswith("(None)"))


def _grave(xid: Xid, on: GpuHealth | None) -> bool:
    if xid.code in _REBOOT:
        return True
    return xid.code in {*_RESET, _RECOVERY} and (on is None or on.recovery != "None")


def unread(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Many hosts show an ordinary user no kernel log; a recent driver says itself whether a GPU is well."""
    asked = [facts.hardware.of(card.uuid) for card in gpu.selected(spec, facts)]
    if asked and facts.hardware.xids is None and not all(health and health.recovery for health in asked):
        yield unchecked(
            "this user may not read the kernel log",
            why="whether a GPU has failed since the boot is in no other place with this driver",
            cure="sudo usermod -aG adm,systemd-journal $USER, or see `sudo dmesg | grep -i xid` on the host",
            source=_SOURCE,
        )
