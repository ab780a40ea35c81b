"""Hostile users and hosts."""

from __future__ import annotations

import hashlib
import json
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.faults import hostile_shell
from tests.scenarios.faults.breakages import record
from tests.scenarios.faults.case import Case
from tests.scenarios.faults.parsed_report import ParsedReport
from tests.scenarios.faults.told import Done, measured, of_host
from tests.timing import Stopwatch

pytestmark = [pytest.mark.scenario, pytest.mark.fault, pytest.mark.timeout(600)]

#: MiB that a command may have, whatever a host says: without a hostile host it has some 75.
_MEMORY = 160
#: Seconds of a core that a look may take, whatever lies on a host.
_SOON = 15.0

_VERBS = ("check", "status", "logs", "diagnose", "down")
_DEAD = {
    "argv": ["/v/bin/vllm", "serve"],
    "fingerprint": "x",
    "keeper": 99999,
    "ticks": 1,
    "boot": "x",
    "status": 1,
}


def folder(case: Case, host: str) -> str:
    """Our folder on this host."""
    cluster = yaml.safe_load(case.hosts.inventory.read_text())["cluster"]
    return f"/var/tmp/o-0/{hashlib.sha256(f'{cluster}/{host}'.encode()).hexdigest()[:8]}"


def plant(case: Case, host: str, name: str, text: str) -> str:
    """Writes a file into our folder, which is for us alone; returns its path."""
    top = folder(case, host)
    case.hosts.run(host, "mkdir", "-p", "-m", "700", "/var/tmp/o-0", top, f"{top}/ray", f"{top}/vllm")
    case.hosts.write(host, f"{top}/{name}", text)
    return f"{top}/{name}"


@contextmanager
def shell(case: Case, line: str, host: str = "node1") -> Iterator[None]:
    """The shell of the remote user begins with this line."""
    case.hosts.write(host, "/root/.bashrc", f"{line}\n")
    try:
        yield
    finally:
        case.hosts.run(host, "rm", "/root/.bashrc")


@contextmanager
def hostile(case: Case, mode: str) -> Iterator[None]:
    """What programs of ours say on node1 is changed."""
    source = Path(hostile_shell.__file__).read_text()
    case.hosts.write("node1", "/root/hostile.py", source)
    with shell(case, f"exec > >(exec python3 -u /root/hostile.py {mode})"):
        yield


def bundle(case: Case) -> Path:
    return case.operator.state.parent / "bundle.tar.gz"


def run(case: Case, verb: str) -> tuple[Done, int]:
    """The command, for a program; and the most memory that it had."""
    more = ("--to", bundle(case)) if verb == "diagnose" else ()
    case.injected_at = time.time()
    done, peak = measured(case.operator, verb, case.hosts.inventory, *more, "--output", "json")
    assert "Traceback (most recent call last)" not in done.stderr
    return done, peak


def assert_other_shown(case: Case, verb: str, done: Done) -> None:
    """What is to be known of node0 is there, where nothing is wrong but a log of ours that lies there."""
    if verb == "logs":
        assert json.loads(done.stdout.splitlines()[0]) == {
            "host": "node0",
            "source": "ray",
            "text": "node0 is well",
        }
        return
    document = json.loads(done.stdout)
    match verb:
        case "check":
            assert {finding["host"] for finding in document["findings"]} == {"node1"}
            assert {"gpu-memory", "model", "reach"} <= set(document["passed"])
        case "status":
            node0 = document["hosts"][0]
            assert (node0["host"], node0["ray"], node0["gpus"], node0["problem"]) == ("node0", "absent", 1, "")
        case "diagnose":
            assert document["texts"]["node0"] > 5
        case "down":
            assert {left["host"] for left in document["leftovers"]} == {"node1"}
            assert case.hosts.files("node0") == ""


def assert_told(case: Case, fault: str, cause: str, codes: dict[str, int]) -> None:
    """Each command exits with its code, tells this cause of node1 with a cure, and shows node0. One row."""
    reports = []
    begun = time.time()
    plant(case, "node0", "ray/log", "node0 is well\n")
    for verb, code in codes.items():
        done, peak = run(case, verb)
        assert done.returncode == code, (verb, done.stdout[-2000:], done.stderr[-2000:])
        assert 0 < peak < _MEMORY, (verb, peak)
        assert_other_shown(case, verb, done)
        if verb != "logs" or code:
            report = of_host(verb, done, "node1")
            assert cause in report.cause, (verb, report)
            assert report.complete, (verb, report)
            assert len(report.cause) < 1000
            reports.append(report)
    exits = ", ".join(f"`{verb}` {code}" for verb, code in codes.items())
    case.add_row(reports[0], (time.time() - begun) / len(codes), f"exits: {exits}; the other host is shown", fault)


def test_a_shell_that_never_stops_talking(case: Case) -> None:
    """the shell of the remote user on a worker never stops talking"""
    with shell(case, "tr '\\0' x < /dev/zero"):
        codes = {"check": 3, "status": 0, "logs": 5, "diagnose": 5, "down": 7}
        assert_told(case, case.fault, "the output is larger than ", codes)


def test_answers_that_cannot_be_read(case: Case) -> None:
    """the facts of a worker hold numbers that are none"""
    unread = {"check": 3, "status": 0, "logs": 0, "diagnose": 5, "down": 7}
    with hostile(case, "infinite"):
        fault = "a worker answers with Infinity in place of numbers"
        assert_told(case, fault, "the answer cannot be read: machine.state_used: Input should be a finite", unread)
    with hostile(case, "nan"):
        fault = "a worker answers with NaN in place of numbers"
        assert_told(case, fault, "Input should be a finite number, and 2 more", {"check": 3, "status": 0})
    with hostile(case, "types"):
        fault = "a worker answers with a number in place of every value"
        assert_told(case, fault, "the answer cannot be read: boot_id: Input should be a valid string", unread)
    with hostile(case, "other"):
        fault = "a worker answers with valid JSON of another program"
        assert_told(case, fault, "the answer cannot be read: ", {**unread, "logs": 5})


def test_a_finding_of_100_kb(case: Case) -> None:
    """a worker says 100 KB in one finding"""
    plant(case, "node0", "ray/log", "node0 is well\n")
    with hostile(case, "long"):
        for verb, code in {"check": 3, "status": 0, "down": 7}.items():
            more = {"ORCHESTRATOR_PATIENCE_FREE": "2"}
            done = case.operator.run(verb, case.hosts.inventory, "--output", "plain", **more)
            shown = done.stdout + done.stderr
            assert done.returncode == code, shown
            assert "x" * 100 in shown
            assert len(shown) < 4096, (verb, len(shown))
            assert "node0" in shown or verb == "down"
        case.injected_at = time.time()
        done, _ = run(case, "check")
    report = of_host("check", done, "node1")
    case.add_row(report, time.time() - case.injected_at, "`check`, `status` and `down` show a line of it")


def test_what_a_host_puts_into_the_bundle(case: Case) -> None:
    """a text of a worker unpacks to 300 MiB"""
    plant(case, "node0", "ray/log", "node0 is well\n")
    with hostile(case, "bomb"):
        done, peak = run(case, "diagnose")
    document = json.loads(done.stdout)
    assert (done.returncode, document["missing"]) == (0, ["node1: there was no time or no space for vllm/log"])
    assert 0 < peak < _MEMORY, peak
    assert document["bytes"] < 1 << 20
    assert_other_shown(case, "diagnose", done)
    case.add_quiet_row(f"`diagnose` exits with 0: {document['missing'][0]}")

    case.fault = "names of a worker's texts have ../ in them, or are those of another host"
    with hostile(case, "names"):
        done, _ = run(case, "diagnose")
    assert done.returncode == 0, done.stderr
    with tarfile.open(bundle(case)) as archive:
        texts = {member.name: _content(archive, member) for member in archive}
    assert all(name.startswith("bundle/") and ".." not in name for name in texts), texts
    assert not any("forged" in text for text in texts.values())
    assert texts["bundle/node0/ray/log"] == "node0 is well\n"
    assert "bundle/node1/versions.txt" in texts
    case.add_quiet_row("`diagnose` exits with 0; they are left out, what was asked for is there")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member)
    assert file
    return file.read().decode()


def test_logs_with_long_lines(case: Case) -> None:
    """the log of an engine that died is a line of 1 GiB (a hole)"""
    plant(case, "node0", "ray/log", "node0 is well\n")
    plant(case, "node0", "vllm/record.json", json.dumps({**_DEAD, "launched": time.time() - 60}))
    log = f"{folder(case, 'node0')}/vllm/log"
    case.hosts.run("node0", "truncate", "-s", "1G", log)
    # A program that read the line would have no memory for it.
    with shell(case, "ulimit -v 524288", "node0"):
        case.injected_at = time.time()
        assert_dead(case)
        done, peak = run(case, "logs")
        assert (done.returncode, peak < _MEMORY) == (0, True), done.stderr
        assert json.loads(done.stdout.splitlines()[0])["text"] == "node0 is well"
        done, peak = run(case, "diagnose")
        assert (done.returncode, peak < _MEMORY) == (0, True), done.stderr
    case.add_outcome("`logs` shows the other log")

    case.fault = "the log of an engine that died has a line of 1 MB that reads `tokentoken…`"
    plant(case, "node0", "vllm/log", "the first line\n")
    append(case, log, "'token' * 200000 + '\\nthe last line\\n'")
    append(case, f"{folder(case, 'node0')}/ray/log", "'a' * 500000 + ' password=hunter2secret ' + 'b' * 300000")
    with Stopwatch() as watch:
        assert_dead(case)
        done, _ = run(case, "diagnose")
    assert watch.seconds < 2 * _SOON
    assert (done.returncode, json.loads(done.stdout)["missing"]) == (0, [])
    assert json.loads(done.stdout)["texts"]["node0"] > 10
    case.add_outcome("`diagnose` has every file of the host")

    case.fault = "a secret stands at byte 500,000 of a line in a log"
    with tarfile.open(bundle(case)) as archive:
        texts = {member.name: _content(archive, member) for member in archive}
    assert not any("hunter2" in text for text in texts.values())
    assert "aa password=********** bb" in texts["bundle/node0/ray/log"]
    assert "the last line" in texts["bundle/node0/vllm/log"]
    case.add_quiet_row("the bundle of `diagnose` has the line, without the secret")


def append(case: Case, path: str, expression: str) -> None:
    case.hosts.run("node0", "python3", "-c", f"import sys; open(sys.argv[1], 'a').write({expression})", path)


def assert_dead(case: Case) -> None:
    """`status` tells soon that vLLM has exited, and shows the other host."""
    with Stopwatch() as watch:
        done, peak = run(case, "status")
    assert watch.seconds < _SOON
    assert peak < _MEMORY
    report = of_host("status", done, "node0")
    assert "vLLM has exited (exit status 1)" in report.cause
    assert json.loads(done.stdout)["hosts"][1]["ray"] == "absent"
    case.add_row(report, time.time() - case.injected_at, "told by `status`")


def test_an_endpoint_that_means_no_good(case: Case) -> None:
    """vLLM listens everywhere and asks for no key"""

    def unguarded(one: dict[str, Any]) -> None:
        del one["preflight"]

    inventory = case.edited(unguarded)
    case.injected_at = time.time()
    done = case.operator.run("check", inventory, "--output", "json")
    assert done.returncode == 0, done.stderr
    report = case.finding(done, "open-endpoint")
    assert "without an API key" in report.cause

    url = case.up()["url"]
    case.fault = "a client without a key makes vLLM log lines of 60 KB that read `tokentoken…`"
    for _ in range(5):
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"{url}/{'token' * 12_000}").close()
    case.injected_at = time.time()
    status, done = case.status(), run(case, "diagnose")[0]
    assert status["endpoint"]["tokens"] is True
    assert (done.returncode, json.loads(done.stdout)["missing"]) == (0, [])
    assert "tokentoken" in case.hosts.run("node0", "tail", "-n", "20", f"{folder(case, 'node0')}/vllm/log")
    case.add_quiet_row("`status` shows that tokens come; `diagnose` has every file")

    for behaviour, fault, cause in (
        ("drip", "the endpoint answers a byte every 0.5 s", "timed out"),
        ("endless", "an answer of the endpoint never ends", "the answer is larger than 4 MiB"),
    ):
        case.hosts.behave(behaviour=behaviour)
        done, peak = run(case, "status")
        document = json.loads(done.stdout)
        seconds = time.time() - case.injected_at
        assert (done.returncode, peak < _MEMORY, seconds < 60) == (0, True, True), (peak, seconds)
        assert f"it no longer answers: {cause}" in document["endpoint"]["detail"]
        assert [host["ray"] for host in document["hosts"]] == ["alive", "alive"]
        endpoint = document["endpoint"]
        case.add_row(
            ParsedReport("node0", endpoint["detail"], endpoint["cure"]), seconds, "told by `status`", fault
        )
    case.hosts.behave()

    case.fault = "the record of Ray on a worker has a text in place of its keeper's pid"
    path, values = record(case.hosts, "node1", "ray")
    case.inject(lambda: case.hosts.write("node1", path, json.dumps({**values, "keeper": "1"})))
    report = case.until_status("the record of ray is missing, but ")
    assert report.host == "node1"
    case.operator.down(case.hosts.inventory)
    assert case.hosts.processes("node1") == {}
    case.add_outcome("`down` ends all of it")
