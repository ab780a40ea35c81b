"""The model's files on this host: an absolute folder, or a repository in the Hugging Face cache."""

import json
import os
import stat
from typing import Any

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
#: Bytes: the configuration of a published model has some thousand. It must fit into the facts of the head.
LARGEST_CONFIG = 3 << 17


def model_files(asked: dict[str, Any]) -> dict[str, Any]:
    """Returns the folder, its files with their sizes in bytes, and why it is not usable (empty when it is)."""
    path = asked["id"] if asked["id"].startswith("/") else snapshot(asked)
    try:
        sizes = files(path)
    except OSError as error:
        return {"path": path, "sizes": {}, "problem": f"{path}: {error.strerror}"}
    return {"path": path, "sizes": sizes, "problem": missing(path, sizes)}


def files(path: str) -> dict[str, int]:
    """Returns the sizes of the files. A folder's own size differs between filesystems, and a broken link does not
    count."""
    sizes: dict[str, int] = {}
    for name in sorted(os.listdir(path)):
        try:
            status = os.stat(os.path.join(path, name))
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            sizes[name] = status.st_size
    return sizes


def repository(asked: dict[str, Any]) -> str:
    """Returns the folder in which huggingface_hub keeps this model."""
    home = asked["hf_home"] or os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")
    hub = asked["hf_hub_cache"] or os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    return os.path.join(hub, "models--" + asked["id"].replace("/", "--"))


def snapshot(asked: dict[str, Any]) -> str:
    """Returns the snapshot. The name of a branch is in refs/, a commit has its own folder."""
    revision = asked["revision"] or "main"
    try:
        with open(os.path.join(repository(asked), "refs", revision)) as file:
            revision = file.read().strip()
    except OSError:
        pass
    return os.path.join(repository(asked), "snapshots", revision)


def config_of(asked: "dict[str, Any]") -> "tuple[Any, str]":
    """Returns config.json unchanged, and why it cannot be read (empty where it can)."""
    path = os.path.join(asked["id"] if asked["id"].startswith("/") else snapshot(asked), "config.json")
    try:
        if os.stat(path).st_size > LARGEST_CONFIG:
            return None, f"{path} is too large for a configuration"
        with open(path, encoding="utf-8") as file:
            return json.load(file), ""
    except OSError as error:
        return None, f"{path}: {error.strerror}"
    except (ValueError, RecursionError):
        return None, f"{path} is not valid JSON"


def hub_of(asked: dict[str, Any]) -> "dict[str, Any] | None":
    """Returns the cache of a download: its free space, and the files of the model there, complete or partial."""
    if asked["id"].startswith("/"):
        return None
    path = os.path.dirname(repository(asked))
    try:
        disk = os.statvfs(nearest(path))
        free = disk.f_bavail * disk.f_frsize >> 20
    except OSError:
        free = None
    return {"path": path, "free_mib": free, "held_mib": held(os.path.join(repository(asked), "blobs")) >> 20}


def nearest(path: str) -> str:
    """Returns the folder itself, or its nearest existing parent."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.path.realpath(path)


def held(blobs: str) -> int:
    """Returns the size of the files there. A partial download may have its full size, and few of its blocks."""
    try:
        return sum(entry.stat().st_blocks * 512 for entry in os.scandir(blobs))
    except OSError:
        return 0


def missing(path: str, sizes: dict[str, int]) -> str:
    """Returns what is missing or empty of the required files: config.json, and every shard of the index or some
    weights."""
    wanted = {"config.json"}
    try:
        with open(os.path.join(path, "model.safetensors.index.json")) as file:
            wanted |= set(json.load(file)["weight_map"].values())
    except OSError:
        if not any(name.endswith(WEIGHTS) for name in sizes):
            wanted.add("model.safetensors")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{path}/model.safetensors.index.json cannot be read"
    lacking = sorted(name for name in wanted if name not in sizes)
    empty = sorted(name for name in wanted if sizes.get(name) == 0)
    parts = [f"lacks {some(lacking)}"] * bool(lacking) + [f"holds empty files: {some(empty)}"] * bool(empty)
    return f"{path} {' and '.join(parts)}" if parts else ""


def some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
