"""Puts the scripted engine where a host's venv has vllm."""

from pathlib import Path

from .. import programs
from ..layout import venv
from .ray import AGENT, AGENT_SCRIPT


def write(layer: Path) -> None:
    programs.carry(layer, Path(__file__).parent)
    programs.launcher(layer, venv() / "bin/vllm", "engine.serve", str(venv() / "bin/python"))
    programs.launcher(layer, venv() / "bin/ray", "engine.ray", str(venv() / "bin/python"))
    programs.script(layer, Path(AGENT), AGENT_SCRIPT)
