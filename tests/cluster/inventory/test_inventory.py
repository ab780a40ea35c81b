"""What a good inventory becomes."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from cluster.inventory import HostSpec, load
from cluster.inventory.models import JumpSpec
from cluster.inventory.schema import Defaults, InventoryFile, WrittenHost, WrittenJump
from cluster.inventory.yaml_source import parse
from cluster.model.heads import attention_heads
from tests.cluster.inventories import REFERENCE, SMALL, edited, loaded, uncommented, with_lines


def test_the_reference_is_what_its_first_lines_say() -> None:
    inventory = load(REFERENCE, {})
    assert inventory.cluster == "ernie-424b"
    assert inventory.known_hosts is None
    assert inventory.head == HostSpec(
        name="gpu-a",
        address="gpu-a.example.com",
        cluster_address="192.168.10.11",
        role="head",
        gpus=8,
        user="ubuntu",
        port=22,
        min_gpu_memory_mib=81000,
        environment=(("NCCL_IB_HCA", "mlx5"),),
    )
    assert [(worker.name, worker.cluster_address) for worker in inventory.workers] == [("gpu-b", "192.168.10.12")]
    assert (inventory.gpus, inventory.uses_ray) == (16, True)
    assert inventory.host("gpu-b").role == "worker"


def test_the_reference_serves_the_424b_over_sixteen_gpus() -> None:
    inventory = load(REFERENCE, {})
    assert inventory.model.id == "baidu/ERNIE-4.5-VL-424B-A47B-PT"
    assert (inventory.model.revision, inventory.model.served_name) == (None, "ernie-4.5-vl-424b")
    assert (inventory.serve.tensor_parallel_size, inventory.serve.pipeline_parallel_size) == (16, 1)
    trust, option, compilation = inventory.serve.arguments
    assert (trust, option) == ("--trust-remote-code", "--compilation-config")
    assert json.loads(compilation) == {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"}
    assert inventory.runtime.venv == "/opt/vllm"


def test_the_reference_with_all_that_is_optional_loads_too(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    for name in ("known_hosts", "api_key", ".ssh/id_ed25519", ".ssh/ops"):
        (tmp_path / name).write_text("abc\n")
    inventory = loaded(tmp_path, uncommented(), {"HOME": str(tmp_path)})
    assert inventory.known_hosts == str(tmp_path / "known_hosts")
    assert inventory.serve.api_key == SecretStr("abc")
    key, worker = str(tmp_path / ".ssh/id_ed25519"), inventory.host("gpu-b")
    assert worker.jump == JumpSpec(
        address="bastion.example.com",
        user="ops",
        port=2222,
        identity_file=str(tmp_path / ".ssh/ops"),
        jump=JumpSpec(address="gpu-a.example.com", user="ubuntu", port=22, identity_file=key),
    )
    assert (worker.gpu_ids, dict(worker.environment)) == ((0, 1, 2, 3, 4, 5, 6, 7), {"NCCL_IB_HCA": "mlx5_2"})


def keys(data: object, *path: str | int) -> set[str]:
    for part in path:
        data = data[part]  # type: ignore[index]
    assert isinstance(data, dict)
    return set(data)


def fields(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_the_reference_names_every_key_there_is() -> None:
    data = parse(uncommented(), {}).data
    assert keys(data) == fields(InventoryFile)
    assert keys(data, "defaults") | keys(data, "hosts", 0) | keys(data, "hosts", 1) == fields(WrittenHost)
    assert keys(data, "hosts", 1, "jump") == fields(WrittenJump)
    for section in ("model", "serve", "ray", "runtime"):
        model = InventoryFile.model_fields[section].annotation
        assert isinstance(model, type)
        assert keys(data, section) == fields(model)


def test_a_small_one_has_defaults_for_the_rest(tmp_path: Path) -> None:
    inventory = loaded(tmp_path, SMALL)
    assert inventory.model.served_name == inventory.model.id
    assert (inventory.ray.port, inventory.ray.min_worker_port, inventory.ray.max_worker_port) == (
        6379,
        10002,
        19999,
    )
    assert (inventory.serve.host, inventory.serve.port, inventory.serve.arguments) == ("0.0.0.0", 8000, ())
    assert inventory.runtime.state_directory == "/var/tmp"
    host = inventory.head
    assert (host.cluster_address, host.user, host.port, host.jump, host.gpu_ids) == ("10.0.0.1", *[None] * 4)


def test_one_host_needs_no_ray(tmp_path: Path) -> None:
    text = SMALL.replace("  - name: gpu-b\n    address: 10.0.0.2\n    role: worker\n", "")
    inventory = loaded(tmp_path, text.replace("size: 16", "size: 8"))
    assert (inventory.uses_ray, inventory.workers, inventory.gpus) == (False, (), 8)


def test_a_host_wins_over_the_defaults_also_with_null(tmp_path: Path) -> None:
    text = with_lines("  gpus: 8", "  user: ubuntu", "  jump: gpu-a").replace(
        "    role: head\n", "    role: head\n    jump: null\n    user: null\n    port: 2222\n"
    )
    inventory = loaded(tmp_path, text)
    assert (inventory.head.user, inventory.head.jump) == (None, None)
    assert inventory.host("gpu-b").user == "ubuntu"
    assert inventory.host("gpu-b").jump == JumpSpec(address="10.0.0.1", port=2222)


def test_environments_are_merged_the_nearest_wins(tmp_path: Path) -> None:
    text = with_lines("  gpus: 8", '  environment: {B: "2", C: "2"}').replace(
        "    role: worker\n", '    role: worker\n    environment: {C: "3"}\n'
    )
    inventory = loaded(tmp_path, 'environment: {A: "1", B: "1", C: "1"}\n' + text)
    assert dict(inventory.host("gpu-b").environment) == {"A": "1", "B": "2", "C": "3"}
    assert dict(inventory.head.environment) == {"A": "1", "B": "2", "C": "2"}


def test_a_section_with_all_its_lines_commented_out_is_empty(tmp_path: Path) -> None:
    assert loaded(tmp_path, SMALL + "environment:\n  # A: b\nray:\n") == loaded(tmp_path, SMALL)


def test_paths_are_relative_to_the_file_and_to_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "id").write_text("")
    (tmp_path / "hosts").write_text("")
    monkeypatch.chdir(home)
    text = with_lines("  gpus: 8", "  identity_file: ~/id") + "known_hosts: hosts\n"
    inventory = loaded(tmp_path, text, {"HOME": str(home)})
    assert (inventory.known_hosts, inventory.head.identity_file) == (
        str(tmp_path / "hosts"),
        str(home / "id"),
    )


def test_variables_are_replaced_only_where_written_so(tmp_path: Path) -> None:
    lines = (
        "environment:",
        "  A: ${X}/$X",
        "  B: $${X}",
        '  C: "${NUMBER}"',
        "  D: ${NUMBER}",
        "  E: ${AGAIN}",
    )
    environ = {"X": "x", "NUMBER": "16", "AGAIN": "${X}", "HOSTS": "no", "MODEL": "no", "CLUSTER": "no"}
    text = SMALL.replace("size: 16", "size: ${NUMBER}") + "\n".join(lines) + "\n"
    inventory = loaded(tmp_path, text, environ)
    wanted = {"A": "x/$X", "B": "${X}", "C": "16", "D": "16", "E": "${X}"}
    assert dict(inventory.head.environment) == wanted
    assert inventory.serve.tensor_parallel_size == 16
    assert inventory.cluster == "demo"


def test_addresses_are_written_one_way(tmp_path: Path) -> None:
    inventory = loaded(tmp_path, with_lines("    address: 10.0.0.2", "    cluster_address: FD00::00:1"))
    assert inventory.host("gpu-b").cluster_address == str(ipaddress.ip_address("fd00::1"))


def test_an_inventory_is_frozen_and_hashable() -> None:
    inventory = load(REFERENCE, {})
    assert hash(inventory) == hash(load(REFERENCE, {}))
    with pytest.raises(ValidationError, match="frozen"):
        inventory.cluster = "other"
    with pytest.raises(KeyError):
        inventory.host("gpu-c")


def test_defaults_are_all_host_keys_but_those_of_one_host() -> None:
    assert fields(WrittenHost) - fields(Defaults) == {"name", "address", "cluster_address", "role"}
    assert fields(HostSpec) == fields(WrittenHost)


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("baidu/ERNIE-4.5-VL-424B-A47B-PT", [1, 2, 4, 8, 16]),
        ("/models/ERNIE-4.5-VL-28B-A3B-PT", [1, 2, 4]),
    ],
)
def test_the_heads_of_known_models(model: str, sizes: list[int]) -> None:
    heads = attention_heads(model)
    assert heads is not None
    assert [size for size in range(1, 17) if heads.divides(size)] == sizes


def test_the_heads_of_other_models_are_not_known() -> None:
    assert attention_heads("owner/ERNIE-4.5-VL-tiny") is None


IPV6 = (("10.0.0.1", "fd00::1"), ("10.0.0.2", "fd00::2"))


@pytest.mark.parametrize(
    ("edits", "host"),
    [
        ((), "0.0.0.0"),
        (IPV6, "::"),
        ((*IPV6, ("    role: head", "    cluster_address: 10.0.0.1\n    role: head")), "0.0.0.0"),
        ((("10.0.0.1", "gpu-a.example\n    cluster_address: fd00::1"), IPV6[1]), "0.0.0.0"),
        ((*IPV6, ("serve:\n", "serve:\n  host: 0.0.0.0\n")), "0.0.0.0"),
        ((*IPV6, ("serve:\n", "serve:\n  host: fd00::1\n")), "fd00::1"),
    ],
)
def test_an_engine_listens_where_its_head_has_addresses(
    tmp_path: Path, edits: tuple[tuple[str, str], ...], host: str
) -> None:
    assert loaded(tmp_path, edited(*edits)).serve.host == host
