"""The size of a model, and whether it fits: config.json -> architecture -> tensors -> bytes on each GPU.

`readers` read the config.json of a model, and `known` has the models that need none. `tensors` lists the tensors
that vLLM allocates, and `layout` splits them into ranks. `fit` compares the largest rank with a GPU, and `levers`
finds changes that would make it fit.
All functions are pure: they use no host, no torch and no vLLM.
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
