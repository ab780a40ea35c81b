"""The plan of an `up`, and whether the model fits: from the inventory alone, or with facts of the hosts as well.

`query` is the one round trip to the hosts. `sources` finds the shape of the model. `arguments` and `vllm_settings`
read the arguments of vLLM, and `lint` finds wrong ones. `units` are the commands, from the same builders that `up`
uses. `plan` puts all of it together into `results`.
"""

from cluster.plan.plan import expected, plan
from cluster.plan.query import Answers, ask

__all__ = ["Answers", "ask", "expected", "plan"]
