"""The weight of a model, and whether it fits: config.json -> architecture -> tensors -> bytes on each GPU.

`readers` read what a model says of itself, `known` has the models that we know without it, `tensors` lists what
vLLM allocates for an architecture, `layout` cuts it into ranks, `fit` weighs the largest rank against a GPU, and
`levers` looks for what would fit where this does not. Pure, all of it: no host, no torch, no vLLM.
"""

from cluster.model.architecture import Architecture
from cluster.model.config import UnknownModel
from cluster.model.fit import Fit, PipelineStage, fit
from cluster.model.known import known_config
from cluster.model.layout import Layout
from cluster.model.levers import Lever, levers
from cluster.model.readers import architecture

__all__ = [
    "Architecture",
    "Fit",
    "Layout",
    "Lever",
    "PipelineStage",
    "UnknownModel",
    "architecture",
    "fit",
    "known_config",
    "levers",
]
