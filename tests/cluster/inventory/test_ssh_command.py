"""The command that leads to a host is that of its SSH address, which its name need not be."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.inventory import ssh_command
from tests.cluster.builders import inventory


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ({}, "ssh 10.0.0.1 kill -9 7"),
        ({"user": "anna", "port": 2222}, "ssh -p 2222 anna@10.0.0.1 kill -9 7"),
        ({"address": "fd00::1", "identity_file": "~/my key"}, "ssh -i '~/my key' fd00::1 kill -9 7"),
        (
            {"jump": {"address": "fd00::9", "port": 22, "user": "op", "jump": {"address": "gate"}}},
            "ssh -J 'gate,op@[fd00::9]:22' 10.0.0.1 kill -9 7",
        ),
    ],
)
def test_the_way_that_the_inventory_says(written: dict[str, Any], command: str) -> None:
    assert ssh_command(inventory(hosts=1, each=written).head, "kill -9 7") == command
