"""Whether a log shows that an engine has crashed: one rule for hosts and for the program."""

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
    """Whether the lines of a log say that the engine cannot start, or has crashed. One ended wait for GPUs does
    not count; a second one is. Lines that clients cause in the log of a serving engine do not count."""
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
