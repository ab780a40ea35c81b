"""The facts of the head for a `vllm serve` before it runs: the model's config.json, and the options of vLLM.

Data: venv, model (id, revision, hf_home, hf_hub_cache). Prints one line of JSON. It has config (null where it
cannot be read, with the reason in problem), and options (null, with options_problem).
"""

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.remote.common.exit_on_disconnect import end_with_the_operator
    from cluster.remote.common.processes import payload
    from cluster.remote.facts.model import config_of

#: Seconds. The import of vLLM takes 8 to 30.
LONGEST = 120.0
#: A line of the help that introduces options, and an option in it.
INTRODUCES = re.compile(r" {1,4}-")
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*(?=[ ,=\[]|$)")


def options_in(text: str) -> "list[str]":
    lines = [line for line in text.splitlines() if INTRODUCES.match(line)]
    return sorted({option for line in lines for option in OPTION.findall(line)})


def options_of(venv: str) -> "tuple[list[str] | None, str]":
    """Returns the options that `vllm serve --help=all` lists. It uses no GPU."""
    words = [os.path.join(venv, "bin", "vllm"), "serve", "--help=all"]
    environment = {**os.environ, "COLUMNS": "200", "CUDA_VISIBLE_DEVICES": "", "VLLM_LOGGING_LEVEL": "ERROR"}
    try:
        child = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        return None, f"{words[0]}: {error.strerror}"
    end_with_the_operator(child.kill)
    try:
        output, warnings = child.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        child.kill()
        return None, f"`vllm serve --help=all` did not finish within {LONGEST:.0f} s"
    options = options_in(output.decode(errors="replace"))
    if child.returncode or not options:
        last = warnings.decode(errors="replace").strip().splitlines()[-1:]
        return None, " ".join(["`vllm serve --help=all` failed:", *last])
    return options, ""


def main() -> None:
    data = payload()
    config, problem = config_of(data["model"])
    options, options_problem = options_of(data["venv"])
    answer = {"config": config, "problem": problem, "options": options, "options_problem": options_problem}
    print("\n" + json.dumps(answer), flush=True)
    sys.stdout.flush()
    os._exit(0)


main()
