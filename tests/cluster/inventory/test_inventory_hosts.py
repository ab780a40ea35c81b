"""What is refused of hosts and their defaults.

Lines are those of SMALL; a problem is given by its beginning.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.inventories import SMALL, edited, problems

REFUSED = [
    (
        "    address: 10.0.0.1",
        "    adress: 10.0.0.1",
        '6: hosts[0].adress: unknown key (did you mean "address"?)',
    ),
    ("  gpus: 8", '  gpus: 8\n  "a\\eb c": 1', '4: defaults."a\\x1bb c": unknown key'),
    ("  gpus: 8", "  gpus: 8\n  name: a", "4: defaults.name: unknown key"),
    (
        "  gpus: 8",
        '  gpus: "8"',
        "3: defaults.gpus: expected a whole number, found text: take the quotes away",
    ),
    ("  gpus: 8", "  gpus: eight", "3: defaults.gpus: expected a whole number, found text"),
    ("  gpus: 8", "  gpus: true", "3: defaults.gpus: expected a whole number, found true or false"),
    ("  gpus: 8", "  gpus: 8.0", "3: defaults.gpus: expected a whole number, found a number with a fraction"),
    (
        "  gpus: 8",
        "  gpus: 010",
        "3: defaults.gpus: expected a whole number, found a number that is not plain decimal",
    ),
    ("  gpus: 8", "  gpus: [8]", "3: defaults.gpus: expected a whole number, found a list"),
    ("  gpus: 8", "  gpus: 0", "3: defaults.gpus: must be at least 1"),
    ("  gpus: 8", "  gpus: 80", "3: defaults.gpus: must be at most 64"),
    ("  gpus: 8", "  gpus: 8\n  port: 65536", "4: defaults.port: must be at most 65535"),
    ("  gpus: 8", "  gpus: 8\n  port: 0", "4: defaults.port: must be at least 1"),
    (
        "  gpus: 8",
        "  gpus: 8\n  min_gpu_memory_mib: -1",
        "4: defaults.min_gpu_memory_mib: must be at least 0",
    ),
    ("  gpus: 8", "  gpus: 8\n  gpu_ids: [0, -1]", "4: defaults.gpu_ids[1]: must be at least 0"),
    ("  gpus: 8", "  gpus: 8\n  gpu_ids: [1, 1]", "4: defaults.gpu_ids: names a GPU twice"),
    ("  gpus: 8", "  gpus: 8\n  gpu_ids: 1", "4: defaults.gpu_ids: expected a list, found a whole number"),
    (
        "  gpus: 8",
        "  gpus: 8\n  user: 007",
        "4: defaults.user: expected text, found a number that is not plain ",
    ),
    ("  gpus: 8", "  gpus: 8\n  user: -l", "4: defaults.user: must not begin with a dash: "),
    ("  gpus: 8", "  gpus: 8\n  identity_file: id", '4: defaults.identity_file: no such file: "'),
    (
        "  gpus: 8",
        "  gpus: 8\n  identity_file: ~/id",
        '4: defaults.identity_file: no such file: "/nowhere/id"',
    ),
    (
        "  gpus: 8",
        "  gpus: 8\n  identity_file: ~bob/id",
        '4: defaults.identity_file: "~" stands for your own home',
    ),
    ("  gpus: 8", '  gpus: 8\n  identity_file: ""', "4: defaults.identity_file: is empty"),
    (
        "  gpus: 8",
        "  gpus: 8\n  jump: {adress: b}",
        '4: defaults.jump.adress: unknown key (did you mean "address"?)',
    ),
    ("  gpus: 8", "  gpus: 8\n  identity_file: " + 5000 * "i", '4: defaults.identity_file: no such file: "/'),
    ("  gpus: 8", "  gpus: 8\n  jump: [a]", "4: defaults.jump: expected text, found a list"),
    ("  gpus: 8", "  gpus: 8\n  jump: {address: b, jump: {}}", "4: defaults.jump.jump.address: is missing"),
    ("cluster: demo", "cluster: demo\nknown_hosts: kh", '2: known_hosts: no such file: "'),
    ("10.0.0.1", '""', "6: hosts[0].address: is empty"),
    ("10.0.0.1", "-oProxyCommand=x", "6: hosts[0].address: must not begin with a dash: "),
    ("10.0.0.1", "gpu a", "6: hosts[0].address: must not hold spaces or control characters"),
    ("10.0.0.1", '"gpu-a\\n"', "6: hosts[0].address: must not hold spaces or control characters"),
    ("10.0.0.1", '"gpu\\0a"', "6: hosts[0].address: must not hold spaces or control characters"),
    ("10.0.0.1", "root@gpu-a", '6: hosts[0].address: must not hold "@": the user goes into a key of its own'),
    (
        "10.0.0.1",
        "gpu-a:22",
        '6: hosts[0].address: holds ":" and is no IPv6 address: the port goes into a key of ',
    ),
    (
        "10.0.0.1",
        "'[::1]'",
        "6: hosts[0].address: must be a bare name or IP address, without brackets, slashes or ",
    ),
    (
        "    role: head",
        "    role: head\n    cluster_address: gpu-a",
        "8: hosts[0].cluster_address: must be an IP address (Ray and NCCL do not look up names)",
    ),
    (
        "    role: head",
        "    role: head\n    cluster_address: 0.0.0.0",
        "8: hosts[0].cluster_address: must be the address of one interface of this host",
    ),
    (
        "    role: head",
        "    role: haed",
        '7: hosts[0].role: expected "head" or "worker" (did you mean "head"?)',
    ),
    ("    role: head", "    role: 1", '7: hosts[0].role: expected "head" or "worker", found a whole number'),
    ("    role: head\n", "", "5: hosts[0].role: is missing"),
    ("name: gpu-a", "name: -a", "5: hosts[0].name: must be a name of at most 63 letters, digits and . _ -"),
]


@pytest.mark.parametrize(("old", "new", "problem"), REFUSED)
def test_a_value_of_a_host_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    [found] = problems(tmp_path, edited((old, new)))
    assert found[: len(problem)] == problem


def test_hosts_that_are_all_wrong_are_not_called_none(tmp_path: Path) -> None:
    text = edited(("    role: head", "    role: haed"), ("    role: worker", "    role: wroker"))
    assert [one.partition(":")[0] for one in problems(tmp_path, text)] == ["7", "10"]


def test_no_host_at_all(tmp_path: Path) -> None:
    text = edited((SMALL[SMALL.index("  - name: gpu-a") : SMALL.index("model:")], ""), ("hosts:", "hosts: []"))
    assert problems(tmp_path, text) == ["4: hosts: must not be empty"]
