"""Everything that has to be known of a host before anything is started on it, in one JSON document.

Data: venv, state (root of the state directory), folder (of this cluster and host below it), ports, head (whether
this is it), model (id, revision, hf_home), and the signs by which a log of vLLM says that it is dead.
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
    from cluster.remote.common.processes import boot_id, command_line, payload, processes, read_record, unit_pids
    from cluster.remote.common.unit_state import launcher, presence
    from cluster.remote.facts.gpus import gpus
    from cluster.remote.facts.hardware import hardware
    from cluster.remote.facts.links import links_between
    from cluster.remote.facts.machine import machine
    from cluster.remote.facts.model import config_of, model_files
    from cluster.remote.facts.network import addresses, listeners
    from cluster.remote.facts.software import software, versions

#: Bytes of a log that has grown for months: an engine that dies says so last.
LOG_END = 1 << 20


def ours(folder: str) -> set[int]:
    """The processes of both units."""
    table = processes()
    return {pid for unit in ("ray", "vllm") for pid in unit_pids(os.path.join(folder, unit), table)}


def unit_state(folder: str, died: bool = False) -> dict[str, Any]:
    """What runs of a unit; one that has `died` is dead, whether or not its process has left."""
    seen = {**presence(folder), "pids": sorted(unit_pids(folder, processes()))}
    record = read_record(folder)
    if record is None:
        return seen
    if died:
        seen["presence"] = "dead"
    age = max(0.0, time.time() - record["launched"])
    named = {"argv": record["argv"], "fingerprint": record["fingerprint"], "launched_by": launcher(record)}
    return {**seen, **named, "age": age}


def units(data: dict[str, Any], folder: str) -> dict[str, Any]:
    """Both units; an engine is dead by its log as well."""
    signs, vllm = Signs(*(data[name] for name in Signs._fields)), os.path.join(folder, "vllm")
    log = lines_that_decide(os.path.join(vllm, "log"), signs.ready)
    return {"ray": unit_state(os.path.join(folder, "ray")), "vllm": unit_state(vllm, engine_died(log, signs))}


def lines_that_decide(path: str, ready: str) -> "Iterator[str]":
    """Each line of the log to the one that says `ready`, and then its end; none where there is no log.

    What lies between was written by clients, for months, and means nothing.
    """
    try:
        with open(path, "rb") as file:
            for line in iter(file.readline, b""):
                text = line.decode(errors="replace")
                yield text
                if ready in text:
                    yield end_of(file)
                    return
    except OSError:
        pass


def end_of(file: "BinaryIO") -> str:
    """From where it is read, at most the last part of it."""
    file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - LOG_END))
    return file.read().decode(errors="replace")


def user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()


def state_problem(path: str) -> str:
    """Why the state directory cannot be used; nearest existing parent must be writable."""
    if os.path.lexists(path) and (os.path.islink(path) or os.lstat(path).st_uid != os.getuid()):
        return f"{path} belongs to somebody else"
    parent = existing(path)
    return "" if os.access(parent, os.W_OK | os.X_OK) else f"{parent} is not writable"


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
    state = os.path.join(data["state"], f"o-{os.getuid()}")
    folder = os.path.join(state, data["folder"])
    # A launch may be under way, by somebody who has gone: what is ours is asked before and after it is needed.
    before = ours(folder)
    held = listeners(data["ports"])
    cards = gpus(lambda: before | ours(folder))
    known = before | ours(folder)
    room = os.statvfs(existing(state))
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
        "state": folder,
        "state_problem": state_problem(state),
        "free_mib": room.f_bavail * room.f_frsize >> 20,
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
