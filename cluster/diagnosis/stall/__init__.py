"""Why a start does not move: what every rank is at, and what that means."""

from cluster.diagnosis.stall.evidence import Evidence, Rank, evidence, wanted
from cluster.diagnosis.stall.patterns import Meaning, meaning
from cluster.diagnosis.stall.summary import told

__all__ = ["Evidence", "Meaning", "Rank", "evidence", "meaning", "told", "wanted"]
