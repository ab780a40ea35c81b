"""Whether an engine is dead, by its log: the same rule on a host and where the program runs."""

import re
from typing import Iterable, NamedTuple


class Signs(NamedTuple):
    """The regular expressions that decide.

    `fatal` mean that the engine will not come up. `ready` is the text that says that it has; from then on its log
    holds what clients wrote, and only `dead` means an end. `wait` is a wait for GPUs, which counts between
    `reserving` and the first of `reserved`.
    """

    fatal: "list[str]"
    ready: str
    dead: str
    wait: str
    reserving: str
    reserved: "list[str]"


def engine_died(lines: "Iterable[str]", signs: Signs) -> bool:
    """Whether the lines of a log say that the engine will not come up, or has died. One wait for GPUs that has
    ended says neither, a second one does; nor does what clients write into the log of an engine that serves."""
    waits, reserving, reserved = 0, False, False
    rest = iter(lines)
    for line in rest:
        start, ready, after = line.partition(signs.ready)
        if any(re.search(sign, start) for sign in signs.fatal):
            return True
        if ready:
            return re.search(signs.dead, after + "".join(rest)) is not None
        waits += len(re.findall(signs.wait, start))
        reserving = reserving or re.search(signs.reserving, start) is not None
        reserved = reserved or any(re.search(sign, start) for sign in signs.reserved)
    return waits > 1 and reserving and not reserved
