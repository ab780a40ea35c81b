"""What the driver has logged of its GPUs since the boot, and what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from cluster.engine import gpu
from cluster.inventory import HostSpec, Inventory
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
    """One finding for each GPU, the gravest of what is known of it."""
    found = sorted(_weighed(spec, facts))
    for where, group in groupby(found, key=lambda one: one[0]):
        items = list(group)
        grave = any(blocking for _, blocking, _ in items)
        yield Finding(
            "gpu-xid", spec.name, "blocking" if grave else "warning",
            f"{where}: {', '.join(words for _, _, words in items)}", "no such errors since the boot",
            why="a GPU in this state fails at load or in the middle of serving",
            cure="reboot this host if it says 79 or Reboot; otherwise end what uses the GPU and reset it: "
            "sudo nvidia-smi -r",
            source=_SOURCE,
        )  # fmt: skip


def _weighed(spec: HostSpec, facts: Facts) -> Iterator[tuple[str, bool, str]]:
    """Where, whether it is blocking, and in words."""
    health = {one.uuid: one for one in facts.hardware.health}
    mine = {one.uuid: f"GPU {one.index}" for one in gpu.selected(spec, facts)}
    for uuid, where in mine.items():
        if uuid in health and health[uuid].recovery not in ("", "None"):
            yield where, True, f"the driver asks for: {health[uuid].recovery}"
    for one in facts.hardware.xids or ():
        on = next((card for card in facts.hardware.health if card.bus == one.bus), None)
        if (on is None or on.uuid in mine) and _counts(one):
            where = mine[on.uuid] if on else f"the GPU at {one.bus}"
            yield where, _grave(one, on), f"Xid {one.code} ({one.text[:80]})"


def _counts(one: Xid) -> bool:
    return one.code not in _PASSED and not (one.code == _RECOVERY and one.text.endswith("(None)"))


def _grave(one: Xid, on: GpuHealth | None) -> bool:
    if one.code in _REBOOT:
        return True
    return one.code in {*_RESET, _RECOVERY} and (on is None or on.recovery != "None")


def unread(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Many hosts show an ordinary user no kernel log; a recent driver says itself whether a GPU is well."""
    asked = [facts.hardware.of(one.uuid) for one in gpu.selected(spec, facts)]
    if asked and facts.hardware.xids is None and not all(one and one.recovery for one in asked):
        yield Finding(
            "gpu-xid", spec.name, "unchecked", "this user may not read the kernel log",
            why="whether a GPU has failed since the boot is in no other place with this driver",
            cure="sudo usermod -aG adm,systemd-journal $USER, or see `sudo dmesg | grep -i xid` on the host",
            source=_SOURCE,
        )  # fmt: skip
