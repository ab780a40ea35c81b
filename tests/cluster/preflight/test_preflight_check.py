"""All findings of all hosts at once."""

from __future__ import annotations

from cluster.errors import Unreachable
from cluster.inventory import Inventory
from cluster.preflight.check import Evidence
from cluster.preflight.report import report
from cluster.values import Finding
from cluster.views import HostView, Observed
from tests.cluster.builders import facts, inventory, machine, seen, view


def findings(one: Inventory, seen: Observed) -> tuple[Finding, ...]:
    return report(one, Evidence(seen)).findings


def test_healthy_hosts_have_no_findings() -> None:
    for one in (inventory(), inventory(1), inventory(gpus=2, each={"gpu_ids": (0, 5)})):
        assert findings(one, seen(one)) == ()


def test_findings_of_all_hosts_come_together() -> None:
    one = inventory(hosts=3)
    results = findings(
        one,
        {
            "gpu-a": HostView(
                "gpu-a", problem=Unreachable("gpu-a", "connect", cause="no route", cure="see the cable")
            ),
            "gpu-b": view(one.host("gpu-b"), gpus=facts(one.host("gpu-b")).gpus[:7], nofile=1024),
            "gpu-c": view(one.host("gpu-c"), python="3.13.0"),
        },
    )
    assert [(finding.name, finding.host, finding.severity) for finding in results] == [
        ("reachable", "gpu-a", "blocking"),
        ("gpu-number", "gpu-b", "blocking"),
        ("versions-equal", "", "blocking"),
        ("open-files", "gpu-b", "warning"),
    ]
    assert (results[0].found, results[0].cure) == ("connect: no route", "see the cable")


def test_every_finding_says_why() -> None:
    one = inventory()
    sick = {
        "gpu_problem": "gone",
        "gpus": (),
        "python_is_venvs": False,
        "addresses": {},
        "free_mib": 1,
        "nofile": 1,
    }
    results = findings(one, seen(one, **sick, machine=machine(ended_at_logout=True), memlock=1))
    assert len({finding.name for finding in results}) == 8
    assert all(finding.why and finding.cure and finding.found and finding.wanted for finding in results)
