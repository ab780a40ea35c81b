"""Verifies through Ray that every host has joined with its address, and that every GPU works.

Data: address (head:port), authentication (environment), hosts (name, address, gpus), `patience` (seconds).

Prints one line of JSON for each step: joined, touched, and at last proved or failed.
"""

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.exit_on_disconnect import end_with_the_operator
    from cluster.remote.common.processes import payload


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def connect(address: str, end: float) -> Any:
    """Returns Ray's module, connected; the head may still be starting."""
    import ray

    while True:
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
            return ray
        except (ConnectionError, RuntimeError, ValueError) as error:
            if time.monotonic() > end:
                raise SystemExit(fail("head", str(error))) from None
            last = (str(error).strip() or type(error).__name__).splitlines()[-1]
            say(waiting="the head to answer", last=last[:200])
            time.sleep(0.3)


def fail(stage: str, why: str, **more: Any) -> int:
    say(failed=stage, why=why[-2000:], **more)
    return 0


def wait_for_nodes(ray: Any, wanted: dict[str, int], end: float) -> bool:
    """Waits until each wanted address is a running host in Ray with its GPUs, and no other host is there."""
    seen: Any = None
    while True:
        nodes = {node["NodeManagerAddress"]: node for node in ray.nodes() if node["Alive"]}
        gpus = {address: int(node["Resources"].get("GPU", 0)) for address, node in nodes.items()}
        if gpus != seen:
            say(joined=gpus)
            seen = gpus
        if gpus == wanted:
            return True
        if time.monotonic() > end:
            fail("nodes", "not every host joined with all of its GPUs", joined=gpus)
            return False
        time.sleep(0.2)


def touch() -> dict[str, Any]:
    """Runs on a worker of Ray with one GPU: returns the GPU, and whether CUDA can be initialised on it."""
    import ctypes
    import os
    import subprocess

    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    query = ["nvidia-smi", "-i", visible, "--query-gpu=uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60)
        uuid, total = done.stdout.strip().split(", ")
        memory = int(total)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"problem": f"nvidia-smi -i {visible}: {error}"}
    try:
        status = ctypes.CDLL("libcuda.so.1").cuInit(0)
    except OSError:
        return {"uuid": uuid, "memory_mib": memory, "cuda": "not checked"}
    return {"uuid": uuid, "memory_mib": memory, "cuda": "ok" if status == 0 else f"cuInit: error {status}"}


def reserve(ray: Any, count: int, end: float) -> Any:
    """Requests a placement group as vLLM does: Ray grants it only while every GPU is free."""
    from ray.util.placement_group import placement_group

    group = placement_group([{"GPU": 1}] * count, strategy="PACK")
    try:
        ray.get(group.ready(), timeout=max(1.0, end - time.monotonic()))
    except ray.exceptions.GetTimeoutError:
        free = ray.available_resources().get("GPU", 0)
        fail(
            "placement", f"Ray has {free:g} of {count} GPUs free: another task in this Ray still holds the others"
        )
        return None
    return group


def touch_all(ray: Any, group: Any, count: int, end: float) -> list[dict[str, Any]]:
    """Runs one task in each bundle; a bundle holds its GPU, so two tasks cannot get the same one."""
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    task = ray.remote(num_gpus=1, num_cpus=0, max_retries=0)(touch)
    waiting = [
        task.options(
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=bundle)
        ).remote()
        for bundle in range(count)
    ]
    answers: list[dict[str, Any]] = []
    while waiting and time.monotonic() < end:
        done, waiting = ray.wait(waiting, timeout=1)
        answers += [answer(ray, ended) for ended in done]
        say(touched=len(answers), of=count)
    return answers + [{"problem": "a task on this GPU did not answer"}] * len(waiting)


def answer(ray: Any, task: Any) -> Any:
    """Returns the result of a task; a task that crashed is a finding, and does not end the program."""
    try:
        return ray.get(task)
    except ray.exceptions.RayError as error:
        return {"problem": str(error).strip()[:500] or type(error).__name__}


def prove(ray: Any, wanted: dict[str, int], end: float) -> None:
    from ray.util import remove_placement_group

    count = sum(wanted.values())
    group = reserve(ray, count, end) if wait_for_nodes(ray, wanted, end) else None
    if group is None:
        return
    answers = touch_all(ray, group, count, end)
    remove_placement_group(group)
    problems = [gpu["problem"] for gpu in answers if "problem" in gpu]
    problems += [gpu["cuda"] for gpu in answers if gpu.get("cuda") not in (None, "ok", "not checked")]
    if problems:
        fail("gpus", "; ".join(sorted(set(problems))))
    elif len({gpu["uuid"] for gpu in answers}) != count:
        fail("gpus", f"{count} tasks saw only {len({gpu['uuid'] for gpu in answers})} distinct GPUs")
    else:
        say(proved=answers)


def main() -> None:
    data = payload()
    # GPUs must not be reserved for an operator who has left.
    end_with_the_operator()
    os.environ.update(data["authentication"])
    end = time.monotonic() + data["patience"]
    ray = connect(data["address"], end)
    prove(ray, {host["address"]: host["gpus"] for host in data["hosts"]}, end)
    sys.stdout.flush()
    # A driver's orderly exit takes seconds for no use; Ray ends its tasks when the connection ends.
    os._exit(0)


main()
