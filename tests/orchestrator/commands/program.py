"""Runs the program before scripted hosts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from cluster.transport.fleet import Fleet
from cluster.transport.host import Host, Transport
from orchestrator.cli import cli
from tests.orchestrator.simulated_cluster import written


def run(transports: Mapping[str, Transport], folder: Path, verb: str, *words: str) -> int:
    """Returns its exit code."""
    fleet = Fleet([Host(name, transport) for name, transport in transports.items()])
    with mock.patch("orchestrator.session.session.connected", return_value=fleet):
        return cli.main([verb, str(written(folder)), *words])
