"""Why a start does not move: what every rank is at, and what that means."""

from cluster.stuck.evidence import Evidence, Rank, evidence, wanted
from cluster.stuck.meaning import Meaning, meaning
from cluster.stuck.told import told

__all__ = ["Evidence", "Meaning", "Rank", "evidence", "meaning", "told", "wanted"]
