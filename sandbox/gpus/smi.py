"""nvidia-smi, as far as anybody here asks it."""

from __future__ import annotations

import sys

from . import tables
from .devices import Gpu, Machine, machine
from .fields import GPU_FIELDS, PROCESS_FIELDS, Field, ProcessField

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INVALID = 2
_NO_DEVICES = 6


class _Refused(Exception):
    """Its text and status are the answer."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class _Question:
    def __init__(self, names: list[str], format: list[str]) -> None:
        self.names, self.format = names, format

    def picked(self, fields: dict[str, Field] | dict[str, ProcessField], refused: Sequence[str] = ()) -> list[str]:
        for name in self.names:
            if name not in fields or name in refused:
                raise _Refused(f'Field "{name}" is not a valid field to query.\n', _INVALID)
        return self.names


def main(argv: list[str]) -> int:
    try:
        for line in _answer(dict(_pairs(argv)), machine()):
            print(line)
    except _Refused as refused:
        print(refused)
        return refused.status
    return 0


def _pairs(argv: Sequence[str]) -> Iterable[tuple[str, str]]:
    """`--query-gpu=index` and `-i 0` alike; `-L` and `-q` stand alone."""
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("-L", "--list-gpus", "-q", "--query"):
            yield name, ""
        elif name in ("-i", "--id", "--query-gpu", "--query-compute-apps", "--format"):
            yield name, value if equals else next(words, "")
        else:
            raise _Refused(
                f"Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n\n{word}", 1
            )


def _answer(options: dict[str, str], all_: Machine) -> Iterable[str]:
    chosen = _chosen(all_, options.get("-i", options.get("--id", "")))
    style = options.get("--format", "").split(",")
    if "--query-gpu" in options:
        return _gpus(_Question(_words(options["--query-gpu"]), style), chosen)
    if "--query-compute-apps" in options:
        return _processes(_Question(_words(options["--query-compute-apps"]), style), chosen)
    if not chosen.gpus:
        raise _Refused("No devices were found", _NO_DEVICES)
    if options.keys() & {"-L", "--list-gpus"}:
        return tables.listing(chosen)
    if options.keys() & {"-q", "--query"}:
        return tables.details(chosen)
    return tables.summary(chosen)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _chosen(all_: Machine, ids: str) -> Machine:
    if not ids:
        return all_
    all_.gpus = [gpu for name in _words(ids) for gpu in all_.gpus if name in (str(gpu.minor), gpu.uuid)]
    return all_


def _gpus(question: _Question, chosen: Machine) -> Iterable[str]:
    fields = [GPU_FIELDS[name] for name in question.picked(GPU_FIELDS, chosen.refused)]
    if not chosen.gpus:
        raise _Refused("No devices were found", _NO_DEVICES)
    rows = [[(field.value(chosen, gpu), field.unit) for field in fields] for gpu in chosen.gpus]
    return _csv(fields, rows, question.format)


def _processes(question: _Question, chosen: Machine) -> Iterable[str]:
    fields = [PROCESS_FIELDS[name] for name in question.picked(PROCESS_FIELDS)]
    held: list[tuple[Gpu, int]] = [(gpu, i) for gpu in chosen.gpus for i in range(len(gpu.holders))]
    rows = [[(field.value(chosen, gpu, gpu.holders[i]), field.unit) for field in fields] for gpu, i in held]
    return _csv(fields, rows, question.format)


def _csv(
    fields: Sequence[Field | ProcessField], rows: Iterable[list[tuple[object, str]]], style: list[str]
) -> Iterable[str]:
    if style[0] != "csv":
        raise _Refused('"--format=" can only be used with "--query-*=" and must name csv.\n', _INVALID)
    if "noheader" not in style:
        yield ", ".join(f"{field.heading} [{field.unit}]" if field.unit else field.heading for field in fields)
    for row in rows:
        yield ", ".join(
            f"{value} {unit}" if unit and "nounits" not in style else str(value) for value, unit in row
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
