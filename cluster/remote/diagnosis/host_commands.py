"""The output of other programs of a host, and of its kernel, within the time limit."""

import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from cluster.remote.diagnosis.teller import Teller
    from cluster.remote.facts.hardware import kernel_log


def say_commands(teller: "Teller", commands: "dict[str, list[str]]") -> None:
    """Tells the output of each command; all run at once, and none exceeds the time limit."""
    children = {name: begun(words) for name, words in commands.items()}
    for name, child in children.items():
        if isinstance(child, str):
            teller.say(name, child)
            continue
        try:
            output, _ = child.communicate(timeout=max(0.1, teller.end - time.monotonic()))
            teller.say(name, output.decode(errors="replace"))
        except subprocess.TimeoutExpired:
            child.kill()
            teller.left_out.append(name)


def begun(words: "list[str]", stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes] | str":
    """Returns the started program, or in a word why it does not run."""
    try:
        return subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as problem:
        return f"{words[0]}: {problem.strerror}\n"


def ask_ray(request: "dict[str, Any] | None") -> "subprocess.Popen[bytes] | str | None":
    """Starts the question to Ray, before all others, because it takes longest."""
    if not request:
        return None
    child = begun([sys.executable, "-I", "-c", request["program"]], subprocess.PIPE)
    if not isinstance(child, str) and child.stdin:
        child.stdin.write(json.dumps(request["data"]).encode() + b"\n")
        child.stdin.flush()
    return child


def say_ray(teller: "Teller", child: "subprocess.Popen[bytes] | str | None") -> None:
    if child is None or isinstance(child, str):
        return
    try:
        output, _ = child.communicate(timeout=max(0.1, teller.end - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.kill()
        teller.say_json("ray_state.json", {"problem": "Ray did not answer in time"})
        return
    lines = output.decode(errors="replace").strip().splitlines() or [""]
    teller.say("ray_state.json", lines[-1] if lines[-1][:1] == "{" else json.dumps({"problem": lines[-1][:500]}))


#: The form of a line in /dev/kmsg: the level, a number, microseconds since the boot, flags; then the text.
STAMPED = re.compile(r"\d+,\d+,(\d+),[^;]*;(.*)", re.DOTALL)


def kernel_said(sign: str, within: float) -> "Iterator[str]":
    """Yields the lines of the last `within` seconds, where they show their age."""
    lines = kernel_log(sign)
    for line in ["[this user has no permission to read the kernel log]"] if lines is None else lines:
        stamped = STAMPED.match(line)
        if stamped is None:
            yield line
            continue
        ago = time.clock_gettime(time.CLOCK_MONOTONIC) - int(stamped[1]) / 1e6
        if ago <= within:
            yield f"{ago:.0f} s ago: {stamped[2].splitlines()[0] if stamped[2] else ''}"


def installed() -> str:
    """Returns every distribution of the venv."""
    from importlib import metadata

    distributions = {
        f"{distribution.metadata['Name']}=={distribution.version}" for distribution in metadata.distributions()
    }
    return "\n".join([f"python {sys.version}", *sorted(distributions, key=str.lower)])
