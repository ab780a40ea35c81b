"""The table of `status`."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cluster.values import EndpointStatus, HostStatus, Presence
from orchestrator.render.json_text import to_json
from orchestrator.render.status import changes, document, table
from orchestrator.render.text import ASCII

HOSTS = (
    HostStatus("gpu-a", Presence.ALIVE, Presence.ALIVE, 8, 8, 7400.0),
    HostStatus("gpu-b", Presence.DEAD, Presence.ABSENT, 0, 8, None, "Ray left with status 1", "`up` again"),
    HostStatus("gpu-c", None, None, None, None, None, "could not connect\x1b[2J (unreachable)"),
)
ENDPOINT = EndpointStatus("http://10.0.0.1:8000", True, True, "1,204 tokens in 0.5 s")


def test_the_table() -> None:
    assert (
        table(HOSTS, ENDPOINT)
        == """\
HOST   RAY        VLLM       GPUS USED  UP
gpu-a  ✓ alive    ✓ alive    8/8        2 h 03 min
gpu-b  ✗ dead     – absent   0/8        –           ✗ Ray left with status 1; next: `up` again
gpu-c  ? unknown  ? unknown  ?/?        –           ✗ could not connect (unreachable)

✓ http://10.0.0.1:8000: healthy, generates tokens (1,204 tokens in 0.5 s)"""
    )


@pytest.mark.parametrize(
    ("health", "tokens", "shown"),
    [
        (True, False, "✗ http://h:8000: healthy, no tokens"),
        (True, None, "? http://h:8000: healthy, tokens not checked"),
        (False, None, "✗ http://h:8000: not healthy, tokens not checked"),
        (None, None, "? http://h:8000: health unknown, tokens not checked"),
    ],
)
def test_the_endpoint(health: bool | None, tokens: bool | None, shown: str) -> None:
    assert table((), EndpointStatus("http://h:8000", health, tokens)).splitlines()[-1] == shown


def test_no_endpoint_and_ascii() -> None:
    shown = table(HOSTS, marks=ASCII)
    assert shown.splitlines()[-1] == "- no endpoint"
    assert shown.isascii()


def test_the_document() -> None:
    told = json.loads(to_json(document(HOSTS, ENDPOINT)))
    assert told["hosts"][1]["ray"] == "dead"
    assert told["endpoint"]["tokens"] is True
    assert document(HOSTS)["endpoint"] is None


def test_at_first_everything_is_told() -> None:
    assert changes(None, (HOSTS, ENDPOINT)) == [
        "gpu-a: ray ✓ alive, vllm ✓ alive, 8/8 GPUs used",
        "gpu-b: ray ✗ dead, vllm – absent, 0/8 GPUs used, ✗ Ray left with status 1; next: `up` again",
        "gpu-c: ray ? unknown, vllm ? unknown, ?/? GPUs used, ✗ could not connect (unreachable)",
        "✓ http://10.0.0.1:8000: healthy, generates tokens (1,204 tokens in 0.5 s)",
    ]


def test_then_only_what_is_not_as_it_was() -> None:
    later = (replace(HOSTS[0], uptime=7500.0), *HOSTS[1:])
    same = replace(ENDPOINT, detail="2,408 tokens in 0.5 s")
    assert changes((HOSTS, ENDPOINT), (later, same)) == []
    lost = (replace(later[0], vllm=Presence.DEAD), *HOSTS[1:])
    assert changes((HOSTS, ENDPOINT), (lost, None)) == [
        "gpu-a: ray ✓ alive, vllm ✗ dead, 8/8 GPUs used",
        "– no endpoint",
    ]
