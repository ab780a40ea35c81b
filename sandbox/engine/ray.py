"""`ray` without its helpers for dashboards and metrics: gcs_server, raylet and workers are Ray's own.

Each helper is a Python that imports Ray first. So is each worker that Ray starts before a task needs one. Together
they are half of the work of a start. All of them run beside the real vLLM."""

import os
import re
import sys
from typing import Any

AGENT = "/usr/lib/sandbox/ray-agent"
#: Tells the raylet which ports it has (none, as Ray's own say where parts of Ray are not installed), and stays.
AGENT_SCRIPT = """\
session=$1 node=$2
shift 2
for name; do printf %s -1 >"$session/.$name"; mv "$session/.$name" "$session/${name}_$node"; done
exec setpriv --pdeathsig KILL sleep infinity
"""

_PORTS = {
    "--dashboard_agent_command": "metrics_agent_port metrics_export_port dashboard_agent_listen_port",
    "--runtime_env_agent_command": "runtime_env_agent_port",
}
#: Other subcommands of `ray`, which does without them where they are not installed: most of what it imports.
_SUBCOMMANDS = ("ray.serve.scripts", "ray.dashboard.modules.job.cli", "ray.util.state.state_cli")
_HELPERS = ("start_monitor", "start_ray_client_server", "start_api_server", "start_log_monitor")


def main(argv: list[str]) -> int:
    os.environ.update({"RAY_enable_worker_prestart": "0", "RAY_prestart_worker_first_driver": "0"})
    # None stands for a module that is not there.
    sys.modules.update(dict.fromkeys(_SUBCOMMANDS))  # type: ignore[arg-type]
    from ray._private import node, services
    from ray.scripts import scripts

    for name in _HELPERS:
        setattr(node.Node, name, lambda self, **_: None)
    start = services.start_ray_process
    services.start_ray_process = lambda command, *words, **more: start(list(map(_light, command)), *words, **more)
    return int(scripts.main() or 0)


def _light(word: Any) -> Any:
    """Changes one argument of a raylet. The log path distinguishes its agents."""
    option, _, command = str(word).partition("=")
    if option not in _PORTS:
        return word
    session, node = (re.search(rf"--{name}=(\S+)", command) for name in ("session-dir", "node-id"))
    assert session
    assert node
    return f"{option}={AGENT} {session[1]} {node[1]} {_PORTS[option]}"
