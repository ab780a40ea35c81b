"""`python -m orchestrator`, and the command `orchestrator`."""

import os
import signal
from typing import NoReturn

from orchestrator.cli.cli import main
from orchestrator.run.lost_signals import sent_again


def run() -> NoReturn:
    """Ends the process at once: everything is written and flushed by then. Threads of the SSH library may still
    run. A Python that finalizes ends them in native code, which can abort it (CPython's #87135).

    Before and after a command, a signal ends it as in between: none is left to the system, nor to a traceback.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with sent_again():
            code = main()
    except KeyboardInterrupt:
        code = 130
    os._exit(code)


if __name__ == "__main__":
    run()
