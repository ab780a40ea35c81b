"""`vllm bench serve`, scripted: real requests, and a result as vLLM 0.32 writes it."""

import argparse
import itertools
import json
import os
import random
import statistics
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PERCENTILE = 0.99


class Output(NamedTuple):
    started: float
    ttft: float = 0.0
    itl: tuple[float, ...] = ()
    read: int = 0
    generated: int = 0
    error: str = ""


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    print(f"Namespace(model={options.model!r}, seed={options.seed})", flush=True)
    begun = time.perf_counter()
    outputs = _run(options)
    result = _result(options, outputs, time.perf_counter() - begun)
    Path(options.result_dir, options.result_filename).write_text(json.dumps(result))
    print(f"Successful requests: {result['completed']}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vllm bench serve")
    for name in ("backend", "base-url", "endpoint", "model", "served-model-name", "tokenizer", "dataset-name",
                 "percentile-metrics", "metric-percentiles", "result-dir", "result-filename"):  # fmt: skip
        parser.add_argument(f"--{name}", required=True)
    for name in ("random-input-len", "random-output-len", "num-prompts", "seed", "ready-check-timeout-sec"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("ignore-eos", "disable-tqdm", "save-result", "save-detailed", "trust-remote-code"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--tokenizer-mode", default="auto")
    parser.add_argument("--request-rate", type=float, required=True)
    parser.add_argument("--extra-body", type=json.loads, default={})
    return parser


def _run(options: argparse.Namespace) -> list[Output]:
    """Each request in a thread of its own, as far from the one before as a Poisson process has it."""
    source = random.Random(options.seed)
    outputs: list[Output] = [Output(0.0)] * options.num_prompts
    threads = []
    for number in range(options.num_prompts):
        prompt = "".join(source.choices(_LETTERS, k=max(options.random_input_len - 2, 1)))
        threads.append(threading.Thread(target=_request, args=(options, prompt, outputs, number)))
        threads[-1].start()
        time.sleep(source.expovariate(options.request_rate))
    for thread in threads:
        thread.join()
    return outputs


def _request(options: argparse.Namespace, prompt: str, outputs: list[Output], number: int) -> None:
    started = time.perf_counter()
    try:
        outputs[number] = _streamed(options, prompt, started)
    except OSError as error:
        outputs[number] = Output(
            started, error=f"Traceback (most recent call last):\n{type(error).__name__}: {error}"
        )


def _streamed(options: argparse.Namespace, prompt: str, started: float) -> Output:
    body = {
        "model": options.served_model_name, "prompt": prompt, "max_tokens": options.random_output_len,
        "stream": True, "ignore_eos": True, **options.extra_body,
    }  # fmt: skip
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}",
    }
    url = f"{options.base_url}{options.endpoint}"
    times, usage = [], {"prompt_tokens": 0, "completion_tokens": 0}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
        for line in answer:
            if not line.startswith(b"data: {"):
                continue
            said: dict[str, Any] = json.loads(line[6:])
            usage = said["usage"] or usage
            if said["choices"]:
                times.append(time.perf_counter())
    if not usage["completion_tokens"]:
        raise ConnectionError("the stream ended before its usage")
    itl = tuple(after - before for before, after in itertools.pairwise(times))
    return Output(started, times[0] - started, itl, usage["prompt_tokens"], usage["completion_tokens"])


def _result(options: argparse.Namespace, outputs: list[Output], duration: float) -> dict[str, Any]:
    good = [each for each in outputs if not each.error]
    read, generated = sum(each.read for each in good), sum(each.generated for each in good)
    return {
        "date": time.strftime("%Y%m%d-%H%M%S"), "backend": options.backend, "model_id": options.model,
        "num_prompts": options.num_prompts, "request_rate": options.request_rate, "duration": duration,
        "completed": len(good), "failed": len(outputs) - len(good),
        "total_input_tokens": read, "total_output_tokens": generated,
        "request_throughput": len(good) / duration, "output_throughput": generated / duration,
        "total_token_throughput": (read + generated) / duration,
        "input_lens": [each.read for each in outputs], "output_lens": [each.generated for each in outputs],
        "ttfts": [each.ttft for each in outputs], "itls": [list(each.itl) for each in outputs],
        "start_times": [each.started for each in outputs], "errors": [each.error for each in outputs],
        "max_concurrent_requests": len(outputs),
        **_latency("ttft", [each.ttft for each in good]),
        **_latency("tpot", [sum(each.itl) / len(each.itl) for each in good if each.itl]),
        **_latency("itl", [gap for each in good for gap in each.itl]),
        **_latency("e2el", [each.ttft + sum(each.itl) for each in good]),
    }  # fmt: skip


def _latency(name: str, seconds: list[float]) -> dict[str, float]:
    ordered = sorted(1000 * each for each in seconds) or [0.0]
    p99 = ordered[min(int(_PERCENTILE * len(ordered)), len(ordered) - 1)]
    figures = {"mean": statistics.fmean(ordered), "median": statistics.median(ordered), "p99": p99}
    return {f"{kind}_{name}_ms": value for kind, value in figures.items()}
