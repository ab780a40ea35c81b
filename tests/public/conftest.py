"""The life of a cluster that most tests here look at, played once; time does not pass while it waits."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tenacity import nap

from tests.public.whole import Whole, play


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("public")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nap, "time", SimpleNamespace(sleep=lambda seconds: None))
        patch.setenv("ORCHESTRATOR_STATE", str(folder / "state"))
        patch.delenv("ORCHESTRATOR_OUTPUT", raising=False)
        return play(folder)
