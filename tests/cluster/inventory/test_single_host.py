"""What is kept of a host for as long as something of a cluster may be there."""

from __future__ import annotations

import pytest

from cluster.inventory import Inventory, is_of, single_host
from cluster.launch.unit import folder_name
from cluster.probes.facts import ports
from tests.cluster.builders import inventory

SECRETS = {"serve": {"api_key": {"environment": "KEY"}}}


def test_it_leads_to_the_same_folder_with_the_same_user() -> None:
    whole = inventory(each={"user": "ops", "port": 2222}, known_hosts="/known", serve={"port": 9000})
    one = single_host(whole, "gpu-b")
    assert not one.uses_ray
    assert (one.head.name, one.head.user, one.head.port, one.known_hosts) == ("gpu-b", "ops", 2222, "/known")
    assert folder_name(one.cluster, one.head.name) == folder_name(whole.cluster, "gpu-b")
    assert one.runtime == whole.runtime
    assert ports(one, one.head) == (9000,)


def test_it_survives_a_file_without_a_secret() -> None:
    whole = inventory(each={"environment": (("HF_TOKEN", "hf_secret"), ("A", "b"))}, model={"id": "/models/x"})
    one = single_host(whole, "gpu-a")
    text = one.model_dump_json()
    assert "hf_secret" not in text
    assert Inventory.model_validate_json(text) == one


@pytest.mark.parametrize(
    ("now", "still"),
    [
        ({}, True),
        ({"hosts": 1}, False),
        ({"each": {"user": "ops"}}, False),
        ({"each": {"port": 2222}}, False),
        ({"runtime": {"state_directory": "/scratch"}}, False),
        ({"runtime": {"venv": "/opt/other"}, "gpus": 4, "serve": {"tensor_parallel_size": 8}}, True),
    ],
    ids=str,
)
def test_whether_it_still_belongs(now: dict[str, object], still: bool) -> None:
    assert is_of(single_host(inventory(), "gpu-b"), inventory(**now)) is still  # type: ignore[arg-type]
