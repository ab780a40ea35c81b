"""All evidence about a cluster in one file, for a reader who was not there. It holds no secret."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Mapping, Sequence

from cluster.diagnosis.collect import Collected, CollectRequest, Files
from cluster.diagnosis.redact import redact, secret_values
from cluster.inventory import Inventory
from cluster.launch.environment import authentication, ray_address
from cluster.remote.common.redact import without_values
from cluster.views import Observed

_LOGS = (
    Files("*/record.json"),
    Files("*/log", head=256 << 10, tail=768 << 10),
    Files("ray/session_latest/logs/worker-*", head=32 << 10, tail=96 << 10, within=7 * 86400.0),
    Files("*/log.1", head=16 << 10, tail=112 << 10),
    Files("nccl.*.log", head=32 << 10, tail=96 << 10),
    Files("ray/session_latest/logs/*.*", head=8 << 10, tail=120 << 10, within=7 * 86400.0),
)
#: Texts that a host left out and that the operator reads of.
_NAMED = 20
_COMMANDS = {
    "nvidia-smi-q.txt": ("nvidia-smi", "-q"),
    "nvidia-smi-topo.txt": ("nvidia-smi", "topo", "-m"),
    "disks.txt": ("df", "-h"),
}


def request(inventory: Inventory, host: str, state: str, seconds: float) -> CollectRequest:
    """Returns the texts that a host must bring, the most important first; `state` is the cluster's folder
    there."""
    knows_ray = inventory.uses_ray and host == inventory.head.name
    ray = {"address": ray_address(inventory), "authentication": authentication(state)} if knows_ray else None
    return CollectRequest(_LOGS, processes=True, versions=True, commands=_COMMANDS, ray_state=ray, seconds=seconds)


def texts(
    inventory: Inventory, seen: Observed, collected: Mapping[str, Collected], more: Mapping[str, str]
) -> dict[str, str]:
    """Returns the texts of the bundle by their names there; `more` are texts of this machine."""
    values = secret_values(inventory)
    own = {"inventory.yaml": _written(inventory), **_facts(seen), **more}
    brought = {
        f"{name}/{text}": without_values(content, values)
        for name, answer in collected.items()
        for text, content in answer.texts.items()
    }
    return brought | {name: redact(content, values) for name, content in own.items()}


def _written(inventory: Inventory) -> str:
    """Returns the inventory as it is used, one key on a line; the models themselves hide its secrets."""
    fields = inventory.model_dump(mode="json")
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in fields.items())


def _facts(seen: Observed) -> dict[str, str]:
    files = {}
    for name, view in seen.items():
        if view.facts:
            files[f"{name}/facts.json"] = view.facts.model_dump_json(indent=1)
        elif view.problem:
            cause = f"{view.problem}: {view.problem.reason}"
            files[f"{name}/could-not-be-looked-at.txt"] = f"{cause}\n"
    return files


def missing(collected: Mapping[str, Collected], hosts: Sequence[str]) -> tuple[str, ...]:
    """Returns, in the operator's words, the texts that were requested and did not come."""
    lines = [f"{name}: the host did not answer in time" for name in hosts if name not in collected]
    for name, answer in collected.items():
        if answer.problem:
            lines.append(f"{name}: {answer.problem.reason}")
        lines += [f"{name}: there was no time or no space for {text}" for text in answer.left_out[:_NAMED]]
        if len(answer.left_out) > _NAMED:
            lines.append(f"{name}: there was no time or no space for {len(answer.left_out) - _NAMED} more")
    return tuple(lines)


def packed(folder: str, contents: Mapping[str, str]) -> bytes:
    """Returns the archive of one folder with these texts."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
        for name, content in sorted(contents.items()):
            _add(archive, f"{folder}/{name}", content.encode(errors="replace"))
    return file.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
    archive.addfile(entry, io.BytesIO(content))
