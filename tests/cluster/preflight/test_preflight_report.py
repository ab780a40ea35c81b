"""What counts of what the checks find: skipped, accepted, tried or not."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from cluster.errors import Unreachable
from cluster.inventory import Inventory
from cluster.preflight.check import Evidence
from cluster.preflight.report import ALL, report
from cluster.values import CHECKS, AllReduceResult, CheckReport
from cluster.views import HostView
from tests.cluster.builders import inventory, seen


def looked(one: Inventory, skip: tuple[str, ...] = (), **overrides: Any) -> CheckReport:
    return report(one, Evidence(seen(one, **overrides)), skip)


def keyed(*accepted: dict[str, Any]) -> Inventory:
    """An inventory in which nothing else is excused."""
    return inventory(serve={"api_key": SecretStr("hush")}, preflight={"accept": accepted})


def accepting(*hosts: str) -> Inventory:
    return keyed({"check": "open-files", "reason": "it serves", "hosts": hosts})


def test_every_check_of_the_catalogue_has_a_name_that_is_known() -> None:
    assert {check.name for check in ALL} <= set(CHECKS)


def test_an_accepted_finding_is_kept_with_its_reason() -> None:
    result = looked(accepting(), nofile=1024)
    assert result.findings == ()
    assert [one.finding.host for one in result.excused] == ["gpu-a", "gpu-b"]
    assert {one.reason for one in result.excused} == {"it serves"}
    assert "open-files" not in result.passed


def test_it_is_accepted_on_the_hosts_named_alone() -> None:
    result = looked(accepting("gpu-b"), nofile=1024)
    assert [finding.host for finding in result.findings] == ["gpu-a"]
    assert [one.finding.host for one in result.excused] == ["gpu-b"]


def test_a_skipped_check_forbids_nothing_and_is_told() -> None:
    result = looked(keyed(), ("venv",), python_is_venvs=False)
    assert result.blocking == ()
    assert {(one.finding.name, one.reason) for one in result.excused} == {("venv", "skipped in this run")}
    assert result.skipped == ("venv",)
    assert "venv" not in result.passed


def test_what_nobody_has_tried_has_not_passed() -> None:
    one = inventory()
    assert "fabric" in looked(one).untried
    reduced = report(one, Evidence(seen(one), fabric=AllReduceResult(16, "gloo", 1.0)))
    assert "fabric" in reduced.passed
    assert "fabric" not in reduced.untried


def test_nothing_has_passed_where_no_host_could_be_looked_at() -> None:
    one = inventory()
    lost = {spec.name: HostView(spec.name, problem=Unreachable(spec.name, "connect")) for spec in one.hosts}
    result = report(one, Evidence(lost))
    assert [finding.name for finding in result.findings] == ["reachable", "reachable"]
    assert set(result.passed) == set()
