"""Words for `vllm serve`, read as vLLM reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.plan.arguments import Arguments


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("--max-model-len 4096", 4096),
        ("--max-model-len=4096", 4096),
        ("--max_model_len 4096", 4096),
        ("--max-model-len 1 --max-model-len 2", 2),
        ("--max-model-len 32k", 32_000),
        ("--max-model-len 32K", 32_768),
        ("--max-model-len 25.6k", 25_600),
        ("--max-model-len 1M", 1 << 20),
        ("--other 4096", None),
        ("--max-model-len.x 4096", None),
    ],
)
def test_numbers(words: str, value: int | None) -> None:
    """Suffixes as in vLLM's human_readable_int."""
    assert Arguments(words.split()).number("--max-model-len") == value


@pytest.mark.parametrize("said", ["many", "1.5K", "1.5", "", "0x10"])
def test_what_is_no_number_is_named(said: str) -> None:
    with pytest.raises(ValueError, match="--max-model-len is "):
        Arguments(["--max-model-len", said]).number("--max-model-len")


@pytest.mark.parametrize(
    ("words", "has"),
    [
        ("--enforce-eager", True),
        ("--enforce-eager --no-enforce-eager", False),
        ("--no-enforce-eager --enforce-eager", True),
        ("--enforce-eager --no-enforce-eager --enforce-eager", True),
        ("--no-enforce-eager", False),
        ("--enforce", False),
        ("", False),
    ],
)
def test_flags_and_what_takes_them_back(words: str, has: bool) -> None:
    assert Arguments(words.split()).has("--enforce-eager") is has


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("-q fp8", "--quantization", "fp8"),
        ("--device-memory-utilization 0.8", "--gpu-memory-utilization", "0.8"),
        ("--max-model-len -1", "--max-model-len", "-1"),
        ("--enforce-eager --dtype half", "--enforce-eager", None),
    ],
)
def test_other_names_and_values(words: str, name: str, value: str | None) -> None:
    assert Arguments(words.split()).text(name) == value


def test_options_as_they_are_written() -> None:
    words = ["--a=1", "-q", "fp8", "--b.c", "{}", "--d.e+=x", "-1", "word", "--b.c", "2"]
    assert Arguments(words).options == ("--a", "-q", "--b", "--d", "--b")


def test_objects_whole_and_by_dotted_keys() -> None:
    words = ["--hf-overrides", '{"a": 1, "v": {"x": 1}}', "--hf-overrides.v.y", "2", "--hf_overrides.name", "b_c"]
    assert Arguments(words).mapping("--hf-overrides") == {"a": 1, "v": {"x": 1, "y": 2}, "name": "b_c"}
    assert Arguments(()).mapping("--hf-overrides") == {}


@pytest.mark.parametrize("said", ["[]", "1", "{", "word"])
def test_what_is_no_object_is_named(said: str) -> None:
    with pytest.raises(ValueError, match="--hf-overrides is not a JSON object"):
        Arguments(["--hf-overrides", said]).mapping("--hf-overrides")


WORDS = st.lists(
    st.text(max_size=6)
    | st.sampled_from(
        ["--max-model-len", "--hf-overrides", "--hf-overrides.a.b", "{", "{}", "-", "--", "=", "1e9"]
    )
)


@given(WORDS)
def test_whatever_the_words(words: list[str]) -> None:
    """A value or a ValueError."""
    found = Arguments(words)
    for ask in (found.number, found.fraction, found.mapping, found.has, found.text):
        for name in ("--max-model-len", "--hf-overrides"):
            try:
                ask(name)
            except ValueError as problem:
                assert name in str(problem)  # noqa: PT017
