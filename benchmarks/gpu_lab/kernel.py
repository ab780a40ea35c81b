"""vLLM's Triton kernel for experts on this GPU, timed as the engine runs it: in a CUDA graph, unquantized."""

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch

from .tiles import Shape

#: Calls in a graph, each with a routing of its own, as the layers of a step have; fewer where one takes long.
_CALLS, _LONG_CALLS, _LONG = 8, 2, 512
_REPLAYS = 3
_COMPILERS = 12
_FEW, _MANY = 32, 8192


class Experts:
    """One layer's experts. Random routing, as that of dummy weights is: nearly even."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        torch.manual_seed(0)
        self._up = _random(shape.experts, 2 * shape.width, shape.hidden)
        self._down = _random(shape.experts, shape.hidden, shape.width)

    def default(self, batch: int) -> dict[str, int]:
        """What vLLM takes without being told: a file of its own, or its guess."""
        from vllm.model_executor.layers.fused_moe.fused_moe import try_get_optimal_moe_config

        sizes = self._up.size(), self._down.size()
        return cast("dict[str, int]", try_get_optimal_moe_config(*sizes, self.shape.top, None, batch))

    def runs(self, batch: int, tiles: dict[str, int]) -> bool:
        """Whether this GPU can run such tiles, which are compiled then."""
        try:
            self._calls(batch, tiles, 1)()
            torch.cuda.synchronize()
        except Exception as error:
            if "out of resource" not in str(error).lower():
                raise
            return False
        return True

    def microseconds(self, batch: int, tiles: dict[str, int]) -> float:
        """Of one call, the least of some replays; without end where this GPU cannot run such tiles."""
        if not self.runs(batch, tiles):
            return float("inf")
        calls = _LONG_CALLS if batch > _LONG else _CALLS
        graph = self._captured(batch, tiles, calls)
        return min(_milliseconds(graph) for _ in range(_REPLAYS)) * 1000 / calls

    def _captured(self, batch: int, tiles: dict[str, int], calls: int) -> torch.cuda.CUDAGraph:
        work, graph = self._calls(batch, tiles, calls), torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        graph.replay()
        torch.cuda.synchronize()
        return graph

    def _calls(self, batch: int, tiles: dict[str, int], calls: int) -> Any:
        inputs = [self._inputs(batch) for _ in range(calls)]
        return partial(_run, self._up, self._down, tiles, inputs)

    def _inputs(self, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        scores = torch.rand(batch, self.shape.experts, device="cuda")
        weights, chosen = torch.topk(scores, self.shape.top, dim=-1)
        return _random(batch, self.shape.hidden), weights, chosen.to(torch.int32)


def _run(up: torch.Tensor, down: torch.Tensor, tiles: dict[str, int], inputs: Sequence[Any]) -> None:
    from vllm.model_executor.layers.fused_moe import override_config
    from vllm.model_executor.layers.fused_moe.fused_moe import fused_experts

    with override_config(tiles):
        for hidden, weights, chosen in inputs:
            fused_experts(hidden, up, down, weights, chosen)


def _random(*sizes: int) -> torch.Tensor:
    return torch.empty(*sizes, device="cuda", dtype=torch.bfloat16).normal_(std=0.1)


def _milliseconds(graph: torch.cuda.CUDAGraph) -> float:
    began, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    began.record()
    graph.replay()
    ended.record()
    ended.synchronize()
    return float(began.elapsed_time(ended))


def compile_all(shape: Shape, few: Sequence[dict[str, int]], many: Sequence[dict[str, int]], ends: float) -> None:
    """By several processes into Triton's cache, so that what is timed later is compiled."""
    work = [(_FEW, tiles) for tiles in few] + [(_MANY, tiles) for tiles in many]
    shares = [(shape, work[start::_COMPILERS], ends) for start in range(_COMPILERS)]
    with multiprocessing.get_context("spawn").Pool(_COMPILERS) as pool:
        pool.starmap(_compile, shares)


def _compile(shape: Shape, work: Sequence[tuple[int, dict[str, int]]], ends: float) -> None:
    experts = Experts(replace(shape, experts=shape.top))  # what is compiled does not know their number
    for batch, tiles in work:
        if time.monotonic() < ends:
            experts.runs(batch, tiles)


def file_name(shape: Shape) -> str:
    from vllm.model_executor.layers.fused_moe.fused_moe import get_config_file_name

    return cast("str", get_config_file_name(shape.experts, shape.width, None))


def triton_version() -> str:
    import triton

    return cast("str", triton.__version__)
