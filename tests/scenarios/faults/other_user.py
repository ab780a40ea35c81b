"""Another user of a host: what they plant by our names, and what must be as it was in the end."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.faults.case import Case
from tests.scenarios.faults.parsed_report import ParsedReport, from_error
from tests.scenarios.hosts import wait_for
from tests.scenarios.operator import Operator

SECRET = "aws_session = mySessionWithoutAKnownShape"
TOP = "/var/tmp/o-0"
#: A folder that the remote user alone may enter.
VICTIM = "/var/tmp/victim"

_THEIRS = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
_VICTIM = f"""
umask 077; mkdir -p {VICTIM}; cd {VICTIM}
for name in log lease ray.token nccl.node.1.log thesis; do echo '{SECRET}' > $name; done
ln -s . ray; ln -s . vllm; ln -s . cache
find . -exec touch -h -d 2026-07-01 {{}} +
"""
#: With the time of the last read of each file; looking at a folder is no read of what lies in it.
_LOOK = rf"cd {VICTIM}; find . -type d -printf '%p %m %u %T@\n' -o -printf '%p %y %m %u %s %T@ %C@ %A@\n' | sort"


class DiscreetOperator(Operator):
    """An operator to whom no command may show what is in the victim's files."""

    def run(self, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        done = super().run(*words, **more)
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback (most recent call last)" not in done.stderr.splitlines()
        return done


@dataclass
class OtherUser:
    """`nobody` on this host of the case; `pids` are processes that nothing of ours may signal."""

    case: Case
    host: str
    before: str = ""
    pids: dict[int, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The cluster's folder on the host."""
        cluster = yaml.safe_load(self.case.hosts.inventory.read_text())["cluster"]
        return f"{TOP}/{hashlib.sha256(f'{cluster}/{self.host}'.encode()).hexdigest()[:8]}"

    def root(self, script: str) -> str:
        """Runs as the remote user, in /var/tmp."""
        return self.case.hosts.run(self.host, "sh", "-ec", f"cd /var/tmp\n{script}")

    def does(self, script: str, *, where: str = "/var/tmp") -> str:
        """Runs as `nobody`."""
        return self.case.hosts.run(self.host, *_THEIRS, "sh", "-ec", f"umask 0; cd {where}\n{script}")

    def plants(self, fault: str, script: str) -> None:
        """What follows is about this fault: `nobody` runs the script in /var/tmp, where nothing of ours is."""
        self._begin(fault)
        self.does(script.format(folder=self.folder))

    def plants_inside(self, fault: str, script: str) -> None:
        """The same in a folder of ours that was open to all and is no longer, as after the fix that `check` names.
        The script runs in the folder of the cluster."""
        self._begin(fault)
        ours = f"{self.folder} {self.folder}/ray {self.folder}/vllm"
        self.root(f"umask 0; mkdir -p {ours}; chmod 777 {TOP}")
        self.does(script, where=self.folder)
        self.root(f"find {TOP} -user root -type d -exec chmod go-w {{}} +")

    def _begin(self, fault: str) -> None:
        self.root(f"rm -rf {TOP}")
        self.case.fault = f"local user: {fault}"
        self.case.inject()

    def process(self, words: str, *, where: str = "/var/tmp", theirs: bool = False) -> int:
        """Starts one that nothing of ours may signal, of the remote user or `theirs`."""
        user = " ".join(_THEIRS) if theirs else ""
        pid = int(self.root(f"cd {where}; setsid {user} {words} </dev/null >/dev/null 2>&1 & echo $!"))
        self.pids[pid] = self.identity(pid)
        return pid

    def wait(self, condition: str) -> None:
        """Waits until this shell condition holds on the host."""
        wait_for(condition, lambda: self.root(f"if {condition}; then echo yes; fi"))

    def look(self) -> str:
        """Returns the victim's files as they are, with the times of their last change and their last read."""
        return self.root(_LOOK)

    def identity(self, pid: int) -> str:
        """The time of its start; empty where it has ended or was stopped."""
        script = f"sed 's/.*) //' /proc/{pid}/stat 2>/dev/null | awk '$1 !~ /[ZXTt]/ {{print $20}}'"
        return self.root(script).strip()

    def record_of(self, pid: int) -> str:
        """Returns the words that write a whole record of this boot into `ray`, with this process as keeper."""
        boot = self.root("cat /proc/sys/kernel/random/boot_id").strip()
        keeper = {"keeper": pid, "ticks": int(self.identity(pid)), "boot": boot}
        record = {"argv": ["ray"], "fingerprint": "x", "launched": 1.0, "status": None, **keeper}
        return f"echo '{json.dumps(record)}' > ray/record.json"

    def assert_untouched(self) -> None:
        """No file of the victim was changed or read, and no process has ended or was stopped."""
        assert self.look() == self.before
        assert {pid: self.identity(pid) for pid in self.pids} == self.pids

    def refused(self, code: int, verb: str) -> ParsedReport:
        """As of the case, on this host."""
        report = self.case.refused(code, verb)
        assert report.host == self.host
        self.assert_untouched()
        return report

    def told_by_status(self, cause: str) -> ParsedReport:
        report = self.case.until_status(cause)
        self.assert_untouched()
        return report

    def told_by_logs(self, code: int, *words: str) -> ParsedReport | None:
        """Returns the error of `logs`, which shows no line; None where there is none."""
        inventory = self.case.hosts.inventory
        done = self.case.operator.run("logs", inventory, self.host, *words, "--output", "json")
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert code or f"{self.host}: no log of" in done.stderr
        self.assert_untouched()
        return from_error(json.loads(done.stderr.splitlines()[-1])) if code else None

    def told_by_diagnose(self, code: int, *absent: str) -> ParsedReport | None:
        """Returns the problem that `diagnose` tells; its bundle has nothing of the victim and no such file."""
        path = self.case.operator.state.parent / "bundle.tar.gz"
        done = self.case.operator.run("diagnose", self.case.hosts.inventory, "--to", path, "--output", "json")
        assert done.returncode == code, done.stderr
        with tarfile.open(path) as archive:
            texts = {member.name: _text(archive, member) for member in archive}
        assert len(texts) > 5
        assert not [name for name, text in texts.items() if SECRET in text]
        assert not [name for name in texts for last in absent if name.endswith(f"{self.host}/{last}")]
        self.assert_untouched()
        problems = json.loads(done.stdout)["problems"]
        return from_error(problems[0]) if problems else None

    def add_row(self, report: ParsedReport | None, then: str) -> ParsedReport:
        assert report
        self.case.add_row(report, None, then)
        return report

    def runs(self, unit: str) -> str:
        """What `status` says of a unit here."""
        status = self.case.status()
        (host,) = [each for each in status["hosts"] if each["host"] == self.host]
        assert bool(host["problem"]) == (host[unit] == "dead")
        self.assert_untouched()
        return str(host[unit])

    def down(self) -> dict[str, Any]:
        """Takes the cluster down, which leaves no name in our folder."""
        done = self.case.operator.run("down", self.case.hosts.inventory, "--output", "json")
        assert done.returncode == 0, (done.stdout, done.stderr[-2000:])
        self.assert_untouched()
        assert self.root(f"ls -A {self.folder} 2>/dev/null || true") == ""
        result: dict[str, Any] = json.loads(done.stdout)
        return result


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member)
    return file.read().decode(errors="replace") if file else ""


@contextmanager
def other_user(case: Case, host: str = "node1") -> Iterator[OtherUser]:
    """A victim lies on the host and runs there; it must be untouched after each command."""
    case.operator = DiscreetOperator(case.operator.state, case.operator.settings, case.operator.code)
    user = OtherUser(case, host)
    user.root(_VICTIM)
    user.before = user.look()
    try:
        user.process("sleep 98765")
        yield user
        user.assert_untouched()
    finally:
        case.hosts.kill(host, *user.pids)
        user.root(f"rm -rf {TOP} {VICTIM}")
