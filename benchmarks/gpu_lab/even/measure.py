"""`python -m benchmarks.gpu_lab.even.measure`: everything that is asked of one engine that runs, within a time.

The client's imports take longer than a cell: one process measures all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu_lab import requests, workload
from benchmarks.gpu_lab.even import bandwidth, kernels, routes, timeline
from benchmarks.gpu_lab.even.ask import Endpoint
from benchmarks.gpu_lab.even.cells import FIRST, THEN, WARM, Cell, words

#: Seconds that profiling one batch takes.
_PROFILE = 28.0
_SIZES = (1, 16, 64, 256)


@dataclass
class Run:
    """One engine, and the file that is written again after each thing that was measured."""

    endpoint: Endpoint
    model: Path
    out: Path
    folder: Path
    end: float
    scale: float
    done: dict[str, Any] = field(default_factory=dict)

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    def keep(self, section: str, name: str, value: object) -> None:
        self.done.setdefault(section, {})[name] = value
        self.out.write_text(json.dumps(self.done, indent=1))
        print(f"{self.left:7.1f} s left  {section}  {name}", flush=True)

    async def bounded(
        self, section: str, name: str, seconds: float, work: Callable[[], Awaitable[object]], kept: float = 0
    ) -> None:
        """What fails, or takes longer than is left, does not keep the others from being tried."""
        left = self.left - kept
        if seconds > left:
            return self.keep(section, name, {"skipped": f"{left:.0f} s left, {seconds:.0f} wanted"})
        try:
            value = await asyncio.wait_for(work(), min(left, 2.5 * seconds + 20))
        except Exception as error:
            value = {"failed": f"{type(error).__name__}: {error}"[:500]}
        return self.keep(section, name, value)

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.model / "config.json").read_text())
        return found

    def scaled(self, cell: Cell) -> Cell:
        """For a try of the steps on a CPU."""
        if self.scale == 1:
            return cell
        sizes = [max(8, round(one * self.scale)) for one in (cell.input_len, cell.output_len, cell.prompts)]
        return Cell(sizes[0], sizes[1], sizes[2])

    async def everything(self) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max(_SIZES)))
        for cell in WARM:
            await self.bounded("warm", cell.name, 10, partial(self.cell, cell, rate=1000))
        await self.bounded("bandwidth", "GB/s", 10, self.bandwidth)
        await self.cells(FIRST, kept=0)
        await self.bounded("routes", "64", 30, self.routes)
        await self.cells(THEN, kept=2 * _PROFILE)
        for size in (16, 64):  # last: a profiler that has run once may leave something behind
            await self.bounded("profile", str(size), _PROFILE, partial(self.profile, size))

    async def cells(self, cells: tuple[Cell, ...], kept: float) -> None:
        """Leaves as many seconds as `kept`."""
        for cell in cells:
            await self.bounded("cells", cell.name, cell.seconds, partial(self.cell, cell), kept)

    async def cell(self, cell: Cell, rate: float = 10.0) -> dict[str, Any]:
        from vllm.benchmarks.serve import add_cli_args, main_async

        cell, before = self.scaled(cell), self._cached()
        parser = argparse.ArgumentParser()
        add_cli_args(parser)
        served = self.model.name
        options = words(cell, self.endpoint.url, str(self.model), served, uuid.uuid4().hex, rate)
        result = await main_async(parser.parse_args(options))
        after = self._cached()
        cached = {name: after[name] - before[name] for name in after}
        names = (*workload.FIGURES, "median_tpot_ms", "median_itl_ms", "p90_itl_ms")
        figures = {name: result[name] for name in names if name in result}
        return {
            **figures,
            **timeline.figures(result),
            **cached,
            "problems": sorted(set(result["errors"]) - {""})[:3],
        }

    def _cached(self) -> dict[str, float]:
        return workload.sums(requests.get(f"{self.endpoint.url}/metrics"))

    async def bandwidth(self) -> dict[str, float]:
        return await asyncio.to_thread(bandwidth.measure)

    async def routes(self) -> dict[str, Any]:
        """Sequences as a cell has them, then each once more in one piece, while its routes are recorded."""
        config, source = self.config, random.Random(64)
        size = self.scaled(Cell(1000, 1000, 64))
        prompts = [
            source.choices(range(8, config["vocab_size"] - 56), k=size.input_len) for _ in range(size.prompts)
        ]
        answers = await asyncio.gather(*(self.endpoint.tokens(one, size.output_len) for one in prompts))
        experts = config["moe_num_experts"][0], config["moe_k"]
        shape = routes.Shape(size.prompts, size.input_len, size.output_len, *experts)
        (self.folder / "record").touch()
        try:
            for prompt, answer in zip(prompts, answers, strict=True):
                await self.endpoint.tokens([*prompt, *answer], 1)
        finally:
            (self.folder / "record").unlink()
        layers = await asyncio.to_thread(routes.read, self.folder, shape)
        return await asyncio.to_thread(routes.summary, layers, shape, _SIZES)

    async def profile(self, size: int) -> dict[str, Any]:
        """Some steps in the middle of so many answers."""
        source, traces = random.Random(size), self.folder / "traces"
        known = set(traces.glob("*.gz"))
        prompts = [source.choices(range(8, 200), k=round(1000 * self.scale) + 1) for _ in range(size)]
        work = asyncio.gather(*(self.endpoint.tokens(one, round(800 * self.scale) + 8) for one in prompts))
        await asyncio.sleep(2.5)
        await self.endpoint.post("/start_profile", {})
        await asyncio.sleep(1)
        await self.endpoint.post("/stop_profile", {})
        await work
        (trace,) = set(traces.glob("*.gz")) - known
        return await asyncio.to_thread(kernels.figures, trace, self.config["num_hidden_layers"])


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_lab.even.measure", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path, help="a file, JSON")
    parser.add_argument("folder", type=Path, help="where the engine's routes and traces go")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for all of it")
    parser.add_argument("--scale", type=float, default=1.0, help="of all lengths, to try the steps on a CPU")
    options = parser.parse_args(argv)
    endpoint = Endpoint(options.url, options.model.name)
    end = time.monotonic() + options.limit
    run = Run(endpoint, options.model, options.out, options.folder, end, options.scale)
    asyncio.run(run.everything())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
