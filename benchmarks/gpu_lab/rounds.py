"""Trials one after another, or side by side, as long as there is time for one more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from . import workload
from .requests import together
from .rig import KEPT, Rig
from .variants import Trial, Variant

#: A round may take so much longer than the one before it.
_LONGER = 1.15

Rows = dict[str, dict[str, object]]


@dataclass(frozen=True)
class Lane:
    """One trial among several side by side, on hosts of its own."""

    trial: Trial
    path: str

    @property
    def name(self) -> str:
        return f"{self.trial.cluster}-{self.trial.variant.name}"


def one_after_another(rig: Rig, name: str, trials: Sequence[Trial]) -> None:
    """Each by the same `up`, which relaunches what another inventory asks for: the clusters are one by name."""
    rows, path, took = {}, "", 0.0
    try:
        for trial in trials:
            if not _time_for(rig, took, f"{name}: {trial.cluster}"):
                break
            began, path = rig.record.left, rig.write(replace(trial, cluster=name))
            rig.plan(trial.cluster, path, "--hosts")
            if rig.bring_up(trial.cluster, path):
                rig.complete(trial.cluster, trial.hosts[0])
                rig.warm(trial.cluster, path, trial.hosts[0])
                rows[trial.cluster] = rig.measure(trial.cluster, path, replace(trial, cluster=name), seed=2)
            rig.logs(trial.cluster, path)
            took = began - rig.record.left
    finally:
        rig.take_down(name, path)
        rig.prove_free(name)
    rig.record.figure(f"{name}: table", workload.table(rows).splitlines())


def _time_for(rig: Rig, took: float, name: str) -> bool:
    """Whether another round that takes as long as the last can end before all of it must; the first is tried."""
    if rig.record.left - KEPT > took * _LONGER:
        return True
    rig.record.note(f"{name}: no time", "skipped", None)
    return False


def rounds(rig: Rig, name: str, tried: Sequence[Sequence[Variant]], seeds: Sequence[int]) -> None:
    """So many variants at a time, each on a host of its own, and measured once a seed."""
    rows: Rows = {}
    paths: list[str] = []
    took = 0.0
    try:
        for variants in tried:
            if not _time_for(rig, took, f"{name}: {', '.join(one.name for one in variants)}"):
                break
            began, lanes = rig.record.left, _lanes(rig, name, variants)
            paths = sorted({*paths, *(lane.path for lane in lanes)})
            _side_by_side(rig, lanes, rows, seeds)
            took = began - rig.record.left
    finally:
        together(partial(rig.take_down, name), paths)
        rig.prove_free(name)
    rig.record.figure(f"{name}: predicted", {one.name: one.prediction for each in tried for one in each})
    rig.record.figure(f"{name}: table", workload.table(rows).splitlines())


def _lanes(rig: Rig, name: str, variants: Sequence[Variant]) -> list[Lane]:
    """A host has one cluster through all rounds: the next variant is a changed inventory of it."""
    trials = [
        Trial(f"{name}-{host}", (host,), rig.model("vl28b"), variant=variant)
        for host, variant in zip(rig.hosts, variants, strict=False)
    ]
    return [Lane(trial, rig.write(trial)) for trial in trials]


def _side_by_side(rig: Rig, lanes: Sequence[Lane], rows: Rows, seeds: Sequence[int]) -> None:
    """All are up before the first is measured, and are measured at the same time."""
    up: list[Lane] = []
    together(partial(_bring_up, rig, up), lanes)
    together(lambda lane: rig.warm(lane.name, lane.path, lane.trial.hosts[0]), up)
    for seed in seeds:
        together(partial(_measured, rig, rows, seed), up)
    together(lambda lane: rig.logs(lane.name, lane.path), lanes)


def _bring_up(rig: Rig, up: list[Lane], lane: Lane) -> None:
    if rig.bring_up(lane.name, lane.path):
        up.append(lane)


def _measured(rig: Rig, rows: Rows, seed: int, lane: Lane) -> None:
    rows[f"{lane.name} {seed}"] = rig.measure(f"{lane.name}-{seed}", lane.path, lane.trial, seed)
