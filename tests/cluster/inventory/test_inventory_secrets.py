"""Secrets are read, and neither shown nor repeated in an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import InventoryError
from cluster.inventory import is_secret, load
from tests.cluster.inventories import ENVIRON, SMALL, loaded, with_lines


@pytest.mark.parametrize(
    ("line", "environ"),
    [("{file: key}", {}), ("{file: ~/key}", {"HOME": "."}), ("{environment: KEY}", {"KEY": "sk-abc"})],
)
def test_the_api_key_is_read_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, environ: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("sk-abc\n")
    inventory = loaded(tmp_path, with_lines("  tensor_parallel_size: 16", f"  api_key: {line}"), environ)
    assert inventory.serve.api_key is not None
    assert inventory.serve.api_key.get_secret_value() == "sk-abc"
    assert "sk-abc" not in f"{inventory!r} {inventory.model_dump()} {inventory.model_dump_json()}"


def test_tokens_in_an_environment_are_not_shown_either(tmp_path: Path) -> None:
    inventory = loaded(tmp_path, SMALL + "environment: {HF_TOKEN: hf_abc, LEVEL: info}\n")
    assert dict(inventory.head.environment) == {"HF_TOKEN": "hf_abc", "LEVEL": "info"}
    assert "hf_abc" not in f"{inventory!r} {inventory.model_dump()} {inventory.model_dump_json()}"
    assert "info" in inventory.model_dump_json()


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("HF_TOKEN", True),
        ("VLLM_API_KEY", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("OPENAI_KEY", True),
        ("WANDB_KEY", True),
        ("DB_PASS", True),
        ("MYSQL_PWD", True),
        ("REGISTRY_AUTH", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("RAY_AUTH_MODE", False),
        ("PWD", False),
        ("NCCL_KEYS", False),
    ],
)
def test_which_variables_are_secret(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


@pytest.mark.parametrize(
    ("value", "secret"),
    [("http://user:pw1234@proxy:80", True), ("http://proxy:80", False), ("http://user@proxy:80", False)],
)
def test_a_password_in_a_url_is_a_secret(value: str, secret: bool) -> None:
    assert is_secret("https_proxy", value) is secret


def test_the_error_holds_no_secret_in_its_chain_either(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(f"{SMALL}environment: {{A: '${{SECRET}}', B: 1}}\n")
    with pytest.raises(InventoryError) as caught:
        load(tmp_path / "inventory.yaml", ENVIRON)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert str(caught.value).endswith(
        "yaml:17: environment.B: expected text, found a whole number: write it in quotes"
    )
