"""What this machine remembers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.errors import UsageError
from orchestrator.local import last_inventory


def remembered(folder: Path, *clusters: str) -> Path:
    """The state folder of a machine that has used these."""
    for cluster in clusters:
        inventory = folder / "inventories" / f"{cluster}.yaml"
        inventory.parent.mkdir(exist_ok=True)
        inventory.write_text(f"cluster: {cluster}\n")
        last_inventory.remember(folder / "state", cluster, inventory)
    return folder / "state"


def test_the_inventory_as_it_was_used_and_where_its_paths_begin(tmp_path: Path) -> None:
    state = remembered(tmp_path, "demo")
    (tmp_path / "inventories" / "demo.yaml").write_text("cluster: another\n")
    path, base = last_inventory.recall(state, None)
    assert (path.read_text(), base) == ("cluster: demo\n", tmp_path / "inventories")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in path.parent.iterdir()} == {0o600}


def test_what_others_may_have_written_is_not_believed(tmp_path: Path) -> None:
    state = remembered(tmp_path, "demo")
    (state / "demo").chmod(0o777)
    with pytest.raises(UsageError) as caught:
        last_inventory.recall(state, None)
    assert "other users may write in its folder" in caught.value.cause


def test_the_last_use_counts(tmp_path: Path) -> None:
    state = remembered(tmp_path, "demo")
    (tmp_path / "second.yaml").write_text("cluster: demo # later\n")
    last_inventory.remember(state, "demo", tmp_path / "second.yaml")
    path, base = last_inventory.recall(state, "demo")
    assert (path.read_text(), base) == ("cluster: demo # later\n", tmp_path)


@pytest.mark.parametrize(
    ("clusters", "asked", "found"),
    [(["demo"], None, "demo"), (["demo"], "demo", "demo"), (["demo", "other"], "other", "other")],
)
def test_which(tmp_path: Path, clusters: list[str], asked: str | None, found: str) -> None:
    assert last_inventory.recall(remembered(tmp_path, *clusters), asked)[0].parent.name == found


@pytest.mark.parametrize(
    ("clusters", "asked", "said", "cure"),
    [
        ([], None, "no cluster is known on this machine", "give the inventory file"),
        (["demo"], "other", "no cluster other is known on this machine", "give the inventory file"),
        (["demo", "other"], None, "several clusters are in use: demo, other", "choose one with --cluster demo"),
        (["demo"], "../demo", "no cluster ../demo is known on this machine", "give the inventory file"),
    ],
)
def test_a_person_has_to_say(tmp_path: Path, clusters: list[str], asked: str | None, said: str, cure: str) -> None:
    with pytest.raises(UsageError) as caught:
        last_inventory.recall(remembered(tmp_path, *clusters), asked)
    assert (str(caught.value), caught.value.cure) == (said, cure)


def test_forgetting_keeps_the_journals(tmp_path: Path) -> None:
    state = remembered(tmp_path, "demo")
    (state / "demo" / "20260701T091244-up.jsonl").touch()
    for _ in range(2):
        last_inventory.forget(state, "demo")
    assert [path.name for path in (state / "demo").iterdir()] == ["20260701T091244-up.jsonl"]


def test_what_can_be_read_only_once_is_not_remembered(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="only once"):
        last_inventory.remember(tmp_path / "state", "demo", tmp_path / "pipe")
    assert not (tmp_path / "state").exists()


def test_it_is_kept_later_as_it_was_read(tmp_path: Path) -> None:
    """Between its use and the lease, somebody may edit it."""
    inventory = tmp_path / "demo.yaml"
    inventory.write_text("cluster: demo\n")
    keep = last_inventory.remembering(tmp_path / "state", "demo", inventory)
    inventory.write_text("cluster: edited\n")
    assert not (tmp_path / "state").exists()
    keep()
    assert last_inventory.recall(tmp_path / "state", None)[0].read_text() == "cluster: demo\n"
    assert sorted(path.name for path in (tmp_path / "state" / "demo").iterdir()) == ["base.json", "inventory.yaml"]


def test_neither_text_nor_folder_depends_on_a_locale(tmp_path: Path) -> None:
    """Kept where nobody has heard of umlauts, and recalled here."""
    folder = tmp_path / "münchen"
    folder.mkdir()
    (folder / "demo.yaml").write_bytes("cluster: demo # grüße\n".encode())
    code = "import sys, pathlib; from orchestrator.local import last_inventory; "
    code += "last_inventory.remember(pathlib.Path(sys.argv[1]), 'demo', pathlib.Path(sys.argv[2])); "
    code += "print(sys.flags.utf8_mode)"
    argv = [sys.executable, "-X", "utf8=0", "-c", code, str(tmp_path / "state"), str(folder / "demo.yaml")]
    plain = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(argv, env=plain, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    path, base = last_inventory.recall(tmp_path / "state", None)
    assert path.read_bytes().decode() == "cluster: demo # grüße\n"
    assert base.samefile(folder)


@pytest.mark.parametrize("left", [b"", b'"/home/ann', b"null", b"7", b"\xff\xfe", None])
def test_a_torn_pointer_is_explained(tmp_path: Path, left: bytes | None) -> None:
    state = remembered(tmp_path, "demo")
    base = state / "demo" / "base.json"
    base.unlink() if left is None else base.write_bytes(left)
    with pytest.raises(UsageError, match="the local record of demo cannot be read") as caught:
        last_inventory.recall(state, None)
    assert str(base) in caught.value.cause
    assert caught.value.cure == "give the inventory file"
