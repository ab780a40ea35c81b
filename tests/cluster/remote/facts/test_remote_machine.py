"""Memory, limits and processes, asked of this machine, and of control groups and settings of ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster.command import remote_source
from cluster.launch.unit import folder_name
from tests.cluster.remote.cell import Cell
from tests.cluster.remote.facts.test_remote_facts import look, on
from tests.timing import eventually

PARTS = ("common.processes", "facts.model", "facts.machine")


def loaded(**changed: Any) -> dict[str, Any]:
    """The program's names, without its end that prints."""
    names: dict[str, Any] = {}
    for part in PARTS:
        exec(remote_source(part), names)
    names.update(changed)
    return names


def test_this_machine(tmp_path: Path) -> None:
    found = look(on(tmp_path)).machine
    assert found.shm_mib is not None
    assert found.shm_free_mib is not None
    assert 0 < found.shm_free_mib <= found.shm_mib
    assert found.memory_free_mib
    assert found.state_system
    assert 0 <= found.state_used <= 1
    assert not found.state_noexec


def test_an_ordinary_user_is_bound_and_root_is_not() -> None:
    names = loaded(text_of=lambda _: "0 0 4294967295")
    assert (names["task_limits"]() == (-1, -1)) is (os.getuid() == 0)
    assert loaded(text_of=lambda _: "0 1000 1")["task_limits"]() != (-1, -1)


@pytest.mark.parametrize(
    ("devices", "capabilities", "binds"),
    [
        (True, "0000000000000000", True),
        (True, "00000000a80425fb", True),
        (True, "000001ffffffffff", False),
        (False, "0000000000000000", False),
    ],
)
def test_locked_memory_is_limited(tmp_path: Path, devices: bool, capabilities: str, binds: bool) -> None:
    """The second line is root of a container as Docker makes it."""
    (tmp_path / "mlx5_0").mkdir()
    rdma = str(tmp_path if devices else tmp_path / "none")
    names = loaded(RDMA=rdma, text_of=lambda _: f"Name:\tx\nCapEff:\t{capabilities}\n")
    assert names["memlock_binds"]() is binds


@pytest.fixture
def group(tmp_path: Path) -> Callable[..., Any]:
    """Reads a control group of version 2 that was written: ours is /user.slice/session."""
    inner = tmp_path / "user.slice" / "session"
    inner.mkdir(parents=True)

    def ask(what: str, **files: str) -> Any:
        for name, text in files.items():
            (inner if name.startswith("inner") else inner.parent).joinpath(
                name.partition("_")[2].replace("_", ".")
            ).write_text(text)
        names = loaded(GROUPS=str(tmp_path))
        true = names["text_of"]
        names["text_of"] = lambda path: "0::/user.slice/session\n" if path == "/proc/self/cgroup" else true(path)
        return names[what]()

    return ask


def test_the_tightest_group_decides(group: Any) -> None:
    assert group("group_tasks", inner_pids_max="max\n", outer_pids_max="512\n") == 512
    assert group("group_tasks", inner_pids_max="100\n") == 100


def test_no_group_binds(group: Any) -> None:
    assert group("group_tasks") == -1


def test_memory_of_a_group_counts_its_cached_files_as_free(group: Any) -> None:
    stat = "anon 5\ninactive_file 1048576\nactive_file 1048576\n"
    limits = {"outer_memory_max": str(10 << 20), "outer_memory_current": str(9 << 20), "outer_memory_stat": stat}
    assert group("memory_free", **limits) == 3


def test_a_group_of_version_1(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text(str(100 << 20))
    (folder / "memory.usage_in_bytes").write_text(str(60 << 20))
    names = loaded(GROUPS=str(tmp_path))
    names["text_of"] = lambda path: (
        "4:memory:/docker/abc\n" if path == "/proc/self/cgroup" else Path(path).read_text() if Path(path).exists()
        else ""
    )  # fmt: skip
    assert names["memory_free"]() == 40


@pytest.mark.parametrize(
    ("settings", "ended"),
    [
        ({}, False),
        ({"KillUserProcesses": "yes"}, True),
        ({"KillUserProcesses": "no"}, False),
        ({"KillUserProcesses": "yes", "KillExcludeUsers": "root alice"}, False),
        ({"KillUserProcesses": "yes", "KillOnlyUsers": "bob"}, False),
        ({"KillOnlyUsers": "alice bob"}, True),
    ],
)
def test_what_logind_ends(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], ended: bool) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda _: True)
    assert loaded(logind_settings=lambda: settings, user_of=lambda _: "alice")["ended_at_logout"]() is ended


def test_logind_spares_root_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda _: True)
    for excluded, ended in (({}, False), ({"KillExcludeUsers": ""}, True)):
        settings = {"KillUserProcesses": "yes", **excluded}
        assert loaded(logind_settings=lambda: settings, user_of=lambda _: "root")["ended_at_logout"]() is ended  # noqa: B023


def test_without_systemd_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda _: False)
    assert not loaded(logind_settings=lambda: {"KillUserProcesses": "yes"})["ended_at_logout"]()


MOUNTS = (
    "21 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "22 21 0:21 / /var rw,relatime - xfs /dev/sdb1 rw\n"
    "23 22 0:22 / /var/tmp rw,noexec - tmpfs none rw\n"
    "24 22 0:22 / /var/tmp rw - nfs4 server:/x rw\n"
    "25 21 0:23 / /with\\040space rw - btrfs /dev/sdc rw\n"
)


@pytest.mark.parametrize(
    ("place", "kind"),
    [("/", "ext4"), ("/variable", "ext4"), ("/var", "xfs"), ("/var/tmp/o-0", "nfs4"), ("/with space/a", "btrfs")],
)
def test_the_filesystem_is_that_of_the_last_nearest_mount(place: str, kind: str) -> None:
    assert loaded(text_of=lambda _: MOUNTS)["filesystem_of"](place) == kind


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("/v/ray/core/src/ray/raylet/raylet --raylet_socket_name=x", "raylet"),
        ("/v/ray/core/src/ray/gcs/gcs_server --log_dir=x", "gcs_server"),
        ("ray::RayWorkerProc.run", "ray::"),
        ("VLLM::EngineCore", "vLLM"),
        ("/v/bin/python3.12 /v/bin/vllm serve m", "vllm serve"),
        ("vllm serve m", "vllm serve"),
        ("python -m vllm.entrypoints.openai.api_server --model m", "vllm serve"),
        ("vim vllm serve", ""),
        ("tail -f /tmp/ray/raylet.out", ""),
        ("grep raylet ", ""),
        ("", ""),
    ],
)
def test_what_is_taken_for_a_ray_or_a_vllm(command: str, kind: str) -> None:
    assert loaded()["kind_of"](command) == kind


def title(word: str) -> tuple[str, ...]:
    """A process whose command line says `word`, as Ray's do."""
    return ("bash", "-c", f"exec -a {word} sleep 600")


def test_a_process_of_somebody_else_is_told_with_owner_and_age(tmp_path: Path) -> None:
    with subprocess.Popen(title("ray::Theirs")) as process:
        try:
            one = on(tmp_path)
            found = eventually(lambda: [s for s in look(one).machine.strangers if s.pid == process.pid])
            assert (found[0].kind, found[0].cluster) == ("ray::", "")
            assert found[0].user
            assert 0 <= found[0].age < 60
        finally:
            process.kill()


def test_our_own_tree_is_no_stranger_and_another_cluster_is_named(tmp_path: Path) -> None:
    one = on(tmp_path)
    mine, other = Cell(tmp_path), Cell(tmp_path)
    mine.state = look(one).state
    other.state = str(Path(mine.state).parent / folder_name("staging", "gpu-a"))
    try:
        mine.launch(title("ray::Mine"))
        other.launch(title("ray::Other"), cluster="staging")
        eventually(lambda: b"ray::Other" in lines(other))
        eventually(lambda: b"ray::Mine" in lines(mine))
        ours = mine.pids() | other.pids()
        found = [(s.kind, s.cluster) for s in look(one).machine.strangers if s.pid in ours]
        assert found == [("ray::", "staging")]
    finally:
        mine.clean()
        other.clean()


def lines(cell: Cell) -> bytes:
    return b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in cell.pids())
