"""Programs that run on a host: what each is sent, what it answers, and what of it stands in a list of processes.

Programs of an older version may still run there, and of a newer one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import sys
from contextlib import redirect_stdout, suppress
from io import BytesIO, StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from cluster.command import Command
from tests.orchestrator.scripted_stage import payload
from tests.public.golden import holds, shape
from tests.public.whole import Whole, program

_KNOWN = (
    "record.json",
    "lease",
    "lease.broken",
    "ray.token",
    "cache",
    "kernel.log",
    "versions.txt",
    "ray",
    "vllm",
)


def sample(whole: Whole, name: str) -> Command:
    """The first that was sent to a host."""
    return next(command for command in whole.sent if program(command) == name)


def test_what_each_is_sent(whole: Whole) -> None:
    """The environment is that of a launch, where it is recorded to the letter."""
    holds("payloads", {name: shape(*sent) for name, sent in whole.payloads().items()})


def test_names_on_hosts(whole: Whole) -> None:
    """A keeper stands in `ps` as long as its unit lives; a number there is the length of its program.

    Some files are written by one program alone, or only where something went wrong.
    """
    line = shlex.join(sample(whole, "keeper").argv)
    sources = "".join({command.stdin.decode(errors="replace") for command in whole.sent})
    asked = whole.payloads()["facts"]
    found = {
        "keeper": re.sub(r" \d+ ", " N ", line),
        "state": sorted({one["state"] for one in asked}),
        "folders of demo": sorted({one["folder"] for one in asked}),
        "known to programs": [name for name in _KNOWN if f'"{name}"' in sources],
    }
    holds("names-on-hosts", found)


#: What a program is sent in place of what it was, so that it finds something here and needs nobody's help.
CHANGED: dict[str, dict[str, Any]] = {
    "facts": {},
    "watch": {"health": ""},
    "tail": {"files": [["vllm/log", "vllm"]], "lines": 2, "follow": False},
    "nccl": {},
    "token": {"token": ""},
    "connect": {},
    "ask": {"url": "http://127.0.0.1:1/health", "body": None, "timeout": 1.0},
    "unlock": {},
    "stop": {"patience": 1.0},
    "sweep": {},
    "collect": {"commands": {}, "kernel": "", "versions": False, "ray_state": None},
}
#: Keys that are a host's own words: addresses by interface, versions by package.
_OWN = re.compile(r"(addresses|versions|software|links|machine|hardware|gpus|clock|listeners|model)[.\[]")


@pytest.mark.parametrize("name", CHANGED)
def test_what_it_answers(name: str, whole: Whole, tmp_path: Path) -> None:
    """It runs here, in the process of the tests, on a folder of its own."""
    folder = tmp_path / f"o-{os.getuid()}" / "0123abcd"
    (folder / "vllm").mkdir(parents=True, mode=0o700)
    (folder / "vllm" / "log").write_text("one\ntwo\nthree\n")
    answers = answers_of(moved(sample(whole, name), folder, **CHANGED[name]))
    found = {"keys": sorted(place for place in shape(*answers) if not _OWN.match(place))}
    names = sorted({one["name"] for one in answers if "name" in one})
    holds("answers", found | ({"names": names} if names else {}), name)


def moved(command: Command, folder: Path, **more: Any) -> Command:
    """The same on this machine: in this folder, with the Python of the tests, and nobody but it is asked."""
    length, data = int(command.argv[-2]), payload(command) | more
    if data.get("state") == "/var/tmp":
        data |= {"state": str(folder.parents[1]), "folder": folder.name}
    data |= {"targets": [{**one, "address": "127.0.0.1", "port": 1} for one in data.get("targets", ())]}
    said = json.dumps(data).replace("/var/tmp/o-1000/0123abcd", str(folder)).encode() + b"\n"
    argv = tuple(word.replace("/opt/vllm", sys.prefix) for word in command.argv)
    return dataclasses.replace(command, argv=argv, stdin=command.stdin[:length] + said)


def answers_of(command: Command) -> list[dict[str, Any]]:
    """Returns the answers of a program that runs in this process."""
    length, out = int(command.argv[-2]), StringIO()
    stdin = SimpleNamespace(buffer=BytesIO(command.stdin[length:]))
    with mock.patch.object(sys, "stdin", stdin), redirect_stdout(out), suppress(SystemExit):
        exec(compile(command.stdin[:length], program(command), "exec"), {"__name__": "__main__"})
    return [json.loads(row) for row in out.getvalue().splitlines()]
