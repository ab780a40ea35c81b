"""What is refused of several keys together.

Lines are those of SMALL; a problem is given by its beginning.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.inventories import SMALL, edited, loaded, problems

REFUSED = [
    (
        "10.0.0.1",
        "gpu-a",
        '5: hosts[0].cluster_address: is missing, and address "gpu-a" is no IP address to take instead',
    ),
    (
        "    role: head",
        "    role: head\n    cluster_address: 127.0.0.1",
        "8: hosts[0].cluster_address: the other hosts cannot reach 127.0.0.1",
    ),
    ("    role: head", "    role: worker", '4: hosts: one host must have "role: head"'),
    (
        "    role: worker",
        "    role: head",
        '10: hosts[1].role: a second head: hosts[0] ("gpu-a") is one already',
    ),
    ("name: gpu-b", "name: gpu-a", '8: hosts[1].name: hosts[0] ("gpu-a") has the same name'),
    (
        "    role: worker",
        "    role: worker\n    cluster_address: 10.0.0.1",
        '11: hosts[1].cluster_address: hosts[0] ("gpu-a") has the same cluster address',
    ),
    (
        "    role: worker",
        "    role: worker\n    gpu_ids: [0]",
        '11: hosts[1].gpu_ids: names 1 GPUs, but gpus of "gpu-b" is 8',
    ),
    (
        "    role: worker",
        "    role: worker\n    jump: gpu-aa",
        '11: hosts[1].jump: "gpu-aa" is no host of this file (did you mean "gpu-a"?); another machine needs',
    ),
    (
        "    role: worker",
        "    role: worker\n    jump: gpu-b",
        "11: hosts[1].jump: goes round in a circle: gpu-b -> gpu-b (a host without a jump says ",
    ),
    (
        "  gpus: 8",
        "  gpus: 8\n  jump: gpu-a",
        "4: defaults.jump: goes round in a circle: gpu-a -> gpu-a (a host without a jump says ",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 8\n  pipeline_parallel_size: 4",
        "14: serve.tensor_parallel_size: 8 x pipeline_parallel_size 4 takes 32 GPUs, "
        "but the hosts declare 16 (gpu-a 8 + gpu-b 8)",
    ),
    (
        "424B-A47B-PT",
        "28B-A3B-PT",
        "14: serve.tensor_parallel_size: 16 does not fit the 20 attention heads (4 for keys and values) of "
        "baidu/ERNIE-4.5-VL-28B-A3B-PT: it must divide 20, and divide 4 or be a multiple of it",
    ),
    (
        "baidu/ERNIE-4.5-VL-424B-A47B-PT",
        "/m\n  revision: a",
        "13: model.revision: a folder has no revisions: leave it out, or give a repository id",
    ),
    (
        "baidu/ERNIE-4.5-VL-424B-A47B-PT",
        "/m\n  download: true",
        "13: model.download: a folder is not downloaded: leave it out, or give a repository id",
    ),
    ("/opt/vllm", "/opt/../vllm", '16: runtime.venv: must not hold "." or ".." as a folder'),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  port: 6379",
        "15: serve.port: 6379 is ray.port already",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  port: 10002",
        "15: serve.port: 10002 lies within Ray's worker ports (10002-19999)",
    ),
    ("runtime:", "ray: {port: 6380}\nruntime:", "15: ray.node_manager_port: 6380 is ray.port already"),
    (
        "runtime:",
        "ray: {min_worker_port: 2, max_worker_port: 1}\nruntime:",
        "15: ray.max_worker_port: is below ray.min_worker_port (2)",
    ),
    (
        "runtime:",
        "ray: {port: 10500}\nruntime:",
        "15: ray.port: 10500 lies within Ray's worker ports (10002-19999)",
    ),
]


@pytest.mark.parametrize(("old", "new", "problem"), REFUSED)
def test_keys_that_contradict_are_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    [found] = problems(tmp_path, edited((old, new)))
    assert found[: len(problem)] == problem


def test_the_number_of_gpus_must_be_said_somewhere(tmp_path: Path) -> None:
    text = edited(("  gpus: 8", "  user: a"), ("role: head", "role: head\n    gpus: 8"))
    assert problems(tmp_path, text) == ["9: hosts[1].gpus: is missing, here and in the defaults"]


def test_two_hosts_at_one_address_are_refused_but_not_at_two_ports(tmp_path: Path) -> None:
    same = edited(("10.0.0.2", "10.0.0.1\n    cluster_address: 10.0.0.2"))
    assert problems(tmp_path, same) == ['9: hosts[1].address: hosts[0] ("gpu-a") has the same address']
    assert len(loaded(tmp_path, same.replace("role: worker", "role: worker\n    port: 2222")).hosts) == 2


def test_all_hosts_of_a_circle_are_named(tmp_path: Path) -> None:
    text = edited(("role: head", "role: head\n    jump: gpu-b"), ("role: worker", "role: worker\n    jump: gpu-a"))
    assert [problem.partition(" (")[0] for problem in problems(tmp_path, text)] == [
        "8: hosts[0].jump: goes round in a circle: gpu-a -> gpu-b -> gpu-a",
        "12: hosts[1].jump: goes round in a circle: gpu-b -> gpu-a -> gpu-b",
    ]


def test_a_jump_to_nowhere_is_told_once_though_others_go_through_it(tmp_path: Path) -> None:
    text = edited(
        ("role: head", "role: head\n    jump: bastion"), ("role: worker", "role: worker\n    jump: gpu-a")
    )
    [problem] = problems(tmp_path, text)
    assert problem.startswith('8: hosts[0].jump: "bastion" is no host of this file; another machine needs')


def test_the_rules_come_after_the_values(tmp_path: Path) -> None:
    assert problems(tmp_path, SMALL.replace("gpus: 8", "gpus: 0")) == ["3: defaults.gpus: must be at least 1"]
