"""Everything that has to be known of a host before anything is started on it, in one JSON document.

Data: venv, state (root of the state directory), folder (of this cluster and host below it), ports, model (id,
revision, hf_home), fatal (patterns of vLLM's log that mean it will not come up), ready (one that means it has).
"""

import getpass
import json
import os
import platform
import pwd
import re
import resource
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.gpus import gpus
    from cluster.remote.hardware import hardware
    from cluster.remote.links import links_between
    from cluster.remote.machine import machine
    from cluster.remote.model import model_files
    from cluster.remote.network import addresses, listeners
    from cluster.remote.presence import presence
    from cluster.remote.processes import boot_id, command_line, payload, processes, read_record, unit_pids
    from cluster.remote.software import software, versions


def ours(folder: str) -> set[int]:
    """The processes of both units."""
    table = processes()
    return {pid for unit in ("ray", "vllm") for pid in unit_pids(os.path.join(folder, unit), table)}


def sighting(folder: str, fatal: list[str], ready: str) -> dict[str, Any]:
    """What runs of a unit; one whose log holds a fatal line is dead, whether or not its process has left."""
    seen = {**presence(folder), "pids": sorted(unit_pids(folder, processes()))}
    record = read_record(folder)
    if record is None:
        return seen
    if says(folder, fatal, ready):
        seen["presence"] = "dead"
    age = max(0.0, time.time() - record["launched"])
    return {**seen, "argv": record["argv"], "fingerprint": record["fingerprint"], "age": age}


def says(folder: str, signs: list[str], ready: str) -> bool:
    """Whether the log of the start holds one of these signs. Once the engine is `ready` its log has what its
    clients wrote, and grows for months."""
    try:
        with open(os.path.join(folder, "log"), errors="replace") as file:
            for line in file:
                if re.search(ready, line):
                    return False
                if any(re.search(sign, line) for sign in signs):
                    return True
    except OSError:
        pass
    return False


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
            {**one, "command": command_line(one["pid"])[:200], "ours": one["pid"] in known} for one in held
        ],
        "nofile": hard(resource.RLIMIT_NOFILE),
        "memlock": hard(resource.RLIMIT_MEMLOCK),
        "state": folder,
        "state_problem": state_problem(state),
        "free_mib": room.f_bavail * room.f_frsize >> 20,
        "model": model_files(data["model"]),
        "ray": sighting(os.path.join(folder, "ray"), [], data["ready"]),
        "vllm": sighting(os.path.join(folder, "vllm"), data["fatal"], data["ready"]),
    }
    facts["hardware"] = hardware(data)
    facts["software"] = software(data, facts["model"]["path"])
    facts["links"] = links_between(data)
    facts["machine"] = machine(data)
    facts["clock"] = [begun, time.time()]
    print(json.dumps(facts))


main()
