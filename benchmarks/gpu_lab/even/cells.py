"""The cells that are measured, in the order of what they are worth, and the client's words for each."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """`seconds` is about what it takes on an H200: it is left out where less time is left."""

    input_len: int
    output_len: int
    prompts: int
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.input_len}/{self.output_len} {self.prompts}"

    @property
    def seed(self) -> int:
        """The same prompts at the same times for each variant."""
        return zlib.crc32(self.name.encode()) % 2**31


FIRST = (
    Cell(1000, 1000, 16, 20), Cell(1000, 1000, 64, 32), Cell(8000, 1000, 16, 26), Cell(8000, 1000, 64, 48),
)  # fmt: skip
THEN = (
    Cell(1000, 1000, 1, 9), Cell(8000, 1000, 1, 10), Cell(1000, 1000, 256, 68), Cell(1000, 8000, 16, 145),
    Cell(8000, 1000, 256, 130), Cell(1000, 8000, 64, 200), Cell(1000, 8000, 1, 55), Cell(1000, 8000, 256, 700),
)  # fmt: skip
#: Whatever compiles at first use has done so after these.
WARM = (Cell(8000, 8, 8), Cell(1000, 24, 64), Cell(1000, 24, 256))
RATE = 10


def words(cell: Cell, url: str, model: str, served_name: str, salt: str, rate: float = RATE) -> list[str]:
    """Returns the arguments that `orchestrator bench` uses."""
    return [
        "--backend", "openai", "--base-url", url, "--endpoint", "/v1/completions", "--model", model,
        "--served-model-name", served_name, "--tokenizer", model, "--trust-remote-code",
        "--dataset-name", "random",
        "--random-input-len", str(cell.input_len), "--random-output-len", str(cell.output_len),
        "--request-rate", f"{rate:g}", "--num-prompts", str(cell.prompts), "--ignore-eos",
        "--seed", str(cell.seed), "--ready-check-timeout-sec", "0", "--disable-tqdm", "--save-detailed",
        "--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "50,90,99",
        "--extra-body", json.dumps({"cache_salt": salt}),
    ]  # fmt: skip
