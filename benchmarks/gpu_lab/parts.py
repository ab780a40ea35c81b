"""What is tried on real GPUs, part by part. Each begins with hosts that serve nothing, and leaves them so."""

import sys
from collections.abc import Callable
from pathlib import Path

from . import questions
from .rig import KEPT, Rig, blocking
from .rounds import one_after_another, rounds
from .variants import DEFAULT, EAGER, FP8, TUNED, Trial, Variant, quantized

#: The text of a program for a host.
_LOSE_RANK = (Path(__file__).parent / "lose_rank.py").read_text()


def pair(rig: Rig) -> None:
    """All hosts as one cluster: TP over them through Ray, a killed rank, the repair, and released GPUs."""
    trial = Trial("pair", rig.hosts, rig.model("vl28b"))
    path = rig.write(trial)
    _look(rig, path)
    try:
        if rig.bring_up("pair", path):
            _use(rig, trial, path)
            _lose_a_rank(rig, trial, path)
        rig.logs("pair", path)
    finally:
        rig.take_down("pair", path)
        rig.prove_free("pair")


def _look(rig: Rig, path: str) -> None:
    for name, argv in questions.OF_THE_MACHINE.items():
        rig.on_machine(name, argv)
    rig.record.step("raw facts", [sys.executable, "scripts/raw-facts", path], 60, 60)
    rig.do("check all", 90, "check", path, "--all")
    found = rig.do("check all as JSON", 90, "check", path, "--all", "--output", "json")
    rig.passed_over[path] = blocking(found.out)
    rig.do("check the fabric", 120, "check", path, "--fabric", "--output", "json")
    rig.plan("pair", path, "--hosts")


def _use(rig: Rig, trial: Trial, path: str) -> None:
    rig.do("pair: status", 30, "status", path)
    rig.do("pair: status as JSON", 30, "status", path, "--output", "json")
    rig.complete("pair", trial.hosts[0])
    rig.warm("pair", path, trial.hosts[0])
    rig.do("pair: bench", 240, "bench", path, *_matrix(rig, "bench"))


def _matrix(rig: Rig, folder: str) -> list[str]:
    """The words of `bench` for this rig's workload."""
    work = rig.work
    shape = ["--workload", f"{work.input_tokens}/{work.output_tokens}", "--num-prompts", str(work.prompts)]
    return [*shape, "--results", str(rig.record.place(folder))]


def _lose_a_rank(rig: Rig, trial: Trial, path: str) -> None:
    """What is said of it must name the host; the same `up` mends it."""
    rig.on_host(trial.hosts[-1], "pair: kill a rank", sys.executable, "-c", _LOSE_RANK)
    rig.record.step("pair: while it is noticed", ["sleep", "12"], 15, 120)
    rig.do("pair: status after the kill", 30, "status", path)
    rig.do("pair: logs after the kill", 30, "logs", path, "--lines", "100")
    rig.bring_up("pair again", path)
    rig.complete("pair again", trial.hosts[0])


def layouts(rig: Rig) -> None:
    """Tensor against pipeline parallel over the same hosts, the same work; the 28B's tied embeddings cannot be
    a pipeline."""
    gpus, number = len(rig.hosts) * rig.gpus, len(rig.hosts)
    path = rig.write(Trial("layouts", rig.hosts, rig.model("vl424b-8L")))
    try:
        words = ("--layouts", f"{gpus}x1,{gpus // number}x{number}", *_matrix(rig, "layouts"))
        rig.do("layouts: bench", rig.record.left, "bench", "layouts", path, *words)
    finally:
        rig.take_down("layouts", path)
        rig.prove_free("layouts")


def big(rig: Rig) -> None:
    """The 424B's own layers, eight of them."""
    _of_the_424b(rig, "big", "vl424b-8L")


def half(rig: Rig) -> None:
    """27 of the 424B's 54 layers: each of four GPUs has nine tenths of what each of eight would have of all."""
    _of_the_424b(rig, "half", "vl424b-27L")


def whole(rig: Rig) -> None:
    """All 54 layers of the 424B: 847 GB."""
    _of_the_424b(rig, "whole", "vl424b")


def whole_fp8(rig: Rig) -> None:
    """All of the 424B quantized while it is loaded, with all of the GPUs' memory."""
    _of_the_424b(rig, "whole-fp8", "vl424b", FP8)


def _of_the_424b(rig: Rig, name: str, model: str, variant: Variant = DEFAULT) -> None:
    """Tensor parallel over all GPUs, and over several hosts then a pipeline of them."""
    trials = [
        Trial(f"{name}-pp{size}", rig.hosts, rig.model(model), pipeline=size, variant=variant)
        for size in dict.fromkeys((1, len(rig.hosts)))
    ]
    one_after_another(rig, name, trials)


def fp8(rig: Rig) -> None:
    """The 424B quantized while it loads, with the memory of GPUs of 80 GB. The guide does this on eight GPUs.
    Fewer GPUs get half of its layers."""
    model = rig.model("vl424b" if len(rig.hosts) * rig.gpus >= 8 else "vl424b-27L")
    tried = quantized(rig.memory())
    one_after_another(rig, "fp8", [Trial(f"fp8-{one.name}", rig.hosts, model, variant=one) for one in tried])


def eager(rig: Rig) -> None:
    """A host each, without Ray, side by side: the guide's command against the defaults."""
    rounds(rig, "eager", [(EAGER, DEFAULT)], seeds=(1, 2))


def tune(rig: Rig) -> None:
    """A variant each, as many at a time as there are hosts, as long as there is time for another round."""
    wide = len(rig.hosts)
    tried = [one for one in TUNED if one.name in rig.variants]
    rounds(rig, "tune", [tried[start : start + wide] for start in range(0, len(tried), wide)], seeds=(1, 2))


def vision(rig: Rig) -> None:
    """Serves the vision tower, and asks about a picture. Without CUDA graphs, if it does not start with them."""
    path = ""
    try:
        for variant in (DEFAULT, EAGER):
            trial = Trial("vision", rig.hosts[:1], rig.model("vl28b-images"), variant=variant, images=True)
            path = rig.write(trial)
            name = f"vision-{variant.name}"
            stands = rig.bring_up(name, path)
            if stands:
                _show_a_picture(rig, name, trial)
            rig.logs(name, path)
            if stands:
                break
    finally:
        rig.take_down("vision", path)
        rig.prove_free("vision")


def _show_a_picture(rig: Rig, name: str, trial: Trial) -> None:
    served = trial.model.rpartition("/")[2] or "ernie-4.5-vl-tiny"
    words = [sys.executable, "-m", "benchmarks.gpu_lab.picture", rig.url(trial.hosts[0]), served]
    rig.record.step(f"{name}: about a picture", words, 150, KEPT)


PARTS: dict[str, Callable[[Rig], None]] = {
    "pair": pair, "layouts": layouts, "big": big, "half": half, "whole": whole, "whole-fp8": whole_fp8, "fp8": fp8,
    "eager": eager, "tune": tune, "vision": vision,
}  # fmt: skip
