"""What `check` says of a network that somebody broke, and that it says nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario


@pytest.fixture
def untouched(untouched: Hosts) -> Hosts:
    """Nothing here is about the model: seconds less for each look."""
    return untouched.without_trial()


Found = dict[tuple[str, str], dict[str, Any]]

#: As the first packet of a connection.
_OPENS = "tcp flags & (syn | ack) == syn"
_CHAIN = "table inet scenario {{ chain input {{ type filter hook input priority 0; {rule}; }}; }}"
_LISTEN = "import socket, signal; one = socket.create_server(('', 6379)); signal.pause()"


@dataclass(frozen=True)
class Checker:
    hosts: Hosts
    operator: Operator

    def found(self, inventory: Path | None = None, status: int = 3) -> Found:
        """By check and host; `status` is how the command must end."""
        done = self.operator.run("check", inventory or self.hosts.inventory, "--output", "json")
        assert done.returncode == status, done.stdout + done.stderr
        findings = json.loads(done.stdout)["findings"]
        by_name = {(one["name"], one["host"]): one for one in findings}
        assert len(by_name) == len(findings), findings
        return by_name

    def one(self, name: str, host: str, status: int = 3, inventory: Path | None = None) -> str:
        """What the one finding that there is says was found."""
        found = self.found(inventory, status)
        assert set(found) == {(name, host)}, found
        return str(found[name, host]["found"])


@pytest.fixture
def check(untouched: Hosts, operator: Operator) -> Checker:
    return Checker(untouched, operator)


@contextmanager
def changed(hosts: Hosts, host: str, do: str, undo: str) -> Iterator[None]:
    hosts.run(host, "sh", "-c", do)
    try:
        yield
    finally:
        hosts.run(host, "sh", "-c", undo)


@contextmanager
def firewall(hosts: Hosts, host: str, rule: str) -> Iterator[None]:
    """`rule` of nftables on all that comes in."""
    with changed(hosts, host, f"nft '{_CHAIN.format(rule=rule)}'", "nft delete table inet scenario"):
        yield


@contextmanager
def first_line(hosts: Hosts, host: str, path: str, line: str) -> Iterator[None]:
    do = f"cp -p {path} {path}.before && (echo '{line}'; cat {path}.before) > {path}"
    with changed(hosts, host, do, f"mv {path}.before {path}"):
        yield


def test_nothing_is_found_where_nothing_is_wrong(check: Checker) -> None:
    assert check.found(status=0) == {}


@pytest.mark.parametrize("how", ["with tcp reset", "with icmp port-unreachable"])
def test_a_port_of_rays_that_a_firewall_rejects(check: Checker, how: str) -> None:
    with firewall(check.hosts, "node1", f"iifname fab0 tcp dport 6380 reject {how}"):
        said = check.one("reach", "node0")
    assert said == f"no connection to node1 ({check.hosts.cluster_address('node1')}), port 6380: refused"


def test_connections_that_are_dropped_in_one_direction(check: Checker) -> None:
    node0 = check.hosts.cluster_address("node0")
    with firewall(check.hosts, "node1", f"ip saddr {node0} {_OPENS} drop"):
        said = check.one("reach", "node0")
    assert ", port 6380, 6381, 10002, 19999, " in said
    assert said.endswith(": timed out")


def test_high_ports_that_are_shut(check: Checker) -> None:
    with firewall(check.hosts, "node0", f"iifname fab0 tcp dport 10000-65535 {_OPENS} drop"):
        said = check.one("reach", "node1")
    assert ", port 10002, 19999, " in said


def test_large_packets_that_are_lost(check: Checker) -> None:
    with firewall(check.hosts, "node1", "iifname fab0 meta length > 1000 drop"):
        said = check.one("reach", "node0")
    assert said.endswith("lost what was sent")


def test_a_cluster_address_that_nobody_holds(check: Checker) -> None:
    address = check.hosts.cluster_address("node1")
    do, undo = (f"ip addr {verb} {address}/24 dev fab0" for verb in ("del", "add"))
    with changed(check.hosts, "node1", do, undo):
        check.one("cluster-address", "node1")


def test_a_cluster_address_of_another_host(check: Checker, tmp_path: Path) -> None:
    def mistype(document: dict[str, Any]) -> None:
        document["hosts"][1]["cluster_address"] = "10.67.255.250"

    check.one("cluster-address", "node1", inventory=check.hosts.edited(tmp_path / "i.yaml", mistype))


def test_mtus_that_differ(check: Checker) -> None:
    with changed(check.hosts, "node1", "ip link set fab0 mtu 1400", "ip link set fab0 mtu 1500"):
        assert check.one("mtu", "", status=0) == "node0 has 1500 (fab0), node1 has 1400 (fab0)"


def test_a_way_there_by_another_interface_than_back(check: Checker) -> None:
    route = f"{check.hosts.cluster_address('node0')}/32 dev eth0"
    with changed(check.hosts, "node1", f"ip route add {route}", f"ip route del {route}"):
        said = check.one("routes", "node1", status=0)
    assert f"uses eth0 as {check.hosts.address('node1')}" in said


def test_no_way_there(check: Checker) -> None:
    route = f"unreachable {check.hosts.cluster_address('node0')}/32"
    with changed(check.hosts, "node1", f"ip route add {route}", f"ip route del {route}"):
        said = check.found()
    # An answer to what comes from there has no way either.
    assert ("routes", "node1") in said
    assert set(said) <= {("routes", "node1"), ("reach", "node0")}


@pytest.mark.parametrize("address", ["127.0.1.1", "192.0.2.1"])
def test_a_hostname_that_leads_nowhere(check: Checker, address: str) -> None:
    names = f"cp -p /etc/hosts /etc/hosts.before && echo '{address} node1' > /etc/hosts"
    with changed(check.hosts, "node1", names, "mv /etc/hosts.before /etc/hosts"):
        said = check.one("hostname", "node1", status=0)
    assert said.startswith(f"node1 resolves to {address}")


def test_a_proxy_in_every_session(check: Checker) -> None:
    with first_line(check.hosts, "node1", "/etc/environment", "https_proxy=http://me:hunter2@10.1.2.3:3128"):
        found = check.found(status=0)
    assert set(found) == {("proxies", "node1")}
    assert found["proxies", "node1"]["found"].startswith("https_proxy set")
    assert "hunter2" not in json.dumps(list(found.values()))


@pytest.mark.parametrize(
    ("more", "status"),
    [({}, 0), ({"RAY_grpc_enable_http_proxy": "1"}, 3), ({"no_proxy": "localhost,10.64.0.0/10"}, None)],
)
def test_a_proxy_in_the_inventory(
    check: Checker, tmp_path: Path, more: dict[str, str], status: int | None
) -> None:
    def proxied(document: dict[str, Any]) -> None:
        document["environment"].update({"http_proxy": "http://10.1.2.3:3128", **more})

    inventory = check.hosts.edited(tmp_path / "i.yaml", proxied)
    found = check.found(inventory, status=status or 0)
    assert set(found) == (set() if status is None else {("proxies", "node0"), ("proxies", "node1")})


def test_an_interface_for_gloo_in_the_words_of_nccl(check: Checker, tmp_path: Path) -> None:
    def write(document: dict[str, Any]) -> None:
        document["hosts"][0]["environment"] = {"GLOO_SOCKET_IFNAME": "^lo"}

    said = check.one("cluster-address", "node0", inventory=check.hosts.edited(tmp_path / "i.yaml", write))
    assert said == "GLOO_SOCKET_IFNAME=^lo"


def test_a_port_that_somebody_has(check: Checker) -> None:
    hosts = check.hosts
    hosts.run(
        "node0", "sh", "-c", 'setsid -f "$@" >/dev/null 2>&1 </dev/null', "sh", sys.executable, "-c", _LISTEN
    )
    wait_for("the listener", lambda: hosts.run("node0", "ss", "-Hltn", "sport = :6379"))
    (pid,) = hosts.pids("node0", "signal.pause")
    try:
        said = check.one("port-free", "node0")
    finally:
        hosts.kill("node0", pid)
    assert said.startswith(f"port 6379 is in use by pid {pid} ")
    assert "(of root, for " in said


def test_nobody_is_left_listening_where_check_is_killed(check: Checker) -> None:
    """While its tries wait for an answer that does not come."""
    with firewall(check.hosts, "node1", f"iifname fab0 {_OPENS} drop"):
        started = check.operator.start("check", check.hosts.inventory, "--output", "json")
        wait_for("listeners", lambda: all(check.hosts.pids(host, " port_listener") for host in ("node0", "node1")))
        started.kill()
        started.communicate()
        for host in ("node0", "node1"):
            wait_for(f"{host} to be idle", lambda host=host: not check.hosts.processes(host))  # type: ignore[misc]
