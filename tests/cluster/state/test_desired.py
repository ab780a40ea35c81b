"""What must go before anything is launched: what was seen of one unit never stands alone."""

from __future__ import annotations

import pytest

from cluster.errors import Unreachable
from cluster.inventory import Inventory
from cluster.state.desired import Renew, outdated, ray_runs, ray_unit, vllm_runs, vllm_unit
from cluster.values import UnitState
from cluster.views import HostView, Observed
from tests.cluster.builders import ABSENT, alive, dead, inventory, seen, view

HEAD, WORKER = "gpu-a", "gpu-b"


def running(inventory: Inventory, **changed: UnitState) -> Observed:
    """All units as wanted, but for those named: `head_ray`, `worker_ray`, `head_vllm`, `worker_vllm`."""
    bare = seen(inventory)
    found = {}
    for role, spec in (("head", inventory.head), *(("worker", spec) for spec in inventory.workers)):
        ray = alive(ray_unit(inventory, bare[spec.name])) if inventory.uses_ray else ABSENT
        vllm = alive(vllm_unit(inventory, bare)) if role == "head" else ABSENT
        units = {"ray": changed.get(f"{role}_ray", ray), "vllm": changed.get(f"{role}_vllm", vllm)}
        found[spec.name] = view(spec, **units)
    return found


OTHER = alive(ray_unit(inventory(cluster="other", ray={"port": 7000}), view(inventory().head)))
VLLM, HEAD_RAY, WORKER_RAY = (HEAD, "vllm"), (HEAD, "ray"), (WORKER, "ray")


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ({}, ()),
        ({"head_vllm": dead()}, (VLLM,)),
        ({"head_vllm": OTHER}, (VLLM,)),
        ({"head_vllm": ABSENT}, ()),
        ({"worker_ray": OTHER}, (VLLM, WORKER_RAY, HEAD_RAY)),
        ({"worker_ray": dead(7)}, (VLLM, WORKER_RAY, HEAD_RAY)),
        ({"head_ray": dead()}, (VLLM, WORKER_RAY, HEAD_RAY)),
        ({"head_ray": OTHER, "head_vllm": ABSENT}, (WORKER_RAY, HEAD_RAY)),
        ({"worker_vllm": OTHER}, ((WORKER, "vllm"),)),
        # Ray is gone without a record: no process of it is left to stop, but its engine and workers are.
        ({"head_ray": ABSENT}, (VLLM, WORKER_RAY)),
        ({"worker_ray": ABSENT}, (VLLM,)),
    ],
    ids=str,
)
def test_what_goes_and_in_which_order(changed: dict[str, UnitState], stale: tuple[tuple[str, str], ...]) -> None:
    one = inventory()
    assert outdated(one, running(one, **changed)) == stale


def test_nothing_is_outdated_on_bare_hosts() -> None:
    assert outdated(inventory(), seen(inventory())) == ()


def test_one_host_needs_no_ray_and_loses_an_old_one() -> None:
    one = inventory(1)
    assert outdated(one, running(one)) == ()
    assert outdated(one, running(one, head_ray=OTHER)) == (VLLM, HEAD_RAY)


def test_a_changed_argument_relaunches_vllm_alone() -> None:
    before, after = inventory(), inventory(serve={"arguments": ("--max-model-len", "100")})
    assert outdated(after, running(before)) == (VLLM,)


def test_a_changed_environment_relaunches_ray_as_well() -> None:
    before, after = inventory(), inventory(each={"environment": (("NCCL_IB_HCA", "mlx5"),)})
    assert outdated(after, running(before)) == (VLLM, WORKER_RAY, HEAD_RAY)


@pytest.mark.parametrize(
    ("renew", "stale"), [(None, ()), ("vllm", (VLLM,)), ("all", (VLLM, WORKER_RAY, HEAD_RAY))], ids=str
)
def test_what_runs_as_wanted_goes_where_a_person_wants_it_anew(
    renew: Renew, stale: tuple[tuple[str, str], ...]
) -> None:
    one = inventory()
    assert outdated(one, running(one), renew) == stale
    assert outdated(one, seen(one), renew) == ()


@pytest.mark.parametrize("package", ["ray", "vllm", "torch"])
def test_another_version_on_the_hosts_relaunches_ray_as_well(package: str) -> None:
    """What runs was launched with the old one, whatever its command line says."""
    one = inventory()
    before = running(one)
    upgraded = {
        name: view(one.host(name), ray=found.ray, vllm=found.vllm, versions={**_versions(found), package: "9"})
        for name, found in before.items()
    }
    assert outdated(one, upgraded) == (VLLM, WORKER_RAY, HEAD_RAY)


def _versions(found: HostView) -> dict[str, str]:
    assert found.facts
    return found.facts.versions


def test_another_model_relaunches_vllm_alone() -> None:
    before, after = inventory(), inventory(model={"id": "/models/another", "served_name": "another"})
    assert outdated(after, running(before)) == (VLLM,)


def test_a_host_more_or_less_keeps_the_ray_of_the_others() -> None:
    two, three = inventory(hosts=2), inventory(hosts=3)
    grown = {**running(two), "gpu-c": view(three.host("gpu-c"))}
    assert outdated(three, grown) == (VLLM,)
    shrunk = {name: found for name, found in running(three).items() if name != "gpu-c"}
    assert outdated(two, shrunk) == (VLLM,)


def test_the_engine_runs_only_on_wanted_rays() -> None:
    one = inventory()
    assert vllm_runs(one, running(one))
    assert not vllm_runs(one, running(one, worker_ray=ABSENT))
    assert not vllm_runs(one, running(one, head_vllm=dead()))


def test_nothing_runs_on_a_host_that_could_not_be_looked_at() -> None:
    one = inventory()
    lost = HostView(HEAD, problem=Unreachable(HEAD, "read the facts of the host"))
    assert not ray_runs(one, lost)
    assert not vllm_runs(one, running(one) | {HEAD: lost})
