"""The options of `bench layouts`."""

from __future__ import annotations

from itertools import chain
from typing import Any

import click

from orchestrator.cli import argument_types as types
from orchestrator.cli.bench_matrix import MATRIX, bench_arguments
from orchestrator.cli.command import cluster_command
from orchestrator.session.invocation import Invocation

LAYOUTS = click.Option(
    ["--layouts"],
    type=types.Parsed("TxP[,TxP...]", types.layouts),
    multiple=True,
    required=True,
    help="Tensor times pipeline parallelism.",
)


@cluster_command("bench layouts", LAYOUTS, *MATRIX, example="bench layouts inventory.yaml --layouts 16x1,8x2")
def command(invocation: Invocation, layouts: tuple[tuple[tuple[int, int], ...], ...], **matrix: Any) -> int:
    """Run the benchmark on several layouts. Each is brought up, measured and taken down."""
    from orchestrator.commands.bench_layouts import run

    return run(invocation, bench_arguments(**matrix), tuple(dict.fromkeys(chain.from_iterable(layouts))))
