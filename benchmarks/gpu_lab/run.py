"""`python -m benchmarks.gpu_lab.run PART…`: the orchestrator on this machine's GPUs, bounded; all output kept."""

import argparse
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from .parts import PARTS
from .record import Record
from .rig import KEPT, Rig
from .variants import TUNED

PLACE = Path("/opt/gpu-trial")


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and everything is taken down
    record = Record(options.out, Path(tempfile.mkdtemp(prefix="gpu-run-")), options.limit)
    hosts = tuple(f"node{i}" for i in range(options.hosts))
    place = options.name, options.place, hosts, options.gpus, options.first_gpu
    rig = Rig(record, *place, options.stand_in, options.variants)
    try:
        with rig.up() as stand:
            for part in options.parts if stand else ():
                _try(record, rig, part)
    finally:
        record.close()
    return 0 if record.well else 1


def _try(record: Record, rig: Rig, part: str) -> None:
    """One part that breaks must not take the others with it."""
    if record.left < KEPT:
        record.note(part, "skipped: no time", None)
        return
    try:
        PARTS[part](rig)
    except Exception as error:
        record.keep(f"broken-{part}.txt", traceback.format_exc())
        record.note(f"{part} broke", f"{type(error).__name__}: {error}", 1)
    finally:
        record.close()


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_lab.run", description=__doc__)
    names = [one.name for one in TUNED]
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="PART", help=" | ".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path("/tmp/gpu-run"), help="default: %(default)s")
    parser.add_argument("--limit", type=float, default=560.0, help="seconds for all of it (default: %(default)g)")
    parser.add_argument("--place", type=Path, default=PLACE, help="what `prepare` made (default: %(default)s)")
    parser.add_argument("--name", default="gpu", help="of the sandbox (default: %(default)s)")
    parser.add_argument("--hosts", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--gpus", type=int, default=1, help="of each host (default: %(default)s)")
    parser.add_argument("--first-gpu", type=int, default=0, help="for runs side by side (default: %(default)s)")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help="for tune: " + " | ".join(names),
    )
    parser.add_argument("--stand-in", action="store_true", help="no GPUs: the scripted engine, to try the steps")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
