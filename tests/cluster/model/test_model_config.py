"""config.json -> architecture: what is read, and what is said not to be known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.model import Architecture, UnknownModel, architecture, fit, known_config
from cluster.model.fit import checkpoint_bytes, parameters
from cluster.model.heads import attention_heads
from cluster.model.layout import Layout, obstacles
from cluster.model.overhead import Service
from tests.cluster.model.configs import CONFIGS, E28B, E424B


def test_the_424b() -> None:
    """Facts of the model: 423.53 billion parameters, 847 GB in bfloat16."""
    shape = architecture(CONFIGS["424b"])
    parts = parameters(shape)
    assert sum(parts.values()) == 423_526_285_184
    assert {part: round(number / 1e9, 2) for part, number in parts.items() if number > 5e8} == {
        "attention": 8.15,
        "dense FFN": 2.11,
        "embeddings": 0.85,
        "logits": 0.85,
        "text experts": 287.49,
        "vision experts": 123.21,
        "vision tower": 0.63,
    }
    assert round(checkpoint_bytes(shape, 2) / 1e9, 2) == 847.05


def test_the_28b_counts_its_one_matrix_of_embeddings_once() -> None:
    parts = parameters(architecture(CONFIGS["28b"]))
    assert "logits" not in parts
    assert round(sum(parts.values()) / 1e9, 1) == 29.4


@pytest.mark.parametrize("name", [E424B, f"baidu/{E424B}", f"/models/{E424B}", f"baidu/{E28B}"])
def test_models_that_are_known_without_their_config(name: str) -> None:
    config = known_config(name)
    assert config is not None
    config_of = CONFIGS["424b" if "424B" in name else "28b"]
    assert architecture(config) == architecture(config_of)


@pytest.mark.parametrize("name", [E424B, E28B])
def test_the_inventory_knows_the_same_heads(name: str) -> None:
    config = known_config(name)
    assert config is not None
    assert attention_heads(name) == (config["num_attention_heads"], config["num_key_value_heads"])


@pytest.mark.parametrize("name", ["/models/ernie", "baidu/ERNIE-4.5-VL", "", "ERNIE-4.5-VL-424B-A47B-PT/x"])
def test_others_are_not(name: str) -> None:
    assert known_config(name) is None


def without(name: str, key: str) -> dict[str, Any]:
    return {one: value for one, value in CONFIGS[name].items() if one != key}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "names no architecture"),
        ({"architectures": []}, "names no architecture"),
        ({"architectures": [7]}, "names no architecture"),
        (
            {"architectures": ["DeepseekV3ForCausalLM"]},
            "the size of the architecture DeepseekV3ForCausalLM is unknown",
        ),
        (CONFIGS["llama"] | {"quantization_config": {"quant_method": "fp8"}}, "already quantized"),
        (CONFIGS["mistral"] | {"sliding_window": 4096}, "slides"),
        (CONFIGS["qwen2"] | {"sliding_window": 4096, "use_sliding_window": True}, "slides"),
        (CONFIGS["llama"] | {"rope_scaling": {"rope_type": "yarn", "factor": 4}}, "scaled (yarn)"),
        (without("424b", "moe_k"), "moe_k: Field required"),
        (without("28b", "tie_word_embeddings"), "tie_word_embeddings: Field required"),
        (CONFIGS["424b"] | {"hidden_size": "8192"}, "hidden_size: Input should be a valid integer"),
        (CONFIGS["424b"] | {"hidden_size": 0}, "hidden_size: Input should be greater"),
        (CONFIGS["424b"] | {"num_hidden_layers": 10**9}, "num_hidden_layers: Input should be less"),
        (CONFIGS["424b"] | {"moe_num_experts": [64, 32]}, "the same number of experts for vision as for text"),
        (CONFIGS["424b"] | {"vision_config": {"depth": 1}}, "vision_config.embed_dim"),
    ],
)
def test_what_is_not_known_is_said(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        architecture(config)
    assert reason in str(caught.value)


def test_scaling_that_changes_nothing_of_the_size() -> None:
    assert architecture(CONFIGS["llama"] | {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}})
    assert architecture(CONFIGS["qwen2"] | {"sliding_window": 4096, "use_sliding_window": False})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**12) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(CONFIGS)), data=st.data())
def test_odd_values_end_in_an_architecture_or_in_a_reason(name: str, data: st.DataObject) -> None:
    config = CONFIGS[name]
    odd = data.draw(st.dictionaries(st.sampled_from(sorted(config)), JSON, min_size=1, max_size=3))
    try:
        shape = architecture(config | odd)
    except UnknownModel:
        return
    weigh(shape)


def weigh(shape: Architecture) -> None:
    """Weighs a model as a plan does, for a layout that it may not be cut into."""
    layout = Layout(16, min(2, shape.layers))
    list(obstacles(shape, layout))
    assert fit(shape, layout, Service(shape.context), 80 << 30).largest.weights > 0
