"""The client's argument list."""

from __future__ import annotations

from typing import Any

from cluster.bench.command import argv
from cluster.bench.workload import GUIDE, Cell
from tests.cluster.builders import inventory

GUIDES = (
    "--dataset-name random --random-input-len 8000 --random-output-len 1000 --request-rate 10 --num-prompts 16"
    " --ignore-eos"
)


def words(*arguments: str, salt: str = "", **serve: Any) -> str:
    asked = inventory(serve={"arguments": arguments, **serve})
    more: dict[str, Any] = {"url": "http://127.0.0.1:8000", "tokenizer": "/hf/ernie", "rate": 10.0, "seed": 7}
    return " ".join(argv(asked, Cell(GUIDE[0], 16), vllm="/opt/vllm/bin/vllm", salt=salt, **more))


def test_it_is_the_guides_command() -> None:
    said = words("--trust-remote-code")
    assert said.startswith("/opt/vllm/bin/vllm bench serve ")
    assert GUIDES in said
    assert said.endswith(" --trust-remote-code")
    assert "--model baidu/ERNIE-4.5-VL-424B-A47B-PT --served-model-name ernie --tokenizer /hf/ernie" in said
    assert "--base-url http://127.0.0.1:8000" in said
    assert "--seed 7 --ready-check-timeout-sec 0" in said


def test_remote_code_is_trusted_only_where_the_server_does() -> None:
    assert "--trust-remote-code" not in words()


def test_the_salt_travels_in_the_body() -> None:
    assert "--extra-body" not in words()
    assert words(salt="bench-1").endswith('--extra-body {"cache_salt": "bench-1"}')


def test_a_tokenizer_that_the_server_was_given() -> None:
    assert "--tokenizer /other --tokenizer-mode slow " in words("--tokenizer=/other", "--tokenizer-mode", "slow")
