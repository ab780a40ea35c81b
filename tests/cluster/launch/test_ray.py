"""Ray's command lines, the data and answers of its GPU check, and why a Ray exited."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.command import json_lines
from cluster.inventory import HostSpec, Inventory
from cluster.launch import ray
from tests.cluster.builders import STATE, facts, inventory
from tests.cluster.launch.test_unit import sent
from tests.cluster.recorded import recorded

WORDS = (
    "--node-manager-port=6380",
    "--object-manager-port=6381",
    "--min-worker-port=10002",
    "--max-worker-port=19999",
    "--num-cpus=4",
    "--object-store-memory=268435456",
    f"--temp-dir={STATE}/ray",
    "--disable-usage-stats",
    "--block",
)


def argv(inventory: Inventory, spec: HostSpec) -> tuple[str, ...]:
    return ray.unit(inventory, spec, facts(spec)).argv


def test_the_head_listens() -> None:
    one = inventory()
    assert argv(one, one.head) == (
        "/opt/vllm/bin/ray", "start", "--head", "--port=6379", "--include-dashboard=false",
        "--node-ip-address=192.168.0.1", *WORDS,
    )  # fmt: skip


def test_a_worker_joins_it() -> None:
    one = inventory()
    assert argv(one, one.workers[0]) == (
        "/opt/vllm/bin/ray", "start", "--address=192.168.0.1:6379", "--node-ip-address=192.168.0.2", *WORDS,
    )  # fmt: skip


def test_gpus_are_declared_only_where_ray_cannot_count() -> None:
    one = inventory(gpus=4, ray={"declare_gpus": True})
    assert argv(one, one.head)[-1] == "--num-gpus=4"


def test_the_unit_is_made_of_what_was_seen() -> None:
    one = inventory(each={"environment": (("HF_TOKEN", "hush"), ("A", "1"))})
    unit = ray.unit(one, one.head, facts(one.head))
    assert (unit.cluster, unit.host, unit.name, unit.state) == ("demo", "gpu-a", "ray", STATE)
    assert ("HF_TOKEN", "hush") in unit.secrets
    assert ("HF_TOKEN", "hush") not in unit.env
    assert ("A", "1") in unit.env
    assert ("ray", "2.60.0") in unit.versions


def test_the_token_travels_on_stdin() -> None:
    command = ray.token(STATE, "/opt/vllm", "hush").command
    assert command.secret
    assert sent(command) == {"path": f"{STATE}/ray.token", "token": "hush"}
    assert "hush" not in command.line()
    assert [hint.cause for hint in command.hints if hint.fits("ray.token: No space left on device")]


def test_the_check_of_gpus_is_given_whom_to_expect() -> None:
    command = ray.verify_gpus(inventory(), STATE, 90)
    assert sent(command) == {
        "address": "192.168.0.1:6379",
        "authentication": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": f"{STATE}/ray.token"},
        "hosts": [{"address": "192.168.0.1", "gpus": 8}, {"address": "192.168.0.2", "gpus": 8}],
        "patience": 90,
    }
    assert command.timeout > 90
    assert [hint.cause for hint in command.hints if hint.fits("ModuleNotFoundError: No module named 'ray'")]


def test_messages_among_greetings() -> None:
    said = 'Welcome\n{"joined": {}}\n{ not JSON\n[1]\n{"proved": []}\n'
    assert list(json_lines(said)) == [{"joined": {}}, {"proved": []}]


@settings(max_examples=30)
@given(st.text() | st.text('{}[]",:1a\n'))
def test_arbitrary_lines_are_dropped(said: str) -> None:
    assert all(isinstance(one, dict) for one in json_lines(said))


def test_what_was_touched() -> None:
    line = {"proved": [{"uuid": "GPU-1", "memory_mib": 81559, "cuda": "ok"}]}
    assert ray.gpu_answers(json.loads(json.dumps(line))) == (ray.GpuAnswer("GPU-1", 81559, "ok"),)


@pytest.mark.parametrize(
    ("joined", "said"),
    [
        ({"192.168.0.1": 8, "192.168.0.2": 8}, ""),
        ({"192.168.0.1": 8}, "gpu-b (192.168.0.2) has not joined"),
        ({"192.168.0.1": 8, "192.168.0.2": 7}, "gpu-b has 7 of 8 GPUs in Ray"),
        ({}, "gpu-a (192.168.0.1) has not joined; gpu-b (192.168.0.2) has not joined"),
        ({"192.168.0.1": 8, "192.168.0.2": 8, "9.9.9.9": 1}, "9.9.9.9 has joined but is not in the inventory"),
    ],
)
def test_who_is_missing(joined: dict[str, int], said: str) -> None:
    assert ray.describe_missing(inventory(), joined) == said


@pytest.mark.parametrize(
    ("log", "why", "cure"),
    [
        (recorded("ray/start-head-port-taken.log"), "another Ray listens on the head's port", "ray: port:"),
        (recorded("ray/start-worker-no-head.log"), "it could not reach the head's Ray", "ray: port:"),
        (recorded("ray/start-worker-other-token.log"), "its token differs from the head's", "`down`, then `up`"),
        (recorded("ray/start-worker-no-token.log"), "its token differs from the head's", "`down`, then `up`"),
        (
            recorded("ray/start-worker-other-version.log"),
            "Ray or Python differs between the hosts",
            "install the same versions in the venvs of all hosts",
        ),
        (
            recorded("ray/start-worker-long-path.log"),
            "the path of its state directory is too long",
            "runtime: state_directory:",
        ),
        (
            recorded("ray/worker-raylet-killed.log"),
            "one of its processes was killed with SIGKILL, by a user or by the kernel when memory ran out",
            "dmesg",
        ),
        (
            "Exception: The current node timed out during startup. This could happen because some of the raylet",
            "its raylet did not start within the 30 s that Ray allows",
            "keeps that host busy",
        ),
        ("OSError: [Errno 98] Address already in use", "another process uses a port of Ray", "orchestrator check"),
        ("OSError: [Errno 28] No space left on device", "a disk or /dev/shm is full", "free some space"),
        (recorded("ray/start-head.log"), "", "orchestrator logs --unit ray"),
        (recorded("ray/start-worker.log"), "", "orchestrator logs --unit ray"),
        (recorded("ray/start-worker-sigterm.log"), "", "orchestrator logs --unit ray"),
        ("", "", "orchestrator logs --unit ray"),
    ],
)
def test_why_it_ended_and_what_to_do(log: str, why: str, cure: str) -> None:
    found = ray.exit_cause(log)
    assert found.cause == why
    assert cure in found.cure


def test_one_that_has_lost_processes_of_its_own() -> None:
    found = ray.exit_cause(recorded("ray/start-head.log"), ("gcs_server", "raylet"))
    assert found.cause == "its gcs_server and its raylet exited"
    assert "raylet.out" in found.cure
    killed = ray.exit_cause(recorded("ray/worker-raylet-killed.log"), ("raylet",))
    assert "killed with SIGKILL" in killed.cause


def test_the_end_of_a_log_is_what_says_something() -> None:
    lines = ray.last_lines(recorded("ray/worker-raylet-killed.log"), 4).splitlines()
    assert "raylet [exit code=-9]" in lines[0]
    assert lines[-1].endswith("Remaining processes will be killed.")
