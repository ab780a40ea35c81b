"""The rule that decides from its log whether an engine has failed. It is the same on a host and in the program."""

import re
from typing import Iterable, NamedTuple


class Signs(NamedTuple):
    """The regular expressions that decide.

    `fatal` means that the engine cannot become ready. `ready` means that it is ready. From then on its log holds
    text of clients, and only `dead` means an end. `wait` is a wait for GPUs, which counts between `reserving` and
    the first of `reserved`.
    """

    fatal: "list[str]"
    ready: str
    dead: str
    wait: str
    reserving: str
    reserved: "list[str]"


def engine_died(lines: "Iterable[str]", signs: Signs) -> bool:
    """Returns whether the lines of a log show that the engine has failed.

    One wait for GPUs that has ended does not count, a second one does. Text of clients in the log of a serving
    engine does not count.
    """
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
