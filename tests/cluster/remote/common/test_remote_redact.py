"""What is taken out of what hosts say, and what is not."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
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
        "http://bob:a@{}@proxy:3128/",
        "https://{}@proxy/",
        "Authorization: token {}",
        '{{"accessToken": "{}"}}',
        "{{'clientSecret': '{}'}}",
        '{{\\\\\\"api_key\\\\\\": \\\\\\"{}\\\\\\"}}',
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n{}\n-----END PGP PRIVATE KEY BLOCK-----",
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
        "ssh://root@10.0.0.2 git@github.com 'maxTokens': 512, 'nextToken': '<s>'",
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


@pytest.mark.parametrize(
    "value", ["quo\"te'd", "back\\slash", "kl\u00fcngel", "a/b+c=d&e f", "two\nlines", "a bell\x07"]
)
@pytest.mark.parametrize(
    "written",
    [
        str,
        repr,
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False),
        lambda value: json.dumps(json.dumps(value)),
        urllib.parse.quote,
        urllib.parse.quote_plus,
        lambda value: urllib.parse.quote(value, safe=""),
    ],
)
def test_known_values_go_however_they_are_written(value: str, written: Callable[[str], str]) -> None:
    left = shown(f"it is {written(value)}.", value)
    assert re.sub(r"[\\'\"]", "", left) == f"it is {REDACTED}."


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


#: What the patterns look for, whole and in pieces: a line of one that is repeated may be read again and again.
PIECES = (
    *(
        "token",
        "TOKEN",
        "api_key",
        "_KEY",
        "--",
        "-",
        "--token",
        "_",
        ".",
        "a",
        "1",
        "none",
        "*",
        "bearer",
        "basic%20",
    ),
    *(
        "=",
        ":",
        "=>",
        " = ",
        ": ",
        " ",
        "\t",
        "\n",
        "'",
        '"',
        "\\",
        '\\"',
        "b'",
        "[",
        "]",
        ",",
        "/",
        "@",
        "://",
        "://a:",
    ),
    *("eyJ", "eyJaaaaaaaa", "hf_", "sk-", "AKIA", "xoxb-", "-----BEGIN ", "-----END ", "PRIVATE KEY", "-----"),
)


def seconds(text: str) -> float:
    begun = time.process_time()
    shown(text)
    return time.process_time() - begun


@settings(max_examples=30, deadline=None)
@example("", "token")
@example("--", "token")
@example("", "api_key=")
@example("", "token ")
@example("", "eyJaaaaaaaa-")
@example("", "eyJaaaaaaaa.eyJ-")
@example("", "--a")
@example("token='", "passphrase=")
@example("", "-----BEGIN PRIVATE KEY")
@example("://", "a:")
@given(st.sampled_from(("", *PIECES)), st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join))
def test_no_line_takes_more_time_than_its_length_is_worth(lead: str, unit: str) -> None:
    """Four times the line is four times the work; eight times is let pass on a busy machine, sixteen is not."""
    before = 0.0
    for length in (1 << 12, 1 << 14, 1 << 16):
        took = seconds(lead + unit * (length // len(unit)))
        assert took < 8 * max(before, 0.02)
        before = took


def test_a_secret_far_into_a_long_line_is_taken_out_and_nothing_around_it() -> None:
    before, after = "token " * 83_000 + "the key is ", " and more " + "x" * 500_000
    assert shown(f"{before}HF_TOKEN={PLANTED}{after}") == f"{before}HF_TOKEN={REDACTED}{after}"
    assert shown(f"{before}{PLANTED}{after}", PLANTED) == f"{before}{REDACTED}{after}"


#: What each pattern takes the most time for; a word with a number in it is another word each time.
WORST = (
    "--token ",
    "--token=",
    "--key='",
    "a_token=x ",
    "abcd=efgh=",
    "token='",
    "a--b ",
    "a{}_token=x ",
    "a{}_TOKEN=x ",
    "--a{}_token x ",
    "a{}=x ",
    "--a{} x ",
    "://a:b@",
    "://a:@",
    "bearer ",
    "eyJaaaaaaaa-",
    "-----BEGIN PRIVATE KEY",
)


def mebibyte_of(unit: str) -> str:
    words = (unit.format(number) for number in range((1 << 20) // len(unit)))
    return "".join(words)[: 1 << 20]


@pytest.mark.parametrize("unit", WORST)
def test_a_mebibyte_takes_half_a_second_of_the_processor_at_most(unit: str) -> None:
    """The least of a few measurements: others who compute beside us make any single one longer."""
    text = mebibyte_of(unit)
    assert any(seconds(text) <= 0.5 for _ in range(10))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("x-eyJabcdefgh.abcdefgh.c", f"x-{REDACTED}"),
        ("eyJ-eyJabcdefgh.abcdefgh.", REDACTED),
        ("sk-abcdefgh-eyJabcdefgh.abcdefgh.c", REDACTED),
        ("token=token=abcdef b", f"token={REDACTED} b"),
        ("--token --api-key abcdef", f"--token {REDACTED} {REDACTED}"),
        ("xx--api-key abcdef", f"xx--api-key {REDACTED}"),
        ("api_key=max_tokens: abcdef", f"api_key={REDACTED} abcdef"),
        ("token:\nabc", "token:\nabc"),
    ],
)
def test_secrets_within_words_and_values(text: str, left: str) -> None:
    assert shown(text) == left
