"""The network."""

from __future__ import annotations

import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.plans import UpOptions, up
from sandbox.network import tool
from tests.scenarios.faults.breakages import cut, heal, network, slow_link
from tests.scenarios.faults.case import Case
from tests.scenarios.faults.parsed_report import ParsedReport
from tests.scenarios.hosts import ROOT, wait_for

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

_SKIPPED = ("Clean removed hosts", "Stop what is outdated")
#: Those in which the run waits for the hosts: it is still in them when the host is back.
_WAITS = ("Learn the transport", "Wait until the engine is ready")
_TITLES = [phase.title for phase in up(UpOptions()) if phase.title not in (*_SKIPPED, *_WAITS)]


def test_a_worker_is_down(case: Case) -> None:
    """a worker is cut off before `up`"""
    cut(case.hosts, "node1")
    assert case.refused(4).host == "node1"
    heal(case.hosts, "node1")


@pytest.mark.parametrize("titles", [_TITLES[:2], _TITLES[2:4], _TITLES[4:]], ids=["first", "ray", "last"])
def test_a_worker_is_cut_off(case: Case, titles: list[str]) -> None:
    """Each run goes on from what the one before has left, where that has failed."""
    for title in titles:
        case.fault = f"a worker is cut off as {title!r} begins, and is back after the report"
        with case.during(title) as run:
            case.inject(lambda: cut(case.hosts, "node1"))
            report = case.until_warning(run, "node1")
            heal(case.hosts, "node1")
            code = run.finish()
        assert "node1" in report.host
        case.add_outcome("it went on and announced" if code == 0 else f"exit {code}")
        if code == 0:
            case.operator.down()  # nothing would be left to do for the next one
    case.repair()


def test_a_worker_is_cut_off_in_a_wait(case: Case) -> None:
    """The run goes on when the host is back."""
    case.hosts.behave(load_seconds=50)
    with case.during(_WAITS[0]) as run:
        for title in _WAITS:
            case.fault = f"a worker is cut off during {title!r}, and is back after the report"
            if title == _WAITS[1]:
                run.until_phase(title)
            case.inject(lambda: cut(case.hosts, "node1"))
            assert case.until_warning(run, "node1").host == "node1"
            heal(case.hosts, "node1")
        case.until_announced(run, "the run went on and announced")


def test_the_head_is_cut_off(case: Case) -> None:
    """the head is cut off for longer than its lease lives, while vLLM loads"""
    case.hosts.behave(load_seconds=60)
    with case.during("Wait until the engine is ready") as run:
        case.inject(lambda: cut(case.hosts, "node0"))
        assert case.until_warning(run, "node0").host == "node0"
        wait_for("the lease to be free", lambda: not case.hosts.pids("node0", "lease"))
        heal(case.hosts, "node0")
        case.until_announced(run, "the run took its lease again, went on and announced")


def test_the_clusters_network_of_a_worker_is_cut(case: Case) -> None:
    """the cluster's network of a worker is cut while Ray starts"""
    with case.during("Start Ray on the workers", ORCHESTRATOR_PATIENCE_GATE="12") as run:
        case.inject(lambda: cut(case.hosts, "node1", "fab0"))
        assert case.until_failure(run, 6).host == "node1"
    heal(case.hosts, "node1", "fab0")
    case.repair()


def test_the_clusters_network_of_a_worker_is_cut_while_it_serves(case: Case) -> None:
    """the cluster's network of a worker is cut while vLLM serves"""
    case.up()
    case.inject(lambda: cut(case.hosts, "node1", "fab0"))
    case.until_status(within=90)  # Ray gives a raylet that it cannot reach a minute
    heal(case.hosts, "node1", "fab0")
    wait_for("its raylet to hear that it was given up", lambda: not case.hosts.pids("node1", "raylet/raylet"))
    assert "Launch vLLM" in case.repair()


def test_a_slow_and_lossy_link(case: Case) -> None:
    """200 ms of delay and 2 % of packets lost between us and a worker"""
    with slow_link(case.hosts, "node1", delay=0.1, loss=0.02):
        begun = time.monotonic()
        case.up()
        case.add_quiet_row(f"announced after {time.monotonic() - begun:.0f} s")


def test_a_firewall(case: Case) -> None:
    """a firewall between the hosts drops what is not SSH"""
    pid = case.hosts.init("node1")
    drop = "type filter hook input priority 0; iifname fab0 tcp dport != 22 drop;"
    network(pid, "nft", f"table inet fault {{ chain input {{ {drop} }}; }}")
    assert case.refused(3).host == "node0, node1"
    network(pid, "nft", "delete table inet fault")


def test_hosts_with_ipv6_addresses_alone(case: Case) -> None:
    """the hosts have IPv6 addresses alone, and no `serve: host:` is given"""
    inventory = _with_ipv6(case)
    announced = case.up(inventory)
    assert (announced["url"], announced["proved_from"]) == ("http://[fd00:66::2]:8000", "this machine")
    case.add_quiet_row(f"announced {announced['url']}, asked from here")
    case.operator.down(inventory)

    def on_ipv4(one: dict[str, Any]) -> None:
        _change_addresses(case, one)
        one["serve"]["host"] = "0.0.0.0"

    case.fault = "the same with `serve: host: 0.0.0.0`, where nobody reaches the engine"
    case.injected_at = 0.0
    report = case.refused(6, inventory=case.edited(on_ipv4, "ipv4"))
    assert "http://[fd00:67::2]:8000: " in report.cause
    case.operator.down(inventory)


def _with_ipv6(case: Case) -> Path:
    """Gives the hosts IPv6 addresses beside their own; returns an inventory with no others."""
    keys = Path(yaml.safe_load(case.hosts.inventory.read_text())["known_hosts"])
    lines = keys.read_text().splitlines()
    for number, host in enumerate(case.host_names, 2):
        for network_number, device in ((66, "eth0"), (67, "fab0")):
            address = f"fd00:{network_number}::{number}/64"
            network(case.hosts.init(host), "ip", "addr", "add", address, "dev", device, "nodad")
        known = case.hosts.address(host)
        lines += [f"fd00:66::{number} {line.partition(' ')[2]}" for line in lines if line.startswith(f"{known},")]
    own = case.operator.state.parent / "known_hosts"
    own.write_text("\n".join(lines) + "\n")
    link = f"sandbox{case.hosts.address('node0').split('.')[2]}"
    subprocess.run([tool("ip"), "addr", "add", "fd00:66::1/64", "dev", link, "nodad"], check=True)
    return case.edited(partial(_change_addresses, case), "ipv6")


def _change_addresses(case: Case, one: dict[str, Any]) -> None:
    one["known_hosts"] = str(case.operator.state.parent / "known_hosts")
    for number, host in enumerate(one["hosts"], 2):
        host |= {"address": f"fd00:66::{number}", "cluster_address": f"fd00:67::{number}"}


def test_ports_that_others_reach(case: Case) -> None:
    """the ports of ranks, torch and Ray are reached from the operator's machine"""
    accepted = {"check": "open-endpoint", "reason": "a trial"}
    inventory = case.edited(lambda one: one.update(preflight={"accept": [accepted]}), "open")
    case.injected_at = time.time()
    done = case.operator.run("up", inventory, "--output", "json")
    assert done.returncode == 0, done.stderr
    found = case.operator.events(done, "found")
    assert {(one["finding"]["name"], one["finding"]["severity"]) for one in found} == {("open-ports", "warning")}
    first = found[0]["finding"]
    assert "reaches the ports of ranks, torch and Ray at 10.66." in first["found"]
    assert "which is not the cluster's address" in first["found"]
    case.add_row(ParsedReport(first["host"], first["found"], first["cure"]), None, "told by `up`; announced")

    case.fault = "the same behind the rules of the runbook"
    addresses = [case.hosts.cluster_address(host) for host in case.host_names]
    for host in case.host_names:
        network(case.hosts.init(host), "nft", _rules(addresses))
    done = case.operator.run("up", inventory, "--output", "json")
    assert done.returncode == 0, done.stderr
    assert case.operator.events(done, "found") == []
    case.add_quiet_row("nothing is told; announced")


def _rules(addresses: list[str]) -> str:
    """Returns the rules of the runbook for these hosts."""
    text = (ROOT / "docs/runbook.md").read_text()
    rules = text.partition("```nft\n")[2].partition("```")[0]
    return rules.replace("192.168.10.11, 192.168.10.12", ", ".join(addresses)).replace("ib0", "fab0")
