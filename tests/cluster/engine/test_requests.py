"""What is asked of the endpoint, and what its answers prove."""

from __future__ import annotations

import base64
import json
import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.engine.requests import Answer, Load, Token, completion, image_question, load, token
from tests.cluster.recorded import recorded


def answer(document: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document))


def completed(count: object, **choice: object) -> Answer:
    return answer({"usage": {"completion_tokens": count}, "choices": [choice]})


@pytest.mark.parametrize(
    ("said", "proof"),
    [
        (completed(1, text=" Paris"), Token(1, " Paris")),
        (completed(1, text=""), Token(1, "")),
        (completed(2, text=None), Token(2, "")),
        (completed(1, message={"role": "assistant", "content": "red"}), Token(1, "red")),
        (completed(1, message={"content": None}), Token(1, "")),
    ],
)
def test_a_token_is_counted_not_read(said: Answer, proof: Token) -> None:
    assert token(said) == proof


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Answer(0, "Connection refused"), "the endpoint did not answer: Connection refused"),
        (Answer(401, '{"error": "Unauthorized"}'), 'HTTP 401: {"error": "Unauthorized"}'),
        (Answer(500, "x" * 1000), "HTTP 500: " + "x" * 300 + "$"),
        (Answer(200, ""), "not a completion"),
        (Answer(200, "<html>"), "not a completion: <html>"),
        (answer([]), "not a completion"),
        (answer({"choices": [{"text": "x"}]}), "not a completion"),
        (answer({"usage": {"completion_tokens": 1}, "choices": []}), "not a completion"),
        (completed(None, text="x"), "not a completion"),
        (completed(1), "not a completion"),
        (completed(float("inf"), text="x"), "not a completion"),
        (Answer(200, '{"usage":' * 20_000), "not a completion"),
        (completed(0, text="many words"), "without a token"),
    ],
)
def test_everything_else_is_no_token(said: Answer, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("[", r"\[")):
        token(said)


@settings(max_examples=60)
@given(st.integers(0, 600), st.text() | st.text('{}[]",:1aEI'))
def test_arbitrary_answers_prove_something_or_nothing(status: int, text: str) -> None:
    with suppress(ValueError):
        assert token(Answer(status, text)).count >= 1


def test_a_completion_cannot_end_before_its_token() -> None:
    body = completion("ernie").body
    assert body == {"model": "ernie", "prompt": "1", "max_tokens": 1, "ignore_eos": True, "temperature": 0}


def test_the_picture_is_a_whole_png() -> None:
    body = image_question("ernie").body
    assert body is not None
    url = body["messages"][0]["content"][0]["image_url"]["url"]
    picture = base64.b64decode(url.removeprefix("data:image/png;base64,"), validate=True)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.endswith(b"IEND\xaeB`\x82")
    assert struct.unpack(">II", picture[16:24]) == (28, 28)


def test_the_load_of_a_real_engine() -> None:
    assert load(recorded("vllm/metrics.txt")) == Load(running=0, generated=9)


def test_the_load_of_several_engines_is_one() -> None:
    lines = (f'vllm:{name}{{engine="{engine}"}} 1.5e1' for name in NAMES for engine in "01")
    assert load("\n".join(lines)) == Load(30, 30)


NAMES = ("num_requests_running", "generation_tokens_total")


@pytest.mark.parametrize("value", [None, "NaN", "+Inf", "many"])
def test_metrics_of_something_else(value: str | None) -> None:
    said = "" if value is None else "\n".join(f"vllm:{name} {value}" for name in NAMES)
    with pytest.raises(ValueError, match=r".+"):
        load(said)


@settings(max_examples=60)
@given(st.lists(st.text() | st.builds("vllm:{} {}".format, st.sampled_from(NAMES), st.text("0123456789einfa.+-"))))
def test_arbitrary_metrics_are_read_or_refused(lines: list[str]) -> None:
    with suppress(ValueError):
        assert isinstance(load("\n".join(lines)), Load)
