"""Why a start does not move: what every rank is at, and what that means."""

from cluster.diagnosis.stall.evidence import Rank, StallEvidence, evidence, wanted
from cluster.diagnosis.stall.patterns import StallCause, meaning
from cluster.diagnosis.stall.summary import told

__all__ = ["Rank", "StallCause", "StallEvidence", "evidence", "meaning", "told", "wanted"]
