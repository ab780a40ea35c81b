"""Writes down what the installed vLLM builds: `python -m tests.cluster.model.record`, after an upgrade."""

from __future__ import annotations

import json

from tests.cluster.model.configs import BUILT, REFUSED
from tests.cluster.model.test_model_as_built import RECORDED, builds


def main() -> None:
    cases = (*BUILT, *REFUSED)
    lines = [{"case": case, "said": said} for case, said in zip(cases, builds(cases), strict=True)]
    RECORDED.write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
