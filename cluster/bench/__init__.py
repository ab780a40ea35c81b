"""The published benchmark: its workloads, the command of a run, and the rules for a valid run."""
