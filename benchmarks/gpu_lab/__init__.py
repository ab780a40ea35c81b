"""The orchestrator on a machine with real GPUs: what such a machine needs first, and what is tried on it."""
