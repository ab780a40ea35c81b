"""`python -m benchmarks.gpu_lab.step MODEL FOLDER`: how long a prefill and a decode of the guide's work take, and
of which kernels a decode is made: vLLM's engine alone, without a server, and PyTorch's profiler in FOLDER.

More words are vLLM's arguments for the engine, as JSON: `'{"attention_backend": "FLASHINFER"}'`.
"""

import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .workload import GUIDE

#: Ids of ordinary words in the models that `prepare` makes.
_WORDS = range(1000, 100_000)
#: Two answers whose difference is steps of decode alone; of the second, steps late in the answer.
_SHORT, _LONG = 101, 301
_PROFILED = 40


def main(argv: list[str]) -> int:
    model, folder, *more = argv
    engine = _engine(model, Path(folder), json.loads(more[0]) if more else {})
    _time(engine, prompts(1), 32)  # compiles what is compiled at first use
    asked = prompts(2)
    print(f"prefill of {GUIDE.prompts} × {GUIDE.input_tokens} tokens: {_time(engine, asked, 1):.3f} s")
    at_once, short, long = (_time(engine, asked, tokens) for tokens in (1, _SHORT, _LONG))
    print(f"a step of decode: {(short - at_once) / (_SHORT - 1) * 1000:.2f} ms in the first {_SHORT - 1},")
    print(f"                  {(long - short) / (_LONG - _SHORT) * 1000:.2f} ms in the next {_LONG - _SHORT}")
    _profile(engine, asked)
    return 0


def prompts(seed: int) -> list[dict[str, Any]]:
    """Asked for again, they are in the prefix cache: what is left is decode."""
    source = random.Random(seed)
    return [{"prompt_token_ids": source.choices(_WORDS, k=GUIDE.input_tokens)} for _ in range(GUIDE.prompts)]


def _engine(model: str, folder: Path, more: dict[str, Any]) -> Any:
    from vllm import LLM

    folder.mkdir(parents=True, exist_ok=True)
    profiler = {"profiler": "torch", "torch_profiler_dir": str(folder), "torch_profiler_with_stack": False}
    return LLM(
        model=model, load_format="dummy", trust_remote_code=True, language_model_only=True,
        max_model_len=16384, profiler_config=profiler, **more,
    )  # fmt: skip


def _time(engine: Any, asked: Sequence[dict[str, Any]], tokens: int) -> float:
    """Seconds."""
    from vllm import SamplingParams

    began = time.perf_counter()
    engine.generate(asked, SamplingParams(max_tokens=tokens, ignore_eos=True, temperature=0), use_tqdm=False)
    return time.perf_counter() - began


def _profile(engine: Any, asked: Sequence[dict[str, Any]]) -> None:
    """The engine prints the table, and leaves it in the folder."""
    engine.start_profile()
    _time(engine, asked, _PROFILED)
    engine.stop_profile()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
