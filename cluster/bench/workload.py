"""The workloads, the number of requests, and the repeats. The defaults are the guide's own values."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

#: `--num-prompts` of the published guide for ERNIE-4.5-VL.
NUM_PROMPTS = (1, 16, 32, 64, 128, 256, 512)

#: Requests a second, of the published guide.
RATE = 10.0

#: The ways to keep the prefix cache cold. They are: a salt of the run that only its own requests share; a new seed
#: alone; a reset by the server; or a restart of vLLM before each run, as in the published guide.
Cold = Literal["salt", "seed", "reset", "restart"]
COLD: tuple[Cold, ...] = ("salt", "seed", "reset", "restart")

#: The place of the client: on the head, or on the operator's computer.
Origin = Literal["head", "here"]
ORIGINS: tuple[Origin, ...] = ("head", "here")


@dataclass(frozen=True)
class Workload:
    """Random prompts of `input_len` tokens, each answered with `output_len` tokens."""

    name: str
    input_len: int
    output_len: int

    @property
    def tokens(self) -> int:
        """Returns the tokens of one request, in and out: they must fit into the model's length."""
        return self.input_len + self.output_len

    @property
    def lengths(self) -> str:
        return f"{self.input_len}/{self.output_len}"

    @property
    def shown(self) -> str:
        """Returns the name to show, as in `prompt-heavy (8000/1000)`."""
        return self.lengths if self.name == _named_by(self.lengths) else f"{self.name} ({self.lengths})"


GUIDE = (
    Workload("prompt-heavy", 8000, 1000),
    Workload("decode-heavy", 1000, 8000),
    Workload("balanced", 1000, 1000),
)


def workload(word: str) -> Workload:
    """Returns one of the guide's workloads by its name, or IN/OUT in tokens. Raises ValueError for anything
    else."""
    for known in GUIDE:
        if word in (known.name, known.lengths):
            return known
    lengths = re.fullmatch(r"([1-9]\d{0,6})/([1-9]\d{0,6})", word)
    if not lengths:
        names = ", ".join(known.name for known in GUIDE)
        raise ValueError(f"unknown workload: {word}; use {names}, or IN/OUT in tokens, such as 8000/1000")
    return Workload(_named_by(word), int(lengths[1]), int(lengths[2]))


def _named_by(lengths: str) -> str:
    """Returns the name for folders."""
    return lengths.replace("/", "x")


@dataclass(frozen=True)
class Cell:
    """One run of the matrix: `num_prompts` requests of a workload, for the `repeat`th time (from 1)."""

    workload: Workload
    num_prompts: int
    repeat: int = 1

    @property
    def name(self) -> str:
        """Returns the name for folders, which sorts by size."""
        return f"{self.workload.name}-{self.num_prompts:04}-{self.repeat}"

    @property
    def shown(self) -> str:
        prompts = f"{self.num_prompts} prompt{'s' if self.num_prompts != 1 else ''}"
        return f"{self.workload.shown}, {prompts}" + (f", run {self.repeat}" if self.repeat > 1 else "")

    def seed(self, base: int, attempt: int) -> int:
        """Returns a seed for each cell and each attempt; the same base gives the same seeds.

        So two layouts can be measured with the same prompts that arrive at the same times.
        """
        key = f"{self.workload.lengths}/{self.num_prompts}/{self.repeat}/{attempt}"
        return (base + zlib.crc32(key.encode())) % 2**31


def matrix(workloads: Sequence[Workload], num_prompts: Sequence[int], repeat: int) -> Iterator[Cell]:
    """Yields small runs before large ones, and every size once before any is repeated."""
    for workload in workloads:
        for time in range(1, repeat + 1):
            yield from (Cell(workload, number, time) for number in sorted(num_prompts))
