"""`vllm serve`, scripted."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from importlib.metadata import version
from typing import NoReturn

from . import api, behaviour, bench, log, script
from .behaviour import Behaviour
from .flags import HELP, Flags, parse
from .ranks import LocalRanks, Ranks, RayRanks


def main(argv: list[str]) -> int:
    if argv[:2] == ["bench", "serve"]:
        return bench.main(argv[2:])
    if argv[:1] != ["serve"]:
        print(version("vllm"))
        return 0
    if "--help=all" in argv:
        print(HELP)
        return 0
    flags = parse(argv)
    try:
        listener = api.bind(flags)
    except OSError:
        script.port_taken()
        return 1
    signal.signal(signal.SIGTERM, lambda _number, _frame: _stop())
    try:
        ranks = _load(flags, behaviour.read())
    except (OSError, RuntimeError) as error:
        return _fail("".join(traceback.format_exception_only(error)).strip())
    script.serving(flags)
    threading.Thread(target=_watch, args=(ranks,), daemon=True).start()
    api.serve(flags, listener, ranks)
    return 0


def _watch(ranks: Ranks) -> NoReturn:
    """vLLM looks every 5 s; a test has no time for that."""
    while True:
        for number in range(len(ranks.places)):
            try:
                ranks.one(number, "ping")
            except Exception:  # whatever it is that Ray says of an actor that is gone
                script.died(number)
                os._exit(0)
        time.sleep(1)


def _stop() -> NoReturn:
    """Exits. Ray ends the ranks when their driver has exited, as it does with vLLM's."""
    script.stopping()
    os._exit(0)


def _fail(*cause: str) -> int:
    script.failed(*cause)
    return 1


def _detach(number: int) -> None:
    """Their descriptors lead nowhere: nothing but their ancestry tells whose they are."""
    for _ in range(number):
        argv = ["setsid", "-f", "bash", "-c", "exec -a engine-daemon sleep infinity"]
        subprocess.run(
            argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


def _load(flags: Flags, told: Behaviour) -> Ranks:
    _detach(told.daemons)
    if told.says:
        log.plain(told.says)
    script.configured(flags, version("vllm"))
    _misplace(flags, told)
    ranks = RayRanks(flags) if flags.backend == "ray" else LocalRanks(flags)
    # Ray's own handler would end us as if by an error.
    signal.signal(signal.SIGTERM, lambda _number, _frame: _stop())
    script.joined(ranks.places)
    for number in range(len(ranks.places)):
        ranks.one(number, "join", number, ranks.places, told.transport, dict(os.environ))
    _read_weights(flags, told, ranks)
    script.loaded(ranks.places[0], told, told.load_seconds)
    return ranks


def _misplace(flags: Flags, told: Behaviour) -> None:
    if flags.backend == "ray" and (told.behaviour == "local_ray" or "RAY_ADDRESS" not in os.environ):
        script.local_ray()
        _wait_for_ever(flags)
    if told.behaviour == "placement":
        script.placing()
        _wait_for_ever(flags)


def _wait_for_ever(flags: Flags) -> NoReturn:
    """vLLM counts 10, 30, 70, … seconds; a test has no time for that."""
    waited, step = 0, 10
    while True:
        waited, step = waited + step, step * 2
        script.waiting_for_placement(waited, flags.world_size)
        time.sleep(1)


def _read_weights(flags: Flags, told: Behaviour, ranks: Ranks) -> None:
    first = ranks.places[0]
    script.loading(first, flags.model)
    shards = ranks.one(0, "shards")
    for done, shard in enumerate(shards):
        script.progress(first, done, len(shards))
        _misbehave(told, done)
        ranks.each("read", shard)
        time.sleep(told.load_seconds / len(shards))
    script.progress(first, len(shards), len(shards))
    until = time.monotonic() + told.slow_rank.get("seconds", 0)
    while time.monotonic() < until and behaviour.read().slow_rank:
        ranks.one(told.slow_rank["rank"], "read", shards[len(shards) // 2])  # the largest are in the middle
        time.sleep(0.1)


def _misbehave(told: Behaviour, done: int) -> None:
    """Half-way through the weights, when something has been read already."""
    if done != 2:
        return
    if told.behaviour in ("crash", "linger"):
        status = _fail()
        while told.behaviour == "linger":
            signal.pause()
        sys.exit(status)
    while told.behaviour == "hang":
        signal.pause()
