"""Command lines without secrets, whatever the spelling."""

from __future__ import annotations

import pytest

from cluster.launch.shown import shown


@pytest.mark.parametrize(
    "words",
    [
        ["--api-key", "SECRET-1", "SECRET-2"],
        ["--hf-overrides.api_key", "SECRET-1", "--enforce-eager"],
        ["--model-loader-extra-config.aws_secret_access_key+=SECRET-1"],
        ['--model-loader-extra-config={"secret": "SECRET-1", "threads": 4}'],
        ["--kv-transfer-config", '{"a": [{"pass\\u0077ord":\n "SECRET-1"}]}'],
        ["--otlp-traces-endpoint", "https://user:SECRET-1@collector"],
        ["--API_KEY=SECRET-1"],
        ["--proxy-password", "-SECRET-1"],
    ],
)
def test_secrets_are_not_shown(words: list[str]) -> None:
    assert "SECRET" not in " ".join(shown(words)), shown(words)


def test_all_other_words_are_shown_as_they_are() -> None:
    words = [
        "--max-num-batched-tokens",
        "8192",
        "--hf-overrides",
        '{"bos_token_id":1}',
        "-q",
        "fp8",
        "--served-model-name=a",
    ]
    assert shown(words) == tuple(words)


@pytest.mark.parametrize("options", [["--x"] * 50, ["[" * 100_000], ['{"a":' * 50_000]])
def test_words_of_any_depth_are_shown(options: list[str]) -> None:
    assert shown(options) == tuple(options)
