"""What an `up` would run, and whether the model fits: from the inventory alone, or with what hosts say as well.

`sources` is where the model's shape comes from, `wanted` reads the arguments, `weighed` puts the two together,
`units` are the commands, of the very builders that `up` uses; `asking` is the one round trip that asks hosts.
"""

from cluster.plan.plan import expected, plan
from cluster.plan.query import Answers, ask

__all__ = ["Answers", "ask", "expected", "plan"]
