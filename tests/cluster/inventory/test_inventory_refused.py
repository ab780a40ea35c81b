"""What is refused of an inventory: the rows of refused.yaml, and what takes more edits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.inventories import SMALL, edited, loaded, problems, with_lines

REFUSED = Path(__file__).with_name("refused.yaml")


def rows() -> Iterator[tuple[str, str]]:
    """The text of each inventory, and the problem that is told of it."""
    for group in yaml.safe_load(REFUSED.read_text()):
        for written, problem in group["refused"]:
            after = group.get("after")
            yield with_lines(after, written) if after else edited((group["instead_of"], written)), problem


ROWS = list(rows())


@pytest.mark.parametrize(("text", "problem"), ROWS, ids=[problem for _, problem in ROWS])
def test_it_is_told_alone_and_without_secrets(tmp_path: Path, text: str, problem: str) -> None:
    assert "secret" not in problem
    assert problems(tmp_path, text) == [problem.replace("{folder}", str(tmp_path))]


def test_a_long_path_is_not_looked_for(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, with_lines("  gpus: 8", "  identity_file: " + 5000 * "i"))
    assert problem.startswith('4: defaults.identity_file: no such file: "/')


def test_hosts_that_are_all_wrong_are_not_called_none(tmp_path: Path) -> None:
    text = edited(("    role: head", "    role: haed"), ("    role: worker", "    role: wroker"))
    assert [one.partition(":")[0] for one in problems(tmp_path, text)] == ["7", "10"]


def test_no_host_at_all(tmp_path: Path) -> None:
    text = edited((SMALL[SMALL.index("  - name: gpu-a") : SMALL.index("model:")], ""), ("hosts:", "hosts: []"))
    assert problems(tmp_path, text) == ["4: hosts: must not be empty"]


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
        "8: hosts[0].jump: forms a circle: gpu-a -> gpu-b -> gpu-a",
        "12: hosts[1].jump: forms a circle: gpu-b -> gpu-a -> gpu-b",
    ]


def test_a_jump_to_nowhere_is_told_once_though_others_go_through_it(tmp_path: Path) -> None:
    text = edited(
        ("role: head", "role: head\n    jump: bastion"), ("role: worker", "role: worker\n    jump: gpu-a")
    )
    [problem] = problems(tmp_path, text)
    assert problem.startswith(
        '8: hosts[0].jump: "bastion" is not a host of this file; a jump host outside it needs'
    )


def test_the_rules_come_after_the_values(tmp_path: Path) -> None:
    assert problems(tmp_path, SMALL.replace("gpus: 8", "gpus: 0")) == ["3: defaults.gpus: must be at least 1"]


def test_of_very_many_problems_the_first_are_told(tmp_path: Path) -> None:
    told = problems(tmp_path, SMALL + "".join(f"unknown{number}: 1\n" for number in range(2000)))
    assert len(told) == 21
    assert told[0].endswith(": unknown0: unknown key")
    assert told[-1] == "and 1,980 more"
