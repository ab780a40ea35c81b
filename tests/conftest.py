"""For all tests: signals as a person's shell leaves them.

A shell starts what runs in its background with SIGINT ignored, and `nohup` with SIGHUP: every program that the
tests start would inherit that, and Ctrl-C would be nothing.
"""

import signal
from pathlib import Path

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGTERM, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes is begun first, so that what takes seconds fills the gaps at the end."""
    items.sort(key=lambda item: ("real_vllm" not in item.keywords, "scenario" not in item.keywords))


def pytest_addoption(parser: pytest.Parser) -> None:
    """For runs that take long and tell what they have seen."""
    parser.addoption("--page", type=Path, help="write what became of faults to this file")
    parser.addoption("--rows", type=Path, help="go on with what earlier runs on faults have left in this file")
    parser.addoption("--turns", type=Path, help="share this machine with others who lock this file in turn")
    parser.addoption("--rounds", type=int, default=6, help="of the random walk (default: %(default)s)")
    parser.addoption("--seed", type=int, default=7, help="of the random walk (default: %(default)s)")
