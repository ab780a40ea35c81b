"""A second sshd on a host, which can be killed without its host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.scenarios.faults.breakages import signal
from tests.scenarios.faults.case import Case
from tests.scenarios.hosts import wait_for

_PID = "/run/other.pid"


@dataclass(frozen=True)
class OtherSshd:
    """On the worker; `inventory` reaches it by this one."""

    case: Case
    inventory: Path
    options: tuple[str, ...]
    port: ClassVar[int] = 2223

    @classmethod
    def start(cls, case: Case, *options: str) -> OtherSshd:
        one = cls(case, _inventory(case, cls.port), options)
        one.listen()
        return one

    def listen(self) -> None:
        """In its configuration, our options come first and are the only ones of their kind."""
        kinds = "|".join(option.split()[0] for option in ("PidFile", *self.options))
        own = "".join(f"{option}\n" for option in (f"PidFile {_PID}", *self.options))
        others = 'grep -vE "^($2) " /etc/ssh/sshd_config'
        script = f'(printf %s "$1"; {others}) > /run/other && exec "$3" -f /run/other -p "$4"'
        words = ("sh", own, kinds, "/usr/sbin/sshd", str(self.port))
        self.case.hosts.run("node1", "sh", "-c", script, *words)
        wait_for("its pid", lambda: self.case.hosts.run("node1", "cat", _PID, check=False))

    @property
    def listener(self) -> int:
        return int(self.case.hosts.run("node1", "cat", _PID))

    def end(self) -> None:
        """What was brought up by this way is taken down by it."""
        self.case.operator.down(self.inventory)
        signal(self.case.hosts, "node1", "TERM", self.listener)


def _inventory(case: Case, port: int) -> Path:
    host = case.hosts.address("node1")
    known = (case.hosts.inventory.parent / "known_hosts").read_text().splitlines()
    key = next(line for line in known if host in line).split(None, 1)[1]
    path = case.operator.state.parent / "other_known_hosts"
    path.write_text("\n".join([*known, f"[{host}]:{port} {key}", ""]))

    def change(one: dict[str, Any]) -> None:
        one["known_hosts"] = str(path)
        one["hosts"][1]["port"] = port

    return case.edited(change, "other")
