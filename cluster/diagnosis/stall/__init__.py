"""The cause of a start that stalls: what every rank does, and what that means."""

from cluster.diagnosis.stall.evidence import Rank, StallEvidence, evidence, request
from cluster.diagnosis.stall.patterns import StallCause, explain
from cluster.diagnosis.stall.summary import summarize

__all__ = ["Rank", "StallCause", "StallEvidence", "evidence", "explain", "request", "summarize"]
