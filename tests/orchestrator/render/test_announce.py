"""The endpoint, as announced."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.values import NcclTransport
from orchestrator.render import announce
from orchestrator.render.json_text import to_json
from orchestrator.render.text import ASCII
from tests.orchestrator.render.story import ANNOUNCEMENT


def test_the_block() -> None:
    assert (
        announce.text(ANNOUNCEMENT)
        == """\
endpoint   http://10.0.0.1:8000
model      baidu/ERNIE-4.5-VL-424B-A47B-PT
served as  ernie-4.5-vl
layout     TP16 × PP1 over 2 hosts, 16 GPUs
hosts      gpu-a, gpu-b
transport  NET/IB/GDRDMA (Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA)
KV cache   1,203,456 tokens
proof      one token, asked from this machine: " Paris"
phases     Observe hosts 1.2 s · Start Ray head 4.1 s · Load the model 9 min 12 s

curl -sS http://10.0.0.1:8000/v1/completions -H 'Content-Type: application/json' \
-d '{"model": "ernie-4.5-vl", "prompt": "The capital of France is", "max_tokens": 32}'"""
    )


def test_one_host() -> None:
    alone = replace(
        ANNOUNCEMENT, hosts=("gpu-a",), gpus=8, tensor_parallel_size=8, transport=None, kv_cache_tokens=None
    )
    shown = announce.text(alone, ASCII).splitlines()
    assert shown[3] == "layout     TP8 x PP1 on 1 host, 8 GPUs"
    assert shown[5:7] == ["transport  within one host", "KV cache   size unknown"]


@pytest.mark.parametrize(
    ("transport", "shown"),
    [
        (None, "transport  unknown"),
        (NcclTransport("unknown"), "transport  unknown"),
        (
            NcclTransport("NET/Socket", "via NET/Socket/0"),
            "transport  NET/Socket, slow: TCP instead of RDMA (via NET/Socket/0)",
        ),
    ],
)
def test_transport(transport: NcclTransport | None, shown: str) -> None:
    assert shown in announce.text(replace(ANNOUNCEMENT, transport=transport)).splitlines()


def test_a_token_may_be_anything() -> None:
    assert 'proof      one token, asked from gpu-a: "\\u001b[2J"' in announce.text(
        replace(ANNOUNCEMENT, token="\x1b[2J", proved_from="gpu-a")
    )


@pytest.mark.parametrize("url", ["http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/"])
def test_curl_fits_the_url_with_and_without_v1(url: str) -> None:
    assert shlex.split(announce.curl(replace(ANNOUNCEMENT, url=url)))[2] == "http://h:8000/v1/completions"


def test_curl_survives_a_real_shell_with_any_name_and_sends_the_key(tmp_path: Path) -> None:
    stand_in = tmp_path / "curl"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
    stand_in.chmod(0o755)
    line = announce.curl(replace(ANNOUNCEMENT, served_name='it\'s `$HOME` "x"', needs_key=True))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "VLLM_API_KEY": "sesame"}
    ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment, check=True)
    words = ran.stdout.split("\0")
    assert words[3] == "Authorization: Bearer sesame"
    assert json.loads(words[words.index("-d") + 1])["model"] == 'it\'s `$HOME` "x"'
    assert "sesame" not in line


def test_the_document() -> None:
    told = json.loads(to_json(announce.document(ANNOUNCEMENT)))
    assert told["url"] == "http://10.0.0.1:8000"
    assert told["hosts"] == ["gpu-a", "gpu-b"]
    assert told["transport"]["kind"] == "NET/IB/GDRDMA"
    assert told["phases"][0] == {"title": "Observe hosts", "seconds": 1.21}
    assert told["curl"] == announce.curl(ANNOUNCEMENT)
