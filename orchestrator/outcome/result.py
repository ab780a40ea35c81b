"""The result of a command, on stdout. Anything else that is written may be lost."""

from __future__ import annotations

import sys
from typing import ClassVar

from cluster.errors import ClusterError
from orchestrator.render.text import write_whole


class ResultLost(ClusterError):
    """A result that could not be written, though its reader still waits."""

    kind: ClassVar[str] = "ResultLost"


def put(text: str) -> bool:
    """Writes to stdout, in one piece. False: its reader has left. Raises ResultLost."""
    try:
        write_whole(sys.stdout, text)
    except (BrokenPipeError, ValueError):
        return False
    except OSError as error:
        raise lost(error) from None
    return True


def lost(error: OSError) -> ResultLost:
    reason = error.strerror or str(error)
    cure = "the command did its work; free space there, or send stdout elsewhere"
    return ResultLost("failed to write the result to stdout", cause=reason, cure=cure)
