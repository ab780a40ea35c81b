"""What the driver has logged of its GPUs, and what it asks for."""

from __future__ import annotations

import pytest

from cluster.preflight.hardware import logged, unread
from cluster.values.facts import Xid
from tests.cluster.preflight.findings import found_on_head
from tests.cluster.preflight.test_preflight_hardware import FALLEN, ONE, of


def test_a_gpu_that_fell_off_the_bus_waits_for_a_reboot_whatever_the_driver_says() -> None:
    assert found_on_head(logged, of(xids=(FALLEN,)), ONE) == [
        ("blocking", "GPU 0: Xid 79 (GPU has fallen off the bus)")
    ]


def test_an_error_on_a_gpu_that_nvidia_smi_no_longer_shows() -> None:
    gone = FALLEN.model_copy(update={"bus": "0000:99:00"})
    assert found_on_head(logged, of(xids=(gone,)), ONE)[0][1].startswith("the GPU at 0000:99:00: Xid 79")


@pytest.mark.parametrize(
    ("code", "text", "recovery", "severity"),
    [
        (48, "DBE", "", "blocking"),
        (48, "DBE", "None", "warning"),
        (119, "Timeout after 45s", "", "blocking"),
        (119, "Timeout after 45s", "GPU Reset", "blocking"),
        (74, "NVLink: fatal error detected", "None", "warning"),
        (94, "Contained: CE User Channel", "", "warning"),
        (154, "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)", "", "blocking"),
        (154, "GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)", "", ""),
        (13, "Graphics Exception", "", ""),
        (31, "MMU Fault", "", ""),
        (43, "pid=1, name=python, Ch 00000008", "", ""),
        (45, "pid=12542, name=VLLM::Worker, channel 0x00000002", "", ""),
        (63, "Row Remapper: New row marked for remapping, reset gpu to activate.", "", ""),
    ],
)
def test_what_was_logged(code: int, text: str, recovery: str, severity: str) -> None:
    one = Xid(bus="0000:11:00", code=code, text=text)
    findings = found_on_head(logged, of({}, {"recovery": recovery}, xids=(one,)), ONE)
    assert [grade for grade, _ in findings] == [severity] * bool(severity)


def test_what_the_driver_asks_for_and_what_was_logged_is_one_finding_of_a_gpu() -> None:
    reset = of({"recovery": "Node Reboot"}, {}, xids=(FALLEN,))
    assert found_on_head(logged, reset, ONE) == [
        ("blocking", "GPU 0: Xid 79 (GPU has fallen off the bus), the driver asks for: Node Reboot")
    ]


def test_a_kernel_log_that_nobody_may_read_matters_with_an_old_driver() -> None:
    old = of({"recovery": ""}, {"recovery": ""}, xids=None)
    assert [grade for grade, _ in found_on_head(unread, old, ONE)] == ["unchecked"]
    assert found_on_head(unread, of(xids=None), ONE) == []
    assert found_on_head(unread, {**old, "gpus": ()}, ONE) == []
