"""`python -m benchmarks.gpu_lab.tiles FOLDER E,N,K,TOP…`: tiles of vLLM's kernel for experts, tuned on this GPU.

vLLM reads them from the folder that VLLM_TUNED_CONFIG_FOLDER names; without them it guesses, and says "Using
default MoE config. Performance might be sub-optimal!". A shape is E experts of width N on one GPU
(`moe_intermediate_size` over tensor parallel), the hidden size K, and the TOP experts that a token is sent to.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: Tokens in one step, those that decide the guide's workload first: a decode of 16, then a chunk of prefill.
BATCHES = (16, 8192, 1, 8, 4, 2, 32, 64, 4096, 2048, 24, 48, 128, 256, 512, 1024)
#: Up to here the weights are read, beyond they are computed with.
_FEW = 64


@dataclass(frozen=True)
class Shape:
    """Of one GPU's share of a layer's experts."""

    experts: int
    width: int
    hidden: int
    top: int


@dataclass(frozen=True)
class Found:
    """Microseconds a call: with what vLLM takes by itself, and with the best of those that there was time for."""

    shape: Shape
    batch: int
    tried: int
    default_us: float
    tuned_us: float
    tiles: dict[str, int]


def candidates(batch: int) -> Iterator[dict[str, int]]:
    """Tiles worth a try for so many tokens: flat and deep where weights are read, large ones else."""
    few = batch <= _FEW
    rows = (16,) if batch <= 32 else (16, 32) if few else (32, 64, 128) if batch <= 512 else (64, 128)
    columns, depths = ((32, 64, 128, 256), (64, 128, 256)) if few else ((64, 128, 256), (64, 128))
    stages = (2, 3, 4, 5) if few else (3, 4)
    for row, column, depth, group, warps, stage in itertools.product(
        rows, columns, depths, (1,) if few else (1, 16), (4, 8), stages
    ):
        if _bytes_shared(row, column, depth, stage) <= _SHARED:
            yield {
                "BLOCK_SIZE_M": row, "BLOCK_SIZE_N": column, "BLOCK_SIZE_K": depth, "GROUP_SIZE_M": group,
                "num_warps": warps, "num_stages": stage,
            }  # fmt: skip


#: Bytes of shared memory that a block may have on Hopper.
_SHARED = 227 * 1024


def _bytes_shared(row: int, column: int, depth: int, stages: int) -> int:
    """Both operands in bf16, once a stage of the pipeline but the one that is computed with."""
    return (row + column) * depth * 2 * max(stages - 1, 1)


def best(times: Mapping[int, float]) -> int:
    """The index of the least; of equals the first, which is what vLLM does by itself."""
    return min(times, key=times.__getitem__)


def content(found: Sequence[Found], triton: str) -> dict[str, Any]:
    """A file as vLLM reads it: tiles by the number of tokens."""
    ordered = sorted(found, key=lambda one: one.batch)
    return {"triton_version": triton} | {str(one.batch): one.tiles for one in ordered}


def table(found: Sequence[Found]) -> str:
    lines = [
        "| E, N, K, top | tokens | tried | vLLM's own, µs | best, µs | times |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {', '.join(map(str, asdict(one.shape).values()))} | {one.batch} | {one.tried} | {one.default_us:.1f}"
        f" | {one.tuned_us:.1f} | {one.default_us / one.tuned_us:.2f} |"
        for one in found
    ]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + options.seconds
    _compile({shape.top: shape for shape in options.shapes}.values(), ends)
    for number, shape in enumerate(options.shapes):
        left = (ends - time.monotonic()) / (len(options.shapes) - number)
        _tune(options.folder, shape, time.monotonic() + left)
    return 0


def _compile(shapes: Iterable[Shape], ends: float) -> None:
    """Of shapes with as many experts a token, one: what is compiled knows no other number."""
    from .kernel import compile_all

    for shape in shapes:
        compile_all(shape, list(candidates(_FEW // 2)), list(candidates(BATCHES[1])), ends)


def _tune(folder: Path, shape: Shape, ends: float) -> None:
    from .kernel import Experts, file_name, triton_version

    experts, found = Experts(shape), list[Found]()
    for batch in BATCHES:
        if time.monotonic() > ends:
            break
        found.append(_try_all(experts, shape, batch, ends))
        (folder / file_name(shape)).write_text(json.dumps(content(found, triton_version()), indent=1))
        print(table(found[-1:]).splitlines()[-1], flush=True)


def _try_all(experts: Any, shape: Shape, batch: int, ends: float) -> Found:
    default = experts.default(batch)
    tried = [default, *candidates(batch)]
    default_us = experts.microseconds(batch, default)
    times = {0: default_us}
    for index, tiles in enumerate(tried[1:], 1):
        if time.monotonic() < ends:
            times[index] = experts.microseconds(batch, tiles)
    winner = best(times)
    return Found(shape, batch, len(times) - 1, default_us, times[winner], tried[winner])


def _shape(words: str) -> Shape:
    experts, width, hidden, top = (int(word) for word in words.split(","))
    return Shape(experts, width, hidden, top)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_lab.tiles", description=__doc__)
    parser.add_argument("folder", type=Path, help="for the files, one a shape")
    parser.add_argument("shapes", nargs="+", type=_shape, metavar="E,N,K,TOP")
    parser.add_argument("--seconds", type=float, default=240.0, help="for all of it (default: %(default)g)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
