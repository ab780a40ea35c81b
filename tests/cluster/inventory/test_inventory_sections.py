"""What is refused of the other sections.

Lines are those of SMALL; a problem is given by its beginning.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.inventories import edited, problems

REFUSED = [
    ("baidu/ERNIE-4.5-VL-424B-A47B-PT", "/a/../b", '12: model.id: must not hold "." or ".." as a folder'),
    ("runtime:", "zebra: 1\nruntime:", "15: zebra: unknown key"),
    (
        "cluster: demo",
        "cluster: Demo",
        "1: cluster: must be a name of at most 41 small letters, digits and dashes",
    ),
    ("cluster: demo", "cluster: no", "1: cluster: expected text, found true or false: put it in quotes"),
    ("cluster: demo", "cluster: 1", "1: cluster: expected text, found a whole number: put it in quotes"),
    ("cluster: demo", "cluster:", "1: cluster: expected text, found nothing"),
    ("cluster: demo\n", "", "1: cluster: is missing"),
    ("  tensor_parallel_size: 16\n", "  port: 80\n", "13: serve.tensor_parallel_size: is missing"),
    (
        "baidu/ERNIE-4.5-VL-424B-A47B-PT",
        "./here",
        "12: model.id: must be a repository id (owner/name) or an absol",
    ),
    ("  id: baidu/ERNIE-4.5-VL-424B-A47B-PT", "  revision: a", "11: model.id: is missing"),
    (
        "baidu/ERNIE-4.5-VL-424B-A47B-PT",
        "/m\n  download: 'true'",
        "13: model.download: expected true or false, found text: take the quotes away",
    ),
    (
        "/opt/vllm",
        "opt/vllm",
        "16: runtime.venv: must be an absolute path, of letters, digits and @ % + = , . _ -",
    ),
    (
        "/opt/vllm",
        "/v\n  state_directory: /ssssssssssssssssssssssssssssssssssssssss",
        "17: runtime.state_directory: must be at most 40 characters long",
    ),
    ("runtime:\n  venv: /opt/vllm\n", "", "1: runtime: is missing"),
    ("runtime:\n  venv: /opt/vllm\n", "runtime: /opt/vllm\n", "15: runtime: expected a mapping, found text"),
    (
        "runtime:",
        "environment: {A: 1}\nruntime:",
        "15: environment.A: expected text, found a whole number: put it in quotes",
    ),
    (
        "runtime:",
        "environment: {A: yes}\nruntime:",
        "15: environment.A: expected text, found true or false: put it in quotes",
    ),
    ("runtime:", "environment: {A: }\nruntime:", "15: environment.A: expected text, found nothing"),
    (
        "runtime:",
        "environment: {A-B: x}\nruntime:",
        "15: environment.A-B: must be the name of an environment variable",
    ),
    ("runtime:", "environment: [A]\nruntime:", "15: environment: expected a mapping, found a list"),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: --x",
        "15: serve.arguments: expected a list, found text",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [1]",
        "15: serve.arguments[0]: expected text, found a whole number: put it in quotes",
    ),
    (
        "  tensor_parallel_size: 16",
        '  tensor_parallel_size: 16\n  arguments: ["a\\0"]',
        "15: serve.arguments[0]: must not hold NUL",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--x, --tensor-parallel-size, '8']",
        "15: serve.arguments[1]: --tensor-parallel-size is not for here: use serve.tensor_parallel_size",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--max-model-len 8192]",
        "15: serve.arguments[0]: one word an item: split it into '--max-model-len', '8192'",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--trust-remote-code --max-model-len 8192]",
        "15: serve.arguments[0]: one word an item: split it into '--trust-remote-code', '--max-model-len', '8192'",
    ),
    (
        "  tensor_parallel_size: 16",
        """  tensor_parallel_size: 16\n  arguments: ['--limit-mm-per-prompt {"image": 0}']""",
        "15: serve.arguments[0]: one word an item: split it into '--limit-mm-per-prompt', '...'",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: ['--trust-remote-code ']",
        "15: serve.arguments[0]: one word an item: take the white space away",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--tensor_parallel_size=8]",
        "15: serve.arguments[0]: --tensor-parallel-size is not for here: use serve.tensor_parallel_size",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [-tp=8]",
        "15: serve.arguments[0]: -tp is not for here: use serve.tensor_parallel_size",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [-pp, '2']",
        "15: serve.arguments[0]: -pp is not for here: use serve.pipeline_parallel_size",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--host=a]",
        "15: serve.arguments[0]: --host is not for here: use serve.host",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--port, '1']",
        "15: serve.arguments[0]: --port is not for here: use serve.port",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--served-model-name=a]",
        "15: serve.arguments[0]: --served-model-name is not for here: use model.ser",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--revision=a]",
        "15: serve.arguments[0]: --revision is not for here: use model.revision",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--model=a]",
        "15: serve.arguments[0]: --model is not for here: use model.id",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--ssl_keyfile=a]",
        "15: serve.arguments[0]: --ssl-keyfile is not for here: the endpoint is asked over HTTP",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\nenvironment: {CUDA_VISIBLE_DEVICES: '0'}",
        "15: environment.CUDA_VISIBLE_DEVICES: CUDA_VISIBLE_DEVICES is not for here: use gpu_ids",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  arguments: [--distributed-executor-backend=mp]",
        "15: serve.arguments[0]: --distributed-executor-backend is not for here: the orchestrator gives",
    ),
    (
        "  tensor_parallel_size: 16",
        "  tensor_parallel_size: 16\n  host: -h",
        "15: serve.host: must not begin with a dash: it would be taken for an option",
    ),
]


@pytest.mark.parametrize(("old", "new", "problem"), REFUSED)
def test_a_value_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    [found] = problems(tmp_path, edited((old, new)))
    assert found[: len(problem)] == problem
