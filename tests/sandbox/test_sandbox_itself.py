"""The sandbox, without Ray and without the orchestrator."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.timing import LIMIT, eventually

from .own_sandbox import ROOT, Up, exists, links, sandbox, up

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the sandbox needs root")


@pytest.fixture(scope="module")
def two() -> Iterator[Up]:
    made = up(f"itself-{os.getpid()}", "--hosts", "2", "--gpus", "2")
    yield made
    assert sandbox("down", "--name", made.name).returncode == 0


@pytest.fixture
def doomed() -> Iterator[Up]:
    made = up(f"doomed-{os.getpid()}", "--hosts", "2", "--gpus", "1")
    yield made
    sandbox("down", "--name", made.name)


@pytest.mark.parametrize("port", [22, 2222])
@pytest.mark.parametrize("host", [0, 1])
def test_ssh_answers_to_whoever_knows_the_host_key(two: Up, host: int, port: int) -> None:
    done = two.ssh(host, port, "hostname")
    assert (done.returncode, done.stdout) == (0, f"node{host}\n"), done.stderr


def test_another_host_key_is_refused(two: Up, tmp_path: Path) -> None:
    known = (two.folder / "known_hosts").read_text().splitlines()
    address, key = known[0].split()[0], known[-1].split(maxsplit=1)[1]
    (tmp_path / "known_hosts").write_text(f"{address} {key}\n")
    argv = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    argv += ["-o", f"UserKnownHostsFile={tmp_path}/known_hosts", f"root@{two.hosts()[0]['address']}", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert "Host key verification failed" in done.stderr


def test_the_inventory_is_complete_yaml(two: Up) -> None:
    inventory = yaml.safe_load(two.inventory.read_text())
    assert [host["role"] for host in inventory["hosts"]] == ["head", "worker"]
    assert inventory["serve"]["tensor_parallel_size"] == 4
    assert (two.inventory.parent / inventory["known_hosts"]).exists()
    assert Path(inventory["defaults"]["identity_file"]).exists()


def test_hosts_share_neither_processes_nor_files(two: Up) -> None:
    two.said("node0", "sh", "-c", "echo mine >/tmp/mine; echo mine >/etc/mine; rm /models/*/config.json")
    assert two.on("node1", "cat", "/tmp/mine", "/etc/mine").returncode != 0
    assert two.said("node1", "sh", "-c", "ls /models/*/config.json")
    assert not Path("/etc/mine").exists()
    pids = two.said("node0", "ps", "-eo", "pid=").split()
    assert "1" in pids
    assert str(two.supervisor()) not in pids


def test_a_host_sees_both_networks_and_this_machine_only_one(two: Up) -> None:
    first, second = two.hosts()
    assert first["cluster_address"] in two.said("node0", "ip", "-4", "addr", "show", "fab0")
    answer = "exec 3<>/dev/tcp/{}/22; head -c4 <&3"
    for address in (second["address"], second["cluster_address"]):
        assert two.said("node0", "bash", "-c", answer.format(address)) == "SSH-"
    argv = ["ip", "route", "get", second["cluster_address"]]
    assert "sandbox" not in subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def test_home_is_clean(two: Up) -> None:
    home = Path("~root").expanduser()
    pythons = (Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve())
    needed = {path.relative_to(home).parts[0] for path in pythons if path.is_relative_to(home)}
    assert set(two.said("node0", "ls", "-A", str(home)).split()) == {".ssh", *needed}


def test_an_orphan_is_reaped(two: Up) -> None:
    two.said("node0", "sh", "-c", "setsid -f sh -c 'sleep 0.05 & exec sleep 0.02'")
    eventually(lambda: "sleep" not in two.said("node0", "ps", "-eo", "comm="))


def test_exec_passes_status_and_streams(two: Up) -> None:
    done = two.on("node1", "sh", "-c", "cat; echo err >&2; exit 7", stdin="in")
    assert (done.returncode, done.stdout, done.stderr) == (7, "in", "err\n")


def test_nvidia_smi_follows_who_holds_a_gpu(two: Up) -> None:
    used = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    apps = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader"]
    assert two.said("node1", *used).split() == ["0", "0"]
    argv = [sys.executable, "-m", "sandbox", "exec", "--name", two.name, "node1", "--", "hold-gpu", "1"]
    holder = subprocess.Popen(argv, cwd=ROOT)
    try:
        eventually(lambda: two.said("node1", *used).split() == ["0", "61000"])
        pid, memory = two.said("node1", *apps).strip().split(", ")
        assert memory == "61000 MiB"
    finally:
        two.said("node1", "kill", pid)
        holder.wait(LIMIT)
    assert two.said("node1", *used).split() == ["0", "0"]


def test_a_gpu_can_be_taken_out_and_filled(two: Up) -> None:
    state = json.loads(two.said("node0", "cat", "/etc/sandbox/gpus.json"))
    state["gpus"] = [{**state["gpus"][1], "used_mib": 4096}]
    two.on("node0", "tee", "/etc/sandbox/gpus.json", stdin=json.dumps(state))
    query = ["nvidia-smi", "--query-gpu=index,memory.total,memory.used", "--format=csv"]
    assert two.said("node0", *query).splitlines() == [
        "index, memory.total [MiB], memory.used [MiB]",
        "1, 81559 MiB, 4096 MiB",
    ]
    assert two.on("node0", "nvidia-smi", "-i", "0", "--query-gpu=name", "--format=csv").returncode == 6


def test_nvidia_smi_refuses_an_unknown_field(two: Up) -> None:
    done = two.on("node1", "nvidia-smi", "--query-gpu=colour", "--format=csv")
    assert (done.returncode, done.stdout.strip()) == (2, 'Field "colour" is not a valid field to query.')


def test_nothing_outlives_a_killed_supervisor(doomed: Up) -> None:
    pids = [host["pid"] for host in doomed.hosts()]
    link = doomed.state("hosts.json")["link"]
    mounts = Path("/proc/self/mounts").read_text()
    os.kill(doomed.supervisor(), signal.SIGKILL)
    eventually(lambda: not any(exists(pid) for pid in pids))
    eventually(lambda: link not in links())
    eventually(lambda: not doomed.folder.exists())
    assert str(doomed.folder) not in mounts
    assert Path("/proc/self/mounts").read_text() == mounts


def test_pulling_a_plug_ends_one_host_alone(doomed: Up) -> None:
    second = doomed.hosts()[1]
    os.kill(second["pid"], signal.SIGKILL)
    eventually(lambda: not exists(second["pid"]))
    assert doomed.said("node0", "hostname") == "node0\n"
    assert "no longer running" in doomed.on("node1", "true").stderr


def test_a_sandbox_ends_with_its_owner() -> None:
    owner = subprocess.Popen(["sleep", "60"])
    made = up(f"owned-{os.getpid()}", "--hosts", "1", "--gpus", "1", owner=owner.pid)
    owner.kill()
    owner.wait(LIMIT)
    eventually(lambda: not made.folder.exists())


def test_two_sandboxes_stand_side_by_side(two: Up, doomed: Up) -> None:
    assert two.hosts()[0]["address"] != doomed.hosts()[0]["address"]
    assert sandbox("down", "--name", doomed.name).returncode == 0
    assert two.ssh(1, 22, "hostname").stdout == "node1\n"


def test_down_leaves_nothing_and_may_be_repeated(doomed: Up) -> None:
    pids = [doomed.supervisor(), *(host["pid"] for host in doomed.hosts())]
    assert sandbox("down", "--name", doomed.name).returncode == 0
    assert not any(exists(pid) for pid in pids)
    assert not doomed.folder.exists()
    assert sandbox("down", "--name", doomed.name).returncode == 0


def test_sixteen_hosts_come_up() -> None:
    made = up(f"sixteen-{os.getpid()}", "--hosts", "16", "--gpus", "1")
    try:
        assert [made.ssh(i, 22, "hostname").stdout for i in (0, 15)] == ["node0\n", "node15\n"]
    finally:
        sandbox("down", "--name", made.name)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["exec", "--name", "nobody", "node0", "--", "true"], "sandbox nobody is not up"),
        (["up", "--name", "a/b"], "a name has lower-case letters"),
        (["up", "--hosts", "0"], "a number from 1 to 100"),
        (["up", "--owner", "999999999"], "no such process"),
    ],
)
def test_mistakes_are_told_without_a_traceback(words: list[str], text: str) -> None:
    done = sandbox(*words)
    assert done.returncode != 0
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_in_use_is_refused(two: Up) -> None:
    assert "already up" in sandbox("up", "--name", two.name).stderr


def test_a_host_that_is_not_there_is_named(two: Up) -> None:
    assert "there are node0, node1" in two.on("node7", "true").stderr
