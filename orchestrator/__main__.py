"""`python -m orchestrator`, and the command `orchestrator`."""

import os
from typing import NoReturn

from orchestrator.cli.cli import main


def run() -> NoReturn:
    """Whatever is to be kept has been written and flushed. Threads of the SSH library may still be at work: an
    interpreter that is finalized ends them in the middle of native code, which can abort it (CPython's #87135)."""
    os._exit(main())


if __name__ == "__main__":
    run()
