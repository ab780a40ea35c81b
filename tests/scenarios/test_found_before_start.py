"""What preflight finds: all of it at once, on all hosts, with nothing started and nothing of others ended."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.gpu_lab import models
from tests.scenarios.conftest import HOSTS
from tests.scenarios.hosts import Hosts, wait_for
from tests.scenarios.operator import Operator

pytestmark = pytest.mark.scenario

_LISTEN = "import socket, signal; one = socket.create_server(('', 8000)); signal.pause()"


@contextmanager
def somebody_elses(hosts: Hosts, host: str, word: str, *argv: str) -> Iterator[None]:
    """A process that is none of ours, known by `word`; it must have survived."""
    hosts.run(host, "sh", "-c", 'exec setsid -f "$@" >/dev/null 2>&1 </dev/null', "sh", *argv)
    wait_for(f"{word} on {host}", lambda: hosts.pids(host, word))
    (pid,) = hosts.pids(host, word)
    try:
        yield
        assert hosts.pids(host, word) == [pid]
    finally:
        hosts.kill(host, pid)


@contextmanager
def another_ray(hosts: Hosts, host: str) -> Iterator[None]:
    """The version is read from the name of the metadata folder."""
    packages = Path(sysconfig.get_path("purelib"))
    (mine,) = packages.glob("ray-*.dist-info")
    other = packages / "ray-2.59.9.dist-info"
    hosts.run(host, "mv", str(mine), str(other))
    try:
        yield
    finally:
        hosts.run(host, "mv", str(other), str(mine))


def test_all_that_is_wrong_on_all_hosts_at_once(untouched: Hosts, operator: Operator) -> None:
    with (
        somebody_elses(untouched, "node1", "sleep infinity", "hold-gpu", "1"),
        somebody_elses(untouched, "node0", "socket", sys.executable, "-c", _LISTEN),
        another_ray(untouched, "node1"),
    ):
        done = operator.run("up", untouched.inventory, "--output", "json")
    assert done.returncode == 3, done.stderr
    found = {
        (one["name"], one["host"]): one["found"]
        for one in json.loads(done.stdout)["findings"]
        if one["severity"] == "blocking"
    }
    assert {("gpu-idle", "node1"), ("port-free", "node0")} <= found.keys()
    assert "sleep" in found["gpu-idle", "node1"]
    assert "port 8000 is in use by pid" in found["port-free", "node0"]
    assert "2.59.9" in " ".join(found.values())
    assert len(found) == 3, found


@pytest.fixture
def large(untouched: Hosts, tmp_path: Path) -> Iterator[Path]:
    """An inventory of a model with the shape of the whole 424B."""
    models.write_model(tmp_path, models.MODELS["vl424b"])
    config = (tmp_path / "config.json").read_text()
    weights = "truncate -s 848G /srv/large/model.safetensors"
    writes = f'mkdir /srv/large && printf %s "$1" > /srv/large/config.json && {weights}'
    for host in HOSTS:
        untouched.run(host, "sh", "-c", writes, "sh", config)
    yield untouched.edited(tmp_path / "large.yaml", lambda one: one["model"].update(id="/srv/large"))
    for host in HOSTS:
        untouched.run(host, "rm", "-r", "/srv/large")


def test_a_model_without_room_is_refused_before_it_is_loaded(
    untouched: Hosts, operator: Operator, large: Path
) -> None:
    done = operator.run("up", large, "--output", "json")
    assert done.returncode == 3, done.stderr
    (found,) = [one for one in json.loads(done.stdout)["findings"] if one["severity"] == "blocking"]
    assert found["name"] == "model-fits"
    assert "GiB are missing on a GPU" in found["found"]
    assert "orchestrator plan" in found["cure"]
    untouched.assert_clean(*HOSTS)
