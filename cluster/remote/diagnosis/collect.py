"""Brings a host's evidence about a failed start: logs, records, processes, connections, GPUs, kernel.

Data:
- state: the root of the state directory
- folder: that of this cluster and host below it
- files: each with pattern, head, tail and within
- commands: words by name
- processes: whether to read ours
- versions: whether to list the installed packages
- kernel: a pattern, empty to leave it out
- kernel_within, in seconds
- ray_state: a program and its data, or null
- secret_names: a pattern
- seconds: the time limit
- most: the limit in bytes

Prints a line of JSON for each text as soon as it has it: a caller that stops waiting keeps the texts so far.
A line has a name, and the text, packed and without secrets. The last line names the texts that did not fit into
the limits.
"""

import json
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import NotPlain, OpenFolder, inside, user_folder
    from cluster.remote.common.processes import payload, processes
    from cluster.remote.common.redact import secrets_of
    from cluster.remote.common.unit_processes import unit_pids
    from cluster.remote.diagnosis.host_commands import ask_ray, installed, kernel_said, say_commands, say_ray
    from cluster.remote.diagnosis.sockets import sockets
    from cluster.remote.diagnosis.stacks import under_way
    from cluster.remote.diagnosis.teller import Teller, at_most
    from cluster.remote.facts.gpus import gpus


def both_ends(opened_file: int, head: int, tail: int) -> str:
    """Returns the first and the last bytes of a file, on whole lines: a secret must not be cut into two."""
    with open(opened_file, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= head + tail:
            return file.read(head + tail).decode(errors="replace")
        first = file.read(head).rpartition(b"\n")[0]
        file.seek(size - tail)
        last = file.read(tail).partition(b"\n")[2]
    omitted = size - len(first) - len(last)
    between = f"\n[{omitted} bytes were left out here]\n" if first else f"[{omitted} bytes were left out here]\n"
    return first.decode(errors="replace") + between + last.decode(errors="replace")


def say_files(teller: Teller, base: "OpenFolder", files: "list[dict[str, Any]]") -> None:
    """Tells each file once, by its name below `base`."""
    done = set()
    for wanted in files:
        youngest = sorted(base.matching(wanted["pattern"]), key=lambda match: (age(*match[1:]), match[0]))
        for name, folder, last in youngest:
            if name in done or age(folder, last) > wanted["within"]:
                continue
            done.add(name)
            if teller.late():
                teller.left_out.append(name)
                continue
            say_file(teller, name, folder, last, wanted)


def age(folder: "OpenFolder", name: str) -> float:
    """Returns the seconds since the last write to it."""
    try:
        return time.time() - folder.status(name).st_mtime
    except OSError:
        return 0.0


def say_file(teller: Teller, name: str, folder: "OpenFolder", last: str, wanted: "dict[str, Any]") -> None:
    """Tells one file. A file that exceeds its slice of the time is left out: its writer may be hostile."""
    try:
        with at_most(teller.slice()):
            text = both_ends(folder.open(last), wanted["head"], wanted["tail"])
            shown = teller.shown(text)
    except NotPlain:
        return
    except TimeoutError:
        teller.left_out.append(name)
        return
    except OSError as problem:
        text = f"[could not be read: {problem.strerror}]\n"
        shown = text.encode()
    if text and "\0" not in text[:4096]:
        teller.tell(name, text, shown)


def main() -> None:
    data = payload()
    base = user_folder(data["state"], data["folder"])
    teller = Teller(data, secrets_here(base, data["secret_names"]))
    ray = ask_ray(data["ray_state"])
    table = processes()
    ours = {pid for unit in ("ray", "vllm") for pid in unit_pids(inside(base, unit), table)}
    if data["processes"]:
        teller.say_json("processes.json", under_way(ours, table, teller.end))
        teller.say_json("connections.json", sockets(ours))
        teller.say_json("gpus.json", gpus(lambda: ours))
    if isinstance(base, OpenFolder):
        say_files(teller, base, data["files"])
    if data["kernel"]:
        teller.say(
            "kernel.log", "".join(f"{line}\n" for line in kernel_said(data["kernel"], data["kernel_within"]))
        )
    if data["versions"]:
        teller.say("versions.txt", installed())
    say_ray(teller, ray)
    say_commands(teller, data["commands"])
    print(json.dumps({"left_out": teller.left_out}), flush=True)


def secrets_here(base: Any, names: str) -> "list[str]":
    """Returns the secrets of the session, and Ray's token."""
    values = secrets_of(os.environ, names)
    try:
        if isinstance(base, OpenFolder):
            values.append(base.read("ray.token").decode(errors="replace").strip())
    except OSError:
        pass
    return values


main()
