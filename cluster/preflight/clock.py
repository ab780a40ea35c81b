"""Clocks: what each host's says, against what most say."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from cluster.inventory import Inventory
from cluster.preflight.check import Check, Evidence, warning
from cluster.values import Finding

#: Seconds from the median.
_MOST = 1.0


def skew(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """A warning. What a slow way there may have added or taken is left out: only what is certain counts."""
    known = {name: view.clock for name, view in evidence.seen.items() if view.clock}
    votes = [(least + most) / 2 for least, most in known.values()]
    # Of two hosts alone nobody could say which one is wrong: our own clock has a vote.
    middle = median(votes if len(votes) > 2 else [0.0, *votes])
    for host, (least, most) in known.items():
        off = max(least - middle, middle - most)
        if off > _MOST:
            ahead = least > middle
            yield warning(
                f"{off:.1f} s {'ahead of' if ahead else 'behind'} the others",
                host=host,
                wanted=f"within {_MOST:g} s",
                why="logs of the hosts cannot be laid side by side, and certificates and tokens are refused",
                cure="`timedatectl set-ntp true`, or `chronyc makestep` where chrony runs",
                source="k0sctl: validate hosts",
            )


CHECKS = (Check("clock", skew),)
