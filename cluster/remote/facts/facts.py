"""All facts of a host that are needed before a start, in one JSON document.

Data:
- venv
- state: the root of the state directory
- folder: that of this cluster and host below it
- ports
- head: whether this is the head
- model: id, revision, hf_home
- the signs in a log of vLLM that the engine has failed
"""

import getpass
import json
import os
import platform
import pwd
import resource
import socket
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.engine_log import Signs, engine_died
    from cluster.remote.common.owned_folder import (
        Found,
        NotOurs,
        OpenFolder,
        in_the_way,
        inside,
        path_of,
        user_folder,
        user_name,
    )
    from cluster.remote.common.processes import boot_id, command_line, payload, processes
    from cluster.remote.common.records import read_record
    from cluster.remote.common.unit_processes import unit_pids
    from cluster.remote.common.unit_state import launcher, presence
    from cluster.remote.facts.gpus import gpus
    from cluster.remote.facts.hardware import hardware
    from cluster.remote.facts.links import links_between
    from cluster.remote.facts.machine import machine
    from cluster.remote.facts.model import config_of, model_files
    from cluster.remote.facts.network import addresses, listeners
    from cluster.remote.facts.software import software, versions

UNITS = ("ray", "vllm")
#: Bytes of a log that has grown for months: a crashing engine writes its failure last.
LOG_END = 1 << 20
#: Bytes of a log with the start of the engine, and bytes of a line that count.
LOG_START, LONGEST_LINE = 64 << 20, 64 << 10


def ours(folder: "Found") -> set[int]:
    """Returns the processes of both units."""
    table = processes()
    return {pid for unit in UNITS for pid in unit_pids(inside(folder, unit), table)}


def unit_state(unit: "Found", died: bool = False) -> dict[str, Any]:
    """Returns the state of a unit; one that has `died` counts as `dead`, even if its process still runs."""
    seen = {**presence(unit), "pids": sorted(unit_pids(unit, processes()))}
    record = read_record(unit)
    if record is None:
        return seen
    if died:
        seen["presence"] = "dead"
    age = max(0.0, time.time() - record["launched"])
    named = {"argv": record["argv"], "fingerprint": record["fingerprint"], "launched_by": launcher(record)}
    return {**seen, **named, "age": age}


def units(data: dict[str, Any], folder: "Found") -> dict[str, Any]:
    """Returns both units; the log also decides about an engine."""
    signs, vllm = Signs(*(data[name] for name in Signs._fields)), inside(folder, "vllm")
    died = engine_died(lines_that_decide(vllm, signs.ready), signs)
    return {"ray": unit_state(inside(folder, "ray")), "vllm": unit_state(vllm, died)}


def lines_that_decide(unit: "Found", ready: str) -> "Iterator[str]":
    """Yields each line of the log up to the `ready` line, and then its end; none where there is no log.

    Clients wrote the part between, for months, and it means nothing. Only the beginning of a line without an end
    counts.
    """
    if not isinstance(unit, OpenFolder):
        return
    try:
        with open(unit.open("log"), "rb") as file:
            while file.tell() < LOG_START:
                text = start_of_line(file).decode(errors="replace")
                if not text:
                    return
                yield text
                if ready in text:
                    break
            yield end_of(file)
    except OSError:
        pass


def start_of_line(file: "BinaryIO") -> bytes:
    """Returns the next line, cut to its beginning; empty at the end of the file."""
    start = piece = file.readline(LONGEST_LINE)
    while piece and not piece.endswith(b"\n") and file.tell() < LOG_START:
        piece = file.readline(LONGEST_LINE)
    return start


def end_of(file: "BinaryIO") -> str:
    """Returns the rest of the file from its position, at most the last part."""
    file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - LOG_END))
    return file.read().decode(errors="replace")


def user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()


def stranger_in(folder: "Found") -> "NotOurs | None":
    """Returns the obstacle at the path of the cluster's folder, its units or its compile caches; engines run code
    from the caches.

    A link of this user may lead to caches on another disk.
    """
    stranger = in_the_way(folder, *UNITS, "cache")
    own_link = ("link", user_name(os.getuid()), "cache")
    return None if stranger and stranger[1:] == own_link else stranger


def state_problem(root: str, folder: "Found") -> str:
    """Returns why the state directory is not usable; the nearest existing parent must be writable."""
    stranger = stranger_in(folder)
    if stranger:
        return stranger.words()
    parent = folder.real_path() if isinstance(folder, OpenFolder) else existing(root)
    return "" if os.access(parent, os.W_OK | os.X_OK) else f"{parent} is not writable"


def state(root: str, name: str, folder: "Found") -> "dict[str, Any]":
    """Returns the folder of this cluster, and the obstacle at its path."""
    stranger, top = stranger_in(folder), user_folder(root)
    room = os.statvfs(top.file if isinstance(top, OpenFolder) else existing(root))
    return {
        "state": path_of(root, name),
        "state_problem": state_problem(root, folder),
        "state_taken": stranger and stranger.told(),
        "free_mib": room.f_bavail * room.f_frsize >> 20,
    }


def existing(path: str) -> str:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def hard(limit: int) -> int:
    return resource.getrlimit(limit)[1]


def configuration(data: "dict[str, Any]") -> "dict[str, Any]":
    """Returns the model's configuration, on the head alone: all hosts have the same."""
    config = config_of(data["model"])[0] if data["head"] else None
    return {"config": "" if config is None else json.dumps(config)}


def main() -> None:
    begun = time.time()
    data = payload()
    folder = user_folder(data["state"], data["folder"])
    # A launch may be running for an operator who has left: our processes are read before and after they are
    # needed.
    before = ours(folder)
    held = listeners(data["ports"])
    cards = gpus(lambda: before | ours(folder))
    known = before | ours(folder)
    facts = {
        "boot_id": boot_id(),
        "uid": os.getuid(),
        "user": user(),
        "hostname": socket.gethostname(),
        "python": platform.python_version(),
        "python_is_venvs": os.access(os.path.join(data["venv"], "bin/python"), os.X_OK),
        "versions": versions(),
        **cards,
        "addresses": addresses(),
        "listeners": [
            {**row, "command": command_line(row["pid"])[:200], "ours": row["pid"] in known} for row in held
        ],
        "nofile": hard(resource.RLIMIT_NOFILE),
        "memlock": hard(resource.RLIMIT_MEMLOCK),
        **state(data["state"], data["folder"], folder),
        "model": model_files(data["model"]) | configuration(data),
        **units(data, folder),
    }
    facts["hardware"] = hardware(data)
    facts["software"] = software(data, facts["model"]["path"])
    facts["links"] = links_between(data)
    facts["machine"] = machine(data)
    facts["clock"] = [begun, time.time()]
    print(json.dumps(facts))


main()
