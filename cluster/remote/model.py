"""The model's files on this host: an absolute folder, or a repository in the Hugging Face cache."""

import json
import os
import stat
from typing import Any

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")


def model_files(asked: dict[str, Any]) -> dict[str, Any]:
    """The folder, its files with their sizes in bytes, and why it is not usable (empty when it is)."""
    path = asked["id"] if asked["id"].startswith("/") else snapshot(asked)
    try:
        sizes = files(path)
    except OSError as error:
        return {"path": path, "sizes": {}, "problem": f"{path}: {error.strerror}"}
    return {"path": path, "sizes": sizes, "problem": missing(path, sizes)}


def files(path: str) -> dict[str, int]:
    """Sizes of the files; a folder's own size differs between filesystems, a broken link is no file."""
    found: dict[str, int] = {}
    for name in sorted(os.listdir(path)):
        try:
            one = os.stat(os.path.join(path, name))
        except FileNotFoundError:
            continue
        if stat.S_ISREG(one.st_mode):
            found[name] = one.st_size
    return found


def snapshot(asked: dict[str, Any]) -> str:
    """Where huggingface_hub keeps this revision; a branch's name stands in refs/, a commit is its own folder."""
    home = asked["hf_home"] or os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")
    hub = asked["hf_hub_cache"] or os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    repository = os.path.join(hub, "models--" + asked["id"].replace("/", "--"))
    revision = asked["revision"] or "main"
    try:
        with open(os.path.join(repository, "refs", revision)) as file:
            revision = file.read().strip()
    except OSError:
        pass
    return os.path.join(repository, "snapshots", revision)


def missing(path: str, sizes: dict[str, int]) -> str:
    """config.json and every shard that the index names, or some weights, must be there, and not be empty."""
    wanted = {"config.json"}
    try:
        with open(os.path.join(path, "model.safetensors.index.json")) as file:
            wanted |= set(json.load(file)["weight_map"].values())
    except OSError:
        if not any(name.endswith(WEIGHTS) for name in sizes):
            wanted.add("model.safetensors")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{path}/model.safetensors.index.json cannot be read"
    lacking = sorted(name for name in wanted if not sizes.get(name))
    more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
    return f"{path} lacks {', '.join(lacking[:3])}{more}" if lacking else ""
