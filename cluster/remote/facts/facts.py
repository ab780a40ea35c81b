"""All facts about a host that a start needs, in one JSON document.

Data: venv, state (root of the state directory), folder (of this cluster and host below it), ports, head (whether
this is the head). model has id, revision and hf_home. signs are the words by which a log of vLLM shows a crash.
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
#: Bytes of a log that has grown for months: an engine that dies says so last.
LOG_END = 1 << 20
#: How an engine came up, and what counts of a line, in bytes.
LOG_START, LONGEST_LINE = 64 << 20, 64 << 10


def ours(folder: "Found") -> set[int]:
    """The processes of both units."""
    table = processes()
    return {pid for unit in UNITS for pid in unit_pids(inside(folder, unit), table)}


def unit_state(unit: "Found", died: bool = False) -> dict[str, Any]:
    """The state of a unit; if `died` is set, its state is `dead`, whether or not its process has exited."""
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
    """Both units; an engine may have crashed by its log as well."""
    signs, vllm = Signs(*(data[name] for name in Signs._fields)), inside(folder, "vllm")
    died = engine_died(lines_that_decide(vllm, signs.ready), signs)
    return {"ray": unit_state(inside(folder, "ray")), "vllm": unit_state(vllm, died)}


def lines_that_decide(unit: "Found", ready: str) -> "Iterator[str]":
    """Each line of the log up to the one that says `ready`, and then its end; empty without a log.

    Clients wrote what lies between, perhaps for months; it means nothing. Only the beginning of an endless line
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
    """The next line, cut to its beginning; empty at the end of the file."""
    start = piece = file.readline(LONGEST_LINE)
    while piece and not piece.endswith(b"\n") and file.tell() < LOG_START:
        piece = file.readline(LONGEST_LINE)
    return start


def end_of(file: "BinaryIO") -> str:
    """From where it is read, at most the last part of it."""
    file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - LOG_END))
    return file.read().decode(errors="replace")


def user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()


def stranger_in(folder: "Found") -> "NotOurs | None":
    """The object that blocks the cluster's folder, its units' folders, or its compile caches, from which engines
    run code. A link of this user may lead to caches on another disk."""
    stranger = in_the_way(folder, *UNITS, "cache")
    own_link = ("link", user_name(os.getuid()), "cache")
    return None if stranger and stranger[1:] == own_link else stranger


def state_problem(root: str, folder: "Found") -> str:
    """Why the state directory cannot be used; nearest existing parent must be writable."""
    stranger = stranger_in(folder)
    if stranger:
        return stranger.words()
    parent = folder.real_path() if isinstance(folder, OpenFolder) else existing(root)
    return "" if os.access(parent, os.W_OK | os.X_OK) else f"{parent} is not writable"


def state(root: str, name: str, folder: "Found") -> "dict[str, Any]":
    """The folder of this cluster, and what keeps us from it."""
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
    """The model's configuration, from the head alone: all hosts have the same."""
    config = config_of(data["model"])[0] if data["head"] else None
    return {"config": "" if config is None else json.dumps(config)}


def main() -> None:
    begun = time.time()
    data = payload()
    folder = user_folder(data["state"], data["folder"])
    # A launch may be under way, by somebody who has gone: what is ours is asked before and after it is needed.
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
