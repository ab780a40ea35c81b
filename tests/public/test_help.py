"""The help of every command at 80 columns."""

from __future__ import annotations

import pytest

from orchestrator.cli import cli
from tests.command_lines import WORKS
from tests.public.golden import unchanged


def test_every_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    texts = []
    for name in ("", *WORKS):
        with pytest.raises(SystemExit):
            cli.main([*name.split(), "--help"])
        texts.append(f"$ orchestrator {name}".rstrip() + f" --help\n{capsys.readouterr().out}")
    assert max(len(line) for text in texts for line in text.splitlines()) <= 80
    unchanged("help.txt", "\n".join(texts))
