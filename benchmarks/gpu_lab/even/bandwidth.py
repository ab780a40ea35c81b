"""What the GPU's memory gives, measured: the limit that steps are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_BYTES = 4 << 30


def measure() -> dict[str, float]:
    """GB/s, the best of ten each: bytes read, and for a copy those written as well. An engine has most of the
    memory: what was taken is given back."""
    import torch

    rates = _rates()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return rates


def _rates() -> dict[str, float]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = _BYTES if device == "cuda" else _BYTES >> 6
    data = torch.ones(size // 4, dtype=torch.float32, device=device)
    matrix = data.view(torch.bfloat16).view(-1, 8192)
    vector, half = matrix[0].clone(), data.numel() // 2
    ways: dict[str, tuple[Callable[[], Any], int]] = {
        "sum": (data.sum, size),
        "matrix times vector": (lambda: matrix @ vector, size),
        "copy": (lambda: data[:half].copy_(data[half:]), size),
    }
    return {name: round(max(_rate(work, moved) for _ in range(10)), 1) for name, (work, moved) in ways.items()}


def _rate(work: Callable[[], Any], moved: int) -> float:
    import torch

    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    began = time.perf_counter()
    work()
    wait()
    return moved / (time.perf_counter() - began) / 1e9
