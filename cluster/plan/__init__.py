"""What an `up` would run, and whether the model fits: from the inventory alone, or with what hosts say as well.

`query` is the one round trip that asks hosts, `sources` is where the model's shape comes from, `arguments` and
`vllm_settings` read what vLLM is told, `lint` finds what ends badly there, `units` are the commands, of the very
builders that `up` uses. `plan` puts it all together into `results`.
"""

from cluster.plan.plan import expected, plan
from cluster.plan.query import Answers, ask

__all__ = ["Answers", "ask", "expected", "plan"]
