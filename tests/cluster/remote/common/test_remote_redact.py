"""What is taken out of what hosts say, and what is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster.inventory import SECRET_NAMES
from cluster.remote.common.redact import REDACTED, redact, secrets_of

RECORDED = Path(__file__).parents[3] / "recorded"
PLANTED = "s3cr3t-Value"


def shown(text: str, *values: str) -> str:
    return redact(text, values, SECRET_NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "HF_TOKEN={}",
        "export HF_TOKEN='{} with spaces'",
        "env: {{'HOME': '/root', 'HF_TOKEN': '{}', 'SHELL': '/bin/bash'}}",
        '{{"AWS_SECRET_ACCESS_KEY": "{}"}}',
        '{{\\"VLLM_API_KEY\\": \\"{}\\"}}',
        "non-default args: {{'api_key': ['{}'], 'port': 8000}}",
        "--api-key {} --port 8000",
        "--hf-token={}",
        '["serve", "--api-key", "{}"]',
        "password: {}",
        '{{"line": "HF_TOKEN={} and more"}}',
        "env={{'A': \"HF_TOKEN={}\"}}",
        "Authorization: Bearer {}",
        "curl -H 'x-api-key: {}'",
        "http://bob:{}@proxy:3128/",
        "hub token hf_abcdefghijkl{0}",
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_by_their_names_and_shapes(text: str) -> None:
    planted = "s3cr3tValue" if "hf_" in text else PLANTED
    assert planted not in shown(text.format(planted))
    assert REDACTED in shown(text.format(planted))


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 512, 'max_num_batched_tokens': 4096, skip_tokenizer_init=False",
        "GPU KV cache size: 1,203,456 tokens, Maximum concurrency for 512 tokens per request",
        "RAY_AUTH_TOKEN_PATH=/var/tmp/o-0/3f/ray.token RAY_AUTH_MODE=token",
        "TOKENIZERS_PARALLELISM=true VLLM_API_KEY= HF_TOKEN=None",
        "eos_token='</s>' pad_token_id=0 'bos_token': '<s>'",
        "HOME=/root SHELL=/bin/bash",
        "prompt_token_ids: [1, 2, 3]",
        "http://10.0.0.2:8000/v1/completions",
        "the token of this Ray is not the head's",
    ],
)
def test_words_that_are_no_secrets(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "path",
    sorted({*RECORDED.rglob("*.*")} - {*RECORDED.rglob("*help.txt")}),
    ids=lambda path: "-".join(path.parts[-2:]),
)
def test_nothing_is_taken_out_of_what_engines_really_say(path: Path) -> None:
    text = path.read_text()
    assert shown(text) == text


def test_known_values_go_wherever_they_stand_the_longest_first() -> None:
    assert shown("a abcdefgh b abcdefghij c", "abcdefgh", "abcdefghij") == f"a {REDACTED} b {REDACTED} c"
    assert shown("short abc", "abc") == "short abc"


def test_secrets_of_an_environment(tmp_path: Path) -> None:
    environment = {
        "HF_TOKEN": "hf_1234567",
        "RAY_AUTH_TOKEN_PATH": "/var/tmp/ray.token",
        "GITHUB_TOKEN": str(tmp_path),
        "API_KEY": "true",
        "HOME": "/root",
    }
    assert secrets_of(environment, SECRET_NAMES) == ["hf_1234567"]


@example("--TOKEN", "--api-key ")
@example("TOKEN =", "--api-key ")
@given(st.text(max_size=60), st.sampled_from(["HF_TOKEN=", "'api_key': ['", "--api-key ", "Bearer "]))
def test_it_never_fails_and_hides_what_follows(before: str, name: str) -> None:
    line = f"{before} {name}{PLANTED}"
    assert PLANTED not in shown(line) or not re.search(rf"(?:^|\s){re.escape(name)}", line)
