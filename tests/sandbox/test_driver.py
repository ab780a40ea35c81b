"""What a host with real GPUs gets of this machine, decided without any."""

from pathlib import Path

import pytest
import yaml

from sandbox import driver, inventory, ssh
from sandbox.errors import SandboxError
from sandbox.layout import PATH, Layout, Order

MOUNTINFO = """\
22 28 0:21 / /sys rw,nosuid - sysfs sysfs rw
28 0 254:0 / / rw,relatime - ext4 /dev/root rw
40 28 0:35 / /usr/local/nvidia ro,relatime - overlay overlay ro
41 40 0:36 / /usr/local/nvidia/lib64/extra ro - overlay overlay ro
42 28 254:1 / /opt/torch ro - ext4 /dev/vdb ro
43 28 0:37 / /run/nvidia-persistenced/socket rw - tmpfs tmpfs rw
44 28 0:38 / /usr/lib/x86_64-linux-gnu/libcuda.so.580.159 ro - ext4 /dev/vdc ro
45 28 0:39 / /mnt/two\\040words rw - ext4 /dev/vdd rw
46 28 0:40 / /proc/driver/nvidia rw - tmpfs tmpfs rw
"""


def test_mount_points_are_read_with_their_blanks() -> None:
    assert Path("/mnt/two words") in driver.mount_points(MOUNTINFO)
    assert len(driver.mount_points(MOUNTINFO)) == 9


def test_the_driver_comes_along_wherever_it_is_mounted_and_only_once() -> None:
    places = driver.places(driver.mount_points(MOUNTINFO), [Path("/opt")])
    assert [str(path) for path in places] == [
        "/opt",
        "/run/nvidia-persistenced/socket",
        "/usr/lib/x86_64-linux-gnu/libcuda.so.580.159",
        "/usr/local/nvidia",
    ]


def test_gpus_are_counted_by_their_devices(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert driver.count(tmp_path) == 2


def test_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "count", lambda: 1)
    driver.require(1)
    with pytest.raises(SandboxError, match="2 GPUs asked for, and this machine has 1"):
        driver.require(2)


def test_sessions_get_what_finds_the_driver_and_not_which_gpu() -> None:
    environ = {
        "LD_LIBRARY_PATH": "/usr/local/nvidia/lib64",
        "NCCL_NVLS_ENABLE": "0",
        "CUDA_VISIBLE_DEVICES": "1",
        "NVIDIA_NOTE": "two words",
        "HOME": "/root",
        "NCCLX": "no",
    }
    assert driver.variables(environ) == {"LD_LIBRARY_PATH": "/usr/local/nvidia/lib64", "NCCL_NVLS_ENABLE": "0"}


def test_a_hosts_own_path_comes_first() -> None:
    environ = {"PATH": "/usr/local/nvidia/bin:/usr/bin:/with blank:/opt/bundle/bin"}
    assert driver.path(environ, "/usr/bin:/bin") == "/usr/bin:/bin:/usr/local/nvidia/bin:/opt/bundle/bin"


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("root:!:19000:0:99999:7:::", "root:*:19000:0:99999:7:::"),
        ("root:!*:19000:0:99999:7:::", "root:*:19000:0:99999:7:::"),
        ("sshd:!:19000::::::", "sshd:!:19000::::::"),
        ("", ""),
    ],
)
def test_only_roots_password_stops_being_locked(line: str, becomes: str) -> None:
    assert ssh.unlocked(line) == becomes


def test_without_pam_a_session_still_finds_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/local/nvidia/bin")
    monkeypatch.setenv("NCCL_NVLS_ENABLE", "0")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text("root:!:1::::::\ndaemon:*:1::::::\n")
    told = ssh._without_pam(tmp_path).splitlines()
    assert told[0] == "UsePAM no"
    assert told[1].startswith(f"SetEnv PATH={PATH}:/usr/local/nvidia/bin ")
    assert "NCCL_NVLS_ENABLE=0" in told[1].split()
    assert (tmp_path / "etc/shadow").read_text() == "root:*:1::::::\ndaemon:*:1::::::\n"


def _layout(**fields: object) -> Layout:
    order = Order("x", hosts=2, gpus=1, engine="vllm", **fields)  # type: ignore[arg-type]
    return Layout(order, 7)


def test_gpus_are_dealt_out_host_by_host() -> None:
    four = Layout(Order("x", hosts=2, gpus=2, engine="vllm", real=True, first_gpu=1), 7)
    assert [host.gpu_ids for host in four.hosts] == [(1, 2), (3, 4)]
    assert [host.gpu_ids for host in _layout().hosts] == [None, None]


def test_the_inventory_of_real_gpus_loads_and_counts_none_by_itself(tmp_path: Path) -> None:
    from cluster.inventory import load

    path = tmp_path / "inventory.yaml"
    for name in ("known_hosts", "client_key"):
        (tmp_path / name).touch()
    layout = _layout(real=True, model=Path("/opt/gpu-trial/models/vl28b"))
    text = inventory.render(layout, "known_hosts").replace(str(layout.order.folder), str(tmp_path))
    path.write_text(text)
    found = load(path, {})
    assert [host.gpu_ids for host in found.hosts] == [(0,), (1,)]
    assert found.serve.tensor_parallel_size == 2
    assert found.model.id == "/opt/gpu-trial/models/vl28b"
    assert not found.ray.declare_gpus
    assert dict(found.head.environment)["NCCL_NVLS_ENABLE"] == "0"
    assert "dummy" in found.serve.arguments
    assert all(one.reason for one in found.preflight.accept)


def test_the_inventory_of_simulated_gpus_accepts_its_network_alone() -> None:
    sections = yaml.safe_load(inventory.render(_layout(), "known_hosts"))
    assert [one["check"] for one in sections["preflight"]["accept"]] == ["open-endpoint", "open-ports"]
