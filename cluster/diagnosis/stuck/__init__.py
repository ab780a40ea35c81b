"""Why a start does not move: what every rank is at, and what that means."""

from cluster.diagnosis.stuck.evidence import Evidence, Rank, evidence, wanted
from cluster.diagnosis.stuck.meaning import Meaning, meaning
from cluster.diagnosis.stuck.told import told

__all__ = ["Evidence", "Meaning", "Rank", "evidence", "meaning", "told", "wanted"]
