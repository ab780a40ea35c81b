"""The hosts, placement groups and free GPUs in the Ray on the head.

It is a program of its own, because it may hang with the Ray that it asks: its caller does not wait for long.

Data: address (head:port), authentication (environment). Prints one line of JSON.
"""

import json
import os
import sys
from typing import Any


def nodes(ray: Any) -> "list[dict[str, Any]]":
    return [
        {
            "address": node["NodeManagerAddress"],
            "alive": node["Alive"],
            "gpus": int(node["Resources"].get("GPU", 0)),
            "died": node.get("DeathReasonMessage") or "",
        }
        for node in ray.nodes()
    ]


def groups(ray: Any) -> "list[dict[str, Any]]":
    from ray.util import placement_group_table

    return [
        {
            "state": group["state"],
            "strategy": group["strategy"],
            "gpus": sum(bundle.get("GPU", 0) for bundle in group["bundles"].values()),
        }
        for group in placement_group_table().values()
    ]


def tell() -> None:
    data = json.loads(sys.stdin.readline())
    os.environ.update(data["authentication"])
    import ray

    ray.init(address=data["address"], log_to_driver=False, configure_logging=False)
    free = ray.available_resources().get("GPU", 0)
    print(json.dumps({"nodes": nodes(ray), "placement_groups": groups(ray), "free_gpus": free}), flush=True)
    # A driver's orderly exit takes seconds for no use.
    os._exit(0)


tell()
