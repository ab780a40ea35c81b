"""`python -m tests.upgrade OLD_COMMIT`: brings a cluster up with the code of that commit and runs this code on it.
Prints a line for each proof, and exits with 1 when one does not hold."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.scenarios.hosts import ROOT, Hosts
from tests.upgrade import proofs
from tests.upgrade.old_code import NoSuchCommit, packages, unpack
from tests.upgrade.report import Report


def main(commit: str) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    report = Report()
    with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
        scratch = Path(folder)
        code = unpack(commit, scratch)
        with report.proof("the old code is what runs as the old code") as compared:
            compared += [_runs_itself(code), _runs_itself(ROOT)]
        if not report.failed:
            _prove(code, scratch, report)
    print(
        f"{len(report.failed)} proofs failed" if report.failed else f"{commit} can be upgraded without a restart"
    )
    return 1 if report.failed else 0


def _runs_itself(code: Path) -> str:
    found = packages(code)
    assert all(one.parent == code for one in found), (code, found)
    return f"{code} runs {', '.join(map(str, found))}"


def _prove(code: Path, scratch: Path, report: Report) -> None:
    with _two_hosts() as hosts:
        inventory = hosts.edited(scratch / "inventory.yaml", _with_secret)
        upgrade = proofs.Upgrade(hosts, inventory, code, scratch, report)
        proofs.plans_are_equal(upgrade)
        proofs.a_running_cluster_is_kept(upgrade)
        proofs.a_loading_engine_is_attached_to(upgrade)
        proofs.hosts_that_have_left_are_cleaned(upgrade)


@contextmanager
def _two_hosts() -> Iterator[Hosts]:
    hosts = Hosts.up(f"upgrade{os.getpid()}", 2, 2, "scripted")
    try:
        yield hosts.without_trial()
    finally:
        hosts.down()


def _with_secret(inventory: dict[str, Any]) -> None:
    """A fingerprint is of secrets as well, which no record holds. Older code does not know every check by name."""
    inventory["environment"]["HF_TOKEN"] = "a token of nobody"
    del inventory["preflight"]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("upgrade-check OLD_COMMIT")
    try:
        sys.exit(main(sys.argv[1]))
    except NoSuchCommit as problem:
        sys.exit(f"upgrade-check: {problem}")
