"""Arguments that end badly: found, with a cure; and those that do not, not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.inventory import Inventory
from cluster.launch import vllm
from cluster.model import Layout, architecture, fit
from cluster.model.overhead import Service
from cluster.plan import lint
from cluster.plan.arguments import Arguments
from cluster.values import Finding
from tests.cluster.builders import inventory
from tests.cluster.model.configs import CONFIGS

GIB = 1 << 30
LOGS = Path(__file__).parents[2] / "recorded/vllm"
OPTIONS = ("--max-model-len", "--no-enforce-eager", "--enforce-eager", "-q", "-tp", "--trust-remote-code")


def names(findings: Any) -> list[str]:
    found = list(findings)
    assert all(isinstance(one, Finding) and one.why and one.cure for one in found)
    return [one.name for one in found]


def served(*arguments: str, **serve: Any) -> Inventory:
    return inventory(serve={"arguments": arguments, **serve})


def ernie(*arguments: str, name: str = "424b", text_only: bool = False, **serve: Any) -> list[str]:
    one = served(*arguments, **serve)
    return names(lint.ernie(one, architecture(CONFIGS[name]), Arguments(arguments), text_only))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), []),
        (("--distributed-executor", "ray", "--enforce-eager"), []),
        (("--distributed-executor-backend=mp",), ["executor-backend"]),
        (("--distributed_executor_backend", "mp"), ["executor-backend"]),
    ],
)
def test_ranks_of_several_hosts_need_ray(arguments: tuple[str, ...], found: list[str]) -> None:
    """The inventory refuses it; this looks at the command line itself."""
    one = inventory()
    assert names(lint.backend(one, (*vllm.argv(one), *arguments))) == found
    alone = inventory(hosts=1)
    assert names(lint.backend(alone, (*vllm.argv(alone), *arguments))) == []


def test_a_command_line_without_a_backend_is_what_vllm_refuses() -> None:
    one = inventory()
    words = [word for word in vllm.argv(one) if word not in ("--distributed-executor-backend", "ray")]
    assert names(lint.backend(one, words)) == ["executor-backend"]


@pytest.mark.parametrize(
    ("option", "found"),
    [
        ("--tensor-parallel", ["short-form"]),
        ("--distributed-executor", ["short-form"]),
        ("--max-model", ["short-form"]),
        ("--tensor-parallel-size", []),
        ("--trust-remote-code", []),
        ("--max", []),
        ("--max_model", ["short-form"]),
        ("--gpu", ["short-form"]),
        ("--dty", ["short-form"]),
    ],
)
def test_short_forms_of_what_we_give_ourselves(option: str, found: list[str]) -> None:
    assert names(lint.short_forms(Arguments([option, "8"]))) == found


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--max-model-len", "4096", "--trust-remote-code", "-q", "fp8", "-tp8", "-O3"), []),
        (("--max_model_len=4096", "--no-enforce-eager"), []),
        (("--max-model", "4096"), []),
        (("--disable-log-requests",), ["unknown-option"]),
        (("--max-modle-len", "4096", "--max-modle-len", "1"), ["unknown-option"]),
        (("-x",), ["unknown-option"]),
    ],
)
def test_options_that_this_vllm_does_not_know(arguments: tuple[str, ...], found: list[str]) -> None:
    assert names(lint.unknown(Arguments(arguments), OPTIONS)) == found


def test_a_misspelt_option_is_guessed() -> None:
    (found,) = lint.unknown(Arguments(["--max-modle-len", "4096"]), OPTIONS)
    assert (found.found, found.cure) == ("--max-modle-len", "did you mean --max-model-len?")


def test_what_is_known_of_ernie() -> None:
    assert ernie("--trust-remote-code") == []
    assert ernie() == ["remote-code"]
    assert ernie("--trust-remote-code", "--enforce-eager") == ["enforce-eager"]
    assert ernie("--enforce-eager", name="llama") == []


def test_images_and_pipelines() -> None:
    stages: dict[str, Any] = {"tensor_parallel_size": 8, "pipeline_parallel_size": 2}
    assert ernie("--trust-remote-code", **stages) == ["pipeline-images"]
    assert ernie("--trust-remote-code", text_only=True, **stages) == []
    assert ernie("--trust-remote-code", text_only=True, prove_image=True) == ["prove-image"]
    assert ernie("--trust-remote-code", prove_image=True) == []
    assert ernie(name="llama", **stages) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", []),
        ("--quantization fp8", ["quantization-name"]),
        ("-q fp8", ["quantization-name"]),
        ("--quantization fp8_per_tensor", []),
        ("--cpu-offload-gb 50", []),
        ("--quantization fp8_per_tensor --cpu-offload-gb 0", []),
        ("--quantization fp8 --cpu-offload-gb 50", ["quantization-name", "quantization-offload"]),
    ],
)
def test_quantization(words: str, found: list[str]) -> None:
    assert names(lint.quantization(Arguments(words.split()))) == found


def lengths(asked: int, memory: int | None, **environment: str) -> list[str]:
    one = inventory(each={"environment": tuple(environment.items())})
    shape = architecture(CONFIGS["424b"])
    return names(lint.length(one, shape, fit(shape, Layout(8, fp8=True), Service(asked), memory)))


def test_the_context_that_is_asked_for() -> None:
    assert lengths(131_072, 80 * GIB) == []
    assert lengths(131_072, 70 * GIB) == ["context"]
    assert lengths(131_072, None) == []
    # No context is short enough where the weights alone do not fit: that is no matter of the context.
    assert lengths(131_072, 40 * GIB) == []


def test_more_than_the_model_was_made_for() -> None:
    """vLLM's own message: `User-specified max_model_len (100000) is greater than the derived max_model_len`."""
    log = (LOGS / "crash-max-model-len.log").read_text()
    assert "greater than the derived max_model_len" in log
    assert lengths(131_073, 80 * GIB) == ["context"]
    assert lengths(131_073, 80 * GIB, VLLM_ALLOW_LONG_MAX_MODEL_LEN="1") == []
