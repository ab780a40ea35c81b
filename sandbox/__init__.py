"""GPU hosts made of namespaces on one Linux machine, for trying and testing the orchestrator without GPUs."""
