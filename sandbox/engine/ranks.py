"""All ranks of the engine: actors of Ray, or objects of this process where one host serves."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from . import nccl, rank, script
from .flags import Flags
from .nccl import RankLocation
from .rank import RayWorkerProc

_FIRST_WAIT = 10


class Ranks(Protocol):
    places: list[RankLocation]

    def each(self, method: str, *arguments: Any) -> None: ...

    def one(self, number: int, method: str, *arguments: Any) -> Any: ...


class LocalRanks:
    def __init__(self, flags: Flags) -> None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        gpus = [int(gpu) for gpu in visible.split(",")] if visible else list(range(flags.world_size))
        gpus = gpus[: flags.world_size]
        self.places = [RankLocation("127.0.0.1", gpu, os.getpid(), "") for gpu in gpus]
        self._ranks = [RayWorkerProc(gpu, flags.model) for gpu in gpus]

    def each(self, method: str, *arguments: Any) -> None:
        for number in range(len(self._ranks)):
            self.one(number, method, *arguments)

    def one(self, number: int, method: str, *arguments: Any) -> Any:
        return getattr(self._ranks[number], method)(*arguments)


class RayRanks:
    def __init__(self, flags: Flags) -> None:
        import ray

        _carry_this_package()
        os.environ["RAY_IGNORE_UNHANDLED_ERRORS"] = "1"  # one rank's failure is told once
        ray.init(log_to_driver=False)
        self._get: Callable[..., Any] = ray.get
        actors = _start(flags, _place(flags.world_size))
        here = ray.util.get_node_ip_address()
        found = self._get([actor.where.remote(here) for actor in actors])
        order = sorted(range(len(actors)), key=lambda i: (found[i].remote_ip, found[i].gpu))
        self.places: list[RankLocation] = [found[i] for i in order]
        self._actors = [actors[i] for i in order]

    def each(self, method: str, *arguments: Any) -> None:
        self._get([actor.call.remote(method, *arguments) for actor in self._actors])

    def one(self, number: int, method: str, *arguments: Any) -> Any:
        return self._get(self._actors[number].call.remote(method, *arguments))


def _carry_this_package() -> None:
    """A worker of Ray does not look for modules where this program lies."""
    from ray import cloudpickle

    for module in (rank, nccl, sys.modules[__name__]):
        cloudpickle.register_pickle_by_value(module)


def _place(bundles: int) -> Any:
    from ray.util import placement_group

    script.placing()
    group = placement_group([{"GPU": 1.0}] * bundles, strategy="PACK")
    waited, patience = 0, _FIRST_WAIT
    while not group.wait(patience):
        waited, patience = waited + patience, patience * 2
        script.waiting_for_placement(waited, bundles)
    return group


def _start(flags: Flags, group: Any) -> Sequence[Any]:
    import ray
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    actor = ray.remote(_actor_class())
    return [
        actor.options(
            num_cpus=0,
            num_gpus=1,
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=bundle),
        ).remote(flags.model)
        for bundle in range(flags.world_size)
    ]


def _actor_class() -> type:
    class Actor:
        def __init__(self, model: str) -> None:
            import ray

            self.gpu = int(ray.get_runtime_context().get_accelerator_ids()["GPU"][0])
            self.rank = RayWorkerProc(self.gpu, model)

        def where(self, head: str) -> RankLocation:
            import ray

            address = ray.util.get_node_ip_address()
            return RankLocation(address, self.gpu, os.getpid(), "" if address == head else address)

        def call(self, method: str, *arguments: Any) -> Any:
            return getattr(self.rank, method)(*arguments)

    Actor.__name__ = Actor.__qualname__ = RayWorkerProc.__name__
    return Actor
