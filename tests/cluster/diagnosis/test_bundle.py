"""A bundle: all that is known, none of the secrets, one file for us alone."""

from __future__ import annotations

import io
import tarfile

from pydantic import SecretStr

from cluster.diagnosis import bundle
from cluster.diagnosis.collect import Collected
from cluster.errors import Unreachable
from cluster.inventory import Inventory
from cluster.views import HostView
from tests.cluster import builders

API_KEY, HF_TOKEN = "planted-api-key", "planted-hf-token"


def secretive() -> Inventory:
    environment = (("HF_TOKEN", HF_TOKEN), ("LEVEL", "info"))
    one = builders.inventory(each={"environment": environment})
    return one.model_copy(update={"serve": one.serve.model_copy(update={"api_key": SecretStr(API_KEY)})})


def test_planted_secrets_are_in_no_text() -> None:
    one = secretive()
    brought = {
        "gpu-a": Collected("gpu-a", {"vllm/log": f"env: {{'HF_TOKEN': '{HF_TOKEN}'}} key {API_KEY}\n"}),
        "gpu-b": Collected("gpu-b", {"ray/record.json": f'{{"argv": ["--x", "{API_KEY}"]}}'}),
    }
    own = {"journal/1-up.jsonl": f'{{"line": "GITHUB_TOKEN=planted-elsewhere {API_KEY}"}}\n'}
    texts = bundle.texts(one, builders.seen(one), brought, own)
    everything = "\n".join(texts.values())
    for secret in (API_KEY, HF_TOKEN, "planted-elsewhere"):
        assert secret not in everything
    assert "LEVEL" in texts["inventory.yaml"]
    assert "info" in texts["inventory.yaml"]
    assert texts["gpu-a/vllm/log"] == "env: {'HF_TOKEN': '**********'} key **********\n"


def test_what_was_seen_and_what_could_not_be() -> None:
    one = builders.inventory()
    lost = Unreachable("gpu-b", "connect", cause="nothing answers")
    seen = {**builders.seen(one), "gpu-b": HostView("gpu-b", problem=lost)}
    texts = bundle.texts(one, seen, {}, {})
    assert '"hostname": "gpu-a"' in texts["gpu-a/facts.json"]
    assert texts["gpu-b/could-not-be-looked-at.txt"] == "gpu-b: connect: nothing answers\n"


def test_what_is_missing_is_named() -> None:
    lost = Unreachable("gpu-b", "collect its logs and state", cause="no route")
    brought = {
        "gpu-a": Collected("gpu-a", {}, ("nvidia-smi-q.txt",)),
        "gpu-b": Collected("gpu-b", {}, (), lost),
    }
    assert bundle.missing(brought, ["gpu-a", "gpu-b", "gpu-c"]) == (
        "gpu-c: the host did not answer in time",
        "gpu-a: there was no time or no space for nvidia-smi-q.txt",
        "gpu-b: no route",
    )


def test_all_texts_are_in_one_folder_of_the_archive() -> None:
    packed = bundle.packed("demo", {"gpu-a/vllm/log": "one\ud800\n", "README.txt": "read me"})
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.getnames() == ["demo/README.txt", "demo/gpu-a/vllm/log"]
        member = archive.extractfile("demo/gpu-a/vllm/log")
        assert member
        assert member.read() == b"one?\n"


def test_ray_is_asked_on_the_head_alone() -> None:
    one = builders.inventory()
    assert bundle.request(one, "gpu-a", builders.STATE, 3.0).ray_state == {
        "address": "192.168.0.1:6379",
        "authentication": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": f"{builders.STATE}/ray.token"},
    }
    assert bundle.request(one, "gpu-b", builders.STATE, 3.0).ray_state is None
