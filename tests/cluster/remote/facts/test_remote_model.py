"""The model's files, in a folder or in the Hugging Face cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.remote.facts.model import hub_of, model_files

INDEX = "model.safetensors.index.json"
SHARDS = {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}
WHOLE = {
    "config.json": "{}",
    INDEX: json.dumps({"weight_map": SHARDS}),
    "model-1.safetensors": "weights",
    "model-2.safetensors": "more weights",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def ask(source: str | Path, revision: str | None = None, **where: Path) -> dict[str, Any]:
    places = {"hf_home": "", "hf_hub_cache": ""} | {name: str(path) for name, path in where.items()}
    return model_files({"id": str(source), "revision": revision, **places})


def test_a_whole_model(tmp_path: Path) -> None:
    found = ask(write(tmp_path / "m", WHOLE))
    assert found == {
        "path": str(tmp_path / "m"),
        "sizes": {name: len(text) for name, text in WHOLE.items()},
        "problem": "",
    }


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"config.json": "{}", "model.safetensors": "w"}, ""),
        ({"config.json": "{}", "pytorch_model.bin": "w"}, ""),
        ({"config.json": "{}"}, "lacks model.safetensors"),
        ({"model.safetensors": "w"}, "lacks config.json"),
        (WHOLE | {"config.json": ""}, "holds empty files: config.json"),
        (WHOLE | {"model-2.safetensors": ""}, "holds empty files: model-2.safetensors"),
        (
            {name: text for name, text in WHOLE.items() if name != "model-1.safetensors"},
            "lacks model-1.safetensors",
        ),
        ({"config.json": "{}", INDEX: WHOLE[INDEX]}, "lacks model-1.safetensors, model-2.safetensors"),
        (
            {INDEX: json.dumps({"weight_map": {str(n): f"{n}.safetensors" for n in range(9)}})},
            "lacks 0.safetensors, 1.safetensors, 2.safetensors and 7 more",
        ),
        ({"config.json": "{}", INDEX: "{"}, f"{INDEX} cannot be read"),
        ({"config.json": "{}", INDEX: "[]"}, f"{INDEX} cannot be read"),
        ({"config.json": "{}", INDEX: '{"weight_map": []}'}, f"{INDEX} cannot be read"),
        ({"config.json": "{}", INDEX: '{"weight_map": {"a": []}}'}, f"{INDEX} cannot be read"),
    ],
)
def test_what_is_missing(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    found = ask(write(tmp_path / "m", files))["problem"]
    assert problem in found if problem else not found


def test_folders_have_no_size(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", WHOLE)
    write(folder / ".cache" / "huggingface", {"x": "y"})
    assert list(ask(folder)["sizes"]) == sorted(WHOLE)


def test_no_folder(tmp_path: Path) -> None:
    found = ask(tmp_path / "none")
    assert (found["sizes"], found["problem"]) == ({}, f"{tmp_path}/none: No such file or directory")


def cached(home: Path, commit: str = "c0ffee", ref: str = "main") -> Path:
    """A repository as huggingface_hub keeps it: links of a snapshot into blobs, and a ref."""
    repository = home / "hub" / "models--org--name"
    write(repository / "blobs", WHOLE)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for name in WHOLE:
        (snapshot / name).symlink_to(f"../../blobs/{name}")
    path = repository / "refs" / ref
    path.parent.mkdir(parents=True)
    path.write_text(commit)
    return snapshot


@pytest.mark.parametrize(
    ("ref", "revision"), [("main", None), ("main", "main"), ("refs/pr/17", "refs/pr/17"), ("main", "c0ffee")]
)
def test_the_cache(tmp_path: Path, ref: str, revision: str | None) -> None:
    snapshot = cached(tmp_path, ref=ref)
    found = ask("org/name", revision, hf_home=tmp_path)
    assert (found["path"], found["problem"]) == (str(snapshot), "")
    assert found["sizes"]["config.json"] == 2


def test_another_revision_is_not_there(tmp_path: Path) -> None:
    cached(tmp_path)
    assert "No such file" in ask("org/name", "other", hf_home=tmp_path)["problem"]


def test_a_blob_that_is_gone_is_missing(tmp_path: Path) -> None:
    cached(tmp_path)
    (tmp_path / "hub/models--org--name/blobs/model-2.safetensors").unlink()
    assert ask("org/name", hf_home=tmp_path)["problem"].endswith("lacks model-2.safetensors")


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = str(cached(tmp_path))
    assert ask("org/name", hf_home=Path("/nowhere"), hf_hub_cache=tmp_path / "hub")["path"] == snapshot
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert ask("org/name")["path"] == snapshot
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert ask("org/name", hf_home=Path("/nowhere"))["path"] == snapshot
    monkeypatch.delenv("HF_HOME")
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HOME", "/nowhere")
    assert ask("org/name")["path"].startswith("/nowhere/.cache/huggingface/hub/models--org--name/")


def hub(source: str, home: Path) -> dict[str, Any] | None:
    return hub_of({"id": source, "revision": None, "hf_home": str(home), "hf_hub_cache": ""})


def test_the_room_for_a_download(tmp_path: Path) -> None:
    found = hub("org/name", tmp_path / "not" / "yet")
    assert found is not None
    assert found["path"] == f"{tmp_path}/not/yet/hub"
    assert found["free_mib"] > 0
    assert found["held_mib"] == 0


def test_what_is_there_of_a_download_counts_by_its_blocks(tmp_path: Path) -> None:
    blobs = write(tmp_path / "hub" / "models--org--name" / "blobs", {})
    (blobs / "whole").write_bytes(bytes(3 << 20))
    with (blobs / "begun.incomplete").open("wb") as file:
        file.truncate(1 << 30)
    found = hub("org/name", tmp_path)
    assert found is not None
    assert found["held_mib"] == 3


def test_a_folder_has_no_cache(tmp_path: Path) -> None:
    assert hub("/models/m", tmp_path) is None
