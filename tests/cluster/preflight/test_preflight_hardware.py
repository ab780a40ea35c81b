"""What GPUs, driver and kernel say of their health."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.preflight.check import Evidence
from cluster.preflight.hardware import CHECKS, driver, fabric, memory_errors, mig, persistence, same_model
from cluster.preflight.report import ALL
from cluster.values.facts import Hardware, Xid
from tests.cluster.builders import card, hardware, health, inventory, seen, view
from tests.cluster.preflight.findings import differing, found_on_head

ONE = inventory(1, 2)
FALLEN = Xid(bus="0000:10:00", code=79, text="GPU has fallen off the bus")


def of(*sick: dict[str, Any], **host: Any) -> dict[str, Any]:
    """Facts of a host whose GPUs are well but for this."""
    cards = tuple(health(index, **changed) for index, changed in enumerate(sick or ({}, {})))
    return {"hardware": hardware(ONE.head, **{"health": cards, **host})}


def everything(reported: Hardware) -> list[tuple[str, str, str]]:
    evidence = Evidence(seen(ONE, hardware=reported))
    return [
        (finding.name, finding.severity, finding.found) for check in CHECKS for finding in check.run(ONE, evidence)
    ]


def test_a_healthy_rack_has_nothing_to_say() -> None:
    whole = inventory(2, 8)
    assert [one for check in CHECKS for one in check.run(whole, Evidence(seen(whole)))] == []
    assert set(CHECKS) <= set(ALL)


@pytest.mark.parametrize(
    "reported",
    [
        {"nvswitch": False, "fabric_manager": False, "fabric_manager_version": ""},
        {"fabric_manager": False, "fabric_manager_version": ""},
        {"xids": None},
    ],
    ids=["no NVSwitch", "in a container", "an ordinary user who may not read the kernel log"],
)
def test_neither_has_one_that_says_less(reported: dict[str, Any]) -> None:
    assert everything(hardware(ONE.head, **reported)) == []


def test_a_gpu_without_ecc_mig_and_fabric_is_well() -> None:
    none = {"mig": None, "uncorrected": None, "rows_pending": None, "rows_failed": None, "sram_exceeded": None}
    reported = of({**none, "fabric_state": "", "fabric_status": ""}, {}, nvswitch=False)["hardware"]
    assert everything(reported) == []


def test_a_driver_that_knows_no_health_is_unchecked() -> None:
    names = [(name, severity) for name, severity, _ in everything(hardware(ONE.head, health=()))]
    assert names == [("gpu-mig", "unchecked"), ("gpu-ecc", "unchecked")]


def test_nothing_is_said_of_gpus_that_we_do_not_use() -> None:
    one = inventory(1, 1, {"gpu_ids": (1,)})
    bad = health(0, mig=True, rows_failed=True, persistent=False, fabric_state="In Progress", recovery="Reset")
    reported = hardware(one.head, health=(bad, health(1)), xids=(FALLEN,))
    evidence = Evidence(seen(one, gpus=(card(0), card(1)), hardware=reported))
    assert [finding for check in CHECKS for finding in check.run(one, evidence)] == []


def test_mig() -> None:
    assert found_on_head(mig, of({}, {"mig": True}), ONE) == [("blocking", "GPU 1: MIG mode is on")]


@pytest.mark.parametrize(
    ("sick", "severity", "words"),
    [
        ({"rows_failed": True, "rows_pending": True}, "blocking", "row remapping has failed"),
        ({"sram_exceeded": True}, "blocking", "too many uncorrectable errors in SRAM"),
        ({"pages_pending": True, "uncorrected": 1}, "blocking", "pages with errors wait to be retired"),
        ({"rows_pending": True, "uncorrected": 1}, "warning", "rows with errors wait to be remapped"),
        ({"uncorrected": 3}, "warning", "uncorrected ECC errors since the driver was loaded"),
    ],
)
def test_memory_errors(sick: dict[str, Any], severity: str, words: str) -> None:
    assert found_on_head(memory_errors, of(sick, sick), ONE) == [(severity, f"GPU 0, 1: {words}")]


def test_persistence() -> None:
    assert found_on_head(persistence, of({"persistent": False}, {}), ONE) == [
        ("warning", "GPU 0: persistence mode is off")
    ]


@pytest.mark.parametrize(
    ("sick", "host", "expected"),
    [
        ({"fabric_state": "In Progress", "fabric_status": ""}, {}, ("blocking", "GPU 0: fabric In Progress")),
        (
            {"fabric_status": "Insufficient Resources"},
            {},
            ("blocking", "GPU 0: fabric Completed Insufficient Resources"),
        ),
        (
            {"fabric_state": "Not Started", "fabric_status": ""},
            {"fabric_manager_version": "570.1"},
            ("blocking", "GPU 0: fabric Not Started, fabric manager 570.1 with driver 580.95.05"),
        ),
        (
            {},
            {"fabric_manager_version": "570.1"},
            ("warning", "NVSwitches, fabric manager 570.1 with driver 580.95.05"),
        ),
    ],
)
def test_fabric_manager(sick: dict[str, Any], host: dict[str, Any], expected: tuple[str, str]) -> None:
    assert found_on_head(fabric, of(sick, {}, **host), ONE) == [expected]


def test_switches_of_which_nobody_speaks() -> None:
    silent = {"fabric_state": "", "fabric_status": ""}
    ((severity, _),) = found_on_head(fabric, of(silent, silent, fabric_manager=False), ONE)
    assert severity == "unchecked"
    assert found_on_head(fabric, of(silent, silent), ONE) == []
    ((severity, _),) = found_on_head(fabric, of(silent, silent, fabric_manager_version="570.1"), ONE)
    assert severity == "blocking"


@pytest.mark.parametrize(("capability", "severity"), [("9.0", "warning"), ("8.0", "blocking"), ("", "blocking")])
def test_models_mixed_between_hosts(capability: str, severity: str) -> None:
    both = inventory(2, 2)
    other = tuple(card(index, host="gpu-b", name="NVIDIA H200") for index in range(2))
    reported = hardware(
        both.hosts[1], health=tuple(health(index, "gpu-b", capability=capability) for index in range(2))
    )
    evidence = Evidence({"gpu-a": view(both.head), "gpu-b": view(both.hosts[1], gpus=other, hardware=reported)})
    (finding,) = same_model(both, evidence)
    assert (finding.host, finding.severity) == ("", severity)
    assert finding.found == "gpu-a has 2x NVIDIA H100 80GB HBM3; gpu-b has 2x NVIDIA H200"


def test_models_mixed_within_the_only_host() -> None:
    (finding,) = same_model(ONE, Evidence(seen(ONE, gpus=(card(0), card(1, name="NVIDIA H100 NVL")))))
    assert (finding.host, finding.severity) == ("gpu-a", "warning")
    assert finding.found == "gpu-a has 1x NVIDIA H100 80GB HBM3 and 1x NVIDIA H100 NVL"


def test_less_memory_on_one_of_the_same_model() -> None:
    (finding,) = same_model(ONE, Evidence(seen(ONE, gpus=(card(0), card(1, memory_mib=40_960)))))
    assert (finding.severity, finding.found) == (
        "warning",
        "gpu-a has 1x NVIDIA H100 80GB HBM3 of 81559 MiB and 1x NVIDIA H100 80GB HBM3 of 40960 MiB",
    )
    assert list(same_model(ONE, Evidence(seen(ONE, gpus=(card(0), card(1, memory_mib=79_000)))))) == []


def test_drivers() -> None:
    assert differing(driver, {"driver": "580"}, {"driver": "570"}) == [("", "gpu-a has 580, gpu-b has 570")]
    assert differing(driver, {"driver": "580"}, {"driver": ""}) == []
    assert differing(driver, {}, {}) == []
