"""The program before scripted hosts, by what each of them answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from cluster.transport.fleet import Fleet
from cluster.transport.host import Host, Transport
from orchestrator.cli import cli
from tests.orchestrator.simulated_cluster import written


@contextmanager
def before(transports: Mapping[str, Transport]) -> Iterator[None]:
    fleet = Fleet([Host(name, transport) for name, transport in transports.items()])
    with mock.patch("orchestrator.session.session.connected", return_value=fleet):
        yield


def run(transports: Mapping[str, Transport], folder: Path, verb: str, *words: str) -> int:
    """Its exit code."""
    with before(transports):
        return cli.main([verb, str(written(folder)), *words])
