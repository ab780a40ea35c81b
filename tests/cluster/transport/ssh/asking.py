"""What the tests of connecting have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.command import Command
from cluster.errors import Unreachable
from cluster.transport.host import Host
from tests.cluster.transport.ssh.conftest import Spec
from tests.cluster.transport.ssh.sshd import Sshd

WHERE = Command(("sh", "-c", 'echo "$SSH_CONNECTION"'), "ask where it is")


def port_reached(host: Host) -> int:
    return int(host.run(WHERE).stdout.split()[3])


def refusal(host: Host) -> Unreachable:
    with pytest.raises(Unreachable) as failure:
        host.run(WHERE)
    assert failure.value.host == "gpu-1"
    assert failure.value.cause
    assert failure.value.cure
    return failure.value


def spec_of(sshd: Sshd, key: Path | None, jump: Spec | None = None) -> Spec:
    return Spec(sshd.address, sshd.port, identity_file=key, jump=jump)
